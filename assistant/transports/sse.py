"""Server-sent events, as they come off the wire, for protocols whose last event the SDK swallows.

Not here: what the events mean. Pure: bytes in, texts out.

The one rule: only CR, LF and CRLF end a line (HTML standard, "Parsing an event stream"); a model's text may
hold any other line separator.
"""

from collections.abc import Iterable, Iterator


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Each event's name (empty where it has none) and its data, as soon as it is whole.

    An event at the end that is not followed by an empty line counts, for some servers forget it.
    """
    reader = Reader()
    for chunk in chunks:
        yield from reader.feed(chunk)
    yield from reader.end()


class Reader:
    """The same for whoever is handed the bytes piece by piece."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []  # of a line whose end has not come; in pieces, for it may be long
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """The events that these bytes complete."""
        # A CR at the end may be the first half of CRLF.
        ended = bool(self._rest) and self._rest[-1].endswith(b"\r")
        if chunk:
            self._rest.append(chunk)
        if not ended and b"\n" not in chunk and b"\r" not in chunk:
            return
        *lines, rest = b"".join(self._rest).splitlines(keepends=True) or [b""]
        if rest.endswith(b"\n"):
            lines.append(rest)
            rest = b""
        self._rest = [rest] if rest else []
        for line in lines:
            yield from self._line(line)

    def end(self) -> Iterator[tuple[str, str]]:
        """The event that was not followed by an empty line, if there is one."""
        if self._rest:
            yield from self._line(b"".join(self._rest))
        if self._data:
            yield self._name, "\n".join(self._data)
        self._rest, self._name, self._data = [], "", []

    def _line(self, line: bytes) -> Iterator[tuple[str, str]]:
        text = line.rstrip(b"\r\n").decode("utf-8", "replace")
        if not text:
            if self._data:
                yield self._name, "\n".join(self._data)
            self._name, self._data = "", []
            return
        field, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._name = value
