"""Test a connection step by step: the results of the Test button.

The test ends in bounded time and raises nothing, whatever the server does.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal

from openai import OpenAI

from assistant.backends.client import host
from assistant.backends.connection.deadline import call_with_deadline
from assistant.backends.connection.model_list import LOOKUP_SECONDS, fetch_models
from assistant.backends.connection.models import reasoning_efforts
from assistant.backends.connection.override import display_host
from assistant.backends.connection.probes import (
    CALL_PROMPT,
    HELLO_PROMPT,
    PING,
    ProbeReply,
    probe_chat_completions,
    probe_conversations,
    probe_responses,
)
from assistant.backends.connection.results import (
    CheckResult,
    error_result,
    missing_list_results,
    model_result,
)
from assistant.backends.error_translation import is_missing_endpoint
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT, status_of
from assistant.errors import BackendError
from assistant.locale import N_

ANSWER_SECONDS = 60.0  # deadline for a short answer: a local server may have to load the model first

Api = Literal["responses", "chat"]
_API_NAMES = {"responses": N_("the Responses API"), "chat": "Chat Completions"}
_PROBES: dict[Api, Callable[..., ProbeReply]] = {"responses": probe_responses, "chat": probe_chat_completions}


def check_connection(
    client: OpenAI,
    model: str,
    protocol: Literal["auto", "responses", "chat"] = "auto",
    effort: str = "",
    seconds: float = ANSWER_SECONDS,
) -> Iterator[CheckResult]:
    """Yield each result as soon as it is known, up to the first that makes further checks pointless.

    ``auto`` falls back to Chat Completions where there is no Responses API. ``seconds`` limits each answer.
    """
    server, lookup_seconds = _display_name(client), min(LOOKUP_SECONDS, seconds)
    try:
        models = fetch_models(client, lookup_seconds)
    except BackendError as error:
        results = missing_list_results(error, server, lookup_seconds)
        yield from results
        if results[-1].ok is False:
            return
    else:
        yield CheckResult("Server", True, N_("{host} responds.", host=server))
        has_key = client.api_key not in ("none", "demo")
        yield CheckResult("Key", True, N_("The key is accepted.") if has_key else N_("No key is required."))
        yield model_result(model, models)
    try:
        api, reply = _first_reply(client, model, protocol, effort, seconds)
    except BackendError as error:
        yield error_result("Streaming", error, server, model)
        return
    yield _streaming_result(api, reply)
    yield _check_functions(client, model, api, seconds)
    if api == "responses":
        yield _check_conversations(client, lookup_seconds)


def _first_reply(
    client: OpenAI, model: str, protocol: str, effort: str, seconds: float
) -> tuple[Api, ProbeReply]:
    """Return a short answer and the API that it came over."""
    options: dict[str, Any] = {"model": model, "effort": effort, "prompt": HELLO_PROMPT}
    if protocol != "chat":
        try:
            return "responses", call_with_deadline(seconds, client, partial(probe_responses, **options))
        except BackendError as error:
            if protocol == "responses" or not is_missing_endpoint(error):
                raise
    return "chat", call_with_deadline(seconds, client, partial(probe_chat_completions, **options))


def _streaming_result(api: Api, reply: ProbeReply) -> CheckResult:
    if reply.streamed:
        return CheckResult("Streaming", True, N_("Answers stream over {api}.", api=_API_NAMES[api]))
    text = N_("The server answers over {api}, but does not stream.", api=_API_NAMES[api])
    return CheckResult("Streaming", None, text)


def _check_functions(client: OpenAI, model: str, api: Api, seconds: float) -> CheckResult:
    lowest = next(iter(reasoning_efforts(model)), "")  # reasoning must not use up the few tokens
    probe = partial(_PROBES[api], model=model, effort=lowest, prompt=CALL_PROMPT, ping=True)
    try:
        reply = call_with_deadline(seconds, client, probe)
    except BackendError as error:
        return error_result("Functions", error, _display_name(client), model)
    if any(call.name == PING["name"] for call in reply.calls):
        return CheckResult("Functions", True, N_("The model calls functions."))
    return CheckResult("Functions", None, N_("The model did not call the test function this time."))


def _check_conversations(client: OpenAI, seconds: float) -> CheckResult:
    try:
        call_with_deadline(seconds, client, probe_conversations)
    except BackendError as error:
        if status_of(error) not in NO_SUCH_ENDPOINT:
            return error_result("Conversations", error, _display_name(client))
        text = N_("The server does not store conversations; every request sends the whole history.")
        return CheckResult("Conversations", None, text)
    return CheckResult("Conversations", True, N_("The server stores conversations."))


def _display_name(client: OpenAI) -> str:
    return N_("The built-in demo") if host(client) == "demo.invalid" else display_host(str(client.base_url))
