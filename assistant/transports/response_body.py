"""Split the bytes of a response into server-sent events, or join them into a body.

The bytes decide which of the two it is; the ``content-type`` header decides only where they do not.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from assistant.transports import sse

MAX_UNPACKED_BYTES = 32_000_000
"""Maximum size of one chunk after unpacking: a few packed bytes could otherwise fill the memory."""


class ResponseBody:
    """Parses the bytes of one response as they arrive."""

    def __init__(self) -> None:
        self.type = ""
        self._decompressor: Any = None
        self._parser: sse.Parser | None = None
        self._body: list[bytes] = []

    def start(self, headers: Mapping[str, str]) -> None:
        self.type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if headers.get("content-encoding", "").lower() in ("gzip", "deflate"):
            self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # detects which of the two

    def feed(self, data: bytes) -> list[tuple[str, str]]:
        """Return the events that these bytes complete, as name and data."""
        if self._decompressor is not None:
            try:
                data = self._decompressor.decompress(data, MAX_UNPACKED_BYTES)
            except zlib.error:
                self._decompressor = None  # the header is wrong: keep the bytes as they are
        if not data:
            return []
        if self._parser is None and not self._body and self._is_event_stream(data):
            self._parser = sse.Parser()
        if self._parser is not None:
            return list(self._parser.feed(data))
        self._body.append(data)
        return []

    def end(self, is_complete: bool) -> tuple[list[tuple[str, str]], bytes]:
        """Return the last event, if a complete response ends with an unterminated one, and the body."""
        events = list(self._parser.end()) if self._parser is not None and is_complete else []
        body, self._body, self._parser = b"".join(self._body), [], None
        return events, body

    def _is_event_stream(self, data: bytes) -> bool:
        if data.lstrip()[:1] in (b"{", b"[", b"<"):
            return False
        return self.type == "text/event-stream" or data.startswith((b"event:", b"data:"))
