"""Recordings with anything in them: every reader either reads or refuses them."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any, get_args

import pytest

from assistant.events import ToolResult
from assistant.recordings.check import check
from assistant.recordings.diagram import as_mermaid
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    EntryError,
    EventEntry,
    RecordedEvent,
    RequestEntry,
    ResponseEntry,
    RunEntry,
    entry_as_json,
    entry_from_json,
)
from assistant.recordings.recording import Recording, RecordingError
from tests.backends.kinds import KINDS
from tests.recordings.test_check import good
from tests.recordings.test_diagram import assert_sound
from tests.recordings.test_recording import HEADER
from tests.recordings.test_timeline import TWO_ROUNDS, figures, spans

pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.exhaustive

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.just(10**50) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["type", "item", "choices", "delta", "call_id"]), inner, max_size=2)
    ),
    max_leaves=5,
)


def places(value: Any) -> Iterator[Callable[[Any], None]]:
    """Yield a setter for every place in a JSON value."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield partial(value.__setitem__, key)
        if isinstance(each, (dict, list)):
            yield from places(each)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_the_checker_raises_for_no_recording(data: st.DataObject) -> None:
    recording = Recording.from_lines(good(data.draw(st.sampled_from(list(KINDS)))))
    entries = deepcopy(recording.entries())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(entries) - 1))
        match data.draw(st.sampled_from(["drop", "twice", "move", "junk", "junk", "junk"])):
            case "drop" if len(entries) > 1:
                del entries[position]
            case "twice":
                entries.insert(data.draw(st.integers(0, len(entries))), entries[position])
            case "move":
                entries.insert(data.draw(st.integers(0, len(entries) - 1)), entries.pop(position))
            case _:
                value = entry_as_json(entries[position])
                put = data.draw(st.sampled_from(list(places(value))))
                put(data.draw(JUNK))
                with suppress(EntryError):
                    entries[position] = entry_from_json(value)
    for finding in check(Recording(entries=entries)):
        assert 0 <= finding.entry < len(entries)
        assert finding.text.endswith(".")


EXCHANGE = st.integers(-1, 2)
URL = st.sampled_from(["/v1/responses", "/v1/chat/completions", "/v1/threads/t/runs", "/events", "?", ""])


@given(
    st.lists(
        st.builds(RequestEntry, st.floats(0, 9), EXCHANGE, st.sampled_from(["POST", "GET"]), URL, JUNK)
        | st.builds(ResponseEntry, st.floats(0, 9), EXCHANGE, st.integers(), st.text(), st.just({}))
        | st.builds(EventEntry, st.floats(0, 9), EXCHANGE, st.text(max_size=3), JUNK)
        | st.builds(BodyEntry, st.floats(0, 9), EXCHANGE, JUNK)
        | st.builds(EndEntry, st.floats(0, 9), EXCHANGE, st.sampled_from(["complete", "lost"]))
        | st.builds(RunEntry, st.floats(0, 9), st.builds(ToolResult, st.text(max_size=3), st.text()))
    )
)
def test_the_checker_raises_for_no_entries(entries: list[Entry]) -> None:
    check(Recording(entries=entries))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def mutated(data: st.DataObject, value: Any) -> Any:
    """Return a JSON value with a random part of it replaced."""
    if not value or not isinstance(value, (dict, list)) or data.draw(st.integers(0, 4)) == 0:
        return data.draw(json_values)
    places = list(value) if isinstance(value, dict) else range(len(value))
    place = data.draw(st.sampled_from(places))
    changed = value.copy()
    changed[place] = mutated(data, value[place])
    return changed


def mutated_recording(data: st.DataObject) -> Recording:
    """Return a recording with some lines changed, lost or repeated, as far as it can still be read."""
    head, *lines = Recording(entries=TWO_ROUNDS, began=0.0).as_lines().splitlines()
    for _ in range(data.draw(st.integers(1, 5))):
        number = data.draw(st.integers(0, len(lines) - 1))
        changed = [json.dumps(mutated(data, json.loads(lines[number])))]
        changed = data.draw(st.sampled_from([changed, [], [lines[number], lines[number]]]))
        try:
            Recording.from_lines("\n".join([head, *changed]))
        except RecordingError:
            continue
        lines[number : number + 1] = changed
    return Recording.from_lines("\n".join([head, *lines]))


@given(st.data())
def test_any_recording_can_be_measured(data: st.DataObject) -> None:
    recording = mutated_recording(data)
    assert all(span.begin <= span.end for span in spans(recording))
    figures(recording)


@given(st.data())
def test_any_recording_can_be_drawn(data: st.DataObject) -> None:
    assert_sound(as_mermaid(mutated_recording(data)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(VALUES, max_size=4))
def test_any_json_is_read_as_it_was_written(values: list[Any]) -> None:
    recording = Recording("t", [EventEntry(0.5, 1, "e", value) for value in values])
    assert Recording.from_lines(recording.as_lines()).entries() == recording.entries()


@given(st.one_of([st.builds(each) for each in get_args(RecordedEvent)]))
def test_every_event_of_a_run_is_read_as_it_was_written(event: RecordedEvent) -> None:
    value = json.loads(json.dumps(entry_as_json(RunEntry(0.5, event))))
    loaded = entry_from_json(value)
    assert loaded == RunEntry(0.5, event) or "views" in repr(event)
    assert entry_as_json(loaded) == value


@given(st.text() | VALUES.map(lambda value: HEADER + json.dumps(value)))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(RecordingError):
        Recording.from_lines(text)
