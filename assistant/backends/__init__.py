"""Ways to ask a model: one file per protocol, the same verbs in each; nothing else imports the SDK."""

import httpx2

from assistant.backends.base import RemoteBackend
from assistant.backends.lazy import LazyBackend
from assistant.settings import Settings

__all__ = ["LazyBackend", "RemoteBackend", "open_backend"]


def open_backend(settings: Settings, demo: httpx2.BaseTransport | None = None) -> LazyBackend:
    """The backend that these settings ask for; nothing is sent yet. ``demo``: see ``connect``."""
    protocol = protocol_of(settings)

    def make() -> RemoteBackend:
        from assistant.backends.factory import make  # loads the SDK

        return make(protocol, settings, demo)

    return LazyBackend(protocol, make)


def protocol_of(settings: Settings) -> str:
    """The name of the protocol that these settings ask for; empty where only the server itself can tell."""
    match settings.protocol:
        case "chat":
            return "Chat Completions"
        case "responses":
            return "Responses"
        case _ if settings.demo:
            return "Responses"
        case "agents":
            return "Agents"
        case "assistants":
            return "Assistants"
        case _ if settings.agent_id:
            return "Agents"
        case _ if settings.assistant_id:
            return "Assistants"
        case _ if not settings.base_url:
            return "Responses"  # OpenAI has it
        case _:
            return ""
