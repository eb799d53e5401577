"""The rows of the event table: the entries of a recording, with consecutive pieces of one text in one row."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from assistant.events import RoundStarted
from assistant.json_values import get, text
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    EventEntry,
    RequestEntry,
    ResponseEntry,
    RunEntry,
    entry_as_json,
    event_fields,
)
from assistant.recordings.wire_events import ItemStarted, SpeechPart, TextPiece
from assistant.recordings.wire_reader import WireReader, event_type
from assistant.texts import replace_surrogates

MAX_TEXT_CHARS = 240
"""Length of a row's text."""

_DIRECTIONS = {"request": "↑", "run": "·"}
"""Sent, and from this application; everything else is received: ↓."""

_SUMMARY_FIELDS = ("object", "type", "role", "name", "status", "code", "message", "text", "arguments")
"""The fields that tell an object from others of its kind."""


@dataclass(slots=True)
class EventRow:
    """One row: ``count`` entries from position ``first`` to ``last``; several are pieces of one text.

    ``since`` is the time since the previous entry in seconds, ``source`` identifies the text.
    """

    first: int
    last: int
    at: float
    since: float
    direction: str
    round: int
    exchange: int
    type: str
    item: str
    text: str = ""
    count: int = 1
    source: tuple[int, str, str, str] | None = field(default=None, repr=False)


class EventRows:
    """The rows of a recording so far. A recording only grows, so each entry is read once."""

    def __init__(self) -> None:
        self.all: list[EventRow] = []
        self.types: list[str] = []
        """The types in the order of their first occurrence."""
        self._reader = WireReader()
        self._length = 0
        self._round = 0
        self._last_at = 0.0

    @property
    def rounds(self) -> list[int]:
        """The numbers of the rounds; 0 is what came before the first."""
        return list(range(min((row.round for row in self.all[:1]), default=0), self._round + 1))

    def add(self, entries: Sequence[Entry]) -> None:
        """Add the new entries; ``entries`` are all of the recording."""
        for position in range(self._length, len(entries)):
            self._add_entry(position, entries[position])
        self._length = len(entries)

    def filter(self, types: Sequence[str] = (), rounds: Sequence[int] = ()) -> list[EventRow]:
        """Return the rows of these types and rounds; an empty filter matches every row."""
        if not types and not rounds:
            return self.all
        return [
            row
            for row in self.all
            if (not types or row.type in types) and (not rounds or row.round in rounds)
        ]

    def find(self, position: int) -> EventRow | None:
        """Return the row that contains an entry."""
        return next((row for row in self.all if row.first <= position <= row.last), None)

    def _add_entry(self, position: int, entry: Entry) -> None:
        if isinstance(entry, RunEntry) and isinstance(entry.event, RoundStarted):
            self._round += 1
        type_name = replace_surrogates(_type_of(entry))
        if type_name not in self.types:
            self.types.append(type_name)
        parts = self._reader.read(entry).speech
        piece = parts[0] if len(parts) == 1 and isinstance(parts[0], TextPiece) and parts[0].text else None
        source = (entry.exchange, type_name, piece.speech or "", piece.item) if piece else None
        row = self.all[-1] if self.all else None
        if piece and row and row.source == source:
            row.last, row.count = position, row.count + 1
            if len(row.text) < MAX_TEXT_CHARS:
                row.text = _one_line(row.text + piece.text)
        else:
            self.all.append(
                EventRow(
                    first=position,
                    last=position,
                    at=entry.at,
                    since=entry.at - self._last_at,
                    direction=_DIRECTIONS.get(entry.kind, "↓"),
                    round=self._round,
                    exchange=entry.exchange,
                    type=type_name,
                    item=replace_surrogates(_item_id(entry)),
                    text=_one_line("".join(map(_part_text, parts)) or _summary(entry)),
                    source=source,
                )
            )
        self._last_at = entry.at


def mentions(entry: Entry, name: str) -> bool:
    """Return whether a name, such as a call's id, occurs anywhere in an entry."""
    return name in json.dumps(entry_as_json(entry), ensure_ascii=False, default=str)


def _type_of(entry: Entry) -> str:
    """Return the type of a wire event, the class of a run's event, or else the kind of the entry."""
    match entry:
        case EventEntry():
            return event_type(entry)
        case RunEntry(event=event):
            return type(event).__name__
    return entry.kind


def _part_text(part: SpeechPart) -> str:
    match part:
        case ItemStarted(name=name):
            return name
        case TextPiece(text=piece):
            return piece
    return ""


def _item_id(entry: Entry) -> str:
    """Return the id of the item that an entry is about."""
    match entry:
        case EventEntry(data=data):
            item = get(data, "item")
            return text(get(item, "call_id")) or text(get(item, "id")) or text(get(data, "item_id"))
        case RunEntry(event=event):
            return text(event_fields(event).get("call_id"))
    return ""


def _summary(entry: Entry) -> str:
    """Return one line about an entry that is not part of a text."""
    match entry:
        case RequestEntry():
            return f"{entry.method} {entry.url.rpartition('://')[2]}"
        case ResponseEntry():
            return f"{entry.status} {entry.type}"
        case EndEntry():
            return f"{entry.how} {entry.text}"
        case BodyEntry():
            return _shorten(entry.body)
        case RunEntry():
            fields = {name: value for name, value in event_fields(entry.event).items() if name != "call_id"}
            return ", ".join(f"{name}={_shorten(value)}" for name, value in fields.items())
        case EventEntry(data=data):
            for name in ("error", "item", "part", "delta", "text", "arguments", "response"):
                if value := get(data, name):
                    return _shorten(value)
            return _shorten(data)
        case _:
            assert_never(entry)


def _shorten(value: Any) -> str:
    """Return a value in few characters; of an object only the fields that identify it."""
    if isinstance(value, dict):
        summary = {name: value[name] for name in _SUMMARY_FIELDS if isinstance(value.get(name), str | int)}
        value = summary or dict(list(value.items())[:4])
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shown[: 2 * MAX_TEXT_CHARS]


def _one_line(text: str) -> str:
    return replace_surrogates(text[:MAX_TEXT_CHARS].replace("\n", "⏎"))
