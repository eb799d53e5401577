"""Views of a recorded run: its events, timing, sequence diagram, protocol check, and the recording itself.

What is in a recording comes from the model, the server and files: it is drawn as data, never as Markdown or
HTML.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

import streamlit as st

from assistant.codegen.pytest_file import pytest_zip
from assistant.locale import N_
from assistant.markdown.escape import escape_markdown
from assistant.recordings.check import Finding, check
from assistant.recordings.diagram import as_mermaid
from assistant.recordings.recording import NOT_LIVE, Recording
from assistant.recordings.timeline import Measurement
from assistant.texts import replace_surrogates
from assistant.ui import keys
from assistant.ui.inspector.costs import draw_costs
from assistant.ui.inspector.event_table import draw_events, select_event
from assistant.ui.inspector.recording_list import RecordingList, RecordingView
from assistant.ui.inspector.timing import draw_timing
from assistant.ui.language import _, ngettext, translate
from assistant.ui.state import page_state, state_of

View = Literal["Events", "Timing", "Cost", "Sequence", "Check", "Recording"]

VIEWS: dict[View, str] = {
    "Events": N_("Events"),
    "Timing": N_("Timing"),
    "Cost": N_("Cost"),
    "Sequence": N_("Sequence"),
    "Check": N_("Check"),
    "Recording": N_("Recording"),
}
MAX_FINDINGS = 50
SPEEDS = {"1×": 1.0, "10×": 10.0, "instant": math.inf}

Replay = Callable[[Recording, float], None]
"""Replays a recording in a new thread, with this speed."""


def draw_run_log(recordings: Sequence[Recording], replay: Replay, *, call_id: str = "") -> None:
    """Draw the views of these recordings, oldest first; the user selects one of them.

    With ``call_id``, the first event of this call is selected.
    """
    recording_list = state_of(RecordingList)
    recording_list.update(recordings)
    if not recordings:
        st.caption(_("Nothing recorded yet. Send a message to see every event of its answer here."))
        return
    if call_id and recording_list.select_call(call_id):
        st.session_state[keys.INSPECTOR_VIEW] = "Events"
    view = _draw_views()
    selected = recording_list.draw_selection()
    entries = selected.recording.entries()
    if not selected.recording.is_live:
        st.badge(translate(NOT_LIVE), icon=":material/history:", color="gray")
    match view:
        case "Events":
            selected.rows.add(entries)
            draw_events(entries, selected.rows)
        case "Timing":
            measurement = selected.compute(Measurement, len(entries))
            draw_timing(measurement.spans(), measurement.figures())
        case "Cost":
            draw_costs(selected, recordings, len(entries))
        case "Sequence":
            _draw_sequence(selected, len(entries))
        case "Check":
            _draw_check(selected, len(entries))
        case _:
            _draw_recording(selected.recording, len(entries), replay)


def _draw_views() -> View:
    # Assigned in every run: the browser forgets a widget's value in a run that does not draw it.
    view: View = st.session_state.get(keys.INSPECTOR_VIEW) or "Events"
    st.session_state[keys.INSPECTOR_VIEW] = view
    st.segmented_control(
        _("View"),
        list(VIEWS),
        key=keys.INSPECTOR_VIEW,
        format_func=lambda name: translate(VIEWS[name]),
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    return view


def _draw_sequence(selected: RecordingView, size: int) -> None:
    diagram = selected.compute(as_mermaid, size)
    st.mermaid_chart(diagram, alt=_("Sequence diagram of the run"))
    with st.expander(_("Text"), key=keys.INSPECTOR_MERMAID, icon=":material/code:"):
        st.code(diagram, language="mermaid", wrap_lines=True)


# --- check ------------------------------------------------------------------------------------------


def _draw_check(selected: RecordingView, size: int) -> None:
    findings = selected.compute(check, size)
    if not findings:
        st.success(
            ngettext(
                "Protocol check passed ({count:,} event)", "Protocol check passed ({count:,} events)", size
            ),
            icon=":material/check_circle:",
        )
        st.caption(
            _(
                "Each response ends once and nothing follows; sequence numbers rise; the pieces of a text "
                "add up to the whole; each call has one result; functions run only after their round has "
                "ended well."
            )
        )
        return
    st.error(
        ngettext("{count:,} protocol violation", "{count:,} protocol violations", len(findings)),
        icon=":material/error:",
    )
    with st.container(gap="xsmall"):
        for number, finding in enumerate(findings[:MAX_FINDINGS]):
            _draw_finding(finding, number)
    if len(findings) > MAX_FINDINGS:
        st.caption(_("Showing the first {count}.", count=MAX_FINDINGS))


def _draw_finding(finding: Finding, number: int) -> None:
    with st.container(horizontal=True, wrap=False, gap="small"):
        if finding.entry >= 0:
            st.button(
                f"#{finding.entry}",
                key=keys.inspector_finding(number),
                type="tertiary",
                on_click=_show_event,
                args=[finding.entry],
                help=_("Show in events"),
            )
        text = escape_markdown(replace_surrogates(translate(finding.text)))
        st.markdown(f":red[{escape_markdown(finding.rule)}] {text}")


def _show_event(position: int) -> None:
    st.session_state[keys.INSPECTOR_VIEW] = "Events"
    select_event(position)


# --- the recording ------------------------------------------------------------------------------------


def _draw_recording(recording: Recording, size: int, replay: Replay) -> None:
    st.caption(
        ngettext(
            "{count:,} event, {size} kB. Contains the conversation; credentials are removed.",
            "{count:,} events, {size} kB. Contains the conversation; credentials are removed.",
            size,
            size=f"{recording.size() / 1000:,.0f}",
        )
    )
    name = f"run-{datetime.fromtimestamp(recording.began):%Y%m%d-%H%M%S}"
    with st.container(horizontal=True):
        st.download_button(
            _("Save recording"),
            _exported(recording, "recording", lambda: recording.as_lines().encode()),
            file_name=f"{name}.recording.jsonl",
            mime="application/jsonl",
            key=keys.INSPECTOR_SAVE,
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            _("Save as test"),
            _exported(recording, "test", partial(pytest_zip, recording)),
            file_name=f"{name}.zip",
            mime="application/zip",
            key=keys.INSPECTOR_SAVE_TEST,
            on_click="ignore",
            icon=":material/science:",
            help=_(
                "A zip file with the recording and a pytest test that replays it and compares the results"
            ),
        )
    _draw_replay(recording, replay)


def _exported(recording: Recording, format: str, content: Callable[[], bytes]) -> Callable[[], bytes]:
    session = page_state().session
    return (
        partial(session.visit.export, "recording_exported", session.thread.id, format, content)
        if session
        else content
    )


def _draw_replay(recording: Recording, replay: Replay) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            _("Speed"),
            list(SPEEDS),
            format_func=lambda name: _("Instant") if name == "instant" else name,
            default="1×",
            key=keys.INSPECTOR_SPEED,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        st.button(
            _("Replay"),
            key=keys.INSPECTOR_REPLAY,
            icon=":material/replay:",
            on_click=lambda: replay(recording, SPEEDS[st.session_state[keys.INSPECTOR_SPEED]]),
            help=_("Replays with the same client, backend and loop, without a server and without functions"),
        )
