"""The compaction of a conversation: one item that stands for those before it."""

import base64
import json
from collections.abc import Sequence

from assistant.demo.items import Json, new_item


def compaction_item(items: Sequence[Json]) -> Json:
    """Return the item that stands for these."""
    content = base64.b64encode(json.dumps(list(items)).encode()).decode()  # the real API encrypts it
    return new_item("compaction", encrypted_content=content)


def compaction_items(response: Json, items: Sequence[Json], tokens: int) -> list[Json]:
    """Return the compaction of a conversation that is longer than the request allows; [] for a shorter one."""
    limits = [
        each.get("compact_threshold") or 0
        for each in response["context_management"] or ()
        if each.get("type") == "compaction"
    ]
    return [compaction_item(items)] if limits and tokens > min(limits) else []


def since_compaction(items: Sequence[Json]) -> Sequence[Json]:
    """Return the items from the newest compaction on, which stands for all before it."""
    starts = [index for index, item in enumerate(items) if item["type"] == "compaction"]
    return items[starts[-1] :] if starts else items


def restore_compacted(items: Sequence[Json]) -> list[Json]:
    """Return the items with those that the newest compaction stands for."""
    first, *others = since_compaction(items) or [{"type": ""}]
    if first["type"] != "compaction":
        return list(items)
    try:
        compacted = json.loads(base64.b64decode(first["encrypted_content"], validate=True))
    except ValueError:  # of another server
        return list(items)
    known = [item for item in compacted if isinstance(item, dict) and "type" in item]
    ids = {item.get("id") for item in known}
    before = items[: len(items) - len(others) - 1]
    return [*(item for item in before if item["id"] not in ids), *known, *others]
