"""An answer's bytes, as they come from the network, made into events or into a body.

Not here: what they mean; the parsing of events (``sse.py``).

The one rule: what an answer is, is told by its bytes; its header is believed where they do not tell.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from assistant.transports import sse

MOST_AT_ONCE = 32_000_000
"""Bytes that one piece may become when it is unpacked: a few bytes can be made to fill any memory."""


class Answer:
    """The bytes of one answer while they come, unpacked: a stream's events, or a body."""

    def __init__(self) -> None:
        self.type = ""
        self._unpack: Any = None
        self._reader: sse.Reader | None = None
        self._body: list[bytes] = []

    def begin(self, headers: Mapping[str, str]) -> None:
        """Its head is here."""
        self.type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if headers.get("content-encoding", "").lower() in ("gzip", "deflate"):
            self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either, told by its first bytes

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """The events that these bytes complete, by name and data."""
        if self._unpack is not None:
            try:
                data = self._unpack.decompress(data, MOST_AT_ONCE)
            except zlib.error:
                self._unpack = None  # it is packed in no way that we know
        if not data:
            return []
        if self._reader is None and not self._body and self._is_stream(data):
            self._reader = sse.Reader()
        if self._reader is not None:
            return list(self._reader.feed(data))
        self._body.append(data)
        return []

    def end(self, whole: bool) -> tuple[list[tuple[str, str]], bytes]:
        """The last event, if the end makes it whole, and the body, if it was no stream."""
        events = list(self._reader.end()) if self._reader is not None and whole else []
        body, self._body, self._reader = b"".join(self._body), [], None
        return events, body

    def _is_stream(self, data: bytes) -> bool:
        """By what it is, for a server may name its type wrongly, and the SDK does not look at it."""
        if data.lstrip()[:1] in (b"{", b"[", b"<"):
            return False
        return self.type == "text/event-stream" or data.startswith((b"event:", b"data:"))
