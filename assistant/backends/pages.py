"""Read what a server answers as plain JSON: one object, or a list that comes page by page."""

from collections.abc import Callable, Iterator

import httpx2
from openai import OpenAI

from assistant.backends.error_translation import wrong_api_error
from assistant.backends.json_access import JsonObject, text_at


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
