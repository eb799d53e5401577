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

from assistant.backends.json_access import Pieces, count_at, object_at, objects_at, text_at, whole
from assistant.backends.stream_errors import NoEnding, StreamError, at_token_limit, filtered
from assistant.errors import Incomplete
from assistant.events import (
    Event,
    Note,
    RefusalDelta,
    RoundEnded,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from assistant.locale import N_

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
        self._pieces = Pieces()
        self._filtered = False

    def take(self, name: str, data: Json) -> Generator[Event, None, None]:
        match name.removeprefix("thread."):
            case "message.created" | "message.in_progress":
                self._answer.newest = text_at(data, "id") or self._answer.newest
            case "message.delta":
                yield from self._say(data, objects_at(object_at(data, "delta"), "content"))
            case "message.completed" | "message.incomplete":
                self._filtered |= text_at(object_at(data, "incomplete_details"), "reason") == "content_filter"
                if text_at(data, "id") not in self._spoken:
                    whole = data.get("content")
                    text = [{"text": {"value": whole}}] if isinstance(whole, str) else []
                    yield from self._say(data, text or objects_at(data, "content"))
            case "run.step.delta":
                details = object_at(object_at(data, "delta"), "step_details")
                for position, call in enumerate(objects_at(details, "tool_calls")):
                    yield from self._draft(
                        (text_at(data, "id"), text_at(call, "index") or str(position)), call
                    )
            case "run.created" | "run.queued" | "run.in_progress":
                self._answer.run = text_at(data, "id") or self._answer.run
                yield from self._miss(objects_at(data, "tools"))
            case "run.requires_action" | "run.completed" as kind:
                yield from self._end(kind == "run.requires_action", data)
            case "run.incomplete" | "run.failed" | "run.expired" | "run.cancelled" as kind:
                self._answer.ended = True
                raise self._broken(kind, data)
            case "error":
                error = object_at(data, "error") or data
                raise StreamError(text_at(error, "code"), text_at(error, "message"))

    def _say(self, message: Json, content: list[Json]) -> Generator[Event, None, None]:
        own_id = text_at(message, "id")
        self._answer.newest = own_id or self._answer.newest
        for position, part in enumerate(content):
            text, refusal = object_at(part, "text").get("value"), part.get("refusal")
            block = (own_id, text_at(part, "index") or str(position))
            words = self._pieces.take(block, refusal if text is None else text)
            if not words:
                continue
            if self._block not in (None, block):
                yield TextBreak()
            self._block = block
            self._spoken.add(own_id)
            self._answer.spoke = True
            yield TextDelta(words) if text is not None else RefusalDelta(words)

    def _draft(self, place: object, call: Json) -> Generator[Event, None, None]:
        if call.get("type", "function") != "function":
            return
        function = object_at(call, "function")
        if (call_id := text_at(call, "id")) and place not in self._drafts:
            self._drafts[place] = (call_id, text_at(function, "name"))
        text = self._pieces.take(place, function.get("arguments"))
        if place in self._drafts and (call_id or text):
            self._answer.spoke = True
            yield ToolCallDelta(*self._drafts[place], text)

    def _miss(self, tools: list[Json]) -> Generator[Event, None, None]:
        """Tell the person, once, of each function that these tools name and that is not here."""
        for each in tools:
            name = text_at(object_at(each, "function"), "name")
            if name and name not in self._toolbox and name not in self._answer.missing:
                yield missing(name)
                self._answer.missing.append(name)

    def _end(self, wants_outputs: bool, run: Json) -> Generator[Event, None, None]:
        self._answer.run = text_at(run, "id") or self._answer.run
        if wants_outputs:
            yield from self._miss(asked_of(run))
            calls = calls_of(run)
            if not calls:
                raise StreamError("", "The run waits for functions that it does not name.")
            for call in calls:
                self._answer.calls.append(call)
                self._answer.spoke = True
                yield call
        yield RoundEnded(text_at(run, "model"), _usage(object_at(run, "usage")))
        self._answer.ended = True

    def _broken(self, kind: str, run: Json) -> Exception:
        if kind == "run.failed":
            error = object_at(run, "last_error")
            return StreamError(text_at(error, "code"), text_at(error, "message"))
        if kind == "run.incomplete":
            reason = text_at(object_at(run, "incomplete_details"), "reason")
            return _incomplete("content_filter" if self._filtered else reason)
        return Ended(kind.removeprefix("run."))


def asked_of(run: Json) -> list[Json]:
    """The calls that a run waits for, as the server wrote them."""
    action = object_at(run, "required_action")
    return objects_at(object_at(action, "submit_tool_outputs"), "tool_calls")


def calls_of(run: Json) -> list[ToolCall]:
    """The calls that a run waits for."""
    calls: dict[str, ToolCall] = {}
    for each in asked_of(run):
        function, call_id = object_at(each, "function"), text_at(each, "id")
        arguments = function.get("arguments")
        if not isinstance(arguments, str):
            arguments = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
        if call_id:  # without it, no output can be given
            calls.setdefault(call_id, ToolCall(call_id, text_at(function, "name"), whole(arguments)))
    return list(calls.values())


def missing(name: str) -> Note:
    """The remark about a function that the assistant has and this application has not."""
    shown = re.sub(r"[^\w.-]+", "_", name)[:64]
    file = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()[:64] or "new_function"
    if file[0].isdigit() or keyword.iskeyword(file):
        file = f"call_{file}"
    return Note(
        N_(
            "The assistant may call `{shown}`, which is not here. Write it in assistant/functions/{file}.py.",
            shown=shown,
            file=file,
        )
    )


def _incomplete(reason: str) -> Incomplete:
    if reason == "max_completion_tokens":
        return at_token_limit()
    if reason == "content_filter":
        return filtered()
    text = N_("The server ended the answer early ({reason}).", reason=reason or N_("it did not say why"))
    if reason == "max_prompt_tokens":
        text = N_("The answer was cut off: the conversation reached the limit of tokens that a run may read.")
    return Incomplete(text, reason="unknown")


def _usage(usage: Json) -> Usage | None:
    if not usage:
        return None
    return Usage(
        input=count_at(usage, "prompt_tokens"),
        cached=count_at(object_at(usage, "prompt_token_details"), "cached_tokens"),
        output=count_at(usage, "completion_tokens"),
        reasoning=count_at(object_at(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def _name(data: Json) -> str:
    """What an event would be called that came without a name, by the object it brings."""
    kind, status = text_at(data, "object"), text_at(data, "status")
    return kind if kind.endswith(".delta") or not status else f"{kind}.{status}"
