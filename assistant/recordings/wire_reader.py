"""Read the wire events of the four protocols.

JSON that is not understood yields nothing, and no JSON raises.
"""

from collections.abc import Hashable, Iterator
from typing import Any

from assistant.json_values import Json, get, objects, text
from assistant.recordings.costs import token_parts
from assistant.recordings.entries import BodyEntry, Entry, EventEntry, RequestEntry
from assistant.recordings.requests import CALL_KINDS, Protocol, background_call_ids, function_call_ids
from assistant.recordings.wire_events import (
    BackgroundCall,
    CallListed,
    CallRequested,
    Ended,
    EventSummary,
    Failed,
    ItemDone,
    ItemStarted,
    Speech,
    SpeechPart,
    TextDone,
    TextPiece,
    WirePart,
)


class WireReader:
    """Reads a recording's entries in order; it remembers the protocol of each exchange."""

    def __init__(self) -> None:
        self._protocols: dict[int, Protocol] = {}  # recognised by an event
        self._expected: dict[int, Protocol] = {}  # by the request
        self._event_ids: set[tuple[int, str]] = set()

    def protocol(self, exchange: int) -> Protocol:
        """Return the protocol of an exchange's stream, as far as it is known."""
        return self._protocols.get(exchange) or self._expected.get(exchange, "")

    def read(self, entry: Entry) -> EventSummary:
        """Return what an entry tells; nothing for a response's head, its end, or an event of the run."""
        match entry:
            case RequestEntry():
                self._expected[entry.exchange] = _stream_protocol(entry)
            case BodyEntry():
                return EventSummary(tuple(_body_parts(entry.body)))
            case EventEntry():
                return self._read_event(entry)
        return EventSummary()

    def _read_event(self, entry: EventEntry) -> EventSummary:
        name, data, exchange = entry.event, entry.data, entry.exchange
        if exchange not in self._protocols and (recognised := _recognise(name, data)):
            self._protocols[exchange] = recognised
        protocol = self.protocol(exchange)
        match protocol:
            case "responses":
                scope, may_follow_end, parts = _read_responses(name, data)
            case "agents":
                event_id = exchange, text(get(data, "event_id"))
                if event_id in self._event_ids:  # the server may send an event twice
                    return EventSummary((), "", True, protocol)
                self._event_ids |= {event_id} if event_id[1] else set()
                scope, may_follow_end, parts = _read_agents(data)
            case "assistants":
                scope, may_follow_end, parts = _read_assistants(name, data)
            case "chat":
                scope, may_follow_end, parts = _read_chat(data)
            case "":
                return EventSummary()
        label = event_type(entry)
        if label.endswith((".failed", ".incomplete", "error", ".cancelled", ".expired")):
            parts.append(Failed(label))
        return EventSummary((*parts, *token_parts(data)), scope, may_follow_end, protocol)


def event_type(entry: EventEntry) -> str:
    """Return the type of a server-sent event as its protocol names it."""
    data = entry.data
    named = text(get(data, "type")) or entry.event or text(get(data, "object"))
    return named or ("[DONE]" if data == "[DONE]" else "event")


# --- the four protocols: each reader returns the scope, whether it may follow the end, and the parts ---

_Read = tuple[Hashable, bool, list[WirePart]]


def _read_responses(name: str, data: Any) -> _Read:
    kind = text(get(data, "type")) or name
    if kind == "error" or (not kind and get(data, "error")):
        return "", False, [Ended(False, is_error=True)]
    match kind.removeprefix("response."):
        case "completed":
            calls = function_call_ids(get(get(data, "response"), "output"))
            return "", False, [Ended(True), *map(CallRequested, calls)]
        case "failed" | "incomplete":
            return "", False, [Ended(False)]
    if isinstance(data, dict):
        return "", False, list(_item_or_text(kind, data, "response."))
    return "", data == "[DONE]", []


def _read_agents(data: Any) -> _Read:
    """Read an event of a session, in which the stream continues after a turn has ended."""
    kind = text(get(data, "type")).removeprefix("agent.session.")
    turn = text(get(data, "turn_id")) or text(get(get(data, "turn"), "id"))
    match kind:
        case "turn.completed":
            return turn, False, [Ended(True)]
        case "turn.failed" | "turn.cancelled":
            return turn, False, [Ended(False)]
        case "requires_action":
            actions = function_call_ids(get(get(data, "session"), "required_actions"))
            return "", True, [*map(CallRequested, actions)]
    parts = list(_item_or_text(kind, data, "turn.")) if isinstance(data, dict) else []
    return turn, not kind.startswith("turn."), parts


def _read_assistants(name: str, data: Any) -> _Read:
    """Read an event of a run; some servers omit the event's name."""
    kind = name or text(get(data, "object"))
    if not name and not kind.endswith(".delta"):
        kind = f"{kind}.{text(get(data, 'status'))}"
    if kind in ("error", "done", "") or data == "[DONE]":
        return ("", False, [Ended(False, is_error=True)]) if kind == "error" else ("", True, [])
    parts: list[WirePart] = []
    match kind.removeprefix("thread."):
        case "run.completed":
            parts = [Ended(True)]
        case "run.requires_action":
            calls = get(get(get(data, "required_action"), "submit_tool_outputs"), "tool_calls")
            parts = [Ended(True), *(CallRequested(text(call.get("id"))) for call in objects(calls))]
        case "run.failed" | "run.incomplete" | "run.cancelled" | "run.expired":
            parts = [Ended(False)]
        case "message.delta":
            texts = _message_texts(data, get(get(data, "delta"), "content"))
            parts = [TextPiece(key, "text", key[0], value) for key, value in texts]
        case "message.completed":
            texts = _message_texts(data, get(data, "content"))
            parts = [TextDone(key, None, key[0], value) for key, value in texts]
        case "run.step.delta":
            details = get(get(data, "delta"), "step_details")
            parts = list(_call_pieces(get(details, "tool_calls")))
    return "", False, parts


def _read_chat(data: Any) -> _Read:
    """Read a chunk; Chat Completions never repeats the whole of a text."""
    if data == "[DONE]":
        return "stream", False, [Ended(True)]
    if get(data, "error"):
        return "stream", False, [Ended(False, is_error=True)]
    scope: Hashable = ""
    may_follow_end, parts = True, list[WirePart]()
    for choice in objects(get(data, "choices")):
        delta, item = get(choice, "delta"), text(choice.get("index"))
        scope = "choice", item
        may_follow_end = not (get(delta, "content") or get(delta, "tool_calls"))
        if reasoning := text(get(delta, "reasoning_content")) or text(get(delta, "reasoning")):
            parts.append(TextPiece(("reasoning", item), "reasoning", item, reasoning))
        if content := text(get(delta, "content")) or text(get(delta, "refusal")):
            parts.append(TextPiece(("text", item), "text", item, content))
        parts += _call_pieces(get(delta, "tool_calls"))
        calls = [text(call.get("id")) for call in objects(get(delta, "tool_calls"))]
        parts += [CallRequested(call_id) for call_id in calls if call_id]
        if reason := text(choice.get("finish_reason")):
            parts.append(Ended(reason not in ("length", "content_filter")))
    return scope, may_follow_end, parts


# --- what the protocols share ---


def _recognise(name: str, data: Any) -> Protocol:
    """Return the protocol that an event can only belong to; "" where it may belong to several."""
    kind = text(get(data, "type"))
    if kind.startswith("response."):
        return "responses"
    if kind.startswith("agent."):
        return "agents"
    if isinstance(get(data, "choices"), list):
        return "chat"
    is_of_thread = name.startswith("thread.") or text(get(data, "object")).startswith("thread.")
    return "assistants" if is_of_thread else ""


def _stream_protocol(request: RequestEntry) -> Protocol:
    path = request.url.partition("?")[0]
    if get(request.body, "stream") is not True:
        return ""
    return (
        "responses" if path.endswith("/responses") else "chat" if path.endswith("/chat/completions") else ""
    )


_WHOLE_TEXT = ("text", "refusal", "arguments", "code", "input")


def _item_or_text(kind: str, data: Json, prefix: str) -> Iterator[WirePart]:
    """Read an event about an item or a text, as the Responses and the Agents API write them."""
    name, _, last = kind.rpartition(".")
    if name == f"{prefix}output_item" or name == f"{prefix}item":
        yield from _item_parts(last, data, prefix)
    elif last in ("delta", "done"):
        item = text(data.get("item_id")) or text(data.get("output_index"))
        part = text(data.get("content_index")) or text(data.get("summary_index"))
        key = name, item, part
        speech = _speech_of(name)
        if last == "done":
            texts = (data[field] for field in _WHOLE_TEXT if isinstance(data.get(field), str))
            yield TextDone(key, speech, item, next(texts, None))
        elif isinstance(data.get("delta"), str):
            yield TextPiece(key, speech, item, data["delta"])


def _speech_of(name: str) -> Speech | None:
    if "reasoning" in name:
        return "reasoning"
    if name.endswith(("output_text", "refusal")):
        return "text"
    return "arguments" if name.endswith(("_arguments", "_call_input", "_call_code")) else None


def _item_parts(last: str, data: Json, prefix: str) -> Iterator[WirePart]:
    item = data.get("item")
    kind = text(get(item, "type"))
    place = text(get(item, "id")) or text(data.get("output_index")) or text(get(item, "call_id"))
    speech: Speech | None = None
    if kind == "message" and get(item, "role") in ("assistant", None):
        speech = "text"
    elif kind in ("reasoning", "program") or kind.endswith("_call"):
        speech = "reasoning" if kind == "reasoning" else "arguments"
    if speech and last == "added":
        name = (text(get(item, "name")) or kind) if speech == "arguments" else ""
        yield ItemStarted(speech, place, name)
    elif speech and last == "done":
        yield ItemDone(speech, place)
    if last != "done":
        return
    if kind in CALL_KINDS:
        yield from map(CallRequested, function_call_ids([item]))
        yield from map(BackgroundCall, background_call_ids([item]))
        field = "input" if kind == "custom_tool_call" else "arguments"
        if isinstance(whole := get(item, field), str):
            yield TextDone((f"{prefix}{kind}_{field}", place, ""), None, place, whole)
        return
    for index, part in enumerate(objects(get(item, "content"))):
        for part_kind, field in (("output_text", "text"), ("refusal", "refusal")):
            if part.get("type") == part_kind and isinstance(part.get(field), str):
                yield TextDone((prefix + part_kind, place, str(index)), None, place, part[field])


def _call_pieces(calls: Any) -> Iterator[SpeechPart]:
    """Read calls as Chat Completions writes them: the name once, the arguments in pieces."""
    for call in objects(calls):
        function = call.get("function")
        item = text(call.get("index")) or text(call.get("id"))
        name, arguments = text(get(function, "name")), text(get(function, "arguments"))
        if name:
            yield ItemStarted("arguments", item, name)
        if arguments or not name:
            yield TextPiece(("arguments", item), "arguments", item, arguments)


def _message_texts(message: Any, content: Any) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the texts in a message of the Assistants API, or in a delta of one, each with its key."""
    for index, part in enumerate(objects(content)):
        value = get(part.get("text"), "value")
        if isinstance(value, str):
            yield (text(get(message, "id")), text(part.get("index")) or str(index)), value


def _body_parts(body: Any) -> Iterator[WirePart]:
    for name in ("data", "output", "required_actions"):
        calls = get(body, name)
        yield from map(CallListed, function_call_ids(calls) + background_call_ids(calls))
    if get(body, "object") == "response" and get(body, "status") == "completed":
        yield Ended(True)
        yield from map(CallRequested, function_call_ids(get(body, "output")))
    yield from token_parts(body)
