"""Keeps threads while they are answered, for an application that goes on when the database does not.

Not here: SQL (``store.py``), or when a run has something to keep (``live.py``).

The one rule: an error of the database ends nothing. It stands in ``problem``, in words for the person, and
the database is tried again a while later.
"""

import logging
import threading
import time
from collections.abc import Callable
from weakref import WeakSet

from assistant.errors import StoreError, ThreadBusy
from assistant.storage.store import LEASE, Store
from assistant.threads import Thread

log = logging.getLogger(__name__)

AGAIN = 15.0
"""Seconds after which a database that could not be used is tried again."""


class Autosaver:
    """A store that may be out of order, and the threads of it that are being answered here.

    ``problem`` says why the last thing was not kept; it is empty while all is well.
    """

    def __init__(self, url: str, lease: float = LEASE) -> None:
        self._url, self._lease = url, lease
        self._store: Store | None = None
        self._opening = threading.Lock()
        self._held: dict[Thread, Callable[[], None]] = {}
        self._changed = threading.Condition()
        self._pulse: threading.Thread | None = None
        self._missed: WeakSet[Thread] = WeakSet()  # more than their last message may not be kept
        self._rest_until = 0.0
        self.problem = ""

    @property
    def store(self) -> Store | None:
        """The store; None while it cannot be opened."""
        with self._opening:
            if self._store is None and not self._resting:
                try:
                    self._store = Store(self._url, self._lease)
                    self.problem = ""
                except StoreError as error:
                    self._failed(error)
            return self._store

    def close(self) -> None:
        """Let go of the connections."""
        if self._store is not None:
            self._store.close()

    def take(self, thread: Thread, lost: Callable[[], None]) -> Thread | None:
        """Make sure that this process alone answers the thread, until ``release``.

        ``lost`` is called, at any later moment, if another process took the thread over or asks to stop.
        Gives the thread as another process has left it, where that is newer than this one.

        Raises:
            ThreadBusy: Another process is answering it.
        """
        newer = None
        if (store := self.store) is not None and not self._resting:
            try:
                store.take(thread)
                newer = store.newer(thread)
            except StoreError as error:
                self._failed(error)
        with self._changed:
            self._held[thread] = lost
            if self._pulse is None:
                self._pulse = threading.Thread(target=self._renew, name="keeper", daemon=True)
                self._pulse.start()
        return newer

    def keep(self, thread: Thread, since: int, backend_state: bool) -> None:
        """Keep the thread's messages from position ``since`` on, and the backend's notes if ``backend_state``."""
        store, missed = self.store, thread in self._missed
        self._missed.add(thread)
        if store is None or (self._resting and thread.is_unfinished):
            return
        try:
            store.save(thread, 0 if missed else since, backend_state=backend_state or missed)
            self._missed.discard(thread)
            self.problem = ""
        except ThreadBusy:
            log.warning("a thread was taken over by another process")  # its id is the key to it
        except StoreError as error:
            self._failed(error)

    def release(self, thread: Thread) -> None:
        """The thread is not being answered any more."""
        with self._changed:
            self._held.pop(thread, None)
            self._changed.notify_all()
        if self._store is not None and not self._resting:
            try:
                self._store.release(thread)
            except StoreError as error:
                self._failed(error)

    @property
    def _resting(self) -> bool:
        """Whether the database failed a moment ago: to wait for it each time would hold up every answer."""
        return bool(self.problem) and time.monotonic() < self._rest_until

    def _failed(self, error: StoreError) -> None:
        if str(error) != self.problem:
            log.warning("threads are not kept: %s", error)
        self.problem, self._rest_until = str(error), time.monotonic() + AGAIN

    def _renew(self) -> None:
        """Say again and again that the threads held here are still being answered."""
        while True:
            with self._changed:
                self._changed.wait(self._lease / 5)
                if not self._held:
                    self._pulse = None
                    return
                held = dict(self._held)
            if self._store is None or self._resting:
                continue
            try:
                for thread in self._store.renew(held):
                    held[thread]()
            except StoreError as error:
                self._failed(error)
