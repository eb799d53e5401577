"""The checker: whether what is on a tape keeps to what the protocols promise.

Not here: how a protocol says things (``streams.py``), how calls and their outputs go together (``calls.py``).

The one rule: it says nothing of what it does not understand, and no tape makes it raise.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

from assistant.recordings.call_tracker import Course, Round
from assistant.recordings.recording import Entry, Exchange, Recording
from assistant.recordings.redaction import REMOVED
from assistant.recordings.streams import Said, calls_in, entries_of, get, is_number, reader_of, text

Rule = Literal["one ending", "after the end", "sequence", "deltas", "answered", "orphan", "functions"]
"""An answer has one ending; nothing comes after it; numbers rise by one; the pieces are the whole; each call
of a finished response is answered once; nothing else is answered; functions only after a round ended well."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A promise that is broken, and the position on the tape of the entry that breaks it."""

    entry: int
    rule: Rule
    text: str


def check(recording: Recording) -> list[Finding]:
    """What is wrong on a tape, in its order; an empty list if nothing is."""
    entries = recording.entries()
    positions = {id(entry): position for position, entry in enumerate(entries)}
    found: dict[Finding, None] = {}  # in order, and each once

    def find(position: int, rule: Rule, words: str) -> None:
        found[Finding(position, rule, words)] = None

    rounds: dict[int, Round] = {}
    for exchange in Recording(entries=entries).exchanges():
        answer = _Answer(exchange, positions, found)
        rounds[exchange.number] = answer.judge()
    course = Course(rounds, find)
    for position, entry in enumerate(entries):
        course.take(position, entry)
    return sorted(found, key=lambda each: each.entry)


class _Answer:
    """One answer, judged by itself."""

    def __init__(self, exchange: Exchange, positions: dict[int, int], found: dict[Finding, None]) -> None:
        self._exchange = exchange
        self._positions = positions
        self._found = found
        self._round = Round(reader_of(exchange)[0])
        self._ends: dict[Hashable, Said] = {}  # what has ended, and by what
        self._begun: set[Hashable] = set()
        self._pieces: dict[Hashable, list[str]] = {}
        self._asked: list[str] = []  # calls
        # An answer that is taken up in its middle does not say again what came before.
        self._resumed = "starting_after" in text(exchange.request.what.get("url"))

    def judge(self) -> Round:
        """Find what is wrong; gives what came of it."""
        for entry, said in entries_of(self._exchange):
            self._order(entry, said)
            self._calls(entry, said)
            self._sums(entry, said)
        self._numbers(self._exchange.events)
        self._ending()
        self._whole()
        return self._round

    def _find(self, entry: Entry, rule: Rule, words: str) -> None:
        self._found[Finding(self._positions[id(entry)], rule, words)] = None

    def _order(self, entry: Entry, said: Said) -> None:
        if said.about or not said.late:
            self._begun.add(said.about)
        over = self._ends.get(said.about)
        if over and said.end:
            if not over.error:
                self._find(entry, "one ending", "The answer had ended before, and ends once more.")
            return
        if "stream" in self._ends or (over and not said.late):
            self._find(entry, "after the end", "This came after the end of the answer.")
        elif said.end:
            self._ends[said.about] = said
            if self._round.protocol == "agents" or all(each.end == "well" for each in self._ends.values()):
                self._round.well.add(self._positions[id(entry)])

    def _calls(self, entry: Entry, said: Said) -> None:
        """A call holds from the end of its response on; the Agents API asks for it while it goes on."""
        own = said.end and self._round.protocol != "chat"
        if not (own and self._asked):  # what an ending lists has been said before, where it is said at all
            self._asked += filter(None, said.calls)
        if self._round.protocol == "agents" or self._positions[id(entry)] in self._round.well:
            for call in self._asked:
                self._round.calls.setdefault(call, self._positions[id(entry)])

    def _sums(self, entry: Entry, said: Said) -> None:
        for key, piece in said.pieces:
            self._pieces.setdefault(key, []).append(piece)
        for key, whole in said.wholes:
            if self._resumed or key not in self._pieces or REMOVED in whole:
                continue
            self._pieces[key] = [pieces := "".join(self._pieces[key])]
            if pieces != whole:
                self._find(
                    entry,
                    "deltas",
                    f"The pieces make {len(pieces)} characters, which are not the {len(whole)} of the whole.",
                )

    def _numbers(self, events: Iterable[Entry]) -> None:
        before: int | None = None
        for entry in events:
            number = get(entry.what.get("data"), "sequence_number")
            if not is_number(number):
                continue
            if before is not None and number != before + 1:
                self._find(entry, "sequence", f"Number {before} is followed by number {number}.")
            before = number

    def _ending(self) -> None:
        """Find an answer that nobody hung up on, and that has come to no end."""
        end, response = self._exchange.end, self._exchange.response
        if end is None or end.what.get("how") == "hung up" or self._exchange.body is not None:
            return
        if response is None or response.what.get("status") != 200 or not self._round.protocol:
            return
        open_ones = self._begun - set(self._ends) if self._round.protocol == "agents" else not self._ends
        if open_ones:
            self._find(end, "one ending", "The answer stopped without its last event.")

    def _whole(self) -> None:
        """Take up a response that came in one piece."""
        body = self._exchange.body
        value = body and body.what.get("body")
        if body is not None and get(value, "object") == "response" and get(value, "status") == "completed":
            position = self._positions[id(body)]
            calls = dict.fromkeys(filter(None, calls_in(get(value, "output"))), position)
            self._round = Round("responses", {position}, calls)
