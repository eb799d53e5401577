"""Backends: how the application asks a model, one folder per protocol; the only place that imports the SDK.

``open_backend`` returns the backend for some settings, ``protocol_of`` its protocol, and ``load_sdk`` loads the SDK
ahead of the first request.
The rest of the package may also import ``base`` (the interfaces), ``attachments`` (the kinds of files that a
protocol accepts), ``transcription``, ``client``, and ``shared`` (the backends of one process).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from assistant.backends.base import Backend, RemoteBackend
from assistant.backends.lazy import LazyBackend
from assistant.settings import ProtocolName, Settings

if TYPE_CHECKING:
    import httpx2

__all__ = ["Backend", "LazyBackend", "RemoteBackend", "load_sdk", "open_backend", "protocol_of"]


def open_backend(settings: Settings, transport: "httpx2.BaseTransport | None" = None) -> LazyBackend:
    """Return the backend for these settings; nothing is sent yet. ``transport``: see ``connect``."""
    protocol = protocol_of(settings)

    def create() -> RemoteBackend:
        from assistant.backends.factory import create_backend  # loads the SDK

        return create_backend(protocol, settings, transport)

    return LazyBackend(protocol, create)


def load_sdk() -> None:
    """Load the SDK with what it would otherwise load during the first request to the default protocol."""
    import_module("assistant.backends.factory")
    for resource in ("conversations.conversations", "conversations.items", "responses.responses"):
        import_module(f"openai.resources.{resource}")


def protocol_of(settings: Settings) -> ProtocolName:
    """Return the protocol for these settings; "auto" where only the server itself can tell."""
    match settings.protocol:
        case "chat" | "responses":
            return settings.protocol
        case _ if settings.demo:
            return "responses"
        case "agents" | "assistants":
            return settings.protocol
        case _ if settings.agent_id:
            return "agents"
        case _ if settings.assistant_id:
            return "assistants"
        case _ if not settings.base_url:
            return "responses"  # OpenAI offers it
        case _:
            return "auto"
