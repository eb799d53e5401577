"""Databases of every edition: brought forward without loss, all at once or not at all."""

import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sql

from assistant.errors import StoreError
from assistant.events import RunCompleted
from assistant.messages import Message, Text
from assistant.storage import schema as tables
from assistant.storage.schema import SCHEMA_VERSION, address_of, engine_for
from assistant.storage.store import Store

# What the first edition made, as it made it, with a thread that it kept.
FIRST = [
    "CREATE TABLE edition (number INTEGER NOT NULL, PRIMARY KEY (number))",
    "CREATE TABLE thread (id VARCHAR(512) NOT NULL, title TEXT NOT NULL, began FLOAT NOT NULL, "
    "changed FLOAT NOT NULL, backend_state TEXT NOT NULL, PRIMARY KEY (id))",
    "CREATE INDEX ix_thread_changed ON thread (changed)",
    "CREATE TABLE message (thread_id VARCHAR(512) NOT NULL, position INTEGER NOT NULL, "
    "role VARCHAR(16) NOT NULL, body TEXT NOT NULL, said TEXT NOT NULL, PRIMARY KEY (thread_id, position), "
    "FOREIGN KEY(thread_id) REFERENCES thread (id))",
    "INSERT INTO edition VALUES (1)",
    """INSERT INTO thread VALUES ('conv_1', 'Élan', 1.5, 2.5, '{"responses": {"items": []}}')""",
    """INSERT INTO message VALUES ('conv_1', 0, 'user', '{"type": "Message", "role": "user", "parts": """
    """[{"type": "Text", "text": "\\u00c9lan"}], "ending": {"type": "RunCompleted"}}', 'élan')""",
    """INSERT INTO message VALUES ('conv_1', 1, 'assistant', '{"type": "Message", "role": "assistant", """
    """"parts": [{"type": "Text", "text": "Oui."}], "ending": {"type": "RunCompleted"}}', 'oui.')""",
]

# The same thread, as the second edition made and kept it.
SECOND = [
    FIRST[0],
    "CREATE TABLE thread (id VARCHAR(512) NOT NULL, title TEXT NOT NULL, began FLOAT NOT NULL, "
    "changed FLOAT NOT NULL, backend_state TEXT NOT NULL, called TEXT DEFAULT '' NOT NULL, "
    "version INTEGER DEFAULT '0' NOT NULL, holder VARCHAR(32) DEFAULT '' NOT NULL, "
    "held_until FLOAT DEFAULT '0' NOT NULL, stop INTEGER DEFAULT '0' NOT NULL, PRIMARY KEY (id))",
    FIRST[2],
    FIRST[3],
    "INSERT INTO edition VALUES (2)",
    """INSERT INTO thread VALUES ('conv_1', 'Élan', 1.5, 2.5, '{"responses": {"items": []}}', 'élan', 1, """
    """'', 0, 0)""",
    *FIRST[6:],
]
EARLIER = {"first": FIRST, "second": SECOND}


def make(edition: str, database: str) -> sql.Engine:
    """A database as an earlier edition left it."""
    engine = engine_for(address_of(database))
    with engine.begin() as connection:
        for statement in EARLIER[edition]:
            if engine.dialect.name == "postgresql":
                statement = statement.replace("(number INTEGER", "(number SERIAL")
            connection.exec_driver_sql(statement)
    return engine


@pytest.fixture(params=EARLIER)
def earlier(database: str, request: pytest.FixtureRequest) -> Iterator[sql.Engine]:
    """A database as each earlier edition left it."""
    engine = make(request.param, database)
    yield engine
    engine.dispose()


def shape(engine: sql.Engine) -> dict[str, Any]:
    """All that a database says about its tables, whatever the order of the columns."""
    inspector = sql.inspect(engine)
    return {
        table: {
            "columns": {each["name"]: {**each, "type": str(each["type"])} for each in columns},
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": inspector.get_foreign_keys(table),
            "indexes": inspector.get_indexes(table),
        }
        for table in sorted(inspector.get_table_names())
        for columns in [inspector.get_columns(table)]
    }


def test_a_database_of_an_earlier_edition_is_brought_forward_with_all_that_it_holds(
    earlier: sql.Engine, database: str
) -> None:
    with closing(Store(database)) as store:
        kept = store.load("conv_1")
        assert kept is not None
        assert (kept.title, kept.backend_state, kept.version) == ("Élan", {"responses": {"items": []}}, 1)
        assert kept.messages == [
            Message.from_user("Élan"),
            Message("assistant", [Text("Oui.")], RunCompleted()),
        ]
        assert [(each.id, each.title, each.changed) for each in store.entries("ÉLAN")] == [
            ("conv_1", "Élan", 2.5)
        ]
        store.rename("conv_1", "Été")
        assert [each.title for each in store.entries("été")] == ["Été"]
        kept.messages += kept.messages
        store.save(kept, 2)
        kept.branch(3)
        store.save(kept, 3)
        assert [each.id for each in store.entries("oui")] == ["conv_1"]
    with earlier.connect() as connection:
        assert connection.scalar(sql.select(tables.EDITIONS.c.number)) == SCHEMA_VERSION


def test_a_database_brought_forward_has_the_shape_of_a_new_one(earlier: sql.Engine, database: str) -> None:
    Store(database).close()
    forward = shape(earlier)
    with earlier.begin() as connection:
        for table in ("branch", "message", "thread", "edition"):
            connection.exec_driver_sql(f"DROP TABLE {table}")
    Store(database).close()
    assert shape(earlier) == forward


def test_a_database_is_brought_forward_wholly_or_not_at_all(
    earlier: sql.Engine, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shape(earlier)

    def half(connection: sql.Connection) -> None:
        connection.exec_driver_sql("ALTER TABLE thread ADD COLUMN half TEXT")
        raise OSError("the power is gone")

    with monkeypatch.context() as context:
        context.setitem(tables._STEPS, SCHEMA_VERSION, half)
        with pytest.raises(StoreError, match="the power is gone"):
            Store(database)
    assert shape(earlier) == before
    Store(database).close()


@pytest.mark.parametrize("edition", ["none", *EARLIER])
def test_many_may_open_a_database_at_once(database: str, edition: str) -> None:
    if edition in EARLIER:
        make(edition, database).dispose()
    everybody, opened = threading.Barrier(8), []

    def open_it() -> None:
        everybody.wait()
        opened.append(Store(database))

    openers = [threading.Thread(target=open_it) for _ in range(8)]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join()
    assert len(opened) == 8
    for store in opened:
        store.close()
