"""Threads, kept in SQL: a SQLite file, or PostgreSQL by its URL. ``tables.py`` explains the schema.

Not here: when something is saved (``autosaver.py``) or how a list of threads looks.

The one rule: a thread is written in one transaction, by the one process that may answer it. So whoever reads
after a crash reads whole messages, and nobody writes over what another process has written. Every thread is
somebody's, and a store gives out one person's alone: see ``of``.
"""

import json
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from assistant.errors import StoreError, ThreadBusy
from assistant.events import Citation, HostedCall
from assistant.locale import N_
from assistant.messages import UNSENDABLE, Call, Message, Reasoning, Refusal, Text
from assistant.storage.schema import (
    BRANCHES,
    KINDS,
    MESSAGES,
    SCHEMA_VERSION,
    THREADS,
    address_of,
    engine_for,
    migrate,
    now,
    wait_for_others,
)
from assistant.storage.serialization import (
    branches_as_json,
    branches_from_json,
    message_as_json,
    message_from_json,
)
from assistant.threads import Thread

LEASE = 10.0
"""Seconds for which a process alone may answer a thread before it must say again that it is still there."""

ELSEWHERE = N_("Another process of this application is answering this thread. Wait for it, or stop it there.")

_MANY = 500  # rows in one statement


@dataclass(frozen=True, slots=True)
class Entry:
    """A thread in the list of them; ``changed`` is in seconds since 1970, ``held`` while it is answered."""

    id: str
    title: str
    changed: float
    held: bool = False


class Store:
    """Threads in a database; safe to use from many threads and processes at once.

    Every method that reads or writes raises ``StoreError`` when the database cannot be used. ``owner`` is the
    person whose threads are found here by their ids, listed and searched; see ``of``.
    """

    owner = ""

    def __init__(self, url: str, lease: float = LEASE) -> None:
        """Open the database at this URL, make its tables where there are none, or bring them forward.

        ``lease``: see ``take``.

        Raises:
            StoreError: It cannot be opened, or was made by a later version of this application.
        """
        try:
            address = address_of(url)
        except ArgumentError as error:
            raise StoreError(N_("ASSISTANT_DATABASE_URL is not the URL of a database.")) from error
        if (kind := address.get_backend_name()) not in KINDS:
            raise StoreError(
                N_(
                    "ASSISTANT_DATABASE_URL is of the kind {kind}; use {kinds}.",
                    kind=kind,
                    kinds=" or ".join(KINDS),
                )
            )
        if "@" in (address.host or ""):  # the rest of the password
            raise StoreError(N_("The password in ASSISTANT_DATABASE_URL holds an @. Write it as %40."))
        plainly = address.set(drivername=address.get_backend_name(), query={})  # may hold a password too
        self._shown = plainly.render_as_string(hide_password=True)
        self._seconds = lease
        self._me = secrets.token_hex(8)  # who holds the threads that are answered here
        self._taken: WeakSet[Thread] = WeakSet()  # these
        with self._translated():
            self._engine = engine_for(address)
        try:
            with self._translated():
                edition = migrate(self._engine)
            if edition > SCHEMA_VERSION:
                raise StoreError(
                    N_("{shown} was made by a later version of this application.", shown=self._shown)
                )
        except StoreError:
            self.close()
            raise
        # SQLite has one writer at a time, and lets those who wait for it look again and again.
        alone = self._engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[object] = threading.Lock() if alone else nullcontext()
        self._now = now(self._engine)
        free = THREADS.c.holder.in_(["", self._me]) | (THREADS.c.held_until < self._now)
        self._free, self._held = free, sql.not_(free)

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def of(self, owner: str) -> "Store":
        """The same store, in which only the threads of this person can be found."""
        theirs = copy(self)
        theirs.owner = owner
        return theirs

    # --- one thread ---------------------------------------------------------------------------------

    def save(self, thread: Thread, since: int = 0, *, backend_state: bool = True) -> None:
        """Keep the thread's messages from position ``since`` on, and the backend's notes if ``backend_state``.

        What follows from branching and switching since it was last kept is kept with them. A thread that has
        no id yet cannot be found again, and is not kept.

        Raises:
            ThreadBusy: Another process is answering it, so what it writes is what counts.
        """
        if not thread.id:
            return
        dirty_from, thread.dirty_from = thread.dirty_from, None
        try:
            thread.version = self._save(thread, since, backend_state, dirty_from)
        except BaseException:
            if dirty_from is not None:
                thread.dirty_from = min(
                    dirty_from, dirty_from if thread.dirty_from is None else thread.dirty_from
                )
            raise

    def _save(self, thread: Thread, since: int, backend_state: bool, dirty_from: int | None) -> int:
        if dirty_from is not None:
            since, backend_state = min(since, dirty_from), True
        changes: dict[str, Any] = {"changed": time.time(), "version": THREADS.c.version + 1}
        if backend_state:
            changes["backend_state"] = json.dumps(thread.backend_state)
        this = self.of(thread.owner)._mine(thread.id)
        mine = sql.update(THREADS).where(this, self._free).values(changes)
        with self._writing() as connection:
            version: int | None = connection.scalar(mine.returning(THREADS.c.version))
            if version is None:  # nothing of it is kept yet, or it is not ours
                since, version, dirty_from = 0, 1, 0
                self._insert(connection, thread)
            its = MESSAGES.c.thread_id == thread.id
            connection.execute(sql.delete(MESSAGES).where(its, MESSAGES.c.position >= since))
            _write(connection, MESSAGES, [_row(thread, each) for each in range(since, len(thread.messages))])
            if dirty_from is not None:
                connection.execute(sql.delete(BRANCHES).where(BRANCHES.c.thread_id == thread.id))
                _write(connection, BRANCHES, _branch_rows(thread))
        return version

    def load(self, thread_id: str) -> Thread | None:
        """This person's thread by this id, or None.

        An answer without an ending is one whose process is gone, or is still at it.
        """
        if UNSENDABLE.search(thread_id):
            return None
        bodies = sql.select(MESSAGES.c.body).where(MESSAGES.c.thread_id == thread_id)
        others = sql.select(BRANCHES.c.body).where(BRANCHES.c.thread_id == thread_id)
        with self._reading() as connection:
            row = connection.execute(
                sql.select(THREADS.c.backend_state, THREADS.c.title, THREADS.c.version).where(
                    self._mine(thread_id)
                )
            ).first()
            said = connection.scalars(bodies.order_by(MESSAGES.c.position)).all()
            aside = connection.scalars(others.order_by(BRANCHES.c.number)).all()
        if row is None:
            return None
        try:
            messages = [message_from_json(json.loads(body)) for body in said]
            branches = branches_from_json([json.loads(body) for body in aside], len(messages))
            backend_state = json.loads(row.backend_state)
            return Thread(
                thread_id, messages, backend_state, row.title, row.version, branches, owner=self.owner
            )
        except ValueError as error:
            raise StoreError(
                N_("A thread in {shown} cannot be read: {message}", shown=self._shown, message=str(error))
            ) from error

    def exists(self, thread_id: str) -> bool:
        """Whether anybody, this person or another, has a thread by this id here."""
        if UNSENDABLE.search(thread_id):
            return False
        with self._reading() as connection:
            return self._is_there(connection, THREADS.c.id == thread_id)

    def newer(self, thread: Thread) -> Thread | None:
        """The thread as another process has kept it since it was written or read here, or None."""
        if not thread.id:
            return None
        store = self.of(thread.owner)
        version = sql.select(THREADS.c.version).where(store._mine(thread.id))
        with self._reading() as connection:
            kept = connection.scalar(version)
        return None if kept is None or kept <= thread.version else store.load(thread.id)

    def rename(self, thread_id: str, title: str) -> None:
        """Give a thread another title."""
        with self._writing() as connection:
            connection.execute(
                sql.update(THREADS).where(self._mine(thread_id)).values(_titles(_one_line(title)))
            )

    def delete(self, thread_id: str) -> None:
        """Forget a thread; nothing is left of it here.

        Raises:
            ThreadBusy: Another process is answering it.
        """
        this = self._mine(thread_id)
        with self._writing() as connection:
            taken = sql.update(THREADS).where(this, self._free).values(holder=self._me)
            if not connection.execute(taken).rowcount:
                if self._is_there(connection, this):
                    raise ThreadBusy(ELSEWHERE)
                return
            connection.execute(sql.delete(MESSAGES).where(MESSAGES.c.thread_id == thread_id))
            connection.execute(sql.delete(BRANCHES).where(BRANCHES.c.thread_id == thread_id))
            connection.execute(sql.delete(THREADS).where(this))

    # --- all of them --------------------------------------------------------------------------------

    def entries(self, search: str = "", limit: int = 50, offset: int = 0) -> list[Entry]:
        """This person's threads, the last that changed first, or those in which ``search`` was said.

        It is looked for in titles and in everything said, arguments and outputs of calls included, also in
        branches that are not open.
        """
        held = (THREADS.c.holder != "") & (THREADS.c.held_until >= self._now)
        query = sql.select(THREADS.c.id, THREADS.c.title, THREADS.c.changed, held)
        query = query.where(THREADS.c.owner == self.owner)
        if words := _to_find(search.strip()):
            said = MESSAGES.c.said.contains(words, autoescape=True)
            called = THREADS.c.called.contains(words, autoescape=True)
            aside = BRANCHES.c.said.contains(words, autoescape=True)
            query = query.where(
                called
                | sql.exists().where(MESSAGES.c.thread_id == THREADS.c.id, said)
                | sql.exists().where(BRANCHES.c.thread_id == THREADS.c.id, aside)
            )
        query = query.order_by(THREADS.c.changed.desc(), THREADS.c.id).limit(limit).offset(offset)
        with self._reading() as connection:
            return [Entry(*row) for row in connection.execute(query)]

    # --- leases: which process answers a thread -----------------------------------------------------

    def take(self, thread: Thread) -> None:
        """Let this process alone answer the thread; for as many seconds as a lease has, if not renewed.

        Raises:
            ThreadBusy: Another process is answering it.
        """
        this = self.of(thread.owner)._mine(thread.id)
        with self._writing() as connection:
            taken = sql.update(THREADS).where(this, self._free).values(self._lease() | {"stop": 0})
            if not connection.execute(taken).rowcount and self._is_there(connection, this):
                raise ThreadBusy(ELSEWHERE)
        self._taken.add(thread)

    def renew(self, threads: Iterable[Thread]) -> list[Thread]:
        """Hold these threads for another while; gives those whose answer is to be stopped.

        That is what somebody in another process asked for, or has taken over.
        """
        kept = [thread for thread in threads if thread.version]
        ours = THREADS.c.id.in_([thread.id for thread in kept]) & (THREADS.c.holder == self._me)
        with self._writing() as connection:
            renewed = sql.update(THREADS).where(ours).values(self._lease())
            renewed = renewed.returning(THREADS.c.id, THREADS.c.stop)
            going_on = {thread_id for thread_id, stop in connection.execute(renewed) if not stop}
        return [thread for thread in kept if thread.id not in going_on]

    def release(self, thread: Thread) -> None:
        """Let others answer the thread again."""
        self._taken.discard(thread)
        ours = (THREADS.c.id == thread.id) & (THREADS.c.holder == self._me)
        with self._writing() as connection:
            connection.execute(sql.update(THREADS).where(ours).values(holder="", held_until=0))

    def ask_to_stop(self, thread_id: str) -> None:
        """Ask whichever process is answering this thread to stop; it does when it renews its lease."""
        with self._writing() as connection:
            connection.execute(sql.update(THREADS).where(self._mine(thread_id)).values(stop=1))

    def is_held_elsewhere(self, thread_id: str) -> bool:
        """Whether another process is answering this thread."""
        with self._reading() as connection:
            return self._is_there(connection, self._mine(thread_id) & self._held)

    # --- how ----------------------------------------------------------------------------------------

    def _insert(self, connection: sql.Connection, thread: Thread) -> None:
        """Add a thread's row, held by this process if it is being answered."""
        if self._is_there(connection, THREADS.c.id == thread.id):
            raise ThreadBusy(ELSEWHERE)
        moment = time.time()
        row: dict[str, Any] = {"id": thread.id, "began": moment, "changed": moment, "version": 1}
        row |= _titles(_title(thread)) | {
            "backend_state": json.dumps(thread.backend_state),
            "owner": thread.owner,
        }
        if thread in self._taken:
            row |= self._lease()
        connection.execute(sql.insert(THREADS).values(row))

    def _lease(self) -> dict[str, Any]:
        return {"holder": self._me, "held_until": self._now + self._seconds}

    def _mine(self, thread_id: str) -> sql.ColumnElement[bool]:
        return (THREADS.c.id == thread_id) & (THREADS.c.owner == self.owner)

    def _is_there(self, connection: sql.Connection, which: sql.ColumnElement[bool]) -> bool:
        return connection.scalar(sql.select(THREADS.c.id).where(which)) is not None

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        with self._translated(), self._turn, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def alone(self, lock: int) -> Iterator[sql.Connection]:
        """A transaction beside which there is no other with this lock, in any process."""
        connecting = self._engine.connect().execution_options
        with self._translated(), self._turn, connecting(alone=True) as connection, connection.begin():
            wait_for_others(connection, lock)
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        """A transaction in which everything that is read is of the same moment."""
        with self._translated(), self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Within this block, the database's errors become ours, without its password."""
        try:
            yield
        except (SQLAlchemyError, ImportError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise StoreError(
                N_("The database {shown} cannot be used: {reason}", shown=self._shown, reason=reason)
            ) from error


def _row(thread: Thread, position: int) -> dict[str, Any]:
    message = thread.messages[position]
    return {
        "thread_id": thread.id,
        "position": position,
        "role": message.role,
        "body": json.dumps(message_as_json(message)),
        "said": _said(message),
    }


def _branch_rows(thread: Thread) -> list[dict[str, Any]]:
    """A row for each branch that is not open; those inside another come after it."""
    said = ["\n".join(map(_said, each.messages)) for each in thread.each_branch()][1:]
    return [
        {"thread_id": thread.id, "number": number, "body": json.dumps(body), "said": words}
        for number, (body, words) in enumerate(zip(branches_as_json(thread.branches), said, strict=True))
    ]


def _write(connection: sql.Connection, table: sql.Table, rows: list[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _MANY):
        connection.execute(sql.insert(table), rows[start : start + _MANY])


def _said(message: Message) -> str:
    """All that can be looked for in a message."""
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | Refusal(text) | Reasoning(text):
                texts.append(text)
            case HostedCall(_, _, name, asked, output):
                texts += [name, asked, output]
            case Citation(_, title, url):
                texts += [title, url]
            case Call(_, name, arguments, result=result):
                texts += [name, arguments, result.output if result else ""]
    return _to_find("\n".join(texts))


def _to_find(words: str) -> str:
    """Words as they are looked for: without regard to case, and without what no database takes."""
    return UNSENDABLE.sub("\ufffd", words.casefold())


def _titles(title: str) -> dict[str, Any]:
    return {"title": title, "called": _to_find(title)}


def _title(thread: Thread) -> str:
    return _one_line(thread.title or (thread.messages[0].text if thread.messages else ""))


def _one_line(words: str) -> str:
    line = " ".join(UNSENDABLE.sub("\ufffd", words).split())
    return line if len(line) <= 60 else line[:59] + "…"
