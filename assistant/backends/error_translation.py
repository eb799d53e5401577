"""Translate what the SDK, the network and a server report into the errors of ``assistant.errors``.

No exception of the SDK or of the network leaves ``backends/``, and no error's text contains the key.
"""

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx2
import openai
from openai import OpenAI

from assistant.backends.client import address, host
from assistant.backends.stream_errors import (
    NO_SUCH_ENDPOINT,
    MissingFinalEvent,
    StreamError,
    UnknownEndpoint,
    status_of,
)
from assistant.errors import BackendError, Interrupted, RequestRefused, ServerFailed, UnknownThread
from assistant.events import ServerError
from assistant.locale import N_, N_plural, Sentence
from assistant.recordings.redaction import secrets_of
from assistant.transports.sse import events
from assistant.transports.websocket import NO_WEBSOCKET


@contextmanager
def translate_errors(client: OpenAI) -> Iterator[None]:
    """Turn every exception of the SDK and the network within this block into a ``BackendError``."""
    try:
        yield
    except openai.APIStatusError as error:
        raise _status_error(error, client) from error
    except openai.APITimeoutError as error:
        raise timeout_error(client) from error
    except openai.APIConnectionError as error:
        raise _connection_error(error, client) from error
    except openai.APIError as error:  # an error in the middle of a stream
        raise error_for_code(_code(error), error.message, client) from error
    except openai.OpenAIError as error:
        text = N_("The request could not be sent: {message}", message=safe_text(str(error), client))
        raise ServerFailed(text, code="client") from error
    except httpx2.TimeoutException as error:
        raise timeout_error(client) from error
    except httpx2.HTTPError as error:
        raise _interrupted(client) from error
    except (ValueError, RecursionError) as error:  # invalid JSON, or nested too deeply
        text = N_(
            "{host} sent something that is not JSON. Try again, or check {url_setting}.",
            host=host(client),
            url_setting="OPENAI_BASE_URL",
        )
        raise ServerFailed(text, code="not_json", retry=True) from error


@contextmanager
def require_final_event(client: OpenAI) -> Iterator[None]:
    """Turn a stream that does not end well within this block into a ``BackendError``."""
    try:
        yield
    except StreamError as error:
        raise error_for_code(error.code, error, client) from error
    except MissingFinalEvent as error:
        raise unfinished_error(client) from error


@contextmanager
def translate_lookup_errors(client: OpenAI) -> Iterator[None]:
    """Like ``translate_errors``; what a server answers for an unknown id becomes ``UnknownThread``."""
    try:
        with translate_errors(client):
            yield
    except BackendError as error:
        if status_of(error) not in _NO_SUCH_THREAD and error.code != "not_json":
            raise
        text = N_("{host} has no thread with this id.", host=host(client))
        raise UnknownThread(text, code="unknown_thread") from error.__cause__


def is_missing_endpoint(error: BackendError) -> bool:
    """Return whether the server does not have the endpoint, as far as its response tells."""
    is_response = isinstance(error.__cause__, openai.APIStatusError | UnknownEndpoint)
    return is_response and status_of(error) in NO_SUCH_ENDPOINT and error.code != "model_not_found"


_NO_SUCH_THREAD = (*NO_SUCH_ENDPOINT, 400, 410, 422)


def refuse_web_page(response: httpx2.Response, client: OpenAI) -> None:
    """Raise ``ServerFailed`` if a response is a web page."""
    if "text/html" in response.headers.get("content-type", ""):
        raise wrong_api_error(client, response.status_code)


MAX_MESSAGE_CHARS = 300  # maximum length of a server's message within an error

MAX_DETAIL_CHARS = 2_000
"""Maximum length of a server's message in the details of an error."""


def safe_text(text: object, client: OpenAI, max_chars: int = MAX_MESSAGE_CHARS) -> str:
    """Return a server's message on one line of limited length, without the key and other secrets."""
    line = " ".join(str(text).split())
    secrets = secrets_of(str(client.base_url), {"authorization": f"Bearer {client.api_key}"})
    for secret in sorted(secrets, key=len, reverse=True):
        line = line.replace(secret, "…")
    line = re.sub(r"\bsk-[\w*-]{6,}", "sk-…", line)
    return line if len(line) <= max_chars else line[:max_chars] + " …"


@dataclass(frozen=True, slots=True)
class _Meaning:
    """The sentence for an error code. Its parameters are ``host``, ``message`` and the names of settings."""

    text: str
    fault: type[BackendError] = RequestRefused
    retry: bool = False


_KEY = _Meaning(
    N_("{host} does not accept the key. Check {key_setting}: it may be mistyped, expired or revoked.")
)
_QUOTA = _Meaning(
    N_("The account's quota or credit is used up. Add credit or raise the limit in its billing, then retry.")
)
_RATE = _Meaning(N_("Too many requests to {host}. Wait a little and try again."), retry=True)
_MODEL = _Meaning(
    N_("This model is not available to you at {host}. Set {model_setting} to another one. It says: {message}")
)
_LONG = _Meaning(N_("This is too long for the model. Send smaller parts, or start a new chat."))
_BUSY = _Meaning(N_("{host} is overloaded. Try again in a moment. It says: {message}"), ServerFailed, True)
_POLICY = _Meaning(N_("{host} refused this message under its usage policy. Rephrase it. It says: {message}"))
_FAILED = _Meaning(N_("{host} failed. Try again in a moment. It says: {message}"), ServerFailed, True)
_REFUSED = _Meaning(N_("{host} refused the request. It says: {message}"))

_MEANINGS = {
    "invalid_api_key": _KEY,
    "insufficient_quota": _QUOTA,
    "credit_balance_exhausted": _QUOTA,
    "project_spend_limit_exceeded": _QUOTA,
    "organization_spend_limit_exceeded": _QUOTA,
    "organization_usage_limit_exceeded": _QUOTA,
    "rate_limit_exceeded": _RATE,
    "slow_down": _RATE,
    "model_not_found": _MODEL,
    "context_length_exceeded": _LONG,
    "server_error": _FAILED,
    "server_is_overloaded": _BUSY,
    "invalid_prompt": _POLICY,
    "bio_policy": _POLICY,
    "misalignment_policy_violation": _POLICY,
    NO_WEBSOCKET: _Meaning(
        N_(
            "{host} does not open a WebSocket connection. Choose HTTP in the connection settings, or set "
            "{transport_setting} to http."
        )
    ),
    "conversation_locked": _Meaning(
        N_("Another answer is still being written in this conversation."), retry=True
    ),
}
SETTING_NAMES = {
    "key_setting": "OPENAI_API_KEY",
    "url_setting": "OPENAI_BASE_URL",
    "model_setting": "OPENAI_MODEL",
    "transport_setting": "ASSISTANT_RESPONSES_TRANSPORT",
}
_BY_STATUS = {
    401: ("invalid_api_key", _KEY),
    403: (
        "forbidden",
        _Meaning(N_("{host} does not allow this for your account or project. It says: {message}")),
    ),
    404: (
        "not_found",
        _Meaning(
            N_(
                "{host} does not know this address or model. Check {url_setting} (it usually ends in /v1) "
                "and {model_setting}. It says: {message}"
            )
        ),
    ),
    408: ("request_timeout", _FAILED),
    429: ("rate_limit_exceeded", _RATE),
}


def error_for_code(
    code: str,
    message: object,
    client: OpenAI,
    status: int = 0,
    retry_after: float | None = None,
    request_id: str = "",
) -> BackendError:
    """Return the error for a server's error code, or for its HTTP status if the code is unknown.

    In a stream, some servers send the HTTP status as the code.
    """
    if not status and re.fullmatch(r"[45]\d\d", code):
        status = int(code)
    details = ServerError(status, safe_text(message, client, MAX_DETAIL_CHARS), safe_text(request_id, client))
    meaning = _MEANINGS.get(code)
    if meaning is None and _TOO_LONG.search(f"{message} {code}"):
        code, meaning = "context_length_exceeded", _LONG
    if meaning is None and status in _BY_STATUS:
        code, meaning = _BY_STATUS[status]
    if meaning is None and (status >= 500 or status == 0):
        meaning = _FAILED
    meaning = meaning or _REFUSED
    text = Sentence(
        meaning.text,
        {"host": host(client), "message": safe_text(message, client) or N_("nothing"), **SETTING_NAMES},
    )
    if meaning is _RATE and retry_after:
        text = N_plural(
            "Too many requests to {host}. Wait {count} second and try again.",
            "Too many requests to {host}. Wait {count} seconds and try again.",
            math.ceil(retry_after),
            host=host(client),
        )
    return meaning.fault(
        text,
        code=safe_text(code, client) or "unknown",
        retry=meaning.retry,
        retry_after=retry_after,
        details=details,
    )


def _status_error(error: openai.APIStatusError, client: OpenAI) -> BackendError:
    wait = _seconds_to_wait(error.response.headers) or None
    request_id = error.request_id or ""
    return error_for_code(_code(error), _message(error), client, error.status_code, wait, request_id)


def _seconds_to_wait(headers: httpx2.Headers) -> float:
    """Return the wait that a response asks for, in seconds or until a date (RFC 9110); 0 where it asks for none."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with suppress(KeyError, ValueError):
            seconds = float(headers[name]) * factor
            return max(0.0, seconds) if math.isfinite(seconds) else 0.0
    with suppress(KeyError, ValueError, TypeError, OverflowError):
        until = parsedate_to_datetime(headers["retry-after"])
        # The server's own clock, where it says the time: ours may differ.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    return 0.0


def _code(error: openai.APIError) -> str:
    """Return the error's ``code``, or its ``type`` if only that one is known."""
    for name in (error.code, error.type):
        if isinstance(name, str) and name in _MEANINGS:
            return name
    return str(error.code or error.type or "")


_TOO_LONG = re.compile(r"context (length|size|window)|prompt (is )?too long|exceed_context", re.IGNORECASE)
"""How servers without a code for it describe it: vLLM, llama.cpp, Ollama, LM Studio and OpenRouter."""


def _message(error: openai.APIStatusError) -> object:
    """Return the server's message, from whichever field the server uses, or from a body that is plain text."""
    body: Any = error.body
    if isinstance(body, str):
        body = _message_of_event(body)
    if isinstance(body, dict):
        return body.get("message") or body.get("detail") or body.get("error") or error.message
    is_text = isinstance(body, str) and not body.lstrip().startswith("<")  # a web page has no message
    return (body if is_text else "") or error.message


def _message_of_event(body: str) -> object:
    """Return the error in the first event of a body, if it is one: a gateway had begun to stream."""
    if not re.match("(data|event):", body):
        return body
    _, data = next(events([body.encode()]), ("", ""))
    try:
        event = json.loads(data)
    except ValueError:
        return data
    return event.get("error", event) if isinstance(event, dict) else data


def _connection_error(error: openai.APIConnectionError, client: OpenAI) -> BackendError:
    if isinstance(error.__cause__, (httpx2.ConnectError, httpx2.ConnectTimeout)):
        text = N_(
            "{host} cannot be reached. Check that the server is running and the address is correct.",
            host=host(client),
        )
        details = ServerError(message=safe_text(error.__cause__, client, MAX_DETAIL_CHARS))
        return ServerFailed(text, code="unreachable", retry=True, details=details)
    return _interrupted(client)


def unfinished_error(client: OpenAI) -> BackendError:
    """Return the error for an answer without its end."""
    text = N_("{host} stopped in the middle of the answer.", host=host(client))
    return Interrupted(text, code="interrupted", retry=True)


def timeout_error(client: OpenAI) -> BackendError:
    """Return the error for a server that did not answer in time."""
    text = N_("{host} was silent for too long. Try again.", host=host(client))
    return Interrupted(text, code="timeout", retry=True)


def _interrupted(client: OpenAI) -> BackendError:
    text = N_("The connection to {host} was lost in the middle of the answer.", host=host(client))
    return Interrupted(text, code="interrupted", retry=True)


def validate_id(thread_id: str) -> None:
    """Check an id from an address that anyone may type, before it becomes a part of a request's path.

    Raises:
        UnknownThread: It cannot be an id.
    """
    if not 0 < len(thread_id) <= 512 or not thread_id.isprintable() or thread_id.strip(".") == "":
        raise UnknownThread(N_("This is not the id of a thread."), code="unknown_thread")


def wrong_api_error(client: OpenAI, status: int = 0) -> BackendError:
    """Return the error for an address where something other than the API answers."""
    text = N_(
        "{address} returned a web page, not an API response. Check {url_setting}: it usually ends in /v1.",
        address=address(client),
        url_setting="OPENAI_BASE_URL",
    )
    return ServerFailed(text, code="not_the_api", details=ServerError(status) if status else None)
