"""Assistants that are connected to a scripted server of the Assistants API."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from assistant import Assistant, Thread, Tool, Toolbox
from assistant.backends.assistants.backend import Assistants
from assistant.backends.client import connect
from assistant.events import Event, RoundEnded, ToolCallDelta, Usage
from assistant.settings import Settings
from tests.conftest import add
from tests.servers.assistants import ASSISTANT, AssistantsServer

ENDED = RoundEnded("test-model", Usage(10, 0, 5, 0))

CALLED = RoundEnded("test-model")


@pytest.fixture
def server() -> Iterator[AssistantsServer]:
    with AssistantsServer() as server:
        yield server


class Connect:
    """Creates assistants that are connected to an address."""

    def __init__(self, clients: ExitStack) -> None:
        self._clients = clients

    def __call__(
        self, url: str, *tools: Tool[..., Any], transport: httpx2.BaseTransport | None = None, **options: Any
    ) -> Assistant:
        settings = Settings(api_key="sk-test-key", base_url=url)
        client = self._clients.enter_context(connect(settings, transport))
        options = {"assistant_id": ASSISTANT} | options
        return Assistant(Assistants(client, **options), Toolbox(*tools))


@pytest.fixture
def connect_to() -> Iterator[Connect]:
    with ExitStack() as clients:
        yield Connect(clients)


@pytest.fixture
def assistant(server: AssistantsServer, connect_to: Connect) -> Assistant:
    return connect_to(server.url, add)


def ask(assistant: Assistant, question: str, thread: Thread | None = None) -> list[Event]:
    """Return the events of a run without the pieces of arguments."""
    return without_deltas(assistant.run(thread or Thread(), question))


def without_deltas(events: Iterator[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, ToolCallDelta)]


def backend_of(assistant: Assistant) -> Assistants:
    assert isinstance(assistant.backend, Assistants)
    return assistant.backend
