"""Cancel requests from another thread, whatever they wait for.

The requests are those that a function makes within ``Cancellation.call``. ``network`` ends the waits of
real connections; a transport without a network waits with ``pause``.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


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

    def call(self, function: Callable[[], T]) -> T:
        """Return what ``function`` returns; ``cancel`` ends the requests that it makes on this thread."""
        token = _current.set(self)
        try:
            return function()
        finally:
            _current.reset(token)

    def add(self, waiting: socket.socket) -> None:
        """Let ``cancel`` shut down a socket on which a thread is about to wait."""
        with self._lock:
            self._sockets.append(waiting)
            if self.cancelled:
                _shut_down(waiting)

    def remove(self, waiting: socket.socket) -> None:
        """Leave a socket alone again: connections are reused, and a moment later it may serve another request."""
        with self._lock:
            self._sockets.remove(waiting)


def _shut_down(waiting: socket.socket) -> None:
    """End every wait on a socket, which closing it would not do; what has arrived can still be read."""
    with suppress(OSError):  # not connected
        # Not the socket's own method: that of a TLS socket would free what another thread is using.
        socket.socket.shutdown(waiting, socket.SHUT_RDWR)


_current: ContextVar[Cancellation | None] = ContextVar("cancellation", default=None)


class WaitingOn:
    """Lets the active cancellation, if there is one, shut down this socket within the ``with`` block.

    Not a generator function, because a response is read in many thousand pieces.
    """

    __slots__ = ("_cancellation", "_socket")

    def __init__(self, waiting: socket.socket) -> None:
        self._socket, self._cancellation = waiting, _current.get()

    def __enter__(self) -> None:
        if self._cancellation is not None:
            self._cancellation.add(self._socket)

    def __exit__(self, *_: object) -> None:
        if self._cancellation is not None:
            self._cancellation.remove(self._socket)


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
