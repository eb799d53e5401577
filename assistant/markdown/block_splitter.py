"""Split Markdown that is being written into blocks that can be drawn one by one.

The page draws its last block again for every piece of text. So a block ends as soon as that changes nothing
on the page: after an empty line, before a paragraph, a heading, a table or a fence.

Drawn one after the other, the blocks look like the whole text, and stand where it would stand. In doubt a
block continues: inside a fence, a formula, a list or HTML, after anything that may be defined elsewhere
(``[…]`` of a link or a footnote), and before anything with a margin of its own (a list, a quote, a formula, a
rule). Each character is looked at a few times, however long the text grows.
"""

import re
from collections.abc import Iterator

_MARKER = r"(?:[-+*]|\d{1,9}[.)])"
_LIST = re.compile(_MARKER + r"(?:[ \t]|$)")
_UNCLEAR = re.compile(
    r"[-+*]|\d{1,9}[.)]?|\$|[-*_][-*_ \t]{0,98}"
)  # bounded: it is held back, and read again
_WITH_MARGIN = re.compile(
    rf"{_MARKER}(?:[ \t]|$)|>|\$\$|[-*_][-*_ \t]{{99}}|([-*_])[ \t]*(?:\1[ \t]*){{2,}}$", re.MULTILINE
)
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_FORMULA = re.compile(r"(\${2,})[^$]*")
_CONTAINER = re.compile(_MARKER + r"[ \t]")
_RAW = re.compile(r"<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)
_TICKS = re.compile("`+")
_LINK = re.compile(r"\[[^\[\]\\`]*\]\([^()\s\\<>]*\)")
_TASK = re.compile(r"^[^\S\n]*" + _MARKER + r"[ \t]+\[[ xX]\](?=[ \t])", re.MULTILINE)


MIN_BLOCK_CHARS = 200
"""Minimum length of a block: each one costs an element of the page."""


class BlockSplitter:
    """Splits one text: ``feed`` its pieces, then ``flush``."""

    def __init__(self, min_chars: int = MIN_BLOCK_CHARS) -> None:
        self._min_chars = min_chars
        self._length = 0  # of this block, in complete lines
        self._held = ""  # the beginning of a line, not yielded yet
        self._line: list[str] = []  # the line that is being written, as far as it was yielded
        self._paragraph: list[str] = []  # the lines since the last empty one
        self._may_end = False  # whether the line before is empty
        self._in_list = False
        self._open = ""  # what closes the fence or the formula that is open
        self._indent: int | None = None  # of that, if it stands inside of a list
        self._unsplittable = False  # whether the rest must stay in one block

    def feed(self, text: str) -> Iterator[str | None]:
        """Yield the text in pieces, and None where a new block begins.

        The first characters of a line are held back until it is clear whether it begins a block.
        """
        if not text:
            return
        if self._unsplittable:
            yield self.flush() + text
            return
        text, self._held = self._held + text, ""
        pieces: list[str] = []
        for part in re.findall(r"[^\n]*\n|[^\n]+", text):
            if self._may_end and not self._line and self._length >= self._min_chars:
                begins = self._begins_block(part)
                if begins is None:
                    self._held = part
                    break
                if begins and not self._unsplittable:
                    if pieces:
                        yield "".join(pieces)
                    pieces, self._length = [], 0
                    yield None
                    self._may_end = self._in_list = False
            pieces.append(part)
            self._line.append(part)
            if part.endswith("\n"):
                self._length += sum(map(len, self._line))
                self._end_line("".join(self._line).rstrip("\n"))
                self._line = []
        if pieces:
            yield "".join(pieces)

    def flush(self) -> str:
        """Return what was held back, at the end or a pause of the text; it belongs to the open block."""
        held, self._held = self._held, ""
        if held:
            self._line.append(held)
            self._may_end = False
        return held

    def _begins_block(self, part: str) -> bool | None:
        """Return whether a line after an empty one begins a block; None if more text is needed to tell."""
        if _UNCLEAR.fullmatch(part):
            return None
        return not part[0].isspace() and not _WITH_MARGIN.match(part)

    def _end_line(self, line: str) -> None:
        """Note what a complete line opens, closes or continues."""
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
            return  # code, or the continuation of a paragraph
        if _LIST.match(words):
            self._in_list = True
        inside = bool(_CONTAINER.match(line)) or (self._in_list and line[0].isspace())
        bare = re.sub(rf"^(?:{_MARKER}[ \t]+)+", "", words)
        if bare.startswith(">"):
            return  # what a quote opens ends with it
        if opened := _FENCE.fullmatch(bare) or _FORMULA.fullmatch(bare):
            self._open = next(each for each in opened.groups() if each)
            before = line.rstrip(" \t").removesuffix(bare)  # including a marker
            self._indent = len(before.expandtabs(4)) if inside else None
        elif _RAW.match(bare) or bare.startswith(":::"):
            self._unsplittable = True

    def _end_line_inside(self, line: str, words: str) -> None:
        """Note what a line inside of a fence or a formula does."""
        closes = len(words) >= len(self._open) and set(words) == {self._open[0]}
        if self._indent is None:
            closes = closes and _indent(line) <= 3
        elif (words and _indent(line) < self._indent) or (closes and _indent(line) != self._indent):
            # The list may have ended here, and the fence with it: from here on, that cannot be told.
            self._unsplittable = True
        if closes:
            self._open, self._paragraph = "", []

    def _end_paragraph(self) -> None:
        paragraph, self._paragraph = "\n".join(self._paragraph), []
        self._may_end = True
        plain = _LINK.sub("", _TASK.sub("", _without_code(paragraph)))
        if "[" in plain:
            self._unsplittable = True


def _without_code(text: str) -> str:
    """Return the text without what stands between backticks and as many backticks after it."""
    runs = list(_TICKS.finditer(text))
    last = {len(run[0]): run for run in runs}
    opening: re.Match[str] | None = None
    outside, at = [], 0
    for run in runs:
        if opening is None:
            if run is not last[len(run[0])] and not text.endswith("\\", 0, run.start()):
                opening = run
        elif len(run[0]) == len(opening[0]):
            outside.append(text[at : opening.start()])
            opening, at = None, run.end()
    return "".join(outside) + text[at:]


def _indent(line: str) -> int:
    return len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" "))
