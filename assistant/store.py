"""Threads, kept in SQL: a SQLite file, or PostgreSQL by its URL.

    thread    one row a thread: its id, its title, when it began and last changed (seconds since 1970), and
              ``raw``, the backend's own notes and items as JSON
    message   one row a message, by thread and position: its role, ``body``, the message as JSON
              (``transcript.py``), and ``said``, its words for searching
    edition   one row: the number of this schema

All JSON is plain ASCII text: neither NUL nor half a surrogate pair troubles any database.

Not here: when something is saved (``live.py``) or how a list of threads looks.

The one rule: a row is written in one transaction, so that whoever reads after a crash reads whole messages.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from .errors import StoreError
from .messages import Call, Message, Reasoning, Refusal, Text
from .threads import Thread
from .transcript import message_as_json, message_from_json

log = logging.getLogger(__name__)

EDITION = 1

_tables = sql.MetaData()
_edition = sql.Table("edition", _tables, sql.Column("number", sql.Integer, primary_key=True))
_thread = sql.Table(
    "thread",
    _tables,
    sql.Column("id", sql.String(512), primary_key=True),
    sql.Column("title", sql.Text, nullable=False),
    sql.Column("began", sql.Float, nullable=False),
    sql.Column("changed", sql.Float, nullable=False, index=True),
    sql.Column("raw", sql.Text, nullable=False),
)
_message = sql.Table(
    "message",
    _tables,
    sql.Column("thread_id", sql.String(512), sql.ForeignKey("thread.id"), primary_key=True),
    sql.Column("position", sql.Integer, primary_key=True),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("body", sql.Text, nullable=False),
    sql.Column("said", sql.Text, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A thread in the list of them; ``changed`` is in seconds since 1970."""

    id: str
    title: str
    changed: float


class Store:
    """Threads in a database; safe to use from many threads and processes at once.

    ``problem`` says why the last thing was not kept; it is empty while all is well.
    """

    problem = ""

    def __init__(self, url: str) -> None:
        """Open the database at this URL, and make its tables where there are none.

        Raises:
            StoreError: It cannot be opened, or was made by a later version of this application.
        """
        try:
            address = sql.make_url(url)
        except ArgumentError as error:
            raise StoreError("ASSISTANT_DATABASE_URL is not the URL of a database.") from error
        self._shown = address.render_as_string(hide_password=True)
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg")
        with self._translated():
            self._engine = sql.create_engine(address, pool_pre_ping=True)
            if address.get_backend_name() == "sqlite":
                sql.event.listen(self._engine, "connect", _prepare_sqlite)
            with self._engine.begin() as connection:
                _tables.create_all(connection)
                number = connection.scalar(sql.select(_edition.c.number))
                if number is None:
                    connection.execute(sql.insert(_edition).values(number=EDITION))
        if number is not None and number > EDITION:
            raise StoreError(f"{self._shown} was made by a later version of this application.")

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def save(self, thread: Thread, since: int = 0, *, raw: bool = True) -> None:
        """Keep the thread's messages from position ``since`` on, and the backend's notes if ``raw``.

        A thread that has no id yet cannot be found again, and is not kept.

        Raises:
            StoreError: The database cannot be written.
        """
        if not thread.id:
            return
        now = time.time()
        changes: dict[str, Any] = {"changed": now}
        if raw:
            changes["raw"] = json.dumps(thread.raw)
        with self._translated(), self._engine.begin() as connection:
            known = connection.execute(sql.update(_thread).where(_thread.c.id == thread.id).values(changes))
            if not known.rowcount:
                since = 0  # nothing of it is kept yet
                row = {
                    "id": thread.id,
                    "title": _title(thread),
                    "began": now,
                    "raw": json.dumps(thread.raw),
                }
                connection.execute(sql.insert(_thread).values(row | changes))
            here = _message.c.thread_id == thread.id
            connection.execute(sql.delete(_message).where(here, _message.c.position >= since))
            if bodies := [_row(thread, position) for position in range(since, len(thread.messages))]:
                connection.execute(sql.insert(_message), bodies)

    def entries(self, search: str = "", limit: int = 50, offset: int = 0) -> list[Entry]:
        """The threads, those that changed last first, or those of them in which ``search`` was said.

        It is looked for in titles and in everything said, arguments and outputs of calls included.

        Raises:
            StoreError: The database cannot be read.
        """
        query = sql.select(_thread.c.id, _thread.c.title, _thread.c.changed)
        if words := search.strip():
            found = _message.c.said.contains(words.casefold(), autoescape=True)
            threads = sql.select(_message.c.thread_id).where(found)
            query = query.where(_thread.c.title.icontains(words, autoescape=True) | _thread.c.id.in_(threads))
        query = query.order_by(_thread.c.changed.desc(), _thread.c.id).limit(limit).offset(offset)
        with self._translated(), self._engine.begin() as connection:
            return [Entry(*row) for row in connection.execute(query)]

    def rename(self, thread_id: str, title: str) -> None:
        """Give a thread another title.

        Raises:
            StoreError: The database cannot be written.
        """
        change = sql.update(_thread).where(_thread.c.id == thread_id).values(title=_one_line(title))
        with self._translated(), self._engine.begin() as connection:
            connection.execute(change)

    def delete(self, thread_id: str) -> None:
        """Forget a thread; nothing is left of it here.

        Raises:
            StoreError: The database cannot be written.
        """
        with self._translated(), self._engine.begin() as connection:
            connection.execute(sql.delete(_message).where(_message.c.thread_id == thread_id))
            connection.execute(sql.delete(_thread).where(_thread.c.id == thread_id))

    def keep(self, thread: Thread, since: int, raw: bool) -> None:
        """``save``, for somebody who cannot do anything about an error: it is left in ``problem``."""
        try:
            self.save(thread, since, raw=raw)
            self.problem = ""
        except StoreError as error:
            self.problem = str(error)
            log.warning("a thread was not kept: %s", error)

    def load(self, thread_id: str) -> Thread | None:
        """The thread by this id, or None.

        An answer without an ending is one whose process is gone, or is still at it.

        Raises:
            StoreError: The database cannot be read.
        """
        with self._translated(), self._engine.begin() as connection:
            raw = connection.scalar(sql.select(_thread.c.raw).where(_thread.c.id == thread_id))
            bodies = connection.scalars(
                sql.select(_message.c.body)
                .where(_message.c.thread_id == thread_id)
                .order_by(_message.c.position)
            ).all()
        if raw is None:
            return None
        try:
            messages: list[Message] = [message_from_json(json.loads(body)) for body in bodies]
            return Thread(thread_id, messages, json.loads(raw))
        except ValueError as error:
            raise StoreError(f"A thread in {self._shown} cannot be read: {error}") from error

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Within this block, the database's errors become ours, without its password."""
        try:
            yield
        except (SQLAlchemyError, ImportError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise StoreError(f"The database {self._shown} cannot be used: {reason}") from error


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Readers beside a writer, and patience with other writers."""
    for setting in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _row(thread: Thread, position: int) -> dict[str, Any]:
    message = thread.messages[position]
    return {
        "thread_id": thread.id,
        "position": position,
        "role": message.role,
        "body": json.dumps(message_as_json(message)),
        "said": _said(message),
    }


def _said(message: Message) -> str:
    """All that can be looked for in a message, without regard to case."""
    texts: list[str] = []
    for part in message.parts:
        match part:
            case Text(text) | Refusal(text) | Reasoning(text):
                texts.append(text)
            case Call(_, name, arguments, result=result):
                texts += [name, arguments, result.output if result else ""]
    return "\n".join(texts).casefold().replace("\0", "").encode("utf-8", "replace").decode()


def _title(thread: Thread) -> str:
    return _one_line(thread.title or (thread.messages[0].text if thread.messages else ""))


def _one_line(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= 60 else line[:59] + "…"
