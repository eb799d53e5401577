"""The Agents API: an agent's sessions and turns, and whatever may happen to them on the way."""

import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from copy import deepcopy
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from openai.types.beta import AgentSession, AgentSessionEvent, AgentSessionItem
from openai.types.beta.agents.sessions import Turn
from pydantic import TypeAdapter

from assistant import Assistant, Thread, Tool, Toolbox, tool
from assistant.backends.agents import backend as agents
from assistant.backends.agents import state as agents_sessions
from assistant.backends.agents.backend import Agents, file_name
from assistant.backends.agents.items import CUT_OFF, DONE, GO_ON, SO_FAR
from assistant.backends.agents.stream import NeedsMore, Reader, Round, SessionError
from assistant.backends.client import connect
from assistant.errors import Incomplete, UnknownThread
from assistant.events import (
    Event,
    Note,
    ReasoningDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from assistant.messages import Call, Message, Text
from assistant.runs.loop import INTERRUPTED
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.storage.store import Store
from tests.backends.kinds import state_of
from tests.conftest import add
from tests.servers.agents import AgentsServer, Session
from tests.servers.responses import Play, call, calls, cut, error, message, reasoning, refusal, text
from tests.variants import quick_first

Make = Callable[..., Assistant]
USED = Usage(input=10, cached=2, output=5, reasoning=1)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AgentsServer]:
    monkeypatch.setattr(agents, "PENDING_DELAYS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(agents_sessions, "IDLE_DELAYS", (0.005,) * 100)
    with AgentsServer() as server:
        yield server


@pytest.fixture
def made(server: AgentsServer) -> Iterator[Make]:
    """Makes an assistant with a backend of its own, as another process would."""
    with ExitStack() as clients:

        def make(*tools: Tool[..., Any], instructions: str = "", **options: Any) -> Assistant:
            client = clients.enter_context(connect(Settings(api_key="sk-x", base_url=server.url)))
            client.max_retries = 0
            backend = Agents(client, agent_id="agent_1", instructions=instructions)
            return Assistant(backend, Toolbox(*tools), **options)

        yield make


@pytest.fixture
def assistant(made: Make) -> Assistant:
    return made(add)


def backend(assistant: Assistant) -> Agents:
    assert isinstance(assistant.backend, Agents)
    return assistant.backend


def say(assistant: Assistant, thread: Thread, words: str) -> list[Event]:
    return list(assistant.run(thread, words))


def told(server: AgentsServer) -> list[list[str]]:
    """What was said to the agent: the texts of each message input, the results of each result input."""
    heard = []
    for body in server.asked:
        texts = []
        for event in body.get("events", [body]):
            for each in event.get("input", []):
                texts += [part["text"] for part in each["content"]]
            if "call_id" in event:
                texts.append(event.get("output") or event["error"])
        heard.append(texts)
    return heard


# --- a thread whom nothing befalls --------------------------------------------------------------------


def test_a_session_begins_with_its_first_message_and_its_text_is_streamed(
    server: AgentsServer, made: Make
) -> None:
    server.plays(text("Hello, world.", "Bye.", pieces=2))
    thread = Thread()
    assert say(made(add, instructions="Be brief."), thread, "Hi") == [
        RoundStarted(1),
        ThreadOpened(*server.sessions),
        TextDelta("Hello, "),
        TextDelta("world."),
        TextBreak(),
        TextDelta("By"),
        TextDelta("e."),
        RoundEnded("test-model", USED),
        RunCompleted(),
    ]
    asked = dict(server.asked[0])
    birth = asked.pop("metadata").pop("birth")
    assert asked == {
        "agent_id": "agent_1",
        "agent": {"instructions": "Be brief."},
        "environment": {"type": "none"},
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "stream": True,
    }
    assert state_of(thread, "agents")["birth"] == birth
    assert server.requests == ["POST /agents/sessions"]


def test_a_later_message_is_posted_after_listening_to_a_session_that_is_idle(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    say(assistant, thread, "1?")
    server.requests.clear()
    assert say(assistant, thread, "2?")[-1] == RunCompleted()
    session = f"/agents/sessions/{thread.id}"
    assert server.requests == [
        f"GET {session}",
        f"GET {session}/items",
        f"GET {session}/events",
        f"POST {session}/events",
    ]
    assert told(server) == [["1?"], ["2?"]]


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("objects", [False, True])
def test_calls_single_parallel_and_chained_are_run_and_answered(
    server: AgentsServer, assistant: Assistant, noisy: bool, objects: bool
) -> None:
    server.noisy, server.objects, server.stale = noisy, objects, noisy
    one, two, three = call("add", a=1, b=2), call("add", a=3, b=4), call("add", a=5, b=6)
    server.plays(
        calls(reasoning("Hm."), one, two, pieces=1),
        calls(message("And"), three, pieces=1),
        text("Done.", pieces=1),
    )
    thread = Thread()
    events = say(assistant, thread, "Add")
    asked = [ToolCall(each["call_id"], "add", each["arguments"]) for each in (one, two, three)]
    drafts = [ToolCallDelta(each.call_id, each.name, each.arguments) for each in asked]
    results = [ToolResult(each.call_id, output) for each, output in zip(asked, ("3", "7", "11"), strict=True)]
    assert [event for event in events if not isinstance(event, ToolResult)] == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        ReasoningDelta("Hm."),
        *drafts[:2],
        *asked[:2],
        RoundEnded("test-model"),
        RoundStarted(2),
        TextDelta("And"),
        drafts[2],
        asked[2],
        RoundEnded("test-model"),
        RoundStarted(3),
        TextDelta("Done."),
        RoundEnded("test-model", USED),
        RunCompleted(),
    ]
    assert {(event.call_id, event.output) for event in events if isinstance(event, ToolResult)} == {
        (result.call_id, result.output) for result in results
    }
    assert (told(server), server.refused) == ([["Add"], ["3", "7"], ["11"]], [])


def test_a_function_that_is_not_here_is_noted_once_and_the_agent_is_told(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.functions = ("add", "book-it")
    server.plays(calls(call("nope")), calls(call("nope")), text("Well."), text("Yes."))
    thread = Thread()
    notes = [event for event in say(assistant, thread, "Go") if isinstance(event, Note)]
    notes += [event for event in say(assistant, thread, "And now?") if isinstance(event, Note)]
    assert notes == [
        Note("The agent may call `nope`, which is not here. Write it in assistant/functions/nope.py."),
        Note("The agent may call `book-it`, which is not here. Write it in assistant/functions/book_it.py."),
    ]
    given = server.asked[1]["events"][0]
    assert (given["success"], given["error"]) == (
        False,
        "There is no function 'nope'. Available functions: add.",
    )


@pytest.mark.parametrize(
    ("function", "file"),
    [
        ("get_weather", "get_weather.py"),
        ("../../etc/passwd", "etc_passwd.py"),
        ("天気", "function.py"),
        ("2fast", "function_2fast.py"),
        ("class", "function_class.py"),
        ("x" * 300, "x" * 60 + ".py"),
        ("", "function.py"),
    ],
)
def test_a_function_that_is_not_here_gets_a_file_name_that_is_safe(function: str, file: str) -> None:
    assert file_name(function) == file


@pytest.mark.parametrize(
    "words",
    ["東京の天気は？🌧👩‍👩‍👧", "a\x00b\x1f\x7f", "\u2028$5 <b>&amp;", '{"a": "\\u0000"}', "x" * 100_000],
)
def test_any_text_comes_through(server: AgentsServer, assistant: Assistant, words: str) -> None:
    server.plays(calls(call("add", a=1, b=1, c=words)), text(words), text("Fine."))
    thread = Thread()
    assert say(assistant, thread, words)[-1] == RunCompleted()
    assert thread.messages[-1].text == words
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (server.refused, told(server)[0]) == ([], [thread.messages[0].text])


def test_a_refusal_is_said_as_text(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(refusal("I must not."))
    thread = Thread()
    assert say(assistant, thread, "Go")[-1] == RunCompleted()
    assert thread.messages[-1].text == "I must not."


# --- the service's own ways ----------------------------------------------------------------------------


def test_a_result_that_comes_before_its_call_is_known_is_sent_again(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    server.slow = 3
    assert say(assistant, Thread(), "Add")[-1] == RunCompleted()
    assert len(server.refused) == 3
    assert told(server) == [["Add"], ["3"]]


@pytest.mark.parametrize(
    ("details", "kind", "code", "retry"),
    [
        (
            {"error": {"code": "credit_balance_exhausted", "message": "x"}},
            RunFailed,
            "credit_balance_exhausted",
            False,
        ),
        ({"error": {"code": "billing_not_active", "message": "x"}}, RunFailed, "insufficient_quota", False),
        ({"error": {"code": "server_overloaded", "message": "x"}}, RunFailed, "server_is_overloaded", True),
        ({"error": {"code": "rate_limit_exceeded", "message": "x"}}, RunFailed, "rate_limit_exceeded", True),
        ({"error": {"code": "invalid_request", "message": "x"}}, RunFailed, "invalid_request", False),
        ({"error": {"code": "max_output_tokens", "message": "x"}}, RunStopped, "max_output_tokens", None),
        ({"error": None}, RunFailed, "server_error", True),
        ({"words": {"code": "server_error", "message": "Oh.", "type": "x"}}, RunFailed, "server_error", True),
        ({"session": "failed"}, RunFailed, "server_error", True),
        ({"session": "budget_reached"}, RunFailed, "session_budget_exceeded", False),
    ],
)
def test_a_turn_that_fails_says_why(
    server: AgentsServer, assistant: Assistant, details: Any, kind: Any, code: str, retry: Any
) -> None:
    server.plays(text("One", ending="failed", details=details))
    thread = Thread()
    ending: Any = say(assistant, thread, "Count")[-1]
    assert isinstance(ending, kind)
    assert thread.messages[-1].text == "One"
    assert getattr(ending, "code", "") == code or getattr(ending, "reason", "") == code
    assert getattr(ending, "retry", None) == retry
    if details.get("session") == "budget_reached":
        again: Any = say(assistant, thread, "And now?")[-1]
        assert again.code == "session_budget_exceeded"
        return
    server.plays(text("Fine."))
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    assert thread.messages[-1].text == "Fine."


def test_what_no_function_can_give_is_named(server: AgentsServer, assistant: Assistant) -> None:
    action = {"type": "mcp_approval_request", "request_id": "r", "request": {}}
    server.plays(calls(details={"actions": [action]}), text("Fine."))
    thread = Thread()
    ending = say(assistant, thread, "Go")[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == ("action_not_supported", False)
    assert "mcp_approval_request" in ending.text
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    assert server.cancels == [thread.id]


def test_an_unknown_agent_is_an_error_that_is_said(server: AgentsServer, made: Make) -> None:
    client = backend(made())._client
    ending = say(Assistant(Agents(client, agent_id="agent_x"), Toolbox()), Thread(), "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, server.sessions) == ("not_found", {})
    assert "agent_x" in ending.text


def test_what_our_server_says_is_what_the_sdk_knows(server: AgentsServer, assistant: Assistant) -> None:
    thread = Thread()
    server.plays(
        calls(reasoning("Hm."), message("So."), call("add", a=1, b=2), call("add", a=2, b=2)),
        text("One", "Two"),
        text("Three", ending="failed", details={"error": {"code": "server_error", "message": "x"}}),
        text("Four", ending="failed", details={"words": {"code": None, "message": "x", "type": "y"}}),
    )  # but for a limit that is reached: from 3.57 on it is in the SDK's helpers, and not in its types
    for words in ("1", "2", "3"):
        say(assistant, thread, words)
    events: TypeAdapter[Any] = TypeAdapter(AgentSessionEvent)
    assert {events.validate_python(event).type for event in server.sent} == {
        event["type"] for event in server.sent
    }
    session = server.sessions[thread.id]
    AgentSession.model_validate(session.object())
    items: TypeAdapter[Any] = TypeAdapter(AgentSessionItem)
    assert [items.validate_python(item).type for item in session.items] == [
        item["type"] for item in session.items
    ]
    assert [Turn.model_validate(turn).status for turn in session.turns][:2] == ["completed", "failed"]


def test_nothing_that_a_session_may_say_raises_anything_but_our_own_errors(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(reasoning("Hm."), message("So."), call("add", a=1, b=2)), text("One", "Two"))
    say(assistant, Thread(), "1")
    chance = random.Random(1)
    odd: list[Any] = [None, [], {}, [[]], [None], 0, -1.5, True, "", "\ud83d", {"type": {}}, "x" * 99]

    def spoil(value: Any) -> Any:
        if chance.random() < 0.06:
            return chance.choice(odd)
        if isinstance(value, dict):
            return {name: spoil(each) for name, each in value.items() if chance.random() > 0.03}
        return [spoil(each) for each in value] if isinstance(value, list) else value

    for joined in (False, True):
        for _ in range(200):
            reader = Reader(Round(), joined=joined)
            for event in server.sent:
                spoilt = spoil(event)
                with suppress(SessionError, NeedsMore, Incomplete):
                    for said in reader.take(spoilt if isinstance(spoilt, dict) else {}):
                        json.dumps(getattr(said, "text", ""), ensure_ascii=False).encode()


# --- stopped -------------------------------------------------------------------------------------------


def test_closing_a_run_cancels_the_turn(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Count")
    while not isinstance(next(run), TextDelta):
        pass
    run.close()
    server.wait_until_idle()
    assert [turn["status"] for turn in server.sessions[thread.id].turns] == ["cancelled"]
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (thread.messages[-1].text, server.refused) == ("Fine.", [])
    assert told(server) == [["Count"], ["And now?"]]


@pytest.mark.parametrize("round_number", [1, 2])
def test_stop_wakes_a_run_that_waits_and_cancels_the_turn(
    server: AgentsServer, assistant: Assistant, round_number: int
) -> None:
    waits = text("One two three four", gate=threading.Event(), gate_after=5)
    plays = [calls(call("add", a=1, b=2)), waits] if round_number == 2 else [waits]
    server.plays(*plays)
    thread = Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Count"), assistant.cancel)
    assert waits.reached.wait(5)
    run.stop()
    assert run.join(5)
    server.wait_until_idle()
    assert server.sessions[thread.id].turns[-1]["status"] == "cancelled"
    server.plays(text("Fine."))
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (thread.messages[-1].text, server.refused) == ("Fine.", [])


def test_stop_while_a_function_runs_ends_the_turn_too(server: AgentsServer, made: Make) -> None:
    began, go_on = threading.Event(), threading.Event()

    @tool
    def slow() -> str:
        """Take long."""
        began.set()
        go_on.wait(5)
        return "late"

    server.plays(calls(call("slow")))
    assistant, thread = made(slow), Thread()
    run = RunRegistry().start(thread, lambda: assistant.run(thread, "Go"), assistant.cancel)
    assert began.wait(5)
    run.stop()
    while not server.cancels:
        server.closing.wait(0.001)
    go_on.set()
    assert run.join(5)
    server.plays(text("Fine."))
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (thread.messages[-1].text, server.refused) == ("Fine.", [])
    assert told(server)[-1] == ["And now?"]


def test_after_the_most_rounds_the_agent_is_told_what_its_last_calls_gave(
    server: AgentsServer, made: Make
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Fine."))
    assistant, thread = made(add, max_rounds=1), Thread()
    ending = say(assistant, thread, "Add")[-1]
    assert isinstance(ending, RunStopped)
    assert say(assistant, thread, "And now?")[-1] == RunCompleted()
    line = 'Assistant called add({"a": 1, "b": 2}), which gave: 3'
    assert told(server)[-1] == [CUT_OFF + line, "And now?"]
    assert server.cancels == [thread.id]


def test_going_on_after_the_most_rounds_gives_the_results(server: AgentsServer, made: Make) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    assistant, thread = made(add, max_rounds=1), Thread()
    say(assistant, thread, "Add")
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert (told(server), server.cancels) == ([["Add"], ["3"]], [])


# --- cut -----------------------------------------------------------------------------------------------

SCENARIOS: dict[str, Callable[[], list[Play]]] = {
    "text": lambda: [text("Hello, world.", pieces=2)],
    "one call": lambda: [calls(counted("a"), pieces=1), text("Done.", pieces=1)],
    "parallel calls, and another": lambda: [
        calls(message("First."), counted("a"), counted("b"), pieces=1),
        calls(reasoning("Hm."), counted("c"), pieces=1),
        text("Done.", pieces=1),
    ],
}


def counted(name: str) -> Any:
    return call("count", json.dumps({"name": name}))


def length(play: Play, first: bool) -> int:
    """How many events a play has."""
    with AgentsServer() as server:
        session = Session(server, {})
        session.items = [{"turn_id": "turn"}] if first else []
        return len(server.steps(session, {"id": "turn"}, play, first))


def killed(thread: Thread, run: Iterator[Event]) -> Thread:
    """The thread as the store has it whose process was killed when the connection was cut."""
    kept = deepcopy((thread.id, thread.messages, thread.backend_state))
    for event in run:
        if not isinstance(event, TextDelta | ToolCallDelta | ReasoningDelta | RunFailed | RunCompleted):
            kept = deepcopy((thread.id, thread.messages, thread.backend_state))
    dead = Thread(*kept)
    dead.messages[-1].add(INTERRUPTED)
    return dead


@pytest.mark.parametrize("scenario", quick_first(SCENARIOS))
@pytest.mark.parametrize(
    ("how", "keeps"),
    [
        ("close", "nothing"),
        pytest.param("stop", "late", marks=pytest.mark.exhaustive),
        pytest.param("kill", "late", marks=pytest.mark.exhaustive),
        pytest.param("kill", "all", marks=pytest.mark.exhaustive),
        pytest.param("close", "late", marks=pytest.mark.exhaustive),
        pytest.param("reset", "all", marks=pytest.mark.exhaustive),
    ],
)
def test_a_thread_survives_a_cut_before_every_event(
    server: AgentsServer, made: Make, tmp_path: Path, scenario: str, how: Any, keeps: Any
) -> None:
    ran: Counter[str] = Counter()

    @tool
    def count(name: str) -> str:
        """Count.

        Args:
            name: What.
        """
        ran[name] += 1
        return name

    server.functions = ("count",)
    assistant, other = made(count), made(count)
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    lengths = [length(play, not index) for index, play in enumerate(SCENARIOS[scenario]())]
    for position, events in enumerate(lengths):
        for index in range(events):
            ran.clear()
            plays = SCENARIOS[scenario]()
            way = {"stop": "silence", "kill": "close"}.get(how, how)
            broken = replace(plays[position], cut=index, how=way, keeps=keeps)
            # Where nothing was said, one listens again by oneself, and then all may come.
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
            assert set(ran.values()) <= {1}, "no function ran twice"
            ending = thread.messages[-1].ending
            assert isinstance(ending, RunStopped if how == "stop" else RunFailed | RunCompleted)
            store.save(thread)
            loaded = store.load(thread.id) if thread.id else thread
            assert loaded is not None
            assert (loaded.messages, loaded.backend_state) == (thread.messages, thread.backend_state)
            server.plays(text("Fine."))
            assert say(other, loaded, "And now?")[-1] == RunCompleted()
            assert loaded.messages[-1].text == "Fine."
            server.plays(text("Still fine."))
            assert say(assistant, loaded, "Still there?")[-1] == RunCompleted()
            assert server.refused == []
            texts = [each for heard in told(server) for each in heard]
            assert Counter(texts)["Go"] == Counter(texts)["And now?"] == 1, "nothing is said twice"
            server.asked.clear()
    store.close()


@pytest.mark.parametrize("keeps", ["nothing", "all", "late"])
def test_trying_again_after_a_cut_gives_the_answer_without_asking_again(
    server: AgentsServer, assistant: Assistant, keeps: Any
) -> None:
    for position in (0, 1):
        for index in range(11):
            server.asked.clear()
            plays = [calls(call("add", a=1, b=2)), text("Hello, world.", pieces=2)]
            plays[position] = cut(plays[position], index, "close", keeps=keeps)
            server.plays(*plays, text("Gone on."))
            thread = Thread()
            ending = say(assistant, thread, "Go")[-1]
            tries = 0
            while isinstance(ending, RunFailed):
                assert ending.retry
                assert (tries := tries + 1) < 3
                server.wait_until_idle()
                ending = list(assistant.resume(thread))[-1]
            assert ending == RunCompleted()
            last = thread.messages[-1].text
            assert last in ("Hello, world.", "Gone on."), (position, index)
            assert keeps == "nothing" or last == "Hello, world."
            texts = [each for heard in told(server) for each in heard]
            assert Counter(texts)["Go"] == 1
            assert texts.count("3") == 1 or keeps == "nothing"
            assert server.refused == []
            server.drop_script()


def test_an_answer_that_was_finished_behind_our_back_is_adopted(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(cut(text("Hello, world.", "Bye.", pieces=2), 6, "close", keeps="all"))
    thread = Thread()
    assert isinstance(say(assistant, thread, "Hi")[-1], RunFailed)
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
    assert len(server.asked) == 1


def test_another_process_goes_on_with_a_running_answer(
    server: AgentsServer, assistant: Assistant, made: Make, tmp_path: Path
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
    loaded = store.load(thread.id)
    assert loaded is not None
    other = made(add)
    assert backend(other).can_resume(loaded)
    resumed = other.resume(loaded)
    assert next(resumed) == RoundStarted(2, resumed=True)
    threading.Timer(0.05, gate.set).start()
    assert list(resumed)[-1] == RunCompleted()
    assert [part.text for part in loaded.messages[1].parts if isinstance(part, Text)] == [
        "One two three four",
        "Seven.",
    ]
    assert [each.result.output for each in loaded.messages[1].calls if each.result] == ["3", "7"]
    assert not backend(other).can_resume(loaded)
    assert say(other, loaded, "Sure?")[-1] == RunCompleted()
    assert (told(server), server.refused, server.cancels) == ([["Count"], ["3"], ["7"], ["Sure?"]], [], [])
    store.close()


def test_a_session_whose_id_was_never_seen_is_found_by_its_mark(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("Hello."))
    thread = Thread("", [Message.from_user("Hi"), Message("assistant")])
    stream = assistant.backend.stream(thread, assistant.toolbox)
    assert next(stream) == ThreadOpened(*server.sessions)
    server.wait_until_idle()
    stream = None  # type: ignore[assignment]
    state_of(thread, "agents")["session"] = None
    thread.messages[-1].add(RunFailed("x", "x"))
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert (len(server.sessions), len(server.asked)) == (1, 1)
    assert thread.messages[-1].text == "Hello."


def test_a_cancelled_turn_goes_on_when_it_is_tried_again(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6), text("Fine."))
    thread = Thread()
    run = assistant.run(thread, "Count")
    while not isinstance(next(run), TextDelta):
        pass
    run.close()
    server.wait_until_idle()
    assert list(assistant.resume(thread))[-1] == RunCompleted()
    assert told(server) == [["Count"], [GO_ON]]
    recalled = backend(assistant).load_thread(thread.id)
    assert [message.text for message in recalled.messages] == ["Count", "Fine."]


def test_a_turn_that_is_cancelled_elsewhere_ends_the_answer(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One two three four", gate=threading.Event(), gate_after=6))
    thread = Thread()
    run = assistant.run(thread, "Count")
    for event in run:
        if isinstance(event, TextDelta) and not server.cancels:
            server.take(server.sessions[thread.id], {"events": [{"type": "agent.session.input.cancel"}]}, "k")
    assert event == RunStopped("user", "The answer was cancelled at the server.")


# --- what the server keeps -----------------------------------------------------------------------------


def test_a_thread_is_recalled_with_its_calls_and_goes_on(server: AgentsServer, assistant: Assistant) -> None:
    server.objects = True
    server.plays(calls(call("add", a=1, b=2), call("add", a="x", b=2)), text("Three."), text("Yes."))
    thread = Thread()
    say(assistant, thread, "1 + 2?")
    recalled = backend(assistant).load_thread(thread.id)
    assert [message.role for message in recalled.messages] == ["user", "assistant"]
    assert recalled.messages[1].parts[0] == thread.messages[1].parts[0]
    results = [each.result for each in recalled.messages[1].calls]
    assert [result and result.outcome for result in results] == ["done", "failed"]
    assert (recalled.messages[1].text, recalled.messages[1].ending) == ("Three.", RunCompleted())
    assert say(assistant, recalled, "Sure?")[-1] == RunCompleted()
    assert told(server)[-1] == ["Sure?"]
    for name in ("sess_x", "..", "a/b", "", "\n"):
        with pytest.raises(UnknownThread):
            backend(assistant).load_thread(name)


def test_a_recalled_thread_whose_calls_nobody_answers_goes_on(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)))
    thread = Thread()
    run = assistant.run(thread, "Add")
    while not isinstance(next(run), ToolResult):
        pass
    recalled = backend(assistant).load_thread(thread.id)
    assert recalled.is_unfinished
    assert backend(assistant).can_resume(recalled)
    server.plays(text("I see."))
    assert list(assistant.resume(recalled))[-1] == RunCompleted()
    assert recalled.messages[-1].text == "I see."
    assert server.asked[-1]["events"][0]["success"] is False
    run.close()


def test_forgetting_deletes_the_session_and_ends_its_turn(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two three", gate=threading.Event(), gate_after=6))
    first, second = Thread(), Thread()
    say(assistant, first, "1?")
    run = assistant.run(second, "2?")
    while not isinstance(next(run), TextDelta):
        pass
    for thread in (first, second, first, Thread()):
        backend(assistant).delete_thread(thread)
    assert (server.sessions, server.refused) == ({}, [])
    run.close()


def test_the_agents_sessions_are_a_list_of_threads(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    first, second = Thread(), Thread()
    say(assistant, first, "What is\none? " + "x" * 100)
    say(assistant, second, "東京?")
    newest, oldest = backend(assistant).list_threads(10)
    assert newest[:2] == (second.id, "東京?")
    assert oldest[:2] == (first.id, ("What is one? " + "x" * 100)[:80])
    assert newest[2] > 1_790_000_000
    assert backend(assistant).list_threads(1) == [newest]


def test_a_session_that_is_gone_is_begun_anew_from_the_transcript(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."), text("Yes."))
    thread = Thread()
    say(assistant, thread, "1 + 2?")
    server.sessions.clear()
    events = say(assistant, thread, "Sure?")
    assert (events[1], events[-1]) == (agents.LOST, RunCompleted())
    history = 'User: 1 + 2?\n\nAssistant called add({"a": 1, "b": 2}), which gave: 3\n\nAssistant: Three.'
    assert told(server)[-1] == [SO_FAR + history, "Sure?"]
    assert thread.messages[-1].text == "Yes."


def test_a_session_that_is_gone_in_the_middle_of_an_answer_loses_no_result(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    thread = Thread()
    run = assistant.run(thread, "1 + 2?")
    while not isinstance(next(run), ToolResult):
        pass
    server.sessions.clear()
    assert list(run)[-1] == RunCompleted()
    line = 'Assistant called add({"a": 1, "b": 2}), which gave: 3'
    assert told(server)[-1] == ["1 + 2?", DONE + line]


def test_a_thread_that_began_elsewhere_is_told_in_words(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("Three."), text("Four."))
    said = Message("assistant", [Text("One."), Text("Two.")], RunCompleted())
    thread = Thread("thread_x", [Message.from_user("1?"), said], {"responses": {"items": []}})
    assert say(assistant, thread, "3?")[-1] == RunCompleted()
    assert say(assistant, thread, "4?")[-1] == RunCompleted()
    history = "User: 1?\n\nAssistant: One.\n\nAssistant: Two."
    assert told(server) == [[SO_FAR + history, "3?"], ["4?"]]
    assert (thread.id, list(server.sessions)) == ("thread_x", [state_of(thread, "agents")["session"]])
    assert server.sessions[state_of(thread, "agents")["session"]].metadata["title"] == "1?"


def test_results_that_the_session_took_before_the_process_was_killed_are_not_told_again(
    server: AgentsServer, assistant: Assistant, made: Make
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    thread = Thread()
    run = assistant.run(thread, "Add")
    while not isinstance(next(run), ToolResult):
        pass
    dead = Thread(*deepcopy((thread.id, thread.messages, thread.backend_state)))
    assert list(run)[-1] == RunCompleted()
    other = made(add)
    assert backend(other).can_resume(dead)
    assert list(other.resume(dead))[-1] == RunCompleted()
    assert (dead.messages[-1].text, len(server.asked)) == ("Three.", 2)
    assert len(server.refused) == 4, "it was tried, until the session was looked at"


def test_a_thread_that_went_on_elsewhere_is_told_what_it_missed(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Three."), text("Four."))
    thread = Thread()
    say(assistant, thread, "1?")
    thread.messages += [
        Message.from_user("2?"),
        Message(
            "assistant",
            [Call("c", "add", "{}", 1, result=ToolResult("c", "2")), Text("Two.")],
            RunCompleted(),
        ),
    ]
    assert say(assistant, thread, "3?")[-1] == RunCompleted()
    missed = "User: 2?\n\nAssistant called add({}), which gave: 2\n\nAssistant: Two."
    assert told(server)[-1] == [SO_FAR + missed, "3?"]
    assert say(assistant, thread, "4?")[-1] == RunCompleted()
    assert told(server)[-1] == ["4?"]


def test_a_message_that_was_refused_is_said_with_the_next(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(text("One."), error(429, "rate_limit_exceeded"), text("Two."))
    thread = Thread()
    say(assistant, thread, "1?")
    ending = say(assistant, thread, "2?")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "rate_limit_exceeded"
    assert say(assistant, thread, "Please")[-1] == RunCompleted()
    assert told(server)[-1] == ["2?", "Please"]


def test_two_answers_at_once_do_not_mix(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(
        calls(call("add", a=1, b=2)),
        calls(call("add", a=3, b=4)),
        text("Three.", pieces=9),
        text("Seven.", pieces=9),
    )
    first, second = Thread(), Thread()
    runs = [assistant.run(first, "1 + 2?"), assistant.run(second, "3 + 4?")]
    while runs:
        for run in list(runs):
            if next(run, None) is None:
                runs.remove(run)
    assert (first.messages[-1].text, second.messages[-1].text) == ("Three.", "Seven.")
    assert first.id != second.id


def test_a_web_page_is_not_taken_for_the_api(server: AgentsServer, assistant: Assistant) -> None:
    server.pages = True
    ending = say(assistant, Thread(), "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_the_api"
