"""Estimate how many tokens a text has: for the page, for limits, and for costs."""

FILE_TOKENS = 1500
"""The tokens of an image or a PDF file, whatever its size: about those of a large image."""


def estimate_tokens(text: str, *, cautious: bool = False) -> int:
    """Return about how many tokens a text has: one per four ASCII characters, one per other character.

    Tokenizers differ; the estimate is within about a third for texts in most languages. With ``cautious``, it
    counts one per three ASCII characters, and is rather too high than too low.
    """
    ascii_count = len(text) if text.isascii() else len(text.encode("ascii", "ignore"))
    return -(-ascii_count // (3 if cautious else 4)) + len(text) - ascii_count
