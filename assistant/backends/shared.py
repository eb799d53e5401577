"""The backends of one process: those that sessions with equal settings share, and the demo that all share."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from assistant.backends import LazyBackend, open_backend
from assistant.settings import Settings

if TYPE_CHECKING:
    from assistant.demo import DemoTransport

MAX_BACKENDS = 8
"""Maximum number of shared backends; each has a client and a pool of connections."""


class SharedBackends:
    """Opens backends; any thread of the process may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backends: OrderedDict[Settings, LazyBackend] = OrderedDict()
        self._demo: DemoTransport | None = None

    def shared(self, settings: Settings) -> LazyBackend:
        """Return the backend that all sessions with these settings share."""
        with self._lock:
            backend = self._backends.pop(settings, None) or self._open(settings)
            self._backends[settings] = backend  # the newest
            unused = self._backends.popitem(last=False)[1] if len(self._backends) > MAX_BACKENDS else None
        if unused:
            unused.close()
        return backend

    def private(self, settings: Settings) -> LazyBackend:
        """Return a new backend for one session; it may hold that visitor's key."""
        with self._lock:
            return self._open(settings)

    def close(self) -> None:
        """Close the connections of the shared backends."""
        for backend in self._backends.values():
            backend.close()

    def _open(self, settings: Settings) -> LazyBackend:
        if settings.demo and self._demo is None:
            from assistant.demo import DemoTransport  # not loaded where a model answers

            self._demo = DemoTransport()
        return open_backend(settings, self._demo if settings.demo else None)
