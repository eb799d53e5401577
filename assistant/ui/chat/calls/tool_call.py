"""A function call: one step with its arguments and result, and what the function shows below it."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import CallAnswered, CallApproved, Decision, Outcome, ToolResult
from assistant.json_values import parse_json
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.session import ChatSession
from assistant.tools.toolbox import Tool
from assistant.ui import keys
from assistant.ui.chat.calls.output import (
    MAX_SHOWN_CHARS,
    call_label,
    draw_full_text,
    draw_output,
    format_json,
    label_text,
    latest_part,
    text_call_label,
)
from assistant.ui.chat.calls.rerun_tool import draw_rerun
from assistant.ui.chat.calls.views import draw_views
from assistant.ui.chat.messages.stats import format_duration
from assistant.ui.language import _
from assistant.ui.state import page_state
from assistant.ui.streamlit_private import Expander, ExpanderState

_OUTCOMES: dict[Outcome, str] = {
    "done": "",
    "failed": N_("failed"),
    "timeout": N_("timed out"),
    "invalid": N_("invalid arguments"),
    "unknown": N_("unknown function"),
    "stopped": N_("stopped"),
    "denied": N_("denied"),
    "skipped": N_("skipped: you sent a new message"),
}

_TEXT_LANGUAGES = frozenset({"css", "html", "javascript", "python", "sql", "xml", "yaml"})


class ToolCallView:
    """The step of one call, drawn in the current container and updated in place."""

    def __init__(self, name: str, key: str, arguments: str, session: ChatSession) -> None:
        self._name = name
        self._tool = session.connection.toolbox.get(name)
        self._language = _text_language(self._tool)  # of the arguments
        self._session = session
        self._key = key
        self._arguments = ""
        self._remark = ""
        self._remote = False
        self._is_running = False
        self._time = self._progress = ""
        self._outcome: Outcome | None = None
        self._rerun_place: DeltaGenerator | None = None
        with st.container(key=f"call-{key}", gap=None):
            self._expander = Expander(key, self._label(arguments), "step")
            self._views = st.empty()
        with self._expander.body:
            st.caption(_("Input") if self._tool and self._tool.text_parameter else _("Arguments"))
            self._arguments_code = st.empty()

    def write(self, text: str) -> None:
        """Show more of the arguments while the model writes them; of long ones, the latest part."""
        self._arguments += text
        if text:
            self._arguments_code.code(latest_part(self._arguments), language=self._language, wrap_lines=True)

    def start(self, arguments: str, remote: bool = False) -> None:
        """Show the complete arguments and that the call is running.

        A ``remote`` call runs on another server after the user has allowed it.
        """
        self._arguments, self._remote, self._is_running = arguments, remote, True
        self._update("running")
        text, language = self._tool.text_of(arguments) if self._tool else None, self._language
        if text is None:
            value = parse_json(arguments)
            text = format_json(value) if isinstance(value, dict) and value else arguments.strip() or "{}"
            language = "json"
        self._arguments_code.code(text[:MAX_SHOWN_CHARS], language=language, wrap_lines=True)
        with self._expander.body:
            draw_full_text(text, f"{self._name} arguments", f"{self._key}-arguments", language)

    def add_remark(self, text: str) -> None:
        """Show a remark with the result."""
        self._remark = text

    def show_time(self, seconds: float) -> None:
        """Show for how long the call has been running, in whole seconds."""
        if self._is_running and seconds >= 1:
            self._time = format_duration(int(seconds), tenths=False)
            self._update("running", self._time, escape_markdown(self._progress))

    def show_progress(self, text: str) -> None:
        """Show how far the call has come, in the function's own words."""
        self._progress = text
        self._update("running", self._time, escape_markdown(text))

    def wait(self) -> None:
        """Show that the call needs approval."""
        self._is_running = False
        self._update("waiting", _("needs approval"))

    def decide(self, decision: Decision) -> None:
        """Show the user's decision with the result."""
        match decision:
            case CallApproved(_, arguments) if arguments:
                self._remark = _("arguments edited by you")
                self.start(arguments)
            case CallAnswered():
                self._remark = _("result provided by you")

    def finish(self, result: ToolResult) -> None:
        """Show the result, and below the step what the function shows to the user."""
        self._is_running, self._outcome = False, result.outcome
        allowed = self._remote and result.outcome == "done"
        if allowed:
            self._remark = _("allowed by you")
        state: ExpanderState = "complete" if result.outcome == "done" else "error"
        self._update(state, self._remark, _(_OUTCOMES[result.outcome]), _duration(result.seconds))
        with self._expander.body:
            if not allowed:  # the result of a remote call arrives later, as a hosted call
                call = f"{self._name}({label_text(self._arguments)})"
                draw_output(result, f"{self._name} output", f"{self._key}-output", call)
            self._rerun_place = st.empty()
            if page_state().inspector_open:
                st.button(
                    _("Show events"),
                    key=f"{self._key}-events",
                    type="tertiary",
                    icon=":material/timeline:",
                    on_click=_show_events,
                    args=[result.call_id],
                )
        if result.views:
            with self._views.container():
                draw_views(result.views, f"{self._key}-output")

    def offer_rerun(self) -> None:
        """Offer to run the call again if it raised an exception or timed out.

        A call with invalid arguments or of an unknown function would fail again.
        """
        if self._tool and self._rerun_place and self._outcome in ("failed", "timeout"):
            with self._rerun_place.container():
                key = f"rerun-{self._session.thread.id}-{self._key}"
                draw_rerun(self._session, self._tool, self._arguments, key)

    def abandon(self) -> None:
        """Show that the call was stopped before it had a result."""
        self._is_running = False
        self._update("error", _("stopped"))

    def show_background(self) -> None:
        """Show that the call goes on after the answer has ended."""
        self._update("running", _("in the background"))

    def _label(self, arguments: str) -> str:
        text = self._tool.text_of(arguments) if self._tool else None
        return call_label(self._name, arguments) if text is None else text_call_label(self._name, text)

    def _update(self, state: ExpanderState, *texts: str) -> None:
        label = self._label(self._arguments)
        self._expander.update(" · ".join([label, *filter(None, texts)]), state)


def _text_language(tool: Tool[..., Any] | None) -> str | None:
    """Return the language of a call's arguments; that of free text is its parameter's name."""
    if tool is None or not tool.text_parameter:
        return "json"
    return tool.text_parameter if tool.text_parameter in _TEXT_LANGUAGES else None


def _show_events(call_id: str) -> None:
    """Show the events of a call in the inspector."""
    st.session_state[keys.INSPECTOR_TAB] = "run"
    page = page_state()
    page.inspected_call, page.outdated = call_id, True


def _duration(seconds: float | None) -> str:
    if seconds is not None and seconds < 0.0995:
        return _("{count} ms", count=f"{seconds * 1000:.0f}")
    return format_duration(seconds)
