"""Save threads while they are answered; the application continues when the database fails."""

import logging
import math
import threading
import time
from collections.abc import Callable
from weakref import WeakSet

from assistant.errors import StoreError, ThreadBusy, ThreadDeleted
from assistant.storage.leases import LEASE_SECONDS
from assistant.storage.store import Store
from assistant.threads import Thread

log = logging.getLogger(__name__)

RETRY_SECONDS = 15.0
"""Time after which a failed database is tried again; waiting for it at every save would delay each answer."""


class Autosaver:
    """A store that may be unavailable, and the leases of the threads that this process is answering.

    ``error`` is a sentence for the user that says why the last save failed; it is empty after a successful
    save.
    """

    def __init__(self, url: str, lease: float = LEASE_SECONDS) -> None:
        self._url, self._lease = url, lease
        self._store: Store | None = None
        self._on_lost: dict[Thread, Callable[[], None]] = {}  # the threads that are answered here
        self._changed = threading.Condition()
        self._heartbeat: threading.Thread | None = None
        # Threads with a failed save: the database may lack more than their last message.
        self._incomplete: WeakSet[Thread] = WeakSet()
        self._retry_at = 0.0
        self.error = ""

    @property
    def store(self) -> Store | None:
        """The store; None while it cannot be opened."""
        with self._changed:
            if self._store is None and not self._is_paused:
                try:
                    self._store = Store(self._url, self._lease)
                    self.error = ""
                except StoreError as error:
                    self._failed(error)
            return self._store

    def close(self) -> None:
        if self._store is not None:
            self._store.close()

    def acquire(self, thread: Thread, on_lost: Callable[[], None]) -> Thread | None:
        """Make this process the only one that answers the thread, until ``release``.

        ``on_lost`` is called later, from another thread, if another process took the thread over or asks to
        stop. Return the thread as another process saved it, if that is newer than this one.

        Raises:
            ThreadBusy: Another process is answering it.
        """
        newer = None
        if (store := self.store) is not None and not self._is_paused:
            try:
                store.leases.acquire(thread)
                newer = store.load_newer(thread)
            except StoreError as error:
                self._failed(error)
        with self._changed:
            self._on_lost[thread] = on_lost
            if self._heartbeat is None:
                self._heartbeat = threading.Thread(target=self._renew, name="leases", daemon=True)
                self._heartbeat.start()
        return newer

    def save(self, thread: Thread, since: int, *, backend_state: bool) -> None:
        """Save the thread's messages from position ``since`` on, with the backend's state if requested."""
        store, incomplete = self.store, thread in self._incomplete
        self._incomplete.add(thread)
        if store is None or (self._is_paused and thread.is_unfinished):
            return
        try:
            store.save(thread, 0 if incomplete else since, backend_state=backend_state or incomplete)
            self._incomplete.discard(thread)
            self.error = ""
        except ThreadDeleted:
            pass  # a page that still shows it checks for that
        except ThreadBusy:
            # The log does not contain the id, because it gives access to the thread.
            log.warning("a thread was taken over by another process")
        except StoreError as error:
            self._failed(error)

    def release(self, thread: Thread) -> None:
        """Let other processes answer the thread."""
        with self._changed:
            self._on_lost.pop(thread, None)
            self._changed.notify_all()
        if self._store is not None and not self._is_paused:
            try:
                self._store.leases.release(thread)
            except StoreError as error:
                self._failed(error)

    @property
    def _is_paused(self) -> bool:
        return bool(self.error) and time.monotonic() < self._retry_at

    def _failed(self, error: StoreError) -> None:
        if str(error) != self.error:
            log.warning("threads are not saved: %s", error)
        self.error, self._retry_at = str(error), time.monotonic() + RETRY_SECONDS

    def _renew(self) -> None:
        """Renew the leases of the threads that are answered here, until there are none."""
        while True:
            with self._changed:
                self._changed.wait(self._lease / 5)
                if not self._on_lost:
                    self._heartbeat = None
                    return
                on_lost = dict(self._on_lost)
            if self._store is None or self._is_paused:
                continue
            try:
                for thread in self._store.leases.renew(on_lost):
                    on_lost[thread]()
            except StoreError as error:
                self._failed(error)


class Saver:
    """Calls ``write(backend_state, last)`` on a worker thread of its own, at once or within a given time.

    The last call has ``last=True``. Exceptions of ``write`` are logged.
    """

    def __init__(self, write: Callable[[bool, bool], None], name: str = "") -> None:
        self._write = write
        self._changed = threading.Condition()
        self._due = math.inf
        self._backend_state = False
        self._requested = self._written = 0  # number of the newest request, and of the newest one written
        self._finishing = self._finished = False
        self._thread = threading.Thread(target=self._run, name=f"save {name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def save_within(self, seconds: float) -> None:
        with self._changed:
            due = time.monotonic() + seconds
            if due < self._due:
                self._due = due
                self._changed.notify_all()

    def save(self, *, backend_state: bool = False) -> None:
        """Save now, and wait until it is done."""
        self._request(backend_state, finish=False)

    def finish(self) -> None:
        """Save for the last time, with the backend's state, and wait until it is done."""
        self._request(True, finish=True)

    def _request(self, backend_state: bool, finish: bool) -> None:
        with self._changed:
            self._requested += 1
            number = self._requested
            self._backend_state |= backend_state
            self._finishing |= finish
            self._due = 0.0
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._written >= number or self._finished)

    def _run(self) -> None:
        while not self._finished:
            with self._changed:
                while (left := self._due - time.monotonic()) > 0:
                    self._changed.wait(min(left, threading.TIMEOUT_MAX))
                number, backend_state, last = self._requested, self._backend_state, self._finishing
                self._due, self._backend_state = math.inf, False
            try:
                self._write(backend_state, last)
            except Exception:
                log.exception("an answer was not saved")
            with self._changed:
                self._written, self._finished = number, last
                self._changed.notify_all()
