"""Over every protocol, a message that is sent now goes with the results of the round that ends next."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from assistant import Assistant, Thread, tool
from assistant.events import CallApproved, RunCompleted, RunPaused
from assistant.messages import Message
from assistant.parts import Text
from assistant.recordings.check import check
from assistant.runs.run import STEERED
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.backends.kinds import Kind
from tests.conftest import add
from tests.servers.responses import call, calls, message, text


@tool(approval=True)
def book(city: str) -> str:
    """Book a room.

    Args:
        city: The city.
    """
    return f"Booked in {city}."


@pytest.fixture
def server(kind: Kind) -> Any:
    with kind.server() as server:
        yield server


def steered(create_assistant: Callable[..., Assistant]) -> Assistant:
    assistant = create_assistant(add, book)
    assistant.is_steered = lambda thread: True
    return assistant


def record(run: Any) -> LiveRecording:
    recording = LiveRecording()
    assert list(record_run(run, recording))
    return recording


def test_the_results_and_the_message_are_in_one_request(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    server.plays(calls(message("Adding."), call("add", a=1, b=2)), text("3, in Oslo."))
    assistant, thread = steered(create_assistant), Thread()
    first = record(assistant.run(thread, "Add"))
    assert thread.messages[-1].ending == STEERED
    assert [each.result and each.result.output for each in thread.messages[-1].calls] == ["3"]
    second = record(assistant.run(thread, "In Oslo, please"))
    assert thread.messages[-1] == Message("assistant", [Text("3, in Oslo.")], RunCompleted())
    assert server.refused == []
    assert (check(first), check(second)) == ([], [])
    answers = [each for each in second.exchanges() if each.events]
    sent = json.dumps([each.request.body for each in second.exchanges()])
    assert len(answers) == 1, "nothing is asked of the model before the message"
    assert "In Oslo, please" in sent
    assert "3" in sent


def test_an_answer_without_calls_is_completed_and_the_next_message_follows(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    server.plays(text("One."), text("Two."))
    assistant, thread = steered(create_assistant), Thread()
    for words in ("1?", "2?"):
        list(assistant.run(thread, words))
        assert thread.messages[-1].ending == RunCompleted()
    assert server.refused == []


def test_a_message_waits_for_the_users_decision_and_goes_with_its_result(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    server.plays(calls(call("book", city="Oslo"), call("add", a=1, b=2)), text("Booked."))
    assistant, thread = steered(create_assistant), Thread()
    list(assistant.run(thread, "Book"))
    paused = thread.messages[-1].ending
    list(assistant.decide(thread, [CallApproved(each.call_id) for each in thread.open_calls()]))
    assert (paused, thread.messages[-1].ending) == (RunPaused(), STEERED)
    list(assistant.run(thread, "With breakfast"))
    assert thread.messages[-1] == Message("assistant", [Text("Booked.")], RunCompleted())
    assert server.refused == []
