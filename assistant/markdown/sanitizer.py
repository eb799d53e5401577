r"""Make a model's Markdown safe and correct for Streamlit while it streams in.

- An image becomes a link that names its host: an image is loaded without a click, so its address can leak
  data.
- ``\(…\)`` and ``\[…\]`` become ``$…$`` and ``$$…$$``; a dollar that does not open a formula is escaped.
- Streamlit's own commands (``:red[…]``, ``:material/…:``) are shown as they were written.

Whatever the text and however it is cut, no image comes out of it. ``![`` stays only in what is certainly code
for every reader of Markdown; in code that may not be code, a space is put between the two characters.

A CommonMark parser does not replace this: it judges finished text, but here text is shown before its line has
ended, and what was shown cannot be taken back. Parsing the open block again for each piece took 27 s for a
list of 9 kB, for which this reader takes 11 ms, and in 4 of 2,382 hostile texts what was code at the end of
its line was an image later.
"""

import re
from collections.abc import Callable

from assistant.markdown.code import (
    FENCE,
    Fence,
    is_diagram,
    read_diagram,
    read_fence_line,
    read_marks,
    read_possible_code,
)
from assistant.markdown.code_span import CodeSpan
from assistant.markdown.directives import read_colon
from assistant.markdown.formulas import FormulaReader
from assistant.markdown.images import ImageReader
from assistant.markdown.scan import PUNCTUATION, Step, match_end

# Lines. Every repetition is bounded, so that a growing line is not searched over and over.
_MARKER = r"(?:[-+*]|\d{1,9}[.)])(?=[ \t\n])"
_PREFIX = re.compile(rf"(?:[ \t]{{0,99}}(?:>|{_MARKER})){{0,9}}[ \t]{{0,99}}")
_UNCLEAR = re.compile(r"(?:[-+*]|\d{1,9}[.)]?|`{1,98}|~{1,98}|<[a-zA-Z]{0,9})?")
_RAW_HTML = re.compile(r"<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)

# Words, and what of a paragraph leaves no doubt that a backtick after it opens code.
_WORDS = re.compile(r"[^\n\\`~!$:]+")
_LINE = re.compile(r"[^\n]+")
_CLEAR = re.compile(
    r"(?:[^\\<\[{$:w]|\\.|:(?!//)|w(?!ww\.)|\[[^\[\]\\<{$`]*\]\([^()\s\\<>`]*\))*+", re.DOTALL | re.IGNORECASE
)
_URL = re.compile(r"[^\s<>()\[\]\"'`\\|*!]+")
_HTML_LINE = re.compile(r"\n[ \t]*<")


class MarkdownSanitizer:
    """Sanitizes one text while it arrives: ``feed`` its pieces, then ``flush``."""

    def __init__(self) -> None:
        self._held = ""  # not returned yet
        self._offset = 0  # where that begins in the text
        self._before = ""  # the last few characters before that
        self._flushed_end = ""  # the last character of a flush, or "closed" if it closed a fence
        self._ended_with_return = False
        self._read: Callable[[str, int, bool], Step] = self._begin_line
        # The line
        self._first = True  # only empty lines were read
        self._prefix: str | None = None  # what stands before the first word; None after that word
        self._after_empty = True  # the line follows an empty one, or indented code
        self._in_list = False
        self._fence: Fence | None = None
        # The paragraph
        self._words: list[str] = []  # the text since its beginning or its last code
        self._clear = True  # a backtick after all of it certainly opens code
        self._has_html = False
        self._span = CodeSpan(0, certain=False)
        # The text
        self._formulas = FormulaReader()
        self._images = ImageReader()
        self._doubt = False  # there may be other fences than the known ones

    def feed(self, text: str) -> str:
        """Add a piece of text; return what can be shown now.

        A few characters are held back until it is clear what they are, and an image, a formula or code with
        ``![`` until its end.
        """
        if not text:
            return ""
        if self._ended_with_return:
            text = text.removeprefix("\n")
        self._ended_with_return = text.endswith("\r")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        flushed, self._flushed_end = self._flushed_end, ""
        if flushed == "closed" and text[0] != "\n":
            text = "\n" + text
        joins = text[:1] in PUNCTUATION if flushed == "\\" else flushed + text[:1] in ("![", "``", "~~")
        return " " * joins + self._advance(text, ended=False)

    def flush(self) -> str:
        """Return what was held back, at the end of the text or at a pause.

        Text that follows is not joined with it: half an image stays text.
        """
        if not self._held:
            return ""
        fence = self._fence
        shown = self._advance("", ended=True)
        self._doubt, self._flushed_end = True, "closed" if fence and not self._fence else shown[-1:]
        return shown

    def _advance(self, text: str, ended: bool) -> str:
        text, at, shown = self._held + text, 0, []
        while at < len(text):
            read = self._read
            step = read(text, at, ended)
            if step is None:
                break
            end, piece = step
            shown.append(piece)
            if read == self._read_words:
                self._words.append(piece)
            if end > at:
                self._before, at = (self._before + text[at:end])[-8:], end
        self._held, self._offset = text[at:], self._offset + at
        return "".join(shown)

    # --- lines ----------------------------------------------------------------------------------------

    def _begin_line(self, text: str, at: int, ended: bool) -> Step:
        if self._fence:
            return self._begin_line_of_fence(self._fence, text, at, ended)
        end = match_end(_PREFIX, text, at)
        if not ended and _UNCLEAR.fullmatch(text, end):
            return None
        prefix = text[at:end]
        bare = not prefix.strip(" \t")
        if bare and text.startswith("\n", end):
            self._begin_paragraph()
            self._after_empty = True
            return end + 1, text[at : end + 1]
        opens = FENCE.match(text, end)
        drawn = opens is not None and is_diagram(text, opens.end(), ended)
        if drawn is None:
            return None
        first, self._first = self._first, False
        if first and text[end : end + 1].isspace():
            self._doubt = True  # Streamlit strips every kind of space
        indent = len(prefix.expandtabs(4))
        if bare and indent >= 4 and self._after_empty and not (self._in_list or first):
            self._clear, self._read = False, self._read_code
            return end, prefix
        if not bare:
            self._in_list = self._in_list or prefix.strip(" \t>") != ""
        elif self._after_empty and not indent:
            self._in_list = False
        self._after_empty = False
        if opens:
            # Streamlit strips the text, so the indent of its first line may disappear.
            self._doubt = self._doubt or self._has_html or len(opens[0]) == 99 or (first and indent > 3)
            certain = bare and indent <= 3 and "\t" not in prefix
            self._clear = self._clear and certain
            self._fence = Fence(opens[0], 0 if first and certain else indent, ">" in prefix, certain, drawn)
            self._read = self._read_info
            return opens.end(), text[at : opens.end()] + "." * (drawn and not certain)
        if text.startswith("<", end):
            self._has_html = True
            self._doubt = self._doubt or _RAW_HTML.match(text, end) is not None
        self._prefix, self._read = prefix, self._read_words
        return end, prefix

    def _begin_paragraph(self) -> None:
        self._words, self._clear, self._has_html = [], True, False

    def _begin_line_of_fence(self, fence: Fence, text: str, at: int, ended: bool) -> Step:
        line = read_fence_line(fence, text, at, ended)
        if line is None:
            return None
        self._doubt = self._doubt or line.doubt
        if line.state in ("closing", "after"):
            self._fence = None
        if line.state == "closing" and fence.certain and not self._doubt:
            self._begin_paragraph()
        if line.state in ("closing", "code"):
            self._read = self._read_code
        return line.end, text[at : line.end]

    def _read_info(self, text: str, at: int, ended: bool) -> Step:
        """Read the info string of a fence; with a backtick in it, the mark opened a code span instead."""
        fence = self._fence
        if fence and fence.mark[0] == "`" and text[at] == "`":
            self._fence, self._clear = None, False
            self._span, self._read = CodeSpan(len(fence.mark), certain=False), self._read_code_span
            return at, ""
        if text[at] == "\n":
            self._read = self._begin_line
            return at + 1, "\n"
        return read_possible_code(text, at, ended)

    def _read_code(self, text: str, at: int, ended: bool) -> Step:
        """Read a line of a fence or of indented code."""
        if text[at] == "\n":
            self._read = self._begin_line
            self._after_empty = self._after_empty or self._fence is None
            return at + 1, "\n"
        if self._fence and self._fence.certain and self._fence.drawn:
            return read_diagram(text, at, ended, self._before)
        if self._fence and self._fence.certain and not self._doubt:
            end = match_end(_LINE, text, at)
            return end, text[at:end]
        return read_possible_code(text, at, ended)

    def _read_code_span(self, text: str, at: int, ended: bool) -> Step:
        if text[at] == "\n":
            self._clear, self._read = False, self._begin_line
            return at + 1, "\n"
        step = self._span.read(text, at, ended, self._doubt)
        if self._span.closed:
            self._read = self._read_words
            self._clear = self._clear and not self._span.has_bar
        return step

    # --- words ----------------------------------------------------------------------------------------

    def _read_words(self, text: str, at: int, ended: bool) -> Step:
        end = match_end(_WORDS, text, at)
        step: Step
        if end > at:
            step = end, text[at:end]
        else:
            match text[at]:
                case "\n":
                    self._read = self._begin_line
                    step = at + 1, "\n"
                case "\\":
                    step = self._read_backslash(text, at, ended)
                case "`":
                    step = self._read_opening_ticks(text, at, ended)
                case "$":
                    step = self._separate(
                        self._formulas.read_dollars(text, at, self._offset, self._prefix, ended, self._before)
                    )
                case ":":
                    step = self._read_colon(text, at, ended)
                case "~":
                    step = read_marks(text, at, ended)
                case _:
                    step = self._images.read(text, at, ended, self._offset, self._before)
        if step is not None:
            self._prefix = None
        return step

    def _read_backslash(self, text: str, at: int, ended: bool) -> Step:
        if at + 1 == len(text):
            return (at + 1, "\\") if ended else None
        match text[at + 1]:
            case "(" | "[" as bracket:
                closes = "\\)" if bracket == "(" else "\\]"
                return self._separate(
                    self._formulas.read(f"\\{bracket}", closes, text, at, self._offset, self._prefix, ended)
                )
            case ":":  # Streamlit looks for some commands after Markdown has removed the backslash
                step = self._read_colon(text, at + 1, ended)
                plainly = step is not None and step[1][0] == ":" and "&#" not in step[1]
                return (step[0], "\\" + step[1]) if step and plainly else step
            case character if character in PUNCTUATION:
                return at + 2, text[at : at + 2]
        return at + 1, "\\"

    def _read_opening_ticks(self, text: str, at: int, ended: bool) -> Step:
        step = read_marks(text, at, ended)
        if step is None:
            return None
        end = step[0]
        self._clear = self._clear and end - at < 99 and _CLEAR.fullmatch("".join(self._words)) is not None
        self._words = []
        self._span, self._read = CodeSpan(end - at, certain=self._clear), self._read_code_span
        return step

    def _read_colon(self, text: str, at: int, ended: bool) -> Step:
        step = read_colon(text, at, ended, self._before, begins_line=self._prefix is not None)
        if step is not None and step[1] == "://":
            self._read = self._read_address
        return step

    def _read_address(self, text: str, at: int, ended: bool) -> Step:
        """Read the rest of a web address unchanged."""
        end = match_end(_URL, text, at)
        if end == at:
            self._read = self._read_words
        self._words.append(text[at:end])
        return end, text[at:end]

    # --- formulas ----------------------------------------------------------------------------------------

    def _separate(self, step: Step) -> Step:
        """Return the step with a space before its formula, if it has one that would join another formula."""
        if step is None or not step[1].endswith("$") or step[1].endswith("\\$"):
            return step
        end, formula = step
        self._doubt = self._doubt or _HTML_LINE.search(formula) is not None
        before = self._words[-1] if self._words else ""
        joins = before.endswith("$") and not before.endswith("\\$")
        return end, " " + formula if joins else formula
