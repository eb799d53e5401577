"""The tables in which threads are kept, and how a database comes to have them.

    thread    one row a thread: its id, its title, ``called``, the title for searching, when it began and last
              changed (seconds since 1970), ``version``, how often it was kept, ``backend_state``, the backend's own
              notes and items as JSON, and its lease: ``holder``, the store whose process answers it now
              (empty: none), ``held_until`` (seconds since 1970, by the database's clock), and ``stop``, 1
              when somebody in another process wants the answer stopped; ``owner`` is the person whose it is
              (``access.py``; empty where nobody signs in)
    message   one row a message, by thread and position: its role, ``body``, the message as JSON
              (``transcript.py``), and ``said``, its words for searching
    branch    one row a branch that is not open, by thread and number: ``body``, where it begins, its messages
              and the backend's notes, as JSON, and ``said``, its words for searching; they are written
              only when somebody branches or switches
    spent     one row for each person (``who``; empty: everybody together) in each minute or day (``period``,
              of UTC): the messages, tokens and USD that were spent of the owner's account (``usage_store.py``)
    edition   one row: the number of this schema

All JSON is plain ASCII text: neither NUL nor half a surrogate pair troubles any database.

Not here: what is written into them, and when (``store.py``, ``autosaver.py``).

The one rule: a database of any earlier edition is brought forward, step by step, in one transaction; its
tables come out the same as if they were made new.
"""

import sqlite3
import time
from typing import Any

import sqlalchemy as sql
from sqlalchemy.pool import QueuePool

SCHEMA_VERSION = 4

KINDS = ("sqlite", "postgresql")

PATIENCE = 10
"""Seconds to wait for a database: for other writers of a file, or for a server that does not answer."""

_tables = sql.MetaData()
EDITIONS = sql.Table("edition", _tables, sql.Column("number", sql.Integer, primary_key=True))
THREADS = sql.Table(
    "thread",
    _tables,
    sql.Column("id", sql.String(512), primary_key=True),
    sql.Column("title", sql.Text, nullable=False),
    sql.Column("began", sql.Float, nullable=False),
    sql.Column("changed", sql.Float, nullable=False),
    sql.Column("backend_state", sql.Text, nullable=False),
    sql.Column("called", sql.Text, nullable=False, server_default=""),
    sql.Column("version", sql.Integer, nullable=False, server_default="0"),
    sql.Column("holder", sql.String(32), nullable=False, server_default=""),
    sql.Column("held_until", sql.Float, nullable=False, server_default="0"),
    sql.Column("stop", sql.Integer, nullable=False, server_default="0"),
    sql.Column("owner", sql.String(64), nullable=False, server_default=""),
    sql.Index("ix_thread_owner", "owner", "changed"),  # a list is always of one person's
)
MESSAGES = sql.Table(
    "message",
    _tables,
    sql.Column("thread_id", sql.String(512), sql.ForeignKey("thread.id"), primary_key=True),
    sql.Column("position", sql.Integer, primary_key=True),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("body", sql.Text, nullable=False),
    sql.Column("said", sql.Text, nullable=False),
)

BRANCHES = sql.Table(
    "branch",
    _tables,
    sql.Column("thread_id", sql.String(512), sql.ForeignKey("thread.id"), primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("body", sql.Text, nullable=False),
    sql.Column("said", sql.Text, nullable=False),
)

SPENT = sql.Table(
    "spent",
    _tables,
    sql.Column("who", sql.String(64), primary_key=True),
    sql.Column("period", sql.String(16), primary_key=True),
    sql.Column("messages", sql.Float, nullable=False),
    sql.Column("tokens", sql.Float, nullable=False),
    sql.Column("dollars", sql.Float, nullable=False),
)

_ADDRESSES = {"postgres": "postgresql+psycopg", "postgresql": "postgresql+psycopg"}


def address_of(url: str) -> sql.URL:
    """The URL of a database with the driver that this application comes with.

    Raises:
        sqlalchemy.exc.ArgumentError: It is no such URL.
    """
    address = sql.make_url(url)
    return address.set(drivername=_ADDRESSES.get(address.drivername, address.drivername))


def engine_for(address: sql.URL) -> sql.Engine:
    """The connections to a database; none is made yet."""
    options: dict[str, Any] = {"pool_pre_ping": True}
    match address.get_backend_name():
        case "sqlite":
            options["connect_args"] = {"timeout": PATIENCE, "check_same_thread": False}
            if address.database in (None, "", ":memory:"):
                # A database in memory is gone with its connection, so everybody shares the one.
                options |= {
                    "poolclass": QueuePool,
                    "pool_size": 1,
                    "max_overflow": 0,
                    "pool_timeout": PATIENCE,
                }
            else:
                # Connections to a file cost next to nothing, and many people read at once.
                options |= {"pool_size": 20, "max_overflow": 40}
        case "postgresql":
            # Prepared statements do not get along with the poolers that hosted databases stand behind.
            options["connect_args"] = {
                "connect_timeout": PATIENCE // 2,
                "tcp_user_timeout": PATIENCE * 1000,
                "prepare_threshold": None,
            }
    engine = sql.create_engine(address, **options)
    if engine.dialect.name == "sqlite":
        sql.event.listen(engine, "connect", _prepare_sqlite)
        sql.event.listen(engine, "begin", _begin_sqlite)
    return engine


def now(engine: sql.Engine) -> sql.ColumnElement[float]:
    """Seconds since 1970 by the database's own clock, the one that all its processes share."""
    if engine.dialect.name == "sqlite":
        return (sql.func.julianday("now") - 2440587.5) * 86400.0
    return sql.cast(sql.func.extract("epoch", sql.func.clock_timestamp()), sql.Float)


def migrate(engine: sql.Engine) -> int:
    """Make the tables where there are none, and bring those of an earlier edition up to this one.

    The number of the edition that stands there now; greater than ``SCHEMA_VERSION`` if a later version of this
    application made it, and then nothing was changed.
    """
    with engine.connect().execution_options(alone=True) as connection, connection.begin():
        wait_for_others(connection, _LOCK)
        known = sql.inspect(connection).get_table_names()
        number: int | None = None
        if "edition" in known:
            number = connection.scalar(sql.select(EDITIONS.c.number))
        if number is None:
            _tables.create_all(connection)
            connection.execute(sql.insert(EDITIONS).values(number=SCHEMA_VERSION))
            return SCHEMA_VERSION
        for edition in range(number + 1, SCHEMA_VERSION + 1):
            _STEPS[edition](connection)
        if number < SCHEMA_VERSION:
            connection.execute(sql.update(EDITIONS).values(number=SCHEMA_VERSION))
        return max(number, SCHEMA_VERSION)


def wait_for_others(connection: sql.Connection, lock: int) -> None:
    """Let nobody else be in a transaction with this lock, until this one ends.

    In SQLite the transaction itself has to be begun ``alone``, an execution option of its connection.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(sql.select(sql.func.pg_advisory_xact_lock(lock)))


_LOCK = 7_263_415_908
"""What processes that open the same PostgreSQL database at once agree to wait for."""


def _to_2(connection: sql.Connection) -> None:
    """Titles found whatever their case, threads seen from several processes, and leases."""
    for column in (
        "called TEXT DEFAULT '' NOT NULL",
        "version INTEGER DEFAULT '0' NOT NULL",
        "holder VARCHAR(32) DEFAULT '' NOT NULL",
        "held_until FLOAT DEFAULT '0' NOT NULL",
        "stop INTEGER DEFAULT '0' NOT NULL",
    ):
        connection.exec_driver_sql(f"ALTER TABLE thread ADD COLUMN {column}")
    for thread_id, title in connection.execute(sql.select(THREADS.c.id, THREADS.c.title)).all():
        this = THREADS.c.id == thread_id
        connection.execute(sql.update(THREADS).where(this).values(called=title.casefold(), version=1))


def _to_3(connection: sql.Connection) -> None:
    """Branches."""
    connection.exec_driver_sql(
        "CREATE TABLE branch (thread_id VARCHAR(512) NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, "
        "said TEXT NOT NULL, PRIMARY KEY (thread_id, number), FOREIGN KEY(thread_id) REFERENCES thread (id))"
    )


def _to_4(connection: sql.Connection) -> None:
    """Whose a thread is, and what was spent."""
    connection.exec_driver_sql("ALTER TABLE thread ADD COLUMN owner VARCHAR(64) DEFAULT '' NOT NULL")
    connection.exec_driver_sql("CREATE INDEX ix_thread_owner ON thread (owner, changed)")
    connection.exec_driver_sql("DROP INDEX ix_thread_changed")
    connection.exec_driver_sql(
        "CREATE TABLE spent (who VARCHAR(64) NOT NULL, period VARCHAR(16) NOT NULL, messages FLOAT NOT NULL, "
        "tokens FLOAT NOT NULL, dollars FLOAT NOT NULL, PRIMARY KEY (who, period))"
    )


_STEPS = {2: _to_2, 3: _to_3, 4: _to_4}


def _prepare_sqlite(connection: Any, _: object) -> None:
    """Readers beside a writer; transactions begin where we say so (``_begin_sqlite``)."""
    connection.isolation_level = None
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:  # SQLite itself does not wait for another who does the same
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    for setting in ("synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin_sqlite(connection: sql.Connection) -> None:
    alone = connection.get_execution_options().get("alone")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if alone else "BEGIN")
