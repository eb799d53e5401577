"""Answers that are stopped or cut off, and what follows."""

import threading
from pathlib import Path

import pytest

from assistant import Assistant, Thread, tool
from assistant.backends.agents.items import CONTINUE_TEXT, RESULTS_TEXT
from assistant.events import (
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
)
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs.registry import RunRegistry
from assistant.storage.store import Store
from tests.backends.agents.conftest import Create, ask, backend_of, sent_texts
from tests.backends.kinds import state_of
from tests.conftest import add
from tests.servers.agents import AgentsServer
from tests.servers.responses import call, calls, cut, message, text
from tests.stored import load_stored
from tests.waiting import until


def test_closing_a_run_cancels_the_turn(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Count")
    while not isinstance(next(run), TextDelta):
        pass
    run.close()
    server.wait_until_idle()
    assert [turn["status"] for turn in server.sessions[thread.id].turns] == ["cancelled"]
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (thread.messages[-1].text, server.refused) == ("Fine.", [])
    assert sent_texts(server) == [["Count"], ["And now?"]]


@pytest.mark.parametrize("round_number", [1, 2])
def test_stop_ends_a_waiting_run_and_cancels_the_turn(
    server: AgentsServer, assistant: Assistant, round_number: int
) -> None:
    waits = text("One two three four", gate=threading.Event(), gate_after=5)
    plays = [calls(call("add", a=1, b=2)), waits] if round_number == 2 else [waits]
    server.plays(*plays)
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Count"), assistant.cancel)
    assert waits.reached.wait(5)
    until(lambda: thread.id, "the session's id has not come")
    run.stop()
    assert run.join(5)
    server.wait_until_idle()
    assert server.sessions[thread.id].turns[-1]["status"] == "cancelled"
    server.plays(text("Fine."))
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (thread.messages[-1].text, server.refused) == ("Fine.", [])


def test_stop_while_a_function_runs_cancels_the_turn(server: AgentsServer, create: Create) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tool
    def slow() -> str:
        """Take long."""
        began.set()
        go_on.wait(5)
        return "late"

    server.plays(calls(call("slow")))
    assistant, thread = create(slow), Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel)
    assert began.wait(5)
    run.stop()
    while not server.cancels:
        server.closing.wait(0.001)
    go_on.set()
    assert run.join(5)
    server.plays(text("Fine."))
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (thread.messages[-1].text, server.refused) == ("Fine.", [])
    assert sent_texts(server)[-1] == ["And now?"]


def test_after_the_last_allowed_round_the_results_are_sent_with_the_next_message(
    server: AgentsServer, create: Create
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Fine."))
    assistant, thread = create(add, max_rounds=1), Thread()
    ending = ask(assistant, thread, "Add")[-1]
    assert isinstance(ending, RunStopped)
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    line = 'Assistant called add({"a": 1, "b": 2}), which gave: 3'
    assert sent_texts(server)[-1] == [RESULTS_TEXT + line, "And now?"]
    assert server.cancels == [thread.id]


def test_continuing_after_the_last_allowed_round_sends_the_results(
    server: AgentsServer, create: Create
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    assistant, thread = create(add, max_rounds=1), Thread()
    ask(assistant, thread, "Add")
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert (sent_texts(server), server.cancels) == ([["Add"], ["3"]], [])


def test_an_answer_completed_after_a_cut_is_adopted(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(cut(text("Hello, world.", "Bye.", pieces=2), 6, "close", keeps="all"))
    thread = Thread()
    assert isinstance(ask(assistant, thread, "Hi")[-1], RunFailed)
    assert thread.messages[-1].text == "Hello, "
    server.wait_until_idle()
    assert list(assistant.resume(thread)) == [
        RoundStarted(1),
        TextDelta("Hello, world."),
        TextBreak(),
        TextDelta("Bye."),
        RoundEnded("test-model"),
        RunCompleted(),
    ]
    assert len(server.requests) == 1


def test_another_process_continues_a_running_answer(
    server: AgentsServer, assistant: Assistant, create: Create, tmp_path: Path
) -> None:
    gate = threading.Event()
    server.plays(
        calls(call("add", a=1, b=2)),
        calls(message("One two three four"), call("add", a=3, b=4), gate=gate, gate_after=5),
        text("Seven."),
        text("Yes."),
    )
    thread, store = Thread(), Store(f"sqlite:///{tmp_path}/threads.sqlite")
    run = assistant.run(thread, "Count")
    while next(run) != TextDelta("One t"):
        pass
    store.save(thread)
    loaded = load_stored(store, thread.id)
    other = create(add)
    assert backend_of(other).can_resume(loaded)
    resumed = other.resume(loaded)
    assert next(resumed) == RoundStarted(2, resumed=True)
    threading.Timer(0.05, gate.set).start()
    assert list(resumed)[-1] == RunCompleted()
    assert [part.text for part in loaded.messages[1].parts if isinstance(part, Text)] == [
        "One two three four",
        "Seven.",
    ]
    assert [item.result.output for item in loaded.messages[1].calls if item.result] == ["3", "7"]
    assert not backend_of(other).can_resume(loaded)
    assert ask(other, loaded, "Sure?")[-1] == RunCompleted()
    assert (sent_texts(server), server.refused, server.cancels) == (
        [["Count"], ["3"], ["7"], ["Sure?"]],
        [],
        [],
    )
    store.close()


def test_a_session_whose_id_was_never_received_is_found_by_its_key(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("Hello."))
    thread = Thread("", [Message.from_user("Hi"), Message("assistant")])
    stream = assistant.backend.stream(thread, assistant.toolbox)
    assert next(stream) == ThreadOpened(*server.sessions)
    server.wait_until_idle()
    stream = None  # type: ignore[assignment]
    state_of(thread, "agents")["session_id"] = ""
    thread.messages[-1].add(RunFailed("x", "x"))
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert (len(server.sessions), len(server.requests)) == (1, 1)
    assert thread.messages[-1].text == "Hello."


def test_a_cancelled_turn_is_continued_on_retry(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Count")
    while not isinstance(next(run), TextDelta):
        pass
    run.close()
    server.wait_until_idle()
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert sent_texts(server) == [["Count"], [CONTINUE_TEXT]]
    loaded = backend_of(assistant).load_thread(thread.id)
    assert [message.text for message in loaded.messages] == ["Count", "Fine."]


def test_a_turn_cancelled_by_another_client_ends_the_answer(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6))
    thread = Thread()
    run = assistant.run(thread, "Count")
    for event in run:
        if isinstance(event, TextDelta) and not server.cancels:
            server.receive(
                server.sessions[thread.id], {"events": [{"type": "agent.session.input.cancel"}]}, "k"
            )
    assert event == RunStopped("user", "The answer was cancelled at the server.")
