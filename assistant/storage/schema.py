"""The database schema, and how a database comes to have it.

    schema_version  one row: the number of this schema
    thread          one row per thread: title, ``title_search`` (the title in the form that searches compare),
                    times in seconds since 1970, ``version`` (how often it was saved), ``backend_state``
                    (JSON), ``options`` (what its requests change of the settings, JSON), ``owner`` (the
                    user's id; empty where users do not sign in), and its lease:
                    ``lease_holder`` (the process that answers it; empty: none), ``lease_until`` (seconds
                    since 1970 by the database's clock) and ``stop_requested`` (1: the holder is to stop)
    message         one row per message of the open branch, by thread and position: ``body`` is the message
                    as JSON (``serialization.py``), ``search_text`` its text in the form that searches compare
    branch          one row per closed branch, by thread and number: ``body`` is where it starts, its messages
                    and its backend state, as JSON; written only when the user branches or switches
    usage           one row per user (empty: everyone together) and period, a minute or a day in UTC: the
                    messages, tokens and USD used of the owner's account
    session_end     one row per user, address or domain (a hash; empty: everyone) whose sessions the owner ended:
                    those opened until ``ended_at``, in seconds since 1970 by the database's clock

All JSON is plain ASCII: no database has trouble with NUL or half a surrogate pair in it.
"""

import sqlalchemy as sql

SCHEMA_VERSION = 1

_metadata = sql.MetaData()

SCHEMA_VERSIONS = sql.Table(
    "schema_version", _metadata, sql.Column("number", sql.Integer, primary_key=True, autoincrement=False)
)

THREADS = sql.Table(
    "thread",
    _metadata,
    sql.Column("id", sql.String(512), primary_key=True),
    sql.Column("owner", sql.String(64), nullable=False),
    sql.Column("title", sql.Text, nullable=False),
    sql.Column("title_search", sql.Text, nullable=False),
    sql.Column("created_at", sql.Float, nullable=False),
    sql.Column("updated_at", sql.Float, nullable=False),
    sql.Column("version", sql.Integer, nullable=False),
    sql.Column("backend_state", sql.Text, nullable=False),
    sql.Column("options", sql.Text, nullable=False),
    sql.Column("lease_holder", sql.String(32), nullable=False, default=""),
    sql.Column("lease_until", sql.Float, nullable=False, default=0.0),
    sql.Column("stop_requested", sql.Integer, nullable=False, default=0),
    sql.Index("ix_thread_owner", "owner", "updated_at"),  # every list is of one owner
)

MESSAGES = sql.Table(
    "message",
    _metadata,
    sql.Column("thread_id", sql.String(512), sql.ForeignKey("thread.id"), primary_key=True),
    sql.Column("position", sql.Integer, primary_key=True),
    sql.Column("role", sql.String(16), nullable=False),
    sql.Column("body", sql.Text, nullable=False),
    sql.Column("search_text", sql.Text, nullable=False),
)

BRANCHES = sql.Table(
    "branch",
    _metadata,
    sql.Column("thread_id", sql.String(512), sql.ForeignKey("thread.id"), primary_key=True),
    sql.Column("number", sql.Integer, primary_key=True),
    sql.Column("body", sql.Text, nullable=False),
    sql.Column("search_text", sql.Text, nullable=False),
)

USAGE = sql.Table(
    "usage",
    _metadata,
    sql.Column("user_id", sql.String(64), primary_key=True),
    sql.Column("period", sql.String(16), primary_key=True),
    sql.Column("messages", sql.Float, nullable=False),
    sql.Column("tokens", sql.Float, nullable=False),
    sql.Column("dollars", sql.Float, nullable=False),
)

SESSION_ENDS = sql.Table(
    "session_end",
    _metadata,
    sql.Column("entry", sql.String(64), primary_key=True),
    sql.Column("ended_at", sql.Float, nullable=False),
)


def migrate(connection: sql.Connection) -> int:
    """Create the tables where they are missing; return the version of the schema that the database has.

    A version above ``SCHEMA_VERSION`` was created by a later version of this application, and is left alone.
    The connection must be in a transaction that excludes other migrations.
    """
    version: int | None = None
    if sql.inspect(connection).has_table(SCHEMA_VERSIONS.name):
        version = connection.scalar(sql.select(SCHEMA_VERSIONS.c.number))
    if version is None:
        _metadata.create_all(connection)
        connection.execute(sql.insert(SCHEMA_VERSIONS).values(number=SCHEMA_VERSION))
        return SCHEMA_VERSION
    return version
