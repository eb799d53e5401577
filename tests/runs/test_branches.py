"""Branches: edits and regenerated answers are stored and restored, and the server gets only the open one."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sql

from assistant import Assistant, Thread, Toolbox
from assistant.errors import ThreadBusy
from assistant.events import Event, RunCompleted, RunFailed, RunPaused, RunStopped
from assistant.messages import Message
from assistant.parts import Attachment, Text
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.storage.database import create_engine, parse_url
from assistant.storage.json_export import export_json, import_json
from assistant.storage.markdown_export import export_markdown
from assistant.storage.schema import BRANCHES
from assistant.storage.serialization import branches_as_json, branches_from_json
from assistant.storage.store import Store
from assistant.threads import Branch
from tests.backends.kinds import Kind
from tests.backends.test_contract import double
from tests.conftest import add
from tests.servers.responses import ModelServer, call, calls, cut, error, text
from tests.stored import load_stored

Words = list[str]


def answer(words: str) -> Message:
    return Message("assistant", [Text(words)], RunCompleted())


def talk(*words: str) -> Thread:
    """Return a thread with these messages of the user and the model in turn."""
    messages = [answer(each) if number % 2 else Message.from_user(each) for number, each in enumerate(words)]
    return Thread("conv_1", messages, {"notes": "first"})


def words(thread: Thread) -> list[str]:
    return [message.text for message in thread.messages]


# --- the thread ---------------------------------------------------------------------------------------


def test_a_new_branch_drops_later_messages_and_is_the_newest() -> None:
    thread = talk("Q1", "A1", "Q2", "A2")
    assert thread.branch_at(2) == (0, 1)
    thread.branch(2)
    thread.messages += [Message.from_user("Q2b")]
    thread.backend_state["notes"] = "second"
    assert (words(thread), thread.branch_at(2), thread.dirty_from) == (["Q1", "A1", "Q2b"], (1, 2), 2)
    thread.branch(2)
    assert (words(thread), thread.backend_state, thread.branch_at(2)) == (["Q1", "A1"], {}, (2, 3))


def test_a_switch_restores_a_branch_with_its_state_and_its_own_branches() -> None:
    thread = talk("Q1", "A1", "Q2", "A2")
    thread.branch(3)
    thread.messages.append(answer("A2b"))
    thread.backend_state = {"notes": "A2b"}
    thread.branch(0)
    thread.messages.append(Message.from_user("Other"))
    assert (words(thread), thread.branch_at(3), thread.branch_at(0)) == (["Other"], (0, 1), (1, 2))
    thread.switch(0, 0)
    assert (words(thread), thread.backend_state) == (["Q1", "A1", "Q2", "A2b"], {"notes": "A2b"})
    assert (thread.branch_at(3), thread.branch_at(0)) == ((1, 2), (0, 2))
    thread.switch(3, 0)
    assert (words(thread), thread.backend_state) == (["Q1", "A1", "Q2", "A2"], {"notes": "first"})
    thread.switch(0, 1)
    assert words(thread) == ["Other"]
    thread.switch(0, 0)
    assert (words(thread), thread.branch_at(3)) == (["Q1", "A1", "Q2", "A2"], (0, 2))


@pytest.mark.parametrize(("position", "number"), [(3, 1), (3, 2), (3, -1), (0, 0), (99, 0), (-1, 0)])
def test_a_switch_to_a_missing_or_open_branch_changes_nothing(position: int, number: int) -> None:
    thread = talk("Q1", "A1", "Q2", "A2")
    thread.branch(3)
    thread.messages.append(answer("A2b"))
    thread.dirty_from = None
    thread.switch(position, number)
    assert (words(thread), thread.branch_at(3), thread.dirty_from) == (
        ["Q1", "A1", "Q2", "A2b"],
        (1, 2),
        None,
    )


def everything_said(thread: Thread) -> list[str]:
    return [message.text for branch in thread.all_branches() for message in branch.messages]


def paths(thread: Thread) -> Iterator[Thread]:
    """Return the thread with each of its branches open, reached by switching alone."""
    seen: list[list[str]] = []
    waiting = [thread]
    for each in waiting:
        if words(each) in seen:
            continue
        seen.append(words(each))
        yield each
        for position, others in each.branches.items():
            for number in others:
                copy = Thread(
                    messages=[*each.messages],
                    backend_state=each.backend_state,
                    branches=branches_from_json(branches_as_json(each.branches), len(each.messages)),
                )
                copy.switch(position, number)
                waiting.append(copy)


def deep(levels: int) -> Thread:
    """Return a thread whose answers were regenerated from last to first: each branch contains another."""
    thread = talk(*map(str, range(levels)))
    for position in range(levels - 1, 0, -1):
        thread.branch(position)
        thread.messages.append(answer(f"{position} again"))
    return thread


@pytest.mark.exhaustive
def test_nested_branches_are_stored_flat_at_any_depth() -> None:
    thread = deep(3000)
    again = branches_from_json(json.loads(json.dumps(branches_as_json(thread.branches))), 2)
    copy = Thread(messages=thread.messages, branches=again)
    for position in range(1, 3000):
        copy.switch(position, 0)
    assert words(copy) == [str(number) for number in range(3000)]


def written() -> list[dict[str, Any]]:
    return branches_as_json(deep(4).branches)


DAMAGE: dict[str, Callable[[list[dict[str, Any]]], Any]] = {
    "no list": lambda each: each[0].clear(),
    "in itself": lambda each: each[1].update(within=1),
    "in a later one": lambda each: each[0].update(within=2),
    "before its place": lambda each: each[1].update(position=1),
    "beyond the thread": lambda each: each[0].update(position=2),
    "no position": lambda each: each[0].update(position="1"),
    "truth": lambda each: each[1].update(within=False),
    "a number too high": lambda each: each[0].update(number=3),
    "no number": lambda each: each[0].update(number=None),
    "nothing said": lambda each: each[2].update(messages=[]),
    "not a message": lambda each: each[2].update(messages=[{"type": "Text", "text": "x"}]),
    "one lost": lambda each: each[2].update(number=2),
    "twice": lambda each: each.append(dict(each[0])),
    "a text": lambda each: each.append("x"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_branches_that_do_not_fit_the_thread_are_refused(damage: str) -> None:
    values = written()
    assert [each["position"] for each in values] == [1, 2, 3]
    DAMAGE[damage](values)
    with pytest.raises(ValueError, match=r"branch|message"):
        branches_from_json(values, 2)


# --- every protocol -----------------------------------------------------------------------------------


@pytest.fixture
def server(kind: Kind) -> Iterator[Any]:
    with kind.server() as server:
        yield server


def memory(server: Any, thread: Thread) -> Any:
    """Return what the server stores of the thread, or else the history in the last request."""
    servers = (state for states in thread.backend_state.values() for state in states.values())
    notes = {name: value for state in servers for name, value in state.items()}
    if notes.get("conversation"):
        return server.conversations[notes["conversation"]].items
    if notes.get("session_id"):
        return server.sessions[notes["session_id"]].items
    if notes.get("server_thread"):
        return server.threads[notes["server_thread"]]
    if notes.get("previous_response"):
        return server.stored[notes["previous_response"]]
    return server.requests[-1].get("input") or server.requests[-1]["messages"]


def known_words(server: Any, thread: Thread) -> Words:
    """Return the words like Q1 or A2b that the model knew when it wrote its last answer."""
    found = re.findall(r"\b[QA]\d\w*\b", json.dumps(memory(server, thread)))
    last = thread.messages[-1].text
    return found[:-1] if found[-1:] == [last] else found


def everything(thread: Thread) -> Words:
    return words(thread)[:-1]


@pytest.mark.exhaustive
def test_the_model_gets_only_the_open_branch(
    server: Any, create_assistant: Callable[..., Assistant], database: str
) -> None:
    assistant, thread = create_assistant(add), Thread()

    def go_on(run: Iterator[Event], reply: str) -> None:
        server.plays(text(reply))
        assert list(run)[-1] == RunCompleted()
        assert (server.refused, thread.messages[-1].text) == ([], reply)
        assert known_words(server, thread) == everything(thread)

    go_on(assistant.run(thread, "Q1"), "A1")
    name = thread.id
    go_on(assistant.run(thread, "Q2"), "A2")
    go_on(assistant.regenerate(thread, 3), "A2b")
    go_on(assistant.run(thread, "Q3"), "A3")
    go_on(assistant.edit(thread, 2, "Q2c"), "A2c")
    go_on(assistant.edit(thread, 0, "Q1d"), "A1d")
    thread.switch(0, 0)
    assert words(thread) == ["Q1", "A1", "Q2c", "A2c"]
    go_on(assistant.run(thread, "Q4"), "A4")
    thread.switch(2, 0)
    assert words(thread) == ["Q1", "A1", "Q2", "A2b", "Q3", "A3"]
    thread.switch(3, 0)
    go_on(assistant.run(thread, "Q5"), "A5")
    go_on(assistant.regenerate(thread, 5), "A5b")
    with closing(Store(database)) as store:
        store.save(thread)
        stored = load_stored(store, thread.id)
    thread, assistant = stored, create_assistant(add)
    thread.switch(3, 1)
    go_on(assistant.run(thread, "Q6"), "A6")
    thread.switch(3, 0)
    thread.switch(5, 0)
    assert words(thread) == ["Q1", "A1", "Q2", "A2", "Q5", "A5"]
    go_on(assistant.run(thread, "Q7"), "A7")
    assert thread.id == name
    for branch in thread.all_branches():
        assistant.backend.delete_thread(branch)  # type: ignore[attr-defined]
    assert (server.conversations, getattr(server, "sessions", {}), getattr(server, "threads", {})) == (
        {},
    ) * 3


def test_calls_of_one_branch_do_not_affect_another(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    assistant, thread = create_assistant(add), Thread()
    server.plays(calls(call("add", a=1, b=2)), text("A1"))
    assert list(assistant.run(thread, "Q1"))[-1] == RunCompleted()
    server.plays(calls(call("add", a=3, b=4)), calls(call("add", a=5, b=6)), text("A1b"))
    assert list(assistant.regenerate(thread, 1))[-1] == RunCompleted()
    assert "'a': 1" not in str(memory(server, thread)).replace('"', "'")
    thread.switch(1, 0)
    server.plays(calls(call("add", a=7, b=8)), text("A2"))
    assert list(assistant.run(thread, "Q2"))[-1] == RunCompleted()
    assert (server.refused, [len(each.calls) for each in thread.messages]) == ([], [0, 1, 0, 1])


def test_a_paused_answer_that_is_regenerated_is_closed_and_can_be_continued(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    assistant, thread = create_assistant(double), Thread()
    server.plays(calls(call("double", number=4)))
    assert list(assistant.run(thread, "Q1"))[-1] == RunPaused()
    server.plays(text("A1b"))
    assert list(assistant.regenerate(thread, 1))[-1] == RunCompleted()
    assert (words(thread), known_words(server, thread)) == (["Q1", "A1b"], ["Q1"])
    thread.switch(1, 0)
    assert (thread.messages[1].ending, thread.open_calls()) == (RunStopped("user", "Stopped."), [])
    server.plays(text("A2"))
    assert list(assistant.run(thread, "Q2"))[-1] == RunCompleted()
    assert server.refused == []


def test_a_pause_still_waits_after_a_switch_away_and_back(
    server: Any, create_assistant: Callable[..., Assistant]
) -> None:
    assistant, thread = create_assistant(double), Thread()
    server.plays(text("A1"), calls(call("double", number=4)))
    assert list(assistant.run(thread, "Q1"))[-1] == RunCompleted()
    assert list(assistant.regenerate(thread, 1))[-1] == RunPaused()
    thread.switch(1, 0)
    assert (thread.is_paused, words(thread)) == (False, ["Q1", "A1"])
    thread.switch(1, 1)
    assert thread.is_paused


@pytest.mark.parametrize("how", ["cut", "refused"])
def test_regenerating_a_failed_answer_keeps_its_text_as_a_branch(
    server: Any, create_assistant: Callable[..., Assistant], how: str
) -> None:
    assistant, thread = create_assistant(add), Thread()
    failing = error(401, "invalid_api_key", x_should_retry="false")
    server.plays(cut(text("A1 one two three", pieces=16), 14, "close") if how == "cut" else failing)
    assert isinstance(list(assistant.run(thread, "Q1"))[-1], RunFailed)
    server.drop_script()
    server.wait_until_idle()
    server.plays(text("A1b"))
    assert list(assistant.regenerate(thread, 1))[-1] == RunCompleted()
    assert (words(thread), known_words(server, thread)) == (["Q1", "A1b"], ["Q1"])
    assert thread.branch_at(1) == ((1, 2) if how == "cut" else (0, 1)), (
        "an answer without output leaves no branch"
    )
    if how == "cut":
        thread.switch(1, 0)
        server.refused.clear()
        server.plays(text("A2"))
        assert list(assistant.run(thread, "Q2"))[-1] == RunCompleted()
        assert thread.messages[1].text.startswith("A1")


@pytest.mark.parametrize("position", [-1, 1, 99])
def test_only_messages_of_the_user_can_be_edited(position: int) -> None:
    thread, assistant = talk("Q1", "A1"), Assistant(None, Toolbox())  # type: ignore[arg-type]
    assert list(assistant.edit(thread, position, "x")) == [RunCompleted()]
    assert list(assistant.regenerate(thread, position - 1)) == [RunCompleted()]
    assert (words(thread), thread.branches) == (["Q1", "A1"], {})


# --- stored and shared ----------------------------------------------------------------------------------


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    with closing(Store(database)) as store:
        yield store


@pytest.fixture
def model() -> Iterator[ModelServer]:
    with ModelServer() as model:
        yield model


def branched() -> Thread:
    """Return a thread with a branch in a branch that is not open."""
    thread = talk("Q1", "A1", "Q2", "A2")
    thread.branch(3)
    thread.messages.append(answer("A2b \x00\ud800"))
    thread.branch(0)
    thread.messages += talk("Q1c", "A1c").messages
    thread.backend_state = {"notes": "open"}
    return thread


def test_branches_are_loaded_and_deleted_with_their_thread(store: Store, database: str) -> None:
    thread = branched()
    store.save(thread)
    stored = load_stored(store, "conv_1")
    assert (stored.messages, stored.backend_state, stored.branches) == (
        thread.messages,
        thread.backend_state,
        thread.branches,
    )
    assert (stored.dirty_from, thread.dirty_from) == (None, None)
    stored.switch(0, 0)
    stored.switch(3, 0)
    store.save(stored, len(stored.messages))  # moved messages are saved too
    again = load_stored(store, "conv_1")
    assert (words(again), again.backend_state) == (["Q1", "A1", "Q2", "A2"], {"notes": "first"})
    assert again.branches == stored.branches
    assert [each.id for each in store.list_threads("a1c")] == ["conv_1"], "found in a branch that is not open"
    assert [each.id for each in store.list_threads("A2B")] == ["conv_1"]
    store.delete("conv_1")
    assert (store.load("conv_1"), store.list_threads("a1c"), branch_rows(database)) == (None, [], [])


def branch_rows(database: str) -> list[Any]:
    engine = create_engine(parse_url(database))
    with engine.connect() as connection:
        rows = connection.execute(sql.select(BRANCHES).order_by(BRANCHES.c.number)).all()
    engine.dispose()
    return [*rows]


def test_a_growing_answer_does_not_save_branches_again(store: Store, database: str) -> None:
    thread = branched()
    store.save(thread)
    engine = create_engine(parse_url(database))
    with engine.begin() as connection:
        connection.execute(sql.update(BRANCHES).values(search_text="untouched"))
    thread.messages.append(Message("assistant"))
    for _ in range(3):
        thread.messages[-1].parts.append(Text("more"))
        store.save(thread, 2)
    with engine.connect() as connection:
        assert [*connection.scalars(sql.select(BRANCHES.c.search_text))] == ["untouched"] * 2
    engine.dispose()


def test_branches_that_could_not_be_saved_are_saved_next_time(
    store: Store, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = talk("Q1", "A1", "Q2", "A2")
    store.save(thread)
    thread.branch(1)
    thread.messages.append(answer("A1b"))
    thread.backend_state["bad"] = {1, 2}
    with pytest.raises(TypeError):
        store.save(thread, 2, backend_state=False)
    assert branch_rows(database) == []
    thread.backend_state = {}
    store.save(thread, 2, backend_state=False)
    stored = load_stored(store, "conv_1")
    assert (words(stored), stored.backend_state, stored.branches) == (["Q1", "A1b"], {}, thread.branches)


def test_another_process_sees_a_switch_and_a_branch(database: str) -> None:
    autosaver, live = Autosaver(database), RunRegistry()
    with closing(autosaver), closing(Store(database)) as there:
        thread = branched()
        there.save(thread)
        here = load_stored(there, "conv_1")
        live.change(here, lambda: here.switch(0, 0), autosaver)
        newer = there.load_newer(thread)
        assert newer is not None
        RunRegistry().update(thread, newer)
        assert (words(thread)[:3], thread.branch_at(0), thread.branch_at(3)) == (
            ["Q1", "A1", "Q2"],
            (0, 2),
            (1, 2),
        )
        assert thread.branches == here.branches
        there.leases.acquire(thread)
        with pytest.raises(ThreadBusy):
            live.change(here, lambda: here.switch(0, 1), autosaver)
        assert words(here) == words(thread)


def test_branches_cannot_change_while_an_answer_is_written(
    model: ModelServer, connect_to: Callable[..., Assistant], database: str
) -> None:
    gate = threading.Event()
    model.plays(text("A1"), text("A1b one two", gate=gate, gate_after=6), text("A1c"))
    assistant, thread, live, autosaver = (
        connect_to(model.url, add),
        Thread(),
        RunRegistry(),
        Autosaver(database),
    )
    with closing(autosaver), closing(Store(database)) as store:
        assert live.start(thread, lambda: assistant.run(thread, "Q1"), autosaver=autosaver).join(5)
        run = live.start(thread, lambda: assistant.regenerate(thread, 1), autosaver=autosaver)
        for change in (lambda: thread.switch(1, 0), lambda: thread.branch(0)):
            with pytest.raises(ThreadBusy):
                live.change(thread, change, autosaver)
        with pytest.raises(ThreadBusy):
            live.start(thread, lambda: assistant.edit(thread, 0, "Q2"), autosaver=autosaver)
        gate.set()
        assert run.join(5)
        live.change(thread, lambda: thread.switch(1, 0), autosaver)
        stored = load_stored(store, thread.id)
        assert (words(stored), stored.branch_at(1), stored.backend_state) == (
            ["Q1", "A1"],
            (0, 2),
            thread.backend_state,
        )
        assert not store.leases.is_held_elsewhere(thread)
        assert live.start(thread, lambda: assistant.regenerate(thread, 1), autosaver=autosaver).join(5)
        assert words(thread) == ["Q1", "A1c"]
        stored = load_stored(store, thread.id)
        assert (stored.branches, stored.branch_at(1)) == (thread.branches, (2, 3))


def test_an_edited_message_keeps_its_attachments() -> None:
    thread, assistant = talk("Q1", "A1"), Assistant(None, Toolbox())  # type: ignore[arg-type]
    file = Attachment("notes.txt", "text/plain", "SGk=")
    thread.messages[0].parts.append(file)
    before = [*thread.messages]
    assistant.edit(thread, 0, "Q1b \x00")
    assert thread.messages[0] == Message.from_user("Q1b \ufffd", [file])
    assert thread.branches == {0: {0: Branch(before, {"notes": "first"})}}


def test_branches_are_exported_without_state_and_imported_again() -> None:
    thread = branched()
    written = export_json(thread, "T")
    assert '"notes": "first"' not in written
    imported, _ = import_json(written)
    assert imported.messages == thread.messages
    assert [(each.messages, each.backend_state) for each in imported.all_branches()] == [
        (each.messages, {}) for each in thread.all_branches()
    ]
    imported.switch(0, 0)
    imported.switch(3, 0)
    assert words(imported) == ["Q1", "A1", "Q2", "A2"]
    assert "Q2" not in export_markdown(thread, "T"), "what is read is the open branch"


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_file_with_damaged_branches_is_refused_with_one_sentence(damage: str) -> None:
    thread = deep(4)
    value = json.loads(export_json(thread, "T"))
    DAMAGE[damage](value["branches"])
    with pytest.raises(ValueError, match=r"^This chat is damaged: (its|a message in its) branches cannot be"):
        import_json(json.dumps(value))


@pytest.mark.parametrize("value", [1, "x", {"a": 1}, [1], [None], True])
def test_branches_must_be_a_list_of_objects(value: object) -> None:
    written = json.loads(export_json(talk("Q1", "A1"), "T")) | {"branches": value}
    with pytest.raises(ValueError, match="This chat is damaged"):
        import_json(json.dumps(written))


def test_an_import_ignores_state_and_refuses_invalid_messages() -> None:
    value = json.loads(export_json(branched(), "T"))
    value["branches"][0]["backend_state"] = {"responses": {"conversation": "conv_of_another_user"}}
    imported, _ = import_json(json.dumps(value))
    assert [each.backend_state for each in imported.all_branches()] == [{}, {}, {}]
    message = value["branches"][0]["messages"][0]
    del message["ending"]  # a user's message has one
    with pytest.raises(ValueError, match="a message in its branches"):
        import_json(json.dumps(value))
    message["role"] = "system"
    with pytest.raises(ValueError, match="its branches cannot be read"):
        import_json(json.dumps(value))
