"""The inspector's list of events: one row for each, or for the pieces of one text, and its JSON on a click.

Not here: folding entries into rows (``inspector_rows.py``), or the other views (``inspector.py``).

The one rule: which entry a person looks at is known by its number on the tape, so it stays the same while
the tape grows and when the filters change.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from assistant.recordings.entries import Entry, entry_as_json
from assistant.tools.results import replace_surrogates
from assistant.ui.chat.tool_call import first_of
from assistant.ui.language import _
from assistant.ui.sandbox.inspector_rows import Row, Rows

TABLE = "inspector_events"
ENTRY = "inspector_entry"
TYPES = "inspector_types"
ROUNDS = "inspector_rounds"

LARGEST = 20_000
"""Characters of JSON that are sent to the browser to be looked at."""


def go_to(entry: int | None) -> None:
    """Have the list of events show this entry, or none, and all rows; before it is drawn."""
    st.session_state[ENTRY] = entry
    st.session_state[TYPES], st.session_state[ROUNDS] = [], []


@dataclass(frozen=True, slots=True)
class _Shown:
    """The numbers of the entries of the rows on the page, to know the one that was clicked on."""

    firsts: list[int]


def draw_events(entries: Sequence[Entry], rows: Rows) -> None:
    """Draw the list, and the entry that was chosen from it."""
    shown = rows.of(*_filters(rows))
    chosen = st.session_state.get(ENTRY)
    row = rows.of_entry(chosen) if isinstance(chosen, int) else None
    _keep_selection(shown, row)
    st.session_state["inspector_shown"] = _Shown([each.first for each in shown])
    st.dataframe(
        columns_of(shown),
        key=TABLE,
        hide_index=True,
        height=360,
        row_height=28,
        placeholder="",
        on_select=_choose,
        selection_mode=["single-row", "single-cell"],
        column_config={
            "#": st.column_config.NumberColumn(width=42, help=_("Its number on the tape")),
            "at": st.column_config.NumberColumn(
                format="%.3f", width=58, help=_("Seconds since the run began")
            ),
            "+ms": st.column_config.NumberColumn(
                format="%.0f", width=50, help=_("Milliseconds since the entry before")
            ),
            "type": st.column_config.TextColumn(
                width=160,
                help=_("↑ sent, ↓ received, · said by the application itself; × pieces of one text"),
            ),
            "text": st.column_config.TextColumn(width=240),
            "round": st.column_config.NumberColumn(width=52),
            "item": st.column_config.TextColumn(width=120),
        },
    )
    if row is None:
        words = _(
            "{rows} rows of {entries} entries. Click one to see all of it.",
            rows=f"{len(rows.all):,}",
            entries=f"{len(entries):,}",
        )
        st.caption(words)
    else:
        _draw_entry(entries[row.first : row.last + 1], row, chosen if isinstance(chosen, int) else row.first)


def _filters(rows: Rows) -> tuple[list[str], list[int]]:
    with st.container(horizontal=True, gap="small"):
        types = st.multiselect(
            _("Types"),
            rows.types,
            key=TYPES,
            placeholder=_("All types"),
            label_visibility="collapsed",
            persist_state="session",
        )
        rounds = st.multiselect(
            _("Rounds"),
            rows.rounds,
            key=ROUNDS,
            format_func=lambda number: _("Round {number}", number=number) if number else _("Before"),
            placeholder=_("All rounds"),
            label_visibility="collapsed",
            width=150,
            persist_state="session",
        )
    return types, rounds


def columns_of(rows: list[Row]) -> dict[str, list[Any]]:
    """Rows as the columns of a table."""
    return {
        "#": [row.first for row in rows],
        "at": [row.at for row in rows],
        "+ms": [row.since * 1000 for row in rows],
        "type": [_type(row) for row in rows],
        "text": [row.text for row in rows],
        "round": [row.round for row in rows],
        "item": [row.item for row in rows],
    }


def _type(row: Row) -> str:
    """A row's type without what all of a protocol's types begin with, which the filter shows."""
    short = row.type.removeprefix("response.").removeprefix("agent.session.").removeprefix("thread.")
    return f"{row.direction} {f'{row.count}× ' if row.count > 1 else ''}{short}"


def _keep_selection(shown: list[Row], row: Row | None) -> None:
    """Have the chosen row selected in the table, wherever it now stands."""
    places = [number for number, each in enumerate(shown) if each is row]
    known = st.session_state.get(TABLE, {}).get("selection", {})
    if known.get("rows", []) != places or known.get("cells"):
        st.session_state[TABLE] = {"selection": {"rows": places, "columns": [], "cells": []}}


def _choose() -> None:
    selection = st.session_state[TABLE].selection
    places = [*selection.rows, *(row for row, _ in selection.cells)]
    firsts = st.session_state["inspector_shown"].firsts
    st.session_state[ENTRY] = firsts[places[-1]] if places and places[-1] < len(firsts) else None


def _draw_entry(entries: Sequence[Entry], row: Row, chosen: int) -> None:
    values = [entry_as_json(entry) for entry in entries]
    name, words = f"entry_{row.first}", _("Entry {number}", number=row.first)
    if row.count > 1:
        name = f"entries_{row.first}_to_{row.last}"
        words = _("Entries {first} to {last}", first=row.first, last=row.last)
    whole = values[0] if len(values) == 1 else values
    shown = replace_surrogates(json.dumps(whole, ensure_ascii=False, indent=1, default=str))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        exchange = _("of exchange {number}", number=row.exchange)
        st.markdown(f"**{words}** :small[:gray[{exchange}]]")
        st.download_button(
            _("Save"),
            shown,
            file_name=f"{name}.json",
            mime="application/json",
            key="inspector_save_entry",
            on_click="ignore",
            icon=":material/download:",
            type="tertiary",
        )
    if len(shown) <= LARGEST:
        st.json(shown, expanded=2)
        return
    st.code(shown[:LARGEST], language="json", height=400)
    st.caption(first_of(LARGEST, len(shown)))
