"""Parse server-sent events, for protocols whose last event the SDK swallows.

Only CR, LF and CRLF end a line (HTML standard, "Parsing an event stream"): a model's text may contain any
other line separator.
"""

import codecs
from collections.abc import Iterable, Iterator


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield each event's name ("" where it has none) and data as soon as it is complete.

    A last event without a blank line after it counts too, because some servers omit that line.
    """
    parser = Parser()
    for chunk in chunks:
        yield from parser.feed(chunk)
    yield from parser.end()


class Parser:
    """Parses events from bytes that arrive in pieces."""

    def __init__(self) -> None:
        self._unfinished: list[bytes] = []  # the pieces of a line, which may be long
        self._is_first_line = True
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """Yield the events that these bytes complete."""
        # A CR at the end may be the first half of CRLF.
        ends_with_cr = bool(self._unfinished) and self._unfinished[-1].endswith(b"\r")
        if chunk:
            self._unfinished.append(chunk)
        if not ends_with_cr and b"\n" not in chunk and b"\r" not in chunk:
            return
        *lines, last = b"".join(self._unfinished).splitlines(keepends=True) or [b""]
        if last.endswith(b"\n"):
            lines.append(last)
            last = b""
        self._unfinished = [last] if last else []
        for line in lines:
            yield from self._line(line)

    def end(self) -> Iterator[tuple[str, str]]:
        """Yield the event that was not followed by a blank line, if there is one."""
        if self._unfinished:
            yield from self._line(b"".join(self._unfinished))
        self._unfinished = []
        yield from self._event()

    def _line(self, line: bytes) -> Iterator[tuple[str, str]]:
        if self._is_first_line:
            line, self._is_first_line = line.removeprefix(codecs.BOM_UTF8), False
        text = line.rstrip(b"\r\n").decode("utf-8", "replace")
        if not text:
            yield from self._event()
            return
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value

    def _event(self) -> Iterator[tuple[str, str]]:
        """Yield the event whose lines have come; empty data only keeps the connection open."""
        if any(map(str.strip, self._data)):
            yield self._name, "\n".join(self._data)
        self._name, self._data = "", []


def encode(name: str, data: str) -> bytes:
    """Return one event as bytes."""
    lines = [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode("utf-8", "replace")
