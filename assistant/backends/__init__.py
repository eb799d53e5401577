"""Ways to ask a model: one file per protocol, the same verbs in each; nothing else imports the SDK."""

from collections.abc import Generator
from typing import Protocol

import httpx2

from ..events import Event, ToolCall
from ..settings import Settings
from ..threads import Thread
from ..tools import Toolbox
from .client import connect
from .responses import Responses

__all__ = ["Responses", "Server", "open_backend"]


class Server(Protocol):
    """What every file here offers: a ``run.Backend``, and what its server remembers."""

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One response to the thread as it stands; see ``run.Backend``."""

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; see ``run.Backend``."""

    def recall(self, thread_id: str) -> Thread:
        """The thread that the server keeps under this id.

        Raises:
            UnknownThread: There is none by this id.
        """

    def forget(self, thread: Thread) -> None:
        """Delete what the server keeps of the thread.

        Raises:
            BackendError: Something of it is still there.
        """

    def can_go_on(self, thread: Thread) -> bool:
        """Whether the server goes by itself on with the answer that this thread lacks."""

    def close(self) -> None:
        """Let go of the connections."""


def open_backend(settings: Settings, demo: httpx2.BaseTransport | None = None) -> Responses:
    """The backend that these settings ask for; nothing is sent yet. ``demo``: see ``connect``."""
    return Responses(
        connect(settings, demo),
        model=settings.model,
        instructions=settings.instructions,
        background=settings.background and not settings.demo,
        context=settings.context,
    )
