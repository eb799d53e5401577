"""Throttle socket reads while many answers stream: waking up for each small piece is what costs.

A single answer is read as it arrives. A throttled read returns everything that has arrived since the last
one, so no answer falls behind.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx2

READER_SECONDS = 0.002
"""Interval between two reads of an answer, for each of the other answers that are being read."""

MAX_SECONDS = 0.2  # maximum interval between two reads


class ThrottleTransport(httpx2.BaseTransport):
    """Wraps a transport; reads each event stream less often the more of them there are."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        self.readers: set[object] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self.inner.handle_request(request)
        connection = response.extensions.get("network_stream")
        # A transport without a network, such as the demo, has no connection to read from.
        if hasattr(connection, "read") and "text/event-stream" in response.headers.get("content-type", ""):
            response.stream = _ThrottledStream(response.stream, connection, self)
        return response

    def close(self) -> None:
        self.inner.close()

    @property
    def interval(self) -> float:
        """Seconds between two reads of each answer."""
        return min(READER_SECONDS * (len(self.readers) - 1), MAX_SECONDS)


class _ThrottledStream(httpx2.SyncByteStream):
    """The bytes of a response; its connection waits before each read while they are consumed.

    The connection itself waits because a read returns everything that has arrived. The transport below
    splits that into pieces, and a delay between those would not tell which piece was the last.
    """

    def __init__(self, inner: Any, connection: Any, throttle: ThrottleTransport) -> None:
        self._inner, self._connection, self._throttle = inner, connection, throttle

    def __iter__(self) -> Iterator[bytes]:
        read, due = self._connection.read, 0.0

        def throttled_read(max_bytes: int, timeout: float | None = None) -> bytes:
            nonlocal due
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            data: bytes = read(max_bytes, timeout)
            due = time.monotonic() + self._throttle.interval
            return data

        self._connection.read = throttled_read
        self._throttle.readers.add(self)
        try:
            yield from self._inner
        finally:
            self._restore()

    def close(self) -> None:
        self._restore()
        self._inner.close()

    def _restore(self) -> None:
        """Stop throttling; by now the connection may serve another response."""
        if self in self._throttle.readers:
            self._throttle.readers.discard(self)
            vars(self._connection).pop("read", None)
