"""Every protocol: a server on a real socket that speaks it, and the backend for it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from openai import OpenAI

from assistant import Assistant, Thread, Tool, Toolbox
from assistant.backends import RemoteBackend
from assistant.backends.agents.backend import Agents
from assistant.backends.assistants.backend import Assistants
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.settings import ResponsesTransport, Settings
from tests.servers.agents import AgentsServer
from tests.servers.assistants import ASSISTANT, AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import ModelServer
from tests.servers.websocket import WebSocketServer


@dataclass(frozen=True)
class Kind:
    """A protocol: a server that speaks it, and the backend for it."""

    server: Callable[[], Any]
    backend: Callable[[OpenAI], RemoteBackend]
    transport: ResponsesTransport = "http"


KINDS = {
    "Responses with conversations": Kind(ModelServer, lambda client: Responses(client, model="m")),
    "Responses alone": Kind(
        lambda: ModelServer(conversations=False), lambda client: Responses(client, model="m")
    ),
    "Chat Completions": Kind(ChatServer, lambda client: ChatCompletions(client, model="m")),
    "Agents": Kind(AgentsServer, lambda client: Agents(client, agent_id="agent_1")),
    "Assistants": Kind(AssistantsServer, lambda client: Assistants(client, assistant_id=ASSISTANT)),
}


def backend_for(server: ModelServer, client: OpenAI, **options: Any) -> RemoteBackend:
    """Return a backend for the protocol of a server; ``options`` are those of a backend that names its model."""
    match server:
        case ChatServer():
            return ChatCompletions(client, model="test-model", **options)
        case AgentsServer():
            return Agents(client, agent_id="agent_1")
        case AssistantsServer():
            return Assistants(client, assistant_id=ASSISTANT)
    return Responses(client, model="test-model", **options)


_clients: WeakKeyDictionary[object, OpenAI] = WeakKeyDictionary()


def connected(assistant: Assistant, client: OpenAI) -> Assistant:
    """Return the assistant, whose client ``client_of`` returns from now on."""
    _clients[assistant.backend] = client
    return assistant


def client_of(assistant: Assistant) -> OpenAI:
    """Return the SDK client of an assistant that a fixture has connected, to change its retries or its timeout."""
    return _clients[assistant.backend]


def state_of(thread: Thread, protocol: str) -> dict[str, Any]:
    """Return what the backend of a protocol has stored about the only server of a thread."""
    (state,) = thread.backend_state[protocol].values()
    found: dict[str, Any] = state
    return found


EVERY_KIND = [
    pytest.param(name, marks=pytest.mark.exhaustive) if name == "Responses alone" else name for name in KINDS
]
"""For the parameters of a test. The quick suite runs each protocol once."""


WEBSOCKET = Kind(
    WebSocketServer, lambda client: Responses(client, model="m", chained=True), transport="websocket"
)
"""Not a protocol of its own, but another way of one."""


@pytest.fixture(params=[*EVERY_KIND, pytest.param("Responses over WebSocket", marks=pytest.mark.exhaustive)])
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS.get(request.param, WEBSOCKET)


@pytest.fixture
def create_assistant(kind: Kind, server: Any) -> Iterator[Callable[..., Assistant]]:
    """Create assistants, each with its own backend, as another process would."""
    clients: list[OpenAI] = []

    def make(*tools: Tool[..., Any]) -> Assistant:
        clients.append(connect(Settings(base_url=server.url, responses_transport=kind.transport)))
        return connected(Assistant(kind.backend(clients[-1]), Toolbox(*tools)), clients[-1])

    yield make
    for client in clients:
        client.close()
