"""Reads the events of one streamed response, as they come off the wire, into events of a run.

Not here: requests, threads, conversations (``responses.py``). Pure: dictionaries in, events out.

The one rule: nothing a server may send can raise anything but our own errors. Several servers leave out
``item_id``, ``output_index``, whole events or the last one (``test_dialects.py``), so each field is
looked for and none is relied on.
"""

import json
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from assistant.backends.json_access import (
    SurrogateBuffer,
    count_at,
    join_surrogates,
    object_at,
    objects_at,
    text_at,
)
from assistant.backends.responses.hosted import MOST_CITATIONS, HostedReader, approval_of, citation_of
from assistant.backends.stream_errors import (
    MissingFinalEvent,
    StreamError,
    content_filtered,
    token_limit_reached,
)
from assistant.errors import Incomplete
from assistant.events import (
    Citation,
    Event,
    HostedCall,
    HostedDelta,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from assistant.locale import N_
from assistant.messages import Call, Part, Reasoning, Refusal, Text
from assistant.tools.arguments import valid_arguments

Item = dict[str, Any]


def is_last(event: object) -> bool:
    """Whether this event ends its response."""
    return isinstance(event, dict) and event.get("type") in _LAST


_LAST = ("response.completed", "response.done", "response.incomplete", "response.failed", "error")


@dataclass(slots=True)
class CompletedResponse:
    """A response that ended well: its items as they came, and the calls among them."""

    items: list[Item] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)


def read(events: Iterable[object]) -> Generator[Event, None, CompletedResponse]:
    """Say a response's events as events of a run, and return the whole answer.

    Raises:
        StreamError: The server said ``error`` or ``response.failed``.
        Incomplete: The server said ``response.incomplete``.
        MissingFinalEvent: The events ran out.
    """
    reader = _Reader()
    for event in events:
        if isinstance(event, dict):
            yield from reader.take(event)
            if reader.ended:
                return reader.answer
    raise MissingFinalEvent


def skip_shown(
    shown: list[Part], events: Generator[Event, None, CompletedResponse]
) -> Generator[Event, None, CompletedResponse]:
    """Yield a response's events without those of these parts: a response that is followed again begins at its start."""
    known: Counter[object] = Counter()
    for part in shown:
        match part:
            case Text(text):
                known[TextDelta] += len(text)
            case Refusal(text):
                known[RefusalDelta] += len(text)
            case Reasoning(text):
                known[ReasoningDelta] += len(text)
            case Call(call_id, arguments=arguments):
                known[call_id] += len(arguments)
            case HostedCall(call_id, state=state):
                known["hosted", call_id] += state != "running"
            case Citation():
                known[part] = 1
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                response: CompletedResponse = end.value
                return response
            if isinstance(event, TextDelta | RefusalDelta | ReasoningDelta | ToolCallDelta):
                kind = event.call_id if isinstance(event, ToolCallDelta) else type(event)
                old = min(known[kind], len(event.text))
                known[kind] -= old
                if old and old == len(event.text):
                    continue
                event = replace(event, text=event.text[old:])
            elif (
                (isinstance(event, TextBreak) and known[TextDelta])
                or (isinstance(event, HostedCall | HostedDelta) and known["hosted", event.call_id])
                or (isinstance(event, Citation) and known[event])
            ):
                continue
            yield event


class _Reader:
    """What has been seen of one response so far."""

    def __init__(self) -> None:
        self.answer = CompletedResponse()
        self.ended = False
        self._block: object = None  # which text block the last text belonged to
        self._words: list[str] = []  # what was said of that block
        self._spoken: set[object] = set()  # the blocks, items and kinds of items that were shown
        self._drafts: dict[object, tuple[str, str]] = {}  # item -> (call id, name), being written
        self._draft: tuple[str, str] | None = None  # the newest of them
        self._buffer = SurrogateBuffer()
        self._hosted = HostedReader()
        self._cited: set[tuple[object, str, Citation]] = set()

    def take(self, event: Item) -> Generator[Event, None, None]:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._say(event, event.get("delta"))
            case "response.output_text.done":
                yield from self._say_if_new(event, event.get("text"))
            case "response.output_text.annotation.added":
                yield from self._cite(event, [object_at(event, "annotation")])
            case "response.content_part.done":
                yield from self._cite(event, objects_at(object_at(event, "part"), "annotations"))
            case "response.refusal.done":
                yield from self._say_if_new(event, event.get("refusal"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._reasoning(event)
            case "response.output_item.added":
                yield from self._added(event, object_at(event, "item"))
                yield from self._hosted.take(event)
            case "response.function_call_arguments.delta":
                drafts = (self._drafts[place] for place in _places(event) if place in self._drafts)
                draft = next(drafts, self._draft)
                if draft is not None and (text := self._buffer.feed(draft, event.get("delta"))):
                    yield ToolCallDelta(*draft, text)
            case "response.output_item.done":
                item = object_at(event, "item")
                if item and self._keep(item):
                    if item.get("type") == "message":
                        yield from self._message(event, item)
                    yield from self._hosted.take(event)
            case "response.completed" | "response.done" | "response.incomplete" | "response.failed":
                yield from self._end(str(event["type"]), object_at(event, "response"))
            case "error":
                raise _failure(object_at(event, "error") or event)
            case _:
                yield from self._hosted.take(event)

    def _say(self, event: Item, text: object) -> Generator[Event, None, None]:
        block = _block(event)
        if not (words := self._buffer.feed(block, text)):
            return
        if block != self._block:
            if self._block is not None:
                yield TextBreak()
            self._block, self._words = block, []
        self._words.append(words)
        self._spoken |= {block, "message", *(("item", place) for place in _places(event) or [None])}
        refusal = str(event.get("type")).startswith("response.refusal")
        yield RefusalDelta(words) if refusal else TextDelta(words)

    def _say_if_new(self, event: Item, text: object) -> Generator[Event, None, None]:
        """Say a whole text, unless its deltas were said, by whatever name they went."""
        if isinstance(text, str) and _block(event) not in self._spoken and not self._just_said(text):
            yield from self._say(event, text)

    def _cite(self, event: Item, annotations: list[Item]) -> Generator[Event, None, None]:
        """Say the sources of the text that is being said, each once."""
        for annotation in annotations:
            citation = citation_of(annotation, sum(map(len, self._words)))
            if citation is None or self._block != _block(event) or len(self._cited) >= MOST_CITATIONS:
                continue
            # One that came before its words comes again with them, and stands elsewhere then.
            place = repr((annotation.get("index"), annotation.get("end_index")))
            names = {(self._block, "", citation), (self._block, place, replace(citation, at=0))}
            if not names & self._cited:
                yield citation
            self._cited |= names

    def _just_said(self, text: str) -> bool:
        return join_surrogates(text) == "".join(self._words)

    def _message(self, event: Item, item: Item) -> Generator[Event, None, None]:
        """Say a finished message, unless something of it was said already."""
        content = item.get("content")
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        texts = [text_at(part, "refusal") or text_at(part, "text") for part in parts]
        place = {"item_id": item.get("id"), "output_index": event.get("output_index")}
        known = {("item", each) for each in (*_places(place), None)}
        if known & self._spoken or self._just_said("".join(texts)):
            for part in parts[-1:]:
                last = {"content_index": len(parts) - 1, **place}
                yield from self._cite(last, objects_at(part, "annotations"))
            return
        for index, (part, text) in enumerate(zip(parts, texts, strict=True)):
            kind = "refusal" if part.get("type") == "refusal" else "output_text"
            whole = {"type": f"response.{kind}.done", "content_index": index, **place}
            yield from self._say(whole, text)
            yield from self._cite(whole, objects_at(part, "annotations"))

    def _reasoning(self, event: Item) -> Generator[Event, None, None]:
        block = ("reasoning", _item(event), _index(event, "summary_index"))
        if text := self._buffer.feed(block, event.get("delta")):
            known = block in self._spoken or "reasoning" not in self._spoken
            self._spoken |= {block, "reasoning"}
            yield ReasoningDelta(text if known else "\n\n" + text)

    def _added(self, event: Item, item: Item) -> Generator[Event, None, None]:
        if item.get("type") == "message" and self._block is not None:
            self._block = "a new message"  # also where the server numbers it as the one before
        if item.get("type") == "function_call":
            # Arguments that are here already may come again as deltas: the finished item decides.
            call_id = text_at(item, "call_id") or text_at(item, "id") or f"draft_{len(self._drafts)}"
            self._draft = (call_id, text_at(item, "name"))
            for place in (*_places(event), item.get("id"), item.get("call_id")):
                if isinstance(place, str | int):
                    self._drafts[place] = self._draft
            yield ToolCallDelta(*self._draft, "")

    def _keep(self, item: Item) -> bool:
        """Keep a finished item, in a form that can go back; false for one that is there already."""
        call_id, own_id = text_at(item, "call_id"), text_at(item, "id")
        # A null that came is not always allowed to go back.
        kept = {name: value for name, value in item.items() if value is not None}
        for known in self.answer.items:
            if known.get("type") == item.get("type"):
                if call_id and call_id == text_at(known, "call_id"):
                    return False
                if own_id and own_id == text_at(known, "id") and not (call_id and text_at(known, "call_id")):
                    return False
            if own_id and own_id == text_at(known, "id"):
                kept.pop("id", None)  # two items under one id would be refused
        self.answer.items.append(_fit_to_go_back(kept))
        return True

    def _end(self, kind: str, response: Item) -> Generator[Event, None, None]:
        # One source for each kind of item: some servers give other ids here than in the stream, and
        # some put a call or a text nowhere but here.
        streamed = [item.get("type") for item in self.answer.items]
        output = response.get("output")
        for item in output if isinstance(output, list) else []:
            if not isinstance(item, dict) or item.get("type") in streamed or not self._keep(item):
                continue
            if item.get("type") == "message" and "message" not in self._spoken:
                yield from self._message({}, item)
            yield from self._hosted.finish(item)
        # Some say in the response, and not by the event, that it was cut off.
        status = text_at(response, "status")
        if kind == "response.failed" or status == "failed":
            raise _failure(object_at(response, "error"))
        if kind == "response.incomplete" or status in ("incomplete", "cancelled"):
            raise _incomplete(response)
        for item in self.answer.items:
            if item.get("type") == "function_call":
                call = _call(item, {call.call_id for call in self.answer.calls})
                self.answer.calls.append(call)
                yield call
            elif waiting := approval_of(item):
                self.answer.calls.append(waiting)
                yield waiting
        self.ended = True
        yield RoundEnded(text_at(response, "model"), usage_of(object_at(response, "usage")))


def _call(item: Item, taken: set[str]) -> ToolCall:
    """The call an item holds; the item is made whole where the server left something out."""
    arguments = item.get("arguments")
    if not isinstance(arguments, str):
        arguments = "" if arguments is None else json.dumps(arguments, ensure_ascii=False)
    call_id = text_at(item, "call_id") or text_at(item, "id") or "call"
    while call_id in taken:
        call_id = f"{call_id}_{len(taken)}"
    item["call_id"], item["arguments"] = call_id, valid_arguments(arguments)
    return ToolCall(call_id, text_at(item, "name"), arguments)


def _failure(error: Item) -> StreamError:
    return StreamError(text_at(error, "code"), text_at(error, "message"))


def _incomplete(response: Item) -> Incomplete:
    reason = text_at(object_at(response, "incomplete_details"), "reason")
    if reason in ("max_output_tokens", "length"):
        return token_limit_reached()
    if reason == "content_filter":
        return content_filtered()
    return Incomplete(
        N_("The server ended the answer early ({reason}).", reason=reason or N_("no reason given")),
        reason="unknown",
    )


def usage_of(usage: Item) -> Usage | None:
    """The tokens of one response, where the server counted them."""
    if not usage:
        return None
    return Usage(
        input=count_at(usage, "input_tokens"),
        cached=count_at(object_at(usage, "input_tokens_details"), "cached_tokens"),
        output=count_at(usage, "output_tokens"),
        reasoning=count_at(object_at(usage, "output_tokens_details"), "reasoning_tokens"),
    )


def _fit_to_go_back(item: Item) -> Item:
    """The item, without what JSON has no word for and no connection carries."""
    try:
        try:
            json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
        except ValueError:
            fit: Item = json.loads(join_surrogates(json.dumps(item, ensure_ascii=False)), parse_constant=str)
            return fit
    except RecursionError as error:
        raise StreamError("", "an item that is nested too deeply") from error
    return item


def _places(event: Item) -> list[object]:
    """The names that an event has for its item."""
    return [event[name] for name in ("item_id", "output_index") if isinstance(event.get(name), str | int)]


def _item(event: Item) -> object:
    """Which item an event belongs to; by its index if it can be, for some change the id in every event."""
    return _places(event)[-1] if _places(event) else None


def _index(event: Item, name: str) -> int | None:
    value = event.get(name)
    return value if isinstance(value, int) else None


def _block(event: Item) -> object:
    """Which text block an event belongs to."""
    return "text", _item(event), _index(event, "content_index")
