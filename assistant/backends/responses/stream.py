"""Read the events of one streamed response, as plain dictionaries, into events of a run. Pure: no requests.

Whatever a server sends, only ``StreamError``, ``Incomplete`` or ``MissingFinalEvent`` is raised. Several
servers leave out ``item_id``, ``output_index``, whole events or the last one (``test_dialects.py``), so no
field is relied on.
"""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from assistant.backends.json_access import (
    JsonObject,
    SurrogateBuffer,
    arguments_of,
    join_surrogates,
    object_at,
    objects_at,
    text_at,
    usage_of,
)
from assistant.backends.responses.client_calls import (
    call_id_of,
    client_call,
    client_note,
    is_client_call,
    is_client_output,
    item_note,
    text_call,
)
from assistant.backends.responses.hosted import (
    MAX_CITATIONS,
    HostedReader,
    approval_call,
    parse_citation,
)
from assistant.backends.responses.server_steps import program_of
from assistant.backends.responses.written_calls import (
    expand_call,
    function_name,
    is_background_call,
    is_wrapper,
    sendable_name,
)
from assistant.backends.stream_errors import MissingFinalEvent, StreamError, UnknownEndpoint, incomplete
from assistant.events import (
    Citation,
    CommentaryDelta,
    Event,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from assistant.tools.arguments import valid_arguments


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
            for index, item in enumerate(objects_at(body, "output")):
                if item.get("type") == "reasoning":
                    for number, part in enumerate(objects_at(item, "summary") or objects_at(item, "content")):
                        place = {"output_index": index, "summary_index": number}
                        yield {"type": "response.reasoning_text.delta", "delta": part.get("text"), **place}
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
        self._text_parameters = text_parameters
        self.has_ended = False
        self._block: object = None  # the text block of the last text
        self._block_texts: list[str] = []  # the texts of that block so far
        self._shown: set[object] = set()  # the blocks, items and types of items that were yielded
        # item key -> (call id, name) of a call being written; None for a program's, which no model writes
        self._drafts: dict[object, tuple[str, str] | None] = {}
        self._newest_draft: tuple[str, str] | None = None
        self._call_ids: set[str] = set()
        self._added_items: set[tuple[str, str, str]] = set()  # by type, and by which id they are known
        self._commentary: set[object] = set()  # the keys of messages that are not the answer
        self._buffer = SurrogateBuffer()
        self._hosted = HostedReader()
        self._cited: set[tuple[object, str, Citation]] = set()

    def feed(self, event: JsonObject) -> Generator[Event, None, None]:
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._text(event, event.get("delta"))
            case "response.output_text.done":
                yield from self._text_once(event, event.get("text"))
            case "response.output_text.annotation.added":
                yield from self._cite(event, [object_at(event, "annotation")])
            case "response.content_part.done":
                yield from self._cite(event, objects_at(object_at(event, "part"), "annotations"))
            case "response.refusal.done":
                yield from self._text_once(event, event.get("refusal"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._reasoning(event)
            case "response.output_item.added":
                yield from self._added(event, object_at(event, "item"))
                yield from self._hosted.feed(event)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                drafts = (self._drafts[key] for key in _item_keys(event) if key in self._drafts)
                draft = next(drafts, self._newest_draft)
                if draft is not None and (text := self._buffer.feed(draft, event.get("delta"))):
                    yield ToolCallDelta(*draft, text)
            case "response.output_item.done":
                item = object_at(event, "item")
                if item and self._add_item(item):
                    if item.get("type") == "message":
                        yield from self._message(event, item)
                    yield from self._hosted.feed(event)
                    yield from self._note(item)
                    yield from self._background_call(self.response.items[-1])
            case "response.completed" | "response.done" | "response.incomplete" | "response.failed":
                yield from self._end(str(event["type"]), object_at(event, "response"))
            case "response.steer.failed":
                pass  # the error is not the response's: the message is sent again
            case "error":
                raise _stream_error(event.get("error") or event)
            case _ if event.get("error"):
                raise _stream_error(event["error"])
            case _:
                yield from self._hosted.feed(event)

    def _text(self, event: JsonObject, text: object) -> Generator[Event, None, None]:
        block = _block(event)
        if not (delta := self._buffer.feed(block, text)):
            return
        if block != self._block:
            if self._block is not None:
                yield TextBreak()
            self._block, self._block_texts = block, []
        self._block_texts.append(delta)
        self._shown |= {block, "message", *(("item", key) for key in _item_keys(event) or [None])}
        if str(event.get("type")).startswith("response.refusal"):
            yield RefusalDelta(delta)
        else:
            is_commentary = self._commentary & set(_item_keys(event) or [None])
            yield CommentaryDelta(delta) if is_commentary else TextDelta(delta)

    def _note_phase(self, item: JsonObject, event: JsonObject) -> None:
        """Record whether a message is commentary; one without a key is the newest."""
        keys = {*_item_keys({"item_id": item.get("id"), **event}), None}
        if item.get("phase") == "commentary":
            self._commentary |= keys
        else:
            self._commentary -= keys

    def _text_once(self, event: JsonObject, text: object) -> Generator[Event, None, None]:
        """Yield a whole text, unless its deltas were yielded, whatever item they named."""
        if isinstance(text, str) and _block(event) not in self._shown and not self._is_current_text(text):
            yield from self._text(event, text)

    def _cite(self, event: JsonObject, annotations: list[JsonObject]) -> Generator[Event, None, None]:
        """Yield the sources of the current text, each once."""
        for annotation in annotations:
            citation = parse_citation(annotation, sum(map(len, self._block_texts)))
            if citation is None or self._block != _block(event) or len(self._cited) >= MAX_CITATIONS:
                continue
            # A citation that came before its text is repeated with the text, at another position.
            place = repr((annotation.get("index"), annotation.get("end_index")))
            keys = {(self._block, "", citation), (self._block, place, replace(citation, at=0))}
            if not keys & self._cited:
                yield citation
            self._cited |= keys

    def _is_current_text(self, text: str) -> bool:
        return join_surrogates(text) == "".join(self._block_texts)

    def _message(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        """Yield a complete message, unless a part of it was yielded already."""
        content = item.get("content")
        parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
        texts = [text_at(part, "refusal") or text_at(part, "text") for part in parts]
        place = {"item_id": item.get("id"), "output_index": event.get("output_index")}
        self._note_phase(item, place)
        known = {("item", key) for key in (*_item_keys(place), None)}
        if known & self._shown or self._is_current_text("".join(texts)):
            for part in parts[-1:]:
                last = {"content_index": len(parts) - 1, **place}
                yield from self._cite(last, objects_at(part, "annotations"))
            return
        for index, (part, text) in enumerate(zip(parts, texts, strict=True)):
            kind = "refusal" if part.get("type") == "refusal" else "output_text"
            done = {"type": f"response.{kind}.done", "content_index": index, **place}
            yield from self._text(done, text)
            yield from self._cite(done, objects_at(part, "annotations"))

    def _reasoning(self, event: JsonObject) -> Generator[Event, None, None]:
        block = ("reasoning", _item_key(event), _index(event, "summary_index"))
        if text := self._buffer.feed(block, event.get("delta")):
            known = block in self._shown or "reasoning" not in self._shown
            self._shown |= {block, "reasoning"}
            yield ReasoningDelta(text if known else "\n\n" + text)

    def _added(self, event: JsonObject, item: JsonObject) -> Generator[Event, None, None]:
        if item.get("type") == "message":
            self._note_phase(item, event)
        if item.get("type") == "message" and self._block is not None:
            self._block = "new message"  # also if the server gives it the index of the one before
        is_text = item.get("type") == "custom_tool_call" and text_at(item, "name") in self._text_parameters
        if is_text or (item.get("type") == "function_call" and not is_wrapper(text_at(item, "name"))):
            # Arguments in this event may be repeated as deltas; those of the finished item are used.
            call_id = text_at(item, "call_id") or text_at(item, "id") or f"draft_{len(self._drafts)}"
            name = function_name(text_at(item, "name"))
            self._newest_draft = None if program_of(item) else (call_id, name)
            for key in (*_item_keys(event), item.get("id"), item.get("call_id")):
                if isinstance(key, str | int):
                    self._drafts[key] = self._newest_draft
            if self._newest_draft:
                yield ToolCallDelta(*self._newest_draft, "")

    def _background_call(self, item: JsonObject) -> Generator[Event, None, None]:
        """Yield a complete call in the background at once: it does not wait for the end of the response."""
        if is_background_call(item):
            call = _call(item, self._call_ids)
            self._call_ids.add(call.call_id)
            yield replace(call, name=function_name(call.name), background=True)

    def _note(self, item: JsonObject) -> Generator[Event, None, None]:
        """Yield a note about an item that is not shown otherwise, once for each kind."""
        note = None if is_client_call(item) else item_note(item)
        if note and note not in self._shown:
            self._shown.add(note)
            yield note

    def _add_item(self, item: JsonObject) -> bool:
        """Add a finished item, in a form that can be sent back; return False if it was added already."""
        kind, call_id, own_id = (text_at(item, name) for name in ("type", "call_id", "id"))
        # By its call; by its own id only where one of the two has no call id.
        own_key = (kind, "without a call" if call_id else "id", own_id)
        if (call_id and (kind, "call", call_id) in self._added_items) or (
            own_id and own_key in self._added_items
        ):
            return False
        # Some fields may not be sent back as null.
        sendable = {name: value for name, value in item.items() if value is not None}
        self._added_items.add((kind, "call", call_id))
        if ("", "id", own_id) in self._added_items:
            sendable.pop("id", None)  # two items with one id would be refused
        elif own_id:
            self._added_items |= {("", "id", own_id), (kind, "id", own_id)}
            self._added_items |= set() if call_id else {(kind, "without a call", own_id)}
        self.response.items.append(_valid_json(sendable))
        return True

    def _end(self, kind: str, response: JsonObject) -> Generator[Event, None, None]:
        # One source for each type of item: some servers use other ids here than in the stream, and some send
        # a call or a text only here.
        streamed = [item.get("type") for item in self.response.items]
        has_streamed_text = "message" in self._shown
        output = response.get("output")
        for index, item in enumerate(output if isinstance(output, list) else []):
            if not isinstance(item, dict) or item.get("type") in streamed or not self._add_item(item):
                continue
            if item.get("type") == "message" and not has_streamed_text:
                yield from self._message({"output_index": index}, item)
            yield from self._hosted.finish(item)
            yield from self._note(item)
            yield from self._background_call(self.response.items[-1])
        # Some servers report an early end in the response instead of by the event's type.
        status = text_at(response, "status")
        if kind == "response.failed" or status == "failed":
            raise _stream_error(object_at(response, "error"))
        if kind == "response.incomplete" or status in ("incomplete", "cancelled"):
            reason = text_at(object_at(response, "incomplete_details"), "reason")
            # A steered response ends between two items; a call in it was cut off, or would have come first.
            if reason != "steered" or any(_is_open_call(item) for item in self.response.items):
                raise incomplete(reason)
            self.response.is_steered = True
        outputs = {call_id_of(item) for item in self.response.items if is_client_output(item)}
        for item in self.response.items:
            if is_background_call(item):
                continue
            if item.get("type") == "function_call":
                calls = expand_call(_call(item, self._call_ids))
                self._call_ids |= {call.call_id for call in calls}
                self.response.calls += calls
                yield from calls
            elif item.get("type") == "custom_tool_call" and text_at(item, "name") in self._text_parameters:
                call = text_call(item, self._text_parameters[text_at(item, "name")])
                self.response.calls.append(call)
                yield call
            elif is_client_call(item) and call_id_of(item) not in outputs:
                self.response.calls.append(client_call(item))
                yield client_note(item)
                yield client_call(item)
            elif waiting := approval_call(item):
                self.response.calls.append(waiting)
                yield waiting
        self.has_ended, self.response.id = True, text_at(response, "id")
        yield RoundEnded(text_at(response, "model"), usage_of(object_at(response, "usage")))


def _is_open_call(item: JsonObject) -> bool:
    return item.get("type") == "function_call" or is_client_call(item) or approval_call(item) is not None


def _call(item: JsonObject, used_ids: set[str]) -> ToolCall:
    """Return the call of an item, and complete the item where the server left something out."""
    arguments = arguments_of(item)
    call_id = text_at(item, "call_id") or text_at(item, "id") or "call"
    while call_id in used_ids:
        call_id = f"{call_id}_{len(used_ids)}"
    name = text_at(item, "name")
    item["call_id"], item["arguments"] = call_id, valid_arguments(arguments)
    item["name"] = sendable_name(name)
    return ToolCall(call_id, name, arguments, program=program_of(item))


def _stream_error(error: object) -> StreamError:
    if not isinstance(error, dict):
        return StreamError("", str(error))
    kind = text_at(error, "type")
    return StreamError(text_at(error, "code") or ("" if kind == "error" else kind), text_at(error, "message"))


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


def _item_keys(event: JsonObject) -> list[object]:
    """Return the keys by which an event names its item."""
    return [event[name] for name in ("item_id", "output_index") if isinstance(event.get(name), str | int)]


def _item_key(event: JsonObject) -> object:
    """Return the key of an event's item; its index if possible: some servers change the id in every event."""
    return _item_keys(event)[-1] if _item_keys(event) else None


def _index(event: JsonObject, name: str) -> int | None:
    value = event.get(name)
    return value if isinstance(value, int) else None


def _block(event: JsonObject) -> object:
    """Return the key of an event's text block."""
    return "text", _item_key(event), _index(event, "content_index")
