"""Stored threads are loaded unchanged, whatever interrupted saving them."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from assistant import Thread
from assistant.errors import StoreError
from assistant.events import RunCompleted, RunFailed, RunPaused, RunStopped, TextDelta, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Reasoning, Refusal, Remark, Text
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.storage.search import Hit
from assistant.storage.serialization import message_as_json, message_from_json
from assistant.storage.store import Store
from tests.conftest import Connect, add
from tests.paths import ROOT
from tests.servers.responses import ModelServer, call, calls, text
from tests.stored import load_stored
from tests.waiting import at_once

MESSAGES = [
    Message.from_user("日本語 👩‍👩‍👧"),
    Message(
        "assistant",
        [
            Reasoning("Hm."),
            Text("So"),
            Text("and\nso"),
            Call("c1", "add", '{"a": 1}', 1, result=ToolResult("c1", "\x00\ud800", "done", "all", 1.5)),
            Call("c2", "add", "{", 1, complete=False),
            Refusal("No."),
            Remark("Anew."),
        ],
        RunFailed("x", "y", True, 3.5),
    ),
    Message("assistant", [], RunStopped("user", "Stopped.")),
    Message("assistant", [], RunPaused()),
    Message("assistant", [Text("x" * 1_000_000)], RunCompleted()),
    Message("assistant", [Text("going on")]),
]


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    yield store
    store.close()


@pytest.fixture
def autosaver(database: str) -> Iterator[Autosaver]:
    autosaver = Autosaver(database)
    yield autosaver
    autosaver.close()


def test_every_message_is_loaded_unchanged_from_json() -> None:
    for message in MESSAGES:
        written = json.loads(json.dumps(message_as_json(message)))
        assert message_from_json(written) == message


@pytest.mark.parametrize("thread_id", ["", "conv_1\0", "\ud800"])
def test_an_id_that_no_thread_can_have_is_not_found(store: Store, thread_id: str) -> None:
    store.save(Thread("conv_1", list(MESSAGES)))
    assert store.load(thread_id) is None


@pytest.mark.parametrize(
    "value", [{}, [], None, {"type": "Text", "text": "x"}, {"type": "Nope"}, {"role": "user", "more": 1}]
)
def test_a_value_that_is_not_a_message_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="This is not a message"):
        message_from_json(value)  # type: ignore[arg-type]


def test_a_thread_is_loaded_unchanged(store: Store) -> None:
    thread = Thread("conv_1", list(MESSAGES), {"responses": {"items": [{"id": "\x00"}]}})
    store.save(thread)
    loaded = load_stored(store, "conv_1")
    assert (loaded.id, loaded.messages, loaded.backend_state) == ("conv_1", MESSAGES, thread.backend_state)
    assert loaded.is_unfinished
    assert store.load("conv_2") is None


def test_only_new_messages_are_saved(store: Store) -> None:
    thread = Thread("conv_1", MESSAGES[:2], {"a": 1})
    store.save(thread)
    thread.messages.append(MESSAGES[2])
    thread.backend_state["a"] = 2
    store.save(thread, 2, backend_state=False)
    loaded = load_stored(store, "conv_1")
    assert (loaded.messages, loaded.backend_state) == (MESSAGES[:3], {"a": 1})
    thread.messages.pop()
    store.save(thread, 1)
    loaded = load_stored(store, "conv_1")
    assert (loaded.messages, loaded.backend_state) == (MESSAGES[:2], {"a": 2})


@pytest.mark.exhaustive
def test_concurrent_writers_and_readers_do_not_disturb_each_other(store: Store, database: str) -> None:
    def write(number: int) -> None:
        own = Store(database)
        thread = Thread(f"conv_{number}")
        for _ in range(20):
            thread.messages.append(MESSAGES[0])
            own.save(thread, len(thread.messages) - 1)
        own.close()

    at_once(8, write)
    saved = [store.load(f"conv_{number}") for number in range(8)]
    assert [thread and thread.messages for thread in saved] == [[MESSAGES[0]] * 20] * 8


def test_an_answer_is_saved_as_it_grows_and_when_it_ends(
    server: ModelServer, connect_to: Connect, store: Store, autosaver: Autosaver
) -> None:
    gate = threading.Event()
    server.plays(calls(call("add", a=1, b=2)), text("One two three four", gate=gate, gate_after=6))
    assistant, thread = connect_to(server.url, add), Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel, autosaver)
    for _ in run.follow():
        if thread.messages[-1].text:
            break
    saved = load_stored(store, thread.id)
    assert saved.messages[0] == Message.from_user("Go")
    assert [part.result and part.result.output for part in saved.messages[1].calls] == ["3"]
    assert saved.is_unfinished
    gate.set()
    assert run.join(5)
    saved = load_stored(store, thread.id)
    assert (saved.messages, saved.backend_state) == (thread.messages, thread.backend_state)


def test_a_stopped_answer_is_saved_as_stopped(
    server: ModelServer, connect_to: Connect, store: Store, autosaver: Autosaver
) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6), text("Fine."))
    assistant, thread = connect_to(server.url, add), Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel, autosaver)
    for _ in run.follow():
        if thread.messages[-1].text == "One two th":
            break
    run.stop()
    saved = load_stored(store, thread.id)
    assert saved.messages[-1] == Message("assistant", [Text("One two th")], RunStopped("user", "Stopped."))
    assert list(assistant.run(saved, "And now?"))[-1] == RunCompleted()
    assert [item["content"] for item in server.requests[-1]["input"]] == ["Go", "One two th", "And now?"]


PROGRAM = """
import sys
from assistant import Thread, Toolbox, Assistant
from assistant.backends import open_backend
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings

assistant, thread = Assistant(open_backend(Settings(base_url=sys.argv[1])), Toolbox()), Thread()
autosaver = Autosaver(sys.argv[2])
run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel, autosaver)
for _ in run.follow():
    print(thread.id, len(thread.messages[-1].text), flush=True)
"""


@pytest.mark.exhaustive
def test_a_thread_of_a_killed_process_is_complete_and_continues(
    server: ModelServer, connect_to: Connect, store: Store, database: str
) -> None:
    # A long answer at no great speed; its process is killed when a second of it has been saved.
    words = " ".join(f"word{number}" for number in range(400))
    server.plays(text(words, pieces=400, pause=0.005), text("Fine."))
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url, database], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            *_, thread_id, seen = ["", *line.split()]
            if int(seen) > 2000:
                break
        os.kill(process.pid, signal.SIGKILL)
    saved = load_stored(store, thread_id)
    assert saved.messages[0] == Message.from_user("Go")
    part = saved.messages[1].parts[0]
    assert isinstance(part, Text)
    assert words.startswith(part.text)
    assert len(part.text) > 500, "a second of it was saved"
    assert saved.is_unfinished
    saved.messages[-1].add(RunFailed("interrupted", "Killed."))
    assistant = connect_to(server.url, add)
    events = list(assistant.run(saved, "And now?"))
    assert [event.text for event in events if isinstance(event, TextDelta)] != []
    assert events[-1] == RunCompleted()


@pytest.mark.exhaustive
def test_text_that_databases_refuse_is_saved(store: Store) -> None:
    texts = ["a\x00b", "\ud800", "𝄞" * 10, "'; --", "\x1b[2J", "x" * 10_000_000]
    result = ToolResult("c", texts[0], "failed", texts[1])
    messages = [Message("assistant", [Text(each) for each in texts], RunCompleted())]
    messages.append(Message("assistant", [Call("c", "\x00", "\ud800", 1, result=result)], RunCompleted()))
    thread = Thread("conv_1", messages, {"notes": texts}, "A\x00title \ud800")
    store.save(thread)
    saved = load_stored(store, "conv_1")
    assert (saved.messages, saved.backend_state, saved.title) == (
        messages,
        {"notes": texts},
        "A\ufffdtitle \ufffd",
    )
    assert [each.id for each in store.list_threads("\x00")] == ["conv_1"]
    assert [each.id for each in store.list_threads("A\x00TITLE")] == ["conv_1"]
    assert [each.id for each in store.list_threads("𝄞𝄞")] == ["conv_1"]
    store.rename("conv_1", "\ud800\x00")
    assert [each.title for each in store.list_threads()] == ["\ufffd\ufffd"]
    assert (store.load("conv_1\x00"), store.load("\ud800")) == (None, None)


def test_threads_are_listed_by_last_change_titled_by_their_first_words(store: Store) -> None:
    for name in ("a", "b", "c"):
        store.save(Thread(f"conv_{name}", [Message.from_user(f"Question\n{name} " + "x" * 100)]))
    store.save(Thread("conv_a", [Message.from_user("?"), Message("assistant", [Text("!")])]), 1)
    assert [(each.id, each.title) for each in store.list_threads()] == [
        (f"conv_{name}", f"Question {name} " + "x" * 48 + "…") for name in ("a", "c", "b")
    ]
    assert [each.id for each in store.list_threads(limit=2)] == ["conv_a", "conv_c"]
    store.rename("conv_b", "  Another\n name ")
    assert [each.title for each in store.list_threads("another")] == ["Another name"]


@pytest.mark.parametrize("words", ["ÉCLAIR", "東京", "50%", "_x", "under", "get_weather", "sunny", "'; DROP"])
def test_a_thread_is_found_by_any_of_its_text(store: Store, words: str) -> None:
    spoken = "An éclair in 東京 costs 50% less; under_x '; DROP TABLE thread; --"
    call_with_result = Call("c", "get_weather", '{"city": "Oslo"}', 1, result=ToolResult("c", '"Sunny"'))
    store.save(Thread("conv_1", [Message.from_user(spoken), Message("assistant", [call_with_result])]))
    store.save(Thread("conv_2", [Message.from_user("Nothing of the kind: 500, xx")]))
    assert [each.id for each in store.list_threads(words)] == ["conv_1"]


@pytest.mark.parametrize("words", ["type", "Message", "RunCompleted", "parts"])
def test_a_search_ignores_how_messages_are_encoded(store: Store, words: str) -> None:
    store.save(Thread("conv_1", [Message.from_user("Hello")]))
    assert store.list_threads(words) == []


def test_a_deleted_thread_is_gone(store: Store) -> None:
    store.save(Thread("conv_1", list(MESSAGES)))
    store.delete("conv_1")
    assert (store.load("conv_1"), store.list_threads()) == (None, [])


def test_a_search_tells_where_it_found_the_text(store: Store) -> None:
    thread = Thread("conv_1", [Message.from_user("Where is the Needle?"), Message.from_user("Nowhere")])
    long = f"{'before ' * 10}the NEEDLE itself{' after' * 10}"
    thread.messages.append(Message("assistant", [Text(f"First line\n{long}\nThe end")], RunCompleted()))
    store.save(thread)
    [found] = store.list_threads("needle")
    assert store.list_threads("needle", with_hits=False) == [replace(found, hit=None)]
    assert found.hit == Hit(2, "…fore before before before the ", "NEEDLE", " itself after after after afte…")
    store.rename("conv_1", "Only in the title")
    [found] = store.list_threads("only in")
    assert found.hit is None
    assert store.list_threads()[0].hit is None


def test_threads_are_known_by_their_ids_on_the_server(store: Store) -> None:
    store.save(Thread("thread_1", backend_state={"agents": {"session_id": "sess_1"}}))
    store.save(Thread("sess_2", owner="ada"))
    store.save(Thread("thread_3", owner="ada", backend_state={"agents": {"session_id": "sess_1"}}))
    ids = ["sess_1", "sess_2", "sess_3", "sess_%", "\0"]
    assert store.known_on_server(ids) == {"sess_1": "thread_1", "sess_2": "sess_2"}
    assert store.for_owner("ada").known_on_server(["sess_1"]) == {"sess_1": "thread_3"}


@contextmanager
def listening(target: type, name: str, act: Callable[[], None]) -> Iterator[None]:
    """Call ``act`` at the first such event of the database."""
    first = iter([act])

    def listen(*_: object) -> None:
        next(first, lambda: None)()

    event.listen(target, name, listen)
    try:
        yield
    finally:
        event.remove(target, name, listen)


def test_a_thread_is_not_newer_than_itself_at_the_moment_in_which_it_is_saved(store: Store) -> None:
    thread = Thread("t", [Message.from_user("Hello")])
    store.save(thread)
    found: list[Thread | None] = []
    # Right after the commit, as another tab may look.
    with listening(Pool, "checkin", lambda: found.append(store.load_newer(thread))):
        store.save(thread)
    assert found == [None]


def test_a_failed_save_does_not_hide_what_another_process_saves(store: Store) -> None:
    thread = Thread("t", [Message.from_user("Hello")])
    store.save(thread)
    same = load_stored(store, "t")

    def fail() -> None:
        raise OSError("The disk is full.")

    with listening(Engine, "commit", fail), pytest.raises(StoreError, match="The disk is full"):
        store.save(thread)
    same.messages.append(Message("assistant", [Text("Hi.")], RunCompleted()))
    store.save(same)
    newer = store.load_newer(thread)
    assert newer is not None
    assert newer.messages == same.messages
