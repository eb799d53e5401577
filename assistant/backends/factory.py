"""Create the backend for some settings. Loads the SDK."""

import httpx2
from openai import OpenAI

from assistant.backends.agents.backend import Agents
from assistant.backends.assistants.backend import Assistants
from assistant.backends.base import RemoteBackend
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.backends.connection.detection import AutoBackend
from assistant.backends.responses.backend import Responses
from assistant.settings import INSTRUCTIONS, ProtocolName, Settings
from assistant.tools.hosted import parse_hosted_tools


def create_backend(
    protocol: ProtocolName, settings: Settings, transport: httpx2.BaseTransport | None = None
) -> RemoteBackend:
    """Return a backend for a protocol; with "auto", one that finds out which protocol the server speaks."""
    client = connect(settings, transport)
    # Agents and assistants have their own instructions; only instructions set on purpose replace them.
    override = "" if settings.instructions == INSTRUCTIONS else settings.instructions
    match protocol:
        case "auto":
            return AutoBackend(client, _responses(client, settings), _chat_completions(client, settings))
        case "chat":
            return _chat_completions(client, settings)
        case "agents":
            return Agents(client, agent_id=settings.agent_id, instructions=override)
        case "assistants":
            return Assistants(
                client,
                assistant_id=settings.assistant_id,
                instructions=override,
                max_output=settings.output_limit,
            )
        case "responses":
            return _responses(client, settings)


def _responses(client: OpenAI, settings: Settings) -> Responses:
    return Responses(
        client,
        model=settings.requested_model,
        instructions=settings.instructions,
        background=settings.background,
        chained=settings.uses_websocket,
        context=settings.context,
        effort=settings.effort,
        hosted=parse_hosted_tools(settings.hosted_tools),
        max_output=settings.output_limit,
        bounded=bool(settings.budget),
    )


def _chat_completions(client: OpenAI, settings: Settings) -> ChatCompletions:
    return ChatCompletions(
        client,
        model=settings.requested_model,
        instructions=settings.instructions,
        context=settings.context,
        effort=settings.effort,
        max_output=settings.output_limit,
        bounded=bool(settings.budget),
    )
