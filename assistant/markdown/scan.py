"""What the readers of Markdown share: a step, and a few questions about characters."""

import re
from typing import TypeAlias

Step: TypeAlias = tuple[int, str] | None
"""The position up to which text was read, and what is shown for it; None if more text is needed to tell."""

MAX_SPAN_CHARS = 2000
"""Maximum length of an image or a formula that is recognised."""

PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    """Return where the pattern's match at this position ends; the position itself if there is none."""
    found = pattern.match(text, at)
    return found.end() if found else at


def is_letter(character: str) -> bool:
    """Return whether this is an ASCII letter or digit; False for an empty string."""
    return character.isascii() and character.isalnum()
