"""Read what a server answers as plain JSON: one object, a stream of events, or a list that comes page by page."""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import chain

import httpx2
from openai import OpenAI

from assistant.backends.error_translation import wrong_api_error
from assistant.backends.json_access import JsonObject, text_at
from assistant.transports.sse import Parser

DONE = "[DONE]"  # what some servers send last, in place of an event

_BLANK = codecs.BOM_UTF8 + b" \t\r\n"  # bytes that may stand before a body


def read_body(response: httpx2.Response) -> tuple[bool, Iterator[object]]:
    """Return whether a response is a stream, and its JSON values: one for each event, or the whole body.

    The first byte decides: some servers label events as JSON, and some answer without streaming.
    """
    chunks, start = response.iter_bytes(), b""
    while not start.strip(_BLANK) and (chunk := next(chunks, b"")):
        start += chunk
    if start.lstrip(_BLANK)[:1] in (b"{", b"["):
        return False, iter([json.loads(b"".join([start, *chunks]))])
    return True, parse_events(chain([start], chunks))


def parse_events(body: Iterable[bytes]) -> Iterator[object]:
    """Yield the JSON value of each event in a streamed response, then ``DONE`` if the server sends it.

    An event within which the stream ends is left out: the connection was lost.
    """
    parser = Parser()
    for _, data in chain.from_iterable(map(parser.feed, body)):
        if data.strip() == DONE:
            yield DONE
            return
        yield json.loads(data)
    for _, data in parser.end():
        with suppress(ValueError):
            yield DONE if data.strip() == DONE else json.loads(data)


def json_body(response: httpx2.Response, client: OpenAI) -> JsonObject:
    """Return the object in a response; raises ``ServerFailed`` for anything else."""
    try:
        value = response.json()
    except ValueError:
        value = None
    return json_object(value, client)


def json_object(value: object, client: OpenAI) -> JsonObject:
    """Return a value that is an object; raises ``ServerFailed`` for any other."""
    if not isinstance(value, dict):
        raise wrong_api_error(client)
    return value


def listed_objects(page: JsonObject, client: OpenAI) -> list[JsonObject]:
    """Return the objects of a page; raises ``ServerFailed`` if it is not a page of a list."""
    items = page.get("data")
    if not isinstance(items, list):
        raise wrong_api_error(client)
    return [item for item in items if isinstance(item, dict)]


def all_pages(
    fetch: Callable[[JsonObject], JsonObject], client: OpenAI, size: int = 100
) -> Iterator[JsonObject]:
    """Yield the objects of a list; ``fetch`` returns the page for the parameters ``limit`` and ``after``."""
    parameters: JsonObject = {"limit": size}
    while True:
        page = fetch(parameters)
        items = listed_objects(page, client)
        yield from items
        last = text_at(page, "last_id") or text_at(items[-1] if items else {}, "id")
        if not last or not page.get("has_more"):
            return
        parameters["after"] = last
