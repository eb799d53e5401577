"""What a connection can do, tried out: the findings of the Test button.

Not here: what the streams mean (``responses_stream.py``, ``chat_stream.py``).

The one rule: it ends in bounded time and raises nothing, whatever the server does; every finding is a
sentence that a person understands.
"""

import json
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, cast

from openai import OpenAI, Stream

from assistant.backends.chat_completions import stream as chat_stream
from assistant.backends.client import (
    Request,
    failure,
    host,
    is_streamed,
    not_the_api,
    refuse_page,
    translate_errors,
)
from assistant.backends.connection.choices import Finding, Model, address, efforts, in_words
from assistant.backends.connection.models import LOOK, T, models, within
from assistant.backends.responses import stream as responses_stream
from assistant.backends.stream_errors import NoEnding, StreamError, status_of
from assistant.errors import BackendError, Incomplete, Interrupted, RequestRefused
from assistant.events import Event, ToolCall

ANSWER = 60.0
"""Seconds for a tiny answer: a local server may have to load the model first."""

TOKENS = 64
_ABSENT = (404, 405, 501)
_SPOKEN = {"responses": "the Responses API", "chat": "Chat Completions"}

HELLO = "Say hello, in one word."
CALL = "Call the function `ping` now, and say nothing else.\nping()"
PING = {
    "name": "ping",
    "description": "Tell that you can call functions.",
    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Said:
    """A tiny answer."""

    calls: list[ToolCall] = field(default_factory=list)
    streamed: bool = True


def check(
    client: OpenAI,
    model: str,
    protocol: Literal["auto", "responses", "chat"] = "auto",
    effort: str = "",
    seconds: float = ANSWER,
) -> Iterator[Finding]:
    """Findings about a connection, each as soon as it is known, up to one after which no other makes sense.

    With ``auto``, Chat Completions are tried where the Responses API is not there. ``seconds`` is the longest
    that one answer may take.
    """
    look = min(LOOK, seconds)
    try:
        known = models(client, look)
    except BackendError as error:
        findings = _without_list(error, client, look)
        yield from findings
        if findings[-1].ok is False:
            return
    else:
        yield Finding("Server", True, f"{_name(client)} answers.")
        asked_for = client.api_key not in ("none", "demo")
        yield Finding("Key", True, "The key is accepted." if asked_for else "It asks for no key.")
        yield _listed(model, known)
    try:
        spoken, said = _first_said(client, model, protocol, effort, seconds)
    except BackendError as error:
        yield _refused(error, "Streaming", client, model)
        return
    if said.streamed:
        yield Finding("Streaming", True, f"Its answers stream, over {_SPOKEN[spoken]}.")
    else:
        words = f"It answers over {_SPOKEN[spoken]}, but all at once: nothing streams."
        yield Finding("Streaming", None if spoken == "chat" else False, words)
        if spoken == "responses":
            return
    yield _functions(client, model, spoken, seconds)
    if spoken == "responses":
        yield _conversations(client, look)


def _without_list(error: BackendError, client: OpenAI, seconds: float) -> list[Finding]:
    """What it means that there is no list of models; the last of them is bad where that is the end."""
    name, status = _name(client), status_of(error)
    if error.code == "timeout":
        return [Finding("Server", False, f"{name} did not answer within {seconds:g} seconds.")]
    if error.code == "not_the_api":
        words = f"What answers at {name} is not the API, but something like a web page. "
        return [Finding("Server", False, words + "Check the address: it usually ends in /v1.")]
    if error.code == "interrupted":
        return [Finding("Server", False, f"{name} hung up without an answer.")]
    if status == 0 or status >= 500:
        return [Finding("Server", False, in_words(error))]
    answers = Finding("Server", True, f"{name} answers.")
    if status in _ABSENT:
        return [answers, Finding("Model", None, "It has no list of models, so it is simply asked.")]
    return [answers, _refused(error, "Key" if status == 403 else "Model", client, "")]


def _listed(model: str, known: list[Model]) -> Finding:
    found = next((each for each in known if each.id == model), None)
    if found is None:
        words = f"{model} is not among the models that it lists; it may take it all the same."
        return Finding("Model", None, words)
    if found.warning:
        return Finding("Model", None, found.warning)
    return Finding("Model", True, f"It has the model {model}.")


def _first_said(
    client: OpenAI, model: str, protocol: str, effort: str, seconds: float
) -> tuple[Literal["responses", "chat"], _Said]:
    """A tiny answer, and the protocol that it came over."""
    request: Json = {"model": model, "effort": effort, "words": HELLO}
    if protocol != "chat":
        try:
            return "responses", within(seconds, client, partial(_respond, **request))
        except BackendError as error:
            unknown_model = error.code == "model_not_found"
            if protocol == "responses" or unknown_model or status_of(error) not in _ABSENT:
                raise
    return "chat", within(seconds, client, partial(_complete, **request))


def _functions(client: OpenAI, model: str, spoken: Literal["responses", "chat"], seconds: float) -> Finding:
    lowest = next(iter(efforts(model)), "")  # or thinking takes all of the few tokens
    ask: Callable[..., _Said] = _respond if spoken == "responses" else _complete
    try:
        said = within(seconds, client, partial(ask, model=model, effort=lowest, words=CALL, ping=True))
    except BackendError as error:
        return _refused(error, "Functions", client, model)
    if any(call.name == PING["name"] for call in said.calls):
        return Finding("Functions", True, "The model calls functions.")
    words = "The model was offered a function, but did not call it this time."
    return Finding("Functions", None, words)


def _conversations(client: OpenAI, seconds: float) -> Finding:
    try:
        within(seconds, client, _converse)
    except BackendError as error:
        if status_of(error) not in _ABSENT:
            return _refused(error, "Conversations", client, "")
        words = "It keeps no conversations, so it is told all that was said each time."
        return Finding("Conversations", None, words)
    return Finding("Conversations", True, "It keeps conversations.")


def _converse(client: OpenAI, request: Request) -> None:
    """Begin a conversation and delete it."""
    with translate_errors(client):
        made: Any = client.conversations.create()
    conversation = getattr(made, "id", None)
    if not isinstance(conversation, str) or not conversation:
        raise not_the_api(client)
    with suppress(BackendError), translate_errors(client):
        client.conversations.delete(conversation)


def _respond(
    client: OpenAI, request: Request, *, model: str, effort: str, words: str, ping: bool = False
) -> _Said:
    asked: Json = {"model": model, "input": words, "stream": True, "max_output_tokens": TOKENS}
    if effort:
        asked["reasoning"] = {"effort": effort}
    if ping:
        asked["tools"] = [{"type": "function", "strict": True, **PING}]
    with translate_errors(client), client.responses.with_streaming_response.create(**asked) as response:
        request.answered_by(response.http_response)
        refuse_page(response.http_response, client)
        if not is_streamed(response.http_response):
            return _Said(streamed=False)
        stream = response.parse(to=Stream[object])
        answer = _read(responses_stream.read(stream), client)
        return _Said(answer.calls if answer else [])


def _complete(client: OpenAI, request: Request, **options: Any) -> _Said:
    try:
        return _completed(client, request, "max_tokens", **options)
    except RequestRefused as refusal:  # OpenAI's newer models know the newer name alone, others the older
        if "max_completion_tokens" not in str(refusal):
            raise
        return _completed(client, request, "max_completion_tokens", **options)


def _completed(
    client: OpenAI, request: Request, limit: str, *, model: str, effort: str, words: str, ping: bool = False
) -> _Said:
    asked: Json = {"model": model, "stream": True, limit: TOKENS}
    asked["messages"] = [{"role": "user", "content": words}]
    if effort:
        asked["reasoning_effort"] = effort
    if ping:
        asked["tools"] = [{"type": "function", "function": PING}]
    with (
        translate_errors(client),
        client.chat.completions.with_streaming_response.create(**asked) as response,
    ):
        request.answered_by(response.http_response)
        refuse_page(response.http_response, client)
        streamed = is_streamed(response.http_response)
        chunks = chat_stream.chunks_of(response.iter_bytes()) if streamed else [json.loads(response.read())]
        return _Said(_read(chat_stream.read(chunks), client) or [], streamed)


def _read(reading: Generator[Event, None, T], client: OpenAI) -> T | None:
    """What a stream led to; None where the few tokens were not enough."""
    try:
        while True:
            next(reading)
    except StopIteration as end:
        return cast("T", end.value)
    except Incomplete:
        return None
    except StreamError as error:
        raise failure(error.code, error, client) from error
    except NoEnding as error:
        words = f"{_name(client)} broke its stream off before the end."
        raise Interrupted(words, code="interrupted", retry=True) from error


def _refused(error: BackendError, name: str, client: OpenAI, model: str) -> Finding:
    """A request that did not end well, under what it is about."""
    at = _name(client)
    if error.code == "invalid_api_key" or status_of(error) == 401:
        return Finding("Key", False, f"{at} does not accept the key: it may be mistyped, expired or revoked.")
    if error.code == "model_not_found":
        return Finding("Model", False, f"{at} does not offer the model {model} to you. Choose another one.")
    if error.code == "timeout":
        return Finding(name, False, f"{at} did not answer in time.")
    return Finding(name, False, in_words(error))


def _name(client: OpenAI) -> str:
    """The server, as a person would name it."""
    return "The built-in demo" if host(client) == "demo.invalid" else address(str(client.base_url))
