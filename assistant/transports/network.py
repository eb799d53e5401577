"""Network connections whose waits can be cancelled from another thread."""

import socket
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2

from assistant.transports.cancellation import WaitingOn, is_cancelled


class CancellableNetwork(httpcore2.NetworkBackend):
    """Opens connections whose waits the active ``Cancellation`` ends.

    A wait for the connection itself is not ended: it is short, and nothing is sent after it.
    """

    def __init__(self) -> None:
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        if is_cancelled():
            raise httpcore2.ConnectError("The request was cancelled.")
        return _Connection(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


class _Connection(httpcore2.NetworkStream):
    """A connection whose waits the active ``Cancellation`` ends."""

    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner
        self._socket: socket.socket = inner.get_extra_info("socket")

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with WaitingOn(self._socket):
            data = self._inner.read(max_bytes, timeout)
        if not data and is_cancelled():
            raise httpcore2.ReadError("The request was cancelled.")  # the body may seem complete
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with WaitingOn(self._socket):
            self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        # A duplicate, because the handshake moves the descriptor to another object.
        with (
            socket.fromfd(self._socket.fileno(), self._socket.family, self._socket.type) as duplicate,
            WaitingOn(duplicate),
        ):
            return _Connection(self._inner.start_tls(ssl_context, server_hostname, timeout))
