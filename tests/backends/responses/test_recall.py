"""A conversation that is loaded from the server."""

from assistant import Assistant, Thread
from assistant.backends.responses.backend import Responses
from assistant.events import CallApproved, CallDenied, RunCompleted, RunPaused, ToolResult
from assistant.messages import Message
from tests.conftest import Connect, add
from tests.servers.responses import ModelServer, call, calls, text


def recalled(assistant: Assistant, thread_id: str) -> Thread:
    assert isinstance(assistant.backend, Responses)
    return assistant.backend.load_thread(thread_id)


def test_an_open_call_of_a_loaded_conversation_waits_for_a_decision(
    server: ModelServer, connect_to: Connect
) -> None:
    one, two = call("add", a=1, b=2), call("add", a=3, b=4)
    server.plays(calls(one, two))
    thread = Thread()
    assert list(connect_to(server.url, add, approve_all=True).run(thread, "Add"))[-1] == RunPaused()
    assistant = connect_to(server.url, add)
    loaded = recalled(assistant, thread.id)
    assert loaded.is_paused
    assert [item.call_id for item in loaded.open_calls()] == [one["call_id"], two["call_id"]]
    server.plays(text("Three."))
    events = list(assistant.decide(loaded, [CallApproved(one["call_id"]), CallDenied(two["call_id"])]))
    assert ToolResult(one["call_id"], "3") in events
    assert events[-1] == RunCompleted()
    assert [item["call_id"] for item in server.requests[-1]["input"]] == [one["call_id"], two["call_id"]]
    assert not recalled(assistant, thread.id).is_paused


def test_a_new_message_instead_of_the_decision_is_answered(server: ModelServer, connect_to: Connect) -> None:
    server.plays(calls(call("add", a=1, b=2)))
    thread = Thread()
    assistant = connect_to(server.url, add, approve_all=True)
    list(assistant.run(thread, "Add"))
    loaded = recalled(assistant, thread.id)
    server.plays(text("Fine."))
    assert list(assistant.run(loaded, "Never mind"))[-1] == RunCompleted()
    assert [item["type"] for item in server.requests[-1]["input"]] == ["function_call_output", "message"]
    assert loaded.messages[-1] == Message("assistant", loaded.messages[-1].parts, RunCompleted())
