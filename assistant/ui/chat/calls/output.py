"""The arguments and the result of a call: labelled, as data, never as Markdown or HTML."""

import json
import re
from typing import Any

import streamlit as st

from assistant.events import ToolResult
from assistant.json_values import parse_json
from assistant.markdown.escape import escape_markdown
from assistant.texts import shorten
from assistant.tools.results import is_error_output
from assistant.tools.toolbox import TASK_HANDLE
from assistant.ui.chat.calls.views import table_name
from assistant.ui.language import _

MAX_LABEL_CHARS = 60

MAX_SHOWN_CHARS = 20_000
"""Characters shown of one text; the content of a closed expander is sent to the browser, too."""

MAX_GROWING_CHARS = 1_000
"""Characters shown of arguments that are being written; all of them are sent again with every delta."""


def draw_output(result: ToolResult, name: str, key: str, call: str = "") -> None:
    """Draw a result, except its views. ``name`` names the file with its full text, ``key`` its widgets.

    ``call`` tells a table from those of other calls, for screen readers.
    """
    text = result.detail or result.output
    if result.views:
        st.caption(_("Result sent to the model"))
        draw_text(text, name, key)
        return
    st.caption(_("Result"))
    if is_error_output(result.output):
        message = json.loads(result.output)["error"]
        if len(message) <= MAX_SHOWN_CHARS:
            st.error(escape_markdown(message))
            if not result.detail:
                return
        else:
            text = result.detail or message  # the detail contains a long message in full
    elif rows := _table(parse_json(result.output)):
        st.dataframe(rows, hide_index=True, alt=f"{table_name(rows[0])} {call}".rstrip())
        _draw_raw(result.output, name, key)
        return
    value = parse_json(text)
    if isinstance(value, dict | list):
        draw_text(format_json(value), name, key, "json")
        _draw_raw(result.output, name, key)
    else:
        draw_text(text, name, key)


def _draw_raw(output: str, name: str, key: str) -> None:
    """Draw a result exactly as the model gets it."""
    with st.expander(_("Raw"), type="compact"):
        draw_text(output, f"{name} raw", f"{key}-raw")


def draw_text(text: str, name: str, key: str, language: str | None = None) -> None:
    """Draw the beginning of a text, and a button that saves all of it if it is longer."""
    st.code(text[:MAX_SHOWN_CHARS], language=language, wrap_lines=True)
    draw_full_text(text, name, key, language)


def draw_full_text(text: str, name: str, key: str, language: str | None) -> None:
    """Draw a download button for a text of which only the beginning is shown."""
    if len(text) <= MAX_SHOWN_CHARS:
        return
    st.caption(truncation_notice(MAX_SHOWN_CHARS, len(text)))
    extension, mime = ("json", "application/json") if language == "json" else ("txt", "text/plain")
    st.download_button(
        _("Save all"),
        text,
        file_name=re.sub(r"\W+", "_", name) + f".{extension}",
        mime=mime,
        key=f"{key}-download",
        on_click="ignore",
        icon=":material/download:",
    )


def latest_part(text: str) -> str:
    """Return a growing text, or its latest part if it is long."""
    return text if len(text) <= MAX_GROWING_CHARS else f"… {text[-MAX_GROWING_CHARS:]}"


def truncation_notice(shown: int, count: int) -> str:
    """Return a sentence that says how much of a text is shown."""
    return _("Showing the first {shown} of {count} characters.", shown=f"{shown:,}", count=f"{count:,}")


def _table(value: Any) -> list[dict[str, Any]]:
    """Return a list of flat objects as rows; empty for any other value."""
    if not isinstance(value, list) or not value:
        return []
    for row in value:
        if not isinstance(row, dict) or any(isinstance(cell, dict | list) for cell in row.values()):
            return []
    return value


def format_json(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def call_label(name: str, arguments: str) -> str:
    """Return ``name(first="argument", …)`` in escaped Markdown, and ``name(…)`` for unfinished or invalid arguments."""
    value, text = parse_json(arguments), "…"
    if isinstance(value, dict):
        present = {key: item for key, item in value.items() if item is not None and key != TASK_HANDLE}
        text = ", ".join(f"{key}={json.dumps(item, ensure_ascii=False)}" for key, item in present.items())
    return text_call_label(name, text)


def text_call_label(name: str, text: str) -> str:
    """Return ``name(text)`` in escaped Markdown."""
    return f"**{escape_markdown(name)}**{escape_markdown(f'({label_text(text)})')}"


def label_text(text: str) -> str:
    """Return a text on one line, cut to the length of a label."""
    return shorten(" ".join(text.split()), MAX_LABEL_CHARS)
