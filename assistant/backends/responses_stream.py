"""Reads the events of one streamed response, as they come off the wire, into events of a run.

Not here: requests, threads, conversations (``responses.py``). Pure: dictionaries in, events out.

The one rule: nothing a server may send can raise anything but our own errors. Several servers leave out
``item_id``, ``output_index``, whole events or the last one (protocols: §1, §11, §14), so each field is
looked for and none is relied on.
"""

import json
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import Incomplete
from ..events import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    StopReason,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)

Item = dict[str, Any]


class StreamError(Exception):
    """The stream itself reported an error; the backend knows how to put it into words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class NoEnding(Exception):
    """The stream just ended: no ``response.completed``, ``incomplete`` or ``failed`` was seen."""


@dataclass(slots=True)
class Answer:
    """A response that ended well: its items as they came, and the calls among them."""

    items: list[Item] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


def read(events: Iterable[object]) -> Generator[Event, None, Answer]:
    """Say a response's events as events of a run, and return the whole answer.

    Raises:
        StreamError: The server said ``error`` or ``response.failed``.
        Incomplete: The server said ``response.incomplete``.
        NoEnding: The events ran out.
    """
    reader = _Reader()
    for event in events:
        if isinstance(event, dict):
            yield from reader.take(event)
            if reader.ended:
                return reader.answer
    raise NoEnding


class _Reader:
    """What has been seen of one response so far."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.ended = False
        self._block: object = None  # which text block the last text belonged to
        self._spoken: set[object] = set()  # the blocks, and kinds of items, that were shown
        self._drafts: dict[object, tuple[str, str]] = {}  # item -> (call id, name), being written
        self._draft: tuple[str, str] | None = None  # the newest of them

    def take(self, event: Item) -> Generator[Event, None, None]:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._text(event, event.get("delta"))
            case "response.output_text.done" if _block(event) not in self._spoken:
                yield from self._text(event, event.get("text"))
            case "response.refusal.done" if _block(event) not in self._spoken:
                yield from self._text(event, event.get("refusal"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._reasoning(event)
            case "response.output_item.added":
                yield from self._added(event)
            case "response.function_call_arguments.delta":
                draft = self._drafts.get(_item(event), self._draft)
                if draft is not None and isinstance(event.get("delta"), str):
                    yield ToolCallDelta(*draft, event["delta"])
            case "response.output_item.done":
                if isinstance(item := event.get("item"), dict):
                    self._done(item)
            case "response.completed":
                yield from self._completed(_object(event, "response"))
            case "response.incomplete":
                raise _incomplete(_object(event, "response"))
            case "response.failed":
                error = _object(_object(event, "response"), "error")
                raise StreamError(_text(error, "code"), _text(error, "message"))
            case "error":
                error = _object(event, "error") or event
                raise StreamError(_text(error, "code"), _text(error, "message"))

    def _text(self, event: Item, text: object) -> Generator[Event, None, None]:
        if not isinstance(text, str) or not text:
            return
        block = _block(event)
        if self._block is not None and block != self._block:
            yield TextBreak()
        self._block = block
        self._spoken |= {block, "message"}
        refusal = str(event.get("type")).startswith("response.refusal")
        yield RefusalDelta(text) if refusal else TextDelta(text)

    def _reasoning(self, event: Item) -> Generator[Event, None, None]:
        text, block = event.get("delta"), ("reasoning", _item(event), event.get("summary_index"))
        if isinstance(text, str) and text:
            known = block in self._spoken or "reasoning" not in self._spoken
            self._spoken |= {block, "reasoning"}
            yield ReasoningDelta(text if known else "\n\n" + text)

    def _added(self, event: Item) -> Generator[Event, None, None]:
        item = _object(event, "item")
        if item.get("type") == "function_call":
            # Arguments that are here already may come again as deltas: the finished item decides.
            name = _text(item, "name")
            self._draft = (
                _text(item, "call_id") or _text(item, "id") or f"draft_{len(self._drafts)}",
                name,
            )
            for key in (item.get("id"), event.get("output_index"), item.get("call_id")):
                if isinstance(key, str | int):
                    self._drafts[key] = self._draft
            yield ToolCallDelta(*self._draft, "")

    def _done(self, item: Item) -> None:
        identity = item.get("call_id") or item.get("id")
        for known in self.answer.items:
            if identity and identity == (known.get("call_id") or known.get("id")):
                return  # the same item twice
        # A null that came is not always allowed to go back (protocols: §0, rule 4).
        self.answer.items.append({name: value for name, value in item.items() if value is not None})

    def _completed(self, response: Item) -> Generator[Event, None, None]:
        # One source for each kind of item: some servers give other ids here than in the stream, and
        # some put a call or a text nowhere but here.
        streamed = {item.get("type") for item in self.answer.items}
        output = response.get("output")
        for item in output if isinstance(output, list) else []:
            if isinstance(item, dict) and item.get("type") not in streamed:
                self._done(item)
                if item.get("type") == "message" and "message" not in self._spoken:
                    yield from self._whole_message(item)
        for item in self.answer.items:
            if item.get("type") == "function_call":
                call = _call(item, len(self.answer.calls))
                self.answer.calls.append(call)
                yield call
        self.ended = True
        yield RoundEnded(_text(response, "model"), _usage(_object(response, "usage")))

    def _whole_message(self, item: Item) -> Generator[Event, None, None]:
        parts = item.get("content")
        for index, part in enumerate(parts if isinstance(parts, list) else []):
            if isinstance(part, dict):
                kind = "refusal" if part.get("type") == "refusal" else "output_text"
                event = {
                    "type": f"response.{kind}.done",
                    "item_id": item.get("id"),
                    "content_index": index,
                }
                yield from self._text(event, part.get("refusal") or part.get("text"))


def _call(item: Item, index: int) -> ToolCall:
    """The call an item holds; the item is made whole where the server left something out."""
    arguments = item.get("arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
    call_id = item.get("call_id") or item.get("id") or f"call_{index}"
    item["call_id"], item["arguments"] = str(call_id), arguments
    return ToolCall(str(call_id), _text(item, "name"), arguments)


def _incomplete(response: Item) -> Incomplete:
    reason = _text(_object(response, "incomplete_details"), "reason")
    kind: StopReason = "unknown"
    text = f"The server ended the answer early ({reason or 'it did not say why'})."
    if reason in ("max_output_tokens", "length"):
        kind, text = (
            "max_output_tokens",
            "The answer was cut off: it reached the limit of output tokens.",
        )
    elif reason == "content_filter":
        kind, text = "content_filter", "The answer was cut off by the server's content filter."
    return Incomplete(text, reason=kind)


def _usage(usage: Item) -> Usage | None:
    if not usage:
        return None
    return Usage(
        input=_count(usage, "input_tokens"),
        cached=_count(_object(usage, "input_tokens_details"), "cached_tokens"),
        output=_count(usage, "output_tokens"),
        reasoning=_count(_object(usage, "output_tokens_details"), "reasoning_tokens"),
    )


def _item(event: Item) -> object:
    """Which item an event belongs to, by what the server gives."""
    for name in ("item_id", "output_index"):
        if isinstance(event.get(name), str | int):
            return event[name]
    return None


def _block(event: Item) -> object:
    """Which text block an event belongs to."""
    index = event.get("content_index")
    return "text", _item(event), index if isinstance(index, int) else None


def _object(holder: Item, name: str) -> Item:
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def _text(holder: Item, name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else "" if value is None else str(value)


def _count(holder: Item, name: str) -> int:
    value = holder.get(name)
    return value if isinstance(value, int) and value >= 0 else 0
