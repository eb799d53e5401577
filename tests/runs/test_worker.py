"""A run on its own thread: every follower gets all events, and Stop works at once.

The model is a script. Where it waits at a ``Gate``, the test decides when it continues.
"""

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends.base import SETTINGS_ONLY
from assistant.errors import BackendError, ThreadBusy
from assistant.events import (
    Event,
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
)
from assistant.messages import Message
from assistant.parts import Call, Text
from assistant.request_options import RequestOptions
from assistant.runs import log as log_module
from assistant.runs import worker
from assistant.runs.log import EVENT_CHARS
from assistant.runs.registry import RunRegistry
from assistant.runs.run import STOPPED, Run
from assistant.runs.worker import LiveRun
from tests.servers.responses import ModelServer, text
from tests.waiting import at_once, until

PATIENCE = 10.0
"""Seconds that nothing here takes unless it is broken."""


class Gate:
    """A place where a script waits until the test lets it pass."""

    def __init__(self) -> None:
        self._reached, self._open = threading.Event(), threading.Event()

    def wait(self) -> None:
        self._reached.set()
        self._open.wait(PATIENCE)

    def reached(self) -> None:
        """Wait until the script is here."""
        assert self._reached.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()


class Script:
    """A backend that plays a list of events for each round."""

    def __init__(self, *rounds: list[Event | Gate | Exception]) -> None:
        self.rounds = list(rounds)
        self.closed = threading.Event()
        self.cancelled: list[Thread] = []

    def cancel(self, thread: Thread) -> None:
        self.cancelled.append(thread)

    def stream(
        self, thread: Thread, toolbox: Toolbox, options: RequestOptions = SETTINGS_ONLY
    ) -> Generator[Event, None, list[ToolCall]]:
        calls = []
        try:
            for step in self.rounds.pop(0):
                if isinstance(step, Gate):
                    step.wait()
                elif isinstance(step, Exception):
                    raise step
                else:
                    calls += [step] if isinstance(step, ToolCall) else []
                    yield step
        finally:
            self.closed.set()
        return calls


def events_of(text: str = "") -> list[Event]:
    return [RoundStarted(1), *([TextDelta(text)] if text else []), RunCompleted()]


def starting(
    runs: RunRegistry,
    *rounds: list[Event | Gate | Exception],
    thread: Thread | None = None,
    box: Toolbox | None = None,
) -> tuple[LiveRun, Script, Thread]:
    script, thread = Script(*rounds), thread or Thread()
    assistant = Assistant(script, box or Toolbox())
    run = runs.start(thread, partial(assistant.run, thread, "Hi"), assistant.cancel)
    return run, script, thread


def follow(run: LiveRun) -> list[Event]:
    """Return all events that a follower gets."""
    return whole(event for batch in run.follow() for event in batch)


def whole(events: Iterable[Event]) -> list[Event]:
    """Join adjacent pieces of text, whose number depends on when a follower reads."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, TextDelta) and isinstance(last, TextDelta):
            joined[-1] = TextDelta(last.text + event.text)
        else:
            joined.append(event)
    return joined


def settled() -> None:
    """Wait until no run has a worker any more."""
    for thread in threading.enumerate():
        if thread.name.startswith("run "):
            thread.join(PATIENCE)
            assert not thread.is_alive()


# --- following ----------------------------------------------------------------------------------------


def test_a_follower_gets_all_events_and_the_thread_has_the_answer() -> None:
    run, _, thread = starting(
        RunRegistry(), [ThreadOpened("t1"), TextDelta("A"), TextDelta("B"), RoundEnded("m")]
    )
    assert follow(run) == [
        RoundStarted(1),
        ThreadOpened("t1"),
        TextDelta("AB"),
        RoundEnded("m"),
        RunCompleted(),
    ]
    assert run.ended
    assert thread.id == "t1"
    assert thread.messages == [Message.from_user("Hi"), Message("assistant", [Text("AB")], RunCompleted())]
    assert run.position == 1


def test_a_follower_gets_past_events_at_once_and_later_ones_as_they_come() -> None:
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [TextDelta("A"), gate, TextDelta("B")])
    gate.reached()
    batches = run.follow()
    assert next(batches) == [RoundStarted(1), TextDelta("A")]
    assert not run.ended
    gate.open()
    assert [event for batch in batches for event in batch] == [TextDelta("B"), RunCompleted()]


def test_a_follower_gets_control_while_nothing_happens() -> None:
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [gate])
    gate.reached()
    batches = run.follow()
    assert [next(batches) for _ in range(3)] == [[RoundStarted(1)], [], []]
    gate.open()
    settled()


def test_every_follower_gets_all_events_from_the_start() -> None:
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [TextDelta("A"), gate, TextDelta("B")])
    gate.reached()
    with ThreadPoolExecutor(5) as followers:
        early = [followers.submit(follow, run) for _ in range(5)]
        between = run.follow()
        assert next(between) == [RoundStarted(1), TextDelta("A")]
        gate.open()
    assert [each.result() for each in early] == [events_of("AB")] * 5
    assert follow(run) == events_of("AB")
    assert [whole(batch) for batch in run.follow()] == [events_of("AB")]
    assert [event for batch in between for event in batch] == [TextDelta("B"), RunCompleted()]


def test_a_follower_that_leaves_does_not_disturb_the_run() -> None:
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [TextDelta("A"), gate, TextDelta("B")])
    batches = run.follow()
    next(batches)
    assert isinstance(batches, Generator)
    batches.close()
    gate.open()
    assert follow(run) == events_of("AB")


def test_a_run_needs_no_follower() -> None:
    run, _, thread = starting(RunRegistry(), [TextDelta("A")])
    settled()
    assert run.ended
    assert thread.messages[-1] == Message("assistant", [Text("A")], RunCompleted())


def test_waiting_events_come_in_one_batch() -> None:
    texts = [str(number) for number in range(500)]
    run, _, _ = starting(RunRegistry(), [TextDelta(text) for text in texts])
    settled()
    assert [whole(batch) for batch in run.follow()] == [events_of("".join(texts))]


def test_a_slow_follower_gets_the_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "BATCH_SECONDS", 3600.0)
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [TextDelta("A"), gate, TextDelta("B")])
    gate.reached()
    everything: list[Event] = []
    follower = threading.Thread(target=lambda: everything.extend(follow(run)), daemon=True)
    follower.start()
    gate.open()
    follower.join(PATIENCE)
    assert everything == events_of("AB")


# --- the size of the log --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("max_chars", "event"),
    [
        (5 * EVENT_CHARS - 1, TextBreak()),
        (5 * EVENT_CHARS + 39, ReasoningDelta("x" * 10)),
        (5 * EVENT_CHARS + 39, ToolCallDelta("c1", "look", "x" * 10)),
    ],
)
def test_an_answer_that_is_too_long_is_ended_with_its_request(
    monkeypatch: pytest.MonkeyPatch, max_chars: int, event: Event
) -> None:
    monkeypatch.setattr(log_module, "MAX_CHARS", max_chars)
    run, script, thread = starting(RunRegistry(), [*[event] * 4, *[TextDelta("never")] * 100])
    too_long = RunStopped("unknown", "Stopped: the answer is too long to store.")
    assert follow(run)[-1] == too_long
    assert thread.messages[-1].ending == too_long
    assert thread.messages[-1].text == ""
    assert script.closed.wait(PATIENCE)
    settled()
    assert follow(run)[-1] == too_long


@pytest.mark.exhaustive
def test_every_follower_gets_a_long_text_completely_while_it_is_written() -> None:
    texts = [f"{number} " for number in range(20_000)]
    gate = Gate()
    run, _, thread = starting(RunRegistry(), [gate, *map(TextDelta, texts)])
    gate.open()
    assert at_once(4, lambda _: follow(run)) == [events_of("".join(texts))] * 4
    assert thread.messages[-1].text == "".join(texts)


# --- stopping -----------------------------------------------------------------------------------------


def test_stop_ends_a_run_at_once_while_the_server_is_silent() -> None:
    gate = Gate()
    run, script, thread = starting(RunRegistry(), [TextDelta("A"), gate, TextDelta("B"), ThreadOpened("t9")])
    gate.reached()
    run.stop()
    stopped = [RoundStarted(1), TextDelta("A"), STOPPED]
    partial_answer = Message("assistant", [Text("A")], RunStopped("user", "Stopped."))
    assert run.ended
    assert follow(run) == stopped
    assert thread.messages[-1] == partial_answer
    assert script.cancelled == [thread]
    gate.open()
    assert script.closed.wait(PATIENCE)
    settled()
    assert follow(run) == stopped
    assert thread.messages[-1] == partial_answer
    assert thread.id == ""  # the worker ended at its very next event


def test_stop_ends_a_run_while_a_function_is_busy() -> None:
    busy = Gate()

    @tool
    def look() -> str:
        busy.wait()
        return "late"

    call = ToolCall("c1", "look", "{}")
    run, _, thread = starting(RunRegistry(), [call, RoundEnded()], [TextDelta("B")], box=Toolbox(look))
    busy.reached()
    run.stop()
    assert follow(run) == [RoundStarted(1), call, RoundEnded(), STOPPED]
    assert thread.open_calls() == [Call("c1", "look", "{}", 1)]
    busy.open()
    settled()
    assert thread.open_calls() == [Call("c1", "look", "{}", 1)]
    assert follow(run) == [RoundStarted(1), call, RoundEnded(), STOPPED]


def test_a_waiting_follower_gets_the_stop() -> None:
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [gate, TextDelta("late")])
    gate.reached()
    batches = run.follow()
    assert next(batches) == [RoundStarted(1)]
    run.stop()
    assert list(batches) == [[STOPPED]]
    gate.open()
    settled()


def test_stop_after_the_end_changes_nothing() -> None:
    run, _, thread = starting(RunRegistry(), [TextDelta("A")])
    assert follow(run) == events_of("A")
    run.stop()
    run.stop()
    assert follow(run) == events_of("A")
    assert thread.messages[-1] == Message("assistant", [Text("A")], RunCompleted())


def test_a_run_stops_once_however_often_it_is_stopped() -> None:
    gate = Gate()
    run, _, _ = starting(RunRegistry(), [TextDelta("A"), gate])
    gate.reached()
    at_once(10, lambda _: run.stop())
    assert follow(run) == [RoundStarted(1), TextDelta("A"), STOPPED]
    gate.open()
    settled()


def test_after_a_stop_the_thread_continues_while_the_old_worker_waits() -> None:
    gate, runs = Gate(), RunRegistry()
    first, script, thread = starting(runs, [TextDelta("A"), gate, TextDelta("late")])
    gate.reached()
    first.stop()
    second, _, _ = starting(runs, [TextDelta("B")], thread=thread)
    assert follow(second) == events_of("B")
    gate.open()
    assert script.closed.wait(PATIENCE)
    settled()
    assert thread.messages == [
        Message.from_user("Hi"),
        Message("assistant", [Text("A")], STOPPED),
        Message.from_user("Hi"),
        Message("assistant", [Text("B")], RunCompleted()),
    ]


# --- errors -------------------------------------------------------------------------------------------


def test_an_error_of_the_run_is_its_ending() -> None:
    error = BackendError("The server is busy.", code="busy", retry=True, retry_after=2.0)
    run, _, thread = starting(RunRegistry(), [TextDelta("A"), error])
    failed = RunFailed("busy", "The server is busy.", True, 2.0)
    assert follow(run) == [RoundStarted(1), TextDelta("A"), failed]
    assert thread.messages[-1] == Message("assistant", [Text("A")], failed)


def test_a_run_that_raises_still_has_an_ending(caplog: pytest.LogCaptureFixture) -> None:
    error = LookupError("secret")

    def broken() -> Generator[Event, None, None]:
        yield TextDelta("A")
        raise error

    runs = RunRegistry()
    thread = Thread(messages=[Message("assistant")])
    run = runs.start(thread, lambda: Run(thread, thread.messages[-1], broken()))
    assert follow(run) == [
        TextDelta("A"),
        RunFailed("internal", "Something went wrong in this application (LookupError)."),
    ]
    settled()
    assert runs.get(run.thread) is None
    [record] = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (
        "assistant.runs.worker",
        logging.ERROR,
        "a run broke",
    )
    assert record.exc_info is not None
    assert record.exc_info[1] is error


# --- one run a thread ------------------------------------------------------------------------------------


def refuse_to_run() -> Run:
    pytest.fail("a run was begun")


def test_a_thread_has_one_run_at_a_time() -> None:
    gate, runs = Gate(), RunRegistry()
    run, _, thread = starting(runs, [gate, TextDelta("A")])
    assert runs.get(thread) is run
    assert runs.get(Thread()) is None
    with pytest.raises(ThreadBusy) as caught:
        runs.start(thread, refuse_to_run)
    assert str(caught.value) == "An answer is still being written. Wait for it, or stop it."
    other, _, _ = starting(runs, [TextDelta("B")])
    assert follow(other) == events_of("B")
    gate.open()
    assert follow(run) == events_of("A")
    assert runs.get(thread) is None
    again, _, _ = starting(runs, [TextDelta("C")], thread=thread)
    assert follow(again) == events_of("C")


def test_a_thread_that_is_being_prepared_has_its_run_already() -> None:
    runs, thread = RunRegistry(), Thread(messages=[Message("assistant")])

    def prepare() -> Run:
        with pytest.raises(ThreadBusy):
            runs.start(thread, refuse_to_run)
        runs.update(thread, Thread(messages=[Message.from_user("elsewhere")], version=1))
        return Run(thread, thread.messages[-1], (event for event in events_of("A")))

    run = runs.start(thread, prepare)
    assert follow(run) == events_of("A")
    assert thread.messages == [Message("assistant", [Text("A")], RunCompleted())]


def test_what_another_process_saved_does_not_disturb_a_run() -> None:
    gate, runs = Gate(), RunRegistry()
    run, _, thread = starting(runs, [TextDelta("A"), gate])
    gate.reached()
    newer = Thread(messages=[Message.from_user("elsewhere")], version=1)
    runs.update(thread, newer)
    gate.open()
    assert follow(run) == events_of("A")
    assert thread.messages == [Message.from_user("Hi"), Message("assistant", [Text("A")], RunCompleted())]
    runs.update(thread, newer)
    assert thread.messages == newer.messages


def test_one_of_many_simultaneous_starts_wins() -> None:
    gate, runs, thread = Gate(), RunRegistry(), Thread()
    assistant = Assistant(Script([gate]), Toolbox())

    def start(_: int) -> str:
        try:
            runs.start(thread, partial(assistant.run, thread, "Hi"))
        except ThreadBusy:
            return "busy"
        return "started"

    assert sorted(at_once(10, start)) == ["busy"] * 9 + ["started"]
    assert [message.role for message in thread.messages] == ["user", "assistant"]
    run = runs.get(thread)
    assert run is not None
    gate.open()
    assert follow(run) == events_of()


def test_a_run_that_cannot_start_leaves_the_thread_free() -> None:
    runs, thread = RunRegistry(), Thread()

    def fail() -> Run:
        raise LookupError("no run")

    with pytest.raises(LookupError, match="no run"):
        runs.start(thread, fail)
    assert runs.get(thread) is None


def test_an_ended_run_is_released() -> None:
    runs = RunRegistry()
    run, _, thread = starting(runs, [ThreadOpened("t1"), TextDelta("A")])
    follow(run)
    settled()
    references = weakref.ref(run), weakref.ref(thread)
    assert runs.get(Thread()) is None  # any next lookup releases it
    del run, thread
    gc.collect()
    assert [ref() for ref in references] == [None, None]
    assert runs.find("t1") is None


# --- one thread for all pages ----------------------------------------------------------------------------


def test_a_thread_is_found_while_a_session_has_it_open() -> None:
    runs, thread = RunRegistry(), Thread("t1")
    assert runs.find("t1") is None
    assert runs.register(thread) is thread
    assert runs.register(thread) is thread
    assert runs.find("t1") is thread
    assert runs.register(Thread("t1")) is thread
    assert runs.register(other := Thread("t2")) is other
    del thread
    gc.collect()
    assert runs.find("t1") is None
    assert runs.register(again := Thread("t1")) is again


def test_an_unregistered_thread_is_found_while_a_run_writes_to_it() -> None:
    gate, runs = Gate(), RunRegistry()
    run, _, thread = starting(runs, [ThreadOpened("t1"), gate])
    gate.reached()
    assert runs.find("t1") is thread
    assert runs.register(Thread("t1")) is thread
    gate.open()
    follow(run)


def test_a_thread_registered_during_a_run_is_found_after_the_run() -> None:
    runs = RunRegistry()
    run, _, thread = starting(runs, [ThreadOpened("t1")])
    follow(run)
    assert runs.register(thread) is thread
    assert runs.get(thread) is None  # releases the run
    assert runs.find("t1") is thread


def test_simultaneous_registrations_get_the_same_thread() -> None:
    runs = RunRegistry()
    got = at_once(20, lambda _: runs.register(Thread("t1")))
    assert {id(each) for each in got} == {id(runs.find("t1"))}


def test_simultaneous_runs_do_not_mix() -> None:
    runs = RunRegistry()
    started = [starting(runs, [TextDelta(str(number)), TextDelta("!")]) for number in range(30)]
    assert [follow(run) for run, _, _ in started] == [events_of(f"{number}!") for number in range(30)]


def test_a_call_reaches_followers_and_the_thread() -> None:
    @tool
    def look(city: str) -> str:
        return f"sunny in {city}"

    call = ToolCall("c1", "look", '{"city": "Oslo"}')
    run, _, thread = starting(RunRegistry(), [call, RoundEnded()], [TextDelta("Sunny.")], box=Toolbox(look))
    result = ToolResult("c1", "sunny in Oslo")
    assert follow(run) == [
        RoundStarted(1),
        call,
        RoundEnded(),
        result,
        RoundStarted(2),
        TextDelta("Sunny."),
        RunCompleted(),
    ]
    assert thread.messages[-1] == Message(
        "assistant",
        [Call("c1", "look", '{"city": "Oslo"}', 1, result=result), Text("Sunny.")],
        RunCompleted(),
    )


# --- a run without followers ------------------------------------------------------------------------


Count = Callable[[float], tuple[LiveRun, Thread]]


@pytest.fixture
def count(
    server: ModelServer, connect_to: Callable[..., Assistant], monkeypatch: pytest.MonkeyPatch
) -> Count:
    """Start runs that without followers pause for longer than a test takes as soon as they wait for text."""
    monkeypatch.setattr(worker, "IDLE_SECONDS", PATIENCE)

    def start(pause: float) -> tuple[LiveRun, Thread]:
        server.plays(replace(text("One two three four"), pause=pause))
        assistant, thread = connect_to(server.url), Thread()
        run = RunRegistry().start(thread, partial(assistant.run, thread, "Count"), assistant.cancel)
        return run, thread

    return start


def has_text(thread: Thread) -> bool:
    return len(thread.messages) == 2 and thread.messages[-1].text != ""


@pytest.mark.exhaustive
def test_a_run_without_followers_reads_less_often(count: Count) -> None:
    run, thread = count(0.01)
    until(lambda: has_text(thread))
    gathered = thread.messages[-1].text
    threading.Event().wait(0.2)  # everything is sent meanwhile
    assert (thread.messages[-1].text, run.ended) == (gathered, False)
    assert [event for batch in run.follow() for event in batch][-1] == RunCompleted()
    assert thread.messages[-1].text == "One two three four"


def test_available_text_is_read_without_a_pause(count: Count, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "READY_SECONDS", PATIENCE)  # however busy the machine
    run, thread = count(0.0)
    assert run.join(PATIENCE / 2)
    assert thread.messages[-1].text == "One two three four"


def test_a_run_is_stopped_while_it_pauses_reading(count: Count) -> None:
    run, thread = count(0.01)
    until(lambda: has_text(thread))
    run.stop()
    assert (run.ended, thread.messages[-1].ending) == (True, STOPPED)
    assert run.join(PATIENCE / 2), "its thread does not pause any longer"


@pytest.mark.exhaustive
def test_a_disconnected_follower_does_not_count_and_continues_on_reconnect(
    count: Count, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_module, "IDLE_SECONDS", 0.01)
    run, thread = count(0.01)
    seen = threading.Event()
    following = run.follow(seen.is_set)
    while not has_text(thread):
        assert next(following) == [], "it still gets control"
    text_then = thread.messages[-1].text
    for _ in range(20):  # everything is sent meanwhile
        assert next(following) == []
    assert (thread.messages[-1].text, run.ended) == (text_then, False)
    seen.set()
    all_of_it = whole(event for batch in following for event in batch)
    assert [event for event in all_of_it if isinstance(event, TextDelta)] == [TextDelta("One two three four")]
    assert all_of_it[-1] == RunCompleted()


def test_a_disconnected_follower_reaches_the_end_of_an_ended_run() -> None:
    run, _, _ = starting(RunRegistry(), [*events_of("Hello")])
    assert run.join(PATIENCE)
    assert whole(event for batch in run.follow(lambda: False) for event in batch)[-1] == RunCompleted()
