"""The log of a run: one worker appends events, and any number of pages follow it, each from the start."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from assistant.events import (
    CallApproved,
    CommentaryDelta,
    Ending,
    Event,
    HostedCall,
    ReasoningDelta,
    ReasoningEnded,
    RoundEnded,
    RoundStarted,
    RunStopped,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolProgress,
    ToolResult,
)
from assistant.locale import N_
from assistant.runs.run import Run

BATCH_SECONDS = 0.048
"""Interval between two batches while text streams; deltas that arrive meanwhile form one batch."""

IDLE_SECONDS = 1.0
"""Interval at which a run without followers reads text, and a disconnected follower checks again."""

RETURN_SECONDS = 1.0
"""Time within which a page follows a run again after a click elsewhere has interrupted it."""

MAX_CHARS = 20_000_000
"""Maximum size of a log; each event counts its text and ``EVENT_CHARS``. A longer run is ended."""

EVENT_CHARS = 100

TOO_LONG = RunStopped("unknown", N_("Stopped: the answer is too long to store."))

DELTAS = (TextDelta, CommentaryDelta, ReasoningDelta, ToolCallDelta)


class RunLog:
    """The events of one run so far. Appending and folding into the thread are one step, under one lock.

    The log starts with the events of the message as it was when the run started, for a resumed answer.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._events: list[Event] = list(run.message.events())
        self._chars = 0
        self._started = self._reasoning_since = self._last_event = time.monotonic()
        self._reasoning = self._is_answering = False
        self._followers, self._last_followed = 0, time.monotonic()  # a page has just started it
        self._call_times: dict[str, float] = {}
        # One lock with a condition for each kind of wait, so that a thread wakes up only for what it waits for.
        lock = threading.RLock()
        self._when_appended = threading.Condition(lock)
        self._when_ended = threading.Condition(lock)
        self._when_followed = threading.Condition(lock)  # or the log has ended

    @property
    def ended(self) -> bool:
        """Whether the log is complete."""
        return bool(self._events) and isinstance(self._events[-1], Ending)

    def append(self, event: Event) -> bool:
        """Fold an event into the thread and append it. Return False if the log is complete."""
        with self._when_appended:
            if self.ended:
                return False
            self._time_reasoning(event)
            self._add(event)
            if not self.ended and self._chars > MAX_CHARS:
                self._add(TOO_LONG)
            if self.ended:
                stats = self._run.message.stats
                self._run.message.stats = stats.with_seconds(time.monotonic() - self._started)
                self._when_ended.notify_all()
                self._when_followed.notify_all()
            self._when_appended.notify_all()
            return not self.ended

    def end(self, last: Callable[[], Iterable[Event]]) -> None:
        """Append the events that ``last`` yields, the ending among them; meanwhile nothing else is appended."""
        with self._when_appended:
            for event in last():
                self.append(event)

    def follow(self, is_connected: Callable[[], bool] = lambda: True) -> Iterator[list[Event]]:
        """Yield all events from the first, in batches; the last batch ends with the ending.

        An empty batch means that nothing happened for two intervals: the follower can do something else. The
        interval between batches of text grows from a quarter of ``BATCH_SECONDS``, and on a busy machine
        beyond it. A disconnected follower is paused and not counted.
        """
        position, delay, pause = 0, 0.0, 0.0
        while True:
            while not (is_connected() or self.ended):
                self._wait_for_end(IDLE_SECONDS)
                yield []
            with self._counted():
                while is_connected() or self.ended:
                    batch = self._events_from(position)
                    position += len(batch)
                    yield batch
                    if batch and isinstance(batch[-1], Ending):
                        return
                    if any(isinstance(event, (*DELTAS, ToolProgress)) for event in batch):
                        late = delay > BATCH_SECONDS
                        pause = min(2 * delay, 6 * BATCH_SECONDS) if late else pause + BATCH_SECONDS / 4
                        pause = pause if late else min(pause, BATCH_SECONDS)
                        due = time.monotonic() + pause
                        self._wait_for_end(pause)
                        delay = time.monotonic() - due

    def running_seconds(self, call_id: str) -> float:
        """Return for how long the call has been running; of one from before this run, how long the run has."""
        return time.monotonic() - self._call_times.get(call_id, self._started)

    @property
    def silent_seconds(self) -> float:
        """How long ago the last event of a response came; 0 between responses."""
        return time.monotonic() - self._last_event if self._is_answering else 0.0

    @property
    def is_followed(self) -> bool:
        """Whether there are followers; one that left may come back within ``RETURN_SECONDS``."""
        return bool(self._followers) or time.monotonic() - self._last_followed < RETURN_SECONDS

    def wait_for_follower(self, seconds: float) -> None:
        """Wait until the log has a follower or has ended, for ``seconds`` at most."""
        with self._when_followed:
            self._when_followed.wait_for(lambda: self._followers or self.ended, seconds)

    def _add(self, event: Event) -> None:
        self._run.fold(event)
        if not isinstance(event, ToolProgress | ToolResult):  # of functions that run beside the response
            self._last_event = time.monotonic()
        if isinstance(event, RoundStarted | RoundEnded):
            self._is_answering = isinstance(event, RoundStarted)
        if isinstance(event, Ending):
            event = self._run.message.ending or event  # the message may have ended a moment ago
        if isinstance(event, ToolCall | CallApproved | HostedCall):
            self._call_times.setdefault(event.call_id, time.monotonic())
        self._events.append(event)
        self._chars += EVENT_CHARS + sum(
            len(getattr(event, name, "")) for name in ("text", "arguments", "output", "detail")
        )

    def _time_reasoning(self, event: Event) -> None:
        """Add how long the model reasoned, once it continues with something else."""
        now, reasoning = time.monotonic(), isinstance(event, ReasoningDelta)
        if self._reasoning and not reasoning and not isinstance(event, Ending):
            self._add(ReasoningEnded(now - self._reasoning_since))
        self._reasoning = reasoning
        if not reasoning:
            self._reasoning_since = now

    def _events_from(self, position: int) -> list[Event]:
        with self._when_appended:
            if position == len(self._events):
                self._when_appended.wait(2 * BATCH_SECONDS)
            return self._events[position:]

    def _wait_for_end(self, seconds: float) -> None:
        with self._when_ended:
            self._when_ended.wait_for(lambda: self.ended, seconds)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._when_followed:
            self._followers += 1
            self._when_followed.notify_all()
        try:
            yield
        finally:
            with self._when_followed:
                self._followers -= 1
                self._last_followed = time.monotonic()
