"""What the inspector knows of each run between two drawings, and which run a person looks at.

Not here: drawing what is in it (``inspector.py``).

The one rule: a tape only grows, so what was worked out of it once is kept, and only what is new is looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import streamlit as st

from assistant.recordings.entries import Entry
from assistant.recordings.recording import Recording
from assistant.recordings.requests import prompt_of
from assistant.recordings.timeline import Measurement
from assistant.tools.results import replace_surrogates
from assistant.ui.language import _
from assistant.ui.sandbox.inspector_events import go_to
from assistant.ui.sandbox.inspector_rows import Rows, mentions

T = TypeVar("T")

RUN = "inspector_run"


@dataclass(slots=True)
class RecordingView:
    """What has been worked out of one tape, so that only what is new has to be looked at."""

    recording: Recording
    number: int
    rows: Rows = field(default_factory=Rows)
    _measurement: Measurement = field(default_factory=Measurement)
    _measured: int = 0
    prompt: str = ""
    _done: dict[str, tuple[int, Any]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The run's time, and what the person had said."""
        self.prompt = self.prompt or replace_surrogates(" ".join(prompt_of(self.recording).split()))
        zone = ZoneInfo(st.context.timezone) if st.context.timezone else None
        words = self.prompt if len(self.prompt) <= 60 else self.prompt[:59] + "…"
        return f"{self.number} · {datetime.fromtimestamp(self.recording.began, zone):%H:%M:%S}  {words}"

    def measure(self, entries: Sequence[Entry]) -> Measurement:
        """The measurement of all entries of the tape."""
        self._measurement.add(entries[self._measured :])
        self._measured = len(entries)
        return self._measurement

    def once(self, work: Callable[[Recording], T], size: int) -> T:
        """What comes of a work on the tape, done again only when the tape has grown."""
        known = self._done.get(work.__name__)
        if known is None or known[0] != size:
            self._done[work.__name__] = known = size, work(self.recording)
        done: T = known[1]
        return done


class RecordingList:
    """The sheets of the runs that a person may look at; kept for as long as their session."""

    def __init__(self) -> None:
        self.sheets: list[RecordingView] = []  # the newest first
        self._made = 0

    def lay_out(self, recordings: Sequence[Recording]) -> None:
        """Have a sheet for each tape, and look at the newest when it is new."""
        known = {id(sheet.recording): sheet for sheet in self.sheets}
        newest = self.sheets[0] if self.sheets else None
        self.sheets = []
        for recording in recordings:
            sheet = known.get(id(recording))
            if sheet is None:
                self._made += 1
                sheet = RecordingView(recording, self._made)
            self.sheets.insert(0, sheet)
        if self.sheets and self.sheets[0] is not newest:
            self.look_at(self.sheets[0])

    def look_at(self, sheet: RecordingView, entry: int | None = None) -> None:
        """Choose a run, and perhaps one of its entries; before either is drawn."""
        st.session_state[RUN] = sheet.number
        go_to(entry)

    def look_for(self, call_id: str) -> bool:
        """Look at the first entry that mentions a call, in the newest run that has one; tell if there is."""
        for sheet in self.sheets:
            entries = enumerate(sheet.recording.entries())
            number = next((number for number, entry in entries if mentions(entry, call_id)), None)
            if number is not None:
                self.look_at(sheet, number)
                return True
        return False

    def choose(self) -> RecordingView:
        """Draw the choice of a run, if there is any; gives the one that was chosen."""
        sheets = {sheet.number: sheet for sheet in self.sheets}
        if len(sheets) == 1:
            return self.sheets[0]
        number = st.selectbox(
            _("Run"),
            list(sheets),
            key=RUN,
            format_func=lambda number: sheets[number].label if number in sheets else "",
            on_change=go_to,
            args=[None],
            label_visibility="collapsed",
            persist_state="session",
        )
        return sheets.get(number, self.sheets[0])


def desk_for(recordings: Sequence[Recording]) -> RecordingList:
    """The desk of this session, with these tapes, the oldest first."""
    kept = st.session_state.get("inspector_desk")
    desk = (
        kept if isinstance(kept, RecordingList) else RecordingList()
    )  # not, after an edit reloaded the package
    st.session_state["inspector_desk"] = desk
    desk.lay_out(recordings)
    return desk
