"""The server's threads: loaded, deleted, lost, and moved between servers."""

from contextlib import closing
from pathlib import Path

import pytest

from assistant import Assistant, Thread
from assistant.backends.requests import call_with_retries
from assistant.errors import UnknownThread
from assistant.events import Note, RoundStarted, RunCompleted, TextDelta, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Part, Text
from assistant.storage.store import Store
from tests.backends.assistants.conftest import ENDED, Connect, ask, backend_of, without_deltas
from tests.conftest import add
from tests.servers.assistants import AssistantsServer, Run
from tests.servers.responses import call, calls, cut, text
from tests.stored import load_stored


def test_a_loaded_thread_can_be_continued(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("One.", "Two.", pieces=1), text("Three."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    loaded = backend_of(assistant).load_thread(thread.id)
    assert (loaded.id, loaded.messages) == (
        thread.id,
        [Message.from_user("Hi"), Message("assistant", [Text("One."), Text("Two.")], RunCompleted())],
    )
    assert ask(assistant, "And?", loaded)[-1] == RunCompleted()
    assert [text for _, text in server.transcript(thread.id)] == ["Hi", "One.", "Two.", "And?", "Three."]
    assert (server.refused, server.cancelled) == ([], [])


@pytest.mark.exhaustive
def test_a_long_thread_is_loaded_completely(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("Last."))
    thread = Thread(
        messages=[message for n in range(120) for message in _turn(f"Question {n}", f"Answer {n}")]
    )
    ask(assistant, "And?", thread)
    assert len(backend_of(assistant).load_thread(thread.id).messages) == 242


def _turn(question: str, reply: str) -> list[Message]:
    return [Message.from_user(question), Message("assistant", [Text(reply)], RunCompleted())]


def test_a_thread_with_a_running_answer_is_loaded_and_resumed(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(cut(text("Hello, world", pieces=2), 9, "close", keeps="late"))
    thread = Thread()
    ask(assistant, "Hi", thread)
    run = server.runs[thread.id][0]
    run.delay = 3
    backend = backend_of(assistant)
    loaded = call_with_retries(lambda: backend.load_thread(thread.id))  # the server is closing the connection
    assert loaded.messages == [Message.from_user("Hi"), Message("assistant")]
    assert backend_of(assistant).can_resume(loaded)
    assert without_deltas(assistant.resume(loaded)) == [
        RoundStarted(1, resumed=True),
        TextDelta("Hello, world"),
        ENDED,
        RunCompleted(),
    ]
    assert not backend_of(assistant).can_resume(loaded)


@pytest.mark.parametrize("thread_id", ["thread_none", "", "..", "a/b", "\n", "x" * 600])
def test_an_invalid_id_is_an_unknown_thread(
    server: AssistantsServer, assistant: Assistant, thread_id: str
) -> None:
    with pytest.raises(UnknownThread):
        backend_of(assistant).load_thread(thread_id)


def test_deleting_a_thread_also_cancels_its_run(server: AssistantsServer, assistant: Assistant) -> None:
    backend = backend_of(assistant)
    server.plays(text("One."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    server.runs[thread.id].append(Run("run_other", thread.id, "in_progress"))
    backend.delete_thread(thread)
    assert (server.threads, server.cancelled) == ({}, ["run_other"])
    backend.delete_thread(thread)
    backend.delete_thread(Thread())
    assert not backend.can_resume(thread)
    assert not backend.can_resume(Thread())


def test_a_thread_that_the_server_lost_is_created_again(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    del server.threads[thread.id]
    events = ask(assistant, "And?", thread)
    assert [event for event in events if isinstance(event, Note)] == [
        Note("The server no longer has its copy of this conversation. A new one was created.")
    ]
    assert events[-1] == RunCompleted()
    assert [server.transcript(name) for name in server.threads] == [
        [("user", "Hi"), ("assistant", "One."), ("user", "And?"), ("assistant", "Two.")]
    ]


def test_a_thread_of_another_backend_can_be_continued(server: AssistantsServer, assistant: Assistant) -> None:
    done = ToolResult("call_1", "5")
    first: list[Part] = [Call("call_1", "add", '{"a": 2, "b": 3}', 1, True, done), Text("Five.")]
    thread = Thread(
        "conv_1", backend_state={"responses": {"http://other.invalid/v1/": {"conversation": "conv_1"}}}
    )
    thread.messages = [Message.from_user("2 + 3?"), Message("assistant", first, RunCompleted())]
    thread.messages += [message for n in range(20) for message in _turn(f"Question {n}", f"Answer {n}")]
    server.plays(text("Fine."))
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    (server_thread,) = server.threads
    assert thread.id == "conv_1"
    assert server.transcript(server_thread)[:2] == [
        ("user", "2 + 3?"),
        ("assistant", '(Function add was called with {"a": 2, "b": 3} and gave: 5)\n\nFive.'),
    ]
    assert server.transcript(server_thread)[-2:] == [("user", "And?"), ("assistant", "Fine.")]
    assert len(server.transcript(server_thread)) == 44
    thread.messages += _turn("Elsewhere?", "Elsewhere.")  # and it comes back from yet another one
    server.plays(text("Here."))
    assert ask(assistant, "Back?", thread)[-1] == RunCompleted()
    assert [text for _, text in server.transcript(server_thread)[-4:]] == [
        "Elsewhere?",
        "Elsewhere.",
        "Back?",
        "Here.",
    ]


def test_a_thread_keeps_its_history_on_another_server(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect
) -> None:
    server.plays(text("One."))
    thread = Thread()
    ask(assistant, "Hi", thread)
    with AssistantsServer() as other:
        other.plays(text("Two."))
        assert ask(connect_to(other.url), "And?", thread)[-1] == RunCompleted()
        (server_thread,) = other.threads
        assert [text for _, text in other.transcript(server_thread)] == ["Hi", "One.", "And?", "Two."]


def test_a_stored_thread_can_be_continued_in_a_new_process(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect, tmp_path: Path
) -> None:
    add_call = call("add", a=1, b=2)
    server.plays(calls(add_call), text("Three."), text("Four."))
    thread = Thread()
    ask(assistant, "1 + 2?", thread)
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.save(thread)
        again = load_stored(store, thread.id)
    assert ask(connect_to(server.url, add), "And?", again)[-1] == RunCompleted()
    assert [text for _, text in server.transcript(thread.id)] == ["1 + 2?", "Three.", "And?", "Four."]
