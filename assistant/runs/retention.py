"""Delete expired chats: from the database, from the server and from memory."""

import logging
import threading
import time
from collections.abc import Callable

from assistant.backends.base import RemoteBackend
from assistant.errors import BackendError, StoreError
from assistant.storage.store import LEFT_IN_LOG, Store
from assistant.threads import Thread

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 3600.0
"""How often a process looks for chats to delete."""

SERVER_GRACE_SECONDS = 86_400.0
"""How much longer a chat stays here while its copy at the server cannot be deleted."""


class Retention:
    """Deletes expired chats, at once and then every hour, on a thread of its own.

    Every process does so, and the one that gets a chat's lease deletes it. Ages are by the database's clock.
    """

    def __init__(
        self,
        seconds: float,
        store: Callable[[], Store | None],
        backend: Callable[[], RemoteBackend],
        forget: Callable[[Thread], None],
        clean_up: Callable[[Store, float], None],
    ) -> None:
        """Chats stay for ``seconds`` after their last change.

        ``backend`` returns what deletes a chat at the server, ``forget`` removes a deleted chat from the memory of this
        process, and ``clean_up`` deletes other data of the same age.
        """
        self._seconds = seconds
        self._store, self._backend = store, backend
        self._forget, self._clean_up = forget, clean_up
        self._stopped = threading.Event()

    def start(self) -> None:
        """Start on a thread of its own, until ``stop``."""
        threading.Thread(target=self._run, name="retention", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def delete_expired(self) -> int:
        """Delete what has expired, and return the number of chats.

        Raises:
            StoreError: The database cannot be used.
        """
        if (store := self._store()) is None:
            return 0
        deleted, waiting = 0, set[str]()
        while not self._stopped.is_set() and (thread := store.claim_expired(self._seconds, waiting)):
            is_gone = self._delete_on_server(thread)
            grace = 0.0 if is_gone else SERVER_GRACE_SECONDS
            if store.delete_expired(thread, self._seconds + grace):
                deleted += 1
                self._forget(thread)
                if not is_gone:
                    log.warning("an expired chat was deleted here, but not on the server")
            else:
                waiting.add(thread.id)
                store.leases.release(thread)
        self._clean_up(store, self._seconds)
        if not store.database.erase_deleted():
            log.warning(LEFT_IN_LOG)
        return deleted

    def _delete_on_server(self, thread: Thread) -> bool:
        """Delete the server's copies of a thread; return whether none is left."""
        is_gone = True
        for branch in thread.all_branches():
            try:
                self._backend().delete_thread(branch)
            except BackendError as error:
                log.info("an expired chat is not deleted on the server yet: %s", error.code)
                is_gone = False
        return is_gone

    def _run(self) -> None:
        while not self._stopped.is_set():
            started = time.monotonic()
            try:
                if deleted := self.delete_expired():
                    log.info("%d expired chats were deleted", deleted)
            except StoreError as error:
                log.warning("expired chats are not deleted: %s", error)
            except Exception:
                log.exception("expired chats are not deleted")
            self._stopped.wait(max(0.0, started + INTERVAL_SECONDS - time.monotonic()))
