"""Cancel requests from another thread, whatever they wait for.

The requests are those that a thread makes while a ``Cancellation`` is active there. ``network`` ends the waits of
real connections; a transport without a network waits with ``pause``.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar


class Cancellation:
    """Cancels requests; from then on, nothing more is sent for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._sockets: list[socket.socket] = []  # those on which a thread waits

    @property
    def cancelled(self) -> bool:
        """Whether the requests were cancelled."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Cancel the requests, and wake every thread that waits for one of them."""
        with self._lock:
            self._cancelled.set()
            for waiting in self._sockets:
                _shut_down(waiting)

    def pause(self, seconds: float) -> bool:
        """Wait, and return whether the requests were cancelled meanwhile."""
        return self._cancelled.wait(min(seconds, threading.TIMEOUT_MAX))

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let ``cancel`` end the requests that this thread makes within the block."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    @contextmanager
    def waiting(self, waiting: socket.socket) -> Iterator[None]:
        """Let ``cancel`` shut down this socket during the block, in which the thread waits on it.

        It is not known for longer, because connections are reused: a moment later it may serve another request.
        """
        with self._lock:
            self._sockets.append(waiting)
            if self.cancelled:
                _shut_down(waiting)
        try:
            yield
        finally:
            with self._lock:
                self._sockets.remove(waiting)


def _shut_down(waiting: socket.socket) -> None:
    """End every wait on a socket, which closing it would not do; what has arrived can still be read."""
    with suppress(OSError):  # not connected
        # Not the socket's own method: that of a TLS socket would free what another thread is using.
        socket.socket.shutdown(waiting, socket.SHUT_RDWR)


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


def waiting_on(waiting: socket.socket) -> AbstractContextManager[None]:
    """Let the active cancellation, if there is one, shut down this socket during the block."""
    cancellation = _current.get()
    return nullcontext() if cancellation is None else cancellation.waiting(waiting)


def is_cancelled() -> bool:
    """Return whether the requests that this thread is making were cancelled."""
    cancellation = _current.get()
    return cancellation is not None and cancellation.cancelled


def pause(seconds: float) -> bool:
    """Wait on behalf of a request of this thread, and return whether it was cancelled meanwhile."""
    return (_current.get() or Cancellation()).pause(seconds)


@contextmanager
def not_cancelled() -> Iterator[None]:
    """Let this thread make requests of another kind within the block, such as one that stops a response."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)
