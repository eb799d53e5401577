"""Follow the calls of a run along its recording: which were requested, answered, and still wait.

A request that carries the whole conversation is judged by itself. One to a server that keeps the conversation
is judged by what is known; calls that may be from an earlier run are not reported.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from assistant.events import RunCompleted, ToolCall, ToolResult
from assistant.locale import N_, Sentence
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    RecordedEvent,
    RequestEntry,
    ResponseEntry,
    RunEntry,
)
from assistant.recordings.requests import Protocol, summarize_request
from assistant.recordings.wire_events import CallListed
from assistant.recordings.wire_reader import WireReader

CallRule = Literal["answered", "orphan", "functions"]


@dataclass(slots=True)
class AnswerOutcome:
    """What one exchange came to, by positions in the recording."""

    protocol: Protocol = ""
    ended_well: set[int] = field(default_factory=set)  # where it, or a part of it, ended well
    calls: dict[str, int] = field(default_factory=dict)  # call id -> where it was requested
    background: set[str] = field(default_factory=set)  # the ids of calls after which the model went on


class CallTracker:
    """Judges the calls of a run; ``add`` takes every entry in order."""

    def __init__(
        self, outcomes: Mapping[int, AnswerOutcome], report: Callable[[int, CallRule, Sentence], None]
    ) -> None:
        self._outcomes = outcomes
        self._report = report
        self._reader = WireReader()
        self._known: set[str] = set()  # every call that was seen
        self._background: set[str] = set()
        self._open: set[str] = set()  # calls of finished responses that wait for their output
        self._sent: dict[int, list[str]] = {}  # exchange -> the outputs that it carries as news
        self._accepted: set[str] = set()  # the outputs that the server has accepted
        self._status: dict[int, int] = {}
        self._latest = AnswerOutcome()  # of the newest request to the model
        self._has_finished = False  # whether any response has ended well, or has requested anything

    def add(self, position: int, entry: Entry) -> None:
        """Judge an entry."""
        outcome = self._outcomes.get(entry.exchange, AnswerOutcome())
        match entry:
            case RequestEntry():
                self._add_request(position, entry, outcome)
            case ResponseEntry():
                self._status[entry.exchange] = entry.status
            case BodyEntry():
                parts = self._reader.read(entry).parts
                self._known |= {part.call_id for part in parts if isinstance(part, CallListed)}
            case EndEntry():
                if not outcome.protocol and self._status.get(entry.exchange) in (200, 201, 202):
                    self._accept_outputs(entry.exchange)
            case RunEntry():
                self._add_event(position, entry.event)
        self._background |= outcome.background
        self._known |= outcome.background
        if position in outcome.ended_well:
            self._has_finished = True
            self._accept_outputs(entry.exchange)
        for call_id, requested_at in outcome.calls.items():
            if requested_at == position:
                self._add_call(call_id, outcome.protocol)

    def _accept_outputs(self, exchange: int) -> None:
        self._accepted |= set(self._sent.pop(exchange, []))

    def _add_call(self, call_id: str, protocol: Protocol) -> None:
        if protocol != "agents" or call_id not in self._known:  # that server may list a call again
            self._open.add(call_id)
            self._accepted.discard(call_id)  # some servers use one id for all calls
        self._known.add(call_id)
        self._has_finished = True

    def _add_request(self, position: int, entry: RequestEntry, outcome: AnswerOutcome) -> None:
        request = summarize_request(entry)
        self._known |= set(request.calls)
        for call_id, times in Counter(request.outputs).items():
            if times > max(1, request.calls.count(call_id)):
                self._report(
                    position,
                    "answered",
                    N_("The call {call_id} is answered {times} times.", call_id=call_id, times=times),
                )
            elif not request.has_history and call_id in self._accepted:
                self._report(
                    position, "answered", N_("The call {call_id} was answered before.", call_id=call_id)
                )
            if call_id not in self._known and (request.has_history or self._has_finished):
                self._report(
                    position,
                    "orphan",
                    N_("There is an output for {call_id}, which was never called.", call_id=call_id),
                )
        due: set[str] = set()
        if request.asks_model:
            due = self._open | set(request.calls if request.has_history else [])
        for call_id in sorted(due - set(request.outputs)):
            self._report(position, "answered", N_("The call {call_id} is not answered.", call_id=call_id))
        self._open -= {*request.outputs, *due}
        if request.cancels:
            self._open.clear()
        if not request.has_history:
            self._sent[entry.exchange] = request.outputs
        if request.asks_model or outcome.protocol:
            self._latest = outcome

    def _add_event(self, position: int, event: RecordedEvent) -> None:
        match event:
            case ToolCall(call_id, background=True):
                self._background.add(call_id)
                self._known.add(call_id)
            case ToolCall(call_id=call_id) | ToolResult(call_id=call_id) if call_id not in self._background:
                latest = self._latest
                ended_well = any(earlier < position for earlier in latest.ended_well)
                is_listed = latest.protocol == "agents" and call_id in self._known
                if latest.protocol and not ended_well and not is_listed:
                    name = type(event).__name__
                    self._report(
                        position,
                        "functions",
                        N_(
                            "{event} of {call_id}, although no round has ended well.",
                            event=name,
                            call_id=call_id,
                        ),
                    )
            case RunCompleted():
                for call_id in sorted(self._open):
                    self._report(
                        position,
                        "answered",
                        N_("The run is complete, but the call {call_id} is not answered.", call_id=call_id),
                    )
                self._open.clear()
