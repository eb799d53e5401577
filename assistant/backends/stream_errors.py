"""How a response ends that does not end well, whatever its protocol: its reader raises one of these."""

from assistant.errors import BackendError, Incomplete
from assistant.locale import N_


class StreamError(Exception):
    """The stream itself reported an error; ``error_translation`` turns it into a ``BackendError``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class UnknownEndpoint(StreamError):
    """The server does not have the endpoint, and says so with status 200."""

    def __init__(self, message: str) -> None:
        super().__init__("404", message)


class MissingFinalEvent(Exception):
    """The stream ended without the event that ends a response."""


NO_SUCH_ENDPOINT = (404, 405, 501)  # HTTP statuses of a server that does not have an endpoint


def status_of(error: BackendError) -> int:
    """Return the HTTP status that the server sent, or that an error in its stream has as its code; else 0."""
    return error.details.status if error.details else 0


def incomplete(reason: str) -> Incomplete:
    """Return the error for a response that its server ended early; ``reason`` is the server's."""
    match reason:
        case "max_output_tokens" | "max_completion_tokens" | "length":
            text = N_("The answer was cut off: it reached the limit of output tokens.")
            return Incomplete(text, reason="max_output_tokens")
        case "content_filter":
            text = N_("The answer was cut off by the server's content filter.")
            return Incomplete(text, reason="content_filter")
        case "max_prompt_tokens":
            text = N_("The answer was cut off: the conversation reached the run's limit of input tokens.")
            return Incomplete(text, reason="unknown")
    text = N_("The server ended the answer early ({reason}).", reason=reason or N_("no reason given"))
    return Incomplete(text, reason="unknown")
