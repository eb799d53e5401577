"""A backend that is made when it is first needed, and with it its client and the SDK.

Not here: how it is made (``making.py``).

The one rule: nothing that a page needs before the first question makes it: the SDK takes a quarter of a
second to load, and 20 MB.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import suppress

from assistant.backends.base import RemoteBackend
from assistant.errors import BackendError, UnknownThread
from assistant.events import Event, ToolCall
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox


class LazyBackend:
    """A ``RemoteBackend`` that is made when it is first asked something; what cannot be made is tried again then.

    ``protocol`` is the name of what will be made, empty where only the server itself can tell.
    """

    def __init__(self, protocol: str, make: Callable[[], RemoteBackend]) -> None:
        self._protocol, self._make = protocol, make
        self._made: RemoteBackend | None = None
        self._making = threading.Lock()

    @property
    def protocol(self) -> str:
        """The protocol, as a person would name it; empty while it is not known."""
        return self._made.protocol if self._made else self._protocol

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One response to the thread as it stands; see ``run.Backend``."""
        return (yield from self.made().stream(thread, toolbox))

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; see ``run.Backend``."""
        if self._made:
            self._made.cancel(thread)

    def recall(self, thread_id: str) -> Thread:
        """The thread that the server keeps under this id; see ``RemoteBackend``."""
        return self.made().recall(thread_id)

    def forget(self, thread: Thread) -> None:
        """Delete what the server keeps of the thread; see ``RemoteBackend``."""
        self.made().forget(thread)

    def can_go_on(self, thread: Thread) -> bool:
        """Whether the server goes by itself on with the answer that this thread lacks."""
        with suppress(BackendError):
            return self.made().can_go_on(thread)
        return False

    def fetch(self, container: str, file_id: str) -> bytes:
        """A file that a tool of the server's own made; see ``Responses.fetch``."""
        fetch: Callable[[str, str], bytes] | None = getattr(self.made(), "fetch", None)
        if fetch is None:
            raise UnknownThread("This server keeps no such files.", code="not_found")
        return fetch(container, file_id)

    def entries(self, limit: int) -> list[tuple[str, str, float]]:
        """The newest threads at a server that lists them; see ``Agents.entries``."""
        entries: Callable[[int], list[tuple[str, str, float]]] | None
        entries = getattr(self.made(), "entries", None)
        return entries(limit) if entries else []

    def close(self) -> None:
        """Let go of the connections."""
        if self._made:
            self._made.close()

    def made(self) -> RemoteBackend:
        """The backend itself.

        Raises:
            BackendError: Its server had to be asked what it speaks, and could not be.
        """
        with self._making:
            if self._made is None:
                self._made = self._make()
            return self._made
