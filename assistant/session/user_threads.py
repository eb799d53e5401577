"""The threads of one user: in this process, in the database, and on the server."""

from collections.abc import Sequence
from contextlib import suppress
from copy import copy
from typing import Literal

from assistant.errors import BackendError, StoreError, UnknownThread
from assistant.locale import N_
from assistant.session.connection import Connection
from assistant.session.visit import Visit
from assistant.threads import Thread, unguessable_id
from assistant.tools.background import stop_background_calls

ThreadStatus = Literal["current", "deleted", "answered elsewhere"]
"""Whether other processes have deleted a thread, or answer it."""


class UserThreads:
    """Finds, updates, renames, deletes and imports the threads of one user; none of them has to be open."""

    def __init__(self, visit: Visit, connection: Connection) -> None:
        self._visit, self._connection, self._runs = visit, connection, visit.app.runs

    def find(self, thread_id: str) -> Thread:
        """Return the user's thread with this id, from this process or the database.

        On localhost the id may also be that of a conversation on the server, which is loaded from there if it is not
        stored. Elsewhere such an id opens nothing: whose conversation it names is unknown, and each lookup is a
        request with the owner's key.

        Raises:
            UnknownThread: There is none.
            BackendError, StoreError: The server or the database is unavailable.
        """
        thread = self._find_here(thread_id)
        if thread is None and self._connection.is_localhost:
            thread = self._find_on_server(thread_id)
        if thread is None:
            raise UnknownThread(N_("That chat doesn't exist."), code="unknown_thread")
        return self._runs.register(thread)

    def refresh(self, thread: Thread) -> ThreadStatus:
        """Load what other processes have saved of a thread, and return whether they deleted it or answer it."""
        with suppress(StoreError):
            store = self._visit.store
            if store and store.is_deleted(thread):
                return "deleted"
            if store and (newer := store.load_newer(thread)):
                self._runs.update(thread, newer)
            if store and store.leases.is_held_elsewhere(thread):
                return "answered elsewhere"
        return "current"

    def is_outdated(self, thread: Thread) -> bool:
        """Return whether a thread was deleted, or another process has saved more of it."""
        with suppress(StoreError):
            store = self._visit.store
            return bool(store and (store.is_deleted(thread) or store.load_newer(thread)))
        return False

    def changed_elsewhere(self, thread: Thread) -> bool:
        """Return whether another process has saved more of a thread, or no longer answers it."""
        with suppress(StoreError):
            store = self._visit.store
            return self.is_outdated(thread) or bool(store and not store.leases.is_held_elsewhere(thread))
        return False

    def rename(self, thread_id: str, title: str) -> None:
        """Give a thread a title; raises ``StoreError``."""
        if store := self._visit.store:
            store.rename(thread_id, title)

    def delete(self, thread_id: str) -> Sequence[Thread]:
        """End a thread's answer, delete it here, and return its branches; none if there is no such thread.

        Raises:
            ThreadBusy, StoreError: It was not deleted.
        """
        store = self._visit.store
        thread = self._find_here(thread_id) if store else None
        if store is None or thread is None:
            return []
        if run := self._runs.get(thread):
            run.stop()
            run.join(1)
        stop_background_calls(thread)
        store.delete(thread_id)
        self._visit.audit("chat_deleted", thread_id)
        branches = [copy(branch) for branch in thread.all_branches()]
        self._visit.app.forget(thread)
        return branches

    def delete_on_server(self, branches: Sequence[Thread]) -> list[str]:
        """Delete what the server has of a deleted thread; return what went wrong, as sentences for the user."""
        problems: list[str] = []
        for branch in branches:
            try:
                self._connection.backend.delete_thread(branch)
            except BackendError as error:
                problems.append(N_("The chat was deleted here, but not on the server. {why}", why=error.text))
        return problems

    def import_thread(self, thread: Thread) -> Thread | None:
        """Save an imported thread under a new id and return it; None without a database. Raises ``StoreError``."""
        store = self._visit.store
        if store is None:
            return None
        thread.id, thread.owner = unguessable_id(), self._visit.user.id
        if thread.is_unfinished:
            list(self._connection.assistant.mark_interrupted(thread))
        store.save(thread)
        self._visit.audit("chat_imported", thread.id, messages=len(thread.messages))
        return self._runs.register(thread)

    def _find_here(self, thread_id: str) -> Thread | None:
        found = self._runs.find(thread_id, self._visit.user.id)
        if found:
            return found
        store = self._visit.store
        return store.load(thread_id) if store else None

    def _find_on_server(self, server_id: str) -> Thread | None:
        store = self._visit.store
        if store and (known := store.known_on_server([server_id])):
            return self._find_here(known[server_id])  # None for the thread of another user
        return None if self._visit.user.id else self._connection.backend.load_thread(server_id)
