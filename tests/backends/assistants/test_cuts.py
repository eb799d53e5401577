"""A run that is cut off before any of its events."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assistant import Assistant, Thread
from assistant.events import RunCompleted
from assistant.runs.registry import RunRegistry
from assistant.runs.run import INTERRUPTED
from assistant.storage.store import Store
from tests.backends.assistants.conftest import Connect, ask
from tests.counting import count_call, counting
from tests.servers.assistants import AssistantsServer
from tests.servers.responses import Play, calls, cut, message, text
from tests.silence import SilenceTransport
from tests.stored import load_stored
from tests.variants import quick_first

SCENARIOS = {
    "text": lambda: [text("Hello, world.", pieces=2)],
    "calls": lambda: [
        calls(message("Well."), count_call("a"), count_call("b"), pieces=1),
        calls(count_call("c"), pieces=1),
        text("Done.", pieces=1),
    ],
}


QUICK = ("close", "late")
CASES = [
    pytest.param(way, keeps, marks=[] if (way, keeps) == QUICK else [pytest.mark.exhaustive])
    for way in ("close", "reset", "half", "stop", "kill")
    for keeps in ("nothing", "all", "late")
]


@pytest.mark.parametrize("step", quick_first([4, 1]))
@pytest.mark.parametrize(("way", "keeps"), CASES)
@pytest.mark.parametrize("scenario", quick_first(SCENARIOS))
def test_a_thread_survives_a_cut_before_any_event(
    server: AssistantsServer,
    connect_to: Connect,
    tmp_path: Path,
    step: int,
    scenario: str,
    way: str,
    keeps: Any,
) -> None:
    count, ran = counting()
    assistant = connect_to(server.url, count)
    network = SilenceTransport() if way == "half" else None
    impatient = connect_to(server.url, count, transport=network)
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        for position, play in enumerate(SCENARIOS[scenario]()):
            for index in range(0, server.length(play, begins=position == 0), step):
                plays = SCENARIOS[scenario]()
                how: Any = "silence" if way in ("stop", "kill") else way
                broken = cut(plays[position], index, how, keeps=keeps)
                if network:
                    network.play = broken
                server.plays(*plays[:position], broken, *plays[position + 1 :], text("Again."))
                _interrupt_and_continue(server, impatient, assistant, store, way, broken)
                assert all(times == 1 for times in ran.values()), "a function ran twice"
                ran.clear()


def _interrupt_and_continue(
    server: AssistantsServer, impatient: Assistant, assistant: Assistant, store: Store, way: str, broken: Play
) -> None:
    thread = Thread()
    server.ignores_cancel = way == "kill"  # a killed process cancels nothing
    run = RunRegistry().start(thread, lambda: impatient.run(thread, "Go"), impatient.cancel)
    if way in ("stop", "kill"):
        assert broken.reached.wait(5)
        if way == "kill":
            store.save(thread)
        run.stop()
    assert run.join(5)
    server.ignores_cancel = False
    server.wait_until_idle()
    server.drop_script()
    if way == "kill":
        loaded = load_stored(store, thread.id)
        thread = loaded
        if thread.is_unfinished:
            thread.messages[-1].add(INTERRUPTED)
    seen = thread.messages[-1].text
    server.plays(text("Fine."))
    assert ask(assistant, "And now?", thread)[-1] == RunCompleted()
    server.plays(text("Still fine."))
    store.save(thread)
    again = load_stored(store, thread.id)
    assert ask(assistant, "Still there?", again)[-1] == RunCompleted()
    assert again.messages[1].text == seen
    messages = server.transcript(again.id)
    assert [content for role, content in messages if role == "user"] == ["Go", "And now?", "Still there?"]
    assert messages[-4:] == [
        ("user", "And now?"),
        ("assistant", "Fine."),
        ("user", "Still there?"),
        ("assistant", "Still fine."),
    ]
    assert server.refused == []
    server.end_script()
