"""Any sequence of messages, branches and switches: no branch is lost."""

import json

import pytest

from assistant.messages import Message
from assistant.storage.serialization import branches_as_json, branches_from_json
from tests.runs.test_branches import everything_said, paths, talk, words

pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.exhaustive

STEPS = st.lists(
    st.tuples(st.sampled_from(["say", "branch", "switch"]), st.integers(0, 9), st.integers(0, 3))
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_every_branch_can_be_opened_again_unchanged(steps: list[tuple[str, int, int]]) -> None:
    thread = talk("0", "1", "2")
    count = 2
    for what, place, number in steps:
        position = place % len(thread.messages)
        if what == "switch":
            thread.switch(position, number)
            continue
        before = {*everything_said(thread)}
        if what == "branch":
            thread.branch(position)
        count += 1
        thread.messages.append(Message.from_user(str(count)))
        thread.backend_state = {"leaf": words(thread)}
        assert {*everything_said(thread)} >= before, "nothing is lost"
    assert sorted(everything_said(thread)) == sorted(map(str, range(count + 1))), "and nothing is there twice"
    written = json.loads(json.dumps(branches_as_json(thread.branches)))
    assert branches_from_json(written, len(thread.messages)) == thread.branches
    for path in paths(thread):
        assert path.backend_state in ({"leaf": words(path)}, {"notes": "first"}), (
            "the notes are those of this path"
        )
