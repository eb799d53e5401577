"""What the tools of the server's own did, as a person sees it, the sources of an answer, and the switches.

Not here: functions of ours (``steps.py``), or how a server tells it (``backends/responses_hosted.py``).

The one rule: what a server, a page of the web or a model wrote is shown as data; an address is never asked
for by the browser unless a person follows it, and they see whose it is.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import streamlit as st

from ..errors import BackendError
from ..events import Citation, HostedCall, HostedDelta, HostedKind
from ..hosted import Hosted, offered, parse
from ..settings import Settings
from .expander import Expander, State
from .plain import plain
from .steps import LABEL_LENGTH, SHOWN_LENGTH, WRITING_LENGTH, label_of
from .views import draw_view
from .words import say

_LANGUAGES: dict[HostedKind, str | None] = {"code_interpreter": "python", "mcp": "json"}
_STATES: dict[str, State] = {"running": "running", "done": "complete", "failed": "error"}


# --- what they did ----------------------------------------------------------------------------------


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
        label = _label(call) + (f" · {say('failed')}" if call.state == "failed" else "")
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
        newest = self._asked_so_far[-WRITING_LENGTH:]
        shown = newest if newest == self._asked_so_far else f"… {newest}"
        self._asked.code(shown, language=_LANGUAGES.get(self._call.kind), wrap_lines=True)

    def abandon(self) -> None:
        self._expander.update(f"{_label(self._call)} · {say('stopped')}", "error")


def in_progress(call: HostedCall) -> str:
    """What happens now, in words; after a call has ended, the model thinks."""
    return _words(call) if call.state == "running" else say("Thinking")


def _words(call: HostedCall) -> str:
    """What a call does, or did, in a few words."""
    running = call.state == "running"
    match call.kind, call.name:
        case "web_search", "open_page":
            return say("Opened {host}", host=_host(call.asked) or say("a page"))
        case "web_search", "find_in_page":
            return say("Looked through a page")
        case "web_search", _:
            return say("Searching the web") if running else say("Searched the web")
        case "file_search", _:
            return say("Searching the files") if running else say("Searched the files")
        case "code_interpreter", _:
            return say("Writing and running code") if running else say("Ran code")
        case "image_generation", _:
            return say("Making a picture") if running else say("Made a picture")
    return say("Asking {server}", server=call.name) if running else call.name


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
    return f"**{plain(_words(call))}**" + (f" {plain(inside)}" if inside else "")


def _shown(call: HostedCall) -> str:
    value = _json(call.asked) if call.kind == "mcp" else None
    text = json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, dict) else call.asked
    return text[:SHOWN_LENGTH]


def _draw_output(call: HostedCall) -> None:
    if call.state == "failed":
        st.error(plain(call.output[:SHOWN_LENGTH]))
        return
    value = _json(call.output)
    is_json = isinstance(value, dict | list)
    text = json.dumps(value, ensure_ascii=False, indent=2) if is_json else call.output
    st.code(text[:SHOWN_LENGTH], language="json" if is_json else None, wrap_lines=True)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# --- sources ----------------------------------------------------------------------------------------


class Sources:
    """The sources of one answer, numbered as they come."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._found: dict[tuple[str, str], Citation] = {}

    def mark(self, citation: Citation) -> str:
        """The mark of a source, in Markdown; it is read as the model's text is."""
        known = (citation.url, citation.file_id)
        self._found.setdefault(known, citation)
        number = list(self._found).index(known) + 1
        address = _address(citation.url)
        # A narrow space: right after a bracket it would be taken for a part of that link.
        return "\u202f" + (f"[\\[{number}\\]]({address})" if address else f"\\[{number}\\]")

    def draw(self) -> None:
        """Draw all of them, each with the host that it leads to."""
        if not self._found:
            return
        with st.container(key=self._key, gap="xsmall"):
            lines = [f"{number}. {_line(each)}" for number, each in enumerate(self._found.values(), 1)]
            st.caption(f"{say('Sources')}\n\n" + "\n".join(lines))
            made = [each for each in self._found.values() if each.container]
            for number, each in enumerate(made):
                _offer_file(each, f"{self._key}-{number}")


def _line(citation: Citation) -> str:
    title = plain(" ".join(citation.title.split()))
    if address := _address(citation.url):
        host = plain(_host(citation.url))
        return f"[{title or host}]({address}) · {host}"
    return title or plain(citation.file_id or citation.url)


def _address(url: str) -> str:
    """An address of the web as it can stand in Markdown; empty for any other."""
    if not _host(url):
        return ""
    return quote(url, safe=":/?#@&=+,;%~.-_", errors="replace").replace("&", "&amp;")


def _host(url: str) -> str:
    """Who is asked when a person follows an address of the web; empty for what is none, or is disguised."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.username is not None or not url.isprintable():
            return ""
        host = "" if set(url) & set(" \\") else parts.hostname or ""
        return host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""


_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"RIFF")

_OPEN = frozenset("`~|$\\")
"""After these a mark might become a part of what they begin or end."""

_WORD = re.compile(r"[^\W\u2e80-\uffff]*")


class Marks:
    """Puts the marks of sources into a text that comes in pieces, each at the end of a word."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._tail = ""
        self._waiting = ""

    def take(self, text: str) -> str:
        """The next piece of the text, with the marks that waited for it."""
        if not text:
            return ""
        self._tail = text[-1]
        if self._waiting:
            end = _WORD.match(text).end()  # type: ignore[union-attr]  # it matches nothing as well
            if end < len(text):
                return text[:end] + self.rest() + text[end:]
        return text

    def cite(self, citation: Citation) -> str:
        """The mark of a source, if it need not wait for the end of a word."""
        mark = self._sources.mark(citation)
        if self._tail in _OPEN:
            return ""
        self._waiting += mark
        return "" if _WORD.match(self._tail)[0] else self.rest()  # type: ignore[index]

    def rest(self) -> str:
        """The marks that wait, where the text goes no further."""
        waiting, self._waiting = self._waiting, ""
        return waiting


Fetch = Callable[[str, str], bytes]
"""Fetches a file by the ids of its container and of itself."""


def _offer_file(citation: Citation, key: str) -> None:
    """Offer a file that a tool made; it is fetched when a person asks for it."""
    name = " ".join(citation.title.split()) or "file"
    fetch: Fetch | None = st.session_state.get("fetch_file")
    if fetch is None:
        return
    if not st.button(say("Fetch {name}", name=plain(name)), key=key, icon=":material/cloud_download:"):
        return
    try:
        data = fetch(citation.container, citation.file_id)
    except BackendError as error:
        st.error(plain(say("{name} cannot be fetched. {why}", name=name, why=error)))
        return
    if data.startswith(_IMAGES):
        st.image(data, alt=name)
    st.download_button(
        say("Save {name}", name=plain(name)),
        data,
        file_name=name,
        mime="application/octet-stream",  # a browser that is told more might open it
        key=f"{key}-download",
        on_click="ignore",
        icon=":material/download:",
    )


# --- switches ---------------------------------------------------------------------------------------

DEMO = Hosted("mcp", "https://demo.invalid/mcp", "library")
"""The remote server that the built-in demo plays."""


def switches(settings: Settings) -> tuple[Hosted, ...]:
    """The tools that this connection has, as far as anybody knows."""
    speaks = (
        settings.protocol in ("auto", "responses") and not settings.agent_id and not settings.assistant_id
    )
    if not (speaks or settings.demo) or (settings.demo and settings.protocol == "chat"):
        return ()
    if settings.demo:
        return (Hosted("web_search"), Hosted("image_generation"), DEMO)
    return offered(settings.hosted_tools, has_all=not settings.base_url)


def switched_on(settings: Settings) -> tuple[Hosted, ...]:
    """Those that are switched on; before anybody has switched, those in the settings, and all of the demo."""
    return tuple(
        tool
        for tool in switches(settings)
        if st.session_state.get(_switch(tool), _is_on_at_first(tool, settings))
    )


def is_switched(settings: Settings) -> bool:
    """Whether a person has switched something, so that it is otherwise than at first."""
    first = tuple(tool for tool in switches(settings) if _is_on_at_first(tool, settings))
    return switched_on(settings) != first


def _is_on_at_first(tool: Hosted, settings: Settings) -> bool:
    return settings.demo or tool in parse(settings.hosted_tools)


def draw_switches(settings: Settings) -> None:
    """Draw a switch for each tool; nothing where there are none."""
    tools = switches(settings)
    if not tools:
        return
    on = switched_on(settings)
    label = ", ".join(map(_name, on)) or say("none")
    with st.popover(
        plain(say("Tools: {names}", names=label)),
        key="hosted_tools",
        type="tertiary",
        icon=":material/build:",
    ):
        st.caption(say("The server runs these itself. Some of them cost more than the tokens."))
        if settings.demo:
            st.caption(
                say("Try “Search the web for Kyoto”, “Paint the sea” or “Ask the library about Oslo”.")
            )
        for tool in tools:
            first = _is_on_at_first(tool, settings)
            st.toggle(plain(_name(tool)), first, key=_switch(tool), help=plain(tool.where) or None)


def _switch(tool: Hosted) -> str:
    return "_".join(filter(None, ["hosted", tool.kind, tool.label or tool.where]))


def _name(tool: Hosted) -> str:
    match tool.kind:
        case "web_search":
            return say("web search")
        case "code_interpreter":
            return say("code")
        case "image_generation":
            return say("pictures")
        case "file_search":
            return say("files {name}", name=tool.where)
        case "mcp":
            return tool.label
