"""Read JSON from a server without relying on any of it: a missing or wrong field counts as an empty one."""

import json
from typing import Any

from assistant.backends.stream_errors import StreamError
from assistant.events import Usage

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


def arguments_of(call: JsonObject) -> str:
    """Return the arguments of a call as JSON text; some servers send a value instead of its text."""
    value = call.get("arguments")
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise StreamError("", "arguments that are nested too deeply") from error
    return "" if value is None else join_surrogates(text)


def stream_error(error: object) -> StreamError:
    """Return the error that an event reports; its type stands for a code that it lacks."""
    if not isinstance(error, dict):
        return StreamError("", str(error))
    kind = text_at(error, "type")
    if kind == "error":  # the type of the event itself
        kind = ""
    return StreamError(text_at(error, "code") or kind, text_at(error, "message"))


def usage_of(usage: JsonObject) -> Usage | None:
    """Return the tokens of a response, by the names of any protocol; None if they are not reported."""
    if not usage:
        return None
    is_chat = "prompt_tokens" in usage or "completion_tokens" in usage
    sent, received = ("prompt", "completion") if is_chat else ("input", "output")
    # In the Assistants API it is called ``prompt_token_details``.
    details = object_at(usage, f"{sent}_tokens_details") or object_at(usage, f"{sent}_token_details")
    return Usage(
        input=count_at(usage, f"{sent}_tokens"),
        cached=count_at(details, "cached_tokens"),
        cache_written=count_at(details, "cache_write_tokens"),
        output=count_at(usage, f"{received}_tokens"),
        reasoning=count_at(object_at(usage, f"{received}_tokens_details"), "reasoning_tokens"),
    )


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
