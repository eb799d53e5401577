"""A function call: one expander, from the first character of its arguments to its result.

Text from a model or a function is shown as data, never as Markdown or HTML.
"""

import json
import re
from typing import Any

import streamlit as st

from assistant.events import CallAnswered, CallApproved, Decision, Outcome, ToolResult
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.tools.results import is_error_output
from assistant.ui import keys
from assistant.ui.chat.views import draw_view
from assistant.ui.language import _
from assistant.ui.streamlit_private import Expander

MAX_LABEL_CHARS = 60

MAX_SHOWN_CHARS = 20_000
"""Characters shown of one text; the content of a closed expander is sent to the browser, too."""

MAX_GROWING_CHARS = 1_000
"""Characters shown of arguments that are being written; all of them are sent again with every delta."""

_OUTCOMES: dict[Outcome, str] = {
    "done": "",
    "failed": N_("failed"),
    "timeout": N_("timed out"),
    "invalid": N_("invalid arguments"),
    "unknown": N_("unknown function"),
    "stopped": N_("stopped"),
    "denied": N_("denied"),
}


class ToolCallView:
    """The expander of one call, drawn in the current container and updated in place."""

    def __init__(self, name: str, key: str, arguments: str = "", session: ChatSession | None = None) -> None:
        self._name = name
        self._session = session
        self._key = key
        self._arguments = ""
        self._decision_text = ""
        self._remote = False
        self._expander = Expander(key, call_label(name, arguments), "step")
        self._arguments_code = self._expander.body.empty()

    def write(self, text: str) -> None:
        """Show more of the arguments while the model writes them; of long ones, the latest part."""
        self._arguments += text
        if text:
            self._arguments_code.code(latest_part(self._arguments), language="json", wrap_lines=True)

    def start(self, arguments: str, remote: bool = False) -> None:
        """Show the complete arguments and that the call is running.

        A ``remote`` call runs on another server after the user has allowed it.
        """
        self._arguments, self._remote = arguments, remote
        self._expander.update(call_label(self._name, arguments), "running")
        if isinstance(value := parse_json(arguments), dict) and value:
            arguments = format_json(value)
        arguments = arguments.strip() or "{}"
        self._arguments_code.code(arguments[:MAX_SHOWN_CHARS], language="json", wrap_lines=True)
        with self._expander.body:
            _draw_full_text(arguments, f"{self._name} arguments", f"{self._key}-arguments", "json")

    def wait(self) -> None:
        """Show that the call needs approval."""
        self._expander.update(f"{call_label(self._name, self._arguments)} · {_('needs approval')}", "waiting")

    def decide(self, decision: Decision) -> None:
        """Show the user's decision with the result."""
        match decision:
            case CallApproved(_, arguments) if arguments:
                self._decision_text = _("arguments edited by you")
                self.start(arguments)
            case CallAnswered():
                self._decision_text = _("result provided by you")

    def finish(self, result: ToolResult) -> None:
        """Show the result."""
        label = call_label(self._name, self._arguments)
        allowed = self._remote and result.outcome == "done"
        if allowed:
            self._decision_text = _("allowed by you")
        for text in (self._decision_text, _(_OUTCOMES[result.outcome]), _duration(result.seconds)):
            label += f" · {text}" if text else ""
        self._expander.update(label, "complete" if result.outcome == "done" else "error")
        with self._expander.body:
            if not allowed:  # the result of a remote call arrives later, as a hosted call
                draw_output(result, f"{self._name} output", f"{self._key}-output")
            if self._session and self._session.inspector_open:
                st.button(
                    _("Show events"),
                    key=f"{self._key}-events",
                    type="tertiary",
                    icon=":material/timeline:",
                    on_click=_show_events,
                    args=[self._session, result.call_id],
                )

    def abandon(self) -> None:
        """Show that the call was stopped before it had a result."""
        self._expander.update(f"{call_label(self._name, self._arguments)} · {_('stopped')}", "error")


def _show_events(session: ChatSession, call_id: str) -> None:
    """Show the events of a call in the inspector."""
    st.session_state[keys.INSPECTOR_TAB] = "run"
    session.inspected_call = call_id
    session.page_outdated = True


def draw_output(result: ToolResult, name: str, key: str) -> None:
    """Draw a result. ``name`` names the file with its full text, ``key`` its widgets."""
    text = result.detail or result.output
    if result.views:
        for number, view in enumerate(result.views):
            draw_view(view, f"{key}-{number}")
        st.caption(_("Result sent to the model"))
        _draw_text(text, name, key)
        return
    if is_error_output(result.output):
        message = json.loads(result.output)["error"]
        if len(message) <= MAX_SHOWN_CHARS:
            st.error(escape_markdown(message))
            if not result.detail:
                return
        else:
            text = result.detail or message  # the detail contains a long message in full
    elif rows := _table(parse_json(result.output)):
        st.dataframe(rows, hide_index=True)
        return
    value = parse_json(text)
    if isinstance(value, dict | list):
        _draw_text(format_json(value), name, key, "json")
    else:
        _draw_text(text, name, key)


def _draw_text(text: str, name: str, key: str, language: str | None = None) -> None:
    st.code(text[:MAX_SHOWN_CHARS], language=language, wrap_lines=True)
    _draw_full_text(text, name, key, language)


def _draw_full_text(text: str, name: str, key: str, language: str | None) -> None:
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


def parse_json(text: str) -> Any:
    """Parse JSON; return None for any other text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def format_json(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def call_label(name: str, arguments: str) -> str:
    """Return ``name(first="argument", …)`` in escaped Markdown."""
    value = parse_json(arguments)
    text = "…" if not arguments else ""
    if isinstance(value, dict):
        present = {key: item for key, item in value.items() if item is not None}
        text = ", ".join(f"{key}={json.dumps(item, ensure_ascii=False)}" for key, item in present.items())
    return f"**{escape_markdown(name)}**{escape_markdown(f'({shorten(text)})')}"


def shorten(text: str) -> str:
    """Return a text on one line, cut to the length of a label."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_LABEL_CHARS else text[: MAX_LABEL_CHARS - 1] + "…"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return _("{count} ms", count=f"{seconds * 1000:.0f}")
    return _("{seconds} s", seconds=f"{seconds:.1f}")
