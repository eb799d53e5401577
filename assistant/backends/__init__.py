"""Ways to ask a model: one file per protocol, the same verbs in each; nothing else imports the SDK."""

from importlib import import_module

import httpx2

from ..hosted import parse
from ..settings import INSTRUCTIONS, Settings
from .agents import Agents
from .assistants import Assistants
from .auto import Auto
from .chat import Chat
from .client import connect
from .responses import Responses
from .server import Server

__all__ = ["Agents", "Responses", "Server", "open_backend", "prepare"]

_LATER = (
    "encodings.idna",
    "encodings.utf_16_le",
    "openai.resources.conversations.conversations",
    "openai.resources.responses.responses",
)
"""What a first answer, its server's address and its text would otherwise have loaded."""


def prepare() -> None:
    """Load of the SDK what a first answer needs, so that the answer need not wait for it."""
    for name in _LATER:
        import_module(name)


def open_backend(settings: Settings, demo: httpx2.BaseTransport | None = None) -> Server:
    """The backend that these settings ask for; nothing is sent yet. ``demo``: see ``connect``."""
    client = connect(settings, demo)

    def responses() -> Responses:
        return Responses(
            client,
            model=settings.model,
            instructions=settings.instructions,
            background=settings.background and not settings.demo,
            context=settings.context,
            effort=settings.effort,
            hosted=parse(settings.hosted_tools),
        )

    def chat() -> Chat:
        return Chat(
            client,
            model=settings.model,
            instructions=settings.instructions,
            context=settings.context,
            effort=settings.effort,
        )

    # An agent or an assistant has instructions of its own; only what was set on purpose replaces them.
    own = "" if settings.instructions == INSTRUCTIONS else settings.instructions

    def agents() -> Agents:
        return Agents(client, agent_id=settings.agent_id, instructions=own)

    def assistants() -> Assistants:
        return Assistants(client, assistant_id=settings.assistant_id, instructions=own)

    match settings.protocol:
        case "chat":
            return chat()
        case "responses":
            return responses()
        case _ if settings.demo:
            return responses()
        case "agents":
            return agents()
        case "assistants":
            return assistants()
        case _ if settings.agent_id:
            return agents()
        case _ if settings.assistant_id:
            return assistants()
        case _ if not settings.base_url:
            return responses()  # OpenAI has it
        case _:
            return Auto(client, responses, chat)
