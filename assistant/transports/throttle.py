"""Reads answers less often the more of them are read at once: what costs is to wake for each of their pieces.

Not here: how often a page is brought up to date, or how an answer is read that nobody follows (``live.py``).

The one rule: an answer that is read alone is read as it comes. Whoever waits is given all that has come
meanwhile, so nobody falls behind.
"""

import time
from collections.abc import Iterator
from typing import Any

import httpx2

EACH = 0.002
"""Seconds between two reads of an answer, for each of the others that are being read."""

LONGEST = 0.2
"""Seconds between two reads, however many there are."""


class ThrottleTransport(httpx2.BaseTransport):
    """Another transport; how often its streams of events are read depends on how many of them there are."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        self.readers: set[object] = set()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = self.inner.handle_request(request)
        line = response.extensions.get("network_stream")
        # Where there is no network below there is nothing to read.
        if hasattr(line, "read") and "text/event-stream" in response.headers.get("content-type", ""):
            response.stream = _Paced(response.stream, line, self)
        return response

    def close(self) -> None:
        self.inner.close()

    @property
    def between(self) -> float:
        """Seconds between two reads of each answer."""
        return min(EACH * (len(self.readers) - 1), LONGEST)


class _Paced(httpx2.SyncByteStream):
    """The bytes of an answer. While they are taken, its connection waits before it is read.

    The connection itself, for a read takes all that has come; of what was read the transport below gives each
    piece by itself, and nobody can tell which was the last.
    """

    def __init__(self, inner: Any, line: Any, pace: ThrottleTransport) -> None:
        self._inner, self._line, self._pace = inner, line, pace

    def __iter__(self) -> Iterator[bytes]:
        read, due = self._line.read, 0.0

        def read_in_time(max_bytes: int, timeout: float | None = None) -> bytes:
            nonlocal due
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            data: bytes = read(max_bytes, timeout)
            due = time.monotonic() + self._pace.between
            return data

        self._line.read = read_in_time
        self._pace.readers.add(self)
        try:
            yield from self._inner
        finally:
            self._leave()

    def close(self) -> None:
        self._leave()
        self._inner.close()

    def _leave(self) -> None:
        """Be no reader any more, and leave the connection as it was: by then it may be another answer's."""
        if self in self._pace.readers:
            self._pace.readers.discard(self)
            vars(self._line).pop("read", None)
