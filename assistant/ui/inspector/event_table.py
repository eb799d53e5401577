"""The table of a recording's events, and the JSON of the selected ones; live, the newest events.

The selected event is known by its position in the recording, so it stays selected when the recording grows or
the filters change.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from assistant.recordings.entries import Entry, entry_as_json
from assistant.recordings.recording import NOT_LIVE, Recording
from assistant.texts import replace_surrogates
from assistant.ui import keys
from assistant.ui.chat.calls.output import truncation_notice
from assistant.ui.inspector.event_rows import EventRow, EventRows
from assistant.ui.language import _, ngettext, translate
from assistant.ui.state import state_of

MAX_JSON_CHARS = 20_000
"""Length of JSON that is sent to the browser."""
ROW_HEIGHT = 28
LIVE_ROWS = 9
TABLE_HEIGHT = 38 + LIVE_ROWS * ROW_HEIGHT
"""So low that there is room for the selected event below the table."""


@dataclass(slots=True)
class EventSelection:
    """The position of the selected event, and of the first event of each row in the table."""

    position: int | None = None
    rows: list[int] = field(default_factory=list)


def select_event(position: int | None) -> None:
    """Select an event, or none, and clear the filters. Call it before the table is drawn."""
    state_of(EventSelection).position = position
    st.session_state[keys.INSPECTOR_TYPES], st.session_state[keys.INSPECTOR_ROUNDS] = [], []


def draw_events(entries: Sequence[Entry], rows: EventRows) -> None:
    """Draw the table, and the selected event."""
    shown = rows.filter(*_draw_filters(rows))
    selection = state_of(EventSelection)
    row = None if selection.position is None else rows.find(selection.position)
    _select_in_table(shown, row)
    selection.rows = [shown_row.first for shown_row in shown]
    _draw_table(shown)
    if row is None:
        st.caption(
            _(
                "{rows:,} rows, {events:,} events. Click a row for details.",
                rows=len(rows.all),
                events=len(entries),
            )
        )
    else:
        _draw_event(entries[row.first : row.last + 1], row)


def _draw_filters(rows: EventRows) -> tuple[list[str], list[int]]:
    with st.container(horizontal=True, gap="small"):
        types = st.multiselect(
            _("Types"),
            rows.types,
            key=keys.INSPECTOR_TYPES,
            placeholder=_("All types"),
            label_visibility="collapsed",
            persist_state="session",
        )
        rounds = st.multiselect(
            _("Rounds"),
            rows.rounds,
            key=keys.INSPECTOR_ROUNDS,
            format_func=lambda number: _("Round {number}", number=number) if number else _("Before round 1"),
            placeholder=_("All rounds"),
            label_visibility="collapsed",
            width=150,
            persist_state="session",
        )
    return types, rounds


def _draw_table(shown: list[EventRow]) -> None:
    st.dataframe(
        _table_columns(shown),
        key=keys.INSPECTOR_EVENTS,
        hide_index=True,
        height=TABLE_HEIGHT,
        row_height=ROW_HEIGHT,
        placeholder="",
        on_select=_select_clicked,
        selection_mode=["single-row", "single-cell"],
        column_config=_column_config(),
    )


def draw_live_events(recording: Recording) -> Callable[[], None]:
    """Draw places for a growing recording, and return a function that draws its newest events there.

    Each call reads only what is new since the last one. There are no inputs, because it is called where
    widgets cannot be drawn.
    """
    rows = EventRows()
    caption, table = st.empty(), st.empty()

    def update() -> None:
        entries = recording.entries()
        rows.add(entries)
        count = ngettext("{count:,} event", "{count:,} events", len(entries))
        state = _("Recording…") if recording.is_live else translate(NOT_LIVE)
        caption.caption(f":shimmer[{state}] {count}")
        table.dataframe(
            _table_columns(rows.all[-LIVE_ROWS:]),
            hide_index=True,
            height=TABLE_HEIGHT,
            row_height=ROW_HEIGHT,
            column_config=_column_config(),
        )

    return update


def _column_config() -> dict[str, Any]:
    return {
        "#": st.column_config.NumberColumn(width=42, help=_("Position in the recording")),
        _("at"): st.column_config.NumberColumn(
            format="%.3f", width=58, help=_("Seconds since the start of the run")
        ),
        "+ms": st.column_config.NumberColumn(
            format="%.0f", width=50, help=_("Milliseconds since the previous event")
        ),
        _("type"): st.column_config.TextColumn(
            width=160,
            help=_("↑ sent, ↓ received, · from this application; × pieces of one text"),
        ),
        _("text"): st.column_config.TextColumn(width=240),
        _("round"): st.column_config.NumberColumn(width=52),
        _("item"): st.column_config.TextColumn(width=120),
    }


def _table_columns(rows: list[EventRow]) -> dict[str, list[Any]]:
    """Return rows as the columns of a table."""
    return {
        "#": [row.first for row in rows],
        _("at"): [row.at for row in rows],
        "+ms": [row.since * 1000 for row in rows],
        _("type"): [_type_text(row) for row in rows],
        _("text"): [row.text for row in rows],
        _("round"): [row.round for row in rows],
        _("item"): [row.item for row in rows],
    }


def _type_text(row: EventRow) -> str:
    """Return a row's direction, count and type, without the prefix that a protocol's types share."""
    short = row.type.removeprefix("response.").removeprefix("agent.session.").removeprefix("thread.")
    return f"{row.direction} {f'{row.count}× ' if row.count > 1 else ''}{short}"


def _select_in_table(shown: list[EventRow], row: EventRow | None) -> None:
    """Select the row of the selected event, wherever it is in the table now."""
    indexes = [index for index, shown_row in enumerate(shown) if shown_row is row]
    current = st.session_state.get(keys.INSPECTOR_EVENTS, {}).get("selection", {})
    if current.get("rows", []) != indexes or current.get("cells"):
        selection = {"rows": indexes, "columns": [], "cells": []}
        st.session_state[keys.INSPECTOR_EVENTS] = {"selection": selection}


def _select_clicked() -> None:
    clicked = st.session_state[keys.INSPECTOR_EVENTS].selection
    indexes = [*clicked.rows, *(row for row, _column in clicked.cells)]
    selection = state_of(EventSelection)
    selection.position = None
    if indexes and indexes[-1] < len(selection.rows):
        selection.position = selection.rows[indexes[-1]]


def _draw_event(entries: Sequence[Entry], row: EventRow) -> None:
    name, title = f"event_{row.first}", _("Event {number}", number=row.first)
    if row.count > 1:
        name = f"events_{row.first}_to_{row.last}"
        title = _("Events {first} to {last}", first=row.first, last=row.last)
    values = [entry_as_json(entry) for entry in entries]
    whole = values[0] if len(values) == 1 else values
    text = replace_surrogates(json.dumps(whole, ensure_ascii=False, indent=1, default=str))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        exchange = _("Exchange {number}", number=row.exchange)
        st.markdown(f"**{title}** :small[:gray[{exchange}]]")
        st.download_button(
            _("Save"),
            text,
            file_name=f"{name}.json",
            mime="application/json",
            key=keys.INSPECTOR_SAVE_EVENT,
            on_click="ignore",
            icon=":material/download:",
            type="tertiary",
        )
    if len(text) <= MAX_JSON_CHARS:
        st.json(text, expanded=2)
        return
    with st.container(height=400):  # unlike the code itself, the keyboard reaches what scrolls
        st.code(text[:MAX_JSON_CHARS], language="json", wrap_lines=True)
    st.caption(truncation_notice(MAX_JSON_CHARS, len(text)))
