"""What each protocol's events say of an answer's course: its pieces, its whole texts, its calls, its end.

Not here: whether that is right (``check.py``). What is not understood says nothing.

The one rule: an event is a stranger's JSON, and nothing in it can raise anything here.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from assistant.recordings.recording import Entry, Exchange

Json = dict[str, Any]
Text = tuple[Hashable, str]
"""A text by its place: the kind of text, the item and the part that it stands in."""


@dataclass(slots=True)
class Said:
    """What one event says.

    ``about`` is what ends on its own within a stream: a turn, a choice. ``late`` is an event that may come
    after the end of that, and ``error`` an end that another may follow, which says the same once more.
    """

    about: Hashable = ""
    end: Literal["", "well", "badly"] = ""
    late: bool = False
    error: bool = False
    pieces: list[Text] = field(default_factory=list)
    wholes: list[Text] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)


Reader = Callable[[str, Any], Said]


def reader_of(exchange: Exchange) -> tuple[str, Reader | None]:
    """The protocol of an exchange's stream, by its events and else by its address, and who can read it."""
    for entry in exchange.events:
        name, data = text(entry.what.get("event")), entry.what.get("data")
        kind = text(get(data, "type"))
        if kind.startswith("response."):
            return "responses", responses
        if kind.startswith("agent."):
            return "agents", agents
        if isinstance(get(data, "choices"), list):
            return "chat", chat
        if name.startswith("thread.") or text(get(data, "object")).startswith("thread."):
            return "assistants", assistants
    if get(exchange.request.what.get("body"), "stream") is not True:
        return "", None
    path = text(exchange.request.what.get("url")).partition("?")[0]
    if path.endswith("/responses"):
        return "responses", responses
    if path.endswith("/chat/completions"):
        return "chat", chat
    return "", None


def responses(name: str, data: Any) -> Said:
    """An event of the Responses API."""
    kind = text(get(data, "type")) or name
    if kind == "error" or (not kind and get(data, "error")):
        return Said(end="badly", error=True)
    match kind.removeprefix("response."):
        case "completed":
            return Said(end="well", calls=calls_in(get(get(data, "response"), "output")))
        case "failed" | "incomplete":
            return Said(end="badly")
        case "output_item.done":
            return _item(data, "response.", get(data, "output_index"))
    return _text(kind, data) if isinstance(data, dict) else Said(late=data == "[DONE]")


def agents(name: str, data: Any) -> Said:
    """An event of a session of the Agents API, in which turns end and the stream goes on."""
    kind = text(get(data, "type")).removeprefix("agent.session.")
    turn = text(get(data, "turn_id")) or text(get(get(data, "turn"), "id"))
    match kind:
        case "turn.completed":
            return Said(turn, end="well")
        case "turn.failed" | "turn.cancelled":
            return Said(turn, end="badly")
        case "requires_action":
            return Said(late=True, calls=calls_in(get(get(data, "session"), "required_actions")))
        case "turn.item.done":
            said = _item(data, "turn.", None)
            said.about = turn
            return said
    said = _text(kind, data)
    said.about, said.late = turn, not kind.startswith("turn.")
    return said


def assistants(name: str, data: Any) -> Said:
    """An event of the Assistants API; some servers give it no name."""
    kind = name or text(get(data, "object"))
    if not name and not kind.endswith(".delta"):
        kind = f"{kind}.{text(get(data, 'status'))}"
    if kind in ("error", "done", "") or data == "[DONE]":
        return Said(end="badly", error=True) if kind == "error" else Said(late=True)
    match kind.removeprefix("thread."):
        case "run.completed":
            return Said(end="well")
        case "run.requires_action":
            wanted = get(get(get(data, "required_action"), "submit_tool_outputs"), "tool_calls")
            return Said(end="well", calls=[text(get(each, "id")) for each in rows(wanted)])
        case "run.failed" | "run.incomplete" | "run.cancelled" | "run.expired":
            return Said(end="badly")
        case "message.delta":
            return Said(pieces=list(_values(data, get(get(data, "delta"), "content"))))
        case "message.completed":
            return Said(wholes=list(_values(data, get(data, "content"))))
    return Said()


def chat(name: str, data: Any) -> Said:
    """A chunk of Chat Completions; what a call's arguments come to is said nowhere."""
    if data == "[DONE]":
        return Said("stream", end="well")
    if get(data, "error"):
        return Said("stream", end="badly", error=True)
    said = Said(late=True)
    for choice in rows(get(data, "choices")):
        said.about = ("choice", text(get(choice, "index")))
        delta = get(choice, "delta")
        said.calls = [text(get(call, "id")) for call in rows(get(delta, "tool_calls"))]
        said.late = not any(isinstance(delta, dict) and delta.get(name) for name in ("content", "tool_calls"))
        if reason := text(get(choice, "finish_reason")):
            said.end = "badly" if reason in ("length", "content_filter") else "well"
    return said


def calls_in(items: Any) -> list[str]:
    """The ids of the function calls among items."""
    return _ids(items, "function_call")


def outputs_in(items: Any) -> list[str]:
    """The ids of the calls that these items answer."""
    return _ids(items, "function_call_output")


def rows(value: Any) -> Iterator[Json]:
    """The objects of an array, if it is one."""
    return (each for each in (value if isinstance(value, list) else []) if isinstance(each, dict))


def get(value: Any, name: str) -> Any:
    """A field of an object, if it is one."""
    return value.get(name) if isinstance(value, dict) else None


def text(value: Any) -> str:
    """A text, or a number as one; empty for anything else."""
    return value if isinstance(value, str) else str(value) if is_number(value) else ""


def is_number(value: Any) -> bool:
    """Whether this is a number by which anybody would count."""
    return type(value) is int and abs(value) < 1 << 63


def entries_of(exchange: Exchange) -> Iterator[tuple[Entry, Said]]:
    """Every event of an exchange with what it says; nothing where the protocol is not known."""
    protocol, read = reader_of(exchange)
    seen: set[str] = set()
    for entry in exchange.events if read else []:
        data = entry.what.get("data")
        event_id = text(get(data, "event_id"))
        if protocol == "agents" and event_id in seen:
            continue  # its server may say things twice
        seen |= {event_id} if event_id else set()
        assert read is not None
        yield entry, read(text(entry.what.get("event")), data)


_WHOLE = ("text", "refusal", "arguments", "code", "input")


def _text(kind: str, data: Json) -> Said:
    """An event ``….delta`` or ``….done`` of a text."""
    name, _, last = kind.rpartition(".")
    part = text(get(data, "content_index")) or text(get(data, "summary_index"))
    key: Hashable = (name, text(get(data, "item_id")) or text(get(data, "output_index")), part)
    if last == "delta" and isinstance(get(data, "delta"), str):
        return Said(pieces=[(key, data["delta"])])
    if last == "done":
        return Said(wholes=[(key, data[each]) for each in _WHOLE if isinstance(get(data, each), str)][:1])
    return Said()


def _item(data: Any, prefix: str, index: Any) -> Said:
    """A finished item: a call, or a message with its parts."""
    item = get(data, "item")
    place = text(get(item, "id")) or text(index)
    if get(item, "type") == "function_call":
        whole = get(item, "arguments")
        said = Said(calls=calls_in([item]))
        if isinstance(whole, str):
            said.wholes.append(((prefix + "function_call_arguments", place, ""), whole))
        return said
    said = Said()
    for number, part in enumerate(rows(get(item, "content"))):
        for kind, name in (("output_text", "text"), ("refusal", "refusal")):
            if get(part, "type") == kind and isinstance(get(part, name), str):
                said.wholes.append(((prefix + kind, place, str(number)), part[name]))
    return said


def _values(message: Any, content: Any) -> Iterator[Text]:
    """The texts of a message of the Assistants API, or of a piece of one."""
    for number, part in enumerate(rows(content)):
        value = get(get(part, "text"), "value")
        if isinstance(value, str):
            yield (text(get(message, "id")), text(get(part, "index")) or str(number)), value


def _ids(items: Any, kind: str) -> list[str]:
    return [text(get(each, "call_id")) for each in rows(items) if get(each, "type") == kind]
