"""Answers that are stopped or cut off, and what follows."""

import json
import threading

import pytest

from assistant import Assistant, Thread, tool
from assistant.backends.assistants import backend as assistants
from assistant.events import (
    RetryScheduled,
    RoundStarted,
    RunCompleted,
    RunFailed,
    TextDelta,
    ToolCall,
    ToolResult,
)
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs.registry import RunRegistry
from assistant.runs.run import INTERRUPTED, STOPPED
from tests.backends.assistants.conftest import CALLED, ENDED, Connect, ask, backend_of, without_deltas
from tests.servers.assistants import AssistantsServer, Run, message_object
from tests.servers.responses import call, calls, cut, message, text


def test_closing_the_generator_cancels_the_run(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("Hello, world", gate=threading.Event(), gate_after=8), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while not isinstance(next(run), TextDelta):
        pass
    run.close()
    assert server.cancelled == [server.runs[thread.id][0].id]
    assert thread.messages[-1] == Message("assistant", [Text("Hel")], STOPPED)
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.transcript(thread.id) == [
        ("user", "Hi"),
        ("assistant", "Hel"),
        ("user", "And?"),
        ("assistant", "Fine."),
    ]
    assert server.refused == []


def test_stop_while_the_server_is_silent_cancels_the_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    silent = text("Hello, world", gate=threading.Event(), gate_after=8)
    server.plays(silent, text("Fine."))
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Hi"), assistant.cancel)
    assert silent.reached.wait(5)
    run.stop()
    assert run.join(5)
    assert server.cancelled == [server.runs[thread.id][0].id]
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.refused == []


def test_stopped_calls_do_not_block_the_thread(server: AssistantsServer, assistant: Assistant) -> None:
    add_call = call("add", a=1, b=2)
    server.plays(calls(add_call), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while next(run) != CALLED:
        pass
    next(run, None)  # the result is there; it never gets to the server
    run.close()
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.transcript(thread.id) == [
        ("user", "Hi"),
        ("assistant", '(Function add was called with {"a": 1, "b": 2} and gave: 3)'),
        ("user", "And?"),
        ("assistant", "Fine."),
    ]
    assert (server.refused, server.cancelled) == ([], [server.runs[thread.id][0].id])


def test_retry_after_a_stop_during_calls_continues_the_same_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    add_call = call("add", a=1, b=2)
    server.plays(calls(add_call), text("Three."))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while next(run) != CALLED:
        pass
    next(run, None)
    run.close()
    assert without_deltas(assistant.resume(thread))[-2:] == [ENDED, RunCompleted()]
    assert server.requests[1] == {
        "tool_outputs": [{"tool_call_id": add_call["call_id"], "output": "3"}],
        "stream": True,
    }
    assert (thread.messages[-1].text, len(server.runs[thread.id])) == ("Three.", 1)


def test_an_answer_completed_after_a_cut_is_adopted(server: AssistantsServer, assistant: Assistant) -> None:
    whole = text("Hello, world", pieces=2)
    server.plays(cut(whole, 8, "close", keeps="late"))
    thread = Thread()
    ending = ask(assistant, "Hi", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert thread.messages[-1].text == "Hello,"
    assert without_deltas(assistant.resume(thread)) == [
        RoundStarted(1),
        TextDelta("Hello, world"),
        ENDED,
        RunCompleted(),
    ]
    assert len(server.requests) == 1
    server.plays(text("Fine."))
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert [text for _, text in server.transcript(thread.id)] == ["Hi", "Hello, world", "And?", "Fine."]


def test_calls_of_the_model_after_a_cut_are_adopted(server: AssistantsServer, assistant: Assistant) -> None:
    add_call = call("add", a=1, b=2)
    server.plays(cut(calls(message("Well."), add_call), 1, "close", keeps="late"), text("Three.", pieces=1))
    thread = Thread()
    assert ask(assistant, "1 + 2?", thread)[2:] == [
        RetryScheduled(1, 2, 0.0, "The connection was lost."),
        TextDelta("Well."),
        ToolCall(add_call["call_id"], "add", '{"a": 1, "b": 2}'),
        CALLED,
        ToolResult(add_call["call_id"], "3"),
        RoundStarted(2),
        TextDelta("Three."),
        ENDED,
        RunCompleted(),
    ]
    assert (len(server.requests), server.refused, server.cancelled) == (2, [], [])


def test_a_foreign_run_is_cancelled_before_a_message_is_posted(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert (server.cancelled, server.refused) == (["run_other"], [])


def test_a_foreign_run_that_starts_late_is_cancelled_after_the_refusal(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    server.surprise_run = "run_other"
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.refused == [f"Can't add messages to {thread.id} while a run run_other is active."]
    assert [text for _, text in server.transcript(thread.id)] == ["Hi", "One.", "And?", "Two."]


def test_outputs_that_are_too_late_are_described_to_a_new_run(
    server: AssistantsServer, connect_to: Connect
) -> None:
    @tool
    def slow() -> str:
        """Take too long."""
        server.runs[thread.id][0].status = "expired"
        return "at last"

    server.plays(calls(call("slow")), text("Fine."))
    thread = Thread()
    assert ask(connect_to(server.url, slow), "Go", thread)[-1] == RunCompleted()
    assert server.refused == ['Runs in status "expired" do not accept tool outputs.']
    assert server.transcript(thread.id) == [
        ("user", "Go"),
        ("assistant", "(Function slow was called with {} and gave: at last)"),
        ("assistant", "Fine."),
    ]


def test_a_partial_answer_stored_by_the_server_is_not_sent_again(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(cut(text("Hello, world", pieces=2), 8, "close"), text("Fine."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    (run,) = server.runs[thread.id]
    part = {"type": "text", "text": {"value": "Hello, wo", "annotations": []}}
    half = {"id": "msg_half", "role": "assistant", "run_id": run.id, "content": [part]}
    server.threads[thread.id].append({**half, "status": "incomplete"})
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert [text for _, text in server.transcript(thread.id)] == ["Hi", "Hello, wo", "And?", "Fine."]


def test_a_message_whose_confirmation_was_lost_is_not_posted_twice(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    for question in ("Hi", "Hi"):
        server.lost_receipts = 1
        assert ask(assistant, question, thread)[-1] == RunCompleted()
    assert [text for _, text in server.transcript(thread.id)] == ["Hi", "One.", "Hi", "Two."]


def test_a_message_posted_before_the_process_was_killed_is_not_posted_twice(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    server.threads[thread.id].append(message_object(thread.id, "user", "And?"))
    thread.messages += [Message.from_user("And?"), Message("assistant", [], INTERRUPTED)]
    assert without_deltas(assistant.resume(thread))[-1] == RunCompleted()
    assert [text for _, text in server.transcript(thread.id)] == ["Hi", "One.", "And?", "Two."]


def test_a_new_process_continues_a_running_answer(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect
) -> None:
    server.plays(cut(text("First.", "Hello, world", pieces=2), 17, "close", keeps="late"))
    thread = Thread()
    run = assistant.run(thread, "Hi")
    while not thread.messages[-1].text.endswith("Hello,"):
        next(run)
    stored = Thread(thread.id, [*thread.messages], json.loads(json.dumps(thread.backend_state)))
    stored.messages[-1] = Message("assistant", [*thread.messages[-1].parts])
    assert list(run)[-1] == thread.messages[-1].ending
    other = connect_to(server.url)
    server.runs[thread.id][0].delay = 3
    assert backend_of(other).can_resume(stored)
    assert without_deltas(other.resume(stored)) == [
        RoundStarted(1, resumed=True),
        TextDelta(" world"),
        ENDED,
        RunCompleted(),
    ]
    assert not backend_of(other).can_resume(stored)


def test_a_run_that_never_ends_is_an_error(
    server: AssistantsServer, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assistants, "CANCEL_DELAYS", (0.0, 0.0))
    server.plays(text("One."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
    server.slow_cancel = 100
    assert ask(assistant, "And?", thread)[-1] == RunFailed(
        "conversation_locked", "Another answer is still being written in this conversation.", retry=True
    )
