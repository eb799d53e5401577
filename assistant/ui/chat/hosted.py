"""What the tools of the server's own did, as a person sees it: an expander for each, and its pictures.

Not here: functions of ours (``steps.py``), sources (``citations.py``), or how a server tells it
(``backends/responses_hosted.py``).

The one rule: what a server or a model wrote is shown as data, and nothing is loaded from an address.
"""

import base64

import streamlit as st

from assistant.events import HostedCall, HostedDelta, HostedKind
from assistant.markdown.escape import escape_markdown
from assistant.markdown.links import url_host
from assistant.ui.chat.tool_call import LABEL_LENGTH, SHOWN_LENGTH, indented, label_of, newest_of, parsed
from assistant.ui.chat.views import draw_view
from assistant.ui.language import _
from assistant.ui.streamlit_private import Expander, ExpanderState

_LANGUAGES: dict[HostedKind, str | None] = {"code_interpreter": "python", "mcp": "json"}
_STATES: dict[str, ExpanderState] = {"running": "running", "done": "complete", "failed": "error"}


class HostedSteps:
    """The expanders of the hosted calls of one answer; each is updated in place."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._count = 0
        self._running: dict[str, HostedStep] = {}  # those that go on, by call id

    def show(self, call: HostedCall) -> None:
        """Show what is known of a call."""
        step = self._running.pop(call.call_id, None)
        if step is None:
            self._count += 1
            step = HostedStep(f"{self._key}-{self._count}", call)
        if call.state == "running":
            self._running[call.call_id] = step
        step.show(call)

    def write(self, piece: HostedDelta) -> None:
        """Show more of what a call is asked, while the model writes it."""
        if step := self._running.get(piece.call_id):
            step.write(piece.text)

    def abandon(self) -> None:
        """Show that nobody waits any more for what goes on."""
        for step in self._running.values():
            step.abandon()
        self._running = {}


class HostedStep:
    """The expander of one hosted call, and below it the pictures it made; drawn where it is made."""

    def __init__(self, key: str, call: HostedCall) -> None:
        self._key = key
        self._call = call
        self._asked_so_far = ""
        place = st.container(gap="xsmall")
        with place:
            self._expander = Expander(key, _label(call), "step")
            self._pictures = st.empty()
        self._asked = self._expander.body.empty()
        self._came = self._expander.body.empty()

    def show(self, call: HostedCall) -> None:
        self._call = call
        label = _label(call) + (f" · {_('failed')}" if call.state == "failed" else "")
        self._expander.update(label, _STATES[call.state])
        self._asked_so_far = call.asked
        if call.asked:
            self._asked.code(_shown(call), language=_LANGUAGES.get(call.kind), wrap_lines=True)
        if call.output:
            with self._came.container():
                _draw_output(call)
        if call.views:
            with self._pictures.container():
                for number, view in enumerate(call.views):
                    if call.state != "running":
                        draw_view(view, f"{self._key}-{number}")
                    elif view.kind == "image":  # so far
                        st.image(base64.b64decode(view.content), width="stretch")

    def write(self, text: str) -> None:
        self._asked_so_far += text
        language = _LANGUAGES.get(self._call.kind)
        self._asked.code(newest_of(self._asked_so_far), language=language, wrap_lines=True)

    def abandon(self) -> None:
        self._expander.update(f"{_label(self._call)} · {_('stopped')}", "error")


def in_progress(call: HostedCall) -> str:
    """What happens now, in words; after a call has ended, the model thinks."""
    return _words(call) if call.state == "running" else _("Thinking")


def _words(call: HostedCall) -> str:
    """What a call does, or did, in a few words."""
    running = call.state == "running"
    match call.kind, call.name:
        case "web_search", "open_page":
            return _("Opened {host}", host=url_host(call.asked) or _("a page"))
        case "web_search", "find_in_page":
            return _("Searched in a page")
        case "web_search", _:
            return _("Searching the web") if running else _("Searched the web")
        case "file_search", _:
            return _("Searching the files") if running else _("Searched the files")
        case "code_interpreter", _:
            return _("Writing and running code") if running else _("Ran code")
        case "image_generation", _:
            return _("Generating an image") if running else _("Generated an image")
    return _("Calling {server}", server=call.name) if running else call.name


def _label(call: HostedCall) -> str:
    """The words, and with which queries or arguments; nothing in it is read as Markdown."""
    if call.kind == "mcp" and call.state != "running" and call.asked:
        return label_of(call.name, call.asked)
    inside = ""
    if call.kind not in ("code_interpreter", "mcp") and call.name != "open_page":
        inside = call.asked
    inside = " ".join(inside.split())
    if len(inside) > LABEL_LENGTH:
        inside = inside[: LABEL_LENGTH - 1] + "…"
    return f"**{escape_markdown(_words(call))}**" + (f" {escape_markdown(inside)}" if inside else "")


def _shown(call: HostedCall) -> str:
    value = parsed(call.asked) if call.kind == "mcp" else None
    text = indented(value) if isinstance(value, dict) else call.asked
    return text[:SHOWN_LENGTH]


def _draw_output(call: HostedCall) -> None:
    if call.state == "failed":
        st.error(escape_markdown(call.output[:SHOWN_LENGTH]))
        return
    value = parsed(call.output)
    is_json = isinstance(value, dict | list)
    text = indented(value) if is_json else call.output
    st.code(text[:SHOWN_LENGTH], language="json" if is_json else None, wrap_lines=True)
