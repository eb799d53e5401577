"""A connection, as whoever waits on it sees it: the wait ends when somebody lets go of it.

Not here: what is waited for (``replay.py``, ``faults.py``).

The one rule: a wait can be ended from another thread in either of the ways in which a client lets go of an
answer, by closing it and by shutting its socket down.
"""

import socket
import threading
import time
from typing import Any

STEP = 0.02
"""Seconds between two looks whether anybody has let go."""


class ConnectionHandle:
    """Stands in an answer's extensions as ``network_stream``, where there is no real connection below."""

    def __init__(self, below: Any = None) -> None:
        """``below`` is the real connection, where there is one."""
        self._closed = threading.Event()
        connection = below.get_extra_info("socket") if below is not None else None
        self._own: list[socket.socket] = []
        if not isinstance(connection, socket.socket):
            self._own += socket.socketpair()
            connection = self._own[0]
        self._socket: socket.socket = connection

    def get_extra_info(self, info: str) -> object:
        """The socket, under this name; as a network stream has it."""
        return self._socket if info == "socket" else None

    @property
    def is_open(self) -> bool:
        """Whether nobody has let go of it."""
        if self._closed.is_set():
            return False
        try:
            socket.socket.send(self._socket, b"")  # sends nothing, and fails after a shutdown
        except OSError as error:
            return isinstance(error, (BlockingIOError, TimeoutError))
        return True

    def wait(self, seconds: float) -> bool:
        """Wait so long; false as soon as somebody lets go."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not self.is_open:
                return False
            self._closed.wait(min(left, STEP))
        return self.is_open

    def close(self) -> None:
        """Let go of it."""
        self._closed.set()
        for each in self._own:
            each.close()
