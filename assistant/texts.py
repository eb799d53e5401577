"""Clean text for the page, for servers and for databases, and count its tokens."""

import re

# Lone surrogates cannot be encoded in UTF-8; control characters, above all NUL, break servers and databases.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

FILE_TOKENS = 1500
"""The tokens of an image, and at least those of a PDF file: about those of a large image."""

MAX_IMAGE_TOKENS = 50_000
"""More tokens than any model counts for an image, whatever its size."""

MAX_INPUT_TOKENS = 2_000_000
"""More tokens than any model reads."""


def is_sendable(text: str) -> bool:
    """Return whether servers and databases accept every character."""
    return _UNSENDABLE.search(text) is None


def replace_unsendable(text: str) -> str:
    """Return the text with U+FFFD for each character that servers and databases refuse."""
    return _UNSENDABLE.sub("\ufffd", text)


def replace_surrogates(text: str) -> str:
    """Return the text with "?" for each lone surrogate, because UTF-8 cannot encode them."""
    return text.encode("utf-8", "replace").decode()


def shorten(text: str, max_chars: int) -> str:
    """Return the text, cut to this length with "…" at its end."""
    return text if len(text) <= max_chars else text[: max_chars - 1] + "…"


def one_line(text: object, max_chars: int) -> str:
    """Return a text without line breaks and control characters, cut to this length."""
    return shorten(" ".join(_UNPRINTABLE.sub(" ", str(text)).split()), max_chars)


def max_tokens(text: str) -> int:
    """Return the most tokens that a text can have: one per byte of its UTF-8."""
    return len(text.encode("utf-8", "replace"))


def estimate_tokens(text: str, *, cautious: bool = False) -> int:
    """Return about how many tokens a text has: one per four ASCII characters, one per other character.

    Tokenizers differ; the estimate is within about a third for texts in most languages. With ``cautious``, it
    counts one per three ASCII characters, so that it is too high rather than too low.
    """
    ascii_count = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-ascii_count // (3 if cautious else 4)) + len(text) - ascii_count
