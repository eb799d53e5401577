"""Create the backend for some settings. Importing this module loads the SDK."""

import httpx2

from assistant.backends.agents.backend import Agents
from assistant.backends.assistants.backend import Assistants
from assistant.backends.base import RemoteBackend
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.backends.detect import speaks_responses
from assistant.backends.responses.backend import Responses
from assistant.settings import INSTRUCTIONS, ProtocolName, Settings
from assistant.tools.hosted import parse_hosted_tools


def create_backend(
    protocol: ProtocolName, settings: Settings, demo: httpx2.BaseTransport | None = None
) -> RemoteBackend:
    """Return a backend for a protocol; with "auto", for the protocol that the server speaks.

    Raises:
        BackendError: The server was unreachable while its protocol was being detected.
    """
    client = connect(settings, demo)
    # Agents and assistants have their own instructions; only instructions set on purpose replace them.
    override = "" if settings.instructions == INSTRUCTIONS else settings.instructions
    if protocol == "auto":
        protocol = "responses" if speaks_responses(client) else "chat"
    match protocol:
        case "chat":
            return ChatCompletions(
                client,
                model=settings.model,
                instructions=settings.instructions,
                context=settings.context,
                effort=settings.effort,
            )
        case "agents":
            return Agents(client, agent_id=settings.agent_id, instructions=override)
        case "assistants":
            return Assistants(client, assistant_id=settings.assistant_id, instructions=override)
        case "responses":
            return Responses(
                client,
                model=settings.model,
                instructions=settings.instructions,
                background=settings.background and not settings.demo,
                context=settings.context,
                effort=settings.effort,
                hosted=parse_hosted_tools(settings.hosted_tools),
            )
