"""A conversation of the demo: items under one id, in the order they were added."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.demo.requests import Json, Rejection, invalid_value, new_id, parse_items, require
from assistant.demo.stream import EventStream

MAX_ITEMS = 20
"""Maximum number of items that one request can add, as documented."""


@dataclass(slots=True)
class Conversation:
    """The items, oldest first, and the response that is being streamed."""

    metadata: Json
    id: str = field(default_factory=lambda: new_id("conv"))
    created_at: int = field(default_factory=lambda: int(time.time()))
    items: list[Json] = field(default_factory=list)
    stream: EventStream | None = None

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
        return _list_object(items)

    def find(self, item_id: str) -> Json:
        """Return the item with this id.

        Raises:
            Rejection: There is none (404).
        """
        for item in self.items:
            if item["id"] == item_id:
                return item
        raise Rejection(f"Item with id '{item_id}' not found in conversation '{self.id}'.", status=404)

    def page(self, query: Mapping[str, str]) -> Json:
        """Return a page of the items, newest first unless ``order`` is "asc"."""
        limit = query.get("limit", "20")
        if not re.fullmatch("[1-9][0-9]?|100", limit):
            raise invalid_value("limit", "a number from 1 to 100")
        items = self.items if query.get("order") == "asc" else self.items[::-1]
        if "after" in query:
            items = items[items.index(self.find(query["after"])) + 1 :]
        return _list_object(items[: int(limit)], has_more=len(items) > int(limit))

    def as_json(self) -> Json:
        """Return the conversation object of the API."""
        fields: Json = {"id": self.id, "created_at": self.created_at, "metadata": self.metadata}
        return fields | {"object": "conversation"}


def _list_object(items: Sequence[Json], has_more: bool = False) -> Json:
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}
