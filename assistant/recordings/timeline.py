"""Measures a tape: what took how long, and the figures of the whole run.

Not here: what an event adds (``pieces.py``), tokens and what they cost (``tokens.py``), or any picture.

The one rule: nothing is estimated. What the tape does not tell is None, and the reason is said.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from assistant.recordings.pieces import Speech, pieces_of
from assistant.recordings.recording import Entry, Recording
from assistant.recordings.streams import get, text
from assistant.recordings.tokens import Counter, Response, Tokens, number, total

Kind = Literal["request", "waiting", "reasoning", "arguments", "function", "text"]
"""Until an answer's head; until its first event that says something; a text's pieces; a function's run."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took from ``begin`` to ``end``, in seconds since the tape began."""

    name: str
    kind: Kind
    begin: float
    end: float
    round: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The run in numbers; times are in seconds since it began.

    ``speed`` is in tokens per second while text or arguments were being written, reasoning left out.
    ``cost`` is in USD for all responses, or None; ``cost_note`` says by which prices, or why it is not known.
    """

    first_event: float | None
    first_text: float | None
    whole: float
    speed: float | None
    model: str
    tokens: Tokens | None
    responses: tuple[Response, ...]
    cost: float | None
    cost_note: str


def spans(recording: Recording) -> list[Span]:
    """What took time on a tape, by its beginning; what has not ended lasts until the last entry."""
    return Measurement(recording.entries()).spans()


def figures(recording: Recording) -> Figures:
    """The figures of a tape, as far as it goes."""
    return Measurement(recording.entries()).figures()


@dataclass(slots=True)
class _Answer:
    """The answer to one request, as far as it came."""

    label: str
    round: int
    sent: float
    head: float | None = None
    stream: bool = False
    status: str = ""
    said: float | None = None  # when something was said first
    end: float | None = None
    texts: "dict[tuple[Speech, str], _Text]" = field(default_factory=dict)


@dataclass(slots=True)
class _Text:
    """A text while it is written, or the last of those in one place."""

    speech: Speech
    name: str
    round: int
    begin: float
    end: float


@dataclass(slots=True)
class _Call:
    call_id: str
    name: str
    round: int
    begin: float
    end: float | None = None
    outcome: str = ""


class Measurement:
    """Measures entries as they come; give it each of them once, in order."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._answers: dict[int, _Answer] = {}
        self._texts: list[_Text] = []
        self._calls: list[_Call] = []
        self._round = 0
        self._counter = Counter()
        self._first_event: float | None = None
        self._first_text: float | None = None
        self._last = 0.0
        self.add(entries)

    def add(self, entries: Iterable[Entry]) -> None:
        """Take up more entries."""
        for entry in entries:
            if entry.at < self._last:  # on the tape of a strange clock; here, time does not go back
                entry = replace(entry, at=self._last)
            self._last = entry.at
            answer = self._answers.get(entry.exchange)
            match entry.kind:
                case "request":
                    self._answers[entry.exchange] = self._sent(entry)
                case "run":
                    self._own(entry)
                case "response" if answer:
                    answer.head, answer.status = entry.at, text(entry.what.get("status"))
                    answer.stream = entry.what.get("type") == "text/event-stream"
                case "event" if answer:
                    self._event(entry, answer)
                case "body" if answer:
                    self._counter.take(entry.what.get("body"), entry.exchange, self._round)
                case "end" if answer:
                    answer.end = entry.at

    def spans(self) -> list[Span]:
        """What took time so far."""
        found = [span for answer in self._answers.values() for span in self._of(answer)]
        found += [
            Span(each.name or each.speech, each.speech, each.begin, each.end, each.round)
            for each in self._texts
        ]
        for call in self._calls:
            end = self._last if call.end is None else call.end
            outcome = call.outcome or "no result"
            found.append(Span(call.name, "function", min(call.begin, end), end, call.round, outcome))
        return sorted(found, key=lambda span: span.begin)

    def figures(self) -> Figures:
        """The figures so far."""
        responses = self._counter.responses()
        costs = [each.cost for each in responses if each.cost is not None]
        return Figures(
            first_event=self._first_event,
            first_text=self._first_text,
            whole=self._last,
            speed=self._speed(),
            model=responses[-1].model if responses else "",
            tokens=total(each.tokens for each in responses) if responses else None,
            responses=responses,
            cost=sum(costs) if responses and len(costs) == len(responses) else None,
            cost_note=self._counter.note(),
        )

    def _sent(self, entry: Entry) -> _Answer:
        url = text(entry.what.get("url")).partition("?")[0]
        host, slash, path = url.rpartition("://")[2].partition("/")
        label = f"{text(entry.what.get('method'))} {slash}{path}"
        self._counter.asked(entry.exchange, host, text(get(entry.what.get("body"), "model")))
        return _Answer(label, self._round, entry.at)

    def _event(self, entry: Entry, answer: _Answer) -> None:
        if self._first_event is None:
            self._first_event = entry.at
        for piece in pieces_of(entry):
            if answer.said is None:
                answer.said = entry.at
            if self._first_text is None and piece.speech == "text" and piece.text:
                self._first_text = entry.at
            place = piece.speech, piece.item
            written = answer.texts.get(place)
            if written is None or (piece.name and written.name):
                written = _Text(piece.speech, "", self._round, entry.at, entry.at)
                answer.texts[place] = written
                self._texts.append(written)
            written.name = written.name or piece.name
            written.end = entry.at
        self._counter.take(entry.what.get("data"), entry.exchange, self._round)

    def _own(self, entry: Entry) -> None:
        what, call_id = entry.what, text(entry.what.get("call_id"))
        match what.get("event"):
            case "RoundStarted":
                self._round = int(number(what.get("number")) or self._round + 1)
            case "ToolCall":
                name = text(what.get("name")) or "?"
                self._calls.append(_Call(call_id, name, self._round, entry.at))
            case "ToolResult":
                call = next(
                    (each for each in self._calls if (each.call_id, each.end) == (call_id, None)), None
                )
                seconds = number(what.get("seconds"))
                if call is None:  # it was asked for in an earlier run, which waited for a person
                    call = _Call(
                        call_id, call_id or "?", self._round, max(0.0, round(entry.at - (seconds or 0), 6))
                    )
                    self._calls.append(call)
                elif seconds is not None:
                    call.begin = max(call.begin, round(entry.at - seconds, 6))
                call.end, call.outcome = entry.at, text(what.get("outcome"))
            case "RunPaused":  # what has no result has not been run
                self._calls = [each for each in self._calls if each.end is not None]

    def _of(self, answer: _Answer) -> list[Span]:
        """The spans of a request itself."""
        over = self._last if answer.end is None else answer.end
        # An answer that is no stream is there when all of it is.
        head = answer.head if answer.stream and answer.head is not None else over
        found = [Span(answer.label, "request", answer.sent, head, answer.round, answer.status)]
        if answer.stream:
            said = over if answer.said is None else answer.said
            found.append(Span("waiting", "waiting", head, max(head, said), answer.round))
        return found

    def _speed(self) -> float | None:
        seconds, until = dict.fromkeys(range(self._round + 1), 0.0), -math.inf
        for each in sorted(self._texts, key=lambda each: each.begin):
            if each.speech != "reasoning":
                more = max(0.0, each.end - max(each.begin, until))
                seconds[each.round] = seconds.get(each.round, 0.0) + more
                until = max(until, each.end)
        # Where all came at once, nobody saw how fast it was written.
        timed = [each for each in self._counter.responses() if seconds.get(each.round)]
        tokens = sum(each.tokens.output - each.tokens.reasoning for each in timed)
        return tokens / sum(seconds[each] for each in {each.round for each in timed}) if tokens > 0 else None
