"""Replay a recording through the real SDK, backend and loop.

Functions are not run again unless requested; they return the recorded results.
"""

import json
import math
import threading
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable
from typing import Any

from assistant.backends import Backend, open_backend
from assistant.errors import ToolError
from assistant.events import Event, FormatRequested, RoundStarted, RunPaused, RunStopped, ToolCall, ToolResult
from assistant.json_values import get
from assistant.locale import N_, Sentence
from assistant.parts import Attachment
from assistant.recordings.recording import Recording
from assistant.recordings.requests import answer_request_of, protocol_of, replay_url_of
from assistant.request_options import RequestOptions
from assistant.runs.assistant import Assistant
from assistant.runs.run import Run
from assistant.settings import MAX_ROUNDS, MAX_TOOL_SECONDS, Settings
from assistant.texts import shorten
from assistant.threads import Thread
from assistant.tools.arguments import canonical_arguments
from assistant.tools.toolbox import Tool, Toolbox
from assistant.transports.cancellation import Cancellation
from assistant.transports.replay import ReplayTransport

MAX_WAITING_CALLS = 20
"""Maximum number of calls of a replay that wait at once, each on a thread; further ones return without a wait."""

MAX_SHOWN_CHARS = 200


def replay_assistant(
    recording: Recording, toolbox: Toolbox | None = None, *, speed: float = 1.0, run_functions: bool = False
) -> Assistant:
    """Return an assistant that answers once, as recorded.

    Run it on a new thread with ``prompt_of(recording)``.

    ``speed`` is that of ``ReplayTransport``. With ``run_functions`` the toolbox's functions are run again;
    ``differences`` compares their results with the recorded ones.

    Raises:
        ValueError: The speed is not above 0.
    """
    functions, waits = toolbox or Toolbox(), Cancellation()
    max_rounds, steered_rounds, events = MAX_ROUNDS, MAX_ROUNDS, recording.run_events()
    rounds = sum(isinstance(event, RoundStarted) for event in events)
    match events[-1:]:
        case [RunStopped("max_rounds")]:
            max_rounds = rounds
        case [RunStopped("steered")]:
            steered_rounds = rounds
    if not run_functions:
        functions = replayed_toolbox(recording, functions, speed, waits)
    timeout = 30.0 if run_functions else 2 * MAX_TOOL_SECONDS
    return _Replayer(
        _backend(recording, speed),
        functions,
        waits,
        _request_options(recording),
        max_rounds=max_rounds,
        tool_timeout=timeout,
        is_steered=lambda thread: thread.messages[-1].stats.rounds >= steered_rounds,
    )


class _Replayer(Assistant):
    """An assistant whose ``cancel`` also wakes the functions that wait."""

    def __init__(
        self,
        backend: Backend,
        toolbox: Toolbox,
        waits: Cancellation,
        request_options: RequestOptions,
        **options: Any,
    ) -> None:
        super().__init__(backend, toolbox, **options)
        self._waits, self._request_options = waits, request_options

    def run(self, thread: Thread, text: str, attachments: Iterable[Attachment] = ()) -> Run:
        thread.options = self._request_options
        return super().run(thread, text, attachments)

    def cancel(self, thread: Thread) -> None:
        self._waits.cancel()
        super().cancel(thread)


def replayed_toolbox(
    recording: Recording, toolbox: Toolbox, speed: float = math.inf, waits: Cancellation | None = None
) -> Toolbox:
    """Return the toolbox with functions that return the recorded results, after the recorded time.

    Cancelling ``waits`` ends their waits.

    Recorded functions that the toolbox lacks are added. A call is recognised by its function and arguments;
    the results of equal calls are returned in the recorded order.
    """
    results, waits = _RecordedResults(recording), waits or Cancellation()
    names = dict.fromkeys([*toolbox, *results.names()])
    return Toolbox(*(_ReplayedTool(name, toolbox.get(name), results, speed, waits) for name in names))


def differences(recording: Recording, events: Iterable[Event]) -> list[Sentence]:
    """Return where the functions' results in a run differ from the recorded ones, a sentence for each."""
    recorded = {event.call_id: event for event in recording.run_events() if isinstance(event, ToolResult)}
    names = {event.call_id: event.name for event in recording.run_events() if isinstance(event, ToolCall)}
    calls: dict[str, ToolCall] = {}
    seen: set[str] = set()
    found: list[Sentence] = []
    for event in events:
        if isinstance(event, ToolCall):
            calls[event.call_id] = event
        elif isinstance(event, ToolResult):
            seen.add(event.call_id)
            call, earlier = calls.get(event.call_id), recorded.get(event.call_id)
            name = f"{call.name}({shorten(call.arguments, MAX_SHOWN_CHARS)})" if call else event.call_id
            found += _difference(name, earlier, event)
    for call_id in [call_id for call_id in recorded if call_id not in seen]:
        found += _difference(names.get(call_id, call_id), recorded[call_id], None)
    return found


def _difference(name: str, earlier: ToolResult | None, now: ToolResult | None) -> list[Sentence]:
    before, after = (shorten(result.output, MAX_SHOWN_CHARS) if result else "" for result in (earlier, now))
    if earlier is None:
        text = N_("{call} has no result in the recording and now returns {output}.", call=name, output=after)
        return [text]
    if now is None:
        text = N_(
            "{call} returned {output} in the recording and has no result now.", call=name, output=before
        )
        return [text]
    if (earlier.output, earlier.outcome) == (now.output, now.outcome):
        return []
    return [
        N_(
            "{call} returned {before} ({outcome_before}) in the recording, and now returns {after} "
            "({outcome}).",
            call=name,
            before=before,
            outcome_before=earlier.outcome,
            after=after,
            outcome=now.outcome,
        )
    ]


def _request_options(recording: Recording) -> RequestOptions:
    """Return the format of the answer that was requested."""
    formats = (event for event in recording.run_events() if isinstance(event, FormatRequested))
    if (requested := next(formats, None)) is None:
        return RequestOptions()
    kind = "json_schema" if requested.schema else "json_object"
    return RequestOptions(text_format=kind, schema=requested.schema)


def _backend(recording: Recording, speed: float) -> Backend:
    request = answer_request_of(recording)
    settings = Settings(
        base_url=replay_url_of(recording),
        protocol=protocol_of(recording) or "responses",
        model=str(request.get("model") or "recording"),
        instructions=str(request.get("instructions") or ""),
        effort=str(get(request.get("reasoning"), "effort") or request.get("reasoning_effort") or ""),
        background=bool(request.get("background")),
        agent_id="recording",
        assistant_id="recording",
    )
    return open_backend(settings, ReplayTransport(recording, speed))


class _RecordedResults:
    """The results of a recording's calls; each is returned once."""

    def __init__(self, recording: Recording) -> None:
        self._lock = threading.Lock()
        # By function and number.
        self._unused: dict[str, OrderedDict[int, ToolResult]] = defaultdict(OrderedDict)
        self._numbers: dict[tuple[str, str], deque[int]] = defaultdict(deque)  # by function and arguments
        self.waiting = threading.Semaphore(MAX_WAITING_CALLS)
        self.undecided: set[str] = set()
        """The functions for which the recorded run waits for the user's decision."""
        self._known: set[str] = set()
        events = recording.run_events()
        is_paused = bool(events) and isinstance(events[-1], RunPaused)
        results: dict[str, deque[ToolResult]] = defaultdict(deque)  # a later round may use an id again
        for event in events:
            if isinstance(event, ToolResult):
                results[event.call_id].append(event)
        for number, call in enumerate(events):
            if not isinstance(call, ToolCall):
                continue
            if of_call := results[call.call_id]:
                result = of_call.popleft()
                self._unused[call.name][number] = result
                self._numbers[call.name, canonical_arguments(call.arguments)].append(number)
                self._known |= {call.name} if result.outcome != "unknown" else set()
            elif is_paused:
                self.undecided.add(call.name)

    def names(self) -> list[str]:
        """Return the functions that were called and existed when the run was recorded."""
        return [*(name for name in self._unused if name in self._known), *self.undecided]

    def next_result(self, name: str, arguments: Any) -> ToolResult | None:
        """Return the result of the function's next call with these arguments, else of its next call."""
        with self._lock:
            unused, numbers = self._unused[name], self._numbers[name, json.dumps(arguments, sort_keys=True)]
            while numbers:
                if (number := numbers.popleft()) in unused:
                    return unused.pop(number)
            return unused.popitem(last=False)[1] if unused else None


class _ReplayedTool(Tool[..., Any]):
    """A function of a recording."""

    def __init__(
        self,
        name: str,
        original: Tool[..., Any] | None,
        results: _RecordedResults,
        speed: float,
        waits: Cancellation,
    ) -> None:
        self.name = name
        self.description = original.description if original else "A function of the recording."
        self.parameters = original.parameters if original else {"type": "object", "properties": {}}
        self.strict = original.strict if original else False
        if original:
            self.offer, self.text_parameter = original.offer, original.text_parameter
            self.output_schema = original.output_schema
        self.timeout = 2 * MAX_TOOL_SECONDS
        self.background = original.background if original else False
        self.approval = self.name in results.undecided
        self._results, self._speed, self._waits = results, speed, waits

    def __repr__(self) -> str:
        return f"<Tool {self.name} of a recording>"

    def bind(self, arguments: Any) -> dict[str, Any]:
        return {"result": self._results.next_result(self.name, arguments)}

    def run(self, arguments: Any) -> ToolResult:
        result: ToolResult | None = arguments["result"]
        if result is None:
            raise ToolError(f"The recording has no result of '{self.name}' here.")
        seconds = min(result.seconds or 0.0, MAX_TOOL_SECONDS) / self._speed
        if seconds > 0 and self._results.waiting.acquire(blocking=False):
            self._waits.pause(seconds)
            self._results.waiting.release()
        return ToolResult("", result.output, result.outcome, result.detail)
