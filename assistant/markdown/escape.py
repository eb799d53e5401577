"""Text as it is, in elements that read Markdown.

Not here: Markdown that is meant (``blocks.py``).

The one rule: whatever the text, it comes out as its own letters.
"""


def plain(text: object) -> str:
    """Text for an element that reads Markdown, with nothing in it that Markdown knows."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in str(text))


_SPECIAL = frozenset("\\`*_{}[]()#+-.!|<>~$:&")
