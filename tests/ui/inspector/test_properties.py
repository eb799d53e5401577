"""The inspector draws any recording."""

import pytest

pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recordings.test_properties import mutated_recording
from tests.ui.inspector.test_run_log import open_run_log, select

pytestmark = pytest.mark.exhaustive


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_any_recording_can_be_inspected(data: st.DataObject) -> None:
    recording = mutated_recording(data)
    at = open_run_log(recording, view=data.draw(st.sampled_from(["Events", "Timing", "Check"])))
    select(at, data.draw(st.integers(0, 20)))
