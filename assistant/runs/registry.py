"""The threads that are open in this process, and the run that each of them may have.

Not here: one run and its log (``live.py``).

The one rule: a thread has one run at a time, in this process and, where threads are kept, in all of them; and
nobody is given somebody else's.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from weakref import WeakSet, WeakValueDictionary

from assistant.errors import ThreadBusy
from assistant.events import Event
from assistant.runs.live_run import Keeping, LiveRun
from assistant.threads import Thread


class LiveRuns:
    """The threads that are open in this process, and the run each of them may have."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: list[LiveRun] = []
        self._starting: WeakSet[Thread] = WeakSet()
        self._threads: WeakValueDictionary[tuple[str, str], Thread] = WeakValueDictionary()  # by owner, id

    def start(
        self,
        thread: Thread,
        run: Callable[[], Generator[Event, None, None]],
        cancel: Callable[[Thread], None] = lambda thread: None,
        autosaver: Keeping | None = None,
    ) -> LiveRun:
        """Call ``run`` and let what it returns go on a thread of its own.

        ``cancel`` is called when the run is stopped, to wake it where it waits for a server. The ``autosaver``
        keeps the answer as it grows, from the message before it on.

        Raises:
            ThreadBusy: The thread has a run that has not ended; ``run`` was not called.
        """
        with self._alone(thread, autosaver), self._lock:
            live = LiveRun(thread, run(), cancel, autosaver)
            live.begin()
            self._runs.append(live)
            return live

    def change(self, thread: Thread, change: Callable[[], None], autosaver: Keeping | None = None) -> None:
        """Call ``change``, which changes the thread while nobody can answer it, and keep what came of it.

        Raises:
            ThreadBusy: The thread has a run that has not ended; ``change`` was not called.
        """
        with self._alone(thread, autosaver):
            with self._lock:
                change()
            if autosaver:
                autosaver.keep(thread, len(thread.messages), True)
                autosaver.release(thread)

    @contextmanager
    def _alone(self, thread: Thread, autosaver: Keeping | None) -> Iterator[None]:
        """Within this block the thread, as its newest, is nobody else's; after it too, if it ends well."""
        with self._lock:
            if self.of(thread) is not None or thread in self._starting:
                raise ThreadBusy("An answer is still being written here. Wait for it, or stop it.")
            self._starting.add(thread)
        try:
            newer = autosaver.take(thread, lambda: self._stop(thread)) if autosaver else None
            if newer is not None:
                with self._lock:
                    _renew(thread, newer)
            yield
        except BaseException:
            if autosaver:
                autosaver.release(thread)
            raise
        finally:
            with self._lock:
                self._starting.discard(thread)

    def renew(self, thread: Thread, newer: Thread) -> None:
        """Bring a thread up to date with what another process has kept, unless it is answered here."""
        with self._lock:
            if self.of(thread) is None and thread not in self._starting:
                _renew(thread, newer)

    def of(self, thread: Thread) -> LiveRun | None:
        """The run of this thread that has not ended, if there is one."""
        with self._lock:
            self._runs = [run for run in self._runs if not run.ended]
            return next((run for run in self._runs if run.thread is thread), None)

    @property
    def running(self) -> set[str]:
        """The ids of the threads that are being answered."""
        with self._lock:
            return {run.thread.id for run in self._runs if not run.ended}

    def find(self, thread_id: str, owner: str = "") -> Thread | None:
        """This person's thread by this id, if it is open in this process or a run is writing to it."""
        with self._lock:
            running = (each.thread for each in self._runs if each.thread.id == thread_id)
            mine = next((thread for thread in running if thread.owner == owner), None)
            return mine or self._threads.get((owner, thread_id))

    def drop(self, thread: Thread) -> None:
        """Let a thread go that was deleted: nobody finds it any more."""
        with self._lock:
            self._threads.pop((thread.owner, thread.id), None)

    def share(self, thread: Thread) -> Thread:
        """Make the thread, which has an id, known to the process; a person's first under an id wins."""
        with self._lock:
            found = self.find(thread.id, thread.owner)
            return self._threads.setdefault((thread.owner, thread.id), found or thread)

    def _stop(self, thread: Thread) -> None:
        run = self.of(thread)
        if run is not None:
            run.stop()


def _renew(thread: Thread, newer: Thread) -> None:
    if newer.version > thread.version:
        thread.messages[:], thread.backend_state = newer.messages, newer.backend_state
        thread.branches, thread.dirty_from = newer.branches, None
        thread.title, thread.version = newer.title, newer.version
