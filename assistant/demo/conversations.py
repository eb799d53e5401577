"""A conversation: the items that the demo remembers under one id.

Not here: which conversations there are (``server.py``).
The one rule: items are added at the end, each with an id of its own, and never changed.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.demo.requests import Json, Refusal, items_of, need, new_id, wrong
from assistant.demo.stream import EventStream

MOST_ITEMS = 20
"""Items that one request may add, as documented."""


@dataclass(slots=True)
class Conversation:
    """What was said, oldest first, and who is writing to it."""

    metadata: Json
    id: str = field(default_factory=lambda: new_id("conv"))
    created_at: int = field(default_factory=lambda: int(time.time()))
    items: list[Json] = field(default_factory=list)
    writer: EventStream | None = None

    def add(self, body: Json) -> Json:
        """Add the items in a body; the list of them as they are kept."""
        count = len(need(body, "items", list))
        if count > MOST_ITEMS:
            message = f"Expected an array with maximum length {MOST_ITEMS}, but got an array with length "
            message = f"Invalid 'items': array too long. {message}{count} instead."
            raise Refusal(message, "items", "array_above_max_length")
        items = items_of(body, "items", self.items)
        self.items += items
        return _list(items)

    def item(self, item_id: str) -> Json:
        for item in self.items:
            if item["id"] == item_id:
                return item
        raise Refusal(f"Item with id '{item_id}' not found in conversation '{self.id}'.", status=404)

    def page(self, query: Mapping[str, str]) -> Json:
        """A part of the items, the newest first unless asked otherwise."""
        limit = query.get("limit", "20")
        if not re.fullmatch("[1-9][0-9]?|100", limit):
            raise wrong("limit", "a number from 1 to 100")
        items = self.items if query.get("order") == "asc" else self.items[::-1]
        if "after" in query:
            items = items[items.index(self.item(query["after"])) + 1 :]
        return _list(items[: int(limit)], has_more=len(items) > int(limit))

    def as_json(self) -> Json:
        known: Json = {"id": self.id, "created_at": self.created_at, "metadata": self.metadata}
        return known | {"object": "conversation"}


def _list(items: Sequence[Json], has_more: bool = False) -> Json:
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}
