"""Recordings with anything in them: every reader either reads or refuses them."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import partial
from typing import Any

import pytest

from assistant.recordings.check import check
from assistant.recordings.diagram import as_mermaid
from assistant.recordings.recording import Entry, Recording, RecordingError
from assistant.recordings.timeline import figures, spans
from tests.backends.kinds import KINDS
from tests.recordings.test_check import good
from tests.recordings.test_diagram import assert_sound
from tests.recordings.test_recording import HEAD
from tests.recordings.test_timeline import TWO_ROUNDS

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
    """Every place in a JSON value, as a function that puts something else there."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield partial(value.__setitem__, key)
        if isinstance(each, (dict, list)):
            yield from places(each)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_tape_makes_it_raise(data: st.DataObject) -> None:
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
                put = data.draw(st.sampled_from(list(places(entries[position].what)) or [lambda _: None]))
                put(data.draw(JUNK))
    for finding in check(Recording(entries=entries)):
        assert 0 <= finding.entry < len(entries)
        assert finding.text.endswith(".")


@given(
    st.lists(
        st.builds(
            Entry,
            st.floats(0, 9),
            st.sampled_from(["request", "response", "event", "body", "end", "run"]),
            st.integers(-1, 2),
            st.dictionaries(
                st.sampled_from(["method", "url", "body", "status", "event", "data", "how", "call_id"]), JUNK
            ),
        )
    )
)
def test_no_nonsense_makes_it_raise(entries: list[Entry]) -> None:
    check(Recording(entries=entries))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def mutated(data: st.DataObject, value: Any) -> Any:
    """A JSON value with something in it, wherever, replaced by anything."""
    if not value or not isinstance(value, (dict, list)) or data.draw(st.integers(0, 4)) == 0:
        return data.draw(json_values)
    places = list(value) if isinstance(value, dict) else range(len(value))
    place = data.draw(st.sampled_from(places))
    changed = value.copy()
    changed[place] = mutated(data, value[place])
    return changed


def mutated_tape(data: st.DataObject) -> Recording:
    """A tape with some of its lines changed, lost or twice there, as far as it can be read as one."""
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
def test_no_tape_is_too_strange_to_be_measured(data: st.DataObject) -> None:
    recording = mutated_tape(data)
    assert all(span.begin <= span.end for span in spans(recording))
    figures(recording)


@given(st.data())
def test_no_tape_is_too_strange_to_be_drawn(data: st.DataObject) -> None:
    assert_sound(as_mermaid(mutated_tape(data)))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(VALUES, max_size=4))
def test_whatever_json_was_said_is_read_as_it_was(values: list[Any]) -> None:
    recording = Recording("t", [Entry(0.5, "event", 1, {"event": "e", "data": value}) for value in values])
    assert Recording.from_lines(recording.as_lines()).entries() == recording.entries()


@given(st.text() | VALUES.map(lambda value: HEAD + json.dumps(value)))
def test_no_text_raises_anything_else(text: str) -> None:
    with suppress(RecordingError):
        Recording.from_lines(text)
