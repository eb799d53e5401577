"""Code in Markdown: fences and Mermaid diagrams.

A diagram is source code that the page draws. Its images and icons are loaded while it is drawn, so what could
be an address in it is broken up.
"""

import re
from dataclasses import dataclass
from typing import Literal

from assistant.markdown.scan import Step, is_letter, match_end

FENCE = re.compile(r"`{3,99}|~{3,99}")

_BLANKS = re.compile(r"[^\S\n]{0,99}")
_MARKS = re.compile("`{1,99}|~{1,99}")
PLAIN = re.compile(r"[^\n!`~]+")
_SPACES = re.compile(r"[ \t]{0,99}")
_QUOTED = re.compile(r"(?:[ \t]{0,99}>){1,9}[ \t]{0,99}")
_CLOSES = {mark: re.compile(mark + r"{1,99}[ \t]{0,99}") for mark in "`~"}
_PLAIN_IN_DIAGRAM = re.compile(r"[^\n\\/:&\t!]+")


@dataclass(frozen=True, slots=True)
class Fence:
    """An open fence.

    ``certain``: every line with its indent is code until one closes it. ``drawn``: it is a diagram.
    """

    mark: str
    indent: int
    quoted: bool
    certain: bool
    drawn: bool


@dataclass(frozen=True, slots=True)
class FenceLine:
    """A line while a fence is open, read up to ``end``.

    It is an empty one, code, the one that closes the fence, or the first one after its list or quote.
    ``doubt``: the page may see the fence differently.
    """

    end: int
    state: Literal["empty", "code", "closing", "after"]
    doubt: bool = False


def read_fence_line(fence: Fence, text: str, at: int, ended: bool) -> FenceLine | None:
    """Read the beginning of a line while a fence is open; None if more text is needed to tell."""
    inside = (_QUOTED if fence.quoted else _SPACES).match(text, at)
    if not ended and match_end(_SPACES, text, at) == len(text):
        return None
    end = inside.end() if inside else at
    indent = fence.indent if fence.quoted else len(text[at:end].expandtabs(4))
    if text.startswith("\n", end) and not fence.quoted:
        return FenceLine(end + 1, "empty")
    if not inside or (not indent and fence.indent and not fence.certain):
        return FenceLine(at, "after")  # if it was a fence at all
    doubt = indent < fence.indent
    closes = _CLOSES[fence.mark[0]].match(text, end)
    if not closes:
        return FenceLine(end, "code", doubt)
    if closes.end() == len(text) and not ended:
        return None
    run = closes[0].rstrip(" \t")
    if max(len(run), len(closes[0]) - len(run)) == 99:
        return FenceLine(end, "code", doubt=True)
    if len(run) >= len(fence.mark) and text[closes.end() : closes.end() + 1] in ("", "\n"):
        if indent == fence.indent or (not fence.indent and indent <= 3):
            return FenceLine(closes.end(), "closing", doubt)
        doubt = doubt or indent <= fence.indent + 3
    return FenceLine(end, "code", doubt)


def is_diagram(text: str, at: int, ended: bool) -> bool | None:
    """Return whether the page draws a fence with this info string; None if more text is needed to tell."""
    at = match_end(_BLANKS, text, at)
    for letter in "mermaid":
        if at == len(text):
            return True if ended else None  # the rest of the word may follow
        if text[at] == "&":  # a reference may stand for any letter
            return True
        if text[at].lower() != letter:
            return False
        at += 1
    return True


def read_diagram(text: str, at: int, ended: bool, before: str) -> Step:
    """Read Mermaid source; whatever could be an address in it, in any notation, is broken up."""
    end = match_end(_PLAIN_IN_DIAGRAM, text, at)
    if end > at:
        return end, text[at:end]
    after = text[at + 1 : at + 2]
    if not after and not ended:
        return None
    match text[at]:
        case "\\" if after == "n":
            return at + 2, "<br/>"
        case "\\" if after not in (")", "]"):
            return at + 1, "\\ "
        case "/" if after in ("", "/", "\\", "\n", "\t"):
            return at + 1, "/ "
        case "&" if after in ("", "#") or is_letter(after):
            return at + 1, "& "
        case ":" if before.rstrip().lower().endswith(("http", "https")):
            return at + 1, " :"
        case "!" if after == "[":  # after a pause, this may not be a diagram for the page
            return at + 1, "! "
        case "\t":
            return at + 1, " "
    return at + 1, text[at]


def read_possible_code(text: str, at: int, ended: bool) -> Step:
    """Read text that may be code or not: no image and no diagram comes out of it in either case."""
    end = match_end(PLAIN, text, at)
    if end > at:
        return end, text[at:end]
    if text[at] == "!":
        if at + 1 == len(text) and not ended:
            return None
        return at + 1, "! " if text.startswith("![", at) else "!"
    return read_marks(text, at, ended)


def read_marks(text: str, at: int, ended: bool) -> Step:
    """Read backticks or tildes that may open a fence that is not known here."""
    end = match_end(_MARKS, text, at)
    if end == len(text) and not ended and end - at < 99:
        return None
    drawn = end - at > 2 and is_diagram(text, end, ended)
    return None if drawn is None else (end, text[at:end] + "." * drawn)
