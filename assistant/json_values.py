"""Safe access to JSON from outside: what is missing or of another type is an empty value."""

import json
import threading
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def parse_json(data: str | bytes) -> Any:
    """Return the JSON value of a text; None for any other text."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


READING = threading.Lock()
"""Held while an uploaded file is read, so that only one is in memory at a time: it takes several times its size."""

MAX_DEPTH = 100
"""How deeply the JSON of a file may be nested: some functions here and in libraries recurse."""


def is_too_deep(value: Any) -> bool:
    """Return whether arrays and objects are nested more than ``MAX_DEPTH`` deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, (dict, list))
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


def count_values(text: str) -> int:
    """Return how many values a JSON text has at most, before it is read: an empty list takes 60 bytes.

    Each value follows one of these characters, which also occur in strings.
    """
    return sum(map(text.count, ",[{"))


def get(value: Any, name: str) -> Any:
    """Return a field of an object; None where there is no object or no such field."""
    return value.get(name) if isinstance(value, dict) else None


def objects(value: Any) -> Iterator[Json]:
    """Return the objects in an array; none where there is no array."""
    return (item for item in (value if isinstance(value, list) else []) if isinstance(item, dict))


def text(value: Any) -> str:
    """Return a string as it is and an integer as digits; "" for anything else."""
    return value if isinstance(value, str) else str(value) if is_integer(value) else ""


def is_integer(value: Any) -> bool:
    """Return whether the value is an integer of at most 64 bits, and not a bool."""
    return type(value) is int and abs(value) < 1 << 63


def number(value: Any) -> float | None:
    """Return a number of seconds or tokens; None unless it is between 0 and 1e9."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e9 else None
