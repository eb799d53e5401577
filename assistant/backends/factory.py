"""Create the backend for some settings, after detecting the server's protocol if necessary. Loads the SDK."""

import httpx2
import openai
from openai import OpenAI

from assistant.backends.agents.backend import Agents
from assistant.backends.assistants.backend import Assistants
from assistant.backends.base import RemoteBackend
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.backends.error_translation import translate_errors, wrong_api_error
from assistant.backends.responses.backend import Responses
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT
from assistant.settings import INSTRUCTIONS, ProtocolName, Settings
from assistant.tools.hosted import parse_hosted_tools

DETECT_SECONDS = 10.0  # maximum duration of the request: it costs the server nothing


def create_backend(
    protocol: ProtocolName, settings: Settings, transport: httpx2.BaseTransport | None = None
) -> RemoteBackend:
    """Return a backend for a protocol; with "auto", for the protocol that the server speaks.

    Raises:
        BackendError: The server was unreachable while its protocol was being detected.
    """
    client = connect(settings, transport)
    # Agents and assistants have their own instructions; only instructions set on purpose replace them.
    override = "" if settings.instructions == INSTRUCTIONS else settings.instructions
    if protocol == "auto":
        protocol = "responses" if speaks_responses(client) else "chat"
    match protocol:
        case "chat":
            return ChatCompletions(
                client,
                model=settings.requested_model,
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
                model=settings.requested_model,
                instructions=settings.instructions,
                background=settings.background and not settings.demo,
                context=settings.context,
                effort=settings.effort,
                hosted=parse_hosted_tools(settings.hosted_tools),
            )


def speaks_responses(client: OpenAI) -> bool:
    """Return whether a server has the Responses API: it refuses an empty request, but not the address.

    Raises:
        BackendError: The server is unreachable, or does not accept the key.
    """
    with translate_errors(client):
        try:
            body = client.with_options(max_retries=0, timeout=DETECT_SECONDS).post(
                "/responses", body={}, cast_to=object
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            raise
        except openai.APIStatusError as error:
            return error.status_code not in NO_SUCH_ENDPOINT
    if isinstance(body, str):
        raise wrong_api_error(client, 200)
    # Some servers answer every path with 200, and report the unknown path in the body.
    return isinstance(body, dict) and "error" not in body
