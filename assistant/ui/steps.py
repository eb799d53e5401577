"""A function call as a person sees it: one expander from the first letter of its arguments to its result.

Not here: the answer around it (``chat.py``).

The one rule: what a model or a function wrote is shown as data, never as Markdown or HTML.
"""

import json
from typing import Any

import streamlit as st

from ..events import Outcome, ToolResult
from ..execute import is_error_output

LABEL_LENGTH = 60
SHOWN_LENGTH = 20_000
"""Characters of one output that are sent to the browser: everything in an expander is, open or not."""

_ENDINGS: dict[Outcome, str] = {
    "done": "",
    "failed": "failed",
    "timeout": "took too long",
    "invalid": "wrong arguments",
    "unknown": "no such function",
    "stopped": "stopped",
}


class Step:
    """The expander of one call; drawn where it is made, and updated in place."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._arguments = ""
        self._status = st.status(_label(name, ""), type="step")
        with self._status:
            self._asked = st.empty()
            self._answered = st.container()

    def write(self, text: str) -> None:
        """Show more of the arguments while the model writes them."""
        self._arguments += text
        if text:
            self._asked.code(self._arguments, language="json", wrap_lines=True)

    def ask(self, arguments: str) -> None:
        """Show the finished arguments; the function runs."""
        self._arguments = arguments
        self._status.update(label=_label(self._name, arguments))
        if isinstance(value := _json(arguments), dict) and value:
            arguments = json.dumps(value, ensure_ascii=False, indent=2)
        self._asked.code(arguments.strip() or "{}", language="json", wrap_lines=True)

    def finish(self, result: ToolResult) -> None:
        """Show the result; the expander closes."""
        label = _label(self._name, self._arguments)
        for remark in (_ENDINGS[result.outcome], _time(result.seconds)):
            label += f" · {remark}" if remark else ""
        self._status.update(label=label, state="complete" if result.outcome == "done" else "error")
        with self._answered:
            _draw_output(result)

    def abandon(self) -> None:
        """Show that the model never finished this call, or that nobody waits for its result."""
        self._status.update(label=f"{_label(self._name, self._arguments)} · stopped", state="error")


def _draw_output(result: ToolResult) -> None:
    if is_error_output(result.output):
        st.error(plain(json.loads(result.output)["error"]))
    elif rows := _table(value := _json(result.output)):
        st.dataframe(rows, hide_index=True)
    elif isinstance(value, dict | list):
        _draw_text(json.dumps(value, ensure_ascii=False, indent=2), "json")
    else:
        _draw_text(result.detail or result.output)
    if result.detail and result.outcome != "done":
        _draw_text(result.detail)


def _draw_text(text: str, language: str | None = None) -> None:
    if len(text) > SHOWN_LENGTH:
        st.caption(f"The first {SHOWN_LENGTH:,} of {len(text):,} characters.")
    st.code(text[:SHOWN_LENGTH], language=language, wrap_lines=True)


def _table(value: Any) -> list[dict[str, Any]]:
    """The rows of a list of flat objects, else nothing."""
    if not isinstance(value, list) or not value:
        return []
    for row in value:
        if not isinstance(row, dict) or any(isinstance(cell, dict | list) for cell in row.values()):
            return []
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _label(name: str, arguments: str) -> str:
    """``name(first="argument", …)``, with nothing in it that is read as Markdown."""
    value = _json(arguments)
    inside = "…" if not arguments else ""
    if isinstance(value, dict):
        given = [(key, each) for key, each in value.items() if each is not None]
        inside = ", ".join(f"{key}={json.dumps(each, ensure_ascii=False)}" for key, each in given)
    inside = " ".join(inside.split())
    if len(inside) > LABEL_LENGTH:
        inside = inside[: LABEL_LENGTH - 1] + "…"
    return f"**{plain(name)}**{plain(f'({inside})')}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.0995 else f"{seconds:.1f} s"


def plain(text: object) -> str:
    """Text for an element that reads Markdown, with nothing in it that Markdown knows."""
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in str(text))


_SPECIAL = frozenset("\\`*_{}[]()#+-.!|<>~$:&")
