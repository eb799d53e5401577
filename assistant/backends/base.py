"""The interfaces of a backend: what the loop needs, and what only some servers can do."""

from collections.abc import Callable, Generator
from typing import NamedTuple, Protocol

from assistant.errors import UnknownThread
from assistant.events import Event, ToolCall
from assistant.locale import N_
from assistant.request_options import RequestOptions
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox

PROTOCOL_LABELS: dict[ProtocolName, str] = {
    "auto": "",
    "responses": "Responses",
    "chat": "Chat Completions",
    "agents": "Agents",
    "assistants": "Assistants",
}
"""The protocols as the page names them; "auto" while the protocol is not known yet."""


SETTINGS_ONLY = RequestOptions()
"""The options of a request that is as the settings say."""

ResponseEvents = Generator[Event, None, list[ToolCall]]
"""The events of one response; it returns the calls, except those in the background, which run already."""


class Backend(Protocol):
    """What the loop needs of a backend."""

    def stream(
        self, thread: Thread, toolbox: Toolbox, options: RequestOptions = SETTINGS_ONLY
    ) -> ResponseEvents:
        """Request one response to the thread as it stands, yield its events and return its calls.

        ``options`` are what this request changes of the settings; what the protocol does not have is left out.
        The backend finds the input that the server lacks in ``thread.messages``. A background call without a
        result is still running: its result goes into a later request, and no request waits for it. It changes
        ``thread.backend_state`` only after a response ended well, and right after yielding an event.

        Raises:
            BackendError: The response did not end well; none of its returned calls may run.
            Incomplete: The server ended the response early, at a limit.
        """

    def cancel(self, thread: Thread) -> None:
        """Close the connection of the response to this thread, if any; called from another thread."""


class RemoteThread(NamedTuple):
    """A thread in a server's list; ``changed`` is in seconds since 1970."""

    id: str
    title: str
    changed: float


class RemoteBackend(Backend, Protocol):
    """A backend with what only some servers can do; the defaults are those of a server that keeps nothing."""

    @property
    def protocol(self) -> ProtocolName:
        """The protocol; "auto" while it is not known."""

    def detect_again(self) -> None:
        """Forget a protocol that was detected; the next request finds it out again."""
        return

    def refusals(self, toolbox: Toolbox, options: RequestOptions) -> dict[str, str]:
        """Return why the server refuses some of these options, by their names, as far as it has said so."""
        return {}

    def count_input(self, thread: Thread, toolbox: Toolbox, options: RequestOptions) -> int | None:
        """Return how many tokens the request for the next response would have; None if the server cannot count.

        Nothing is generated. ``thread`` is a copy: what is noted of it is lost.

        Raises:
            BackendError: The server was unreachable, or refused.
        """
        return None

    def load_thread(self, thread_id: str) -> Thread:
        """Return the thread with this id from the server, with its history.

        If the server is still answering it, its last message has no ending.

        Raises:
            UnknownThread: The server has no thread with this id.
        """
        raise UnknownThread(N_("This server keeps no threads."), code="unknown_thread")

    def delete_thread(self, thread: Thread) -> None:
        """Delete the server's copy of the thread.

        Raises:
            BackendError: Part of the copy could not be deleted.
        """
        return

    def list_threads(self, limit: int) -> list[RemoteThread]:
        """Return the newest threads of a server that lists them."""
        return []

    def can_resume(self, thread: Thread) -> bool:
        """Return whether the server continues, or has completed, the answer that this thread lacks."""
        return False

    def fetch_file(self, thread: Thread, container_id: str, file_id: str) -> bytes:
        """Return a file that one of the server's own tools created in this thread.

        Nothing is requested unless a response of this server named the file in this thread: a message may
        come from an imported chat or from a recording.

        Raises:
            BackendError: The file is not available.
        """
        raise UnknownThread(N_("This server keeps no such files."), code="not_found")

    def steer(self, thread: Thread, text: str, on_failed: Callable[[], None]) -> bool:
        """Send a message of the user for the response to this thread that arrives; return False if none can be.

        The response then ends as ``steered``, or with calls, and the server expects the message as the next one of
        the thread. It calls ``on_failed``, on any thread, if it will not answer the message after all. Called from
        another thread.
        """
        return False

    def close(self) -> None:
        """Close the connections."""
        return
