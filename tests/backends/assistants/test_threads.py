"""The server's threads: loaded, deleted, lost, and moved between servers."""

from contextlib import closing
from pathlib import Path

import pytest

from assistant import Assistant, Thread
from assistant.errors import UnknownThread
from assistant.events import (
    Note,
    RoundStarted,
    RunCompleted,
    TextDelta,
    ToolResult,
)
from assistant.messages import Call, Message, Part, Text
from assistant.storage.store import Store
from tests.backends.assistants.conftest import ENDED, Connect, answer, backend_of, without_deltas
from tests.conftest import add
from tests.servers.assistants import AssistantsServer, Run
from tests.servers.responses import call, calls, cut, text


def test_a_loaded_thread_can_be_continued(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("One.", "Two.", pieces=1), text("Three."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    recalled = backend_of(assistant).load_thread(thread.id)
    assert (recalled.id, recalled.messages) == (
        thread.id,
        [
            Message.from_user("Hi"),
            Message("assistant", [Text("One."), Text("Two.")], RunCompleted()),
        ],
    )
    assert answer(assistant, "And?", recalled)[-1] == RunCompleted()
    assert [text for _, text in server.said(thread.id)] == ["Hi", "One.", "Two.", "And?", "Three."]
    assert (server.refused, server.cancelled) == ([], [])


def test_a_long_thread_is_loaded_completely(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(text("Last."))
    thread = Thread(messages=[each for n in range(120) for each in _turn(f"Question {n}", f"Answer {n}")])
    answer(assistant, "And?", thread)
    assert len(backend_of(assistant).load_thread(thread.id).messages) == 242


def _turn(question: str, words: str) -> list[Message]:
    return [Message.from_user(question), Message("assistant", [Text(words)], RunCompleted())]


def test_a_thread_with_a_running_answer_is_loaded_and_resumed(
    server: AssistantsServer, assistant: Assistant
) -> None:
    server.plays(cut(text("Hello, world", pieces=2), 9, "close", keeps="late"))
    thread = Thread()
    answer(assistant, "Hi", thread)
    run = server.runs[thread.id][0]
    run.delay = 3
    recalled = backend_of(assistant).load_thread(thread.id)
    assert recalled.messages == [Message.from_user("Hi"), Message("assistant")]
    assert backend_of(assistant).can_resume(recalled)
    assert without_deltas(assistant.resume(recalled)) == [
        RoundStarted(1, resumed=True),
        TextDelta("Hello, world"),
        ENDED,
        RunCompleted(),
    ]
    assert not backend_of(assistant).can_resume(recalled)


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
    answer(assistant, "Hi", thread)
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
    answer(assistant, "Hi", thread)
    del server.threads[thread.id]
    events = answer(assistant, "And?", thread)
    assert [event for event in events if isinstance(event, Note)] == [
        Note("The server no longer has its copy of this conversation. A new one was created.")
    ]
    assert events[-1] == RunCompleted()
    assert [server.said(name) for name in server.threads] == [
        [("user", "Hi"), ("assistant", "One."), ("user", "And?"), ("assistant", "Two.")]
    ]


def test_a_thread_of_another_backend_can_be_continued(server: AssistantsServer, assistant: Assistant) -> None:
    done = ToolResult("call_1", "5")
    first: list[Part] = [Call("call_1", "add", '{"a": 2, "b": 3}', 1, True, done), Text("Five.")]
    thread = Thread(
        "conv_1", backend_state={"responses": {"http://other.invalid/v1/": {"conversation": "conv_1"}}}
    )
    thread.messages = [Message.from_user("2 + 3?"), Message("assistant", first, RunCompleted())]
    thread.messages += [each for n in range(20) for each in _turn(f"Question {n}", f"Answer {n}")]
    server.plays(text("Fine."))
    assert answer(assistant, "And?", thread)[-1] == RunCompleted()
    (own,) = server.threads
    assert thread.id == "conv_1"
    assert server.said(own)[:2] == [
        ("user", "2 + 3?"),
        ("assistant", '(Function add was called with {"a": 2, "b": 3} and gave: 5)\n\nFive.'),
    ]
    assert server.said(own)[-2:] == [("user", "And?"), ("assistant", "Fine.")]
    assert len(server.said(own)) == 44
    thread.messages += _turn("Elsewhere?", "Elsewhere.")  # and it comes back from yet another one
    server.plays(text("Here."))
    assert answer(assistant, "Back?", thread)[-1] == RunCompleted()
    assert [text for _, text in server.said(own)[-4:]] == ["Elsewhere?", "Elsewhere.", "Back?", "Here."]


def test_a_thread_keeps_its_history_on_another_server(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect
) -> None:
    server.plays(text("One."))
    thread = Thread()
    answer(assistant, "Hi", thread)
    with AssistantsServer() as other:
        other.plays(text("Two."))
        assert answer(connect_to(other.url), "And?", thread)[-1] == RunCompleted()
        (own,) = other.threads
        assert [text for _, text in other.said(own)] == ["Hi", "One.", "And?", "Two."]


def test_a_stored_thread_can_be_continued_in_a_new_process(
    server: AssistantsServer, assistant: Assistant, connect_to: Connect, tmp_path: Path
) -> None:
    asked = call("add", a=1, b=2)
    server.plays(calls(asked), text("Three."), text("Four."))
    thread = Thread()
    answer(assistant, "1 + 2?", thread)
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.save(thread)
        again = store.load(thread.id)
    assert again is not None
    assert answer(connect_to(server.url, add), "And?", again)[-1] == RunCompleted()
    assert [text for _, text in server.said(thread.id)] == ["1 + 2?", "Three.", "And?", "Four."]
