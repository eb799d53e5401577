"""Makes the backend that settings ask for.

Not here: when (``late.py``).

The one rule: importing this loads the SDK, so nobody does before a server is needed.
"""

import httpx2

from assistant.backends.agents.backend import Agents
from assistant.backends.assistants.backend import Assistants
from assistant.backends.base import RemoteBackend
from assistant.backends.chat_completions.backend import Chat
from assistant.backends.client import connect
from assistant.backends.detect import speaks_responses
from assistant.backends.responses.backend import Responses
from assistant.settings import INSTRUCTIONS, Settings
from assistant.tools.hosted import parse


def make(protocol: str, settings: Settings, demo: httpx2.BaseTransport | None = None) -> RemoteBackend:
    """The backend for a protocol, by its name; without one, for the protocol that its server speaks.

    Raises:
        BackendError: The server had to be asked, and could not be.
    """
    client = connect(settings, demo)
    # An agent or an assistant has instructions of its own; only what was set on purpose replaces them.
    own = "" if settings.instructions == INSTRUCTIONS else settings.instructions
    if not protocol:
        protocol = Responses.protocol if speaks_responses(client) else Chat.protocol
    match protocol:
        case Chat.protocol:
            return Chat(
                client,
                model=settings.model,
                instructions=settings.instructions,
                context=settings.context,
                effort=settings.effort,
            )
        case Agents.protocol:
            return Agents(client, agent_id=settings.agent_id, instructions=own)
        case Assistants.protocol:
            return Assistants(client, assistant_id=settings.assistant_id, instructions=own)
        case _:
            return Responses(
                client,
                model=settings.model,
                instructions=settings.instructions,
                background=settings.background and not settings.demo,
                context=settings.context,
                effort=settings.effort,
                hosted=parse(settings.hosted_tools),
            )
