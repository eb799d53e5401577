"""Save and load threads.

A thread is written in one transaction, by the one process that may answer it. So a reader always sees whole
messages, also after a crash, and no process overwrites what another one wrote.
"""

import json
import logging
from collections.abc import Collection, Iterable
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any

import sqlalchemy as sql

from assistant.errors import StoreError, ThreadBusy, ThreadDeleted
from assistant.locale import N_
from assistant.storage.database import Database
from assistant.storage.leases import ANSWERED_ELSEWHERE, LEASE_SECONDS, Leases, exists, is_thread
from assistant.storage.schema import BRANCHES, MESSAGES, THREADS
from assistant.storage.search import ThreadSummary, find_hit, normalize, search_text, select_threads
from assistant.storage.serialization import (
    branches_as_json,
    branches_from_json,
    message_as_json,
    message_from_json,
    options_as_json,
    options_from_json,
)
from assistant.texts import is_sendable, replace_unsendable, shorten
from assistant.threads import Thread

MAX_TITLE_CHARS = 60

_ROWS_PER_STATEMENT = 500

_SERVER_IDS = ("conversation", "session_id", "server_thread")
"""The fields of the backends' data with the id of a conversation on the server."""


LEFT_IN_LOG = "what was deleted stays in the database's write-ahead log until the next deletion or start"

log = logging.getLogger(__name__)


class Store:
    """Threads in a database; safe to use from many threads and processes at once.

    Every method that reads or writes raises ``StoreError`` when the database cannot be used. Only the threads
    of ``owner`` can be found, listed and searched; see ``for_owner``.
    """

    owner = ""

    def __init__(self, url: str, lease_seconds: float = LEASE_SECONDS) -> None:
        """Open the database at this URL, and create the tables where they are missing.

        Raises:
            StoreError: The database cannot be opened, or has the schema of a later version.
        """
        self.database = Database(url)
        self.leases = Leases(self.database, lease_seconds)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()

    def for_owner(self, owner: str) -> "Store":
        """Return the same store, restricted to the threads of this owner."""
        store = copy(self)
        store.owner = owner
        return store

    def save(self, thread: Thread, since: int = 0, *, backend_state: bool = True) -> None:
        """Save the messages from position ``since`` on, and the backend's data if ``backend_state``.

        Everything that branching and switching have changed since the last save is saved as well. A thread
        without an id could not be found again, and is not saved.

        Raises:
            ThreadBusy: Another process is answering the thread, so its version counts.
            ThreadDeleted: The thread was saved, and deleted since then.
        """
        if not thread.id:
            return
        version, dirty_from, thread.dirty_from = thread.version, thread.dirty_from, None
        try:
            self._save(thread, since, backend_state, dirty_from)
        except BaseException:
            thread.version = version
            if dirty_from is not None:
                later = dirty_from if thread.dirty_from is None else thread.dirty_from
                thread.dirty_from = min(dirty_from, later)
            raise

    def _save(self, thread: Thread, since: int, backend_state: bool, dirty_from: int | None) -> None:
        if dirty_from is not None:
            since, backend_state = min(since, dirty_from), True
        values: dict[str, Any] = {"updated_at": self.database.now, "version": THREADS.c.version + 1}
        values["options"] = json.dumps(options_as_json(thread.options))
        if backend_state:
            values["backend_state"] = json.dumps(thread.backend_state)
        where = is_thread(thread.id, thread.owner)
        update = sql.update(THREADS).where(where, self.leases.is_free).values(values)
        with self.database.writing() as connection:
            version: int | None = connection.scalar(update.returning(THREADS.c.version))
            if version is None:  # not saved yet, or not ours
                since, version, dirty_from = 0, 1, 0
                self._insert_thread(connection, thread)
            of_thread = MESSAGES.c.thread_id == thread.id
            connection.execute(sql.delete(MESSAGES).where(of_thread, MESSAGES.c.position >= since))
            _insert(connection, MESSAGES, _message_rows(thread, since))
            if dirty_from is not None:
                connection.execute(sql.delete(BRANCHES).where(BRANCHES.c.thread_id == thread.id))
                _insert(connection, BRANCHES, _branch_rows(thread))
            # Before the commit: another thread of this process could mistake the save for another process's.
            thread.version = version

    def _insert_thread(self, connection: sql.Connection, thread: Thread) -> None:
        if exists(connection, THREADS.c.id == thread.id):
            raise ThreadBusy(ANSWERED_ELSEWHERE)
        if thread.version:
            raise ThreadDeleted
        now = self.database.now
        title = thread.title or (thread.messages[0].text if thread.messages else "")
        values = {"id": thread.id, "owner": thread.owner, "version": 1, "created_at": now, "updated_at": now}
        values |= _title_values(title) | {"backend_state": json.dumps(thread.backend_state)}
        values["options"] = json.dumps(options_as_json(thread.options))
        if self.leases.is_held_here(thread):
            values |= self.leases.values
        connection.execute(sql.insert(THREADS).values(values))

    def load(self, thread_id: str) -> Thread | None:
        """Return the owner's thread with this id, or None.

        If its last answer has no ending, a process is still writing it, or was when it ended.
        """
        if not is_sendable(thread_id):
            return None
        columns = sql.select(THREADS.c.backend_state, THREADS.c.options, THREADS.c.title, THREADS.c.version)
        messages = sql.select(MESSAGES.c.body).where(MESSAGES.c.thread_id == thread_id)
        branches = sql.select(BRANCHES.c.body).where(BRANCHES.c.thread_id == thread_id)
        with self.database.reading() as connection:
            row = connection.execute(columns.where(is_thread(thread_id, self.owner))).first()
            message_bodies = connection.scalars(messages.order_by(MESSAGES.c.position)).all()
            branch_bodies = connection.scalars(branches.order_by(BRANCHES.c.number)).all()
        if row is None:
            return None
        try:
            thread = Thread(thread_id, title=row.title, version=row.version, owner=self.owner)
            thread.messages = [message_from_json(json.loads(body)) for body in message_bodies]
            thread.branches = branches_from_json(
                [json.loads(body) for body in branch_bodies], len(thread.messages)
            )
            thread.backend_state = json.loads(row.backend_state)
            thread.options = options_from_json(json.loads(row.options))
        except ValueError as error:
            text = N_(
                "A chat in {database} cannot be read: {reason}",
                database=self.database.name,
                reason=str(error),
            )
            raise StoreError(text) from error
        return thread

    def is_deleted(self, thread: Thread) -> bool:
        """Return whether a thread was saved here and deleted since then."""
        if not thread.version:
            return False
        with self.database.reading() as connection:
            return not exists(connection, is_thread(thread.id, thread.owner))

    def load_newer(self, thread: Thread) -> Thread | None:
        """Return the thread as another process has saved it since it was saved or loaded here, or None."""
        if not thread.id:
            return None
        version = sql.select(THREADS.c.version).where(is_thread(thread.id, thread.owner))
        with self.database.reading() as connection:
            saved = connection.scalar(version)
        is_newer = saved is not None and saved > thread.version
        return self.for_owner(thread.owner).load(thread.id) if is_newer else None

    def known_on_server(self, server_ids: Iterable[str]) -> dict[str, str]:
        """Return the ids of our threads by their ids on the server; this owner's threads come before others."""
        is_own = sql.case((THREADS.c.owner == self.owner, 0), else_=1)
        known = {}
        with self.database.reading() as connection:
            for server_id in filter(is_sendable, server_ids):
                query = sql.select(THREADS.c.id).where(_has_server_id(server_id))
                if thread_id := connection.scalar(query.order_by(is_own).limit(1)):
                    known[server_id] = thread_id
        return known

    def rename(self, thread_id: str, title: str) -> None:
        """Change the title of a thread."""
        renamed = sql.update(THREADS).where(is_thread(thread_id, self.owner)).values(_title_values(title))
        with self.database.writing() as connection:
            connection.execute(renamed)

    def delete(self, thread_id: str) -> None:
        """Delete a thread with its messages and branches, also from the unused parts of the database's files.

        Raises:
            ThreadBusy: Another process is answering the thread.
        """
        with self.database.writing() as connection:
            if self.leases.reserve(connection, thread_id, self.owner):
                _delete_rows(connection, thread_id)
        if not self.database.erase_deleted():
            log.warning(LEFT_IN_LOG)

    def claim_expired(self, seconds: float, skipped: Collection[str] = ()) -> Thread | None:
        """Return a thread of any owner that has not changed for this long, or None.

        This process has its lease, so that no other one deletes or answers it at the same time. Threads with an id
        in ``skipped`` are not returned.
        """
        expired = sql.select(THREADS.c.id, THREADS.c.owner).where(
            self._is_expired(seconds), self.leases.is_free, THREADS.c.id.not_in(skipped)
        )
        while True:
            with self.database.reading() as connection:
                row = connection.execute(expired.order_by(THREADS.c.updated_at).limit(1)).first()
            if row is None:
                return None
            with suppress(ThreadBusy), self.database.writing() as connection:
                if not self.leases.reserve(connection, row.id, row.owner):
                    continue
            thread = None
            with suppress(StoreError):  # one that cannot be read is deleted as well
                thread = self.for_owner(row.owner).load(row.id)
            return thread or Thread(row.id, owner=row.owner)

    def delete_expired(self, thread: Thread, seconds: float) -> bool:
        """Delete a thread that was claimed, unless it has changed since then; return whether it was deleted.

        ``Database.erase_deleted`` removes the rest from the files.
        """
        is_expired = is_thread(thread.id, thread.owner) & self._is_expired(seconds) & self.leases.is_free
        with self.database.writing() as connection:
            # The update comes first: it locks the row until the commit.
            found = connection.execute(
                sql.update(THREADS).where(is_expired).values(self.leases.values)
            ).rowcount
            if found:
                _delete_rows(connection, thread.id)
        return bool(found)

    def _is_expired(self, seconds: float) -> sql.ColumnElement[bool]:
        return THREADS.c.updated_at < self.database.now - seconds

    def list_threads(
        self, search: str = "", limit: int = 50, *, with_hits: bool = True
    ) -> list[ThreadSummary]:
        """Return the owner's threads that contain ``search``, newest change first, and where it was found.

        Without ``with_hits``, where it was found is not looked up: that reads a message of each thread.
        """
        query = select_threads(self.owner, search, self.leases.is_active).limit(limit)
        with self.database.reading() as connection:
            threads = [ThreadSummary(*row) for row in connection.execute(query)]
            if with_hits and search.strip():
                threads = [replace(each, hit=find_hit(connection, each.id, search)) for each in threads]
        return threads


def _delete_rows(connection: sql.Connection, thread_id: str) -> None:
    for column in (MESSAGES.c.thread_id, BRANCHES.c.thread_id, THREADS.c.id):
        connection.execute(sql.delete(column.table).where(column == thread_id))


def _has_server_id(server_id: str) -> sql.ColumnElement[bool]:
    """A condition on ``THREADS``: the thread, or the backend's data of one of its branches, has this id."""
    # With the name of the field: any other text of the data, such as "message", names no thread.
    fields = [f"{json.dumps(name)}: {json.dumps(server_id)}" for name in _SERVER_IDS]
    in_branch = sql.exists().where(
        BRANCHES.c.thread_id == THREADS.c.id,
        sql.or_(*(BRANCHES.c.body.contains(field, autoescape=True) for field in fields)),
    )
    in_state = (THREADS.c.backend_state.contains(field, autoescape=True) for field in fields)
    return sql.or_(THREADS.c.id == server_id, *in_state, in_branch)


def _message_rows(thread: Thread, since: int) -> list[dict[str, Any]]:
    return [
        {
            "thread_id": thread.id,
            "position": position,
            "role": message.role,
            "body": json.dumps(message_as_json(message)),
            "search_text": search_text(message),
        }
        for position, message in enumerate(thread.messages[since:], since)
    ]


def _branch_rows(thread: Thread) -> list[dict[str, Any]]:
    """Return a row for each closed branch; branches inside another one follow it."""
    texts = ["\n".join(map(search_text, branch.messages)) for branch in thread.all_branches()][1:]
    return [
        {"thread_id": thread.id, "number": number, "body": json.dumps(body), "search_text": text}
        for number, (body, text) in enumerate(zip(branches_as_json(thread.branches), texts, strict=True))
    ]


def _insert(connection: sql.Connection, table: sql.Table, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        connection.execute(sql.insert(table), rows[start : start + _ROWS_PER_STATEMENT])


def _title_values(text: str) -> dict[str, Any]:
    title = shorten(" ".join(replace_unsendable(text).split()), MAX_TITLE_CHARS)
    return {"title": title, "title_search": normalize(title)}
