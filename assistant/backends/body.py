"""Read the body of a response that was requested as a stream."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain

import httpx2

from assistant.transports.sse import events

DONE = "[DONE]"  # what some servers send last, in place of an event


def read_body(response: httpx2.Response) -> tuple[bool, Iterator[object]]:
    """Return whether a response is a stream, and its JSON values: one for each event, or the whole body.

    The first byte decides: some servers label events as JSON, and some answer without streaming.
    """
    chunks, start = response.iter_bytes(), b""
    while not start.strip() and (chunk := next(chunks, b"")):
        start += chunk
    if start.lstrip()[:1] in (b"{", b"["):
        return False, iter([json.loads(b"".join([start, *chunks]))])
    return True, parse_events(chain([start], chunks))


def parse_events(body: Iterable[bytes]) -> Iterator[object]:
    """Yield the JSON value of each event in a streamed response, then ``DONE`` if the server sends it."""
    for _, data in events(body):
        if data.strip() == DONE:
            yield DONE
            return
        yield json.loads(data)
