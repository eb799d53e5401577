"""A live run: one worker thread drains a run into its log, and one saver thread saves the answer as it grows.

A page only follows the log. A click, a reload, a second tab or a lost connection ends a follower; only
``stop`` ends the run, and it does so at once.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator

from assistant.events import Event, RoundEnded, RoundStarted, RunFailed, ThreadOpened, ToolCall, ToolProgress
from assistant.locale import N_
from assistant.runs.autosave import Saver
from assistant.runs.log import DELTAS, IDLE_SECONDS, RunLog
from assistant.runs.run import STOPPED, Run
from assistant.threads import Thread
from assistant.tools.background import background_jobs
from assistant.tools.results import stopped_result

log = logging.getLogger(__name__)

SAVE_SECONDS = 1.0  # interval at which a growing text is saved; everything else is saved at once
END_SECONDS = 5.0  # maximum time that a run, which only waited, takes to save its end
READY_SECONDS = 0.005  # an event that takes less time had already arrived, and more may have arrived with it


class LiveRun:
    """A run in progress, and its log after it has ended.

    ``cancel`` closes the thread's open request. ``saver``, if there is one, saves the thread and releases it
    at the end. ``user_id`` is the user who requested it, if known.
    """

    def __init__(
        self, run: Run, cancel: Callable[[Thread], None], saver: Saver | None = None, user_id: str = ""
    ) -> None:
        self.thread, self.message = run.thread, run.message
        self.user_id = user_id
        self.position = len(run.thread.messages) - 1
        """The position of the message that this run writes."""
        self._run, self._cancel, self._saver = run, cancel, saver
        self._log = RunLog(run)
        self._worker = threading.Thread(target=self._drain, name=f"run {run.thread.id}", daemon=True)

    @property
    def ended(self) -> bool:
        """Whether the run has its ending."""
        return self._log.ended

    def start(self) -> None:
        """Start the worker and the saver."""
        if self._saver:
            self._saver.start()
        self._worker.start()

    def follow(self, is_connected: Callable[[], bool] = lambda: True) -> Iterator[list[Event]]:
        """Yield the run's events from the first in batches; see ``RunLog.follow``."""
        return self._log.follow(is_connected)

    def running_seconds(self, call_id: str) -> float:
        """Return for how long a call of this run has been running."""
        return self._log.running_seconds(call_id)

    @property
    def silent_seconds(self) -> float:
        """How long the server has sent nothing; 0 between responses, while functions run."""
        return 0.0 if self.ended else self._log.silent_seconds

    def end_wait(self) -> bool:
        """End a run that only waits for background calls, which continue; return False if it does more than wait."""
        return background_jobs(self.thread).release() and self.join(END_SECONDS)

    @property
    def is_followed(self) -> bool:
        """Whether a page follows the run, or did so a moment ago."""
        return self._log.is_followed

    def stop(self) -> None:
        """End the run now, even while it waits for a silent server or a slow function.

        Later events of the worker are dropped; it ends at its next event, or when its request is closed.
        """
        if self.ended:
            return
        self._log.end(self._stop_calls)
        self._cancel(self.thread)
        if self._saver:
            self._saver.finish()

    def _stop_calls(self) -> Iterator[Event]:
        """Stop the background calls; yield their results, and the ending."""
        calls = [call.call_id for call in self.thread.open_calls()]
        yield from map(stopped_result, background_jobs(self.thread).stop(calls))
        yield STOPPED

    def join(self, seconds: float) -> bool:
        """Wait up to ``seconds`` for the worker, and return whether it has ended."""
        self._worker.join(seconds)
        return not self._worker.is_alive()

    def _drain(self) -> None:
        reason = "ended without an ending"
        try:
            self._append_all()
        except BaseException as error:  # a run turns its errors into events; this is the safety net
            log.exception("a run broke")
            reason = type(error).__name__
        finally:
            self._log.append(
                RunFailed(
                    "internal", N_("Something went wrong in this application ({reason}).", reason=reason)
                )
            )
            if self._saver:
                self._saver.finish()
            self._run.events.close()

    def _append_all(self) -> None:
        state_changed = False
        for event in self._read():
            if not self._log.append(event):
                return
            if not self._saver:
                continue
            if isinstance(event, ThreadOpened | RoundStarted | RoundEnded):
                # A backend changes its state right after one of these events. The thread is saved before each
                # request and each function call.
                self._saver.save(backend_state=state_changed)
                state_changed = True
            elif isinstance(event, ToolCall) and event.background:
                self._saver.save()  # it starts right after this event, and must never start again
            elif not isinstance(event, ToolProgress):
                self._saver.save_within(SAVE_SECONDS if isinstance(event, DELTAS) else 0.0)

    def _read(self) -> Iterator[Event]:
        """Yield the run's events; without followers, read text at most once per ``IDLE_SECONDS``.

        Each wake-up costs more than reading the text that has arrived.
        """
        requested = time.monotonic()
        for event in self._run.events:
            waited = time.monotonic() - requested > READY_SECONDS
            yield event
            if waited and isinstance(event, DELTAS):
                self._log.wait_for_follower(IDLE_SECONDS)
            requested = time.monotonic()
