"""Under load, and with a database that is busy or gone, each message is answered or comes back into the input."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.access.visitors import Visitor, crowd, served
from tests.servers.postgresql import frozen
from tests.servers.responses import ModelServer, text
from tests.waiting import at_once, until

pytestmark = pytest.mark.exhaustive

VISITORS = 200
MORE_THAN_CONNECTIONS = 20
USAGE_LOCK = 7_263_415_909


@contextmanager
def visited(folder: Path, number: int, url: str, database: str) -> Iterator[tuple[str, list[Visitor]]]:
    """Serve the page; yield its address and this many visitors who have it open."""
    page = served(
        folder,
        OPENAI_BASE_URL=url,
        OPENAI_API_KEY="sk-of-the-owner",
        ASSISTANT_DATABASE_URL=database,
        ASSISTANT_LIMIT_ALL="1000000 messages/day",
    )
    with page as address, crowd(address, number) as visitors:
        yield address, visitors


def send_all(visitors: list[Visitor]) -> list[str]:
    """Let all visitors send a message at once; return what came of each."""

    def send(index: int) -> str:
        visitor = visitors[index]
        visitor.say(f"Hello {index}")
        visitor.wait(lambda: visitor.uncaught or visitor.draft or visitor.shows("A short answer"))
        visitor.wait(lambda: visitor.finished)
        if visitor.uncaught:
            return "uncaught"
        return "returned" if visitor.draft == f"Hello {index}" else "answered"

    return at_once(len(visitors), send)


def test_all_who_send_at_once_are_answered(server: ModelServer, tmp_path: Path, database: str) -> None:
    server.plays(*[text("A short answer.") for _ in range(VISITORS)])
    with visited(tmp_path, VISITORS, server.url, database) as (_, visitors):
        assert send_all(visitors) == ["answered"] * VISITORS


def test_while_another_process_counts_pages_open_and_messages_come_back(
    server: ModelServer, tmp_path: Path, databases: Callable[[], str]
) -> None:
    database = databases()
    with visited(tmp_path, MORE_THAN_CONNECTIONS, server.url, database) as (address, visitors):
        with psycopg.connect(database) as other, ExitStack() as waiting:
            other.execute(f"SELECT pg_advisory_xact_lock({USAGE_LOCK})")
            for index, visitor in enumerate(visitors):
                visitor.say(f"Hello {index}")
            waiting.enter_context(Visitor(f"{address}?thread=unknown"))
            for index, visitor in enumerate(visitors):
                visitor.wait(lambda visitor=visitor: visitor.uncaught or visitor.draft)  # type: ignore[misc]
                assert (visitor.uncaught, visitor.draft) == (False, f"Hello {index}")
        assert server.requests == []


def test_while_the_database_is_frozen_messages_come_back_and_pages_open(
    server: ModelServer, tmp_path: Path, databases: Callable[[], str]
) -> None:
    database = databases()
    with visited(tmp_path, MORE_THAN_CONNECTIONS, server.url, database) as (address, visitors):
        with frozen(database):
            assert send_all(visitors) == ["returned"] * MORE_THAN_CONNECTIONS
            with Visitor(address):
                pass  # the page is complete
        server.plays(*[text("A short answer.") for _ in visitors])
        first, others = visitors[:1], visitors[1:]
        until(lambda: send_all(first) == ["answered"], "the database is used again", 60)
        assert send_all(others) == ["answered"] * len(others)


def test_when_the_database_is_gone_messages_come_back(
    server: ModelServer, tmp_path: Path, databases: Callable[[], str]
) -> None:
    database = databases()
    with visited(tmp_path, MORE_THAN_CONNECTIONS, server.url, database) as (_, visitors):
        folder, _, name = database.rpartition("/")
        with psycopg.connect(f"{folder}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        assert send_all(visitors) == ["returned"] * MORE_THAN_CONNECTIONS
    assert server.requests == []
