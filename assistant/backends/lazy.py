"""Create the backend on first use, so that the first page does not wait for the SDK (0.25 s)."""

import threading
from collections.abc import Callable

from assistant.backends.base import SETTINGS_ONLY, RemoteBackend, RemoteThread, ResponseEvents
from assistant.backends.requests import call_with_retries
from assistant.request_options import RequestOptions
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox


class LazyBackend(RemoteBackend):
    """Forwards to a backend that is created on the first request; a failed creation is retried on the next.

    ``protocol`` is that of the future backend, "auto" where the first request finds it out.
    """

    def __init__(self, protocol: ProtocolName, create: Callable[[], RemoteBackend]) -> None:
        self._protocol: ProtocolName = protocol
        self._create = create
        self._backend: RemoteBackend | None = None
        self._lock = threading.Lock()

    @property
    def protocol(self) -> ProtocolName:
        return self._backend.protocol if self._backend else self._protocol

    def detect_again(self) -> None:
        if self._backend:
            self._backend.detect_again()

    def stream(
        self, thread: Thread, toolbox: Toolbox, options: RequestOptions = SETTINGS_ONLY
    ) -> ResponseEvents:
        return (yield from self.backend().stream(thread, toolbox, options))

    def refusals(self, toolbox: Toolbox, options: RequestOptions) -> dict[str, str]:
        return self._backend.refusals(toolbox, options) if self._backend else {}

    def count_input(self, thread: Thread, toolbox: Toolbox, options: RequestOptions) -> int | None:
        return call_with_retries(lambda: self.backend().count_input(thread, toolbox, options))

    def cancel(self, thread: Thread) -> None:
        if self._backend:
            self._backend.cancel(thread)

    def load_thread(self, thread_id: str) -> Thread:
        return call_with_retries(lambda: self.backend().load_thread(thread_id))

    def delete_thread(self, thread: Thread) -> None:
        call_with_retries(lambda: self.backend().delete_thread(thread))

    def list_threads(self, limit: int) -> list[RemoteThread]:
        return call_with_retries(lambda: self.backend().list_threads(limit))

    def can_resume(self, thread: Thread) -> bool:
        return self.backend().can_resume(thread)

    def fetch_file(self, thread: Thread, container_id: str, file_id: str) -> bytes:
        return call_with_retries(lambda: self.backend().fetch_file(thread, container_id, file_id))

    def steer(self, thread: Thread, text: str, on_failed: Callable[[], None]) -> bool:
        return bool(self._backend and self._backend.steer(thread, text, on_failed))

    def close(self) -> None:
        if self._backend:
            self._backend.close()

    def backend(self) -> RemoteBackend:
        """Return the backend, creating it if necessary."""
        with self._lock:
            if self._backend is None:
                self._backend = self._create()
            return self._backend
