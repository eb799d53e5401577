"""Where a text that is being written may be cut into blocks that are drawn one by one.

A page that draws a growing text draws all of its block again for every piece. So a block is ended as soon as
that changes nothing of what is seen: after an empty line, before a paragraph, a heading, a table or a fence.

Not here: drawing. Pure; each character is looked at a few times, however long the text grows.

The one rule: blocks drawn one after the other are what the whole would be, drawn as one, and stand where it
would. Where that is in doubt, the block goes on: inside a fence, a formula, a list or HTML, after anything
that may be defined elsewhere (``[…]`` of a link or a footnote), and before what brings a margin of its own
(a list, a quote, a formula, a rule).
"""

import re
from collections.abc import Iterator

_MARKER = r"(?:[-+*]|\d{1,9}[.)])"
_LIST = re.compile(_MARKER + r"(?:[ \t]|$)")
_UNCLEAR = re.compile(r"[-+*]|\d{1,9}[.)]?|\$|[-*_][-*_ \t]*")
_WITH_MARGIN = re.compile(rf"{_MARKER}(?:[ \t]|$)|>|\$\$|([-*_])[ \t]*(?:\1[ \t]*){{2,}}$", re.MULTILINE)
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_FORMULA = re.compile(r"(\${2,})[^$]*")
_CONTAINER = re.compile(_MARKER + r"[ \t]")
_RAW = re.compile(r"<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)
_CODE = re.compile(r"(?<![`\\])(`+)(?!`)(.*?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[[^\[\]\\`]*\]\([^()\s\\<>]*\)")
_TASK = re.compile(r"^\s*" + _MARKER + r"[ \t]+\[[ xX]\](?=[ \t])", re.MULTILINE)


LEAST = 200
"""Characters that a block has at least: each one costs an element of the page."""


class BlockSplitter:
    """One text, cut while it comes: ``take`` its pieces, then ``rest``."""

    def __init__(self, least: int = LEAST) -> None:
        self._least = least
        self._length = 0  # of this block, in whole lines
        self._held = ""  # the beginning of a line, not given out yet
        self._line: list[str] = []  # the line that is being written, as far as it was given out
        self._paragraph: list[str] = []  # the lines since the last empty one
        self._may_end = False  # whether the line before is empty, and a block before that
        self._in_list = False
        self._open = ""  # what closes the fence or the formula that is open
        self._indent: int | None = None  # of that, where it stands inside of something else
        self._endless = False  # whether the rest must stay in one block

    def take(self, text: str) -> Iterator[str | None]:
        """The text in pieces, with None wherever the block before it may be ended.

        The first characters of a line are held back while it is not clear whether it begins a block.
        """
        if not text:
            return
        if self._endless:
            yield self.rest() + text
            return
        text, self._held = self._held + text, ""
        given: list[str] = []
        for part in re.findall(r"[^\n]*\n|[^\n]+", text):
            if self._may_end and not self._line and self._length >= self._least:
                begins = self._begins_block(part)
                if begins is None:
                    self._held = part
                    break
                if begins and not self._endless:
                    if given:
                        yield "".join(given)
                    given, self._length = [], 0
                    yield None
                    self._may_end = self._in_list = False
            given.append(part)
            self._line.append(part)
            if part.endswith("\n"):
                self._length += sum(map(len, self._line))
                self._end_line("".join(self._line).rstrip("\n"))
                self._line = []
        if given:
            yield "".join(given)

    def rest(self) -> str:
        """What was held back, for when the text has ended or pauses; no block is ended before it."""
        held, self._held = self._held, ""
        if held:
            self._line.append(held)
            self._may_end = False
        return held

    def _begins_block(self, part: str) -> bool | None:
        """Whether a line after an empty one begins a new block; None while that cannot be told."""
        if _UNCLEAR.fullmatch(part):
            return None
        return not part[0].isspace() and not _WITH_MARGIN.match(part)

    def _end_line(self, line: str) -> None:
        """Note what a whole line opens, closes or goes on with."""
        words = line.strip(" \t")
        if self._open:
            self._end_line_inside(line, words)
        elif not words:
            self._end_paragraph()
        else:
            self._may_end = False
            self._paragraph.append(line)
            self._begin(line, words)

    def _begin(self, line: str, words: str) -> None:
        if not self._in_list and _indent(line) > 3:
            return  # code, or more of a paragraph
        if _LIST.match(words):
            self._in_list = True
        inside = bool(_CONTAINER.match(line)) or (self._in_list and line[0].isspace())
        bare = re.sub(rf"^(?:{_MARKER}[ \t]+)+", "", words)
        if bare.startswith(">"):
            return  # what a quote opens ends with it
        if opened := _FENCE.fullmatch(bare) or _FORMULA.fullmatch(bare):
            self._open = next(each for each in opened.groups() if each)
            before = line.rstrip(" \t").removesuffix(bare)  # a marker stands there as well
            self._indent = len(before.expandtabs(4)) if inside else None
        elif _RAW.match(bare) or bare.startswith(":::"):
            self._endless = True

    def _end_line_inside(self, line: str, words: str) -> None:
        """A line of a fence or a formula."""
        closes = len(words) >= len(self._open) and set(words) == {self._open[0]}
        if self._indent is None:
            closes = closes and _indent(line) <= 3
        elif (words and _indent(line) < self._indent) or (closes and _indent(line) != self._indent):
            # What it stands in may have ended here, and it with that: no telling from here on.
            self._endless = True
        if closes:
            self._open, self._paragraph = "", []

    def _end_paragraph(self) -> None:
        paragraph, self._paragraph = "\n".join(self._paragraph), []
        self._may_end = True
        plain = _LINK.sub("", _TASK.sub("", _CODE.sub("", paragraph)))
        if "[" in plain:
            self._endless = True


def _indent(line: str) -> int:
    return len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" "))
