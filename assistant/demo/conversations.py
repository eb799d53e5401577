"""Stored conversations, and pages of items."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.demo.generation import Generation
from assistant.demo.items import Json, new_id
from assistant.demo.requests import Rejection, invalid_value, parse_items, require

MAX_ITEMS = 20
"""Maximum number of items that one request can add to a conversation, as documented."""


@dataclass(slots=True)
class Conversation:
    """The items, oldest first, and the newest response; ``chars`` is the length of its prompt."""

    metadata: Json
    id: str = field(default_factory=lambda: new_id("conv"))
    created_at: int = field(default_factory=lambda: int(time.time()))
    items: list[Json] = field(default_factory=list)
    generation: Generation | None = None
    chars: int = 0

    def add(self, body: Json) -> Json:
        """Add the items of a request body and return them as a list object."""
        count = len(require(body, "items", list))
        if count > MAX_ITEMS:
            message = (
                "Invalid 'items': array too long. Expected an array with maximum length "
                f"{MAX_ITEMS}, but got an array with length {count} instead."
            )
            raise Rejection(message, "items", "array_above_max_length")
        items = parse_items(body, "items", self.items)
        self.items += items
        return list_object(items)

    def find(self, item_id: str) -> Json:
        """Return the item with this id.

        Raises:
            Rejection: There is none (404).
        """
        return find_item(self.items, item_id, f"conversation '{self.id}'")

    def as_json(self) -> Json:
        """Return the conversation object of the API."""
        fields: Json = {"id": self.id, "created_at": self.created_at, "metadata": self.metadata}
        return fields | {"object": "conversation"}


def find_item(items: Sequence[Json], item_id: str, where: str) -> Json:
    """Return the item with this id.

    Raises:
        Rejection: There is none (404).
    """
    for item in items:
        if item["id"] == item_id:
            return item
    raise Rejection(f"Item with id '{item_id}' not found in {where}.", status=404)


def item_page(items: Sequence[Json], query: Mapping[str, str], where: str) -> Json:
    """Return a page of the items, newest first unless ``order`` is "asc"."""
    limit = query.get("limit", "20")
    if not re.fullmatch("[1-9][0-9]?|100", limit):
        raise invalid_value("limit", "a number from 1 to 100")
    items = items if query.get("order") == "asc" else items[::-1]
    if "after" in query:
        items = items[items.index(find_item(items, query["after"], where)) + 1 :]
    return list_object(items[: int(limit)], has_more=len(items) > int(limit))


def list_object(items: Sequence[Json], has_more: bool = False) -> Json:
    """Return the list object of the API."""
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}
