"""Measure a recording: what took how long, and the figures of the whole run.

Nothing is estimated. What the recording does not tell is None.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from assistant.events import RoundStarted, RunPaused, ToolCall, ToolResult
from assistant.json_values import get, number, parse_json, text
from assistant.locale import UserText
from assistant.recordings.costs import ResponseTokens, TokenCounter, total
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    EventEntry,
    RecordedEvent,
    RequestEntry,
    ResponseEntry,
    RunEntry,
)
from assistant.recordings.recording import Recording
from assistant.recordings.requests import split_url
from assistant.recordings.wire_events import (
    AgentModel,
    ItemStarted,
    Speech,
    SpeechPart,
    TextPiece,
    Tokens,
    TokensCounted,
    WirePart,
)
from assistant.recordings.wire_reader import WireReader
from assistant.texts import shorten

Kind = Literal["request", "waiting", "reasoning", "arguments", "function", "text"]
"""``request`` lasts until the response's head, ``waiting`` from there to the first word."""


MAX_ARGUMENT_CHARS = 40
"""Length of the arguments in the name of a call."""
MAX_PARSED_CHARS = 2_000
"""Arguments that are longer are not in the name of a call."""


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took from ``begin`` to ``end``, in seconds since the recording began."""

    name: str
    kind: Kind
    begin: float
    end: float
    round: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """The run in numbers; times are in seconds since it began.

    ``speed`` is in tokens per second while text or arguments were written, without reasoning. ``cost`` is in
    USD for all responses; ``cost_note`` tells by which prices, or why it is unknown.
    """

    first_event: float | None
    first_text: float | None
    duration: float
    speed: float | None
    model: str
    tokens: Tokens | None
    responses: tuple[ResponseTokens, ...]
    cost: float | None
    cost_note: UserText


@dataclass(slots=True)
class _Text:
    """A text while it is written, or the last one in its place."""

    speech: Speech
    name: str
    round: int
    begin: float
    end: float
    text: str = ""


@dataclass(slots=True)
class _Response:
    """The response to one request so far."""

    label: str
    round: int
    sent: float
    head: float | None = None
    is_stream: bool = False
    status: str = ""
    first_word: float | None = None
    end: float | None = None
    texts: dict[tuple[Speech, str], _Text] = field(default_factory=dict)


@dataclass(slots=True)
class _Call:
    call_id: str
    name: str
    round: int
    begin: float
    arguments: str = ""
    end: float | None = None
    outcome: str = ""


class Measurement:
    """What a recording so far tells about times and tokens."""

    def __init__(self, recording: Recording) -> None:
        self._reader = WireReader()
        self._answers: dict[int, _Response] = {}
        self._texts: list[_Text] = []
        self._calls: list[_Call] = []
        self._round = 0
        self._counter = TokenCounter()
        self._first_event: float | None = None
        self._first_text: float | None = None
        self._last = 0.0
        for entry in recording.entries():
            self._add(entry)

    def spans(self) -> list[Span]:
        """Return what took time, by its beginning; what has not ended lasts until the last entry."""
        found = [span for response in self._answers.values() for span in self._request_spans(response)]
        for written in self._texts:
            name = _call_name(written.name, written.text) if written.name else written.speech
            found.append(Span(name, written.speech, written.begin, written.end, written.round))
        for call in self._calls:
            end = self._last if call.end is None else call.end
            outcome = call.outcome or "no result"
            name = _call_name(call.name, call.arguments)
            found.append(Span(name, "function", min(call.begin, end), end, call.round, outcome))
        return sorted(found, key=lambda span: span.begin)

    def figures(self) -> Figures:
        """Return the figures so far."""
        responses = self._counter.responses()
        costs = [response.cost for response in responses if response.cost is not None]
        return Figures(
            first_event=self._first_event,
            first_text=self._first_text,
            duration=self._last,
            speed=self._speed(),
            model=responses[-1].model if responses else "",
            tokens=total(response.tokens for response in responses) if responses else None,
            responses=responses,
            cost=sum(costs) if responses and len(costs) == len(responses) else None,
            cost_note=self._counter.cost_note(),
        )

    def _add(self, entry: Entry) -> None:
        if entry.at < self._last:  # the recording was edited, or its clock was set back
            entry = replace(entry, at=self._last)
        self._last = entry.at
        response = self._answers.get(entry.exchange)
        parts = self._reader.read(entry).parts
        match entry:
            case RequestEntry():
                self._answers[entry.exchange] = self._add_request(entry)
            case RunEntry():
                self._add_event(entry.at, entry.event)
            case ResponseEntry() if response:
                response.head, response.status = entry.at, str(entry.status)
                response.is_stream = entry.type == "text/event-stream"
            case EventEntry() if response:
                if self._first_event is None:
                    self._first_event = entry.at
                self._add_parts(entry, response, parts)
            case BodyEntry() if response:
                self._add_parts(entry, response, parts)
            case EndEntry() if response:
                response.end = entry.at

    def _add_request(self, entry: RequestEntry) -> _Response:
        host, path = split_url(entry.url)
        self._counter.add_request(entry.exchange, host, text(get(entry.body, "model")))
        return _Response(f"{entry.method} {path}", self._round, entry.at)

    def _add_parts(
        self, entry: EventEntry | BodyEntry, response: _Response, parts: Sequence[WirePart]
    ) -> None:
        for part in parts:
            if isinstance(part, TokensCounted | AgentModel):
                self._counter.add(part, entry.exchange, self._round)
            elif isinstance(part, SpeechPart):
                self._add_speech(entry.at, response, part)

    def _add_speech(self, at: float, response: _Response, part: SpeechPart) -> None:
        if part.speech is None:
            return
        if response.first_word is None:
            response.first_word = at
        if self._first_text is None and part.speech == "text" and isinstance(part, TextPiece) and part.text:
            self._first_text = at
        name = part.name if isinstance(part, ItemStarted) else ""
        written = response.texts.get((part.speech, part.item))
        if written is None or (name and written.name):
            written = _Text(part.speech, "", self._round, at, at)
            response.texts[part.speech, part.item] = written
            self._texts.append(written)
        written.name = written.name or name
        if isinstance(part, TextPiece) and len(written.text) < MAX_PARSED_CHARS:
            written.text += part.text
        written.end = at

    def _add_event(self, at: float, event: RecordedEvent) -> None:
        match event:
            case RoundStarted(number=number):
                self._round = number
            case ToolCall():
                self._calls.append(_Call(event.call_id, event.name or "?", self._round, at, event.arguments))
            case ToolResult():
                self._add_result(at, event)
            case RunPaused():  # a call without a result has not been run
                self._calls = [call for call in self._calls if call.end is not None]

    def _add_result(self, at: float, result: ToolResult) -> None:
        unfinished = (call for call in self._calls if (call.call_id, call.end) == (result.call_id, None))
        call, seconds = next(unfinished, None), number(result.seconds)
        if call is None:  # it was requested in an earlier run, which waited for the user
            begin = max(0.0, round(at - (seconds or 0), 6))
            call = _Call(result.call_id, result.call_id or "?", self._round, begin)
            self._calls.append(call)
        elif seconds is not None:
            call.begin = max(call.begin, round(at - seconds, 6))
        call.end, call.outcome = at, result.outcome

    def _request_spans(self, response: _Response) -> list[Span]:
        end = self._last if response.end is None else response.end
        # A response that is not a stream has arrived when all of it has.
        head = response.head if response.is_stream and response.head is not None else end
        found = [Span(response.label, "request", response.sent, head, response.round, response.status)]
        if response.is_stream:
            first_word = end if response.first_word is None else response.first_word
            found.append(Span("waiting", "waiting", head, max(head, first_word), response.round))
        return found

    def _speed(self) -> float | None:
        seconds, until = dict[int, float](), -math.inf
        for written in sorted(self._texts, key=lambda written: written.begin):
            if written.speech != "reasoning":
                added = max(0.0, written.end - max(written.begin, until))
                seconds[written.round] = seconds.get(written.round, 0.0) + added
                until = max(until, written.end)
        # A round whose text came all at once tells nothing about the speed.
        timed = [response for response in self._counter.responses() if seconds.get(response.round)]
        tokens = sum(response.tokens.output - response.tokens.reasoning for response in timed)
        duration = sum(seconds[round] for round in {response.round for response in timed})
        return tokens / duration if tokens > 0 else None


def _call_name(name: str, arguments: str) -> str:
    """Return a call in few characters, such as ``get_weather(Paris)``; arguments without a value are left out."""
    values = parse_json(arguments)
    present = [value for value in values.values() if value is not None] if isinstance(values, dict) else []
    if not present:
        return name
    shown = ", ".join(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in present
    )
    return f"{name}({shorten(shown, MAX_ARGUMENT_CHARS)})"
