"""Background calls over a real socket: they run while the model goes on, and their results follow."""

import json
import threading
from collections.abc import Callable
from itertools import count as numbers
from typing import Any

import pytest

from assistant import Thread, Tool, progress, tool
from assistant.events import (
    Event,
    Note,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    ToolCall,
    ToolProgress,
    ToolResult,
)
from assistant.locale import N_
from assistant.messages import Message
from assistant.runs.registry import RunRegistry
from assistant.runs.run import STOPPED
from assistant.runs.worker import LiveRun
from assistant.tools import background
from assistant.tools.results import lost_result, stopped_result
from tests.conftest import Connect
from tests.runs.test_loop import ask
from tests.servers.responses import (
    Json,
    ModelServer,
    background_call,
    call,
    calls,
    cut,
    error,
    message,
    text,
)
from tests.waiting import until


class Slow:
    """A background function that returns when the test lets it, and counts how often it was run."""

    def __init__(self, timeout: float | None = None) -> None:
        self.gates: dict[str, threading.Event] = {}
        self.ran: list[str] = []

        @tool(background=True, timeout=timeout)
        def search(city: str) -> str:
            """Search fares.

            Args:
                city: Where to.
            """
            self.ran.append(city)
            progress(f"asking about {city}", 0.5)
            assert self.gate(city).wait(5)
            return f"90 to {city}"

        self.tool: Tool[..., Any] = search

    def gate(self, city: str) -> threading.Event:
        return self.gates.setdefault(city, threading.Event())


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def live(server: ModelServer, connect_to: Connect, slow: Slow) -> Callable[..., LiveRun]:
    """Start a run with the slow function: ``live(thread, "Hi")``."""
    assistant = connect_to(server.url, slow.tool)

    def start(thread: Thread, words: str = "Go") -> LiveRun:
        return RunRegistry().start(thread, lambda: assistant.run(thread, words), assistant.cancel)

    return start


def events_of(run: LiveRun) -> list[Event]:
    return [event for batch in run.follow() for event in batch]


def output(item: Json, text: str) -> Json:
    return {"type": "function_call_output", "call_id": item["call_id"], "output": text}


def test_a_background_call_runs_while_the_model_writes(
    server: ModelServer, live: Callable[..., LiveRun], slow: Slow
) -> None:
    item, written = background_call("search", "oslo", city="Oslo"), threading.Event()
    # The gate is after the call's events: the text comes when the function has run.
    server.plays(
        calls(item, message("Pack a hat."), gate=written, gate_after=8, pieces=1), text("It costs 90.")
    )
    thread = Thread()
    run = live(thread)
    until(lambda: slow.ran == ["Oslo"])
    assert not run.ended
    slow.gate("Oslo").set()
    written.set()
    seen = [event for event in events_of(run) if not isinstance(event, ToolProgress | TextDelta)]
    assert ToolCall(item["call_id"], "search", item["arguments"], background=True) in seen
    assert seen[-1] == RunCompleted()
    assert [part.result.output for part in thread.messages[-1].calls if part.result] == ["90 to Oslo"]
    assert thread.messages[-1].text == "Pack a hat.\n\nIt costs 90."
    assert server.requests[-1]["input"] == [output(item, "90 to Oslo")]
    assert server.requests[0]["tools"][0]["async"] is True


def test_a_run_waits_for_its_jobs_and_says_what_it_continued_with(
    server: ModelServer, live: Callable[..., LiveRun], slow: Slow
) -> None:
    first, second = background_call("search", "a", city="Oslo"), background_call("search", "b", city="Rome")
    server.plays(calls(first, second, message("Pack.")), text("Oslo costs 90."), text("Rome costs 90."))
    thread = Thread()
    run = live(thread)
    until(lambda: thread.messages[-1].text == "Pack.")
    slow.gate("Oslo").set()
    until(lambda: "Oslo" in thread.messages[-1].text)
    assert not run.ended
    slow.gate("Rome").set()
    seen = events_of(run)
    assert seen.count(Note(N_("Continued with the result of {functions}.", functions="search"))) == 2
    assert [event.number for event in seen if isinstance(event, RoundStarted)] == [1, 2, 3]
    assert [request["input"] for request in server.requests[1:]] == [
        [output(first, "90 to Oslo")],
        [output(second, "90 to Rome")],
    ]
    assert slow.ran == ["Oslo", "Rome"]
    folded = Message("assistant")
    for event in thread.messages[-1].events():
        folded.add(event)
    assert folded == thread.messages[-1]


def test_the_next_request_carries_the_results_that_are_there(
    server: ModelServer, connect_to: Connect, slow: Slow
) -> None:
    @tool
    def add(a: int, b: int) -> int:
        """Add.

        Args:
            a: One.
            b: Another.
        """
        slow.gate("Oslo").set()
        until(lambda: not any(each.name == "function search" for each in threading.enumerate()))
        return a + b

    fares, sum_ = background_call("search", "oslo", city="Oslo"), call("add", a=1, b=2)
    server.plays(calls(fares, sum_), text("Both."))
    assistant = connect_to(server.url, slow.tool, add)
    assert ask(assistant, "Go")[-1] == RunCompleted()
    assert server.requests[1]["input"] == [output(fares, "90 to Oslo"), output(sum_, "3")]


def test_a_message_is_answered_while_a_job_runs_and_its_result_comes_later(
    server: ModelServer, live: Callable[..., LiveRun], slow: Slow
) -> None:
    item = background_call("search", "oslo", city="Oslo")
    server.plays(calls(item, message("Pack.")), text("It is noon."), text("It costs 90."))
    thread = Thread()
    run = live(thread)
    until(lambda: thread.messages[-1].stats.rounds == 1)
    until(run.end_wait)
    assert events_of(run)[-1] == RunCompleted()
    run = live(thread, "What time is it?")
    until(lambda: thread.messages[-1].stats.rounds == 1)
    assert [each["type"] for each in server.requests[1]["input"]] == ["message"]
    assert thread.messages[1].open_calls
    slow.gate("Oslo").set()
    seen = events_of(run)
    assert ToolResult(item["call_id"], "90 to Oslo") in seen
    assert thread.messages[1].calls[0].result == ToolResult(item["call_id"], "90 to Oslo")
    assert thread.messages[3].text == "It is noon.\n\nIt costs 90."
    assert server.requests[2]["input"] == [output(item, "90 to Oslo")]
    assert slow.ran == ["Oslo"]


def test_stop_ends_the_jobs(server: ModelServer, live: Callable[..., LiveRun], slow: Slow) -> None:
    item = background_call("search", "oslo", city="Oslo")
    server.plays(calls(item, message("Pack.")), text("Fine."))
    thread = Thread()
    run = live(thread)
    until(lambda: thread.messages[-1].stats.rounds == 1)
    run.stop()
    assert events_of(run)[-1] == STOPPED
    slow.gate("Oslo").set()
    assert events_of(live(thread, "And now?"))[-1] == RunCompleted()
    assert thread.messages[1].calls[0].result == stopped_result(item["call_id"])
    assert server.requests[1]["input"][0] == output(item, stopped_result(item["call_id"]).output)


def test_a_job_that_is_lost_with_its_process_gets_a_result_that_says_so(
    server: ModelServer, connect_to: Connect, live: Callable[..., LiveRun], slow: Slow
) -> None:
    item = background_call("search", "oslo", city="Oslo")
    server.plays(calls(item, message("Pack.")), text("Fine."))
    thread = Thread()
    run = live(thread)
    until(lambda: thread.messages[-1].stats.rounds == 1)
    after_restart = Thread(thread.id, list(thread.messages), thread.backend_state)
    after_restart.messages[1] = Message("assistant", list(thread.messages[1].parts))
    assistant = connect_to(server.url, slow.tool)
    list(assistant.mark_interrupted(after_restart))
    assert after_restart.messages[1].calls[0].result == lost_result(item["call_id"])
    assert ask(assistant, "And now?", after_restart)[-1] == RunCompleted()
    assert server.requests[1]["input"][0] == output(item, lost_result(item["call_id"]).output)
    assert slow.ran == ["Oslo"]
    run.stop()
    slow.gate("Oslo").set()


@pytest.mark.parametrize("has_conversations", [True, False])
def test_a_call_of_a_response_that_was_cut_runs_once_and_its_result_is_sent(
    server: ModelServer, live: Callable[..., LiveRun], slow: Slow, has_conversations: bool
) -> None:
    server.has_conversations = has_conversations
    item = background_call("search", "oslo", city="Oslo")
    play = calls(item, message("Pack a hat."))
    server.plays(cut(play, 10, "close"), text("Again."), text("It costs 90."))
    thread = Thread()
    assert isinstance(events_of(live(thread))[-1], RunFailed)
    run = live(thread, "Again")
    until(lambda: thread.messages[-1].stats.rounds == 1)
    sent = server.requests[1]["input"]
    plain = {key: item[key] for key in ("type", "call_id", "name", "arguments")}
    assert {**plain, "async": True} in sent
    slow.gate("Oslo").set()
    assert events_of(run)[-1] == RunCompleted()
    assert server.requests[2]["input"][-1] == output(item, "90 to Oslo")
    assert slow.ran == ["Oslo"]
    assert not server.refused


def test_a_server_that_refuses_background_functions_gets_ordinary_ones(
    server: ModelServer, connect_to: Connect, slow: Slow
) -> None:
    slow.gate("Oslo").set()
    item = call("search", city="Oslo")
    server.plays(
        error(400, "unknown_parameter", "Unknown parameter: 'tools[0].async'."), calls(item), text("90.")
    )
    assistant = connect_to(server.url, slow.tool)
    assert ask(assistant, "Go")[-1] == RunCompleted()
    assert server.requests[0]["tools"][0]["async"] is True
    assert [request["tools"] for request in server.requests[1:]] == [[slow.tool.as_param()]] * 2


def test_a_server_that_ignores_the_parameter_gets_the_result_in_the_next_round(
    server: ModelServer, connect_to: Connect, slow: Slow
) -> None:
    slow.gate("Oslo").set()
    item = call("search", city="Oslo", task_handle="a")
    server.plays(calls(item), text("90."))
    assert ask(connect_to(server.url, slow.tool), "Go")[-1] == RunCompleted()
    assert server.requests[1]["input"] == [output(item, "90 to Oslo")]


def test_the_model_can_wait_for_tasks(server: ModelServer, live: Callable[..., LiveRun], slow: Slow) -> None:
    item, wait = background_call("search", "oslo", city="Oslo"), call("wait_for_tasks", task_handles=["oslo"])
    server.plays(calls(item, message("Pack."), wait), text("90."))
    thread = Thread()
    run = live(thread)
    until(lambda: thread.messages[-1].stats.rounds == 1)
    slow.gate("Oslo").set()
    assert events_of(run)[-1] == RunCompleted()
    assert server.requests[1]["input"] == [
        output(item, "90 to Oslo"),
        output(wait, json.dumps({"tasks": {"oslo": "done"}})),
    ]


def test_unknown_and_repeated_handles_are_refused(
    server: ModelServer, live: Callable[..., LiveRun], slow: Slow
) -> None:
    slow.gate("Oslo").set()
    first, again = background_call("search", "a", city="Oslo"), background_call("search", "a", city="Rome")
    wait = call("wait_for_tasks", task_handles=["b"])
    server.plays(calls(first, again, wait), text("90."))
    thread = Thread()
    events_of(live(thread))
    results = {call.call_id: call.result for call in thread.messages[-1].calls if call.result}
    assert "is already used" in results[again["call_id"]].output
    assert "no task with the handle 'b'" in results[wait["call_id"]].output
    assert slow.ran == ["Oslo"]


def test_a_job_that_raises_hangs_or_returns_too_much_has_a_clear_outcome(
    server: ModelServer, connect_to: Connect
) -> None:
    never = threading.Event()

    @tool(background=True)
    def raise_error() -> str:
        """Raise."""
        raise RuntimeError("no")

    @tool(background=True, timeout=0.05)
    def hang() -> None:
        """Hang."""
        never.wait(5)

    @tool(background=True)
    def overflow() -> str:
        """Return 10 MB."""
        return "x" * 10_000_000

    handles = map(str, numbers())
    tools = (raise_error, hang, overflow)
    items = [background_call(each.name, next(handles)) for each in tools]
    server.plays(calls(*items), *[text("Go on.") for _ in items])
    thread = Thread()
    run = connect_to(server.url, *tools).run(thread, "Go")
    assert list(run)[-1] == RunCompleted()
    server.drop_script()
    outcomes = {call.name: call.result.outcome for call in thread.messages[-1].calls if call.result}
    assert outcomes == {"raise_error": "failed", "hang": "timeout", "overflow": "done"}
    never.set()


def test_a_function_with_approval_waits_for_it(server: ModelServer, connect_to: Connect) -> None:
    @tool(background=True, approval=True)
    def book() -> str:
        """Book."""
        return "booked"

    server.plays(calls(background_call("book", "a"), message("Shall I?")))
    thread = Thread()
    events = ask(connect_to(server.url, book), "Go", thread)
    assert [call.name for call in thread.messages[-1].undecided_calls] == ["book"]
    assert type(events[-1]).__name__ == "RunPaused"


def test_at_most_so_many_jobs_run_in_one_thread(
    server: ModelServer, live: Callable[..., LiveRun], slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_JOBS_PER_THREAD", 1)
    first, second = background_call("search", "a", city="Oslo"), background_call("search", "b", city="Rome")
    server.plays(calls(first, second), text("Only one."), text("90."))
    thread = Thread()
    run = live(thread)
    until(lambda: len(server.requests) == 2)
    slow.gate("Oslo").set()
    assert events_of(run)[-1] == RunCompleted()
    assert slow.ran == ["Oslo"]
    result = thread.messages[-1].calls[1].result
    assert result is not None
    assert "at most 1 background functions" in result.output


def test_regenerating_stops_the_jobs_of_the_answer(
    server: ModelServer, connect_to: Connect, live: Callable[..., LiveRun], slow: Slow
) -> None:
    item = background_call("search", "oslo", city="Oslo")
    server.plays(cut(calls(item, message("Pack.")), 10, "close"), text("Anew."))
    thread = Thread()
    events_of(live(thread))
    assert list(connect_to(server.url, slow.tool).regenerate(thread, 1))[-1] == RunCompleted()
    slow.gate("Oslo").set()
    thread.switch(1, 0)
    assert thread.messages[1].calls[0].result == stopped_result(item["call_id"])


def test_a_closed_run_stops_its_jobs(server: ModelServer, connect_to: Connect, slow: Slow) -> None:
    item = background_call("search", "oslo", city="Oslo")
    server.plays(calls(item, message("Pack.")))
    thread = Thread()
    run = connect_to(server.url, slow.tool).run(thread, "Go")
    while not thread.messages[-1].text:
        next(run)
    run.close()
    slow.gate("Oslo").set()
    assert isinstance(thread.messages[-1].ending, RunStopped)
    assert item["call_id"] not in background.background_jobs(thread)
