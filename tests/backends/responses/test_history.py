"""Where a conversation begins with a history: a branch, an import, a thread of another server."""

from dataclasses import replace

import pytest

from assistant import Assistant, Thread
from assistant.events import Note, RunCompleted, ToolResult
from assistant.messages import Message
from assistant.parts import Attachment, Call, Text
from tests.servers.responses import ModelServer, call, calls, error, text


def long_thread(turns: int) -> Thread:
    """Return a thread of so many turns that no server knows, each with one call."""
    thread = Thread()
    for number in range(turns):
        result = ToolResult(f"call_{number}", str(number))
        done = Call(result.call_id, "add", f'{{"a": {number}, "b": 0}}', 1, result=result)
        answer = Message("assistant", [done, Text(f"It is {number}.")], RunCompleted())
        thread.messages += [Message.from_user(f"Question {number}"), answer]
    return thread


def stored_questions(server: ModelServer) -> list[str]:
    (conversation,) = server.conversations.values()
    return [item["content"][0]["text"] for item in conversation.items if item.get("role") == "user"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("turns", [4, 5, 30])
def test_a_long_history_is_added_in_pages(server: ModelServer, assistant: Assistant, turns: int) -> None:
    server.max_input = 20
    server.plays(text("Fine."), text("Yes."))
    thread = long_thread(turns)
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert [len(request["input"]) for request in server.requests] == [1]
    assert stored_questions(server) == [*(f"Question {number}" for number in range(turns)), "And now?"]
    (conversation,) = server.conversations.values()
    assert len(conversation.items) == turns * 4 + 2
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    assert [len(request["input"]) for request in server.requests] == [1, 1]


def test_a_branch_of_a_long_thread_is_added_in_pages(server: ModelServer, assistant: Assistant) -> None:
    server.max_input = 20
    thread = Thread()
    for number in range(12):
        server.plays(text(f"Answer {number}."))
        assert list(assistant.run(thread, f"Question {number}"))[-1] == RunCompleted()
    server.plays(text("Another."))
    assert list(assistant.edit(thread, 22, "Another question"))[-1] == RunCompleted()
    assert len(server.requests[-1]["input"]) == 1
    newest = list(server.conversations.values())[-1]
    assert len(newest.items) == 24
    assert server.refused == []


def test_many_results_of_one_round_are_added_in_pages(server: ModelServer, assistant: Assistant) -> None:
    server.max_input = 20
    many = [call("add", a=number, b=1) for number in range(45)]
    server.plays(calls(*many), text("Done."))
    thread = Thread()
    assert list(assistant.run(thread, "Add"))[-1] == RunCompleted()
    (conversation,) = server.conversations.values()
    outputs = [item["call_id"] for item in conversation.items if item["type"] == "function_call_output"]
    assert outputs == [item["call_id"] for item in many]


def test_results_that_were_added_before_a_failure_are_not_added_twice(
    server: ModelServer, assistant: Assistant
) -> None:
    server.max_input = 20
    many = [call("add", a=number, b=1) for number in range(25)]
    server.plays(calls(*many), error(503, "server_error", x_should_retry="false"), text("Done."))
    thread = Thread()
    assert list(assistant.run(thread, "Add"))[-1] != RunCompleted()
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    (conversation,) = server.conversations.values()
    outputs = [item["call_id"] for item in conversation.items if item["type"] == "function_call_output"]
    assert sorted(outputs) == sorted(item["call_id"] for item in many)
    assert server.refused == []


def test_an_unfinished_answer_with_many_calls_moves_to_another_server(
    server: ModelServer, assistant: Assistant
) -> None:
    server.max_input = 20
    thread = long_thread(2)
    done = [
        Call(f"new_{number}", "add", "{}", 1, result=ToolResult(f"new_{number}", "1")) for number in range(30)
    ]
    thread.messages += [Message.from_user("Many"), Message("assistant", [*done])]
    server.plays(text("Done."))
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    (conversation,) = server.conversations.values()
    assert sum(item["type"] == "function_call" for item in conversation.items) == 32


def test_a_refused_attachment_in_the_history_is_named(server: ModelServer, assistant: Assistant) -> None:
    thread = long_thread(4)
    image = Attachment("cat.png", "image/png", "AAAA")
    thread.messages[0] = replace(thread.messages[0], parts=[*thread.messages[0].parts, image])
    server.plays(error(400, None, "This model does not support image input."), text("A cat, you say."))
    events = list(assistant.run(thread, "What was it?"))
    assert events[-1] == RunCompleted()
    assert any(isinstance(event, Note) and "cat.png" in event.text for event in events)
    assert len(server.conversations) == 1, "the first one was deleted"
    (conversation,) = server.conversations.values()
    assert "input_image" not in str(conversation.items)
    assert "cat.png" in str(conversation.items)


def test_without_conversations_the_whole_history_is_sent(assistant: Assistant, server: ModelServer) -> None:
    server.has_conversations = False
    server.plays(text("Fine."), text("Yes."))
    thread = long_thread(10)
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert len(server.requests[0]["input"]) == 41
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    assert len(server.requests[1]["input"]) == 43
