r"""A model's Markdown as Streamlit should read it: no image loads, prices are prices, formulas are formulas.

- An image becomes a link that names its host: an address that is loaded by itself can carry data away.
- ``\(…\)`` and ``\[…\]`` become ``$…$`` and ``$$…$$``; a dollar that is not maths is escaped.
- What Streamlit alone takes for a command (``:red[…]``, ``:material/…:``) is seen as it was written.

Not here: where a text is cut into blocks (``blocks.py``), and the targets of links: Streamlit disarms
``javascript:`` by itself and opens every other link in a new tab that knows nothing of this one.

The one rule: whatever the text and however it is cut, no image comes out of it. ``![`` stays only in what
is certainly code for every reader of Markdown; in code that may be none, a space is put between the two.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from assistant.markdown.escape import plain

LONGEST = 2000
"""Characters of an image or a formula; one that is longer is none."""

PRICE = 12
"""Characters after a dollar that may be waited for until it is clear that it is no formula."""

NAME = 24
"""Characters after a colon that may be waited for until it is clear that they are no directive."""

Step = tuple[int, str] | None
"""Up to where the text was read, and what is shown for it; None while that cannot be told."""

# Lines. What is counted has a limit, so that no line is looked at over and over while it grows.
_MARKER = r"(?:[-+*]|\d{1,9}[.)])(?=[ \t\n])"
_PREFIX = re.compile(rf"(?:[ \t]{{0,99}}(?:>|{_MARKER})){{0,9}}[ \t]{{0,99}}")
_UNCLEAR = re.compile(r"(?:[-+*]|\d{1,9}[.)]?|`{1,98}|~{1,98}|<[a-zA-Z]{0,9})?")
_FENCE = re.compile(r"`{3,99}|~{3,99}")
_RAW = re.compile(r"<(?:script|pre|style|textarea|!|\?)", re.IGNORECASE)
_SPACES = re.compile(r"[ \t]{0,99}")
_BLANKS = re.compile(r"[^\S\n]{0,99}")
_QUOTED = re.compile(r"(?:[ \t]{0,99}>){1,9}[ \t]{0,99}")
_CLOSES = {mark: re.compile(mark + r"{1,99}[ \t]{0,99}") for mark in "`~"}
_TICKS = re.compile("`{1,99}")
_MARKS = re.compile("`{1,99}|~{1,99}")

# Words, and what of a paragraph leaves no doubt that a backtick after it opens code.
_WORDS = re.compile(r"[^\n\\`~!$:]+")
_LINE = re.compile(r"[^\n]+")
_UNSURE = re.compile(r"[^\n!`~]+")
_DIAGRAM = re.compile(r"[^\n\\/:&\t!]+")
_CLEAR = re.compile(
    r"(?:[^\\<\[{$:w]|\\.|:(?!//)|w(?!ww\.)|\[[^\[\]\\<{$`]*\]\([^()\s\\<>`]*\))*+", re.DOTALL | re.IGNORECASE
)
_URL = re.compile(r"[^\s<>()\[\]\"'`\\|*!]+")
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")

# Streamlit's directives: https://docs.streamlit.io/develop/api-reference/text/st.markdown
_NAME = re.compile(rf"[^\s!-,./:-@\[-^`{{-~]{{0,{NAME}}}")
_COLORS = "red|orange|yellow|green|blue|violet|purple|gr[ae]y|primary|rainbow"
_DIRECTIVE = re.compile(rf"(?:{_COLORS})(?:-badge|-background)?|color|help|shimmer|small")
_SHORTCODE = re.compile(r"[a-z][a-z0-9_+-]*|[+-]1|100|1234")

# Maths.
_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_TEX = re.compile(r"\\[a-zA-Z\\,;!]|[\^=+{}<>]|(?<![^\W_]{2})_|(?<!\w)\w\s*[-*/]\s*\w(?!\w)")
_TEX_BEGINS = re.compile(r"\\[a-zA-Z]|[\^_{]")
_TALK = re.compile(r"[^\W\d_]{3}")
_SENTENCE = re.compile(r"[^\W\d_]{3,}[ ,;]+[^\W\d_]{2}")
_PRICE = re.compile(
    r"\d[\d.,]*[kKmMbB]?(?:\s*[\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]|[.,;:!?)]*\s+[^\W\d_]{2}|[;!?)]+\s|/[^\W\d_]{2})"
)
_DOLLAR_ENDS = re.compile(r"(?<!\\)\$|[`\n]")
_AFTER = re.compile(r"[ \t]{0,99}([.,;:]?)[ \t]{0,99}")

# Images.
_BRACKETS = re.compile(r"\\.|[\[\]]|\n[ \t]*\n", re.DOTALL)
_PARENTHESES = re.compile(r"\\.|[()\s<]", re.DOTALL)
_GAP = re.compile(r"[ \t]*\n?[ \t]*")
_TITLES = {'"': r'"(?:[^"\\]|\\.)*', "'": r"'(?:[^'\\]|\\.)*", "(": r"\((?:[^()\\]|\\.)*"}
_TITLE = {first: re.compile(rest, re.DOTALL) for first, rest in _TITLES.items()}
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")


@dataclass(frozen=True, slots=True)
class _Fence:
    mark: str
    indent: int
    quoted: bool
    sure: bool  # whether every line that is indented as much is code, until one closes it
    drawn: bool  # whether the page draws a diagram of it


class MarkdownSanitizer:
    """One text, made fit for Streamlit while it comes: ``take`` its pieces, then ``rest``."""

    def __init__(self) -> None:
        self._held = ""  # not given out yet
        self._offset = 0  # of that in the text
        self._before = ""  # the last few characters before that
        self._forced = ""  # what was given out in need: its last character, or "closed" for a fence
        self._gave_return = False
        self._read: Callable[[str, int, bool], Step] = self._begin_line
        # Of the line
        self._first = True  # whether nothing but empty lines was read
        self._prefix: str | None = None  # what stands before the first word, until that was read
        self._after_empty = True  # or after a line of indented code
        self._in_list = False
        self._fence: _Fence | None = None
        # Of the paragraph
        self._words: list[str] = []  # as given out, since its beginning or its last code
        self._clear = True  # whether a backtick after all of it opens code for certain
        self._html = False
        self._ticks = 0  # that opened the code that is open
        self._ticks_clear = False
        self._bar = False  # whether there is a bar in that, which may be the end of a table's cell
        # Of the text
        self._doubt = False  # whether there may be other fences, or fewer, than are known here
        self._none: dict[str, int] = {}  # up to where there is none of these

    def take(self, text: str) -> str:
        """What of the text so far can be shown and was not yet.

        A few characters are held back while it is not clear what they are; of an image, a formula or code
        with ``![`` in it, all until its end.
        """
        if not text:
            return ""
        if self._gave_return:
            text = text.removeprefix("\n")
        self._gave_return = text.endswith("\r")
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        forced, self._forced = self._forced, ""
        if forced == "closed" and text[0] != "\n":
            text = "\n" + text
        joins = text[:1] in _PUNCTUATION if forced == "\\" else forced + text[:1] in ("![", "``", "~~")
        return " " * joins + self._go(text, ended=False)

    def rest(self) -> str:
        """What was held back, for when the text has ended.

        Text may follow, but what was held back is then not joined with it: half an image is none.
        """
        if not self._held:
            return ""
        fence = self._fence
        shown = self._go("", ended=True)
        self._doubt, self._forced = True, "closed" if fence and not self._fence else shown[-1:]
        return shown

    def _go(self, text: str, ended: bool) -> str:
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
        end = _end(_PREFIX, text, at)
        if not ended and _UNCLEAR.fullmatch(text, end):
            return None
        prefix = text[at:end]
        bare = not prefix.strip(" \t")
        if bare and text.startswith("\n", end):
            self._begin_paragraph()
            self._after_empty = True
            return end + 1, text[at : end + 1]
        opens = _FENCE.match(text, end)
        drawn = opens is not None and _is_diagram(text, opens.end(), ended)
        if drawn is None:
            return None
        first, self._first = self._first, False
        if first and text[end : end + 1].isspace():
            self._doubt = True  # Streamlit strips a text of every kind of space
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
            # Streamlit strips a text: the indent of its first line is none, or not there.
            self._doubt = self._doubt or self._html or len(opens[0]) == 99 or (first and indent > 3)
            sure = bare and indent <= 3 and "\t" not in prefix
            self._clear = self._clear and sure
            self._fence = _Fence(opens[0], 0 if first and sure else indent, ">" in prefix, sure, drawn)
            self._read = self._read_info
            return opens.end(), text[at : opens.end()] + "." * (drawn and not sure)
        if text.startswith("<", end):
            self._html = True
            self._doubt = self._doubt or _RAW.match(text, end) is not None
        self._prefix, self._read = prefix, self._read_words
        return end, prefix

    def _begin_paragraph(self) -> None:
        self._words, self._clear, self._html = [], True, False

    def _begin_line_of_fence(self, fence: _Fence, text: str, at: int, ended: bool) -> Step:
        inside = (_QUOTED if fence.quoted else _SPACES).match(text, at)
        if not ended and _end(_SPACES, text, at) == len(text):
            return None
        end = inside.end() if inside else at
        indent = fence.indent if fence.quoted else len(text[at:end].expandtabs(4))
        if text.startswith("\n", end) and not fence.quoted:
            return end + 1, text[at : end + 1]
        if not inside or (not indent and fence.indent and not fence.sure):
            self._fence = None  # what it stands in has ended, if it was a fence at all
            return at, ""
        if indent < fence.indent:
            self._doubt = True
        if closes := _CLOSES[fence.mark[0]].match(text, end):
            if closes.end() == len(text) and not ended:
                return None
            run = closes[0].rstrip(" \t")
            if max(len(run), len(closes[0]) - len(run)) == 99:
                self._doubt = True
            elif len(run) >= len(fence.mark) and text[closes.end() : closes.end() + 1] in ("", "\n"):
                if indent == fence.indent or (not fence.indent and indent <= 3):
                    self._fence = None
                    if fence.sure and not self._doubt:
                        self._begin_paragraph()
                elif indent <= fence.indent + 3:
                    self._doubt = True
                if not self._fence:
                    end = closes.end()
        self._read = self._read_code
        return end, text[at:end]

    def _read_info(self, text: str, at: int, ended: bool) -> Step:
        """After the mark of a fence; with a backtick in it, it was none."""
        fence = self._fence
        if fence and fence.mark[0] == "`" and text[at] == "`":
            self._fence, self._ticks, self._ticks_clear, self._clear = (
                None,
                len(fence.mark),
                False,
                False,
            )
            self._read = self._read_ticks
            return at, ""
        if text[at] == "\n":
            self._read = self._begin_line
            return at + 1, "\n"
        return self._read_unsure(text, at, ended)

    def _read_code(self, text: str, at: int, ended: bool) -> Step:
        """A line of a fence, or of indented code."""
        if text[at] == "\n":
            self._read = self._begin_line
            self._after_empty = self._after_empty or self._fence is None
            return at + 1, "\n"
        if self._fence and self._fence.sure and self._fence.drawn:
            return self._read_diagram(text, at, ended)
        if self._fence and self._fence.sure and not self._doubt:
            end = _end(_LINE, text, at)
            return end, text[at:end]
        return self._read_unsure(text, at, ended)

    def _read_unsure(self, text: str, at: int, ended: bool) -> Step:
        """What may be code or not: neither an image nor a diagram comes out of it, whatever it is."""
        end = _end(_UNSURE, text, at)
        if end > at:
            return end, text[at:end]
        if text[at] == "!":
            if at + 1 == len(text) and not ended:
                return None
            return at + 1, "! " if text.startswith("![", at) else "!"
        return self._read_marks(text, at, ended)

    def _read_marks(self, text: str, at: int, ended: bool) -> Step:
        """Marks that may open a fence where none is known."""
        end = _end(_MARKS, text, at)
        if end == len(text) and not ended and end - at < 99:
            return None
        drawn = end - at > 2 and _is_diagram(text, end, ended)
        return None if drawn is None else (end, text[at:end] + "." * drawn)

    def _read_diagram(self, text: str, at: int, ended: bool) -> Step:
        """Mermaid's source: what could be an address there, in whatever way it is written, is taken apart.

        Its images and icons are loaded while it is drawn.
        """
        end = _end(_DIAGRAM, text, at)
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
            case "&" if after in ("", "#") or _is_letter(after):
                return at + 1, "& "
            case ":" if self._before.rstrip().lower().endswith(("http", "https")):
                return at + 1, " :"
            case "!" if after == "[":  # a pause may have made a diagram of what is none
                return at + 1, "! "
            case "\t":
                return at + 1, " "
        return at + 1, text[at]

    def _read_ticks(self, text: str, at: int, ended: bool) -> Step:
        """Inside of code in a line."""
        end = _end(_UNSURE, text, at)
        if end > at:
            self._bar = self._bar or "|" in text[at:end]
            return end, text[at:end]
        if text[at] == "\n":
            self._clear, self._read = False, self._begin_line
            return at + 1, "\n"
        if text[at] == "!" and self._ticks_clear and not (self._bar or self._doubt):
            return self._read_sure_ticks(text, at, ended)
        if text[at] != "`":
            return self._read_unsure(text, at, ended)
        end = _end(_TICKS, text, at)
        if end == len(text) and not ended and end - at < 99:
            return None
        if end - at == self._ticks:
            self._read = self._read_words
            self._clear = self._clear and not self._bar
            return end, text[at:end]
        return self._read_marks(text, at, ended)

    def _read_sure_ticks(self, text: str, at: int, ended: bool) -> Step:
        """An exclamation mark in code that is certainly code if it ends in the same line and cell."""
        if not text.startswith("![", at):
            return (at + 1, "!") if ended or at + 1 < len(text) else None
        limit = at + LONGEST
        line_end = text.find("\n", at, limit)
        for run in _TICKS.finditer(text, at, limit if line_end < 0 else line_end):
            if len(run[0]) == self._ticks and run.end() < limit:
                if run.end() == len(text) and not ended:
                    return None
                if "|" in text[at : run.start()]:
                    break
                return run.start(), text[at : run.start()]
        else:
            if line_end < 0 and len(text) < limit and not ended:
                return None
        self._ticks_clear = False
        return at + 1, "! "

    # --- words ----------------------------------------------------------------------------------------

    def _read_words(self, text: str, at: int, ended: bool) -> Step:
        end = _end(_WORDS, text, at)
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
                    step = self._read_dollar(text, at, ended)
                case ":":
                    step = self._read_colon(text, at, ended)
                case "~":
                    step = self._read_marks(text, at, ended)
                case _:
                    step = self._read_bang(text, at, ended)
        if step is not None:
            self._prefix = None
        return step

    def _read_backslash(self, text: str, at: int, ended: bool) -> Step:
        if at + 1 == len(text):
            return (at + 1, "\\") if ended else None
        match text[at + 1]:
            case "(":
                return self._read_formula("\\(", "\\)", text, at, ended)
            case "[":
                return self._read_formula("\\[", "\\]", text, at, ended)
            case ":":  # Streamlit has commands that it finds after Markdown took the backslash away
                step = self._read_colon(text, at + 1, ended)
                plainly = step is not None and step[1][0] == ":" and "&#" not in step[1]
                return (step[0], "\\" + step[1]) if step and plainly else step
            case character if character in _PUNCTUATION:
                return at + 2, text[at : at + 2]
        return at + 1, "\\"

    def _read_opening_ticks(self, text: str, at: int, ended: bool) -> Step:
        step = self._read_marks(text, at, ended)
        if step is None:
            return None
        end = step[0]
        self._clear = self._clear and end - at < 99 and _CLEAR.fullmatch("".join(self._words)) is not None
        self._words = []
        self._ticks, self._ticks_clear, self._bar = end - at, self._clear, False
        self._read = self._read_ticks
        return step

    def _read_address(self, text: str, at: int, ended: bool) -> Step:
        """Inside of an address: nothing of it is changed."""
        end = _end(_URL, text, at)
        if end == at:
            self._read = self._read_words
        self._words.append(text[at:end])
        return end, text[at:end]

    # --- directives -----------------------------------------------------------------------------------

    def _read_colon(self, text: str, at: int, ended: bool) -> Step:
        end = at + 1
        while text.startswith(":", end) and end - at < 99:
            end += 1
        if end == len(text) and end - at < 99:
            return (end, text[at:end]) if ended else None
        if end - at > 1:  # at the beginning of a line it makes a block
            return end, "&#58;" * (end - at) if self._prefix is not None else text[at:end]
        if text.startswith("//", end):
            self._read = self._read_address
            return end + 2, "://"
        name = text[end : _end(_NAME, text, end)]
        end += len(name)
        after = text[end : end + 1]
        if not ended and len(name) < NAME and (not after or (not name and text[end:] == "/")):
            return None
        if after == ":" and _SHORTCODE.fullmatch(name):
            return self._read_shortcode(name, text, at, ended)
        directive = name and (after in ("[", "{") or len(name) == NAME or _DIRECTIVE.fullmatch(name))
        if directive or (name == "material" and after == "/"):
            return at + 1, "&#58;"
        return at + 1, ":"

    def _read_shortcode(self, name: str, text: str, at: int, ended: bool) -> Step:
        """``:name:`` stands for an emoji unless it stands inside of a word, as in ``urn:id:1``."""
        end = at + len(name) + 2
        if end == len(text) and not ended:
            return None
        inside = _is_letter(self._before[-1:]) or _is_letter(text[end : end + 1])
        if not inside and name != "streamlit" and not name.startswith("material_"):
            return end, text[at:end]
        # Streamlit finds it in text after all references in it were resolved, but not across what it took
        # for a directive; one that nobody knows is shown as it was written.
        coded = f"{name}:"
        return end, f":{coded[0]}&#{ord(coded[1])};{coded[2:]}"

    # --- maths ----------------------------------------------------------------------------------------

    def _read_formula(self, opens: str, closes: str, text: str, at: int, ended: bool) -> Step:
        """What begins with ``\\(``, ``\\[`` or ``$$``: a formula, in its line or in lines of its own."""
        start = at + len(opens)
        end = self._find(closes, text, start, ended)
        if end is None:
            return None
        literal = start, opens.replace("$", "\\$")
        content = text[start:end]
        lines = [line for each in content.split("\n") if (line := each.strip().replace("![", "! ["))]
        if end < 0 or not _is_maths(content, opens) or "\\" in lines[-1][-1:]:
            return literal
        end += len(closes)
        prefix = self._prefix
        if opens != "\\(" and prefix is not None and ">" not in prefix:
            after = _AFTER.match(text, end)
            assert after  # it matches nothing as well
            if after.end() == len(text) and not ended:
                return None
            if text[after.end() : after.end() + 1] in ("", "\n"):
                indent = "\n" + " " * len(prefix.expandtabs(4))
                lines[-1] += after[1]
                self._doubt = self._doubt or any(line.startswith("<") for line in lines)
                return after.end(), indent.join(["$$", *lines, "$$"])
        if opens == "\\(" and "$" not in content:
            return end, self._apart_from_formula("$" + " ".join(lines) + "$")
        middle = content.replace("![", "! [") if opens == "$$" and "\n" not in content else " ".join(lines)
        return end, self._apart_from_formula(f"$${middle}$$")

    def _read_dollar(self, text: str, at: int, ended: bool) -> Step:
        run = 1 + text.startswith("$$", at) + text.startswith("$$$", at)
        if at + run == len(text) and run < 3 and not ended:
            return None
        if run == 3:
            return at + 1, "\\$"
        if run == 2:
            if self._before.endswith("$"):
                return at + 2, "\\$\\$"
            return self._read_formula("$$", "$$", text, at, ended)
        start, limit = at + 1, at + 1 + LONGEST
        before = self._before[-1:]
        if before == "$" or _is_letter(before) or text[start : start + 1] in ("", " ", "\t", "\n"):
            return start, "\\$"
        known = text[start : start + PRICE]
        stop = _DOLLAR_ENDS.search(text, start, limit)
        price = _PRICE.match(known)
        if price and (not stop or stop.start() >= start + price.end()):
            return start, "\\$"
        if stop and (stop.start() < start + PRICE or _TEX_BEGINS.search(known)):
            if stop.end() == len(text) and not ended:
                return None
            content = text[start : stop.start()]
            if stop[0] != "$" or _is_letter(text[stop.end() : stop.end() + 1]) or not _is_inline(content):
                return start, "\\$"
            return stop.end(), self._apart_from_formula("$" + content.replace("![", "! [") + "$")
        waits = len(known) < PRICE or (_TEX_BEGINS.search(known) and not stop and len(text) < limit)
        return None if waits and not ended else (start, "\\$")

    def _apart_from_formula(self, formula: str) -> str:
        """Two formulas side by side would be one."""
        before = self._words[-1] if self._words else ""
        return " " + formula if before.endswith("$") and not before.endswith("\\$") else formula

    def _find(self, closes: str, text: str, start: int, ended: bool) -> int | None:
        """Where a formula closes; -1 if it does not, None while that cannot be told."""
        if self._offset + start < self._none.get(closes, 0):
            return -1
        limit = start + LONGEST
        end = text.find(closes, start, limit)
        stop = _EMPTY_LINE.search(text, start, limit if end < 0 else end)
        if not stop and end >= 0:
            return end
        if not stop and len(text) < limit and not ended:
            return None
        self._none[closes] = self._offset + (stop.start() if stop else min(limit, len(text)))
        return -1

    # --- images ---------------------------------------------------------------------------------------

    def _read_bang(self, text: str, at: int, ended: bool) -> Step:
        if at + 1 == len(text):
            return (at + 1, "!") if ended else None
        if text[at + 1] != "[":
            return at + 1, "!"
        image = None
        if self._offset + at >= self._none.get("![", 0):
            window = text[at : at + LONGEST]
            try:
                image = _image(window)
                badge = self._before.endswith("[")
                inside = badge and image is not None and window[image[0]] + window[image[0] + 1] == "]("
            except IndexError:
                if len(window) < LONGEST and not ended:
                    return None
                inside = False
                if image is None:
                    self._none["!["] = self._offset + at + len(window)
        if image is None:
            return at + 1, "&#33;"
        length, alt, address = image
        label = " · ".join(plain(each) for each in (alt, _host(address)) if each)
        if inside:
            return at + length, f"🖼 {label}"
        return at + length, f"🖼 [{label}]({_safe(address)})"


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _is_letter(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _is_diagram(text: str, at: int, ended: bool) -> bool | None:
    """Whether what follows the mark of a fence makes the page draw it; None while that cannot be told."""
    at = _end(_BLANKS, text, at)
    for letter in "mermaid":
        if at == len(text):
            return True if ended else None  # half a word; the other half may follow
        if text[at] == "&":  # a reference may stand for any letter
            return True
        if text[at].lower() != letter:
            return False
        at += 1
    return True


def _is_maths(content: str, opens: str) -> bool:
    r"""Whether what stands between ``\(``, ``\[`` or ``$$`` is a formula, not words."""
    bare = content.strip()
    if not bare or "`" in bare or "~~~" in bare or "$$" in bare or "$" in (bare[0], bare[-1]):
        return False
    if _TEX.search(content):
        return True
    if opens == "\\[":
        return "\n" in content
    return not _TALK.search(content)


def _is_inline(content: str) -> bool:
    """Whether what stands between two dollars is a formula."""
    if not content or content != content.strip() or content.endswith("\\") or "~~~" in content:
        return False
    return _TEX_BEGINS.search(content) is not None or not _SENTENCE.search(content)


def _image(window: str) -> tuple[int, str, str] | None:
    """The image at the beginning: its length, its words and its address; None if there is none.

    Raises IndexError where more of the text must be known.
    """
    depth, close = 1, 0
    for number, bracket in enumerate(_BRACKETS.finditer(window, 2)):
        depth += {"[": 1, "]": -1}.get(bracket[0], 0)
        close = bracket.start()
        if not depth:
            break
        if number > 20 or bracket[0][0] == "\n":
            return None
    else:
        raise IndexError
    if window[close + 1] != "(":
        return None
    at = _end(_GAP, window, close + 2)
    if window[at] == "<":
        end = at = at + 1
        while window[end] != ">":
            if window[end] in "<\n":
                return None
            end += 2 if window[end] == "\\" else 1
        address, at = window[at:end], end + 1
    else:
        end = _end_of_address(window, at)
        address, at = window[at:end], end
    gap = _end(_GAP, window, at)
    if gap > at and window[gap] in _TITLE:
        title = _end(_TITLE[window[gap]], window, gap)
        if window[title] != {"(": ")"}.get(window[gap], window[gap]):
            return None
        gap = _end(_GAP, window, title + 1)
    if window[gap] != ")":
        return None
    alt = html.unescape(_ESCAPED.sub(r"\1", window[2:close]))
    return gap + 1, " ".join(alt.split()), html.unescape(_ESCAPED.sub(r"\1", address))


def _end_of_address(window: str, at: int) -> int:
    depth = 0
    for number, each in enumerate(_PARENTHESES.finditer(window, at)):
        depth += {"(": 1, ")": -1}.get(each[0], 0)
        if depth < 0 or each[0].isspace() or number > 20:
            return each.start()
    raise IndexError


def _host(address: str) -> str:
    """Who would be asked for an image; the name of its file if that is nobody else."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
        host = parts.hostname
    except ValueError:  # no address that a browser takes either
        return "?"
    return host or (f"{parts.scheme}:" if parts.scheme else parts.path.rpartition("/")[2])


def _safe(address: str) -> str:
    """An address that cannot be taken for anything else in Markdown."""
    return quote(address, safe=":/?#@&=+,;%~.-_", errors="replace").replace("&", "&amp;")
