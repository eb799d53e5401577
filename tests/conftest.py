"""Fixtures for all tests: a model server on a real socket, and assistants connected to it."""

import gc
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from assistant import Assistant, Tool, Toolbox, tool
from assistant.backends import requests
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.runs import worker
from assistant.settings import Settings
from tests.backends.kinds import connected, create_assistant, kind
from tests.servers import postgresql
from tests.servers.responses import ModelServer
from tests.ui.page import component_manifests, local_visitor, open_page

Connect = Callable[..., Assistant]

__all__ = ["component_manifests", "create_assistant", "kind", "local_visitor", "open_page"]  # fixtures


def need(condition: object, what: str) -> None:
    """Skip a test that this machine cannot run; in CI that is a failure."""
    if not condition:
        if os.environ.get("ASSISTANT_TESTS_SKIP_NOTHING"):
            pytest.fail(f"{what} is missing, and nothing may be skipped here")
        pytest.skip(f"needs {what}; see .ci/run")


@tool
def add(a: int, b: int) -> int:
    """Add two whole numbers.

    Args:
        a: The first.
        b: The second.
    """
    return a + b


@pytest.fixture(scope="session", autouse=True)
def read_as_it_comes() -> Iterator[None]:
    """Runs without followers read text as it comes: most tests follow none, and would wait a second for each delta."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worker, "IDLE_SECONDS", 0.0)
        yield


SHORT_DELAYS = {
    "requests.DELAYS": (0.01, 0.01),
    "responses.exchange.LOCK_DELAYS": (0.01, 0.05, 0.2, 1.0),
    "responses.api.RESUME_DELAYS": (0.0, 0.01, 0.01),
    "agents.api.RESULT_DELAYS": (0.01, 0.01, 0.01),
    "agents.api.IDLE_DELAYS": (0.005,) * 100,
    "assistants.backend.LOCK_DELAYS": (0.01, 0.01, 0.05, 0.5),
    "assistants.backend.CANCEL_DELAYS": (0.001, 0.01, 0.05, 0.5),
    "assistants.backend.ANSWER_DELAYS": (0.001, 0.01, 0.05, 0.5),
}
"""How long the backends wait before they ask again: outside the tests half a second, and longer each time."""


@pytest.fixture(scope="session", autouse=True)
def retry_at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, delays in SHORT_DELAYS.items():
            patch.setattr(f"assistant.backends.{name}", delays)
        yield


@pytest.fixture(scope="session", autouse=True)
def fares_at_once() -> Iterator[None]:
    """The agencies of ``search_fares`` answer at once: outside the tests each takes two seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("assistant.functions.fares.AGENCY_SECONDS", 0.0)
        yield


@pytest.fixture
def no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is not tried again."""
    monkeypatch.setattr(requests, "DELAYS", ())


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def connect_to() -> Iterator[Connect]:
    """Create assistants for a server: ``connect_to(server.url, add, max_rounds=2)``."""
    with ExitStack() as clients:

        def connect_assistant(
            url: str,
            *tools: Tool[..., Any],
            key: str = "sk-test-key",
            transport: httpx2.BaseTransport | None = None,
            **options: Any,
        ) -> Assistant:
            settings = Settings(api_key=key, base_url=url, model="test-model", instructions="Be brief.")
            client = clients.enter_context(connect(settings, transport))
            backend = Responses(client, model=settings.model, instructions=settings.instructions)
            return connected(Assistant(backend, Toolbox(*tools), **options), client)

        yield connect_assistant


@pytest.fixture(scope="session")
def databases() -> Iterator[Callable[[], str]]:
    """Create empty PostgreSQL databases and return their URLs."""
    programs = postgresql.programs()
    need(programs, "Debian's postgresql")
    assert programs is not None
    with postgresql.running(programs) as url, psycopg.connect(f"{url}postgres", autocommit=True) as server:
        numbers = count()

        def create() -> str:
            name = f"test_{next(numbers)}"
            server.execute(f"CREATE DATABASE {name}")
            return url + name

        yield create


@pytest.fixture(params=["SQLite", pytest.param("PostgreSQL", marks=pytest.mark.exhaustive)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database; each test runs with every kind of database."""
    if request.param == "PostgreSQL":
        return str(request.getfixturevalue("databases")())
    return f"sqlite:///{tmp_path}/threads.sqlite"


@pytest.fixture
def assistant(server: ModelServer, connect_to: Connect) -> Assistant:
    return connect_to(server.url, add)


def pytest_configure() -> None:
    """Collect no garbage while modules are imported: nearly all of it stays, half a million objects."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Spare each test what costs most around it.

    pytest attaches its handlers to every logger that does not propagate; Streamlit has seventy of them. What is
    imported need not be looked through in every full garbage collection, and a collection for every few hundred new
    objects costs more than what it frees.
    """
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.propagate = True
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
    gc.enable()


_cuts: Counter[str] = Counter()


@pytest.fixture
def cuts() -> Counter[str]:
    """Counts the cases of ``test_cuts``; the totals are printed after the last test."""
    return _cuts


_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skipped.append(report.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("ASSISTANT_TESTS_SKIP_NOTHING") and _skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if os.environ.get("ASSISTANT_TESTS_SKIP_NOTHING"):
        for name in _skipped:
            terminalreporter.write_line(f"skipped, though nothing may be skipped: {name}", red=True)
    if _cuts:
        terminalreporter.write_line(
            f"cut everywhere: {_cuts['tried']} cases tried, {_cuts['kept']} kept the promise"
        )
