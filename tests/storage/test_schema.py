"""The tables of a database are created all together, and a later version is left alone."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sql

from assistant.errors import StoreError
from assistant.storage.database import Database, create_engine, parse_url
from assistant.storage.schema import SCHEMA_VERSION, SCHEMA_VERSIONS
from tests.waiting import at_once


@pytest.fixture
def engine(database: str) -> Iterator[sql.Engine]:
    engine = create_engine(parse_url(database))
    yield engine
    engine.dispose()


def tables(engine: sql.Engine) -> list[str]:
    return sorted(sql.inspect(engine).get_table_names())


def test_an_empty_database_gets_the_tables_and_their_version(database: str, engine: sql.Engine) -> None:
    Database(database).close()
    assert tables(engine) == ["branch", "message", "schema_version", "session_end", "thread", "usage"]
    Database(database).close()
    with engine.connect() as connection:
        assert connection.scalars(sql.select(SCHEMA_VERSIONS.c.number)).all() == [SCHEMA_VERSION]


def test_a_database_of_a_later_version_is_refused_and_left_alone(database: str, engine: sql.Engine) -> None:
    later = SCHEMA_VERSION + 1
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE schema_version (number INTEGER NOT NULL PRIMARY KEY)")
        connection.exec_driver_sql(f"INSERT INTO schema_version VALUES ({later})")
    with pytest.raises(StoreError, match="was created by a later version of this application"):
        Database(database)
    assert tables(engine) == ["schema_version"]
    with engine.connect() as connection:
        assert connection.scalars(sql.select(SCHEMA_VERSIONS.c.number)).all() == [later]


def test_tables_are_created_all_together_or_not_at_all(database: str, engine: sql.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE other (id INTEGER)")
        connection.exec_driver_sql("CREATE INDEX ix_thread_owner ON other (id)")
    with pytest.raises(StoreError, match="ix_thread_owner"):  # the name is in use
        Database(database)
    assert tables(engine) == ["other"]
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP INDEX ix_thread_owner")
    Database(database).close()


def test_many_processes_may_open_a_new_database_at_once(database: str) -> None:
    for opened in at_once(8, lambda _: Database(database)):
        opened.close()
