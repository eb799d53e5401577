"""A recording that is replayed through the real SDK, backend and loop gives the recorded run."""

import json
import math
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

import assistant.functions as examples
from assistant import Assistant, Thread, Toolbox, ToolError, tool
from assistant.backends import open_backend
from assistant.backends.client import connect
from assistant.backends.requests import DELAYS
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.events import (
    Ending,
    Event,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolResult,
)
from assistant.recordings.entries import (
    EndEntry,
    Entry,
    EventEntry,
    How,
    RequestEntry,
    ResponseEntry,
    RunEntry,
)
from assistant.recordings.recording import Recording, RecordingError, sample_files
from assistant.recordings.requests import base_url_of, prompt_of, protocol_of
from assistant.runs.registry import RunRegistry
from assistant.runs.replay import differences, replay_assistant, replayed_toolbox
from assistant.settings import Settings
from assistant.transports.cancellation import Cancellation
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from assistant.transports.replay import ReplayTransport
from tests.backends.kinds import backend_for
from tests.conftest import add
from tests.servers.agents import AgentsServer
from tests.servers.assistants import AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import (
    ModelServer,
    Play,
    call,
    calls,
    cut,
    error,
    message,
    reasoning,
    refusal,
    text,
)
from tests.silence import SilenceTransport
from tests.variants import exhaustive, quick_first


@tool
def fail(how: str) -> str:
    """Fail.

    Args:
        how: In which way.
    """
    if how == "politely":
        raise ToolError("Not today.")
    if how == "at length":
        return "x" * 50_000
    raise RuntimeError(how)


TOOLBOX = Toolbox(add, fail)
LIMIT = {"incomplete_details": {"reason": "max_output_tokens"}}
SLOW_DOWN = error(429, "rate_limit_exceeded", "Slow down.", retry_after_ms="20")

SCENARIOS: dict[str, Callable[[], tuple[Play, ...]]] = {
    "a text": lambda: (text("Hello, world. 東京は晴れです 🌞"),),
    "two texts": lambda: (text("One.", "Two."),),
    "a call": lambda: (calls(call("add", a=2, b=3)), text("Five.")),
    "parallel calls": lambda: (calls(call("add", a=2, b=3), call("add", a=4, b=5)), text("Five and nine.")),
    "the same call twice": lambda: (calls(call("add", a=2, b=3), call("add", a=2, b=3)), text("Five.")),
    "chained calls": lambda: (
        calls(message("Let me see."), call("add", a=2, b=3)),
        calls(call("add", a=5, b=5)),
        text("Ten."),
    ),
    "reasoning": lambda: (calls(reasoning("Hm, well."), message("Yes.")),),
    "a refusal": lambda: (refusal("I will not."),),
    "a function that fails": lambda: (
        calls(call("fail", how="politely"), call("fail", how="badly"), call("fail", how="at length")),
        text("It failed."),
    ),
    "arguments that do not fit": lambda: (
        calls(call("add", a="two", b=3), call("add", "{nonsense"), call("add", "null")),
        text("No."),
    ),
    "a function that is not there": lambda: (calls(call("subtract", a=2, b=3)), text("No.")),
    "a cut": lambda: (cut(text("Hello, world"), 6, "reset"),),
    "half an event, then silence": lambda: (cut(text("Hello, world"), 6, "half"),),
    "an end without a last event": lambda: (cut(text("Hello, world"), 6, "close"),),
    "a cut before anything, then an answer": lambda: (cut(text("Hello"), 1, "reset"), text("Hello")),
    "a failure": lambda: (
        calls(
            message("So far"),
            ending="failed",
            details={"error": {"code": "server_error", "message": "It broke."}},
        ),
    ),
    "a limit": lambda: (text("So far", ending="incomplete", details=LIMIT),),
    "too many requests, then an answer": lambda: (SLOW_DOWN, text("Hello")),
    "too many requests for long": lambda: (
        error(429, "rate_limit_exceeded", "Slow down.", retry_after="20"),
    ),
    "a refused request": lambda: (error(400, "invalid_prompt", "That is not allowed."),),
    "a spent quota": lambda: (error(429, "insufficient_quota", "You exceeded your current quota."),),
    "a call again and again": lambda: tuple(calls(call("add", a=2, b=3)) for _ in range(4)),
}


@pytest.fixture(params=["Responses", "Chat Completions", *exhaustive("Responses without conversations")])
def model(request: pytest.FixtureRequest) -> Iterator[ModelServer]:
    servers = {
        "Responses": ModelServer,
        "Responses without conversations": lambda: ModelServer(conversations=False),
        "Chat Completions": ChatServer,
    }
    with servers[request.param]() as server:
        yield server


def record(
    server: ModelServer,
    toolbox: Toolbox = TOOLBOX,
    prompt: str = "Hi",
    thread: Thread | None = None,
    transport: httpx2.BaseTransport | None = None,
) -> tuple[Recording, list[Event]]:
    """Record a run, and return the recording as read from a file, and the run's events."""
    with connect(Settings(api_key="sk-test-key", base_url=server.url), transport) as client:
        backend = backend_for(server, client, instructions="Be brief.")
        recording, assistant = LiveRecording(), Assistant(backend, toolbox)
        events = list(record_run(assistant.run(Thread() if thread is None else thread, prompt), recording))
    return Recording.from_lines(recording.as_lines()), events


def replay_events(recording: Recording, toolbox: Toolbox = TOOLBOX, **options: Any) -> list[Event]:
    """Return the events of a replay."""
    assistant = replay_assistant(recording, toolbox, speed=options.pop("speed", math.inf), **options)
    try:
        return list(assistant.run(Thread(), prompt_of(recording)))
    finally:
        assistant.backend.close()  # type: ignore[attr-defined]


def comparable(events: list[Event]) -> list[Any]:
    """Return the events without the thread's id; the results of a round are sorted, as their order varies."""
    seen: list[Any] = []
    for event in events:
        match event:
            case ThreadOpened():
                pass
            case ToolResult(call_id, output, outcome):
                seen.append(("result", call_id, output, outcome))
            case _:
                seen.append(event)
    for at in range(len(seen)):
        if isinstance(seen[at], tuple):
            until = next((n for n in range(at, len(seen)) if not isinstance(seen[n], tuple)), len(seen))
            seen[at:until] = sorted(seen[at:until])
    return seen


@pytest.mark.parametrize("scenario", quick_first(SCENARIOS, 9))
def test_a_recorded_run_is_replayed_unchanged(
    model: ModelServer, scenario: str, caplog: pytest.LogCaptureFixture
) -> None:
    plays, network = SCENARIOS[scenario](), SilenceTransport()
    network.play = plays[0]
    model.plays(*plays)
    recording, events = record(model, transport=network if "silence" in scenario else None)
    model.drop_script()  # the backend decides how often it retries after a cut
    assert prompt_of(recording) == "Hi"
    assert comparable(replay_events(recording)) == comparable(events)


@pytest.mark.parametrize("scenario", quick_first(["chained calls", "a call", "a function that fails"]))
@pytest.mark.parametrize("kind", [AgentsServer, AssistantsServer])
def test_a_run_of_an_agent_or_an_assistant_is_replayed_unchanged(
    kind: type[ModelServer], scenario: str, caplog: pytest.LogCaptureFixture
) -> None:
    with kind() as server:
        server.plays(*SCENARIOS[scenario]())
        recording, events = record(server, prompt="What is it?")
    assert prompt_of(recording) == "What is it?"
    assert protocol_of(recording) == ("agents" if kind is AgentsServer else "assistants")
    assert comparable(replay_events(recording)) == comparable(events)


@pytest.mark.parametrize(
    "prompt",
    [
        "Hello!",
        "weather(1)",
        "calculate(1/0)",
        'calculate("1/0"), then calculate("6*7")',
        'calculate("1+1") and calculate("2+2")',
        "何ができますか",
        "Find hotels in Paris and events in Tokyo",
    ],
)
def test_a_run_of_the_demo_is_replayed_unchanged(prompt: str) -> None:
    toolbox = Toolbox.from_package(examples)
    backend = open_backend(Settings(), DemoTransport(0.0))
    live = LiveRecording()
    events = list(record_run(Assistant(backend, toolbox).run(Thread(), prompt), live))
    backend.close()
    recording = Recording.from_lines(live.as_lines())
    assert prompt_of(recording) == prompt
    assert comparable(replay_events(recording, toolbox)) == comparable(events)
    assert comparable(replay_events(recording, Toolbox())) == comparable(events)  # without the functions


def test_a_later_message_of_a_thread_is_replayed_by_itself(model: ModelServer) -> None:
    thread = Thread()
    model.plays(text("Hello"), calls(call("add", a=2, b=3)), text("Five."))
    record(model, prompt="Hi", thread=thread)
    recording, events = record(model, prompt="2 + 3?", thread=thread)
    assert prompt_of(recording) == "2 + 3?"
    assert comparable(replay_events(recording)) == comparable(events)


def test_a_run_whose_first_message_found_out_the_protocol_is_replayed() -> None:
    with ChatServer() as server:
        server.plays(calls(call("add", a=2, b=3)), text("Five."))
        backend, recording, thread = open_backend(Settings(base_url=server.url)), LiveRecording(), Thread()
        events = Assistant(backend, TOOLBOX).run(thread, "2 + 3?")
        recorded = list(record_run(events, recording))
        backend.close()
    assert protocol_of(recording) == "chat"
    replayed = Thread()
    assert list(replay_assistant(recording, speed=math.inf).run(replayed, "2 + 3?"))[-1] == recorded[-1]
    assert replayed.messages[-1].text == thread.messages[-1].text == "Five."


def test_the_server_and_protocol_of_a_recording_are_known(model: ModelServer) -> None:
    model.plays(text("Hello"))
    recording, _ = record(model)
    assert base_url_of(recording) == model.url
    assert protocol_of(recording) == ("chat" if isinstance(model, ChatServer) else "responses")


# --- time ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("speed", "seconds"), [(1.0, 600.1), (4.0, 150.025), (math.inf, 0.0)])
def test_a_recording_is_replayed_at_its_own_pace_or_faster(
    monkeypatch: pytest.MonkeyPatch, speed: float, seconds: float
) -> None:
    now = 0.0

    def pause(seconds: float) -> bool:
        nonlocal now
        now += max(0.0, seconds)
        return False

    monkeypatch.setattr("assistant.transports.replay.time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr("assistant.transports.replay.pause", pause)
    events = replay_events(with_edit(by_hand("Hello", "world"), 5, at=600.1), speed=speed)
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hello", "world"]
    assert now == pytest.approx(seconds)


def test_stop_ends_a_replay_during_a_silence() -> None:
    recording = with_edit(by_hand("Hello", "world"), 5, at=600.0)
    assistant, runs, thread = replay_assistant(recording), RunRegistry(), Thread()
    live = runs.start(thread, lambda: assistant.run(thread, "Hi"), assistant.cancel)
    next(batch for batch in live.follow() if thread.messages[-1].text)
    live.stop()
    assert live.join(5)
    assert thread.messages[-1].text == "Hello"


def test_replayed_functions_take_the_recorded_time() -> None:
    slept: list[float] = []

    class Waits(Cancellation):
        def pause(self, seconds: float) -> bool:
            slept.append(seconds)
            return False

    recording = by_hand("Hello")
    call, result = ToolCall("c1", "add", '{"a": 1, "b": 2}'), ToolResult("c1", "3", seconds=0.2)
    entries = [*recording.entries(), RunEntry(1.0, call), RunEntry(1.0, result)]
    recording = Recording(entries=entries)
    function = replayed_toolbox(recording, TOOLBOX, 2.0, Waits())["add"]
    assert function.run(function.bind({"b": 2, "a": 1})).output == "3"
    assert slept == [0.1]


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_an_invalid_speed_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match=r"^The speed is .*\. Set a number above 0, such as 1, 10 or inf\.$"):
        ReplayTransport(by_hand("Hello"), speed)


# --- edited and incomplete recordings -------------------------------------------------------------------


def by_hand(*pieces: str, ended: How = "complete") -> Recording:
    """Return a short recording of a text in these pieces."""
    begun = {"id": "resp_1", "object": "response", "status": "in_progress", "output": []}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    events += [
        {
            "type": "response.output_text.delta",
            "item_id": "m",
            "output_index": 0,
            "content_index": 0,
            "delta": each,
        }
        for each in pieces
    ]
    events += [{"type": "response.completed", "response": {**begun, "status": "completed", "model": "m"}}]
    url = "https://example.com/v1/responses"
    requested = {"model": "m", "input": [{"role": "user", "content": "Hi"}], "conversation": "conv_1"}
    entries: list[Entry] = [
        RequestEntry(0.0, 1, "POST", url, requested),
        ResponseEntry(0.1, 1, 200, "text/event-stream", {}),
        *(EventEntry(0.1, 1, event["type"], event) for event in events),
        EndEntry(0.1, 1, ended),
    ]
    return Recording(entries=entries)


def with_edit(recording: Recording, number: int, at: float | None = None) -> Recording:
    """Return the recording without entry ``number``; with ``at``, move the entries from there on in time."""
    entries = recording.entries()
    if at is None:
        del entries[number]
    else:
        entries[number - 1 :] = [replace(entry, at=at) for entry in entries[number - 1 :]]
    return Recording(entries=entries)


def test_a_replay_creates_the_thread_that_existed_before_the_recording() -> None:
    events = replay_events(by_hand("Hello"))
    assert [event for event in events if isinstance(event, ThreadOpened)] == [ThreadOpened("conv_1")]
    assert events[-1] == RunCompleted()


def test_a_deleted_event_is_not_replayed() -> None:
    events = replay_events(with_edit(by_hand("Hello", ", ", "world"), 4))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hello", "world"]
    assert events[-1] == RunCompleted()


def test_without_its_last_event_the_answer_is_interrupted() -> None:
    events = replay_events(with_edit(by_hand("Hello"), 4))
    assert events[-1] == RunFailed(
        "interrupted", "example.com stopped in the middle of the answer.", retry=True
    )


def test_a_response_that_was_hung_up_ends_as_a_lost_connection() -> None:
    events = replay_events(with_edit(by_hand("Hello", ended="hung up"), 4))
    assert events[-1] == RunFailed(
        "interrupted", "The connection to example.com was lost in the middle of the answer.", retry=True
    )


def test_the_replay_of_an_unfinished_recording_ends_with_it() -> None:
    events = replay_events(Recording(entries=by_hand("Hello").entries()[:4]))
    assert isinstance(events[-1], RunFailed)
    assert events[-2] == TextDelta("Hello")


def test_a_request_that_was_not_recorded_is_refused(server: ModelServer) -> None:
    server.plays(calls(call("add", a=2, b=3)), text("Five."))
    recording, _ = record(server)
    shortened = Recording(entries=[entry for entry in recording.entries() if entry.exchange != 3])
    assert replay_events(shortened)[-1] == RunFailed(
        "not_in_the_recording",
        f"{server.url[7:-3]} refused the request. It says: The recording has no POST /responses here: it has 1 of "
        "them, and this is one more.",
    )


def test_an_empty_recording_replays_nothing() -> None:
    recording = Recording.from_lines(Recording().as_lines())
    assert (prompt_of(recording), protocol_of(recording), base_url_of(recording)) == ("", "", "")
    assert replay_events(recording)[-1] == RunFailed(
        "not_in_the_recording",
        "demo.invalid refused the request. It says: The recording has no POST /responses here.",
    )


def test_a_function_returns_an_edited_output(server: ModelServer) -> None:
    server.plays(calls(call("add", a=2, b=3)), text("Five."))
    recording, _ = record(server)
    changed = Recording.from_lines(recording.as_lines().replace('"output": "5"', '"output": "6"'))
    results = [event for event in replay_events(changed) if isinstance(event, ToolResult)]
    assert [result.output for result in results] == ["6"]


def test_differences_of_results_are_reported(server: ModelServer) -> None:
    server.plays(calls(call("add", a=2, b=3), call("fail", how="politely")), text("Five."))
    recording, _ = record(server)
    assert differences(recording, replay_events(recording, run_functions=True)) == []
    changed = Recording.from_lines(recording.as_lines().replace('"output": "5"', '"output": "6"'))
    assert differences(changed, replay_events(changed, run_functions=True)) == [
        'add({"a": 2, "b": 3}) returned 6 (done) in the recording, and now returns 5 (done).'
    ]
    assert differences(recording, []) == [
        "add returned 5 in the recording and has no result now.",
        'fail returned {"error": "Not today."} in the recording and has no result now.',
    ]
    assert differences(Recording(), replay_events(recording, run_functions=True)) == [
        'add({"a": 2, "b": 3}) has no result in the recording and now returns 5.',
        'fail({"how": "politely"}) has no result in the recording and now returns {"error": "Not today."}.',
    ]


def test_a_call_without_a_recorded_result_fails(server: ModelServer) -> None:
    server.plays(calls(call("add", a=2, b=3)), text("Five."))
    recording, _ = record(server)
    bare = Recording(entries=[entry for entry in recording.entries() if not isinstance(entry, RunEntry)])
    results = [event for event in replay_events(bare) if isinstance(event, ToolResult)]
    assert [(result.output, result.outcome) for result in results] == [
        (json.dumps({"error": "The recording has no result of 'add' here."}), "failed")
    ]


def test_a_stopped_run_is_replayed_up_to_there(server: ModelServer) -> None:
    gate = threading.Event()
    server.plays(text("Hello, world", gate=gate, gate_after=6))
    with connect(Settings(api_key="sk-test-key", base_url=server.url)) as client:
        recording = LiveRecording()
        run = record_run(Assistant(Responses(client, model="m"), Toolbox()).run(Thread(), "Hi"), recording)
        while next(run) != TextDelta("lo,"):
            pass
        run.close()
    gate.set()
    events = replay_events(Recording.from_lines(recording.as_lines()))
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo,"]
    assert isinstance(events[-1], RunFailed)


def test_a_paused_run_pauses_again() -> None:
    @tool(approval=True)
    def book(room: int) -> str:
        """Book a room.

        Args:
            room: Its number.
        """
        return f"booked {room}"

    with ModelServer() as server:
        server.plays(calls(call("book", room=7)))
        recording, events = record(server, Toolbox(book))
    assert comparable(replay_events(recording, Toolbox())) == comparable(events)


ODD: list[Any] = [None, True, -1, 2**70, 1e308, "", "x", "\ud83d", "a\nb", [], {}, [[]], {"a": None}, "é\r\n"]


@pytest.mark.parametrize("seed", quick_first(range(4)))
def test_a_damaged_recording_replays_to_one_ending(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    random, caught = Random(seed), 0
    lines = sample_files()["a_function_that_fails"].read_text("utf-8").splitlines()
    for _ in range(12):
        values = [json.loads(line) for line in lines]
        for _ in range(random.randint(1, 8)):
            distort(random, values)
        try:
            recording = Recording.from_lines("\n".join(json.dumps(value) for value in values))
        except RecordingError:
            caught += 1
            continue
        events = replay_events(recording, speed=1e300)
        assert [isinstance(event, Ending) for event in events].index(True) == len(events) - 1
        assert getattr(events[-1], "code", "") != "internal"
        differences(recording, events)
    assert caught < 12


def distort(random: Random, values: list[Any]) -> None:
    """Change something in the lines of a recording."""
    at = random.randrange(1, len(values))
    match random.randrange(4):
        case 0:
            del values[at]
        case 1:
            values.insert(random.randrange(1, len(values)), values[at])
        case _:
            holder = values[at]
            while True:
                inside = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
                if not inside:
                    return
                key = random.choice(inside)
                if isinstance(holder[key], (dict, list)) and random.random() < 0.8:
                    holder = holder[key]
                    continue
                holder[key] = deepcopy(random.choice(ODD))
                return


@pytest.mark.exhaustive
def test_any_run_is_replayed_unchanged(model: ModelServer, caplog: pytest.LogCaptureFixture) -> None:
    for seed in range(15):
        random, plays = Random(seed), list[Play]()
        for _ in range(random.randint(0, 2)):
            spoken = [message("".join(random.choices("aé日🌞 \n\u2028", k=9)))][: random.randint(0, 1)]
            requested = [call("add", a=random.randint(-9, 9), b=random.choice([1, 2, "x"])) for _ in range(2)]
            plays.append(calls(*spoken, *requested, pieces=random.randint(1, 9)))
        words = "".join(random.choices("aé日🌞 \n\u2028\r", k=random.randint(1, 60)))
        last = text(words, pieces=random.randint(1, 20))
        if random.random() < 0.5:
            last = cut(last, random.randint(2, 9), random.choice(["close", "reset"]))
        model.plays(*plays, *[last] * (1 + len(DELAYS)))  # an answer without any text is retried
        recording, events = record(model)
        model.drop_script()
        assert comparable(replay_events(recording)) == comparable(events)


def test_a_cut_background_response_is_replayed_unchanged(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.backends.responses.api.RESUME_DELAYS", (0.0,))
    server.plays(cut(text("Hello, world"), 6, "reset"))
    with connect(Settings(api_key="sk-test-key", base_url=server.url)) as client:
        recording = LiveRecording()
        backend = Responses(client, model="test-model", background=True)
        events = list(record_run(Assistant(backend, Toolbox()).run(Thread(), "Hi"), recording))
    assert events[-1] == RunCompleted()
    assert comparable(replay_events(recording)) == comparable(events)


# --- samples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sample_files().values(), ids=lambda path: path.stem)
def test_a_sample_passes_the_check_and_replays(path: Path) -> None:
    from assistant.recordings.check import check

    assert path.stat().st_size < 100_000
    recording = Recording.from_lines(path.read_text("utf-8"))
    assert check(recording) == []
    recorded_names = [type(event).__name__ for event in recording.run_events()]
    pieces = ("TextDelta", "CommentaryDelta", "ToolCallDelta")
    events = [type(event).__name__ for event in replay_events(recording, Toolbox())]
    assert [name for name in events if name not in pieces] == recorded_names
    assert recorded_names[-1] == "RunCompleted"


def test_there_are_three_samples() -> None:
    assert list(sample_files()) == ["a_function_that_fails", "in_Japanese", "weather_then_a_hotel"]


def test_a_limit_of_rounds_is_replayed_as_a_limit() -> None:
    with ModelServer() as server:
        server.plays(*(calls(call("add", a=number, b=3)) for number in range(3)))
        with connect(Settings(api_key="sk-test-key", base_url=server.url)) as client:
            recording = LiveRecording()
            assistant = Assistant(Responses(client, model="m"), TOOLBOX, max_rounds=3)
            events = list(record_run(assistant.run(Thread(), "Hi"), recording))
    assert events[-1] == RunStopped("max_rounds", "Stopped after 3 rounds of function calls.")
    assert comparable(replay_events(recording)) == comparable(events)
