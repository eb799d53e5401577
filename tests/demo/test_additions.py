"""A message that comes with the results of calls adds to the question before it."""

from assistant import Assistant, Thread, Toolbox, functions
from assistant.backends import open_backend
from assistant.demo import DemoTransport
from assistant.events import RunStopped, ToolCall
from assistant.json_values import parse_json
from assistant.settings import Settings


def test_a_message_sent_between_two_rounds_changes_the_calls_that_follow() -> None:
    assistant = Assistant(
        open_backend(Settings(), DemoTransport(pace=0)),
        Toolbox.from_package(functions),
        is_steered=lambda thread: len(thread.messages) == 2,
    )
    thread = Thread()
    question = "Compare the weather in Tokyo and Paris, then find a hotel in the warmer city"
    events = [*assistant.run(thread, question), *assistant.run(thread, "Only hotels with 4 stars")]
    assert [event.reason for event in events if isinstance(event, RunStopped)] == ["steered"]
    calls = [event for event in events if isinstance(event, ToolCall)]
    assert [call.name for call in calls] == ["get_weather", "get_weather", "find_hotels"]
    assert parse_json(calls[-1].arguments)["min_stars"] == 4
    assert "★★★★" in thread.messages[-1].text
    list(assistant.run(thread, "Only hotels with 4 stars"))  # a new question, after the answer
    assert thread.messages[-1].text.startswith("Which city")
