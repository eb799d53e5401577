"""Read JSON from a server without relying on any of it: a missing or wrong field counts as an empty one."""

from typing import Any

JsonObject = dict[str, Any]


def object_at(holder: JsonObject, name: str) -> JsonObject:
    """Return the object in this field; {} for anything else."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def objects_at(holder: JsonObject, name: str) -> list[JsonObject]:
    """Return the objects in the list in this field; [] for anything else."""
    value = holder.get(name)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text_at(holder: JsonObject, name: str) -> str:
    """Return the string or number in this field as a string; "" for anything else."""
    value = holder.get(name)
    return join_surrogates(str(value)) if isinstance(value, str | int | float) else ""


def count_at(holder: JsonObject, name: str) -> int:
    """Return the non-negative integer in this field; 0 for anything else."""
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def join_surrogates(text: str) -> str:
    """Return the text with its surrogate pairs joined, and unpaired surrogates replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class SurrogateBuffer:
    """Joins surrogate pairs that are split between the deltas of a text; several texts may stream at once."""

    def __init__(self) -> None:
        self._high: dict[object, str] = {}

    def feed(self, key: object, delta: object) -> str:
        """Return the text of a delta; a high surrogate at its end waits for the next delta with this key."""
        if not isinstance(delta, str):
            return ""
        text = self._high.pop(key, "") + delta
        if "\ud800" <= text[-1:] <= "\udbff":
            self._high[key], text = text[-1], text[:-1]
        return join_surrogates(text)

    def discard(self, key: object) -> None:
        """Discard the surrogate that waits under this key."""
        self._high.pop(key, None)
