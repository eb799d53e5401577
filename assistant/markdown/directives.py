"""Streamlit's own commands, such as ``:red[…]``: write them so that they are shown as text.

See https://docs.streamlit.io/develop/api-reference/text/st.markdown.
"""

import re

from assistant.markdown.scan import Step, is_letter, match_end

MAX_NAME_CHARS = 24
"""Maximum number of characters after a colon that wait until it is clear that they are no directive."""

_NAME = re.compile(rf"[^\s!-,./:-@\[-^`{{-~]{{0,{MAX_NAME_CHARS}}}")
_COLORS = "red|orange|yellow|green|blue|violet|purple|gr[ae]y|primary|rainbow"
_DIRECTIVE = re.compile(rf"(?:{_COLORS})(?:-badge|-background)?|color|help|shimmer|small")
_SHORTCODE = re.compile(r"[a-z][a-z0-9_+-]*|[+-]1|100|1234")


def read_colon(text: str, at: int, ended: bool, before: str, begins_line: bool) -> Step:
    """Read the colons at this position, with the name after them if it is a directive or a shortcode."""
    end = at + 1
    while text.startswith(":", end) and end - at < 99:
        end += 1
    if end == len(text) and end - at < 99:
        return (end, text[at:end]) if ended else None
    if end - at > 1:  # at the beginning of a line it makes a block
        return end, "&#58;" * (end - at) if begins_line else text[at:end]
    if text.startswith("//", end):
        return end + 2, "://"
    name = text[end : match_end(_NAME, text, end)]
    end += len(name)
    after = text[end : end + 1]
    if not ended and len(name) < MAX_NAME_CHARS and (not after or (not name and text[end:] == "/")):
        return None
    if after == ":" and _SHORTCODE.fullmatch(name):
        return _read_shortcode(name, text, at, ended, before)
    directive = name and (after in ("[", "{") or len(name) == MAX_NAME_CHARS or _DIRECTIVE.fullmatch(name))
    if directive or (name == "material" and after == "/"):
        return at + 1, "&#58;"
    return at + 1, ":"


def _read_shortcode(name: str, text: str, at: int, ended: bool, before: str) -> Step:
    """``:name:`` is an emoji unless it stands inside of a word, as in ``urn:id:1``."""
    end = at + len(name) + 2
    if end == len(text) and not ended:
        return None
    inside = is_letter(before[-1:]) or is_letter(text[end : end + 1])
    if not inside and name != "streamlit" and not name.startswith("material_"):
        return end, text[at:end]
    # Streamlit looks for shortcodes after it has resolved all references, but not across what it took for a
    # directive; an unknown directive is shown as it was written.
    coded = f"{name}:"
    return end, f":{coded[0]}&#{ord(coded[1])};{coded[2:]}"
