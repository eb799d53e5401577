"""Read the events of one streamed response, as plain dictionaries, into events of a run. Pure: no requests.

Whatever a server sends, only ``StreamError``, ``Incomplete`` or ``MissingFinalEvent`` is raised. Several
servers leave out ``item_id``, ``output_index``, whole events or the last one (``test_dialects.py``), so no
field is relied on.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from assistant.backends.json_access import (
    JsonObject,
    join_surrogates,
    object_at,
    objects_at,
    stream_error,
    text_at,
    usage_of,
)
from assistant.backends.responses.call_reader import CallReader, is_open_call
from assistant.backends.responses.client_calls import is_client_call, item_note
from assistant.backends.responses.hosted import HostedReader
from assistant.backends.responses.text_reader import TextReader
from assistant.backends.stream_errors import MissingFinalEvent, StreamError, UnknownEndpoint, incomplete
from assistant.events import Event, Note, RoundEnded, ToolCall


def is_final(event: object) -> bool:
    """Return whether this event ends its response."""
    return isinstance(event, dict) and event.get("type") in _FINAL_TYPES


_FINAL_TYPES = ("response.completed", "response.done", "response.incomplete", "response.failed", "error")


def whole_response(body: object) -> Iterator[JsonObject]:
    """Yield the events of a response that its server sent as one JSON body, although a stream was requested.

    Raises:
        UnknownEndpoint: It is not a response; some servers answer so for a path that they do not have.
    """
    if isinstance(body, dict):
        status = text_at(body, "status")
        if isinstance(body.get("output"), list) or body.get("object") == "response":
            kind = status if status in ("queued", "in_progress", "incomplete", "failed") else "completed"
            yield {"type": f"response.{kind}", "response": body}
            return
        if isinstance(body.get("error"), dict):
            yield {"type": "error", "error": body["error"]}
            return
        body = body.get("error") or body
    raise UnknownEndpoint(str(body))


@dataclass(slots=True)
class CompletedResponse:
    """A response that ended well: its items as they came, the calls but those in the background, and its id."""

    items: list[JsonObject] = field(default_factory=list)
    calls: list[ToolCall] = field(default_factory=list)
    id: str = ""
    is_steered: bool = False  # it ended early, because the user's next message continues it


def read(
    events: Iterable[object], text_parameters: Mapping[str, str] | None = None
) -> Generator[Event, None, CompletedResponse]:
    """Yield the events of a response, and return its items and calls.

    ``text_parameters`` are the functions that take free text, each with the name of its parameter.

    Raises:
        StreamError: The server sent ``error`` or ``response.failed``.
        Incomplete: The server sent ``response.incomplete``.
        MissingFinalEvent: The stream ended before the response did.
    """
    reader = _Reader(text_parameters or {})
    for event in events:
        if isinstance(event, dict):
            yield from reader.feed(event)
            if reader.has_ended:
                return reader.response
    raise MissingFinalEvent


class _Reader:
    """The state of one response while its events arrive."""

    def __init__(self, text_parameters: Mapping[str, str]) -> None:
        self.response = CompletedResponse()
        self.has_ended = False
        self._items = _FinishedItems(self.response.items)
        self._text = TextReader()
        self._calls = CallReader(text_parameters)
        self._hosted = HostedReader()
        self._notes: set[Note] = set()

    def feed(self, event: JsonObject) -> Generator[Event, None, None]:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._text.delta(event, event.get("delta"))
            case "response.output_text.done":
                yield from self._text.whole_text(event, event.get("text"))
            case "response.refusal.done":
                yield from self._text.whole_text(event, event.get("refusal"))
            case "response.output_text.annotation.added":
                yield from self._text.cite(event, [object_at(event, "annotation")])
            case "response.content_part.done":
                yield from self._text.cite(event, objects_at(object_at(event, "part"), "annotations"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._text.reasoning(event)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                yield from self._calls.delta(event)
            case "response.output_item.added":
                yield from self._item_added(event, object_at(event, "item"))
            case "response.output_item.done":
                yield from self._item_done(event, object_at(event, "item"))
            case "response.completed" | "response.done" | "response.incomplete" | "response.failed":
                yield from self._end(str(event["type"]), object_at(event, "response"))
            case "response.steer.failed":
                pass  # the error is not the response's: the message is sent again
            case "error":
                raise stream_error(event.get("error") or event)
            case _ if event.get("error"):
                raise stream_error(event["error"])
            case _:
                yield from self._hosted.feed(event)

    def _item_added(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        if item.get("type") == "message":
            self._text.begin_message(event, item)
        yield from self._calls.begin(event, item)
        yield from self._hosted.feed(event)

    def _item_done(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        if item and (sendable := self._items.add(item)) is not None:
            if item.get("type") == "message":
                yield from self._text.message(event, item)
            if item.get("type") == "reasoning":
                yield from self._text.reasoning_item(event, item)
            yield from self._hosted.feed(event)
            yield from self._note(item)
            yield from self._calls.background_call(sendable)

    def _note(self, item: JsonObject) -> Generator[Event, None, None]:
        """Yield a note about an item that is not shown otherwise, once for each kind."""
        note = None if is_client_call(item) else item_note(item)
        if note and note not in self._notes:
            self._notes.add(note)
            yield note

    def _end(self, kind: str, response: JsonObject) -> Generator[Event, None, None]:
        yield from self._missed_items(response)
        self._check_ending(kind, response)
        self.response.calls = yield from self._calls.finish(self.response.items)
        self.has_ended, self.response.id = True, text_at(response, "id")
        yield RoundEnded(text_at(response, "model"), usage_of(object_at(response, "usage")))

    def _missed_items(self, response: JsonObject) -> Generator[Event, None, None]:
        """Add the items that the server sent only in the final event, as some do with a call or a text."""
        # One source for each type of item: some servers use other ids here than in the stream.
        streamed = [item.get("type") for item in self.response.items]
        has_streamed_text, has_streamed_reasoning = self._text.has_text, self._text.has_reasoning
        output = response.get("output")
        for index, item in enumerate(output if isinstance(output, list) else []):
            if not isinstance(item, dict) or item.get("type") in streamed:
                continue
            if (sendable := self._items.add(item)) is None:
                continue
            if item.get("type") == "message" and not has_streamed_text:
                yield from self._text.message({"output_index": index}, item)
            if item.get("type") == "reasoning" and not has_streamed_reasoning:
                yield from self._text.reasoning_item({"output_index": index}, item)
            yield from self._hosted.finish(item)
            yield from self._note(item)
            yield from self._calls.background_call(sendable)

    def _check_ending(self, kind: str, response: JsonObject) -> None:
        """Raise the error of a response that did not end well.

        Some servers report an early end in the response instead of by the event's type.
        """
        status = text_at(response, "status")
        if kind == "response.failed" or status == "failed":
            raise stream_error(object_at(response, "error"))
        if kind == "response.incomplete" or status in ("incomplete", "cancelled"):
            reason = text_at(object_at(response, "incomplete_details"), "reason")
            # A steered response ends between two items; a call in it was cut off, or would have come first.
            if reason != "steered" or any(is_open_call(item) for item in self.response.items):
                raise incomplete(reason)
            self.response.is_steered = True


class _FinishedItems:
    """The finished items of one response, each once, in a form that can be sent back."""

    def __init__(self, items: list[JsonObject]) -> None:
        self._items = items
        self._known: set[tuple[str, str, str]] = set()  # by type, and by which id they are known

    def add(self, item: JsonObject) -> JsonObject | None:
        """Add an item, and return its form that can be sent back; None if it was added already."""
        kind, call_id, own_id = (text_at(item, name) for name in ("type", "call_id", "id"))
        # By its call; by its own id only where one of the two has no call id.
        own_key = (kind, "without a call" if call_id else "id", own_id)
        if (call_id and (kind, "call", call_id) in self._known) or (own_id and own_key in self._known):
            return None
        # Some fields may not be sent back as null.
        sendable = {name: value for name, value in item.items() if value is not None}
        self._known.add((kind, "call", call_id))
        if ("", "id", own_id) in self._known:
            sendable.pop("id", None)  # two items with one id would be refused
        elif own_id:
            self._known |= {("", "id", own_id), (kind, "id", own_id)}
            self._known |= set() if call_id else {(kind, "without a call", own_id)}
        sendable = _valid_json(sendable)
        self._items.append(sendable)
        return sendable


def _valid_json(item: JsonObject) -> JsonObject:
    """Return the item without what JSON and UTF-8 cannot express: NaN and unpaired surrogates."""
    try:
        try:
            json.dumps(item, ensure_ascii=False, allow_nan=False).encode()
        except ValueError:
            valid: JsonObject = json.loads(
                join_surrogates(json.dumps(item, ensure_ascii=False)), parse_constant=str
            )
            return valid
    except RecursionError as error:
        raise StreamError("", "an item that is nested too deeply") from error
    return item
