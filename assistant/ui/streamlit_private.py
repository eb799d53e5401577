"""Everything that goes beyond Streamlit's documented interface.

Each use is one function or class that says why the documented interface is not enough, and one test in
``tests/ui/test_streamlit_private.py`` that fails when Streamlit changes it. No other module imports
``streamlit.runtime``, ``streamlit.proto`` or ``streamlit.elements``, or calls a private method.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Literal

import streamlit as st
from streamlit import net_util, runtime
from streamlit.elements.lib import agent_spec
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Block_pb2 import Block
from streamlit.runtime.app_session import AppSession
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequestType
from streamlit.runtime.scriptrunner_utils.script_run_context import ThreadState

# --- streaming --------------------------------------------------------------------------------------

Chunk = str | Callable[[], object]
"""A piece of an answer for ``st.write_stream``: Markdown, or a function that draws something else.

Calling a function between two texts is undocumented, but it is the only way to draw text, an expander and
text again with one generator. Streamlit draws the text so far before it calls the function.
"""


def end_text_block() -> None:
    """End the current block of text: a chunk that draws nothing.

    Streamlit sends the whole block again with every piece of text, so long answers are several blocks.
    """


class Chunks(tuple[()]):
    """Chunks in the only form that ``st.write_stream`` iterates without loading pandas.

    It tests every other object for being a data frame. Loading pandas takes 70 MB of memory and delays the
    first answer by half a second.
    """

    _chunks: Iterator[Chunk]

    def __new__(cls, chunks: Iterator[Chunk]) -> "Chunks":
        stream = super().__new__(cls)
        stream._chunks = chunks
        return stream

    def __iter__(self) -> Iterator[Chunk]:  # type: ignore[override]
        return self._chunks


def yield_to_streamlit() -> None:
    """Let Streamlit end the script here, if the user pressed Stop or used a widget.

    A script notices either only when it sends something or reads the session state. Call this at least every
    100 ms while waiting for anything else.

    Raises:
        BaseException: Streamlit's own, which ends the script.
    """
    st.session_state.get("any key")


# --- expanders --------------------------------------------------------------------------------------

ExpanderState = Literal["running", "waiting", "complete", "error"]

_ICONS: dict[ExpanderState, str] = {
    "running": "spinner",
    "waiting": ":material/pan_tool:",
    "complete": ":material/check:",
    "error": ":material/error:",
}


class Expander:
    """An expander that is drawn on creation, updated in place, and stays open or closed as the user left it.

    ``st.status`` takes no key, so it closes whenever its label changes; it also pauses the script for 50 ms
    each time. ``st.expander`` takes a key but cannot be updated. This is the same block, sent by the same
    method.

    Draw its content into ``body``.
    """

    def __init__(self, key: str, label: str, type: Literal["step", "compact"]) -> None:
        self._key = key
        self._type = type
        self._place = st.empty()
        self._block = Block(id=key, allow_empty=True)
        self._block.width_config.use_stretch = True
        self._block.expandable.type = Block.Expandable.Type.Value(type.upper())
        self._set(label, "running")
        self.body = self._place._block(self._block, agent_props=self._description(label, "running"))

    def update(self, label: str, state: ExpanderState) -> None:
        """Change the label and the icon, and keep the content."""
        before = self._block.SerializeToString()
        self._set(label, state)
        if self._block.SerializeToString() != before:
            self._place._block(self._block, agent_props=self._description(label, state))

    def _set(self, label: str, state: ExpanderState) -> None:
        self._block.expandable.label = label
        self._block.expandable.icon = _ICONS[state]
        if state == "waiting":  # not a state of Streamlit's; without a state it shows the icon
            self._block.expandable.ClearField("state")
        else:
            self._block.expandable.state = Block.Expandable.State.Value(state.upper())

    def _description(self, label: str, state: ExpanderState) -> str | None:
        """Describe the expander to readers of the page's tree, as the public methods do (agent API)."""
        if state == "waiting":
            return agent_spec.block(
                "expander", key=self._key, label=label, icon=_ICONS[state], type=self._type
            )
        return agent_spec.block("status", key=self._key, label=label, state=state, type=self._type)


# --- the server -------------------------------------------------------------------------------------


def harden_server() -> None:
    """Switch off what Streamlit does for every client that connects, whatever the page has drawn.

    No option does: these are for developers, and for a server that knows its visitors.
    """
    # A page of another origin is refused only after a lookup of this machine's own address on the internet.
    # It runs on the event loop, which serves all sessions: where egress is blocked, each such connection
    # stops the server for seconds. Who opens the page by that address needs no lookup: the browser sends it
    # as ``Host``, too.
    net_util.get_external_ip = lambda: None
    handle = AppSession.handle_backmsg
    handle = getattr(handle, "unbounded", handle)  # hardened already, or this module is loaded again

    def handle_bounded(self: AppSession, msg: BackMsg) -> None:
        if _is_acceptable(msg):
            handle(self, msg)

    handle_bounded.unbounded = handle  # type: ignore[attr-defined]
    AppSession.handle_backmsg = handle_bounded  # type: ignore[method-assign]


MAX_FILE_NAMES = 100
"""Files for which the browser asks where to upload them, at once; a message can have fewer."""

MAX_WIDGETS = 10_000
"""Widgets of a page, and messages that a browser says it has kept."""

MAX_ADDRESS_CHARS = 10_000
"""Length of what follows the ? in the page's address."""

MAX_ID_CHARS = 200


def _is_acceptable(message: BackMsg) -> bool:
    """Return whether to handle a message of any client, who may not have logged in.

    Streamlit handles it on the event loop, which serves all sessions. 100 kB on the wire may be millions of
    names, and an id that is not known is written to the log as it is.
    """
    match message.WhichOneof("type"):
        case "rerun_script":
            state = message.rerun_script
            return (
                _is_id(state.fragment_id)
                and len(state.query_string) <= MAX_ADDRESS_CHARS
                and len(state.widget_states.widgets) <= MAX_WIDGETS
                and len(state.cached_message_hashes) <= MAX_WIDGETS
            )
        case "file_urls_request":
            return len(message.file_urls_request.file_names) <= MAX_FILE_NAMES
        case "backend_operation_request":
            operation = message.backend_operation_request
            return _is_id(operation.request_id) and _is_id(operation.session_id)
        case "clear_cache" | "load_git_info":
            # They would clear the caches of all sessions (and with them what this process shares: running
            # answers, the counts of wrong passwords), and tell the names of changed files in the folder.
            return False
    return True


def _is_id(text: str) -> bool:
    return len(text) <= MAX_ID_CHARS and text.isprintable()


# --- sessions ---------------------------------------------------------------------------------------


def current_session_id() -> str:
    """Return the id of the browser session whose script calls this; "" outside a script."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def is_connected(session_id: str) -> bool:
    """Return whether the session's browser is connected; it may come back to the same session if not.

    No documented function tells a Stop, after which the browser is still there, from a lost connection.
    """
    # Not by ``is_active_session``, which ``_Uploads`` replaces.
    return not runtime.exists() or runtime.get_instance().get_client(session_id) is not None


def rerun_session(session_id: str) -> None:
    """Run the script of a session again with the current state of its widgets; do nothing if it is gone.

    Works from any thread, and for a session whose script is not running; ``st.rerun`` does neither.
    """
    session = runtime.get_instance().get_app_session(session_id) if runtime.exists() else None
    if session is not None:
        session._call_soon_on_event_loop(lambda: session.request_rerun(session._client_state))


# --- files ------------------------------------------------------------------------------------------


MAX_UPLOADED_BYTES = 100_000_000
"""Maximum size of the files that Streamlit keeps for one session."""

MIN_COUNTED_BYTES = 10_000
"""What an empty file counts, so that there are not too many of them."""

MAX_UPLOADED_BYTES_OF_ALL = 250_000_000
"""Maximum size of the files of all sessions; each that is arriving counts as the largest possible one."""


class _Uploads:
    """Takes files only of sessions that were accepted, and keeps only so many bytes.

    Streamlit asks before it reads a file whether there is such a session; nothing else in it asks that.
    """

    def __init__(self, manager: Any, host: Any) -> None:
        self._manager, self._add, self._remove = manager, manager.add_file, manager.remove_session_files
        self._is_connected = host.is_active_session
        self._arriving: set[asyncio.Task[Any]] = set()
        self.accepted: set[str] = set()
        manager.add_file, manager.remove_session_files = self._add_file, self._remove_session
        host.is_active_session = self._is_active

    def _is_active(self, session_id: str) -> bool:
        arriving = (len(self._arriving) + 1) * st.get_option("server.maxUploadSize") * 2**20
        is_active = self._has_room(session_id, 0, arriving) and self._is_connected(session_id)
        if is_active and (request := asyncio.current_task()):
            self._arriving.add(request)
            request.add_done_callback(self._arriving.discard)
        return is_active

    def _has_room(self, session_id: str, size: int, arriving: int = 0) -> bool:
        files = self._manager.get_files(session_id, list(self._manager.file_storage.get(session_id, ())))
        return (
            session_id in self.accepted
            and sum(max(len(file.data), MIN_COUNTED_BYTES) for file in files) + size <= MAX_UPLOADED_BYTES
            and self._manager._total_bytes + size + arriving <= MAX_UPLOADED_BYTES_OF_ALL
        )

    def _add_file(self, session_id: str, file: Any) -> None:
        if self._has_room(session_id, len(file.data)):
            self._add(session_id=session_id, file=file)

    def _remove_session(self, session_id: str) -> None:
        self.accepted.discard(session_id)
        self._remove(session_id)


_uploads_lock = threading.Lock()


def accept_uploads(accepted: bool) -> None:
    """Say whether files of this session are taken; from the first call on, those of all others are refused.

    Streamlit takes files from every open page, whatever its script has drawn, and keeps them in memory.
    """
    context = get_script_run_ctx()
    if context is not None and runtime.exists():
        manager: Any = context.uploaded_file_mgr
        with _uploads_lock:  # the manager is wrapped once, also if this module is loaded again
            if not hasattr(manager, "uploads"):
                manager.uploads = _Uploads(manager, runtime.get_instance())
            sessions = manager.uploads.accepted
        (sessions.add if accepted else sessions.discard)(context.session_id)


# --- fragments --------------------------------------------------------------------------------------


def fragment_rerun_waits() -> bool:
    """Return whether a widget of some fragment was used, so that this script has to end now.

    Streamlit does not end a running script for that: the rerun waits until the script has ended, and a second
    message in the input would replace the first. A fragment that runs for long therefore has to end by
    itself. It is queued behind the fragment of the widget, so that it continues afterwards.
    """
    context = get_script_run_ctx()
    if context is None or context.script_requests is None:
        return False
    requests = context.script_requests
    waiting = requests._rerun_data
    if (
        requests._state is not ScriptRequestType.RERUN
        or not waiting.fragment_id_queue
        or waiting.is_auto_rerun
    ):
        return False
    own = ThreadState.get().fragment_id
    if own and own not in waiting.fragment_id_queue:
        requests.request_rerun(replace(waiting, fragment_id_queue=[own]))
    return True


def rerun_fragment() -> None:
    """Run the current fragment again; the whole page if the fragment runs as part of it.

    ``st.rerun(scope="fragment")`` raises an error where the fragment runs as part of the page, and nothing
    documented tells which is the case.
    """
    context = get_script_run_ctx()
    st.rerun(scope="fragment" if context and context.fragment_ids_this_run else "app")
