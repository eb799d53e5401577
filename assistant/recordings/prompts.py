"""What each request of a thread has in common with the one before: a server's cache reads no further than that.

A prompt is compared as text: the options that it is only found with, then the tools, the instructions and the items of
the conversation, each on a line of its own.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from assistant.json_values import Json, get, objects, text
from assistant.recordings.recording import Exchange, Recording
from assistant.recordings.requests import protocol_of_request

Section = Literal[
    "model", "service_tier", "effort", "verbosity", "format", "tools", "instructions", "conversation"
]

CHARS_BEFORE, CHARS_AFTER = 20, 36
"""Characters before and after the first difference that an excerpt has."""

_OPTIONS: tuple[Section, ...] = ("model", "service_tier", "effort", "verbosity", "format")


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of a prompt from the one before.

    ``section`` is where it is; ``same_bytes`` counts what both begin with, in UTF-8 and without the options. The
    excerpts begin with the same ``same_chars`` characters.
    """

    section: Section
    same_bytes: int
    before: str
    after: str
    same_chars: int


@dataclass(frozen=True, slots=True)
class PromptUse:
    """A request for an answer, and how its prompt continues the one before.

    ``exchange`` is its number in the recording. ``is_first`` tells that no request came before. ``difference`` is None
    if the prompt before is the beginning of this one; ``same_bytes`` is that prompt's length then.
    ``diagnostics`` are the server's own, as they came; {} if there are none.
    """

    exchange: int
    is_first: bool
    same_bytes: int
    difference: Difference | None
    diagnostics: Json


@dataclass(slots=True)
class _Prompt:
    conversation: str = ""
    options: list[tuple[Section, str]] = field(default_factory=list)
    head: list[tuple[Section, str]] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)

    def lines(self) -> list[tuple[Section, str]]:
        return [*self.options, *self.head, *(("conversation", item) for item in self.items)]


def prompts_of(recordings: Sequence[Recording]) -> list[PromptUse]:
    """Return the requests for answers in the last of a thread's recordings, oldest first."""
    found: list[PromptUse] = []
    before: _Prompt | None = None
    for recording in recordings:
        found = []
        for exchange in recording.exchanges():
            body = exchange.request.body
            if protocol_of_request(exchange.request) not in ("responses", "chat") or not isinstance(
                body, dict
            ):
                continue
            if exchange.response is not None and exchange.response.status >= 400:
                continue  # it was refused, so nothing of it was read
            prompt = _prompt(body, before)
            found.append(_compare(exchange, prompt, before))
            prompt.output = [_line(item) for item in objects(get(_response(exchange), "output"))]
            before = prompt
    return found


def _compare(exchange: Exchange, prompt: _Prompt, before: _Prompt | None) -> PromptUse:
    diagnostics = get(_response(exchange), "prompt_cache_diagnostics")
    found = diagnostics if isinstance(diagnostics, dict) else {}
    if before is None:
        return PromptUse(exchange.number, True, 0, None, found)
    difference = _difference(before.lines(), prompt.lines())
    size = sum(
        len(line.encode("utf-8", "replace")) + 1
        for section, line in before.lines()
        if section not in _OPTIONS
    )
    return PromptUse(exchange.number, False, difference.same_bytes if difference else size, difference, found)


def _difference(
    before: Iterable[tuple[Section, str]], after: Iterable[tuple[Section, str]]
) -> Difference | None:
    same = 0
    others = iter(after)
    for section, line in before:
        here, other = next(others, (section, ""))
        if (here, other) == (section, line):
            same += 0 if section in _OPTIONS else len(line.encode("utf-8", "replace")) + 1
            continue
        if here != section:  # a line more, or one less
            other, line = (other, "") if _comes_first(here, section) else ("", line)
            section = here if not line else section
        chars = _same_chars(line, other)
        start = max(0, chars - CHARS_BEFORE)
        end = chars + CHARS_AFTER
        same += 0 if section in _OPTIONS else len(line[:chars].encode("utf-8", "replace"))
        return Difference(
            section, 0 if section in _OPTIONS else same, line[start:end], other[start:end], chars - start
        )
    return None


def _same_chars(one: str, other: str) -> int:
    """Return how many characters two texts begin with, by halving: a loop is slow for a megabyte."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _comes_first(one: Section, other: Section) -> bool:
    order = [*_OPTIONS, "tools", "instructions", "conversation"]
    return order.index(one) < order.index(other)


def _prompt(body: Json, before: _Prompt | None) -> _Prompt:
    """Return the prompt of a request; the server itself adds what its conversation has so far."""
    reasoning, text_options = get(body, "reasoning"), get(body, "text")
    options: dict[Section, Any] = {
        "model": body.get("model"),
        "service_tier": body.get("service_tier"),
        "effort": get(reasoning, "effort") or body.get("reasoning_effort"),
        "verbosity": get(text_options, "verbosity") or body.get("verbosity"),
        "format": get(text_options, "format") or body.get("response_format"),
    }
    conversation = body.get("conversation")
    prompt = _Prompt(text(get(conversation, "id")) or text(conversation))
    prompt.options = [(section, _line(value)) for section, value in options.items()]
    prompt.head = [("tools", _line(tool)) for tool in objects(body.get("tools"))]
    if body.get("instructions"):
        prompt.head.append(("instructions", text(body["instructions"])))
    items = body.get("messages") or body.get("input")
    prompt.items = [_line(items)] if isinstance(items, str) else [_line(item) for item in objects(items)]
    if prompt.conversation and before is not None and before.conversation == prompt.conversation:
        prompt.items = [*before.items, *before.output, *prompt.items]
    return prompt


def _response(exchange: Exchange) -> Any:
    """Return the response object as it ended; None where there is none."""
    if exchange.body is not None:
        return exchange.body.body
    ended = (
        get(event.data, "response")
        for event in reversed(exchange.events)
        if text(get(event.data, "type")) in ("response.completed", "response.incomplete")
    )
    return next(ended, None)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
