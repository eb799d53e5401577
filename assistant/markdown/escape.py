"""Show text as it is in elements that read Markdown."""

_SPECIAL = frozenset("\\`*_{}[]()#+-.!|<>~$:&")


def escape_markdown(text: object) -> str:
    """Return the text with every character escaped that means something in Markdown."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in str(text))
