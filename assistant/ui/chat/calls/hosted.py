"""Calls of the server's own tools, such as web search: an expander for each, and its generated images.

Text from a server or a model is shown as data, and nothing is loaded from a URL.
"""

import base64
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import HostedCall, HostedDelta, HostedKind
from assistant.json_values import parse_json
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import url_host
from assistant.tools.view_checks import ViewError
from assistant.ui.chat.calls.output import (
    MAX_SHOWN_CHARS,
    call_label,
    format_json,
    label_text,
    latest_part,
)
from assistant.ui.chat.calls.views import draw_view
from assistant.ui.chat.messages.stats import format_duration
from assistant.ui.images import draw_image
from assistant.ui.language import _, ngettext
from assistant.ui.streamlit_private import Expander, ExpanderState

_LANGUAGES: dict[HostedKind, str | None] = {
    "code_interpreter": "python",
    "mcp": "json",
    "program": "javascript",
}
_ACTIONS: dict[str, tuple[str, str]] = {
    "web_search": (N_("Searching the web"), N_("Searched the web")),
    "file_search": (N_("Searching the files"), N_("Searched the files")),
    "code_interpreter": (N_("Writing and running code"), N_("Ran code")),
    "image_generation": (N_("Generating an image"), N_("Generated an image")),
    "program": (N_("Running a program"), N_("Ran a program")),
    "tool_search": (N_("Searching for functions"), N_("Searched for functions")),
}
"""What a call does while it runs, and what it did."""
_TITLES: dict[HostedKind, tuple[str, str]] = {
    "program": (N_("Program"), N_("Output")),
    "tool_search": (N_("Searched for"), N_("Loaded")),
}
"""What stands above the input and the output."""
_STATES: dict[str, ExpanderState] = {"running": "running", "done": "complete", "failed": "error"}


class HostedCallViews:
    """The hosted calls of one answer."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._count = 0
        self._running: dict[str, HostedCallView] = {}  # by call id
        self._programs: dict[str, HostedCallView] = {}

    def show(self, call: HostedCall) -> None:
        """Draw a call, or update it in place."""
        view = self._running.pop(call.call_id, None)
        if view is None:
            self._count += 1
            view = HostedCallView(f"{self._key}-{self._count}", call)
        if call.state == "running":
            self._running[call.call_id] = view
        if call.kind == "program":
            self._programs[call.call_id] = view
        view.show(call)

    def place_of_calls(self, program: str) -> DeltaGenerator | None:
        """Return the place of the calls that this program makes; None if there is no such program."""
        view = self._programs.get(program)
        return view.calls if view else None

    def write(self, delta: HostedDelta) -> None:
        """Show more of a call's input while the model writes it."""
        if view := self._running.get(delta.call_id):
            view.write(delta.text)

    def show_times(self, seconds: Callable[[str], float]) -> None:
        """Show for how long the calls in progress have been running."""
        for call_id, view in self._running.items():
            view.show_time(seconds(call_id))

    def abandon(self) -> None:
        """Show that the calls in progress were stopped."""
        for view in self._running.values():
            view.abandon()
        self._running = {}


class HostedCallView:
    """The expander of one hosted call and what is below it, drawn in the current container.

    ``calls`` is the place of the calls that a program makes.
    """

    def __init__(self, key: str, call: HostedCall) -> None:
        self._key = key
        self._call = call
        self._input_text = ""
        with st.container(key=f"call-{key}", gap=None):
            self._expander = Expander(key, _label(call), "step")
            self._images = st.empty()
            self.calls = st.container(key=f"program-{key}", gap="xxsmall") if call.kind == "program" else None
        self._input = self._expander.body.empty()
        self._output = self._expander.body.empty()

    def show(self, call: HostedCall) -> None:
        call = self._call = replace(call, input=call.input or self._call.input)
        label = " · ".join(filter(None, [_label(call), _outcome(call)]))
        self._expander.update(label, _STATES[call.state])
        self._input_text = call.input
        titles = _TITLES.get(call.kind, ("", ""))
        if call.input:
            with self._input.container():
                _draw_title(titles[0])
                st.code(_format_input(call), language=_LANGUAGES.get(call.kind), wrap_lines=True)
        if call.output:
            with self._output.container():
                _draw_title(titles[1])
                _draw_output(call)
        if call.views:
            with self._images.container():
                for number, view in enumerate(call.views):
                    if call.state != "running":
                        draw_view(view, f"{self._key}-{number}")
                    elif view.kind == "image":  # a preview
                        with suppress(ViewError):  # the final image tells
                            draw_image(base64.b64decode(view.content), width="stretch")

    def write(self, text: str) -> None:
        self._input_text += text
        language = _LANGUAGES.get(self._call.kind)
        self._input.code(latest_part(self._input_text), language=language, wrap_lines=True)

    def show_time(self, seconds: float) -> None:
        if seconds >= 1:
            text = format_duration(int(seconds), tenths=False)
            self._expander.update(f"{_label(self._call)} · {text}", "running")

    def abandon(self) -> None:
        text = _("not finished") if self._call.kind == "program" else _("stopped")
        self._expander.update(f"{_label(self._call)} · {text}", "error")


def status_of(call: HostedCall) -> str:
    """Return what happens now, for the status line; after a call has ended, the model thinks."""
    return _title(call) if call.state == "running" else _("Thinking")


def _outcome(call: HostedCall) -> str:
    """Return what is said about how a call ended; "" if it is done."""
    if call.kind == "tool_search" and call.state == "done":
        if not (count := len(call.output.splitlines())):
            return _("no function found")
        return ngettext("{count} function loaded", "{count} functions loaded", count)
    return _("failed") if call.state == "failed" else ""


def _title(call: HostedCall) -> str:
    """Return what a call does, or did, in a few words."""
    running = call.state == "running"
    match call.kind, call.name:
        case "web_search", "open_page":
            return _("Opened {host}", host=url_host(call.input) or _("a page"))
        case "web_search", "find_in_page":
            return _("Searched in a page")
    if call.kind in _ACTIONS:
        before, after = _ACTIONS[call.kind]
        return _(before if running else after)
    return _("Calling {server}", server=call.name) if running else call.name


def _label(call: HostedCall) -> str:
    """Return the title with the queries or arguments, in escaped Markdown."""
    if call.kind == "mcp" and call.state != "running" and call.input:
        return call_label(call.name, call.input)
    query = ""
    if call.kind not in ("code_interpreter", "mcp", "program") and call.name != "open_page":
        query = label_text(call.input)
    return f"**{escape_markdown(_title(call))}**" + (f" {escape_markdown(query)}" if query else "")


def _draw_title(title: str) -> None:
    if title:
        st.caption(_(title))


def _format_input(call: HostedCall) -> str:
    value = parse_json(call.input) if call.kind == "mcp" else None
    text = format_json(value) if isinstance(value, dict) else call.input
    return text[:MAX_SHOWN_CHARS]


def _draw_output(call: HostedCall) -> None:
    if call.state == "failed":
        st.error(escape_markdown(call.output[:MAX_SHOWN_CHARS]))
        return
    value = parse_json(call.output)
    is_json = isinstance(value, dict | list)
    text = format_json(value) if is_json else call.output
    st.code(text[:MAX_SHOWN_CHARS], language="json" if is_json else None, wrap_lines=True)
