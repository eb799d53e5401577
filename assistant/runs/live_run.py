"""A run on a thread of its own, behind an append-only log that anybody can follow.

Not here: Streamlit, or what a run does (``run.py``).

The one rule: a page only ever follows. A click, a reload, a second page or a lost connection ends a
follower, never the run; ``stop`` alone ends a run, and does so at once.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from assistant.events import (
    Ending,
    Event,
    ReasoningDelta,
    ReasoningEnded,
    RoundEnded,
    RoundStarted,
    RunFailed,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCallDelta,
    ToolProgress,
)
from assistant.runs.loop import STOPPED
from assistant.threads import Thread

log = logging.getLogger(__name__)

HEARTBEAT = 0.1
"""Seconds after which a follower gets control even when nothing happened."""

PACE = 0.048
"""Seconds after a batch that held pieces of text: what piles up meanwhile is handed over in one go."""

LONGEST_PACE = 0.3
"""The same, where the machine is so busy that followers wake late."""

ENTRY_LENGTH = 2_000
"""Characters up to which pieces of text that nobody has seen yet are joined in one entry of the log."""

MOST_ENTRIES = 20_000
MOST_CHARACTERS = 20_000_000
"""The bounds of a log. A run that goes beyond them is ended: it would use up the memory of everybody."""

TOO_LONG = RunStopped("unknown", "Stopped: the answer became too long to keep.")

REST = 1.0
"""Seconds for which a run that nobody follows lets text come before it reads on: what costs is to wake."""

ABSENCE = 0.5
"""Seconds after which a follower whom nobody sees looks whether somebody is back."""

BETWEEN_RESTS = 0.1
"""Seconds for which it reads then, however busy the machine: it gives way to others, but it gets on."""

AT_ONCE = 0.005
"""Seconds within which an event has come without being waited for: there may be more where it was."""

KEEP_EVERY = 1.0
"""Seconds after which a text that is being written is kept, however unfinished; what is finished, at once."""

_PIECES = (TextDelta, ReasoningDelta, ToolCallDelta)
_OFTEN = (*_PIECES, ToolProgress)


class Keeping(Protocol):
    """What keeps threads beyond this process, and sees to it that one process alone answers each."""

    def take(self, thread: Thread, lost: Callable[[], None]) -> Thread | None:
        """Let this process alone answer the thread; ``lost`` is called when it has to stop.

        Gives the thread as another process has left it, where that is newer.

        Raises:
            ThreadBusy: Another process is answering it.
        """

    def keep(self, thread: Thread, since: int, backend_state: bool) -> None:
        """Keep the thread's messages from position ``since`` on, and the backend's notes if ``backend_state``."""

    def release(self, thread: Thread) -> None:
        """The thread is not being answered any more."""


class LiveRun:
    """One run while it goes on, and its log after that."""

    def __init__(
        self,
        thread: Thread,
        events: Generator[Event, None, None],
        cancel: Callable[[Thread], None],
        autosaver: Keeping | None,
    ) -> None:
        self.thread = thread
        self._cancel = cancel
        self._keeper = autosaver
        self.first = len(thread.messages) - 1  # the index of the message that this run writes
        self._events = events
        # An answer that is gone on with has said something before.
        self._log: list[Event] = [event for message in thread.messages[-1:] for event in message.events()]
        self._seen = 0  # how many entries a follower has been given: those never change
        self._length = 0  # in characters
        self._began = self._since = time.monotonic()  # since: the last that was no reasoning
        self._reasons = False  # whether the last event was reasoning
        self._keeping = threading.Lock()
        self._due = math.inf  # when what was said since the answer was last kept has to be kept
        self._unkept = threading.Condition()
        self._news = threading.Condition(threading.RLock())
        self._over = threading.Event()  # set when the log is complete
        self._followers = 0
        self._restless = threading.Event()  # set while there are any, and when the log is complete
        self._worker = threading.Thread(target=self._drain, name=f"run {thread.id}", daemon=True)
        self._clerk = threading.Thread(target=self._keep_on, name=f"keep {thread.id}", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether the log is complete."""
        return bool(self._log) and isinstance(self._log[-1], Ending)

    def begin(self) -> None:
        """Let the run go."""
        self._worker.start()
        if self._keeper is not None:
            self._clerk.start()

    def follow(self, sees: Callable[[], bool] = lambda: True) -> Iterator[list[Event]]:
        """The run's events from its beginning on, in batches; the last batch ends with the ending.

        A batch is empty when nothing happened for a moment: time for the follower to look elsewhere. The
        first come quickly after another. Where many follow, and so each wakes late, there are fewer of them.
        While nobody ``sees`` what is followed, the follower rests, and is none.
        """
        position, late, pace = 0, 0.0, 0.0
        while True:
            while not (sees() or self.ended):
                self._over.wait(ABSENCE)
                yield []
            with self._a_follower():
                while sees() or self.ended:
                    batch = self._entries(position)
                    position += len(batch)
                    yield batch
                    if batch and isinstance(batch[-1], Ending):
                        return
                    if any(isinstance(event, _OFTEN) for event in batch):
                        pace = min(pace + PACE / 4, PACE) if late < PACE else min(2 * late, LONGEST_PACE)
                        due = time.monotonic() + pace
                        self._over.wait(pace)
                        late = time.monotonic() - due

    def _entries(self, position: int) -> list[Event]:
        """What the log holds from there on; nothing, where there was nothing for a moment."""
        with self._news:
            if position == len(self._log):
                self._news.wait(HEARTBEAT)
            self._seen = max(self._seen, len(self._log))
            return self._log[position:]

    @contextmanager
    def _a_follower(self) -> Iterator[None]:
        """Within this block the run is followed."""
        with self._news:
            self._followers += 1
            self._restless.set()
        try:
            yield
        finally:
            with self._news:
                self._followers -= 1
                if not self._followers and not self.ended:
                    self._restless.clear()

    def stop(self) -> None:
        """End the run now, also when it waits for a silent server or a slow function.

        What its worker still says after this is dropped, and the worker ends at its next event, or by
        the connection's end.
        """
        with self._news:
            if self.ended:
                return
            self._end(STOPPED)
            self._cancel(self.thread)
        self._save()

    def join(self, seconds: float) -> bool:
        """Wait until the worker is gone too; whether it is, after so many seconds at the most."""
        self._worker.join(seconds)
        return not self._worker.is_alive()

    def _end(self, ending: Ending) -> None:
        """Complete the log, in step with the message: a run may have ended by itself a moment ago."""
        message = self.thread.messages[self.first]
        message.add(ending)
        self._append(message.ending or ending)

    def _append(self, event: Event) -> bool:
        """Append to the log; false when it is complete, or is so now because this was too much."""
        with self._news:
            if self.ended:
                return False
            whole = _joined(self._log[-1], event) if len(self._log) > self._seen else None
            if whole is not None:
                self._log[-1] = whole
            else:
                self._log.append(event)
            self._length += _length(event)
            if isinstance(event, Ending):
                self._over.set()
                self._restless.set()
                message = self.thread.messages[self.first]
                message.effort = message.effort.and_seconds(time.monotonic() - self._began)
            self._news.notify_all()
            if len(self._log) < MOST_ENTRIES and self._length <= MOST_CHARACTERS:
                return True
            self._end(TOO_LONG)
            return False

    def _drain(self) -> None:
        reason = "ended without an ending"
        noted = False  # whether the backend may have noted something since its notes were last kept
        try:
            for event in self._unhurried():
                self._time_reasoning(event)
                if not self._append(event):
                    break
                if isinstance(event, ThreadOpened | RoundStarted | RoundEnded):
                    # A backend notes what it has to right after saying one of these. And before a server is
                    # asked, or a function runs, what led to it is kept.
                    self._save(noted)
                    noted = True
                elif not isinstance(event, ToolProgress):
                    self._keep_within(KEEP_EVERY if isinstance(event, _PIECES) else 0.0)
        except BaseException as error:  # a run turns its errors into events; this is the last net
            log.exception("a run broke")
            reason = type(error).__name__
        finally:
            with self._news:
                if not self.ended:
                    self._end(RunFailed("internal", f"The application itself failed ({reason})."))
            self._save()
            self._events.close()

    def _unhurried(self) -> Iterator[Event]:
        """The run's events; while nobody follows, text that is waited for is let gather before it is read."""
        asked = awake = time.monotonic()
        for event in self._events:
            waited = time.monotonic() - asked > AT_ONCE
            yield event
            asked = time.monotonic()
            if waited and asked - awake > BETWEEN_RESTS and isinstance(event, _PIECES):
                self._restless.wait(REST)
                asked = awake = time.monotonic()

    def _time_reasoning(self, event: Event) -> None:
        """Say how long the model reasoned, once it goes on to something else."""
        reasons, now = isinstance(event, ReasoningDelta), time.monotonic()
        if self._reasons and not reasons and not isinstance(event, Ending):
            ended = ReasoningEnded(now - self._since)
            self.thread.messages[self.first].add(ended)
            self._append(ended)
        self._reasons = reasons
        if not reasons:
            self._since = now

    def _keep_within(self, seconds: float) -> None:
        """See to it that the answer is kept so soon. A database may be slow: no text waits for it."""
        due = time.monotonic() + seconds
        with self._unkept:
            if due < self._due:
                self._due = due
                self._unkept.notify_all()

    def _keep_on(self) -> None:
        """Keep the answer whenever that is due, until its end is kept."""
        while self._keeper is not None:
            with self._unkept:
                while (left := self._due - time.monotonic()) > 0:
                    self._unkept.wait(min(left, threading.TIMEOUT_MAX))
                self._due = math.inf
            self._save()

    def _save(self, noted: bool = False) -> None:
        """Keep the answer as it stands, and the two messages before it; its end is the last that is kept.

        The backend's notes are kept with the end, and if it has ``noted`` something and is not at it now.

        The answer before it may have been closed by this one: its open calls have been given results.
        """
        with self._keeping:  # whoever comes later keeps what is later
            if self._keeper is None:
                return
            last = self.ended
            self._keeper.keep(self.thread, max(0, self.first - 2), noted or last)
            if last:
                self._keeper.release(self.thread)
                self._keeper = None
                self._keep_within(0.0)  # nothing more: it may go


def _joined(last: Event, event: Event) -> Event | None:
    """Two entries as one, where they are pieces of the same text and together not too long.

    Of how far a call is, the newest alone counts.
    """
    if isinstance(last, ToolProgress) and isinstance(event, ToolProgress):
        return event if last.call_id == event.call_id else None
    if not isinstance(last, _PIECES) or not isinstance(event, _PIECES):
        return None
    if len(last.text) + len(event.text) > ENTRY_LENGTH or replace(last, text=event.text) != event:
        return None
    return replace(last, text=last.text + event.text)


def _length(event: Event) -> int:
    """The characters of what can be long in an event."""
    return sum(len(getattr(event, name, "")) for name in ("text", "arguments", "output", "detail"))
