"""The sandbox beside the chat: what a run did on the wire, the functions by themselves, the code, the faults.

Not here: each of these (``inspector.py``, ``workbench.py``, ``script.py``, ``wire/fault.py``).

The one rule: what is set here holds for this browser session alone, and from the next message on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from assistant.codegen.curl import curl_command
from assistant.codegen.script import turn_script
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.recording import Recording, RecordingError, sample_files
from assistant.recordings.requests import answer_request_of, base_url_of
from assistant.runs.replay import differences
from assistant.settings import ProtocolName, Settings
from assistant.threads import Thread
from assistant.tools.fault_injection import with_faults
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import FUNCTIONS, STREAM, Fault, parse_faults
from assistant.ui.language import _, translate
from assistant.ui.sandbox.function_runner import draw_workbench
from assistant.ui.sandbox.inspector import Replay, draw_inspector
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


@dataclass(frozen=True, slots=True)
class Sandbox:
    """What the panels are about, and what they can do.

    ``recordings`` are those of the open thread, the oldest first, and ``played`` is the one that the thread is a
    replay of, with its functions run again. ``replay`` plays a tape in a new thread, ``play`` one of a file.
    """

    thread: Thread
    recordings: Sequence[Recording]
    toolbox: Toolbox
    settings: Settings
    protocol: ProtocolName
    replay: Replay
    play: Callable[[Path], None]
    played: Recording | None = None
    localhost: bool = False


def draw_sandbox(sandbox: Sandbox, live: bool) -> Callable[[], None] | None:
    """Draw the panel that a person chose.

    While the newest tape is being recorded (``live``), its panel has nothing to click, and what is given
    back brings it up to date.
    """
    with st.container(key="sandbox_side"):
        return _draw_panel(sandbox, live)


def _panel_in_words(panel: str) -> str:
    return _(PANELS[panel])


def _draw_panel(sandbox: Sandbox, live: bool) -> Callable[[], None] | None:
    st.html(STAYS)
    # From elsewhere nobody breaks anything: a function that never returns costs the host a thread.
    panels = [each for each in PANELS if each != "faults" or sandbox.localhost]
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
        return _draw_chosen(panel, sandbox, live)


def _draw_chosen(panel: str, sandbox: Sandbox, live: bool) -> Callable[[], None] | None:
    match panel:
        case "functions":
            st.toggle(
                _("Ask me before every call"),
                key="approve_all",
                persist_state="session",
                help=_("Then a function need not even exist: its call can be answered by hand."),
            )
            draw_workbench(sandbox.toolbox, sandbox.settings.tool_timeout)
        case "code":
            _draw_code(sandbox)
        case "faults":
            _draw_faults(sandbox)
        case _ if live:
            return watch(sandbox.recordings[-1])
        case _:
            _draw_differences(sandbox)
            opened = st.session_state.setdefault("opened_tapes", [])
            focus = st.session_state.pop("inspect", "")
            draw_inspector([*opened, *sandbox.recordings], focus=focus, replay=sandbox.replay)
            _draw_tapes(sandbox)
    return None


def _draw_differences(sandbox: Sandbox) -> None:
    """Where functions that were run again gave something else than on the tape."""
    last = sandbox.thread.messages[-1] if sandbox.thread.messages else None
    if sandbox.played is None or last is None or last.ending is None:
        return
    found = differences(sandbox.played, last.events())
    if not found:
        st.success(_("The functions gave what they gave on the tape."), icon=":material/check_circle:")
    for each in found:
        st.warning(escape_markdown(each), icon=":material/difference:")


def _draw_tapes(sandbox: Sandbox) -> None:
    """Other tapes than this thread's: one that was saved, or one that comes with the project."""
    with st.expander(_("Play another tape"), key="sandbox_tapes", icon=":material/play_circle:"):
        for name, path in sample_files().items():
            st.button(
                translate(name.replace("_", " ")).capitalize(),
                key=f"play_{name}",
                width="stretch",
                on_click=sandbox.play,
                args=[path],
            )
        st.file_uploader(_("A tape that was saved"), "jsonl", key="opened_tape", on_change=_open_tape)
        st.toggle(
            _("Run the functions again"),
            key="replay_again",
            persist_state="session",
            help=_("Else they give what they gave on the tape. Where they differ now is said above."),
        )


def _open_tape() -> None:
    """Lay a tape from a file beside those of the thread."""
    file = st.session_state.opened_tape
    if file is None:
        return
    try:
        recording = Recording.from_lines(file.getvalue().decode("utf-8", "replace"))
    except RecordingError as error:
        st.toast(escape_markdown(error), icon=":material/error:")
        return
    st.session_state.opened_tapes.append(recording)


def _draw_code(sandbox: Sandbox) -> None:
    said = [message.text for message in sandbox.thread.messages if message.role == "user"]
    if not said:
        st.caption(_("Say something first: the code that says it with the SDK alone is shown here."))
        return
    called = {call.name for message in sandbox.thread.messages[-1:] for call in message.calls}
    toolbox = Toolbox(*(tool for tool in sandbox.toolbox.values() if tool.name in called))
    chat = sandbox.protocol == "chat"
    settings = replace(sandbox.settings, protocol="chat" if chat else "responses")
    st.caption(
        _(
            "The last message, said with the SDK alone: the loop, and the functions that were called. It "
            "runs as it is, with your key in the environment."
        )
    )
    st.code(turn_script(settings, toolbox, said[-1]), language="python")
    if sandbox.recordings and (request := answer_request_of(sandbox.recordings[-1])):
        st.caption(_("One request, as it was sent"))
        st.code(curl_command(request, base_url_of(sandbox.recordings[-1])), language="bash", wrap_lines=True)


def _draw_faults(sandbox: Sandbox) -> None:
    st.caption(_("What is broken on purpose, from the next message on, in this session."))
    st.session_state.setdefault("faults", sandbox.settings.faults)
    text = st.text_input(
        _("Faults"),
        key="faults",
        placeholder="cut:5, slow:200, 429:2@2, function.raise:get_weather",
        help=_(
            "A kind, and the number of its event or its amount; @2 for the second round alone. "
            "random draws one; seed=7 decides which."
        ),
        persist_state="session",
    )
    try:
        with_faults(sandbox.toolbox, faults := parse_faults(text))
        for fault in faults:
            _draw_fault(fault)
    except ValueError as error:
        st.error(escape_markdown(error), icon=":material/error:")
    for key, title, kinds in (
        ("fault_stream", _("On the stream"), STREAM),
        ("fault_functions", _("On functions"), FUNCTIONS),
    ):
        st.pills(title, list(kinds), key=key, on_change=_add_fault, args=[key])
    if text:
        st.button(_("Break nothing"), key="faults_off", icon=":material/healing:", on_click=_mend)


def _draw_fault(fault: Fault) -> None:
    with st.container(border=True, gap="xxsmall"):
        st.markdown(f"**{escape_markdown(str(fault))}** {escape_markdown(fault.describe())}")
        st.caption(_("Expected: {outcome}", outcome=escape_markdown(fault.expected())))


def _add_fault(key: str) -> None:
    kind, st.session_state[key] = st.session_state[key], None
    st.session_state.faults = ", ".join(filter(None, [st.session_state.faults.strip(" ,"), kind]))


def _mend() -> None:
    st.session_state.faults = ""
