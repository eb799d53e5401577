"""The server's sessions: loaded, deleted, listed, lost, and joined later."""

import threading
from copy import deepcopy

import pytest

from assistant import Assistant, Thread
from assistant.backends.agents.items import ANSWER_SO_FAR_TEXT, HISTORY_TEXT
from assistant.backends.sync_state import RESTARTED
from assistant.errors import UnknownThread
from assistant.events import CallApproved, RunCompleted, RunFailed, RunPaused, TextDelta, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Text
from tests.backends.agents.conftest import Create, ask, backend_of, sent_texts
from tests.backends.kinds import state_of
from tests.conftest import add
from tests.servers.agents import AgentsServer
from tests.servers.responses import call, calls, error, text


def test_a_loaded_thread_has_its_calls_and_can_be_continued(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.objects = True
    server.plays(calls(call("add", a=1, b=2), call("add", a="x", b=2)), text("Three."), text("Yes."))
    thread = Thread()
    ask(assistant, thread, "1 + 2?")
    loaded = backend_of(assistant).load_thread(thread.id)
    assert [message.role for message in loaded.messages] == ["user", "assistant"]
    assert loaded.messages[1].parts[0] == thread.messages[1].parts[0]
    results = [item.result for item in loaded.messages[1].calls]
    assert [result and result.outcome for result in results] == ["done", "failed"]
    assert (loaded.messages[1].text, loaded.messages[1].ending) == ("Three.", RunCompleted())
    assert ask(assistant, loaded, "Sure?")[-1] == RunCompleted()
    assert sent_texts(server)[-1] == ["Sure?"]
    for name in ("sess_x", "..", "a/b", "", "\n"):
        with pytest.raises(UnknownThread):
            backend_of(assistant).load_thread(name)


def test_a_loaded_thread_with_unanswered_calls_can_be_continued(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)))
    thread = Thread()
    run = assistant.run(thread, "Add")
    while not isinstance(next(run), ToolResult):
        pass
    loaded = backend_of(assistant).load_thread(thread.id)
    assert loaded.is_paused
    assert backend_of(assistant).can_resume(loaded)
    server.plays(text("I see."))
    assert list(assistant.resume(loaded))[-1] == RunCompleted()
    assert loaded.messages[-1].text == "I see."
    assert server.requests[-1]["events"][0]["success"] is False
    run.close()


def test_an_open_call_of_a_loaded_thread_waits_for_a_decision(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    thread = Thread()
    assistant.approve_all = True
    assert ask(assistant, thread, "Add")[-1] == RunPaused()
    loaded = backend_of(assistant).load_thread(thread.id)
    (waiting,) = loaded.open_calls()
    assert list(assistant.decide(loaded, [CallApproved(waiting.call_id)]))[-1] == RunCompleted()
    assert server.requests[-1]["events"][0]["output"] == "3"
    assert loaded.messages[-1].text == "Three."


def test_deleting_a_thread_deletes_its_session_and_cancels_its_turn(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two three", gate=threading.Event(), gate_after=6))
    first, second = Thread(), Thread()
    ask(assistant, first, "1?")
    run = assistant.run(second, "2?")
    while not isinstance(next(run), TextDelta):
        pass
    for thread in (first, second, first, Thread()):
        backend_of(assistant).delete_thread(thread)
    assert (server.sessions, server.refused) == ({}, [])
    run.close()


def test_the_agents_sessions_are_listed_as_threads(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    first, second = Thread(), Thread()
    ask(assistant, first, "What is\none? " + "x" * 100)
    ask(assistant, second, "東京?")
    newest, oldest = backend_of(assistant).list_threads(10)
    assert newest[:2] == (second.id, "東京?")
    assert oldest[:2] == (first.id, ("What is one? " + "x" * 100)[:80])
    assert newest[2] > 1_790_000_000
    assert backend_of(assistant).list_threads(1) == [newest]


def test_a_lost_session_is_replaced_from_the_transcript(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."), text("Yes."))
    thread = Thread()
    ask(assistant, thread, "1 + 2?")
    server.sessions.clear()
    events = ask(assistant, thread, "Sure?")
    assert (events[1], events[-1]) == (RESTARTED, RunCompleted())
    history = 'User: 1 + 2?\n\nAssistant called add({"a": 1, "b": 2}), which gave: 3\n\nAssistant: Three.'
    assert sent_texts(server)[-1] == [HISTORY_TEXT + history, "Sure?"]
    assert thread.messages[-1].text == "Yes."


def test_many_unanswered_messages_are_sent_as_one_text(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Here."))
    thread = Thread()
    ask(assistant, thread, "1?")
    thread.messages += [Message.from_user(f"Question {number}") for number in range(25)]
    assert ask(assistant, thread, "Are you there?")[-1] == RunCompleted()
    history, last = sent_texts(server)[-1]
    assert history.startswith(HISTORY_TEXT)
    assert [f"Question {number}" in history for number in range(25)] == [True] * 25
    assert last == "Are you there?"


def test_a_session_lost_during_an_answer_loses_no_result(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    thread = Thread()
    run = assistant.run(thread, "1 + 2?")
    while not isinstance(next(run), ToolResult):
        pass
    server.sessions.clear()
    assert list(run)[-1] == RunCompleted()
    line = 'Assistant called add({"a": 1, "b": 2}), which gave: 3'
    assert sent_texts(server)[-1] == ["1 + 2?", ANSWER_SO_FAR_TEXT + line]


def test_a_thread_of_another_backend_is_sent_as_text(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("Three."), text("Four."))
    first_answer = Message("assistant", [Text("One."), Text("Two.")], RunCompleted())
    thread = Thread("thread_x", [Message.from_user("1?"), first_answer], {"responses": {"items": []}})
    assert ask(assistant, thread, "3?")[-1] == RunCompleted()
    assert ask(assistant, thread, "4?")[-1] == RunCompleted()
    history = "User: 1?\n\nAssistant: One.\n\nAssistant: Two."
    assert sent_texts(server) == [[HISTORY_TEXT + history, "3?"], ["4?"]]
    assert (thread.id, list(server.sessions)) == ("thread_x", [state_of(thread, "agents")["session_id"]])
    assert server.sessions[state_of(thread, "agents")["session_id"]].metadata["title"] == "1?"


def test_results_accepted_before_the_process_was_killed_are_not_sent_again(
    server: AgentsServer, assistant: Assistant, create: Create
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    thread = Thread()
    run = assistant.run(thread, "Add")
    while not isinstance(next(run), ToolResult):
        pass
    dead = Thread(*deepcopy((thread.id, thread.messages, thread.backend_state)))
    assert list(run)[-1] == RunCompleted()
    other = create(add)
    assert backend_of(other).can_resume(dead)
    assert list(other.resume(dead))[-1] == RunCompleted()
    assert (dead.messages[-1].text, len(server.requests)) == ("Three.", 2)
    assert len(server.refused) == 4, "the results were refused until the session was examined"


def test_a_session_receives_what_it_missed_while_another_backend_answered(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Three."), text("Four."))
    thread = Thread()
    ask(assistant, thread, "1?")
    thread.messages += [
        Message.from_user("2?"),
        Message(
            "assistant",
            [Call("c", "add", "{}", 1, result=ToolResult("c", "2")), Text("Two.")],
            RunCompleted(),
        ),
    ]
    assert ask(assistant, thread, "3?")[-1] == RunCompleted()
    missed = "User: 2?\n\nAssistant called add({}), which gave: 2\n\nAssistant: Two."
    assert sent_texts(server)[-1] == [HISTORY_TEXT + missed, "3?"]
    assert ask(assistant, thread, "4?")[-1] == RunCompleted()
    assert sent_texts(server)[-1] == ["4?"]


def test_a_refused_message_is_sent_with_the_next_one(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One."), error(429, "rate_limit_exceeded", retry_after="60"), text("Two."))
    thread = Thread()
    ask(assistant, thread, "1?")
    ending = ask(assistant, thread, "2?")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "rate_limit_exceeded"
    assert ask(assistant, thread, "Please")[-1] == RunCompleted()
    assert sent_texts(server)[-1] == ["2?", "Please"]
