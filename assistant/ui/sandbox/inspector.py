"""The inspector: a run as it went over the wire, seen as events, as time, as a sequence, judged, or saved.

Not here: the list of events (``inspector_events.py``), time (``inspector_timing.py``), recording (``wire/``).

The one rule: what is on a tape was said by strangers; it is shown as data, never as Markdown or HTML.
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
from assistant.recordings.entries import Entry
from assistant.recordings.recording import Recording
from assistant.tools.results import replace_surrogates
from assistant.ui.language import _, translate
from assistant.ui.sandbox.inspector_events import draw_events, go_to
from assistant.ui.sandbox.inspector_timing import draw_timing
from assistant.ui.sandbox.recording_list import RecordingView, desk_for

View = Literal["Events", "Timing", "Sequence", "Check", "Tape"]

VIEWS: dict[View, str] = {
    "Events": N_("Events"),
    "Timing": N_("Timing"),
    "Sequence": N_("Sequence"),
    "Check": N_("Check"),
    "Tape": N_("Tape"),
}
VIEW = "inspector_view"

MOST_FINDINGS = 50
SPEEDS = {"1×": 1.0, "10×": 10.0, N_("At once"): math.inf}

Replay = Callable[[Recording, float], None]


def draw_inspector(
    recordings: Sequence[Recording], live: bool = False, *, focus: str = "", replay: Replay | None = None
) -> None:
    """Draw the inspector into whatever is open; ``recordings`` are a thread's runs, the oldest first.

    ``live`` says whether the newest still goes on. With ``focus``, the id of a call, the first entry that
    mentions it is gone to, each time. ``replay`` is called with a tape and a speed when a person asks for it.
    """
    desk = desk_for(recordings)
    if not recordings:
        st.caption(
            _("Nothing has been recorded yet. Send a message, and every event of its answer is shown here.")
        )
        return
    if focus and desk.look_for(focus):
        st.session_state[VIEW] = "Events"
    # Said anew each time: after a run in which it was not drawn, the browser has forgotten it.
    st.session_state[VIEW] = st.session_state.get(VIEW) or "Events"
    view = st.segmented_control(
        _("View"),
        list(VIEWS),
        key=VIEW,
        format_func=_view_in_words,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    sheet = desk.choose()
    going_on = live and sheet.recording is recordings[-1]
    entries = sheet.recording.entries()
    match view:
        case "Events":
            sheet.rows.add(entries)
            draw_events(entries, sheet.rows)
        case "Timing":
            measurement = sheet.measure(entries)
            draw_timing(measurement.spans(), measurement.figures())
        case "Sequence":
            _draw_sequence(sheet, len(entries))
        case "Check":
            _draw_check(sheet, entries, going_on)
        case _:
            _draw_tape(sheet.recording, len(entries), going_on, replay)


def _view_in_words(view: View) -> str:
    return _(VIEWS[view])


def _draw_sequence(sheet: RecordingView, size: int) -> None:
    drawing = sheet.once(as_mermaid, size)
    st.mermaid_chart(drawing, alt=_("Sequence diagram of the run"))
    with st.expander(_("As text"), key="inspector_mermaid", icon=":material/code:"):
        st.code(drawing, language="mermaid", wrap_lines=True)


def _draw_check(sheet: RecordingView, entries: Sequence[Entry], going_on: bool) -> None:
    findings = sheet.once(check, len(entries))
    if not findings:
        words = N_("All {count} entries keep to the protocol.")
        if going_on:
            words = N_("All {count} entries so far keep to the protocol.")
        st.success(_(words, count=f"{len(entries):,}"), icon=":material/check_circle:")
        st.caption(
            _(
                "Each answer ends once and says nothing after; its numbers rise; its pieces make the whole; "
                "each call is answered once, and nothing else is; functions run only after their round ended "
                "well."
            )
        )
        return
    st.error(
        _("{count} found that the protocol does not allow.", count=f"{len(findings):,}"),
        icon=":material/error:",
    )
    with st.container(gap="xsmall"):
        for number, finding in enumerate(findings[:MOST_FINDINGS]):
            _draw_finding(finding, number)
    if len(findings) > MOST_FINDINGS:
        st.caption(_("These are the first {count}.", count=MOST_FINDINGS))


def _draw_finding(finding: Finding, number: int) -> None:
    with st.container(horizontal=True, wrap=False, gap="small"):
        if finding.entry >= 0:
            st.button(
                f"#{finding.entry}",
                key=f"inspector_finding_{number}",
                type="tertiary",
                on_click=_show_entry,
                args=[finding.entry],
                help=_("Show it among the events"),
            )
        st.markdown(
            f":red[{escape_markdown(finding.rule)}] {escape_markdown(replace_surrogates(translate(finding.text)))}"
        )


def _show_entry(entry: int) -> None:
    st.session_state[VIEW] = "Events"
    go_to(entry)


def _draw_tape(recording: Recording, size: int, going_on: bool, replay: Replay | None) -> None:
    st.caption(
        _(
            "{count} entries, {size} kB. Keys, cookies and authorization are not on it; what was said is.",
            count=f"{size:,}",
            size=f"{recording.size() / 1000:,.0f}",
        )
    )
    name = f"tape-{datetime.fromtimestamp(recording.began):%Y%m%d-%H%M%S}"
    with st.container(horizontal=True):
        st.download_button(
            _("Save the tape"),
            lambda: recording.as_lines().encode(),
            file_name=f"{name}.jsonl",
            mime="application/jsonl",
            key="inspector_save",
            on_click="ignore",
            icon=":material/download:",
        )
        st.download_button(
            _("Save as a test"),
            partial(pytest_zip, recording),
            file_name=f"{name}.zip",
            mime="application/zip",
            key="inspector_save_test",
            on_click="ignore",
            icon=":material/science:",
            disabled=going_on,
            help=_("A zip of the tape and a test for pytest that plays it and looks whether all is the same"),
        )
    if replay is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.segmented_control(
            _("Speed"),
            list(SPEEDS),
            format_func=_,
            default="1×",
            key="inspector_speed",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        st.button(
            _("Play it again"),
            key="inspector_replay",
            icon=":material/replay:",
            on_click=lambda: replay(recording, SPEEDS[st.session_state["inspector_speed"]]),
            disabled=going_on,
            help=_(
                "Through the same client, backend and loop, without a server and without running a function"
            ),
        )
