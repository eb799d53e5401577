"""Code within a line, between backticks."""

import re

from assistant.markdown.code import PLAIN, read_marks, read_possible_code
from assistant.markdown.scan import MAX_SPAN_CHARS, Step, match_end

_TICKS = re.compile("`{1,99}")


class CodeSpan:
    """Reads code after its opening backticks, until it is ``closed`` by as many.

    Before a ``![``, it looks for the closing backticks: only if ``certain``, and if they come in the same
    line and cell of a table, the text is code for every reader of Markdown.
    """

    def __init__(self, ticks: int, *, certain: bool) -> None:
        self.closed = False
        self.has_bar = False  # a bar may end the cell of a table, and the code with it
        self._ticks = ticks
        self._certain = certain

    def read(self, text: str, at: int, ended: bool, doubt: bool) -> Step:
        """Read on within a line. ``doubt``: there may be fences that are not known."""
        end = match_end(PLAIN, text, at)
        if end > at:
            self.has_bar = self.has_bar or "|" in text[at:end]
            return end, text[at:end]
        if text[at] == "!" and self._certain and not (self.has_bar or doubt):
            return self._read_bang(text, at, ended)
        if text[at] != "`":
            return read_possible_code(text, at, ended)
        end = match_end(_TICKS, text, at)
        if end == len(text) and not ended and end - at < 99:
            return None
        if end - at == self._ticks:
            self.closed = True
            return end, text[at:end]
        return read_marks(text, at, ended)

    def _read_bang(self, text: str, at: int, ended: bool) -> Step:
        if not text.startswith("![", at):
            return (at + 1, "!") if ended or at + 1 < len(text) else None
        limit = at + MAX_SPAN_CHARS
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
        self._certain = False
        return at + 1, "! "
