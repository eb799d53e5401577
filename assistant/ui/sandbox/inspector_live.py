"""The events of a run while it goes on: nothing to click, brought up to date by whoever follows the answer.

Not here: the inspector of a run that has ended (``inspector.py``).

The one rule: each look costs as much as there is new, and shows the newest part alone.
"""

from collections.abc import Callable

import streamlit as st

from assistant.recordings.recording import Recording
from assistant.ui.language import _
from assistant.ui.sandbox.inspector_events import columns_of
from assistant.ui.sandbox.inspector_rows import Rows

NEWEST = 30
"""Rows that are shown."""


def watch(recording: Recording) -> Callable[[], None]:
    """Make places for a tape that grows; what is given back draws it there as it stands."""
    rows = Rows()
    caption, table = st.empty(), st.empty()

    def look() -> None:
        entries = recording.entries()
        rows.add(entries)
        words = _("{count} entries", count=f"{len(entries):,}")
        caption.caption(f":shimmer[{_('Recording …')}] {words}")
        table.dataframe(columns_of(rows.of()[: -NEWEST - 1 : -1]), hide_index=True, row_height=28)

    return look
