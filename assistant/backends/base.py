"""What every backend offers to a page, beyond the one method that the loop needs.

Not here: any of them; each protocol has a file of its own.

The one rule: the same verbs for every protocol, whether its server remembers much or nothing.
"""

from collections.abc import Generator
from typing import Protocol

from assistant.events import Event, ToolCall
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox


class RemoteBackend(Protocol):
    """What every protocol offers: a ``run.Backend``, and what its server remembers."""

    @property
    def protocol(self) -> str:
        """The protocol, as a person would name it; empty while it is not known."""

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
