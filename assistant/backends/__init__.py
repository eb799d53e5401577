"""Ways to ask a model: one file per protocol, the same verbs in each; nothing else imports the SDK."""

import httpx2

from ..settings import Settings
from .auto import Auto
from .chat import Chat
from .client import connect
from .responses import Responses
from .server import Server

__all__ = ["Responses", "Server", "open_backend"]


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
        )

    def chat() -> Chat:
        return Chat(
            client,
            model=settings.model,
            instructions=settings.instructions,
            context=settings.context,
            effort=settings.effort,
        )

    match settings.protocol:
        case "chat":
            return chat()
        case "responses":
            return responses()
        case _ if settings.demo or not settings.base_url:
            return responses()  # OpenAI has it, and so has the demo
        case _:
            return Auto(client, responses, chat)
