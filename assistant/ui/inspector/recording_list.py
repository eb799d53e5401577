"""The recordings that this session can inspect, and what has been computed from each of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import streamlit as st

from assistant.recordings.recording import Recording
from assistant.recordings.requests import prompt_of
from assistant.texts import replace_surrogates, shorten
from assistant.ui import keys
from assistant.ui.inspector.event_rows import EventRows, mentions
from assistant.ui.inspector.event_table import select_event
from assistant.ui.language import _, time_zone

T = TypeVar("T")

MAX_LABEL_CHARS = 60


@dataclass(slots=True)
class RecordingView:
    """A recording and what has been computed from it. A recording only grows."""

    recording: Recording
    number: int
    rows: EventRows = field(default_factory=EventRows)
    _prompt: str = ""
    _computed: dict[str, tuple[int, Any]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The number and time of the run, and the user's message."""
        self._prompt = self._prompt or replace_surrogates(" ".join(prompt_of(self.recording).split()))
        prompt = shorten(self._prompt, MAX_LABEL_CHARS)
        began = datetime.fromtimestamp(self.recording.began, time_zone())
        return f"{self.number} · {began:%H:%M:%S}  {prompt}"

    def compute(self, function: Callable[[Recording], T], size: int) -> T:
        """Return the function's value for the recording, computed once for each ``size`` of it."""
        computed = self._computed.get(function.__name__)
        if computed is None or computed[0] != size:
            self._computed[function.__name__] = computed = size, function(self.recording)
        value: T = computed[1]
        return value


@dataclass(slots=True)
class RecordingList:
    """The views of this session's recordings, newest first."""

    views: list[RecordingView] = field(default_factory=list)
    _created: int = 0

    def update(self, recordings: Sequence[Recording]) -> None:
        """Show these recordings, oldest first, and select the newest if it is new."""
        known = {id(view.recording): view for view in self.views}
        newest = self.views[0] if self.views else None
        self.views = [known.get(id(recording)) or self._create(recording) for recording in recordings][::-1]
        if self.views and self.views[0] is not newest:
            self.select(self.views[0])

    def _create(self, recording: Recording) -> RecordingView:
        self._created += 1
        return RecordingView(recording, self._created)

    def select(self, view: RecordingView, position: int | None = None) -> None:
        """Select a recording, and an event in it. Call it before either is drawn."""
        st.session_state[keys.INSPECTOR_RUN] = view.number
        select_event(position)

    def select_call(self, call_id: str) -> bool:
        """Select the first event of a call in the newest recording that has one; return if found."""
        for view in self.views:
            for position, entry in enumerate(view.recording.entries()):
                if mentions(entry, call_id):
                    self.select(view, position)
                    return True
        return False

    def draw_selection(self) -> RecordingView:
        """Draw the choice of a recording if there are several, and return the selected one."""
        views = {view.number: view for view in self.views}
        if len(views) == 1:
            return self.views[0]
        number = st.selectbox(
            _("Run"),
            list(views),
            key=keys.INSPECTOR_RUN,
            format_func=lambda number: views[number].label if number in views else "",
            on_change=select_event,
            args=[None],
            label_visibility="collapsed",
            persist_state="session",
        )
        return views.get(number, self.views[0])
