"""A PostgreSQL server that says nothing more."""

import time
from collections.abc import Callable

import pytest
import sqlalchemy as sql

from assistant.errors import StoreError
from assistant.storage import postgresql
from assistant.storage.database import Database
from tests.servers.postgresql import frozen

pytestmark = pytest.mark.exhaustive

ONE = sql.select(sql.literal(1))


def test_a_frozen_server_is_an_error_after_its_silence_and_from_then_on_at_once(
    databases: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "SILENCE_SECONDS", 0.5)
    url = databases()
    database = Database(url)
    with pytest.raises(StoreError, match="did not answer for"), database.reading() as connection, frozen(url):
        connection.execute(ONE)
    with frozen(url):
        for problem in ("timeout expired", "does not answer"):
            started = time.monotonic()
            with pytest.raises(StoreError, match=problem), database.reading() as connection:
                connection.execute(ONE)
        assert time.monotonic() - started < 1
    database.close()


def test_a_statement_of_which_something_arrives_now_and_then_may_take_longer(
    databases: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgresql, "SILENCE_SECONDS", 0.5)
    database = Database(databases())
    # Each row takes a fifth of a second, and is sent by itself because of its size.
    slowly = sql.text("SELECT pg_sleep(0.2), repeat('x', 100000) FROM generate_series(1, 5)")
    with database.reading() as connection:
        assert len(connection.execute(slowly).all()) == 5
    database.close()
