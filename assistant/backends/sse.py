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
    name, data = "", list[str]()
    for line in _lines(chunks):
        if not line:
            if data:
                yield name, "\n".join(data)
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
    if data:
        yield name, "\n".join(data)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for chunk in chunks:
        # A CR at the end may be the first half of CRLF.
        *lines, rest = (rest + chunk).splitlines(keepends=True) or [b""]
        if rest.endswith(b"\n"):
            lines.append(rest)
            rest = b""
        for line in lines:
            yield line.rstrip(b"\r\n").decode("utf-8", "replace")
    if rest:
        yield rest.rstrip(b"\r\n").decode("utf-8", "replace")
