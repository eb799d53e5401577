"""The sandbox beside the chat: what a run did on the wire, the functions by themselves, the code, the faults.

Not here: each of these (``inspector.py``, ``workbench.py``, ``script.py``, ``wire/fault.py``).

The one rule: what is set here holds for this browser session alone, and from the next message on.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import streamlit as st

from assistant.codegen.curl import curl_command
from assistant.codegen.script import turn_script
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.recording import Recording, RecordingError, sample_files
from assistant.recordings.requests import answer_request_of, base_url_of
from assistant.runs.replay import differences
from assistant.session import ChatSession
from assistant.tools.fault_injection import with_faults
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import FUNCTIONS, STREAM, Fault, parse_faults
from assistant.ui import keys
from assistant.ui.language import _, translate
from assistant.ui.sandbox.function_runner import draw_function_runner
from assistant.ui.sandbox.inspector import draw_inspector
from assistant.ui.sandbox.inspector_live import watch

# Beside the chat, not below it: it stays in view while the chat is scrolled.
STAYS = """<style>@media (min-width: 640px) {
[data-testid=stColumn]:has(.st-key-sandbox_side) {
  position: sticky; top: 4rem; align-self: flex-start; max-height: calc(100vh - 11rem); overflow-y: auto;
}}</style>"""

PANELS = {
    "run": N_("Run"),
    "functions": N_("Functions"),
    "code": N_("Code"),
    "faults": N_("Faults"),
}


def draw_sandbox(session: ChatSession) -> Callable[[], None] | None:
    """Draw the panel that the user chose.

    While an answer is being recorded, its panel has no widgets, and the returned function brings it up to date.
    """
    with st.container(key=keys.SANDBOX_SIDE):
        return _draw_panel(session)


def _panel_in_words(panel: str) -> str:
    return _(PANELS[panel])


def _draw_panel(session: ChatSession) -> Callable[[], None] | None:
    st.html(STAYS)
    # From elsewhere nobody breaks anything: a function that never returns costs the host a thread.
    panels = [each for each in PANELS if each != "faults" or session.is_localhost]
    chosen = st.session_state.get("sandbox_panel")
    st.session_state.sandbox_panel = chosen if chosen in panels else "run"
    panel = st.segmented_control(
        _("Sandbox"),
        panels,
        key="sandbox_panel",
        format_func=_panel_in_words,
        required=True,
        label_visibility="collapsed",
        width="stretch",
        persist_state="session",
    )
    # A place for each: what one leaves behind would be seen in another for as long as an answer goes on.
    panel = panel or "run"
    places = {each: st.container() if each == panel else st.empty() for each in panels}
    with places[panel]:
        return _draw_chosen(panel, session)


def _draw_chosen(panel: str, session: ChatSession) -> Callable[[], None] | None:
    match panel:
        case "functions":
            st.toggle(
                _("Ask me before every call"),
                session.approve_all,
                key=keys.APPROVE_ALL,
                on_change=_set_approve_all,
                args=[session],
                help=_("Then a function need not even exist: its call can be answered by hand."),
            )
            draw_function_runner(session.toolbox, session.settings.tool_timeout)
        case "code":
            _draw_code(session)
        case "faults":
            _draw_faults(session)
        case _ if session.live_run and session.recordings:
            return watch(session.recordings[-1])
        case _:
            _draw_differences(session)
            focus, session.inspected_call = session.inspected_call, ""
            recordings = [*session.opened_recordings, *session.recordings]
            draw_inspector(recordings, focus=focus, replay=partial(_replay, session))
            _draw_tapes(session)
    return None


def _draw_differences(session: ChatSession) -> None:
    """Where functions that were run again gave something else than on the tape."""
    last = session.thread.messages[-1] if session.thread.messages else None
    if session.replayed is None or last is None or last.ending is None:
        return
    found = differences(session.replayed, last.events())
    if not found:
        st.success(_("The functions gave what they gave on the tape."), icon=":material/check_circle:")
    for each in found:
        st.warning(escape_markdown(translate(each)), icon=":material/difference:")


def _draw_tapes(session: ChatSession) -> None:
    """Other tapes than this thread's: one that was saved, or one that comes with the project."""
    with st.expander(_("Play another tape"), key=keys.OPEN_RECORDING, icon=":material/play_circle:"):
        for name, path in sample_files().items():
            st.button(
                translate(name.replace("_", " ")).capitalize(),
                key=keys.recording(name),
                width="stretch",
                on_click=_play,
                args=[session, path],
            )
        st.file_uploader(
            _("A tape that was saved"), "jsonl", key=keys.RECORDING_FILE, on_change=_open_tape, args=[session]
        )
        st.toggle(
            _("Run the functions again"),
            key=keys.REPLAY_AGAIN,
            persist_state="session",
            help=_("Else they give what they gave on the tape. Where they differ now is said above."),
        )


def _open_tape(session: ChatSession) -> None:
    """Lay a tape from a file beside those of the thread."""
    file = st.session_state[keys.RECORDING_FILE]
    if file is None:
        return
    try:
        recording = Recording.from_lines(file.getvalue().decode("utf-8", "replace"))
    except RecordingError as error:
        st.toast(escape_markdown(translate(error.args[0])), icon=":material/error:")
        return
    session.opened_recordings.append(recording)


def _replay(session: ChatSession, recording: Recording, speed: float) -> None:
    session.replay(recording, speed, run_functions=st.session_state.get(keys.REPLAY_AGAIN, False))


def _play(session: ChatSession, path: Path) -> None:
    _replay(session, Recording.from_lines(path.read_text("utf-8")), 1.0)


def _set_approve_all(session: ChatSession) -> None:
    session.approve_all = st.session_state[keys.APPROVE_ALL]


def _draw_code(session: ChatSession) -> None:
    said = [message.text for message in session.thread.messages if message.role == "user"]
    if not said:
        st.caption(_("Say something first: the code that says it with the SDK alone is shown here."))
        return
    called = {call.name for message in session.thread.messages[-1:] for call in message.calls}
    toolbox = Toolbox(*(tool for tool in session.toolbox.values() if tool.name in called))
    chat = session.backend.protocol == "chat"
    settings = replace(session.settings, protocol="chat" if chat else "responses")
    st.caption(
        _(
            "The last message, said with the SDK alone: the loop, and the functions that were called. It "
            "runs as it is, with your key in the environment."
        )
    )
    st.code(turn_script(settings, toolbox, said[-1]), language="python")
    if session.recordings and (request := answer_request_of(session.recordings[-1])):
        st.caption(_("One request, as it was sent"))
        st.code(curl_command(request, base_url_of(session.recordings[-1])), language="bash", wrap_lines=True)


def _draw_faults(session: ChatSession) -> None:
    st.caption(_("What is broken on purpose, from the next message on, in this session."))
    st.session_state.setdefault(keys.FAULTS, session.settings.faults)
    text = st.text_input(
        _("Faults"),
        key=keys.FAULTS,
        on_change=_set_faults,
        args=[session],
        placeholder="cut:5, slow:200, 429:2@2, function.raise:get_weather",
        help=_(
            "A kind, and the number of its event or its amount; @2 for the second round alone. "
            "random draws one; seed=7 decides which."
        ),
        persist_state="session",
    )
    try:
        with_faults(session.toolbox, faults := parse_faults(text))
        for fault in faults:
            _draw_fault(fault)
    except ValueError as error:
        st.error(escape_markdown(translate(error.args[0])), icon=":material/error:")
    for key, title, kinds in (
        (keys.FAULTS_STREAM, _("On the stream"), STREAM),
        (keys.FAULTS_FUNCTIONS, _("On functions"), FUNCTIONS),
    ):
        st.pills(title, list(kinds), key=key, on_change=_add_fault, args=[session, key])
    if text:
        st.button(
            _("Break nothing"),
            key=keys.CLEAR_FAULTS,
            icon=":material/healing:",
            on_click=_clear_faults,
            args=[session],
        )


def _draw_fault(fault: Fault) -> None:
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f"**{escape_markdown(str(fault))}** {escape_markdown(translate(fault.describe()))}")
        st.caption(_("Expected: {outcome}", outcome=escape_markdown(translate(fault.expected()))))


def _set_faults(session: ChatSession) -> None:
    session.faults = st.session_state[keys.FAULTS]


def _add_fault(session: ChatSession, key: str) -> None:
    kind, st.session_state[key] = st.session_state[key], None
    faults = st.session_state[keys.FAULTS].strip(" ,")
    st.session_state[keys.FAULTS] = ", ".join(filter(None, [faults, kind]))
    _set_faults(session)


def _clear_faults(session: ChatSession) -> None:
    st.session_state[keys.FAULTS] = ""
    _set_faults(session)
