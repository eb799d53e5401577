"""What a server gave, looked into without relying on any of it.

Not here: what it means. Pure.

The one rule: a field that is missing, or is something else than it should be, is an empty one.
"""

from typing import Any

Object = dict[str, Any]


def object_at(holder: Object, name: str) -> Object:
    """The object under this name; an empty one where there is something else."""
    value = holder.get(name)
    return value if isinstance(value, dict) else {}


def objects_at(holder: Object, name: str) -> list[Object]:
    """The objects in the list under this name."""
    value = holder.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def text_at(holder: Object, name: str) -> str:
    """The text under this name; a number as a text, and anything else as an empty one."""
    value = holder.get(name)
    return whole(str(value)) if isinstance(value, str | int | float) else ""


def count_at(holder: Object, name: str) -> int:
    """The number of things under this name; 0 where there is something else."""
    value = holder.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def whole(text: str) -> str:
    """The text with halves of characters put together, or replaced where one is alone."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Pieces:
    """Texts that come in pieces, several at a time: half a character at an end waits for the other half."""

    def __init__(self) -> None:
        self._halves: dict[object, str] = {}

    def take(self, place: object, text: object) -> str:
        """What can be shown of the next piece of the text at this place."""
        if not isinstance(text, str):
            return ""
        text = self._halves.pop(place, "") + text
        if "\ud800" <= text[-1:] <= "\udbff":
            self._halves[place], text = text[-1], text[:-1]
        return whole(text)

    def drop(self, place: object) -> None:
        """Forget what waits at this place: its whole text has come."""
        self._halves.pop(place, None)
