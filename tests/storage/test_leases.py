"""Processes that share a database: one at a time answers a thread, and all see the result."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest

from assistant import Thread
from assistant.errors import ThreadBusy
from assistant.events import RunCompleted, RunStopped
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.runs.run import STOPPED
from assistant.storage.leases import ANSWERED_ELSEWHERE
from assistant.storage.store import Store
from tests.conftest import Connect, add
from tests.paths import ROOT
from tests.servers.responses import ModelServer, text
from tests.stored import load_stored
from tests.waiting import at_once, until

LEASE = 0.5


@pytest.fixture
def here(database: str) -> Iterator[Store]:
    with closing(Store(database, LEASE)) as store:
        yield store


@pytest.fixture
def there(database: str) -> Iterator[Store]:
    with closing(Store(database, LEASE)) as store:
        yield store


def unanswered(thread_id: str = "conv_1") -> Thread:
    return Thread(thread_id, [Message.from_user("Go"), Message("assistant")])


# --- one at a time ----------------------------------------------------------------------------------------


def test_a_thread_that_one_process_answers_is_busy_for_another(here: Store, there: Store) -> None:
    thread = unanswered()
    here.leases.acquire(thread)
    here.save(thread)
    same = load_stored(there, "conv_1")
    assert (here.leases.is_held_elsewhere(thread), there.leases.is_held_elsewhere(thread)) == (False, True)
    for attempt in (there.leases.acquire, there.save):
        with pytest.raises(ThreadBusy) as caught:
            attempt(same)
        assert str(caught.value) == ANSWERED_ELSEWHERE
    with pytest.raises(ThreadBusy):
        there.delete("conv_1")
    here.leases.release(thread)
    there.leases.acquire(same)
    assert here.leases.is_held_elsewhere(thread)


def test_only_one_of_many_processes_acquires_a_lease(database: str, here: Store) -> None:
    here.save(unanswered())
    stores = [Store(database) for _ in range(8)]
    threads = [load_stored(store, "conv_1") for store in stores]

    def acquire(number: int) -> bool:
        try:
            stores[number].leases.acquire(threads[number])
        except ThreadBusy:
            return False
        return True

    assert at_once(len(stores), acquire).count(True) == 1
    for store in stores:
        store.close()


def test_a_lease_that_is_not_renewed_expires(database: str, there: Store) -> None:
    here, thread = Store(database, lease_seconds=0.02), unanswered()
    here.leases.acquire(thread)
    here.save(thread)
    assert here.leases.renew([thread]) == []
    until(lambda: not there.leases.is_held_elsewhere(thread))
    same = load_stored(there, "conv_1")
    there.leases.acquire(same)
    assert here.leases.renew([thread]) == [thread], "another process has acquired it"
    with pytest.raises(ThreadBusy):
        here.save(thread)
    here.close()


def test_a_list_marks_threads_that_are_being_answered(here: Store, there: Store) -> None:
    thread = unanswered()
    here.leases.acquire(thread)
    here.save(thread)
    assert [each.is_answering for each in there.list_threads()] == [True]
    here.leases.release(thread)
    assert [each.is_answering for each in there.list_threads()] == [False]


# --- visible to all --------------------------------------------------------------------------------------


def test_a_change_of_another_process_is_loaded_once(here: Store, there: Store) -> None:
    thread = unanswered()
    here.save(thread)
    same = load_stored(there, "conv_1")
    assert there.load_newer(same) is None
    thread.messages[-1] = Message("assistant", [Text("Fine.")], RunCompleted())
    here.save(thread, 1)
    newer = there.load_newer(same)
    assert newer is not None
    assert newer.messages == thread.messages
    RunRegistry().update(same, newer)
    assert (same.messages, there.load_newer(same)) == (thread.messages, None)
    assert here.load_newer(thread) is None, "who wrote it knows it"


def test_a_run_continues_what_another_process_saved(
    server: ModelServer, connect_to: Connect, database: str
) -> None:
    server.plays(text("One."), text("Two."), text("Three."))
    assistant, autosavers = connect_to(server.url, add), [Autosaver(database), Autosaver(database)]
    threads = [Thread(), Thread()]

    def say(number: int, words: str) -> None:
        thread = threads[number]
        run = RunRegistry().start(
            thread, partial(assistant.run, thread, words), assistant.cancel, autosavers[number]
        )
        assert run.join(5)

    say(0, "1?")
    store = autosavers[1].store
    assert store is not None
    loaded = load_stored(store, threads[0].id)
    threads[1] = loaded
    say(0, "2?")
    say(1, "3?")
    assert [each.text for each in threads[1].messages] == ["1?", "One.", "2?", "Two.", "3?", "Three."]
    assert [item["content"] for item in server.requests[-1]["input"]] == ["3?"]
    for autosaver in autosavers:
        autosaver.close()


def test_another_process_stops_an_answer(
    server: ModelServer, connect_to: Connect, database: str, there: Store
) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6))
    assistant, thread, autosaver = connect_to(server.url, add), Thread(), Autosaver(database, LEASE)
    run = RunRegistry().start(thread, partial(assistant.run, thread, "Go"), assistant.cancel, autosaver)
    until(lambda: there.leases.is_held_elsewhere(thread))
    there.leases.request_stop(thread)
    assert [event for batch in run.follow() for event in batch][-1] == STOPPED
    until(lambda: not there.leases.is_held_elsewhere(thread))
    saved = load_stored(there, thread.id)
    assert saved.messages[-1].ending == RunStopped("user", "Stopped.")
    autosaver.close()


@pytest.mark.exhaustive
def test_a_silent_answer_keeps_its_lease(
    server: ModelServer, connect_to: Connect, database: str, there: Store
) -> None:
    gate, before = threading.Event(), threading.enumerate()
    server.plays(text("One two three four", gate=gate, gate_after=6))
    assistant, thread, autosaver = connect_to(server.url, add), Thread(), Autosaver(database, LEASE)
    run = RunRegistry().start(thread, partial(assistant.run, thread, "Go"), assistant.cancel, autosaver)
    until(lambda: there.leases.is_held_elsewhere(thread))
    for _ in range(20):
        time.sleep(LEASE / 10)
        assert there.leases.is_held_elsewhere(thread)
    gate.set()
    assert run.join(5)
    assert not there.leases.is_held_elsewhere(thread)
    until(lambda: not any(each.name == "autosaver" for each in {*threading.enumerate()} - {*before}))
    autosaver.close()


# --- real processes -----------------------------------------------------------------------------------

PROGRAM = """
import sys
from assistant import Thread, Toolbox, Assistant
from assistant.backends import open_backend
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings

assistant, thread = Assistant(open_backend(Settings(base_url=sys.argv[1])), Toolbox()), Thread()
autosaver = Autosaver(sys.argv[2], lease=1.0)
run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel, autosaver)
for _ in run.follow():
    if thread.id:
        print(thread.id, flush=True)
"""


@pytest.mark.exhaustive
def test_an_answer_is_followed_from_another_process_and_taken_over_when_its_own_is_killed(
    server: ModelServer, connect_to: Connect, database: str
) -> None:
    words = " ".join(f"word{number}" for number in range(4000))
    server.plays(text(words, pieces=4000, pause=0.005), text("Fine."))
    autosaver, assistant = Autosaver(database), connect_to(server.url, add)
    store = autosaver.store
    assert store is not None
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.url, database], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        thread_id = process.stdout.readline().strip()
        threading.Thread(target=process.stdout.read, daemon=True).start()
        until(lambda: store.load(thread_id))
        thread = load_stored(store, thread_id)
        lengths: list[int] = []
        while len(lengths) < 3:
            until(lambda: store.load_newer(thread))
            newer = store.load_newer(thread)
            assert newer is not None
            RunRegistry().update(thread, newer)
            assert words.startswith(thread.messages[-1].text)
            lengths.append(len(thread.messages[-1].text))
        assert lengths == sorted(set(lengths))
        count = len(thread.messages)
        with pytest.raises(ThreadBusy):
            RunRegistry().start(thread, partial(assistant.run, thread, "And?"), assistant.cancel, autosaver)
        assert len(thread.messages) == count, "a refused message is in no thread"
        process.kill()
    until(lambda: not store.leases.is_held_elsewhere(thread))
    RunRegistry().start(
        thread, partial(assistant.mark_interrupted, thread), assistant.cancel, autosaver
    ).join(5)
    run = RunRegistry().start(thread, partial(assistant.run, thread, "And?"), assistant.cancel, autosaver)
    assert run.join(5)
    saved = load_stored(store, thread_id)
    assert [message.text for message in saved.messages[-2:]] == ["And?", "Fine."]
    autosaver.close()
