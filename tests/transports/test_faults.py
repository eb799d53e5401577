"""Each fault happens through the real SDK and backend, and the run does what is expected of it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI

from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.events import (
    Event,
    RetryScheduled,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from assistant.recordings.entries import EventEntry, ResponseEntry
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.tools.fault_injection import with_faults
from assistant.tools.results import error_output
from assistant.transports.fault_spec import FUNCTIONS, STREAM, Fault, parse_faults
from assistant.transports.fault_transport import ERROR_MESSAGE, FaultTransport
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.backends.kinds import backend_for
from tests.conftest import add
from tests.servers.agents import AgentsServer
from tests.servers.assistants import AssistantsServer
from tests.servers.chat_completions import ChatServer
from tests.servers.responses import ModelServer, call, calls, message, text

Break = Callable[..., Assistant]

ENDED = RoundEnded("test-model", Usage(10, 2, 5, 1))


@pytest.fixture
def breaking() -> Iterator[Break]:
    """A function that creates an assistant with faults: ``breaking(server, "cut:5", add)``."""
    clients: list[OpenAI] = []

    def create(
        server: ModelServer, faults: str, *tools: Any, timeout: float | None = None, **options: Any
    ) -> Assistant:
        client = connect(Settings(api_key="sk-test-key", base_url=server.url, faults=faults))
        clients.append(client)
        client.timeout = timeout or client.timeout
        toolbox = with_faults(Toolbox(*tools), parse_faults(faults))
        return Assistant(backend_for(server, client), toolbox, **options)

    yield create
    for client in clients:
        client.close()


def main_events(events: list[Event]) -> list[Event]:
    """Return the events without those that open the thread and a round, and without pieces of arguments."""
    return [each for each in events if not isinstance(each, (ToolCallDelta, RoundStarted, ThreadOpened))]


def interrupted(server: ModelServer) -> RunFailed:
    return RunFailed(
        "interrupted",
        f"The connection to {server.url[7:-3]} was lost in the middle of the answer.",
        retry=True,
    )


@pytest.mark.parametrize("fault", ["cut:6", "half:7"])
def test_a_cut_answer_ends_as_interrupted_and_keeps_its_text(
    server: ModelServer, breaking: Break, fault: str
) -> None:
    server.plays(text("Hello, world"))
    assert main_events(list(breaking(server, fault).run(Thread(), "Hi"))) == [
        TextDelta("Hel"),
        TextDelta("lo,"),
        interrupted(server),
    ]


def test_a_cut_before_any_text_is_retried_twice(server: ModelServer, breaking: Break) -> None:
    server.has_conversations = False  # otherwise the backend looks for a finished answer on the server first
    server.plays(text("Hello"), text("Hello"), text("Hello"))
    assert main_events(list(breaking(server, "cut:0").run(Thread(), "Hi"))) == [
        RetryScheduled(1, 2, 0.0, "The connection was lost."),
        RetryScheduled(2, 2, 0.0, "The connection was lost."),
        interrupted(server),
    ]
    assert len(server.requests) == 3


def test_no_function_of_a_cut_round_runs(server: ModelServer, breaking: Break) -> None:
    server.plays(calls(call("add", a=2, b=3)))
    events = list(breaking(server, "cut:8", add).run(Thread(), "2 + 3?"))
    assert main_events(events) == [interrupted(server)]


def test_a_fault_of_the_second_round_does_not_affect_the_first(server: ModelServer, breaking: Break) -> None:
    requested = call("add", a=2, b=3)
    server.plays(calls(requested), text("Five."), text("Well."))
    assistant, thread = breaking(server, "failed:4@2", add), Thread()
    failed = RunFailed(
        "server_error",
        f"{server.url[7:-3]} failed. Try again in a moment. It says: {ERROR_MESSAGE}",
        retry=True,
    )
    assert main_events(list(assistant.run(thread, "2 + 3?"))) == [
        ToolCall(requested["call_id"], "add", '{"a": 2, "b": 3}'),
        ENDED,
        ToolResult(requested["call_id"], "5"),
        failed,
    ]
    # The next message starts at round 1 again.
    assert main_events(list(assistant.run(thread, "Hi")))[-1] == RunCompleted()


def test_stop_ends_a_stall_at_once(server: ModelServer, breaking: Break) -> None:
    server.plays(text("Hello, world"))
    assistant, runs, thread = breaking(server, "stall:6"), RunRegistry(), Thread()
    live = runs.start(thread, lambda: assistant.run(thread, "Hi"), assistant.cancel)
    for batch in live.follow():
        if TextDelta("lo,") in batch or thread.messages[-1].text == "Hello,":
            break
    live.stop()
    assert live.join(5)
    assert (thread.messages[-1].text, thread.messages[-1].ending) == (
        "Hello,",
        RunStopped("user", "Stopped."),
    )


def test_stop_ends_a_stall_of_the_demo() -> None:
    client = connect(Settings(), FaultTransport(DemoTransport(0.0), parse_faults("stall:6")))
    assistant, runs, thread = Assistant(Responses(client, model="demo"), Toolbox()), RunRegistry(), Thread()
    live = runs.start(thread, lambda: assistant.run(thread, "Hello"), assistant.cancel)
    next(batch for batch in live.follow() if thread.messages[-1].text)
    live.stop()
    assert live.join(5)
    client.close()


def test_a_stall_ends_at_the_timeout(server: ModelServer, breaking: Break) -> None:
    server.plays(text("Hello, world"))
    assistant = breaking(server, "stall:6", timeout=0.1)
    assert main_events(list(assistant.run(Thread(), "Hi")))[-1] == RunFailed(
        "timeout", f"{server.url[7:-3]} was silent for too long. Try again.", retry=True
    )


def test_a_slow_answer_arrives_whole(
    server: ModelServer, breaking: Break, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    def pause(seconds: float) -> bool:
        waited.append(seconds)
        return False

    monkeypatch.setattr("assistant.transports.fault_transport.pause", pause)
    play = text("Hello, world")
    server.plays(play)
    assert main_events(list(breaking(server, "slow:20").run(Thread(), "Hi"))) == [
        *map(TextDelta, ("Hel", "lo,", " wo", "rld")),
        ENDED,
        RunCompleted(),
    ]
    assert waited == [0.02] * len(play.stream("resp_1", {}))


def test_a_repeated_event_runs_a_call_once(server: ModelServer, breaking: Break) -> None:
    requested = call("add", a=2, b=3)
    whole = calls(requested)
    for number in range(1, len(whole.stream("resp_1", {})) + 1):
        server.plays(calls(requested), text("Five."))
        events = main_events(list(breaking(server, f"twice:{number}@1", add).run(Thread(), "2 + 3?")))
        assert events[:3] == [
            ToolCall(requested["call_id"], "add", '{"a": 2, "b": 3}'),
            ENDED,
            ToolResult(requested["call_id"], "5"),
        ]
        assert events[-1] == RunCompleted()


def test_a_repeated_event_repeats_its_text(server: ModelServer, breaking: Break) -> None:
    server.plays(text("Hello, world"))
    thread = Thread()
    assert list(breaking(server, "twice:6").run(thread, "Hi"))[-1] == RunCompleted()
    assert thread.messages[-1].text == "Hello,lo, world"


def test_an_unknown_event_is_ignored_anywhere(server: ModelServer, breaking: Break) -> None:
    for number in range(10):
        server.plays(text("Hello, world"))
        recording = LiveRecording()
        run = breaking(server, f"unknown:{number}").run(Thread(), "Hi")
        assert main_events(list(record_run(run, recording)))[-2:] == [ENDED, RunCompleted()]
        names = [entry.event for entry in recording.entries() if isinstance(entry, EventEntry)]
        assert names[number] == "response.hologram"


def test_a_long_rate_limit_is_reported_at_once(server: ModelServer, breaking: Break) -> None:
    text_of_it = f"Too many requests to {server.url[7:-3]}. Wait 20 seconds and try again."
    assert main_events(list(breaking(server, "429", add).run(Thread(), "Hi"))) == [
        RunFailed("rate_limit_exceeded", text_of_it, retry=True, retry_after=20.0)
    ]
    assert server.requests == []


def test_a_failing_server_is_retried_and_then_reported(server: ModelServer, breaking: Break) -> None:
    assistant, recording = breaking(server, "500"), LiveRecording()
    assert main_events(list(record_run(assistant.run(Thread(), "Hi"), recording))) == [
        RetryScheduled(1, 2, 0.0, "The server answered with HTTP status 500."),
        RetryScheduled(2, 2, 0.0, "The server answered with HTTP status 500."),
        RunFailed(
            "server_error",
            f"{server.url[7:-3]} failed. Try again in a moment. It says: {ERROR_MESSAGE}",
            retry=True,
        ),
    ]
    statuses = [entry.status for entry in recording.entries() if isinstance(entry, ResponseEntry)]
    assert statuses == [200, 500, 200, 500, 200, 500], "the conversation is compared before each retry"


def test_an_incomplete_answer_runs_no_function(server: ModelServer, breaking: Break) -> None:
    server.plays(calls(message("Let me see."), call("add", a=2, b=3)))
    events = main_events(list(breaking(server, "incomplete:12", add).run(Thread(), "Hi")))
    assert events[-1] == RunStopped(
        "max_output_tokens", "The answer was cut off: it reached the limit of output tokens."
    )
    assert not [event for event in events if isinstance(event, (ToolCall, ToolResult))]


def test_a_web_page_is_not_taken_for_the_api(server: ModelServer, breaking: Break) -> None:
    assert main_events(list(breaking(server, "html").run(Thread(), "Hi"))) == [
        RunFailed(
            "not_the_api",
            f"{server.url}/ returned a web page, not an API response. "
            "Check OPENAI_BASE_URL: it usually ends in /v1.",
        )
    ]


def test_a_fault_is_recorded(server: ModelServer, breaking: Break) -> None:
    server.plays(text("Hello, world"))
    recording = LiveRecording()
    list(record_run(breaking(server, "failed:6").run(Thread(), "Hi"), recording))
    last = [entry for entry in recording.entries() if isinstance(entry, EventEntry)][-1]
    assert last.event == "response.failed"
    assert (last.data["sequence_number"], last.data["response"]["status"]) == (6, "failed")


@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ("cut:3", "interrupted"),
        ("half:3", "interrupted"),
        ("failed:3", "server_error"),
        ("incomplete:3", "max_output_tokens"),
        ("html", "not_the_api"),
        ("429", "rate_limit_exceeded"),
        ("unknown:3", ""),
        ("slow:1", ""),
    ],
)
def test_chat_completions_fail_in_their_protocol(breaking: Break, fault: str, ending: str) -> None:
    with ChatServer() as server:
        server.plays(text("Hello, world"))
        last = list(breaking(server, fault).run(Thread(), "Hi"))[-1]
        assert (getattr(last, "code", "") or getattr(last, "reason", "")) == ending
        server.drop_script()


@pytest.mark.parametrize("kind", [AgentsServer, AssistantsServer])
@pytest.mark.parametrize(
    ("fault", "ending"),
    [
        ("failed:7", "server_error"),
        ("incomplete:7", "max_output_tokens"),
        ("html", "not_the_api"),
        ("unknown:5", ""),
    ],
)
def test_agents_and_assistants_fail_in_their_protocol(
    breaking: Break, kind: type[ModelServer], fault: str, ending: str
) -> None:
    with kind() as server:
        server.plays(text("Hello, world"))
        last = list(breaking(server, fault, add).run(Thread(), "Hi"))[-1]
        assert (getattr(last, "code", "") or getattr(last, "reason", "")) == ending
        server.drop_script()


# --- functions ----------------------------------------------------------------------------------------


def result_of(server: ModelServer, assistant: Assistant) -> ToolResult:
    """Return the result of a call of ``add`` in a run that completes."""
    server.plays(calls(call("add", a=2, b=3)), text("So."))
    events = list(assistant.run(Thread(), "2 + 3?"))
    assert events[-1] == RunCompleted()
    return next(event for event in events if isinstance(event, ToolResult))


def test_an_exception_of_a_function_is_not_shown_to_the_model(
    server: ModelServer, breaking: Break, caplog: pytest.LogCaptureFixture
) -> None:
    result = result_of(server, breaking(server, "function.raise:add", add))
    assert (result.outcome, result.output, result.detail) == (
        "failed",
        error_output("The function 'add' failed. It may work with other arguments, or not at all."),
        "RuntimeError: An injected fault.",
    )


def test_a_delayed_function_returns_later(server: ModelServer, breaking: Break) -> None:
    result = result_of(server, breaking(server, "function.delay:*:0.1", add))
    assert (result.outcome, result.output) == ("done", "5")
    assert result.seconds is not None
    assert result.seconds >= 0.1


def test_a_function_that_never_returns_times_out(server: ModelServer, breaking: Break) -> None:
    result = result_of(server, breaking(server, "function.never", add, tool_timeout=0.1))
    assert (result.outcome, result.output) == (
        "timeout",
        error_output("The function did not return within 0.1 seconds."),
    )


def test_a_result_that_is_not_json_is_read_as_text(server: ModelServer, breaking: Break) -> None:
    result = result_of(server, breaking(server, "function.type", add))
    assert (result.outcome, result.output) == ("done", '"<not JSON>"')


def test_a_huge_output_is_cut_for_the_model_but_kept_for_the_user(
    server: ModelServer, breaking: Break
) -> None:
    result = result_of(server, breaking(server, "function.huge:add:100000", add))
    assert (result.outcome, len(result.detail)) == ("done", 100_000)
    assert result.output.endswith("[truncated: the first 40,000 of 100,000 characters]")


def test_other_functions_and_the_validation_of_arguments_are_unaffected() -> None:
    @tool
    def greet(name: str) -> str:
        """Greet.

        Args:
            name: Whom.
        """
        return f"Hello {name}"

    broken = with_faults(Toolbox(add, greet), parse_faults("function.raise:add, cut:5"))
    assert list(broken) == ["add", "greet"]
    assert broken["greet"] is greet
    assert broken["add"].parameters == add.parameters
    assert broken["add"].bind({"a": 1, "b": 2}) == {"a": 1, "b": 2}
    assert add(1, 2) == 3


def test_a_fault_of_an_unknown_function_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^There is no function 'subtract' to break\. Available functions: add\.$"
    ):
        with_faults(Toolbox(add), parse_faults("function.raise:subtract"))


# --- syntax ------------------------------------------------------------------------------------------


def test_faults_are_read_from_one_line() -> None:
    assert parse_faults(
        " cut:5,slow:200, 429:20@2 ,function.raise:get_weather, function.delay:*:0.5, html,"
    ) == [
        Fault("cut", 5),
        Fault("slow", 200),
        Fault("429", 20, round=2),
        Fault("function.raise", function="get_weather"),
        Fault("function.delay", 0.5),
        Fault("html"),
    ]
    assert parse_faults("") == []


def test_random_faults_depend_on_the_seed_only() -> None:
    assert parse_faults("random, random, seed=7") == parse_faults("seed=7, random, random")
    assert len({fault.kind for seed in range(200) for fault in parse_faults(f"random, seed={seed}")}) == len(
        STREAM | FUNCTIONS
    )


@pytest.mark.parametrize("kind", STREAM | FUNCTIONS)
def test_a_fault_has_a_description_and_survives_parsing(kind: str) -> None:
    (fault,) = parse_faults(kind)
    assert parse_faults(str(fault)) == [fault]
    assert fault.describe().endswith(".")
    assert "{" not in fault.describe() + fault.expected()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("cut:x", "'cut:x' needs the number of an event, from 0 to 100,000."),
        ("cut:1.5", "'cut:1.5' needs the number of an event, from 0 to 100,000."),
        ("half:0", "'half:0' needs the number of an event, from 1 to 100,000."),
        ("slow:nan", "'slow:nan' needs a number of milliseconds, from 0 to 60,000."),
        ("cut:5:6", "'cut:5:6' has one colon too many."),
        ("html:3", "'html:3' has a value, and this fault takes none. Leave it out."),
        ("function.raise:a:3", "'function.raise:a:3' has a value, and this fault takes none. Leave it out."),
        ("cut:5,seed=x", "The seed is one whole number, such as seed=7."),
        ("seed=1,seed=2", "The seed is one whole number, such as seed=7."),
        (
            "function.raise:a@2",
            "'function.raise:a@2' names a round, but faults of functions are in every round. Leave it out.",
        ),
    ],
)
def test_an_invalid_fault_is_refused_in_a_sentence(line: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parse_faults(line)


@pytest.mark.parametrize("line", ["bang", "cut 5", "@", "CUT:5", "x" * 100_000, "cut:5;slow:3", "\x00"])
def test_an_unknown_fault_is_refused_with_the_available_ones(line: str) -> None:
    with pytest.raises(
        ValueError, match=r"^There is no fault .{1,70}\. Available: cut, stall, .*, random\. "
    ):
        parse_faults(line)
