"""The newest events of a run in progress, without inputs; the caller brings them up to date."""

from collections.abc import Callable

import streamlit as st

from assistant.recordings.recording import Recording
from assistant.ui.inspector.event_rows import EventRows
from assistant.ui.inspector.event_table import ROW_HEIGHT, table_columns
from assistant.ui.language import _, ngettext

MAX_ROWS = 30


def draw_live_events(recording: Recording) -> Callable[[], None]:
    """Draw places for a growing recording, and return a function that draws its newest events there.

    Each call reads only what is new since the last one.
    """
    rows = EventRows()
    caption, table = st.empty(), st.empty()

    def update() -> None:
        entries = recording.entries()
        rows.add(entries)
        count = ngettext("{count:,} event", "{count:,} events", len(entries))
        caption.caption(f":shimmer[{_('Recording…')}] {count}")
        newest = rows.all[: -MAX_ROWS - 1 : -1]
        table.dataframe(table_columns(newest), hide_index=True, row_height=ROW_HEIGHT)

    return update
