"""The panel beside the chat and its tabs. What is set here holds for this browser session only."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from assistant.json_values import READING, count_values
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.recording import Recording, RecordingError, sample_files, sample_title
from assistant.recordings.wire_events import CallRequested
from assistant.recordings.wire_reader import WireReader
from assistant.runs.replay import differences
from assistant.session import ChatSession
from assistant.ui import keys
from assistant.ui.inspector.code import draw_code
from assistant.ui.inspector.event_table import draw_live_events
from assistant.ui.inspector.faults import draw_faults
from assistant.ui.inspector.function_runner import draw_function_runner
from assistant.ui.inspector.request_panel import draw_request_panel
from assistant.ui.inspector.run_log import draw_run_log
from assistant.ui.language import _, translate
from assistant.ui.page.sheet import draw_sheet_top
from assistant.ui.state import page_state

TABS = {
    "run": N_("Run log"),
    "request": N_("Request"),
    "functions": N_("Functions"),
    "code": N_("Code"),
    "faults": N_("Faults"),
}


MAX_OPENED_BYTES = 5_000_000
"""Maximum size of all recordings that a session has opened from files."""

MAX_OPENED_VALUES = 400_000
"""Maximum number of JSON values in a recording to open; one of 5 MB of a real run has half as many."""

MAX_OPENED_CALLS = 3_000
"""Maximum number of calls, also repeated ones, in a recording to open: to replay them takes a second."""


def draw_inspector(session: ChatSession) -> Callable[[], None] | None:
    """Draw the tab that the user selected.

    While an answer is being recorded, its tab has no inputs; call the returned function to bring it up to
    date.
    """
    page = page_state()
    with st.container(key=keys.INSPECTOR_SIDE):
        draw_sheet_top(lambda: setattr(page, "inspector_open", False))
        # Faults are for local users only: a function that never returns costs the server a thread. The code
        # has the functions' modules in it, with every constant.
        allowed = {"faults": session.connection.is_localhost, "code": session.connection.shows_source}
        tabs = [tab for tab in TABS if allowed.get(tab, True)]
        selected = _draw_tabs(tabs)
        # One place per tab: otherwise elements of the previous tab remain visible while an answer streams.
        places = {tab: st.container() if tab == selected else st.empty() for tab in tabs}
        with places[selected]:
            return _draw_tab(selected, session)


def _draw_tabs(tabs: list[str]) -> str:
    selected = st.session_state.get(keys.INSPECTOR_TAB)
    st.session_state[keys.INSPECTOR_TAB] = selected if selected in tabs else "run"
    tab = st.segmented_control(
        _("Inspector"),
        tabs,
        key=keys.INSPECTOR_TAB,
        format_func=lambda name: translate(TABS[name]),
        required=True,
        label_visibility="collapsed",
        width="stretch",
        persist_state="session",
    )
    return tab or "run"


def _draw_tab(tab: str, session: ChatSession) -> Callable[[], None] | None:
    match tab:
        case "request":
            draw_request_panel(session)
        case "functions":
            _draw_approve_all(session)
            draw_function_runner(session.connection.toolbox, session.connection.settings.tool_timeout)
        case "code":
            draw_code(session)
        case "faults":
            draw_faults(session.connection)
        case _ if session.live_run and session.recordings:
            return draw_live_events(session.recordings[-1])
        case _:
            _draw_differences(session)
            page = page_state()
            call_id, page.inspected_call = page.inspected_call, ""
            recordings = [*page.opened_recordings, *session.recordings]
            draw_run_log(recordings, partial(_replay, session), call_id=call_id)
            _draw_open_recording(session)
    return None


def _draw_approve_all(session: ChatSession) -> None:
    st.toggle(
        _("Ask me before every call"),
        session.connection.approve_all,
        key=keys.APPROVE_ALL,
        on_change=lambda: setattr(session.connection, "approve_all", st.session_state[keys.APPROVE_ALL]),
        help=_("Then even a function that does not exist can be called: you provide its result."),
    )


# --- recordings -------------------------------------------------------------------------------------


def _draw_differences(session: ChatSession) -> None:
    """Draw what functions that were run again returned differently than in the recording."""
    answer = session.thread.messages[-1] if session.thread.messages else None
    if session.replayed is None or answer is None or answer.ending is None:
        return
    found = differences(session.replayed, answer.events())
    if not found:
        st.success(_("The functions returned the recorded results."), icon=":material/check_circle:")
    for difference in found:
        st.warning(escape_markdown(translate(difference)), icon=":material/difference:")


def _draw_open_recording(session: ChatSession) -> None:
    """Draw the recordings that come with the project, and the input for a saved one."""
    with st.expander(_("Open recording"), key=keys.OPEN_RECORDING, icon=":material/play_circle:"):
        for name in sample_files():
            st.button(
                translate(sample_title(name)),
                key=keys.recording(name),
                width="stretch",
                on_click=_replay_sample,
                args=[session, name],
            )
        st.file_uploader(
            _("Saved recording (.jsonl)"),
            "jsonl",
            key=keys.RECORDING_FILE,
            on_change=_open_recording,
            args=[session],
            max_upload_size=MAX_OPENED_BYTES // 1_000_000,
        )
        st.toggle(
            _("Run functions again"),
            key=keys.REPLAY_FUNCTIONS,
            persist_state="session",
            help=_("Otherwise they return the recorded results. Differences are shown above."),
        )


def _replay(session: ChatSession, recording: Recording, speed: float) -> None:
    session.replay(recording, speed, run_functions=st.session_state.get(keys.REPLAY_FUNCTIONS, False))


def _replay_sample(session: ChatSession, name: str) -> None:
    _replay(session, Recording.from_lines(sample_files()[name].read_text("utf-8")), 1.0)


def _open_recording(session: ChatSession) -> None:
    """Add the uploaded recording to those of the thread; the oldest opened ones make room for it."""
    file = st.session_state[keys.RECORDING_FILE]
    if file is None:
        return
    opened = page_state().opened_recordings
    try:
        with READING:
            recording = _read_recording(file)
            session.app.opened_recordings.add(recording)
    except RecordingError as error:
        st.toast(escape_markdown(translate(error.args[0])), icon=":material/error:")
        return
    opened.append(recording)
    while sum(each.size() for each in opened) > MAX_OPENED_BYTES:
        del opened[0]


def _read_recording(file: Any) -> Recording:
    if file.size > MAX_OPENED_BYTES:
        raise RecordingError(N_("This file is too large. A recording to open may have up to 5 MB."))
    text = file.getvalue().decode("utf-8", "replace")
    if count_values(text) > MAX_OPENED_VALUES:
        raise RecordingError(N_("This file has too many values to be opened as a recording."))
    recording, reader = Recording.from_lines(text), WireReader()
    parts = (part for entry in recording.entries() for part in reader.read(entry).parts)
    if sum(isinstance(part, CallRequested) for part in parts) > MAX_OPENED_CALLS:
        raise RecordingError(N_("This recording has too many calls to be opened."))
    return recording
