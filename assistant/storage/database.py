"""Connections and transactions of the database: SQLite, or PostgreSQL by its URL."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import sqlalchemy as sql
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import QueuePool

from assistant.errors import StoreError
from assistant.locale import N_
from assistant.storage.schema import SCHEMA_VERSION, migrate

TIMEOUT_SECONDS = 10
"""How long to wait for other processes that write, or for a server that does not answer."""

TURN_SECONDS = 30
"""How long to wait for other threads of this process: for a turn to write, or for a connection."""

_MIGRATION_LOCK = 7_263_415_908
_DRIVERS = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}
_BACKENDS = ("sqlite", "postgresql")


class Database:
    """A database with our schema; safe to use from many threads and processes at once.

    Transactions raise ``StoreError`` when the database cannot be used; the message never holds a password.
    """

    def __init__(self, url: str) -> None:
        """Open the database at this URL, and create the tables where they are missing.

        Raises:
            StoreError: The database cannot be opened, or has the schema of a later version.
        """
        address = parse_url(url)
        self.name = address.set(drivername=address.get_backend_name(), query={}).render_as_string()
        with self._translate_errors():
            self._engine = create_engine(address)
        self._writer = threading.Lock()
        try:
            with self.exclusive(_MIGRATION_LOCK) as connection:
                version = migrate(connection)
            if version > SCHEMA_VERSION:
                raise StoreError(
                    N_("{database} was created by a later version of this application.", database=self.name)
                )
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @property
    def now(self) -> sql.ColumnElement[float]:
        """Seconds since 1970 by the database's own clock, which all processes share."""
        if self._engine.dialect.name == "sqlite":
            return (sql.func.julianday("now") - 2440587.5) * 86400.0
        return sql.cast(sql.func.extract("epoch", sql.func.clock_timestamp()), sql.Float)

    @contextmanager
    def reading(self) -> Iterator[sql.Connection]:
        """A transaction that reads everything as of one moment."""
        with self._translate_errors(), self._engine.connect() as connection:
            if self._engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[sql.Connection]:
        """A transaction that writes."""
        # SQLite allows one writer at a time, and makes others poll for their turn.
        turn = self._turn() if self._engine.dialect.name == "sqlite" else nullcontext()
        with self._translate_errors(), turn, self._engine.begin() as connection:
            yield connection

    @contextmanager
    def exclusive(self, lock: int) -> Iterator[sql.Connection]:
        """A transaction that runs while no other with the same lock does, in any process."""
        engine = self._engine.execution_options(exclusive=True)
        with self._translate_errors(), self._turn(), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(sql.text(f"SET LOCAL lock_timeout = '{TIMEOUT_SECONDS}s'"))
                connection.execute(sql.select(sql.func.pg_advisory_xact_lock(lock)))
            yield connection

    def erase_deleted(self) -> bool:
        """Remove from the files what was deleted; return whether nothing of it is left.

        SQLite overwrites what is deleted, but older copies of its pages stay in the write-ahead log until that is
        emptied, which is possible while nothing reads. PostgreSQL reuses the space by itself (autovacuum).

        Raises:
            StoreError: The database cannot be used.
        """
        if self._engine.dialect.name != "sqlite":
            return True
        engine = self._engine.execution_options(no_transaction=True)
        with self._translate_errors(), self._turn(), engine.connect() as connection:
            is_busy: int = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
        return not is_busy

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for this thread's turn, always before taking a connection: waiting threads would use up the pool."""
        if not self._writer.acquire(timeout=TURN_SECONDS):
            raise StoreError(N_("The database {database} is busy.", database=self.name))
        try:
            yield
        finally:
            self._writer.release()

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, ImportError, OSError) as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            text = N_("The database {database} cannot be used: {reason}", database=self.name, reason=reason)
            raise StoreError(text) from error


def default_url(folder: Path) -> str:
    """Return the URL of the database where the settings name none: a file in the page's folder."""
    return f"sqlite:///{folder / 'threads.sqlite'}"


def parse_url(url: str) -> sql.URL:
    """Return the URL of a database, with the driver that this application installs.

    Raises:
        StoreError: It is not the URL of a database that can be used here.
    """
    try:
        address = sql.make_url(url)
    except ArgumentError as error:
        raise StoreError(N_("ASSISTANT_DATABASE_URL is not the URL of a database.")) from error
    address = address.set(drivername=_DRIVERS.get(address.drivername, address.drivername))
    if (backend := address.get_backend_name()) not in _BACKENDS:
        raise StoreError(N_("ASSISTANT_DATABASE_URL is for {name}. Use sqlite or postgresql.", name=backend))
    if "@" in (address.host or ""):  # the end of the password
        raise StoreError(N_("The password in ASSISTANT_DATABASE_URL contains an @. Write it as %40."))
    return address


def existing_url(url: str) -> str:
    """Return the URL of a database that exists; opening one in a missing file would create it.

    Raises:
        StoreError: There is no such database.
    """
    address = parse_url(url)
    path = address.database if address.get_backend_name() == "sqlite" else None
    if path and not Path(path).exists():
        raise StoreError(N_("There is no database {path}.", path=path))
    return url


def create_engine(address: sql.URL) -> sql.Engine:
    """Return an engine with our settings; it connects when it is first used."""
    options: dict[str, Any] = {"pool_pre_ping": True, "pool_timeout": TURN_SECONDS}
    match address.get_backend_name():
        case "sqlite":
            options["connect_args"] = {"timeout": TIMEOUT_SECONDS, "check_same_thread": False}
            if address.database in (None, "", ":memory:"):
                # A database in memory exists only in its connection, so all threads share one.
                options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
            else:
                # Connections to a file are cheap, and many threads read at once.
                options |= {"pool_size": 20, "max_overflow": 40}
        case "postgresql":
            # Connection poolers of hosted databases do not support prepared statements.
            options["connect_args"] = {
                "connect_timeout": TIMEOUT_SECONDS // 2,
                "tcp_user_timeout": TIMEOUT_SECONDS * 1000,
                "prepare_threshold": None,
            }
    engine = sql.create_engine(address, **options)
    if engine.dialect.name == "sqlite":
        sql.event.listen(engine, "connect", _configure_sqlite)
        sql.event.listen(engine, "begin", _begin_sqlite)
    else:
        from assistant.storage.postgresql import Connector  # loads psycopg

        sql.event.listen(engine, "do_connect", Connector().connect)
    return engine


def _configure_sqlite(connection: Any, _: object) -> None:
    """Let readers work beside a writer; transactions begin in ``_begin_sqlite``."""
    connection.isolation_level = None
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:  # SQLite's own timeout does not cover this statement
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    for setting in ("synchronous=NORMAL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: sql.Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("no_transaction"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("exclusive") else "BEGIN")
