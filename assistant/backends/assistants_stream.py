"""Reads the events of one streamed run, as they come off the wire, into events of ours.

Not here: requests and threads (``assistants.py``). Pure: names and dictionaries in, events out.

The one rule: nothing a server may send can raise anything but our own errors; so each field is looked for and
none is relied on (the names of the events: ``openai.types.beta.AssistantStreamEvent``).
"""

import json
import keyword
import re
from collections.abc import Container, Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import Incomplete
from ..events import (
    Event,
    Note,
    RefusalDelta,
    RoundEnded,
    StopReason,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from .responses_stream import NoEnding, StreamError

Json = dict[str, Any]


class Ended(Exception):
    """The run was ended at the server before its answer was whole: ``expired`` or ``cancelled``."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class Answer:
    """What is known of a run so far."""

    missing: list[str]  # functions that the person was told to be missing; grows
    run: str = ""  # its id
    newest: str = ""  # the id of the last message it wrote
    calls: list[ToolCall] = field(default_factory=list)  # what it waits for, once it has ended its round
    spoke: bool = False  # whether anything of it was said
    ended: bool = False  # whether it goes on no more by itself


def read(
    events: Iterable[tuple[str, Json]], answer: Answer, toolbox: Container[str]
) -> Generator[Event, None, None]:
    """Say a run's events as events of ours, until its round has ended; ``answer`` learns of it.

    Raises:
        StreamError: The server said ``error`` or that the run failed.
        Incomplete: The run reached a limit.
        Ended: The run expired or was cancelled.
        NoEnding: The events ran out.
    """
    reader = _Reader(answer, toolbox)
    for name, data in events:
        yield from reader.take(name or _name(data), data)
        if answer.ended:
            return
    raise NoEnding


class _Reader:
    """What has been seen of one run so far."""

    def __init__(self, answer: Answer, toolbox: Container[str]) -> None:
        self._answer = answer
        self._toolbox = toolbox
        self._block: object = None  # which text block the last text belonged to
        self._spoken: set[str] = set()  # the messages of which something was said
        self._drafts: dict[object, tuple[str, str]] = {}  # place -> (call id, name), being written
        self._halves: dict[object, str] = {}  # block -> a character's first half, which ended its text
        self._filtered = False

    def take(self, name: str, data: Json) -> Generator[Event, None, None]:
        match name.removeprefix("thread."):
            case "message.created" | "message.in_progress":
                self._answer.newest = _text(data, "id") or self._answer.newest
            case "message.delta":
                yield from self._say(data, _list(_object(data, "delta"), "content"))
            case "message.completed" | "message.incomplete":
                self._filtered |= _text(_object(data, "incomplete_details"), "reason") == "content_filter"
                if _text(data, "id") not in self._spoken:
                    whole = data.get("content")
                    text = [{"text": {"value": whole}}] if isinstance(whole, str) else []
                    yield from self._say(data, text or _list(data, "content"))
            case "run.step.delta":
                details = _object(_object(data, "delta"), "step_details")
                for position, call in enumerate(_list(details, "tool_calls")):
                    yield from self._draft((_text(data, "id"), _text(call, "index") or str(position)), call)
            case "run.created" | "run.queued" | "run.in_progress":
                self._answer.run = _text(data, "id") or self._answer.run
                yield from self._miss(_list(data, "tools"))
            case "run.requires_action" | "run.completed" as kind:
                yield from self._end(kind == "run.requires_action", data)
            case "run.incomplete" | "run.failed" | "run.expired" | "run.cancelled" as kind:
                self._answer.ended = True
                raise self._broken(kind, data)
            case "error":
                error = _object(data, "error") or data
                raise StreamError(_text(error, "code"), _text(error, "message"))

    def _say(self, message: Json, content: list[Json]) -> Generator[Event, None, None]:
        own_id = _text(message, "id")
        self._answer.newest = own_id or self._answer.newest
        for position, part in enumerate(content):
            text, refusal = _object(part, "text").get("value"), part.get("refusal")
            block = (own_id, _text(part, "index") or str(position))
            words = self._whole_characters(block, refusal if text is None else text)
            if not words:
                continue
            if self._block not in (None, block):
                yield TextBreak()
            self._block = block
            self._spoken.add(own_id)
            self._answer.spoke = True
            yield TextDelta(words) if text is not None else RefusalDelta(words)

    def _whole_characters(self, place: object, text: object) -> str:
        """What can be shown of a text: half a character at its end waits for the other half."""
        if not isinstance(text, str):
            return ""
        text = self._halves.pop(place, "") + text
        if "\ud800" <= text[-1:] <= "\udbff":
            self._halves[place], text = text[-1], text[:-1]
        return _sendable(text)

    def _draft(self, place: object, call: Json) -> Generator[Event, None, None]:
        if call.get("type", "function") != "function":
            return
        function = _object(call, "function")
        if (call_id := _text(call, "id")) and place not in self._drafts:
            self._drafts[place] = (call_id, _text(function, "name"))
        text = self._whole_characters(place, function.get("arguments"))
        if place in self._drafts and (call_id or text):
            self._answer.spoke = True
            yield ToolCallDelta(*self._drafts[place], text)

    def _miss(self, tools: list[Json]) -> Generator[Event, None, None]:
        """Tell the person, once, of each function that these tools name and that is not here."""
        for each in tools:
            name = _text(_object(each, "function"), "name")
            if name and name not in self._toolbox and name not in self._answer.missing:
                yield missing(name)
                self._answer.missing.append(name)

    def _end(self, wants_outputs: bool, run: Json) -> Generator[Event, None, None]:
        self._answer.run = _text(run, "id") or self._answer.run
        if wants_outputs:
            yield from self._miss(asked_of(run))
            calls = calls_of(run)
            if not calls:
                raise StreamError("", "The run waits for functions that it does not name.")
            for call in calls:
                self._answer.calls.append(call)
                self._answer.spoke = True
                yield call
        yield RoundEnded(_text(run, "model"), _usage(_object(run, "usage")))
        self._answer.ended = True

    def _broken(self, kind: str, run: Json) -> Exception:
        if kind == "run.failed":
            error = _object(run, "last_error")
            return StreamError(_text(error, "code"), _text(error, "message"))
        if kind == "run.incomplete":
            reason = _text(_object(run, "incomplete_details"), "reason")
            return _incomplete("content_filter" if self._filtered else reason)
        return Ended(kind.removeprefix("run."))


def asked_of(run: Json) -> list[Json]:
    """The calls that a run waits for, as the server wrote them."""
    action = _object(run, "required_action")
    return _list(_object(action, "submit_tool_outputs"), "tool_calls")


def calls_of(run: Json) -> list[ToolCall]:
    """The calls that a run waits for."""
    calls: dict[str, ToolCall] = {}
    for each in asked_of(run):
        function, call_id = _object(each, "function"), _text(each, "id")
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
        if call_id:  # without it, no output can be given
            calls.setdefault(call_id, ToolCall(call_id, _text(function, "name"), _sendable(arguments)))
    return list(calls.values())


def missing(name: str) -> Note:
    """The remark about a function that the assistant has and this application has not."""
    shown = re.sub(r"[^\w.-]+", "_", name)[:64]
    file = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()[:64] or "new_function"
    if file[0].isdigit() or keyword.iskeyword(file):
        file = f"call_{file}"
    return Note(
        f"The assistant may call `{shown}`, which is not here. Write it in assistant/functions/{file}.py."
    )


def _incomplete(reason: str) -> Incomplete:
    kind: StopReason = "unknown"
    text = f"The server ended the answer early ({reason or 'it did not say why'})."
    if reason == "max_completion_tokens":
        kind, text = "max_output_tokens", "The answer was cut off: it reached the limit of output tokens."
    elif reason == "max_prompt_tokens":
        text = "The answer was cut off: the conversation reached the limit of tokens that a run may read."
    elif reason == "content_filter":
        kind, text = "content_filter", "The answer was cut off by the server's content filter."
    return Incomplete(text, reason=kind)


def _usage(usage: Json) -> Usage | None:
    if not usage:
        return None
    return Usage(
        input=_count(usage, "prompt_tokens"),
        cached=_count(_object(usage, "prompt_token_details"), "cached_tokens"),
        output=_count(usage, "completion_tokens"),
        reasoning=_count(_object(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def _name(data: Json) -> str:
    """What an event would be called that came without a name, by the object it brings."""
    kind, status = _text(data, "object"), _text(data, "status")
    return kind if kind.endswith(".delta") or not status else f"{kind}.{status}"


def _sendable(text: str) -> str:
    """The text with halves of characters put together, or replaced where one is alone."""
    return (
        text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    )


def _object(holder: Json, name: str) -> Json:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _list(holder: Json, name: str) -> list[Json]:
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(holder: Json, name: str) -> str:
    value = holder.get(name)
    return _sendable(str(value)) if isinstance(value, str | int | float) else ""


def _count(holder: Json, name: str) -> int:
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
