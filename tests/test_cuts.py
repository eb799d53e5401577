"""Cut everywhere: whatever interrupts an answer, at whatever event, the thread is not broken afterwards.

Every scenario is cut before every event of every response, in every way, with a server that kept nothing of
the cut response, all of it, or all of it but later. After each, the next message must get its answer, and
the promise must hold:

(a) what the person saw is kept, and marked as interrupted
(b) the next message is answered without anybody mending anything
(c) no function ran twice, and none from a round that was not finished
(d) what was said live is what the thread holds, and a recalled thread can go on too
(e) nothing was sent that the server had to refuse, but for a conversation that is still being written
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args

import pytest

from assistant import Assistant, Thread, tool
from assistant.backends import responses
from assistant.backends.responses import Responses
from assistant.events import Event, RoundStarted, RunCompleted, RunFailed, RunStopped
from assistant.live import LiveRuns
from assistant.messages import Message
from tests.conftest import Connect
from tests.wire import ModelServer, Play, call, calls, message, reasoning, refusal, text

Way = Literal["close", "reset", "half", "silence", "stop", "kill"]
Keeps = Literal["nothing", "all", "late"]

SCENARIOS: dict[str, Callable[[], list[Play]]] = {
    "text": lambda: [text("Hello, world.", pieces=2)],
    "one call": lambda: [calls(asked("a"), pieces=2), text("Done.", pieces=1)],
    "three parallel calls": lambda: [
        calls(asked("a"), asked("b"), asked("c"), pieces=1),
        text("Done.", pieces=1),
    ],
    "call, call, answer": lambda: [
        calls(message("First."), asked("a"), pieces=1),
        calls(asked("b"), pieces=1),
        text("Done.", pieces=1),
    ],
    "reasoning with calls": lambda: [
        calls(reasoning("Let me think."), asked("a"), pieces=1),
        calls(reasoning("And now?"), message("Done."), pieces=1),
    ],
    "a refusal": lambda: [refusal("I will not.", pieces=2)],
}


def asked(name: str) -> Any:
    return call("count", json.dumps({"name": name}))


# What is kept late makes a difference only to somebody who comes back at once.
CASES = [
    (way, keeps)
    for way in get_args(Way)
    for keeps in get_args(Keeps)
    if keeps != "late" or way in ("close", "stop", "kill")
]

# A connection lost before anything was said is asked again by itself, and that may succeed.
ENDINGS: dict[Way, Any] = {
    "close": RunFailed | RunCompleted,
    "reset": RunFailed | RunCompleted,
    "half": RunFailed,
    "silence": RunFailed,
    "stop": RunStopped,
}

LOCKED = "Another process is currently operating on this conversation. Please retry in a few seconds."


@pytest.mark.slow
@pytest.mark.parametrize(("way", "keeps"), CASES)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_thread_survives_a_cut_before_every_event(
    scenario: str,
    way: Way,
    keeps: Keeps,
    server: ModelServer,
    connect_to: Connect,
    monkeypatch: pytest.MonkeyPatch,
    cuts: Counter[str],
) -> None:
    monkeypatch.setattr(responses, "LOCK_DELAYS", (0.01, 0.05, 0.2, 1.0))
    ran: Counter[str] = Counter()

    @tool
    def count(name: str) -> str:
        """Count.

        Args:
            name: What.
        """
        ran[name] += 1
        return f"{name} is counted"

    assistant = connect_to(server.url, count)
    impatient = connect_to(server.url, count)
    _backend(impatient)._client.max_retries = 0
    for position, events in enumerate([_length(play) for play in SCENARIOS[scenario]()]):
        for index in range(events):
            plays = SCENARIOS[scenario]()  # anew, with ids of their own
            how: Any = "silence" if way in ("stop", "kill") else way
            before, cut = plays[:position], replace(plays[position], cut=index, how=how, keeps=keeps)
            ran.clear()
            cuts["tried"] += 1
            _hold(server, assistant, impatient, way, before, cut, ran)
            cuts["kept"] += 1


def _hold(
    server: ModelServer,
    assistant: Assistant,
    impatient: Assistant,
    way: Way,
    before: list[Play],
    cut: Play,
    ran: Counter[str],
) -> None:
    """Cut one run in one place, go on, and see that the promise holds."""
    backend, thread = _backend(assistant), Thread()
    server.refused.clear()
    server.plays(*before, cut)
    if way in ("stop", "kill"):
        run = LiveRuns().start(thread, lambda: impatient.run(thread, "Go"), impatient.cancel)
        assert cut.reached.wait(5)
        run.stop()
        seen = [event for batch in run.follow() for event in batch]
    else:
        server.plays(text("Repeated."))
        client, patience = _backend(impatient)._client, _backend(impatient)._client.timeout
        seen = []
        for event in impatient.run(thread, "Go"):
            seen.append(event)
            if event == RoundStarted(len(before) + 1) and way in ("half", "silence"):
                client.timeout = 0.05  # the read limit, for the response that is cut
        client.timeout = patience
        repeated = server.drop_script() == 0
        assert not (repeated and _was_seen(cut)), "asked again although something had been said"
    server.wait_until_idle()
    assert ran == Counter(_names(before)), "(c)"
    if way == "kill":  # nothing is left but the server's memory
        thread = backend.recall(thread.id)
    else:
        assert thread.messages == [Message.from_person("Go"), _folded(seen)], "(a) (d)"
        assert isinstance(seen[-1], ENDINGS[way]), "(a)"

    server.plays(text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert events[-1] == RunCompleted(), f"(b) {events[-1]}"
    assert thread.messages[-1].text == "Fine."
    server.plays(text("Still fine."))
    recalled = backend.recall(thread.id)
    assert list(assistant.run(recalled, "Still there?"))[-1] == RunCompleted(), "(d)"
    said = [each.text for each in recalled.messages if each.role == "user"]
    assert said in (["Go", "And now?", "Still there?"], ["And now?", "Still there?"]), "(d)"
    assert "Go" in said or way == "kill", "(a) (d)"
    assert ran == Counter(_names(before)), "(c)"
    assert set(server.refused) <= {LOCKED}, "(e)"
    server.end_script()


def _was_seen(play: Play) -> bool:
    """Whether the person saw anything of a play before it was cut."""
    seen = [event["type"] for event in play.stream("resp_x", {})[: play.cut] if isinstance(event, dict)]
    added = [event for event in play.stream("resp_x", {})[: play.cut] if "item" in event]
    asked = any(event["item"]["type"] == "function_call" for event in added if isinstance(event, dict))
    return asked or any(kind.endswith(".delta") for kind in seen)


def _backend(assistant: Assistant) -> Responses:
    assert isinstance(assistant.backend, Responses)
    return assistant.backend


def _length(play: Play) -> int:
    return len(play.stream("resp_x", {}))


def _names(plays: list[Play]) -> list[str]:
    """What was asked to be counted in rounds that ended well."""
    return [
        json.loads(item["arguments"])["name"]
        for play in plays
        for item in play.items
        if item["type"] == "function_call"
    ]


def _folded(events: list[Event]) -> Message:
    folded = Message("assistant")
    for event in events:
        folded.add(event)
    return folded
