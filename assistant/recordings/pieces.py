"""What one entry of a tape adds to an answer: a piece of text, of reasoning, or of a call being written.

Not here: whether it may (``check.py``, by ``streams.py``), or how long it took (``measure.py``).

The one rule: an entry is a stranger's JSON; what is not understood adds nothing, and nothing raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from assistant.recordings.recording import Entry
from assistant.recordings.streams import get, rows, text

Speech = Literal["text", "reasoning", "arguments"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of one item of an answer; its ``text`` is empty where the item only begins or ends.

    ``name`` is that of a call's function, where the entry tells it: a new call begins with it.
    """

    speech: Speech
    item: str
    text: str = ""
    name: str = ""


def kind_of(entry: Entry) -> str:
    """What an entry is called: an event's type, an own event's name, or what it is on the tape."""
    what = entry.what
    match entry.kind:
        case "event":
            data = what.get("data")
            named = text(get(data, "type")) or text(what.get("event")) or text(get(data, "object"))
            return named or ("[DONE]" if data == "[DONE]" else "event")
        case "run":
            return text(what.get("event")) or "run"
    return entry.kind


def pieces_of(entry: Entry) -> list[Piece]:
    """What an entry adds, by any of the protocols; an empty list for what adds nothing."""
    data = entry.what.get("data")
    if entry.kind != "event" or not isinstance(data, dict):
        return []
    kind = kind_of(entry)
    if kind.startswith("thread."):
        return list(_assistants(kind, data))
    if isinstance(data.get("choices"), list):
        return list(_chat(data))
    return list(_items(kind, data))


def _items(kind: str, data: dict[str, Any]) -> Iterator[Piece]:
    """An event of the Responses API, or of a session of the Agents API."""
    name, _, last = kind.rpartition(".")
    if name.endswith("item") and last in ("added", "done"):
        item = data.get("item")
        place = text(get(item, "id")) or text(get(item, "call_id")) or text(data.get("output_index"))
        what = text(get(item, "type"))
        if what == "message" and get(item, "role") in ("assistant", None):
            yield Piece("text", place)
        elif what == "reasoning":
            yield Piece("reasoning", place)
        elif what.endswith("_call"):
            named = text(get(item, "name")) or what
            yield Piece("arguments", place, name=named if last == "added" else "")
        return
    speech = _speech(name)
    if speech and last in ("delta", "done"):
        place = text(data.get("item_id")) or text(data.get("output_index"))
        yield Piece(speech, place, text(data.get("delta")) if last == "delta" else "")


def _speech(name: str) -> Speech | None:
    if "reasoning" in name:
        return "reasoning"
    if name.endswith(("output_text", "refusal")):
        return "text"
    return "arguments" if name.endswith(("_arguments", "_call_input", "_call_code")) else None


def _chat(chunk: dict[str, Any]) -> Iterator[Piece]:
    for choice in rows(chunk["choices"]):
        delta, place = get(choice, "delta"), text(choice.get("index"))
        if thought := text(get(delta, "reasoning_content")) or text(get(delta, "reasoning")):
            yield Piece("reasoning", place, thought)
        if said := text(get(delta, "content")) or text(get(delta, "refusal")):
            yield Piece("text", place, said)
        yield from _calls(get(delta, "tool_calls"))


def _assistants(kind: str, data: dict[str, Any]) -> Iterator[Piece]:
    if kind == "thread.message.delta":
        for part in rows(get(data.get("delta"), "content")):
            yield Piece("text", text(data.get("id")), text(get(part.get("text"), "value")))
    elif kind == "thread.run.step.delta":
        details = get(data.get("delta"), "step_details")
        yield from _calls(get(details, "tool_calls"))


def _calls(calls: Any) -> Iterator[Piece]:
    """Calls as Chat Completions writes them: the name once, the arguments in pieces."""
    for call in rows(calls):
        function = call.get("function")
        place = text(call.get("index")) or text(call.get("id"))
        yield Piece("arguments", place, text(get(function, "arguments")), text(get(function, "name")))
