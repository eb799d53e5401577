"""Check a recording against what the protocols promise.

What is not understood is not reported, and no recording raises.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Literal

from assistant.json_values import get, is_integer
from assistant.locale import N_, Sentence, UserText
from assistant.recordings.call_tracker import AnswerOutcome, CallTracker
from assistant.recordings.entries import BodyEntry, Entry, EventEntry
from assistant.recordings.recording import Exchange, Recording
from assistant.recordings.redaction import REMOVED
from assistant.recordings.wire_events import (
    BackgroundCall,
    CallRequested,
    Ended,
    EventSummary,
    TextDone,
    TextPiece,
    WirePart,
)
from assistant.recordings.wire_reader import WireReader

Rule = Literal["one ending", "after the end", "sequence", "deltas", "answered", "orphan", "functions"]
"""An answer has one ending; nothing follows it; sequence numbers rise by one; the pieces of a text make the
whole; each call of a finished response is answered once; no other call is answered; functions run only after
their round ended well. A call in the background may be answered at any later time, and runs at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule; ``entry`` is the position in the recording of the entry that breaks it."""

    entry: int
    rule: Rule
    text: UserText


def check(recording: Recording) -> list[Finding]:
    """Return what is wrong in a recording, in its order; an empty list if nothing is."""
    entries = recording.entries()
    positions = {id(entry): position for position, entry in enumerate(entries)}
    found: dict[Finding, None] = {}  # in order, without repetition

    def report(position: int, rule: Rule, text: Sentence) -> None:
        found[Finding(position, rule, text)] = None

    outcomes: dict[int, AnswerOutcome] = {}
    for exchange in Recording(entries=entries).exchanges():
        outcomes[exchange.number] = _AnswerChecker(exchange, positions, found).check()
    tracker = CallTracker(outcomes, report)
    for position, entry in enumerate(entries):
        tracker.add(position, entry)
    return sorted(found, key=lambda finding: finding.entry)


class _AnswerChecker:
    """Checks one answer by itself."""

    def __init__(self, exchange: Exchange, positions: dict[int, int], found: dict[Finding, None]) -> None:
        self._exchange = exchange
        self._positions = positions
        self._found = found
        self._outcome = AnswerOutcome()
        self._endings: dict[Hashable, Ended] = {}  # by scope
        self._scopes: set[Hashable] = set()
        self._pieces: dict[Hashable, list[str]] = {}
        self._calls: list[str] = []
        # A response that is resumed in its middle does not repeat what came before.
        self._is_resumed = "starting_after" in exchange.request.url

    def check(self) -> AnswerOutcome:
        """Report what is wrong, and return what the answer came to."""
        reader = WireReader()
        reader.read(self._exchange.request)
        for entry in self._exchange.events:
            event = reader.read(entry)
            self._outcome.protocol = event.protocol
            self._check_order(entry, event)
            self._collect_calls(entry, event)
            for part in event.parts:
                self._check_text(entry, part)
        self._outcome.protocol = reader.protocol(self._exchange.number)
        self._check_sequence(self._exchange.events)
        self._check_ending()
        if self._exchange.body is not None:
            self._read_body(self._exchange.body, reader)
        return self._outcome

    def _report(self, entry: Entry, rule: Rule, text: Sentence) -> None:
        self._found[Finding(self._positions[id(entry)], rule, text)] = None

    def _check_order(self, entry: EventEntry, event: EventSummary) -> None:
        if not event.protocol:
            return
        if event.scope or not event.may_follow_end:
            self._scopes.add(event.scope)
        earlier = self._endings.get(event.scope)
        ended = next((part for part in event.parts if isinstance(part, Ended)), None)
        if earlier and ended:
            if not earlier.is_error:
                self._report(entry, "one ending", N_("The answer had ended before, and ends once more."))
            return
        if "stream" in self._endings or (earlier and not event.may_follow_end):
            self._report(entry, "after the end", N_("This came after the end of the answer."))
        elif ended:
            self._endings[event.scope] = ended
            if event.protocol == "agents" or all(ending.ended_well for ending in self._endings.values()):
                self._outcome.ended_well.add(self._positions[id(entry)])

    def _collect_calls(self, entry: EventEntry, event: EventSummary) -> None:
        """A call is valid from the end of its response on; in the Agents API at once."""
        position = self._positions[id(entry)]
        self._outcome.background |= {part.call_id for part in event.parts if isinstance(part, BackgroundCall)}
        calls = [part.call_id for part in event.parts if isinstance(part, CallRequested) and part.call_id]
        has_ended = any(isinstance(part, Ended) for part in event.parts)
        # An ending repeats the calls of the response, except in Chat Completions.
        if not (has_ended and event.protocol != "chat" and self._calls):
            self._calls += calls
        if event.protocol == "agents" or position in self._outcome.ended_well:
            for call_id in self._calls:
                self._outcome.calls.setdefault(call_id, position)

    def _check_text(self, entry: EventEntry, part: WirePart) -> None:
        match part:
            case TextPiece(key=key, text=piece):
                self._pieces.setdefault(key, []).append(piece)
            case TextDone(key=key, text=str(whole)):
                if self._is_resumed or key not in self._pieces or REMOVED in whole:
                    return
                self._pieces[key] = [pieces := "".join(self._pieces[key])]
                if pieces != whole:
                    text = N_(
                        "The pieces make {pieces} characters, which are not the {whole} of the whole.",
                        pieces=len(pieces),
                        whole=len(whole),
                    )
                    self._report(entry, "deltas", text)

    def _check_sequence(self, events: Iterable[EventEntry]) -> None:
        previous: int | None = None
        for entry in events:
            number = get(entry.data, "sequence_number")
            if not is_integer(number):
                continue
            if previous is not None and number != previous + 1:
                text = N_("Number {first} is followed by number {second}.", first=previous, second=number)
                self._report(entry, "sequence", text)
            previous = number

    def _check_ending(self) -> None:
        """Report an answer that stopped before its ending, unless we closed the connection."""
        end, response = self._exchange.end, self._exchange.response
        if end is None or end.how == "hung up" or self._exchange.body is not None:
            return
        if response is None or response.status != 200 or not self._outcome.protocol:
            return
        is_unfinished = not self._endings
        if self._outcome.protocol == "agents":
            is_unfinished = bool(self._scopes - set(self._endings))
        if is_unfinished:
            self._report(end, "one ending", N_("The answer stopped without its last event."))

    def _read_body(self, body: BodyEntry, reader: WireReader) -> None:
        """Read a response that came in one piece."""
        parts, position = reader.read(body).parts, self._positions[id(body)]
        if any(isinstance(part, Ended) and part.ended_well for part in parts):
            calls = [part.call_id for part in parts if isinstance(part, CallRequested) and part.call_id]
            self._outcome = AnswerOutcome("responses", {position}, dict.fromkeys(calls, position))
