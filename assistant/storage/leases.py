"""Leases: at most one process answers a thread at a time.

A process that answers a thread renews its lease. When the process is gone, the lease expires and another
process may answer the thread.
"""

import secrets
from collections.abc import Iterable
from typing import Any
from weakref import WeakSet

import sqlalchemy as sql

from assistant.errors import ThreadBusy, ThreadDeleted
from assistant.locale import N_
from assistant.storage.database import Database
from assistant.storage.schema import THREADS
from assistant.threads import Thread

LEASE_SECONDS = 10.0
"""How long a lease lasts unless it is renewed."""

ANSWERED_ELSEWHERE = N_(
    "Another process of this application is answering this chat. Wait for it, or stop it there."
)


class Leases:
    """The leases that this process holds or may acquire.

    Every method raises ``StoreError`` when the database cannot be used.
    """

    def __init__(self, database: Database, seconds: float = LEASE_SECONDS) -> None:
        self._database, self._seconds = database, seconds
        self._holder = secrets.token_hex(8)
        self._held: WeakSet[Thread] = WeakSet()

    def acquire(self, thread: Thread) -> None:
        """Reserve a thread for this process. A thread that is not saved yet gets its lease when it is.

        Raises:
            ThreadBusy: Another process is answering the thread.
            ThreadDeleted: The thread was saved, and deleted since then.
        """
        with self._database.writing() as connection:
            if not self.reserve(connection, thread.id, thread.owner) and thread.version:
                raise ThreadDeleted
        self._held.add(thread)

    def reserve(self, connection: sql.Connection, thread_id: str, owner: str) -> bool:
        """Reserve a saved thread within a transaction; return whether there is one.

        Raises:
            ThreadBusy: Another process is answering the thread.
        """
        where = is_thread(thread_id, owner)
        reserved = sql.update(THREADS).where(where, self.is_free).values(self.values | {"stop_requested": 0})
        is_reserved = bool(connection.execute(reserved).rowcount)
        if not is_reserved and exists(connection, where):
            raise ThreadBusy(ANSWERED_ELSEWHERE)
        return is_reserved

    def renew(self, threads: Iterable[Thread]) -> list[Thread]:
        """Renew the leases of threads; return those whose answer is to stop.

        That is where another process requested a stop, or has acquired the lease.
        """
        saved = [thread for thread in threads if thread.version]
        where = THREADS.c.id.in_([thread.id for thread in saved]) & (THREADS.c.lease_holder == self._holder)
        renewed = sql.update(THREADS).where(where).values(self.values)
        renewed = renewed.returning(THREADS.c.id, THREADS.c.stop_requested)
        with self._database.writing() as connection:
            renewed_ids = {thread_id for thread_id, stop in connection.execute(renewed) if not stop}
        return [thread for thread in saved if thread.id not in renewed_ids]

    def release(self, thread: Thread) -> None:
        """Let other processes answer the thread."""
        self._held.discard(thread)
        where = (THREADS.c.id == thread.id) & (THREADS.c.lease_holder == self._holder)
        with self._database.writing() as connection:
            connection.execute(sql.update(THREADS).where(where).values(lease_holder="", lease_until=0))

    def request_stop(self, thread: Thread) -> None:
        """Ask the process that answers the thread to stop; it does so when it renews its lease."""
        where = is_thread(thread.id, thread.owner)
        with self._database.writing() as connection:
            connection.execute(sql.update(THREADS).where(where).values(stop_requested=1))

    def is_held_elsewhere(self, thread: Thread) -> bool:
        """Return whether another process is answering the thread."""
        with self._database.reading() as connection:
            return exists(connection, is_thread(thread.id, thread.owner) & sql.not_(self.is_free))

    def is_held_here(self, thread: Thread) -> bool:
        """Return whether this process has reserved the thread."""
        return thread in self._held

    @property
    def is_free(self) -> sql.ColumnElement[bool]:
        """A condition on ``THREADS``: no other process holds the lease."""
        ours = THREADS.c.lease_holder.in_(["", self._holder])
        return ours | (THREADS.c.lease_until < self._database.now)

    @property
    def is_active(self) -> sql.ColumnElement[bool]:
        """A condition on ``THREADS``: some process holds the lease."""
        return (THREADS.c.lease_holder != "") & (THREADS.c.lease_until >= self._database.now)

    @property
    def values(self) -> dict[str, Any]:
        """The columns of ``THREADS`` that give this process the lease."""
        return {"lease_holder": self._holder, "lease_until": self._database.now + self._seconds}


def is_thread(thread_id: str, owner: str) -> sql.ColumnElement[bool]:
    """A condition on ``THREADS``: the thread with this id, if it is this owner's."""
    return (THREADS.c.id == thread_id) & (THREADS.c.owner == owner)


def exists(connection: sql.Connection, where: sql.ColumnElement[bool]) -> bool:
    """Return whether a thread meets the condition."""
    return connection.scalar(sql.select(THREADS.c.id).where(where)) is not None
