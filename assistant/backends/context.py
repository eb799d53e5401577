"""What the model can take in: which part of a conversation it is told when all of it is too much.

Not here: which protocol the parts belong to. Pure.

The one rule: whole turns are left out, the oldest first, and the person is told; nothing is left out of the
transcript.
"""

import json
import re
from typing import Any

from assistant.events import Note
from assistant.locale import N_

BYTES_PER_TOKEN = 3
"""Of UTF-8: English has about 4, Japanese about 3; on the safe side."""

FILE_TOKENS = 1500
"""Of an image or a file that is no text, whatever its bytes: about as many as a large image has."""

_FILE = re.compile(r'"(?:data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*|attachment:[0-9a-f]{24})"')

SHORTENED = Note(N_("The conversation is too long for the model: it is told only the newest part of it."))


def shortened(items: list[dict[str, Any]], before: int, most: int | None = None) -> int:
    """How many items to leave out from now on, where ``before`` of them are left out already.

    So many that ``most`` bytes are left, or half of what there is; the last turn always stays. Every turn
    begins with an item of the role ``user``.
    """
    turns = [index for index, item in enumerate(items) if item.get("role") == "user" and index > before]
    rest = size(items[before:])
    if not turns or (most is not None and rest <= most):
        return before
    most = rest // 2 if most is None else most * 3 // 4  # so that it is not soon too much again
    return next((turn for turn in turns if size(items[turn:]) <= most), turns[-1])


def size(items: list[dict[str, Any]]) -> int:
    """Items in bytes, as they are sent; of a file, as many as it has tokens."""
    said = json.dumps(items, ensure_ascii=False)
    files = _FILE.findall(said)
    rest = len((_FILE.sub("", said) if files else said).encode("utf-8", "replace"))
    return rest + len(files) * FILE_TOKENS * BYTES_PER_TOKEN
