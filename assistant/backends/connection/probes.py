"""Small requests that show what a server can do: a short answer, a function call, a conversation."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from openai import OpenAI

from assistant.backends.body import read_body
from assistant.backends.chat_completions import stream as chat_stream
from assistant.backends.client import host
from assistant.backends.error_translation import (
    error_for_code,
    refuse_web_page,
    translate_errors,
)
from assistant.backends.responses import stream as responses_stream
from assistant.backends.responses.api import ResponsesApi
from assistant.backends.stream_errors import MissingFinalEvent, StreamError
from assistant.errors import BackendError, Incomplete, Interrupted, RequestRefused
from assistant.events import Event, ToolCall
from assistant.locale import N_

T = TypeVar("T")

MAX_OUTPUT_TOKENS = 64
HELLO_PROMPT = "Say hello, in one word."
CALL_PROMPT = "Call the function `ping` now, and say nothing else.\nping()"
PING = {
    "name": "ping",
    "description": "Tell that you can call functions.",
    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
}


@dataclass(frozen=True, slots=True)
class ProbeReply:
    """A short answer: its function calls, and whether it was streamed."""

    calls: list[ToolCall] = field(default_factory=list)
    streamed: bool = True


def probe_responses(
    client: OpenAI, *, model: str, effort: str, prompt: str, ping: bool = False
) -> ProbeReply:
    """Return a short answer over the Responses API; ``ping`` offers the function ``ping``."""
    body: dict[str, Any] = {
        "model": model,
        "input": prompt,
        "stream": True,
        "max_output_tokens": MAX_OUTPUT_TOKENS,
    }
    if effort:
        body["reasoning"] = {"effort": effort}
    if ping:
        body["tools"] = [{"type": "function", "strict": True, **PING}]
    with translate_errors(client), client.responses.with_streaming_response.create(**body) as response:
        refuse_web_page(response.http_response, client)
        streamed, events = read_body(response.http_response)
        wire_events = events if streamed else responses_stream.whole_response(next(events))
        result = _drain(responses_stream.read(wire_events), client)
        return ProbeReply(result.calls if result else [], streamed)


def probe_chat_completions(client: OpenAI, **options: Any) -> ProbeReply:
    """Return a short answer over Chat Completions; the options are those of ``probe_responses``."""
    try:
        return _complete(client, "max_tokens", **options)
    except RequestRefused as refusal:  # OpenAI's newer models only accept the newer name
        if "max_completion_tokens" not in str(refusal):
            raise
        return _complete(client, "max_completion_tokens", **options)


def _complete(
    client: OpenAI, limit: str, *, model: str, effort: str, prompt: str, ping: bool = False
) -> ProbeReply:
    body: dict[str, Any] = {"model": model, "stream": True, limit: MAX_OUTPUT_TOKENS}
    body["messages"] = [{"role": "user", "content": prompt}]
    if effort:
        body["reasoning_effort"] = effort
    if ping:
        body["tools"] = [{"type": "function", "function": PING}]
    create = client.chat.completions.with_streaming_response.create
    with translate_errors(client), create(**body) as response:
        refuse_web_page(response.http_response, client)
        streamed, chunks = read_body(response.http_response)
        return ProbeReply(_drain(chat_stream.read_completion(chunks), client) or [], streamed)


def probe_conversations(client: OpenAI) -> None:
    """Create a conversation and delete it."""
    conversation = ResponsesApi(client, []).create_conversation([])
    with suppress(BackendError), translate_errors(client):
        client.conversations.delete(conversation)


def _drain(events: Generator[Event, None, T], client: OpenAI) -> T | None:
    """Return what a stream returns at its end; None if the token limit ended it."""
    try:
        while True:
            next(events)
    except StopIteration as end:
        return cast("T", end.value)
    except Incomplete:
        return None
    except StreamError as error:
        raise error_for_code(error.code, error, client) from error
    except MissingFinalEvent as error:
        text = N_("{host} ended the stream early.", host=host(client))
        raise Interrupted(text, code="interrupted", retry=True) from error
