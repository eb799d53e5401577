"""A server that nobody told us the protocol of: found out by asking it once, cheaply.

Not here: the protocols themselves.

The one rule: what is asked to find out costs no tokens and holds no field that a server might not know.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import suppress

import openai
from openai import OpenAI

from ..errors import BackendError, UnknownThread
from ..events import Event, ToolCall
from ..threads import Thread
from ..tools import Toolbox
from .client import not_the_api, translated
from .responses import Responses
from .server import Server

PATIENCE = 10.0
"""Seconds to wait for the answer to a question that costs a server nothing."""

_NOT_THERE = (404, 405, 501)


def speaks_responses(client: OpenAI) -> bool:
    """Whether a server has the Responses API: it refuses an empty request, and not the address.

    Raises:
        BackendError: It cannot be reached, or does not accept the key.
    """
    with translated(client):
        try:
            answer = client.with_options(max_retries=0, timeout=PATIENCE).post(
                "/responses", body={}, cast_to=object
            )
        except (openai.AuthenticationError, openai.PermissionDeniedError):
            raise
        except openai.APIStatusError as error:
            return error.status_code not in _NOT_THERE
    if isinstance(answer, str):
        raise not_the_api(client)
    # Some answer every address, and say in the answer that they do not know it.
    return isinstance(answer, dict) and "error" not in answer


class Auto:
    """A backend that finds out on first use which of two protocols its server speaks, and keeps to it."""

    def __init__(self, client: OpenAI, responses: Callable[[], Server], chat: Callable[[], Server]) -> None:
        self._client = client
        self._responses, self._chat = responses, chat
        self._found: Server | None = None
        self._finding = threading.Lock()

    @property
    def protocol(self) -> str:
        """The protocol that was found; empty while nothing was asked yet."""
        return self._found.protocol if self._found else ""

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One response to the thread as it stands; see ``run.Backend``."""
        return (yield from self._find().stream(thread, toolbox))

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; see ``run.Backend``."""
        if self._found:
            self._found.cancel(thread)

    def recall(self, thread_id: str) -> Thread:
        """The thread that the server keeps under this id; see ``Server``."""
        return self._find().recall(thread_id)

    def forget(self, thread: Thread) -> None:
        """Delete what the server keeps of the thread; see ``Server``."""
        self._find().forget(thread)

    def can_go_on(self, thread: Thread) -> bool:
        """Whether the server goes by itself on with the answer that this thread lacks."""
        with suppress(BackendError):
            return self._find().can_go_on(thread)
        return False

    def fetch(self, container: str, file_id: str) -> bytes:
        """A file that a tool of the server's own made; see ``Responses.fetch``."""
        found = self._find()
        if not isinstance(found, Responses):
            raise UnknownThread("This server keeps no such files.", code="not_found")
        return found.fetch(container, file_id)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _find(self) -> Server:
        with self._finding:
            if self._found is None:
                make = self._responses if speaks_responses(self._client) else self._chat
                self._found = make()
            return self._found
