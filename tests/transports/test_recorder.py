"""Recording at the wire: a run's requests go on its tape, whoever runs it, and nothing else changes."""

import gc
import socket
import threading
from collections.abc import Generator
from contextlib import closing
from typing import Any

import httpx2
import openai
import pytest

from assistant import Assistant, Thread
from assistant.backends.client import TIMEOUT, connect
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.events import Event, RunCompleted, RunFailed, TextDelta, ThreadOpened, ToolCall, ToolResult
from assistant.messages import Attachment
from assistant.recordings.check import check
from assistant.recordings.recording import Exchange, Recording
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.tools.toolbox import Toolbox
from assistant.transports.recorder import RecordingStore, RecordTransport, record_run
from assistant.transports.throttle import ThrottleTransport
from tests.conftest import Connect, add
from tests.servers.responses import ModelServer, call, calls, cut, error, message, text


def ends(recording: Recording) -> list[tuple[str, int | None, str | None]]:
    """Each exchange: what was asked, the status, and how it ended."""

    def brief(each: Exchange) -> tuple[str, int | None, str | None]:
        path = each.request.what["url"].partition("/v1")[2]
        status = each.response.what["status"] if each.response else None
        return f"{each.request.what['method']} {path}", status, each.end.what["how"] if each.end else None

    return [brief(each) for each in recording.exchanges()]


def said(recording: Recording) -> list[dict[str, Any]]:
    return [entry.what for entry in recording.entries() if entry.kind == "run"]


def test_a_run_puts_what_it_asks_hears_and_says_on_its_tape(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    recording = Recording()
    events = list(record_run(assistant.run(Thread(), "1 + 2?"), recording))
    assert ends(recording) == [
        ("POST /conversations", 200, "complete"),
        ("POST /responses", 200, "hung up"),  # nobody waits for what comes after the last event
        ("POST /responses", 200, "hung up"),
    ]
    first, second = recording.exchanges()[1:]
    assert [first.request.what["body"], second.request.what["body"]] == server.asked
    assert [entry.what["data"]["sequence_number"] for entry in first.events] == list(range(10))
    assert first.events[-1].what["data"]["type"] == "response.completed"
    asked = next(event for event in events if isinstance(event, ToolCall))
    result = next(event for event in events if isinstance(event, ToolResult))
    assert [what["event"] for what in said(recording)] == [
        "RoundStarted",
        "ThreadOpened",
        "ToolCall",
        "RoundEnded",
        "ToolResult",
        "RoundStarted",
        "RoundEnded",
        "RunCompleted",
    ]
    assert said(recording)[2:5] == [
        {
            "event": "ToolCall",
            "call_id": asked.call_id,
            "name": "add",
            "arguments": '{"a": 1, "b": 2}',
            "server": "",
        },
        {
            "event": "RoundEnded",
            "model": "test-model",
            "usage": {"input": 10, "cached": 2, "output": 5, "reasoning": 1},
        },
        {
            "event": "ToolResult",
            "call_id": asked.call_id,
            "output": "3",
            "outcome": "done",
            "detail": "",
            "seconds": result.seconds,
        },
    ]
    assert recording.thread == next(iter(server.conversations))
    assert check(recording) == []


def test_a_recorded_run_says_what_it_says_unrecorded(server: ModelServer, assistant: Assistant) -> None:
    script = calls(message("So."), call("add", a=1, b=2)), text("Three.", "Really.")
    server.plays(*script, *script)
    plain = list(assistant.run(Thread(), "1 + 2?"))
    recorded = list(record_run(assistant.run(Thread(), "1 + 2?"), Recording()))
    assert [event for event in recorded if not isinstance(event, ThreadOpened)] == [
        event for event in plain if not isinstance(event, ThreadOpened)
    ]


def test_what_is_asked_outside_of_a_run_is_on_no_tape(server: ModelServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    recording = Recording()
    run = record_run(assistant.run(Thread(), "Hi"), recording)
    next(run)
    list(assistant.run(Thread(), "Hi"))  # on the same thread, while the other one stands still
    list(run)
    assert [what for what, *_ in ends(recording)] == ["POST /conversations", "POST /responses"]


def test_two_runs_that_take_turns_have_each_their_own_tape(server: ModelServer, connect_to: Connect) -> None:
    server.plays(text("One."), text("Two."))
    assistant = connect_to(server.url)
    recordings = Recording(), Recording()
    runs = [
        record_run(assistant.run(Thread(), f"To {number}"), recording)
        for number, recording in enumerate(recordings)
    ]
    while runs:
        runs = [run for run in runs if next(run, None) is not None]
    for number, recording in enumerate(recordings):
        body = recording.exchanges()[1].request.what["body"]
        assert body["input"][0]["content"] == f"To {number}"
        assert said(recording)[-1] == {"event": "RunCompleted"}
        assert check(recording) == []


def test_closing_the_recorded_run_closes_the_run_and_the_tape_says_so(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("One, two, three.", gate=threading.Event(), gate_after=7))
    recording = Recording()
    with closing(record_run(assistant.run(Thread(), "Count."), recording)) as run:
        assert any(isinstance(event, TextDelta) for event in run)
    assert said(recording)[-1] == {"event": "RunClosed"}
    assert ends(recording)[-1] == ("POST /responses", 200, "hung up")
    assert check(recording) == []


def test_a_run_that_is_stopped_while_the_server_is_silent_has_hung_up(
    server: ModelServer, assistant: Assistant
) -> None:
    play = text("One, two, three.", gate=threading.Event(), gate_after=7)
    server.plays(play)
    recording, thread = Recording(), Thread()
    run = RunRegistry().start(
        thread,
        lambda: assistant.run(thread, "Count.").through(lambda events: record_run(events, recording)),
        assistant.cancel,
    )
    assert play.reached.wait(10)
    for batch in run.follow():
        if batch and thread.messages[-1].parts:
            break
    run.stop()
    assert run.join(5)
    assert ends(recording)[-1] == ("POST /responses", 200, "hung up")
    assert check(recording) == []


def test_a_connection_that_is_lost_is_recorded_with_what_the_network_said(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(cut(text("One, two, three."), 7, "reset"))
    recording = Recording()
    *_, last = record_run(assistant.run(Thread(), "Count."), recording)
    assert isinstance(last, RunFailed)
    exchange = recording.exchanges()[-1]
    assert len(exchange.events) == 7
    assert exchange.end is not None
    assert exchange.end.what["how"] == "lost"
    assert exchange.end.what["text"].startswith("Re")  # ReadError, or RemoteProtocolError


def test_a_server_that_is_not_there_leaves_requests_without_an_answer(
    connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    assistant = connect_to(url)
    assert isinstance(assistant.backend, Responses)
    assistant.backend._client.max_retries = 0
    recording = Recording()
    list(record_run(assistant.run(Thread(), "Hi"), recording))
    assert ends(recording) == [("POST /conversations", None, "lost")]
    assert said(recording)[-1]["event"] == "RunFailed"


def test_what_the_sdk_tries_again_is_an_exchange_of_its_own(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(error(429, "rate_limit_exceeded", retry_after_ms="1"), text("Hi."))
    recording = Recording()
    list(record_run(assistant.run(Thread(), "Hi"), recording))
    assert ends(recording)[1:] == [("POST /responses", 429, "complete"), ("POST /responses", 200, "hung up")]
    refused = recording.exchanges()[1]
    assert refused.response is not None
    assert refused.response.what["headers"] == {"retry-after-ms": "1"}
    assert refused.body is not None
    assert refused.body.what["body"]["error"]["code"] == "rate_limit_exceeded"


def test_the_key_is_not_on_the_tape_even_where_the_server_says_it(
    server: ModelServer, connect_to: Connect
) -> None:
    server.plays(text("Your key is sk-very-secret-1."), error(401, "invalid_api_key", "No: sk-very-secret-1"))
    assistant, recording = connect_to(server.url, key="sk-very-secret-1"), Recording()
    for _ in range(2):
        list(record_run(assistant.run(Thread(), "My key is sk-very-secret-1."), recording))
    assert "My key is [removed]." in recording.as_lines()
    assert "Your key is [removed]." in recording.as_lines()
    assert "No: [removed]" in recording.as_lines()
    assert "sk-very-secret-1" not in recording.as_lines()


def test_the_demo_is_recorded_like_any_server() -> None:
    with connect(Settings(), DemoTransport(0.0)) as client:
        assistant = Assistant(Responses(client, model="demo"), Toolbox(add))
        recording = Recording()
        *_, last = record_run(assistant.run(Thread(), "Hello!"), recording)
    assert last == RunCompleted()
    assert ends(recording) == [
        ("POST /conversations", 200, "complete"),
        ("POST /responses", 200, "hung up"),
    ]
    body = recording.exchanges()[0].body
    assert body is not None
    assert body.what["body"]["object"] == "conversation"
    assert check(recording) == []


def test_a_request_that_sends_a_file_is_recorded_without_it() -> None:
    recording = Recording()

    def upload() -> Generator[Event, None, None]:
        with connect(Settings()) as client:
            with pytest.raises(openai.APIStatusError):
                client.files.create(file=("a.txt", b'{"what": "ever"}'), purpose="user_data")
            yield RunCompleted()

    list(record_run(upload(), recording))
    assert [entry.what["body"] for entry in recording.entries() if entry.kind == "request"] == ["[a file]"]


# --- what the client does by itself is not lost ---


def test_the_client_is_as_it_would_be_unrecorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "models.example")
    with connect(Settings(api_key="sk-x")) as client, httpx2.Client() as plain:
        http = client._client
        transport = http._transport
        assert isinstance(transport, RecordTransport)
        assert isinstance(transport.inner, ThrottleTransport)
        assert isinstance(transport.inner.inner, httpx2.HTTPTransport)
        assert transport.inner.inner._pool._max_connections == 1000
        assert http._mounts.keys() == plain._mounts.keys()
        for pattern, mounted in plain._mounts.items():
            ours = http._mounts[pattern]
            assert (ours is None) is (mounted is None)
            assert ours is None or isinstance(ours, RecordTransport)
        assert (http.timeout, http.follow_redirects, http.trust_env) == (TIMEOUT, True, True)


def test_a_proxy_of_the_environment_is_used_and_recorded(
    server: ModelServer, connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    server.plays(text("Hi."))
    recording = Recording()
    *_, last = record_run(connect_to("http://models.invalid/v1").run(Thread(), "Hi"), recording)
    assert last == RunCompleted()
    assert recording.exchanges()[1].request.what["url"] == "http://models.invalid/v1/responses"


def test_closing_the_client_closes_what_is_recorded(server: ModelServer) -> None:
    closed: list[str] = []

    class Closing(DemoTransport):
        def close(self) -> None:
            closed.append("closed")

    connect(Settings(), Closing()).close()
    assert closed == ["closed"]


def test_connections_are_closed_when_nobody_has_the_client_or_a_copy_of_it_any_more() -> None:
    closed: list[str] = []

    class Closing(DemoTransport):
        def close(self) -> None:
            closed.append("closed")

    client = connect(Settings(), Closing())
    copy = client.with_options(max_retries=1)
    del client
    gc.collect()
    assert closed == []
    del copy
    gc.collect()
    assert closed == ["closed"]


# --- the tapes of a process ---


def test_tapes_are_found_by_thread_oldest_first() -> None:
    recordings = RecordingStore()
    first, other, second = recordings.begin("one"), recordings.begin("two"), recordings.begin("one")
    assert recordings.of("one") == [first, second]
    assert recordings.of("two") == [other]
    assert recordings.of("three") == []


def test_a_tape_that_began_before_its_thread_had_an_id_is_found_by_both_names(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("Hi."))
    recordings, thread = RecordingStore(), Thread()
    recording = recordings.begin("a new one")
    list(record_run(assistant.run(thread, "Hi"), recording))
    assert recordings.of(thread.id) == recordings.of("a new one") == [recording]
    assert recording.thread == thread.id
    assert recordings.of("") == []


def test_a_tape_of_a_thread_that_has_its_id_is_of_that_thread() -> None:
    assert RecordingStore().begin("thread_1").thread == "thread_1"


def test_the_oldest_tapes_go_when_all_together_are_too_large() -> None:
    recordings = RecordingStore(most_bytes=100)
    kept: list[Recording] = []
    for _ in range(5):
        kept.append(recordings.begin("one"))
        kept[-1].chunk(1, b"x" * 40)
    assert recordings.of("one") == kept[2:]


def test_many_threads_may_begin_tapes_at_once() -> None:
    recordings = RecordingStore(most_bytes=10_000)

    def begin(number: int) -> None:
        for _ in range(50):
            recordings.begin(str(number)).chunk(1, b"x" * 10)
            assert recordings.of(str(number))

    workers = [threading.Thread(target=begin, args=[number]) for number in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert sum(len(recordings.of(str(number))) for number in range(8)) == 400


def test_a_run_that_breaks_is_recorded_up_to_there() -> None:
    def broken() -> Generator[Event, None, None]:
        yield ThreadOpened("thread_1")
        raise KeyError("x")

    recording = Recording()
    with pytest.raises(KeyError):
        list(record_run(broken(), recording))
    assert said(recording) == [{"event": "ThreadOpened", "thread_id": "thread_1"}, {"event": "RunClosed"}]


def test_a_file_that_is_sent_does_not_fill_the_tape(server: ModelServer, assistant: Assistant) -> None:
    server.plays(text("A cat."))
    cat = Attachment("cat.png", "image/png", "iVBO" * 1_000_000)
    recording = Recording()
    list(record_run(assistant.run(Thread(), "What is this?", [cat]), recording))
    (told,) = recording.exchanges()[1].request.what["body"]["input"]
    assert told["content"][1]["image_url"] == "data:image/png;base64,[a file]"
    assert recording.size() < 10_000
    assert server.asked[0]["input"][0]["content"][1]["image_url"] == cat.url
