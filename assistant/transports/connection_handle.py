"""A connection that another thread can close while this one waits on it.

A client lets go of a response either by closing it or by shutting down its socket. Both end the wait.
"""

import socket
import threading
import time
from typing import Any

POLL_SECONDS = 0.02  # interval between two checks for a socket that was shut down


class ConnectionHandle:
    """The ``network_stream`` of a response whose transport has no connection, or waits beside one."""

    def __init__(self, connection: Any = None) -> None:
        """``connection`` is the real ``network_stream``, where there is one."""
        self._closed = threading.Event()
        found = connection.get_extra_info("socket") if connection is not None else None
        self._own: list[socket.socket] = []
        if not isinstance(found, socket.socket):
            self._own += socket.socketpair()
            found = self._own[0]
        self._socket: socket.socket = found

    def get_extra_info(self, info: str) -> object:
        """Return the socket for "socket", as a network stream does; None for any other name."""
        return self._socket if info == "socket" else None

    @property
    def is_open(self) -> bool:
        """Whether the connection was neither closed nor shut down."""
        if self._closed.is_set():
            return False
        try:
            socket.socket.send(self._socket, b"")  # sends nothing, and fails after a shutdown
        except OSError as error:
            return isinstance(error, (BlockingIOError, TimeoutError))
        return True

    def wait(self, seconds: float) -> bool:
        """Wait, and return whether the connection is still open; return early when it is not."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.is_open:
                return False
            self._closed.wait(min(left, POLL_SECONDS))
        return self.is_open

    def close(self) -> None:
        """Close the connection and end every wait."""
        self._closed.set()
        for own in self._own:
            own.close()
