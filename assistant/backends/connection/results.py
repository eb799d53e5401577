"""The results of a connection test, as sentences for the user. Nothing here loads the SDK."""

from dataclasses import dataclass

from assistant.backends.connection.models import ListedModel
from assistant.backends.connection.override import form_text
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT, status_of
from assistant.errors import BackendError
from assistant.locale import N_


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check; ``ok`` is None for a limitation that is not a failure."""

    name: str
    ok: bool | None
    text: str


def error_result(name: str, error: BackendError, host: str, model: str = "") -> CheckResult:
    """Return the result of a failed request; a rejected key or model is reported under its own name."""
    if error.code == "invalid_api_key" or status_of(error) == 401:
        text = N_("{host} rejected the key. It may be mistyped, expired or revoked.", host=host)
        return CheckResult("Key", False, text)
    if error.code == "model_not_found":
        text = N_("{model} is not available at {host}. Choose another model.", model=model, host=host)
        return CheckResult("Model", False, text)
    if error.code == "timeout":
        return CheckResult(name, False, N_("{host} did not respond in time.", host=host))
    return CheckResult(name, False, form_text(error))


def missing_list_results(error: BackendError, host: str, seconds: float) -> list[CheckResult]:
    """Return what it means that the list of models could not be fetched; a last failure ends the test."""
    status, text = status_of(error), ""
    match error.code:
        case "timeout":
            text = N_("{host} did not respond within {seconds} seconds.", host=host, seconds=f"{seconds:g}")
        case "not_the_api":
            text = N_(
                "{address} returned a web page, not an API response. Check {url_setting}: it usually ends "
                "in /v1.",
                address=host,
                url_setting=N_("the address"),
            )
        case "interrupted":
            text = N_("{host} closed the connection without a response.", host=host)
        case _ if status == 0 or status >= 500:
            text = form_text(error)
    if text:
        return [CheckResult("Server", False, text)]
    reached = CheckResult("Server", True, N_("{host} responds.", host=host))
    if status in NO_SUCH_ENDPOINT:
        return [reached, CheckResult("Model", None, N_("The server does not list its models."))]
    return [reached, error_result("Key" if status == 403 else "Model", error, host)]


def model_result(model: str, listed: list[ListedModel]) -> CheckResult:
    """Return whether the server lists the model, with the model's warning if it has one."""
    match = next((entry for entry in listed if entry.id == model), None)
    if match is None:
        text = N_("{model} is not in the server's list of models, but may still work.", model=model)
        return CheckResult("Model", None, text)
    if match.warning:
        return CheckResult("Model", None, match.warning)
    return CheckResult("Model", True, N_("The model {model} is available.", model=model))
