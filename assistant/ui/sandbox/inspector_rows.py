"""The rows of the inspector's table: a tape's entries, those of one text folded into one.

Not here: the table itself (``inspector_events.py``).

The one rule: a tape only grows, so what was folded once is not looked at again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never

from assistant.events import RoundStarted
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
from assistant.recordings.json_values import get, text
from assistant.recordings.wire_events import ItemStarted, SpeechPart, TextPiece
from assistant.recordings.wire_reader import WireReader, event_type
from assistant.tools.results import replace_surrogates

SHOWN = 240
"""Characters of a row's text: what a line of a table can show."""

DIRECTIONS = {"request": "↑", "run": "·"}
"""Sent, and said by our own loop; everything else was received: ↓."""


@dataclass(slots=True)
class Row:
    """One row: the entries from ``first`` to ``last``, ``count`` of them, that say pieces of one text."""

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
    place: tuple[int, str, str, str] | None = field(default=None, repr=False)


class Rows:
    """The rows of a tape so far."""

    def __init__(self) -> None:
        self.all: list[Row] = []
        self.types: list[str] = []
        """The types there are, in the order in which they came."""
        self._reader = WireReader()
        self._taken = 0
        self._round = 0
        self._last = 0.0

    @property
    def rounds(self) -> list[int]:
        """The rounds there are; 0 is what came before the first."""
        return list(range(min((row.round for row in self.all[:1]), default=0), self._round + 1))

    def add(self, entries: Sequence[Entry]) -> None:
        """Fold what has come since the last time; ``entries`` are all of the tape."""
        for number in range(self._taken, len(entries)):
            self._fold(number, entries[number])
        self._taken = len(entries)

    def of(self, types: Sequence[str] = (), rounds: Sequence[int] = ()) -> list[Row]:
        """The rows of these types and rounds; of all where none is named."""
        if not types and not rounds:
            return self.all
        return [
            row
            for row in self.all
            if (not types or row.type in types) and (not rounds or row.round in rounds)
        ]

    def of_entry(self, number: int) -> Row | None:
        """The row that an entry is in."""
        return next((row for row in self.all if row.first <= number <= row.last), None)

    def _fold(self, number: int, entry: Entry) -> None:
        if isinstance(entry, RunEntry) and isinstance(entry.event, RoundStarted):
            self._round += 1
        kind = replace_surrogates(_type_of(entry))
        if kind not in self.types:
            self.types.append(kind)
        parts = self._reader.read(entry).speech
        piece = parts[0] if len(parts) == 1 and isinstance(parts[0], TextPiece) and parts[0].text else None
        place = (entry.exchange, kind, piece.speech or "", piece.item) if piece else None
        row = self.all[-1] if self.all else None
        if piece and row and row.place == place:
            row.last, row.count = number, row.count + 1
            if len(row.text) < SHOWN:
                row.text = _line(row.text + piece.text)
        else:
            self.all.append(self._row(number, entry, kind, parts, place))
        self._last = entry.at

    def _row(
        self,
        number: int,
        entry: Entry,
        kind: str,
        parts: list[SpeechPart],
        place: tuple[int, str, str, str] | None,
    ) -> Row:
        said = "".join(map(_text_of, parts))
        return Row(
            number,
            number,
            entry.at,
            entry.at - self._last,
            DIRECTIONS.get(entry.kind, "↓"),
            self._round,
            entry.exchange,
            kind,
            replace_surrogates(_item(entry)),
            _line(said or _words(entry)),
            place=place,
        )


def mentions(entry: Entry, name: str) -> bool:
    """Whether a name, such as a call's id, is anywhere in an entry."""
    return name in json.dumps(entry_as_json(entry), ensure_ascii=False, default=str)


def _type_of(entry: Entry) -> str:
    """The type of an entry: a wire event's, the name of a run's event, or its kind."""
    match entry:
        case EventEntry():
            return event_type(entry)
        case RunEntry(event=event):
            return type(event).__name__
    return entry.kind


def _text_of(part: SpeechPart) -> str:
    match part:
        case ItemStarted(name=name):
            return name
        case TextPiece(text=piece):
            return piece
    return ""


def _item(entry: Entry) -> str:
    """The id of the item that an entry is about."""
    match entry:
        case EventEntry(data=data):
            item = get(data, "item")
            return text(get(item, "call_id")) or text(get(item, "id")) or text(get(data, "item_id"))
        case RunEntry(event=event):
            return text(event_fields(event).get("call_id"))
    return ""


def _words(entry: Entry) -> str:
    """An entry in a line, where it adds nothing to a text."""
    match entry:
        case RequestEntry():
            return f"{entry.method} {entry.url.rpartition('://')[2]}"
        case ResponseEntry():
            return f"{entry.status} {entry.type}"
        case EndEntry():
            return f"{entry.how} {entry.text}"
        case BodyEntry():
            return _short(entry.body)
        case RunEntry():
            fields = {name: value for name, value in event_fields(entry.event).items() if name != "call_id"}
            return ", ".join(f"{name}={_short(value)}" for name, value in fields.items())
        case EventEntry(data=data):
            for name in ("error", "item", "part", "delta", "text", "arguments", "response"):
                if value := get(data, name):
                    return _short(value)
            return _short(data)
        case _:
            assert_never(entry)


def _short(value: Any) -> str:
    """A value in a few words: of an object only what tells it from others of its kind."""
    if isinstance(value, dict):
        telling = {name: value[name] for name in _TELLING if isinstance(value.get(name), str | int)}
        value = telling or dict(list(value.items())[:4])
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return shown[: 2 * SHOWN]


_TELLING = ("object", "type", "role", "name", "status", "code", "message", "text", "arguments")


def _line(words: str) -> str:
    return replace_surrogates(words[:SHOWN].replace("\n", "⏎"))
