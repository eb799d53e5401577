"""A thread survives an interruption before any event.

Every scenario is cut before every event of every response, in every way. The server stores nothing of the
cut response, all of it at once, or all of it later. Afterwards the next message must be answered, and:

(a) what the user saw is stored, and marked as interrupted
(b) the next message is answered without any repair
(c) no function ran twice, and none from a round that did not end, except in the background
(d) the live events, the thread, the stored thread and the continued thread agree
(e) the server refused nothing, except requests to a conversation that is still locked
"""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import pytest

from assistant import Assistant, Thread
from assistant.backends.responses.backend import Responses
from assistant.events import Citation, Event, HostedCall, RunCompleted, RunFailed, RunStopped
from assistant.messages import Message
from assistant.parts import Attachment, Call, Part
from assistant.runs import log as log_module
from assistant.runs import worker
from assistant.runs.autosave import Autosaver
from assistant.runs.registry import RunRegistry
from assistant.runs.run import INTERRUPTED
from tests.conftest import Connect
from tests.counting import count_call, count_later_call, counting, counting_later, wait_for_background
from tests.servers import hosted
from tests.servers.responses import (
    Json,
    ModelServer,
    Play,
    call,
    calls,
    message,
    new_id,
    reasoning,
    refusal,
    text,
)
from tests.silence import SilenceTransport
from tests.stored import load_stored

Way = Literal["close", "reset", "half", "silence", "stop", "kill"]
Keeps = Literal["nothing", "all", "late"]


def program_plays() -> list[Play]:
    """Return a program whose call is answered, and a search for functions after it."""
    program: Json = {"id": new_id("prg"), "type": "program", "call_id": new_id("call")}
    program |= {"code": "await tools.count({name: 'a'})", "fingerprint": "f"}
    called = count_call("a") | {"caller": {"type": "program", "caller_id": program["call_id"]}}
    output = {"id": new_id("prgo"), "type": "program_output", "call_id": program["call_id"]}
    output |= {"result": "1", "status": "completed"}
    search: Json = {"execution": "server", "call_id": None, "status": "completed"}
    started = {"id": new_id("tsc"), "type": "tool_search_call", "arguments": {"query": "maps"}} | search
    found = {"id": new_id("tso"), "type": "tool_search_output", "tools": []} | search
    return [calls(program, called, pieces=1), calls(output, started, found, message("Done."), pieces=1)]


SCENARIOS: dict[str, Callable[[], list[Play]]] = {
    "text": lambda: [text("Hello, world.", pieces=2)],
    "one call": lambda: [calls(count_call("a"), pieces=2), text("Done.", pieces=1)],
    "three parallel calls": lambda: [
        calls(count_call("a"), count_call("b"), count_call("c"), pieces=1),
        text("Done.", pieces=1),
    ],
    "call, call, answer": lambda: [
        calls(message("First."), count_call("a"), pieces=1),
        calls(count_call("b"), pieces=1),
        text("Done.", pieces=1),
    ],
    "reasoning with calls": lambda: [
        calls(reasoning("Let me think."), count_call("a"), pieces=1),
        calls(reasoning("And now?"), message("Done."), pieces=1),
    ],
    "the server's own tools": lambda: [
        calls(
            hosted.web_search("Oslo"),
            hosted.code("1 + 1", {"type": "logs", "logs": "2"}),
            hosted.cited(message("Done."), hosted.url("Oslo", "https://example.com", 5)),
            pieces=1,
        )
    ],
    "a background call": lambda: [
        calls(count_later_call("a"), message("First."), pieces=1),
        text("Done.", pieces=1),
    ],
    "a background call beside an ordinary one": lambda: [
        calls(count_later_call("a"), message("First."), count_call("b"), pieces=1),
        text("Done.", pieces=1),
    ],
    "a wait for a background call": lambda: [
        calls(count_later_call("a"), call("wait_for_tasks", task_handles=["task a"]), pieces=1),
        text("Done.", pieces=1),
    ],
    "a program and a search": program_plays,
    "a refusal": lambda: [refusal("I will not.", pieces=2)],
}


# Late storage only matters to a message that follows at once.
CASES = [
    (way, keeps)
    for way in get_args(Way)
    for keeps in get_args(Keeps)
    if keeps != "late" or way in ("close", "stop", "kill")
]

# A connection lost before any output is retried automatically, and that may succeed.
ENDINGS: dict[Way, Any] = {
    "close": RunFailed | RunCompleted,
    "reset": RunFailed | RunCompleted,
    "half": RunFailed,
    "silence": RunFailed,
    "stop": RunStopped,
}

LOCKED = "Another process is currently operating on this conversation. Please retry in a few seconds."


@pytest.mark.exhaustive
@pytest.mark.parametrize(("way", "keeps"), CASES)
@pytest.mark.parametrize(
    ("scenario", "has_conversations"),
    [
        (scenario, has_conversations)
        for scenario in SCENARIOS
        for has_conversations in ((True, False) if scenario == "a background call" else (True,))
    ],
)
def test_a_thread_survives_a_cut_before_every_event(
    scenario: str,
    has_conversations: bool,
    way: Way,
    keeps: Keeps,
    server: ModelServer,
    connect_to: Connect,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cuts: Counter[str],
) -> None:
    monkeypatch.setattr(worker, "SAVE_SECONDS", 0.0)  # so that nothing depends on the moment
    monkeypatch.setattr(log_module, "BATCH_SECONDS", 0.001)  # with 0 a follower never rests
    server.has_conversations = has_conversations
    count, ran = counting()
    later = counting_later(ran)
    network = SilenceTransport() if way in ("half", "silence") else None
    impatient = connect_to(server.url, count, later, transport=network)
    with closing(Autosaver(f"sqlite:///{tmp_path}/threads.sqlite")) as autosaver:
        bench = Bench(server, autosaver, connect_to(server.url, count, later), impatient, network, way, ran)
        for position, events in enumerate([_length(play) for play in SCENARIOS[scenario]()]):
            for index in range(events):
                plays = SCENARIOS[scenario]()  # new items with their own ids
                how: Any = "silence" if way in ("stop", "kill") else way
                cuts["tried"] += 1
                bench.hold(plays[:position], replace(plays[position], cut=index, how=how, keeps=keeps))
                cuts["kept"] += 1


@dataclass
class Bench:
    """The server, the store and the assistants with which one run after the other is cut."""

    server: ModelServer
    autosaver: Autosaver
    assistant: Assistant
    impatient: Assistant  # retries nothing
    network: SilenceTransport | None  # of the impatient one, where a silence ends the response
    way: Way
    ran: Counter[str]

    def hold(self, before: list[Play], cut: Play) -> None:
        """Cut one run in one place, continue, and assert that the promise holds."""
        self.server.refused.clear()
        self.ran.clear()
        self.server.plays(*before, cut)
        thread = self.interrupt(Thread(), cut)
        self.server.wait_until_idle()
        wait_for_background()
        self.check_calls(before, cut)

        self.server.plays(text("Fine."))
        assert self.say(thread, "And now?") == RunCompleted(), "(b)"
        assert thread.messages[-1].text == "Fine."
        again = self.load(thread)
        assert (again.messages, again.backend_state) == (thread.messages, thread.backend_state), "(d)"
        self.server.plays(text("Still fine."))
        assert self.say(again, "Still there?") == RunCompleted(), "(d)"
        if cut.keeps == "all" and self.server.has_conversations:  # nothing but the server's memory is left
            self.server.plays(text("As ever."))
            assert self.say(_backend(self.assistant).load_thread(thread.id), "Now?") == RunCompleted(), "(d)"
        self.check_calls(before, cut)
        assert set(self.server.refused) <= {LOCKED}, "(e)"
        self.server.end_script()

    def check_calls(self, before: list[Play], cut: Play) -> None:
        """Assert that each call ran once; one in the background of the cut response may have run."""
        ran = Counter(self.ran)
        for name in _names([cut], "count_later"):
            assert ran.pop(name, 0) <= 1, "(c)"
        assert ran == Counter(_names(before, "count") + _names(before, "count_later")), "(c)"

    def interrupt(self, thread: Thread, cut: Play) -> Thread:
        """Run into the cut; gives the thread as it is known afterwards."""
        if self.network:
            self.network.play = cut
        if self.way not in ("stop", "kill"):
            self.server.plays(text("Repeated."))
        run = RunRegistry().start(
            thread, lambda: self.impatient.run(thread, "Go"), self.impatient.cancel, self.autosaver
        )
        if self.way in ("stop", "kill"):
            assert cut.reached.wait(5)
            dead = self.load(thread) if self.way == "kill" else thread
            run.stop()
        seen = [event for batch in run.follow() for event in batch]
        assert run.join(5)
        if self.way not in ("stop", "kill"):
            repeated = self.server.drop_script() == 0
            assert not (repeated and _was_seen(cut)), "retried although there was output"
        assert thread.messages == [Message.from_user("Go"), _folded(seen)], "(a) (d)"
        if self.way != "kill":
            assert isinstance(seen[-1], ENDINGS[self.way]), "(a)"
            assert self.load(thread).messages == thread.messages, "(d)"
            return thread
        # The store has what a killed process leaves: everything yielded up to then.
        assert dead.messages[0] == Message.from_user("Go"), "(a)"
        assert _is_beginning(dead.messages[1].parts, thread.messages[1].parts), "(a)"
        dead.messages[1].add(INTERRUPTED)
        self.autosaver.save(dead, 1, backend_state=True)
        return dead

    def say(self, thread: Thread, words: str) -> Event:
        """Send a message and return how the run ended."""
        run = RunRegistry().start(
            thread, lambda: self.assistant.run(thread, words), self.assistant.cancel, self.autosaver
        )
        ending = [event for batch in run.follow() for event in batch][-1]
        assert run.join(5)
        return ending

    def load(self, thread: Thread) -> Thread:
        return load_stored(self.autosaver.store, thread.id)


def _is_beginning(some: list[Part], more: list[Part]) -> bool:
    """Return whether these parts were a state of those at some earlier moment."""
    if not some:
        return True
    *whole, last = (
        # A program runs on beside the calls that it makes, which are later parts.
        replace(then, output=now.output, state=now.state)
        if isinstance(then, HostedCall) and isinstance(now, HostedCall) and then.state == "running"
        else then
        for then, now in zip(some, [*more, *some[len(more) :]], strict=False)
    )
    later = more[len(whole)] if len(whole) < len(more) else None
    if isinstance(last, Call | HostedCall | Citation | Attachment):
        same = type(last) is type(later) and not isinstance(last, Attachment)
        return whole == more[: len(whole)] and same
    begins = isinstance(later, type(last)) and later.text.startswith(last.text)
    return whole == more[: len(whole)] and begins


def _was_seen(play: Play) -> bool:
    """Return whether the user saw anything of a play before it was cut."""
    seen = [event["type"] for event in play.stream("resp_x", {})[: play.cut] if isinstance(event, dict)]
    added = [event for event in play.stream("resp_x", {})[: play.cut] if "item" in event]
    has_call = any(event["item"]["type"] == "function_call" for event in added if isinstance(event, dict))
    return has_call or any(kind.endswith(".delta") for kind in seen)


def _backend(assistant: Assistant) -> Responses:
    assert isinstance(assistant.backend, Responses)
    return assistant.backend


def _length(play: Play) -> int:
    return len(play.stream("resp_x", {}))


def _names(plays: list[Play], function: str) -> list[str]:
    """Return what the calls of the function were to count."""
    return [
        json.loads(item["arguments"])["name"]
        for play in plays
        for item in play.items
        if item.get("name") == function
    ]


def _folded(events: list[Event]) -> Message:
    folded = Message("assistant")
    for event in events:
        folded.add(event)
    return folded
