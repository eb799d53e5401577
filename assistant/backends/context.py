"""Decide which part of a conversation is sent when the model's context window is too small for all of it.

Whole turns are left out, the oldest first, and the user is informed. The transcript keeps everything.
"""

import json
import re

from assistant.backends.json_access import JsonObject
from assistant.events import Note
from assistant.locale import N_
from assistant.texts import FILE_TOKENS, estimate_tokens

SHORTENED = Note(N_("The conversation is too long for the model. Only its newest part was sent."))

_FILE = re.compile(r'"(?:data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*|attachment:[0-9a-f]{24})"')


def items_to_leave_out(items: list[JsonObject], left_out: int, max_tokens: int | None = None) -> int:
    """Return how many items to leave out from now on, where ``left_out`` of them are left out already.

    At most ``max_tokens`` remain, or half of the current size; the last turn always remains. Every turn
    begins with an item of the role ``user``.
    """
    turns = [index for index, item in enumerate(items) if item.get("role") == "user" and index > left_out]
    size = count_tokens(items[left_out:])
    if not turns or (max_tokens is not None and size <= max_tokens):
        return left_out
    # Some room remains, so that the limit is not reached again with the next turn.
    target = size // 2 if max_tokens is None else max_tokens * 3 // 4
    return next((turn for turn in turns if count_tokens(items[turn:]) <= target), turns[-1])


def count_tokens(items: list[JsonObject]) -> int:
    """Return about how many tokens these items have when they are sent."""
    text = json.dumps(items, ensure_ascii=False)
    files = _FILE.findall(text)
    text = _FILE.sub("", text) if files else text
    return estimate_tokens(text, cautious=True) + len(files) * FILE_TOKENS
