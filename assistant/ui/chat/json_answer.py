"""An answer that was requested as JSON: a tree, with a mark that says whether it fits the schema."""

from collections.abc import Iterable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import Event, TextDelta
from assistant.json_values import count_values, is_too_deep, parse_json
from assistant.markdown.escape import escape_markdown
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.request_options import MAX_SCHEMA_CHARS
from assistant.ui.chat.calls.output import draw_text, format_json, latest_part
from assistant.ui.chat.schema_check import find_problem
from assistant.ui.language import _

MAX_TREE_VALUES = 5_000
"""Maximum number of values in a tree; a larger answer is shown as text."""

MAX_CHECKED_CHARS = 1_000_000
"""Maximum length of an answer that is compared with its schema."""


class JsonAnswer:
    """The texts of one answer, each drawn in the current container: while it grows as code, then as a tree."""

    def __init__(self, schema: str, key: str) -> None:
        self._schema, self._key = schema, key
        self._count = 0
        self._text = ""
        self._place: DeltaGenerator | None = None

    def add(self, pieces: Iterable[Event]) -> None:
        """Draw more of the text."""
        self._place = self._place or st.empty()
        self._text += "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
        self._place.code(latest_part(self._text), language="json", wrap_lines=True)

    def end(self) -> None:
        """Draw the text that has ended, if there is one."""
        if self._place is None:
            return
        place, text = self._place, self._text
        self._count += 1
        self._place, self._text = None, ""
        with place.container():
            value = parse_json(text)
            if not isinstance(value, dict | list):
                st.markdown(_sanitize(text))
                _draw_mark(False, _("This answer is not JSON, although JSON was requested."))
                return
            if count_values(text) > MAX_TREE_VALUES or is_too_deep(value):
                draw_text(format_json(value), "answer", f"{self._key}-{self._count}", "json")
            else:
                st.json(value, expanded=2)
            _draw_verdict(value, text, self._schema)


def _sanitize(text: str) -> str:
    sanitizer = MarkdownSanitizer()
    return sanitizer.feed(text) + sanitizer.flush()


def _draw_verdict(value: Any, text: str, schema: str) -> None:
    if not schema:
        _draw_mark(True, _("Valid JSON"))
        return
    if len(text) > MAX_CHECKED_CHARS or len(schema) > MAX_SCHEMA_CHARS:
        _draw_mark(True, _("Valid JSON. It is too long to be compared with the schema."))
        return
    problem = find_problem(value, parse_json(schema))
    if problem is None:
        _draw_mark(True, _("Fits the schema"))
    else:
        _draw_mark(False, _("Does not fit the schema: {problem}", problem=problem))


def _draw_mark(fits: bool, text: str) -> None:
    icon = ":green[:material/check_circle:]" if fits else ":red[:material/error:]"
    st.markdown(f"{icon} :small[{escape_markdown(text)}]")
