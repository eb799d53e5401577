"""The views of recorded runs."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import RoundStarted, RunFailed, ToolCall, ToolResult
from assistant.recordings.entries import Entry
from assistant.recordings.recording import Recording, sample_files
from assistant.ui.inspector.event_rows import EventRow, EventRows
from assistant.ui.inspector.event_table import EventSelection
from tests.recordings.test_diagram import HOSTILE
from tests.recordings.test_timeline import TWO_ROUNDS, delta, event, request_entries, run
from tests.ui.page import state_in

RECORDING = Recording.from_lines(sample_files()["weather_then_a_hotel"].read_text("utf-8"))


class GrowingRecording(Recording):
    """A recording with only its first entries."""

    length = 0

    def entries(self) -> list[Entry]:
        return super().entries()[: self.length]


def page() -> None:
    import streamlit as st

    from assistant.ui.inspector.run_log import draw_run_log

    def replay(recording: object, speed: float) -> None:
        st.session_state.replayed = recording, speed

    draw_run_log(st.session_state.recordings, replay, call_id=st.session_state.pop("call_id", ""))


def open_run_log(*recordings: Recording, view: str = "Events", call_id: str = "") -> AppTest:
    at = AppTest.from_function(page, default_timeout=10)
    at.session_state.recordings = list(recordings)
    at.session_state.inspector_view = view
    at.session_state.call_id = call_id
    return shown(at.run())


def shown(at: AppTest) -> AppTest:
    assert not at.exception, at.exception
    return at


def select(at: AppTest, position: int) -> AppTest:
    """Select an event; ``AppTest`` has no clicks on tables."""
    state_in(at, EventSelection).position = position
    return shown(at.run())


def rows_of(at: AppTest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = at.dataframe[0].value.to_dict("records")
    return rows


def long_recording(count: int) -> Recording:
    """Return a recording of this many pieces: two texts in turns of a hundred pieces each."""
    pieces = [delta(n / 1000, "output_text", f"m{n // 100 % 2}", f"w{n} ") for n in range(count)]
    return Recording(entries=[run(0.0, RoundStarted(number=1)), *request_entries(0.0), *pieces])


def test_pieces_of_one_text_are_one_row() -> None:
    rows = EventRows()
    rows.add(TWO_ROUNDS[:18])
    rows.add(TWO_ROUNDS)
    assert len(rows.all) == len(TWO_ROUNDS) - 1
    kind = "response.output_text.delta"
    [row] = rows.filter([kind], [2])
    source = (2, kind, "text", "m")
    assert row == EventRow(19, 20, 3.0, row.since, "↓", 2, 2, kind, "m", "It rains.", 2, source)
    assert row.since == pytest.approx(0.3)
    assert rows.rounds == [1, 2]


def test_rows_of_a_growing_recording_are_those_of_the_whole() -> None:
    entries = long_recording(2000).entries()
    rows = EventRows()
    for end in range(0, len(entries) + 1, 7):
        rows.add(entries[:end])
    rows.add(entries)
    at_once = EventRows()
    at_once.add(entries)
    assert rows.all == at_once.all
    assert [row.count for row in rows.all] == [1, 1, 1, *[100] * 20]


def test_without_recordings_the_inspector_says_how_to_get_one() -> None:
    at = open_run_log()
    assert "Send a message" in at.caption[0].value


def test_the_events_of_a_run_are_listed_and_the_selected_one_is_shown() -> None:
    at = open_run_log(RECORDING)
    rows = rows_of(at)
    assert rows[0]["type"] == "· RoundStarted"
    assert [row["text"] for row in rows if row["type"] == "↑ request"] == [
        "POST demo.invalid/v1/conversations",
        *["POST demo.invalid/v1/responses"] * 3,
    ]
    first = next(row["#"] for row in rows if row["type"] == "↑ request")
    select(at, first)
    assert json.loads(at.json[0].value)["url"] == "http://demo.invalid/v1/conversations"


def test_filters_and_selection_stay_while_the_recording_grows() -> None:
    entries = RECORDING.entries()
    grown = GrowingRecording(entries=entries)
    grown.length = 60
    at = open_run_log(grown)
    at.multiselect(key="inspector_types").select("response.output_item.done")
    shown(at.run())
    chosen = rows_of(at)[0]["#"]
    before = len(rows_of(select(at, chosen)))
    grown.length = len(entries)
    shown(at.run())
    assert len(rows_of(at)) > before
    assert {row["type"] for row in rows_of(at)} == {"↓ output_item.done"}
    assert state_in(at, EventSelection).position == chosen
    at.segmented_control(key="inspector_view").set_value("Timing")
    shown(at.run())
    at.segmented_control(key="inspector_view").set_value("Events")
    shown(at.run())
    assert at.multiselect(key="inspector_types").value == ["response.output_item.done"]


def test_a_new_run_is_selected_and_older_ones_can_be_selected() -> None:
    at = open_run_log(RECORDING)
    at.session_state.recordings = [RECORDING, Recording(entries=TWO_ROUNDS)]
    shown(at.run())
    assert len(rows_of(at)) == len(TWO_ROUNDS) - 1
    run = at.selectbox(key="inspector_run")
    assert run.options[0].split("  ")[1] == "Hello"
    run.set_value(1)
    assert len(rows_of(shown(at.run()))) > 30


def test_a_call_leads_to_its_first_event() -> None:
    calls = [event for event in RECORDING.run_events() if isinstance(event, ToolCall)]
    call_id = calls[1].call_id
    at = open_run_log(RECORDING, Recording(entries=TWO_ROUNDS), view="Check", call_id=call_id)
    assert at.session_state.inspector_view == "Events"
    entry = json.loads(at.json[0].value)
    assert entry["event"] == "response.output_item.added"
    assert entry["data"]["item"]["call_id"] == call_id


def test_the_timing_is_drawn_with_its_figures() -> None:
    at = open_run_log(RECORDING, view="Timing")
    assert [each.value for each in at.caption][:5] == [
        *("First event", "Time to first token", "Total", "Output speed", "Cost")
    ]
    tokens = at.dataframe[0].value.to_dict("records")
    assert [(row["round"], row["model"]) for row in tokens] == [
        *[(str(number), "Demo") for number in (1, 2, 3)],
        ("all", "Demo"),
    ]


def test_the_sequence_can_be_copied_as_text() -> None:
    at = open_run_log(RECORDING, view="Sequence")
    assert "participant Server as demo.invalid" in at.code[0].value


def test_a_correct_recording_passes_the_check() -> None:
    at = open_run_log(RECORDING, view="Check")
    assert at.success[0].value == f"Protocol check passed ({len(RECORDING.entries()):,} events)"
    assert not at.error


def test_a_finding_leads_to_its_event() -> None:
    broken = [*request_entries(0.0), delta(1.0, "output_text", "m", "a")]
    broken += [event(1.1, "response.output_text.done", item_id="m", output_index=0, text="b")]
    at = open_run_log(Recording(entries=broken), view="Check")
    assert len(at.error) == 1
    assert "deltas" in at.markdown[-1].value
    at.button(key="inspector_finding_0").click()
    shown(at.run())
    assert at.session_state.inspector_view == "Events"
    assert json.loads(at.json[0].value)["data"]["text"] == "b"


def test_a_recording_can_be_replayed_at_another_speed() -> None:
    at = open_run_log(RECORDING, view="Recording")
    at.segmented_control(key="inspector_speed").set_value("10×")
    at.button(key="inspector_replay").click()
    shown(at.run())
    assert at.session_state.replayed == (RECORDING, 10.0)


def test_text_in_a_recording_is_shown_as_it_is() -> None:
    words = f"**bold** :red[x] {HOSTILE}"
    entries = [
        run(0.0, RoundStarted(number=1)),
        *request_entries(0.0, url=f"http://{words}/v1/responses", model=words),
        delta(0.5, "output_text", words, words),
        event(0.6, words, item={"type": "function_call", "id": words, "call_id": words, "name": words}),
        run(1.0, ToolCall(call_id=words, name=words, arguments=words)),
        run(2.0, ToolResult(call_id=words, output=words, outcome="failed", seconds=0.5)),
        event(
            3.0, "response.completed", response={"id": words, "model": words, "usage": {"input_tokens": 1}}
        ),
        run(4.0, RunFailed(code=words, text=words)),
    ]
    recordings = Recording(entries=TWO_ROUNDS), Recording(entries=entries)
    for view in ("Events", "Timing", "Sequence", "Check", "Recording"):
        at = open_run_log(*recordings, view=view)
        for number in range(len(entries) if view == "Events" else 0):
            select(at, number)
        texts = [each.value for each in [*at.markdown, *at.caption]]
        texts = [each for each in texts if not each.startswith("````mermaid\n")]
        assert not any("**bold**" in each or ":red[x]" in each for each in texts)


def test_thousands_of_events_are_one_row_per_text() -> None:
    entries = long_recording(10_000).entries()
    recording = GrowingRecording(entries=[*entries, delta(11.0, "output_text", "m0", "more")])
    recording.length = len(entries)
    at = open_run_log(recording)
    assert len(rows_of(at)) == 103
    recording.length += 1
    select(at, 50)
    assert "Showing the first 20,000 of" in at.caption[-1].value
    assert len(rows_of(at)) == 104
