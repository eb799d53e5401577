"""A turn that is cut off before any of its events."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant, Thread
from assistant.events import (
    Event,
    ReasoningDelta,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    ToolCallDelta,
)
from assistant.runs.registry import RunRegistry
from assistant.runs.run import INTERRUPTED
from assistant.storage.store import Store
from tests.backends.agents.conftest import Create, ask, sent_texts
from tests.counting import count_call, counting
from tests.servers.agents import AgentsServer, Session
from tests.servers.agents_turn import turn_events
from tests.servers.responses import Play, call, calls, cut, message, reasoning, text
from tests.variants import quick_first, quick_first_row
from tests.waiting import until

SCENARIOS: dict[str, Callable[[], list[Play]]] = {
    "text": lambda: [text("Hello, world.", pieces=2)],
    "one call": lambda: [calls(count_call("a"), pieces=1), text("Done.", pieces=1)],
    "parallel calls, and another": lambda: [
        calls(message("First."), count_call("a"), count_call("b"), pieces=1),
        calls(reasoning("Hm."), count_call("c"), pieces=1),
        text("Done.", pieces=1),
    ],
}


def length(play: Play, first: bool) -> int:
    """Return the number of events of a play."""
    with AgentsServer() as server:
        session = Session(server, {})
        session.items = [{"turn_id": "turn"}] if first else []
        return len(list(turn_events(session, {"id": "turn"}, play, first)))


def killed(thread: Thread, run: Iterator[Event]) -> Thread:
    """Return the thread as it was stored when its process was killed during the cut."""
    stored = deepcopy((thread.id, thread.messages, thread.backend_state))
    for event in run:
        if not isinstance(event, TextDelta | ToolCallDelta | ReasoningDelta | RunFailed | RunCompleted):
            stored = deepcopy((thread.id, thread.messages, thread.backend_state))
    restored = Thread(*stored)
    restored.messages[-1].add(INTERRUPTED)
    return restored


@pytest.mark.parametrize("step", quick_first([4, 1]))
@pytest.mark.parametrize("scenario", quick_first(SCENARIOS))
@pytest.mark.parametrize(
    ("how", "keeps"),
    quick_first_row(
        *[("close", "nothing"), ("stop", "late"), ("kill", "late"), ("kill", "all"), ("close", "late")],
        ("reset", "all"),
    ),
)
def test_a_thread_survives_a_cut_before_any_event(
    server: AgentsServer, create: Create, tmp_path: Path, step: int, scenario: str, how: Any, keeps: Any
) -> None:
    count, ran = counting()
    server.functions = ("count",)
    assistant, other = create(count), create(count)
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    lengths = [length(play, not index) for index, play in enumerate(SCENARIOS[scenario]())]
    for position, events in enumerate(lengths):
        for index in range(0, events, step):
            ran.clear()
            plays = SCENARIOS[scenario]()
            way = {"stop": "silence", "kill": "close"}.get(how, how)
            broken = replace(plays[position], cut=index, how=way, keeps=keeps)
            # A connection that broke before any output is repeated, so that the answer may be complete.
            server.plays(*plays[:position], broken, *(plays[position + 1 :] or [text("Repeated.")]))
            thread = Thread()
            if how == "kill":
                thread = killed(thread, assistant.run(thread, "Go"))
            else:
                run = RunRegistry().start(thread, partial(assistant.run, thread, "Go"), assistant.cancel)
                if how == "stop":
                    assert broken.reached.wait(5)
                    run.stop()
                assert run.join(5)
            server.wait_until_idle()
            server.drop_script()
            assert set(ran.values()) <= {1}, "a function ran twice"
            ending = thread.messages[-1].ending
            assert isinstance(ending, RunStopped if how == "stop" else RunFailed | RunCompleted)
            store.save(thread)
            loaded = store.load(thread.id) if thread.id else thread
            assert loaded is not None
            assert (loaded.messages, loaded.backend_state) == (thread.messages, thread.backend_state)
            server.plays(text("Fine."))
            assert ask(other, loaded, "And now?")[-1] == RunCompleted()
            assert loaded.messages[-1].text == "Fine."
            server.plays(text("Still fine."))
            assert ask(assistant, loaded, "Still there?")[-1] == RunCompleted()
            assert server.refused == []
            texts = [content for texts in sent_texts(server) for content in texts]
            assert Counter(texts)["Go"] == Counter(texts)["And now?"] == 1, "a message was sent twice"
            server.requests.clear()
    store.close()


def test_a_completed_turn_is_joined_until_its_session_is_idle(
    server: AgentsServer, assistant: Assistant
) -> None:
    hello, gate = text("Hello, world."), threading.Event()
    idle = length(hello, first=True) - 1
    server.plays(replace(cut(hello, idle - 1, "close", keeps="all"), gate=gate, gate_after=idle))
    thread = Thread()
    assert isinstance(ask(assistant, thread, "Go")[-1], RunFailed)
    [session] = server.sessions.values()
    until(lambda: session.turns[0]["status"] == "completed")
    run = RunRegistry().start(thread, partial(assistant.resume, thread), assistant.cancel)
    until(lambda: any(line.endswith("/turns") for line in server.request_lines))
    gate.set()
    assert run.join(5)
    assert thread.messages[-1].ending == RunCompleted()
    assert thread.messages[-1].text == "Hello, world."


@pytest.mark.parametrize("keeps", quick_first(["late", "nothing", "all"]))
@pytest.mark.parametrize("position", quick_first([1, 0]))
def test_retrying_after_a_cut_gets_the_answer_without_asking_again(
    server: AgentsServer, assistant: Assistant, position: int, keeps: Any
) -> None:
    for index in range(11):
        server.requests.clear()
        plays = [calls(call("add", a=1, b=2)), text("Hello, world.", pieces=2)]
        plays[position] = cut(plays[position], index, "close", keeps=keeps)
        server.plays(*plays, text("Continued."))
        thread = Thread()
        ending = ask(assistant, thread, "Go")[-1]
        tries = 0
        while isinstance(ending, RunFailed):
            assert ending.retry
            assert (tries := tries + 1) < 3
            server.wait_until_idle()
            ending = list(assistant.resume(thread))[-1]
        assert ending == RunCompleted()
        last = thread.messages[-1].text
        assert last in ("Hello, world.", "Continued."), index
        assert keeps == "nothing" or last == "Hello, world."
        texts = [content for texts in sent_texts(server) for content in texts]
        assert Counter(texts)["Go"] == 1
        assert texts.count("3") == 1 or keeps == "nothing"
        assert server.refused == []
        server.drop_script()
