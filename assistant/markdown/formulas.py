r"""Formulas: tell them from prices and other text, and write them as Streamlit reads them."""

import re

from assistant.markdown.scan import MAX_SPAN_CHARS, Step, is_letter

MAX_PRICE_CHARS = 12
"""Maximum number of characters after a dollar that wait until it is clear that they are no formula."""

_EMPTY_LINE = re.compile(r"\n[ \t]*\n")
_OPENS = {opens: re.compile(r"(?<!\\)(?:\\\\)*" + re.escape(opens)) for opens in ("\\(", "\\[")}

_TEX = re.compile(r"\\[a-zA-Z\\,;!]|[\^=+{}<>]|(?<![^\W_]{2})_|(?<!\w)\w\s*[-*/]\s*\w(?!\w)")
_TEX_BEGINS = re.compile(r"\\[a-zA-Z]|[\^_{]")
_WORD = re.compile(r"[^\W\d_]{3}")
_WORDS = re.compile(r"[^\W\d_]{3,}[ ,;]+[^\W\d_]{2}")
_PRICE = re.compile(
    r"\d[\d.,]*[kKmMbB]?(?:\s*[\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]|[.,;:!?)]*\s+[^\W\d_]{2}|[;!?)]+\s|/[^\W\d_]{2})"
)
_DOLLAR_ENDS = re.compile(r"(?<!\\)\$|[`\n]")
_AFTER = re.compile(r"[ \t]{0,99}([.,;:]?)[ \t]{0,99}")


class FormulaReader:
    r"""Reads ``\(…\)``, ``\[…\]`` and ``$$…$$``; it searches text without an end of one only once."""

    def __init__(self) -> None:
        self._none_before: dict[str, int] = {}  # the position in the text before which this does not occur

    def read(
        self, opens: str, closes: str, text: str, at: int, offset: int, prefix: str | None, ended: bool
    ) -> Step:
        """Read the formula that ``opens`` begins here, or its first characters as text if it is not one.

        ``offset`` is where ``text`` begins in the whole text; ``prefix`` is what stands before it in its
        line, None within a line.
        """
        start = at + len(opens)
        end = self._find(opens, closes, text, start, offset, ended)
        if end is None:
            return None
        content = text[start : max(start, end)]
        lines = [stripped for line in content.split("\n") if (stripped := line.strip().replace("![", "! ["))]
        if not _is_formula(content, opens) or "\\" in lines[-1][-1:]:
            return start, opens.replace("$", "\\$")
        end += len(closes)
        if opens != "\\(" and prefix is not None and ">" not in prefix:
            after = _AFTER.match(text, end)
            assert after  # it matches an empty string as well
            if after.end() == len(text) and not ended:
                return None
            if text[after.end() : after.end() + 1] in ("", "\n"):  # it stands in lines of its own
                indent = "\n" + " " * len(prefix.expandtabs(4))
                lines[-1] += after[1]
                return after.end(), indent.join(["$$", *lines, "$$"])
        if opens == "\\(" and "$" not in content:
            return end, "$" + " ".join(lines) + "$"
        middle = content.replace("![", "! [") if opens == "$$" and "\n" not in content else " ".join(lines)
        return end, f"$${middle}$$"

    def read_dollars(
        self, text: str, at: int, offset: int, prefix: str | None, ended: bool, before: str
    ) -> Step:
        """Read the dollars here: a whole formula, or escaped dollars. ``before`` is what stands before them."""
        run = 1 + text.startswith("$$", at) + text.startswith("$$$", at)
        if at + run == len(text) and run < 3 and not ended:
            return None
        if run == 3:
            return at + 1, "\\$"
        if run == 1:
            return _read_dollar(text, at, ended, before[-1:])
        if before.endswith("$"):
            return at + 2, "\\$\\$"
        return self.read("$$", "$$", text, at, offset, prefix, ended)

    def _find(self, opens: str, closes: str, text: str, start: int, offset: int, ended: bool) -> int | None:
        """Return where a formula closes; -1 if it does not, None if more text is needed to tell.

        If another one opens before, this one does not close: so that no text is searched for both.
        """
        if offset + start < self._none_before.get(closes, 0):
            return -1
        limit = start + MAX_SPAN_CHARS
        another = _OPENS[opens].search(text, start, limit) if opens in _OPENS else None
        end = text.find(closes, start, another.start() if another else limit)
        stop = _EMPTY_LINE.search(text, start, end if end >= 0 else another.start() if another else limit)
        if not stop and (end >= 0 or another):
            return end
        if not stop and len(text) < limit and not ended:
            return None
        self._none_before[closes] = offset + (stop.start() if stop else min(limit, len(text)))
        return -1


def _read_dollar(text: str, at: int, ended: bool, before: str) -> Step:
    """Read a single dollar: a whole formula ``$…$``, or an escaped dollar."""
    start, limit = at + 1, at + 1 + MAX_SPAN_CHARS
    escaped = start, "\\$"
    if before == "$" or is_letter(before) or text[start : start + 1] in ("", " ", "\t", "\n"):
        return escaped
    known = text[start : start + MAX_PRICE_CHARS]
    stop = _DOLLAR_ENDS.search(text, start, limit)
    price = _PRICE.match(known)
    if price and (not stop or stop.start() >= start + price.end()):
        return escaped
    if stop and (stop.start() < start + MAX_PRICE_CHARS or _TEX_BEGINS.search(known)):
        if stop.end() == len(text) and not ended:
            return None
        content = text[start : stop.start()]
        if stop[0] != "$" or is_letter(text[stop.end() : stop.end() + 1]) or not _is_inline(content):
            return escaped
        return stop.end(), "$" + content.replace("![", "! [") + "$"
    waits = len(known) < MAX_PRICE_CHARS or (_TEX_BEGINS.search(known) and not stop and len(text) < limit)
    return None if waits and not ended else escaped


def _is_inline(content: str) -> bool:
    """Return whether the text between two single dollars is a formula."""
    if not content or content != content.strip() or content.endswith("\\") or "~~~" in content:
        return False
    return _TEX_BEGINS.search(content) is not None or not _WORDS.search(content)


def _is_formula(content: str, opens: str) -> bool:
    r"""Return whether the text between ``\(``, ``\[`` or ``$$`` and its end is a formula."""
    bare = content.strip()
    if not bare or "`" in bare or "~~~" in bare or "$$" in bare or "$" in (bare[0], bare[-1]):
        return False
    if _TEX.search(content):
        return True
    if opens == "\\[":
        return "\n" in content
    return not _WORD.search(content)
