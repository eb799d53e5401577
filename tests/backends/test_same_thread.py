"""The same conversation ends in the same thread, whatever protocol the server speaks."""

import pytest

from assistant import Assistant, Toolbox
from assistant.backends.client import connect
from assistant.events import RunCompleted
from assistant.messages import Message
from assistant.settings import Settings
from tests.backends.conversation import TOOLS, TURNS, hold_conversation, with_counted_calls
from tests.backends.kinds import KINDS, Kind


def hold(kind: Kind) -> list[Message]:
    with kind.server() as server, connect(Settings(base_url=server.url)) as client:
        thread, _ = hold_conversation(server, Assistant(kind.backend(client), Toolbox(*TOOLS)))
    return with_counted_calls(thread.messages)


@pytest.fixture(scope="module")
def expected() -> list[Message]:
    """The messages over Responses with conversations."""
    return hold(next(iter(KINDS.values())))


def test_the_conversation_is_complete(expected: list[Message]) -> None:
    assert [each.text for each in expected[::2]] == [words for words, _ in TURNS]
    assert all(each.ending == RunCompleted() for each in expected)
    outcomes = [call.result and call.result.outcome for each in expected for call in each.calls]
    assert outcomes == ["done"] * 5 + ["failed", "invalid", "done", "done", "denied", "done", "done"]


@pytest.mark.parametrize("name", list(KINDS)[1:])
def test_the_thread_is_the_same_over_every_protocol(name: str, expected: list[Message]) -> None:
    assert hold(KINDS[name]) == expected
