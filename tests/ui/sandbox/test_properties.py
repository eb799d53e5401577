"""The inspector draws any recording."""

import pytest

from tests.recordings.test_properties import mutated_tape
from tests.ui.sandbox.test_inspector import open_inspector, shown

pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.exhaustive


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_no_tape_is_too_strange_to_be_looked_at(data: st.DataObject) -> None:
    recording = mutated_tape(data)
    at = open_inspector(recording, view=data.draw(st.sampled_from(["Events", "Timing", "Check"])))
    at.session_state.inspector_entry = data.draw(st.integers(0, 20))
    shown(at.run())
