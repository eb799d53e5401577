"""Assistants that are connected to a scripted server of the Agents API."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from assistant import Assistant, Thread, Tool, Toolbox
from assistant.backends.agents.backend import Agents
from assistant.backends.client import connect
from assistant.events import Event, Usage
from assistant.settings import Settings
from tests.conftest import add
from tests.servers.agents import AgentsServer

Create = Callable[..., Assistant]

USED = Usage(input=10, cached=2, output=5, reasoning=1)


@pytest.fixture
def server() -> Iterator[AgentsServer]:
    with AgentsServer() as server:
        yield server


@pytest.fixture
def create(server: AgentsServer) -> Iterator[Create]:
    """Creates an assistant with its own backend, as another process would."""
    with ExitStack() as clients:

        def create_assistant(
            *tools: Tool[..., Any], agent_id: str = "agent_1", instructions: str = "", **options: Any
        ) -> Assistant:
            client = clients.enter_context(connect(Settings(api_key="sk-x", base_url=server.url)))
            backend = Agents(client, agent_id=agent_id, instructions=instructions)
            return Assistant(backend, Toolbox(*tools), **options)

        yield create_assistant


@pytest.fixture
def assistant(create: Create) -> Assistant:
    return create(add)


def backend_of(assistant: Assistant) -> Agents:
    assert isinstance(assistant.backend, Agents)
    return assistant.backend


def ask(assistant: Assistant, thread: Thread, question: str) -> list[Event]:
    return list(assistant.run(thread, question))


def sent_texts(server: AgentsServer) -> list[list[str]]:
    """Return the inputs sent to the agent: the texts of each message, the result of each call."""
    inputs = []
    for body in server.requests:
        texts = []
        for event in body.get("events", [body]):
            for item in event.get("input", []):
                texts += [part["text"] for part in item["content"]]
            if "call_id" in event:
                texts.append(event.get("output") or event["error"])
        inputs.append(texts)
    return inputs
