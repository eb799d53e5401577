"""A function call as a person sees it: one expander from the first letter of its arguments to its result.

Not here: the answer around it (``chat.py``).

The one rule: what a model or a function wrote is shown as data, never as Markdown or HTML.
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

LABEL_LENGTH = 60
SHOWN_LENGTH = 20_000
"""Characters of one output that are sent to the browser: everything in an expander is, open or not."""
WRITING_LENGTH = 1_000
"""Characters shown of arguments that are being written: all that is shown is sent again for every piece."""

_ENDINGS: dict[Outcome, str] = {
    "done": "",
    "failed": N_("failed"),
    "timeout": N_("timed out"),
    "invalid": N_("invalid arguments"),
    "unknown": N_("unknown function"),
    "stopped": N_("stopped"),
    "denied": N_("denied"),
}


class ToolCallView:
    """The expander of one call; drawn where it is made, and updated in place."""

    def __init__(self, name: str, key: str, arguments: str = "", session: ChatSession | None = None) -> None:
        self._name = name
        self._session = session
        self._key = key
        self._arguments = ""
        self._decided = ""  # by a person, in words
        self._remote = False
        self._expander = Expander(key, label_of(name, arguments), "step")
        self._asked = self._expander.body.empty()

    def write(self, text: str) -> None:
        """Show more of the arguments while the model writes them: their newest part, if they grow long."""
        self._arguments += text
        if text:
            self._asked.code(newest_of(self._arguments), language="json", wrap_lines=True)

    def ask(self, arguments: str, remote: bool = False) -> None:
        """Show the finished arguments; the function runs, or a ``remote`` server waits for leave to."""
        self._arguments, self._remote = arguments, remote
        self._expander.update(label_of(self._name, arguments), "running")
        if isinstance(value := parsed(arguments), dict) and value:
            arguments = indented(value)
        arguments = arguments.strip() or "{}"
        self._asked.code(arguments[:SHOWN_LENGTH], language="json", wrap_lines=True)
        with self._expander.body:
            _offer_rest(arguments, f"{self._name} arguments", f"{self._key}-arguments", "json")

    def wait(self) -> None:
        """Show that the call waits for a person's decision."""
        self._expander.update(f"{label_of(self._name, self._arguments)} · {_('needs approval')}", "waiting")

    def decide(self, decision: Decision) -> None:
        """Show what a person decided."""
        match decision:
            case CallApproved(_, arguments) if arguments:
                self._decided = _("arguments edited by you")
                self.ask(arguments)
            case CallAnswered():
                self._decided = _("result provided by you")

    def finish(self, result: ToolResult) -> None:
        """Show the result."""
        label = label_of(self._name, self._arguments)
        allowed = self._remote and result.outcome == "done"
        if allowed:
            self._decided = _("allowed by you")
        for remark in (self._decided, _(_ENDINGS[result.outcome]), _time(result.seconds)):
            label += f" · {remark}" if remark else ""
        self._expander.update(label, "complete" if result.outcome == "done" else "error")
        with self._expander.body:
            if not allowed:  # what came of it is shown when the remote server has run it
                draw_output(result, f"{self._name} output", f"{self._key}-output")
            if self._session and self._session.inspector_open:
                st.button(
                    _("Show events"),
                    key=f"{self._key}-events",
                    type="tertiary",
                    icon=":material/timeline:",
                    on_click=_inspect,
                    args=[self._session, result.call_id],
                )

    def abandon(self) -> None:
        """Show that the model never finished this call, or that nobody waits for its result."""
        self._expander.update(f"{label_of(self._name, self._arguments)} · {_('stopped')}", "error")


def _inspect(session: ChatSession, call_id: str) -> None:
    """Show the events of a call in the inspector."""
    st.session_state[keys.SANDBOX_PANEL] = "run"
    session.inspected_call = call_id
    session.page_outdated = True


def draw_output(result: ToolResult, name: str, key: str) -> None:
    """Draw what came of a call; ``name`` is for a file of it, ``key`` for the widgets in it."""
    text = result.detail or result.output
    if result.views:
        for number, view in enumerate(result.views):
            draw_view(view, f"{key}-{number}")
        st.caption(_("Result sent to the model"))
        _draw_text(text, name, key)
        return
    if is_error_output(result.output):
        words = json.loads(result.output)["error"]
        if len(words) <= SHOWN_LENGTH:
            st.error(escape_markdown(words))
            if not result.detail:
                return
        else:
            text = result.detail or words  # the detail of long words is the whole of them
    elif rows := _table(parsed(result.output)):
        st.dataframe(rows, hide_index=True)
        return
    value = parsed(text)
    if isinstance(value, dict | list):
        _draw_text(indented(value), name, key, "json")
    else:
        _draw_text(text, name, key)


def _draw_text(text: str, name: str, key: str, language: str | None = None) -> None:
    st.code(text[:SHOWN_LENGTH], language=language, wrap_lines=True)
    _offer_rest(text, name, key, language)


def _offer_rest(text: str, name: str, key: str, language: str | None) -> None:
    """Offer a text to be saved, if only its beginning is shown."""
    if len(text) <= SHOWN_LENGTH:
        return
    st.caption(first_of(SHOWN_LENGTH, len(text)))
    ending, mime = ("json", "application/json") if language == "json" else ("txt", "text/plain")
    st.download_button(
        _("Save all"),
        text,
        file_name=re.sub(r"\W+", "_", name) + f".{ending}",
        mime=mime,
        key=f"{key}-download",
        on_click="ignore",
        icon=":material/download:",
    )


def newest_of(text: str) -> str:
    """Of a text that is being written, as much as is shown: all of it, or its newest part."""
    return text if len(text) <= WRITING_LENGTH else f"… {text[-WRITING_LENGTH:]}"


def first_of(shown: int, count: int) -> str:
    """That this is the beginning of a text alone."""
    return _("Showing the first {shown} of {count} characters.", shown=f"{shown:,}", count=f"{count:,}")


def _table(value: Any) -> list[dict[str, Any]]:
    """The rows of a list of flat objects, else nothing."""
    if not isinstance(value, list) or not value:
        return []
    for row in value:
        if not isinstance(row, dict) or any(isinstance(cell, dict | list) for cell in row.values()):
            return []
    return value


def parsed(text: str) -> Any:
    """What a text of JSON says; None for any other."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def indented(value: Any) -> str:
    """A value as JSON for people to read."""
    return json.dumps(value, ensure_ascii=False, indent=2)


def label_of(name: str, arguments: str) -> str:
    """``name(first="argument", …)``, with nothing in it that is read as Markdown."""
    value = parsed(arguments)
    inside = "…" if not arguments else ""
    if isinstance(value, dict):
        given = [(key, each) for key, each in value.items() if each is not None]
        inside = ", ".join(f"{key}={json.dumps(each, ensure_ascii=False)}" for key, each in given)
    inside = " ".join(inside.split())
    if len(inside) > LABEL_LENGTH:
        inside = inside[: LABEL_LENGTH - 1] + "…"
    return f"**{escape_markdown(name)}**{escape_markdown(f'({inside})')}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 0.0995:
        return _("{count} ms", count=f"{seconds * 1000:.0f}")
    return _("{seconds} s", seconds=f"{seconds:.1f}")
