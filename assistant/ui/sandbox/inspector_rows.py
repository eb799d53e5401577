"""The rows of the inspector's table: a tape's entries, those of one text folded into one.

Not here: the table itself (``inspector_events.py``).

The one rule: a tape only grows, so what was folded once is not looked at again.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.recordings.pieces import Piece, kind_of, pieces_of
from assistant.recordings.recording import Entry
from assistant.recordings.streams import get, text
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
        if entry.kind == "run" and entry.what.get("event") == "RoundStarted":
            self._round += 1
        kind = replace_surrogates(kind_of(entry))
        if kind not in self.types:
            self.types.append(kind)
        pieces = pieces_of(entry)
        piece = pieces[0] if len(pieces) == 1 and pieces[0].text and not pieces[0].name else None
        place = (entry.exchange, kind, piece.speech, piece.item) if piece else None
        row = self.all[-1] if self.all else None
        if piece and row and row.place == place:
            row.last, row.count = number, row.count + 1
            if len(row.text) < SHOWN:
                row.text = _line(row.text + piece.text)
        else:
            self.all.append(self._row(number, entry, kind, pieces, place))
        self._last = entry.at

    def _row(
        self,
        number: int,
        entry: Entry,
        kind: str,
        pieces: list[Piece],
        place: tuple[int, str, str, str] | None,
    ) -> Row:
        said = "".join(piece.name + piece.text for piece in pieces)
        return Row(
            number,
            number,
            entry.at,
            entry.at - self._last,
            DIRECTIONS.get(entry.kind, "↓"),
            self._round,
            entry.exchange,
            kind,
            replace_surrogates(_item(entry.what)),
            _line(said or _words(entry)),
            place=place,
        )


def mentions(entry: Entry, name: str) -> bool:
    """Whether a name, such as a call's id, is anywhere in an entry."""
    return name in json.dumps(entry.what, ensure_ascii=False, default=str)


def _item(what: dict[str, Any]) -> str:
    """The id of the item that an entry is about."""
    data = what.get("data")
    item = get(data, "item")
    found = text(get(item, "call_id")) or text(get(item, "id")) or text(get(data, "item_id"))
    return found or text(what.get("call_id"))


def _words(entry: Entry) -> str:
    """An entry in a line, where it adds nothing to a text."""
    what = entry.what
    match entry.kind:
        case "request":
            return f"{text(what.get('method'))} {text(what.get('url')).rpartition('://')[2]}"
        case "response":
            return f"{text(what.get('status'))} {text(what.get('type'))}"
        case "end":
            return f"{text(what.get('how'))} {text(what.get('text'))}"
        case "body":
            return _short(what.get("body"))
        case "run":
            told = {name: each for name, each in what.items() if name not in ("event", "call_id")}
            return ", ".join(f"{name}={_short(each)}" for name, each in told.items())
    data = what.get("data")
    for name in ("error", "item", "part", "delta", "text", "arguments", "response"):
        if value := get(data, name):
            return _short(value)
    return _short(data)


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
