"""The network without the wait: a read times out as soon as the server has fallen silent."""

from collections.abc import Callable
from functools import partial

import httpcore2
import httpx2

from tests.servers.responses import Play

POLL_SECONDS = 0.005


class SilenceTransport(httpx2.BaseTransport):
    """The real network; a read times out once ``play`` has reached its cut, and has no other limit."""

    def __init__(self) -> None:
        self.inner = httpx2.HTTPTransport()
        self.play = Play()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self.inner.handle_request(request)
        connection = response.extensions["network_stream"]
        read = getattr(type(connection), "read").__get__(connection)  # noqa: B009
        connection.read = partial(self._read, read)
        return response

    def _read(self, read: Callable[..., bytes], max_bytes: int, timeout: float | None = None) -> bytes:
        while True:
            silent = self.play.reached.is_set()  # asked first: what was sent before is read
            try:
                return read(max_bytes, POLL_SECONDS)
            except httpcore2.ReadTimeout:
                if silent:
                    raise

    def close(self) -> None:
        self.inner.close()
