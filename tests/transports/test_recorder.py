"""Recording at the wire: a run's requests are recorded, whatever thread runs it, and nothing else changes."""

import gc
import socket
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress

import openai
import pytest

from assistant import Assistant, Thread
from assistant.backends.client import TIMEOUT, connect
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.events import (
    Event,
    RoundEnded,
    RunCompleted,
    RunFailed,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolResult,
    Usage,
)
from assistant.parts import Attachment
from assistant.recordings.check import check
from assistant.recordings.entries import RunClosed
from assistant.recordings.recording import Exchange, Recording
from assistant.runs.registry import RunRegistry
from assistant.settings import Settings
from assistant.tools.toolbox import Toolbox
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from assistant.transports.recording_store import RecordingStore
from tests.conftest import Connect, add
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.responses import ModelServer, call, calls, cut, error, message, text


def ends(recording: Recording) -> list[tuple[str, int | None, str | None]]:
    """Return the request, the status and the end of each exchange."""

    def brief(each: Exchange) -> tuple[str, int | None, str | None]:
        path = each.request.url.partition("/v1")[2]
        status = each.response.status if each.response else None
        return f"{each.request.method} {path}", status, each.end.how if each.end else None

    return [brief(each) for each in recording.exchanges()]


def test_a_recording_has_the_requests_responses_and_events_of_its_run(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    recording = LiveRecording()
    events = list(record_run(assistant.run(Thread(), "1 + 2?"), recording))
    assert ends(recording) == [
        ("POST /conversations", 200, "complete"),
        ("POST /responses", 200, "hung up"),  # nothing is read after the last event
        ("POST /responses", 200, "hung up"),
    ]
    first, second = recording.exchanges()[1:]
    assert [first.request.body, second.request.body] == server.requests
    assert [entry.data["sequence_number"] for entry in first.events] == list(range(10))
    assert first.events[-1].data["type"] == "response.completed"
    requested = next(event for event in events if isinstance(event, ToolCall))
    result = next(event for event in events if isinstance(event, ToolResult))
    assert [type(event).__name__ for event in recording.run_events()] == [
        "RoundStarted",
        "ThreadOpened",
        "ToolCall",
        "RoundEnded",
        "ToolResult",
        "RoundStarted",
        "RoundEnded",
        "RunCompleted",
    ]
    assert recording.run_events()[2:5] == [
        ToolCall(requested.call_id, "add", '{"a": 1, "b": 2}'),
        RoundEnded("test-model", Usage(input=10, cached=2, output=5, reasoning=1)),
        ToolResult(requested.call_id, "3"),
    ]
    recorded = recording.run_events()[4]
    assert isinstance(recorded, ToolResult)
    assert recorded.seconds == result.seconds
    assert recording.thread == next(iter(server.conversations))
    assert check(recording) == []


def test_a_recorded_run_yields_the_same_events(server: ModelServer, assistant: Assistant) -> None:
    script = calls(message("So."), call("add", a=1, b=2)), text("Three.", "Really.")
    server.plays(*script, *script)
    plain = list(assistant.run(Thread(), "1 + 2?"))
    recorded = list(record_run(assistant.run(Thread(), "1 + 2?"), LiveRecording()))
    assert [event for event in recorded if not isinstance(event, ThreadOpened)] == [
        event for event in plain if not isinstance(event, ThreadOpened)
    ]


def test_a_request_outside_of_a_run_is_not_recorded(server: ModelServer, assistant: Assistant) -> None:
    server.plays(text("One."), text("Two."))
    recording = LiveRecording()
    run = record_run(assistant.run(Thread(), "Hi"), recording)
    next(run)
    list(assistant.run(Thread(), "Hi"))  # on the same thread, while the first run is suspended
    list(run)
    assert [what for what, *_ in ends(recording)] == ["POST /conversations", "POST /responses"]


def test_interleaved_runs_have_a_recording_each(server: ModelServer, connect_to: Connect) -> None:
    server.plays(text("One."), text("Two."))
    assistant = connect_to(server.url)
    recordings = LiveRecording(), LiveRecording()
    runs = [
        record_run(assistant.run(Thread(), f"To {number}"), recording)
        for number, recording in enumerate(recordings)
    ]
    while runs:
        runs = [run for run in runs if next(run, None) is not None]
    for number, recording in enumerate(recordings):
        body = recording.exchanges()[1].request.body
        assert body["input"][0]["content"] == f"To {number}"
        assert recording.run_events()[-1] == RunCompleted()
        assert check(recording) == []


def test_closing_a_recorded_run_closes_the_run_and_is_recorded(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("One, two, three.", gate=threading.Event(), gate_after=7))
    recording = LiveRecording()
    with closing(record_run(assistant.run(Thread(), "Count."), recording)) as run:
        assert any(isinstance(event, TextDelta) for event in run)
    assert recording.run_events()[-1] == RunClosed()
    assert ends(recording)[-1] == ("POST /responses", 200, "hung up")
    assert check(recording) == []


def test_stopping_a_run_while_the_server_is_silent_is_recorded_as_hung_up(
    server: ModelServer, assistant: Assistant
) -> None:
    play = text("One, two, three.", gate=threading.Event(), gate_after=7)
    server.plays(play)
    recording, thread = LiveRecording(), Thread()
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


def test_a_lost_connection_is_recorded_with_the_network_error(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(cut(text("One, two, three."), 7, "reset"))
    recording = LiveRecording()
    *_, last = record_run(assistant.run(Thread(), "Count."), recording)
    assert isinstance(last, RunFailed)
    exchange = recording.exchanges()[-1]
    assert len(exchange.events) == 7
    assert exchange.end is not None
    assert exchange.end.how == "lost"
    assert exchange.end.text.startswith("Re")  # ReadError, or RemoteProtocolError


@pytest.mark.usefixtures("no_retries")
def test_an_unreachable_server_leaves_requests_without_a_response() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    recording = LiveRecording()
    with connect(Settings(api_key="sk-test-key", base_url=url)) as client:
        assistant = Assistant(Responses(client, model="m"), Toolbox())
        list(record_run(assistant.run(Thread(), "Hi"), recording))
    assert ends(recording) == [("POST /conversations", None, "lost")]
    assert isinstance(recording.run_events()[-1], RunFailed)


def test_a_retry_is_an_exchange_of_its_own(server: ModelServer, assistant: Assistant) -> None:
    server.plays(error(429, "rate_limit_exceeded", retry_after_ms="1"), text("Hi."))
    recording = LiveRecording()
    list(record_run(assistant.run(Thread(), "Hi"), recording))
    assert [end for end in ends(recording) if end[0] == "POST /responses"] == [
        ("POST /responses", 429, "complete"),
        ("POST /responses", 200, "hung up"),
    ]
    refused = recording.exchanges()[1]
    assert refused.response is not None
    assert refused.response.headers == {"retry-after-ms": "1"}
    assert refused.body is not None
    assert refused.body.body["error"]["code"] == "rate_limit_exceeded"


def test_the_key_is_not_recorded_even_if_the_server_repeats_it(
    server: ModelServer, connect_to: Connect
) -> None:
    server.plays(text("Your key is sk-very-secret-1."), error(401, "invalid_api_key", "No: sk-very-secret-1"))
    assistant, recording = connect_to(server.url, key="sk-very-secret-1"), LiveRecording()
    for _ in range(2):
        list(record_run(assistant.run(Thread(), "My key is sk-very-secret-1."), recording))
    assert "My key is [removed]." in recording.as_lines()
    assert "Your key is [removed]." in recording.as_lines()
    assert "No: [removed]" in recording.as_lines()
    assert "sk-very-secret-1" not in recording.as_lines()


def test_the_demo_is_recorded_like_any_server() -> None:
    with connect(Settings(), DemoTransport(0.0)) as client:
        assistant = Assistant(Responses(client, model="demo"), Toolbox(add))
        recording = LiveRecording()
        *_, last = record_run(assistant.run(Thread(), "Hello!"), recording)
    assert last == RunCompleted()
    assert ends(recording) == [("POST /conversations", 200, "complete"), ("POST /responses", 200, "hung up")]
    body = recording.exchanges()[0].body
    assert body is not None
    assert body.body["object"] == "conversation"
    assert check(recording) == []


def test_an_upload_is_recorded_without_the_file() -> None:
    recording = LiveRecording()

    def upload() -> Generator[Event, None, None]:
        with connect(Settings()) as client:
            with pytest.raises(openai.APIStatusError):
                client.files.create(file=("a.txt", b'{"what": "ever"}'), purpose="user_data")
            yield RunCompleted()

    list(record_run(upload(), recording))
    assert [exchange.request.body for exchange in recording.exchanges()] == ["[a file]"]


# --- the client around the recorder ---


def test_the_client_waits_as_long_as_the_settings_say() -> None:
    with connect(Settings(api_key="sk-x")) as client:
        assert client.timeout == TIMEOUT


@pytest.mark.exhaustive
def test_more_answers_than_the_usual_limit_of_connections_stream_at_once(server: ModelServer) -> None:
    gate = threading.Event()
    server.plays(*(text("Hi.", gate=gate, gate_after=1) for _ in range(101)))
    with connect(Settings(api_key="sk-x", base_url=server.url)) as client, ExitStack() as answers:
        client.timeout = 5
        for _ in range(101):
            answers.enter_context(client.responses.create(model="m", input="Hi", stream=True))
        gate.set()


@contextmanager
def redirecting_to(url: str) -> Iterator[str]:
    """Yield a server that redirects every request to another one."""

    class Redirect(QuietHandler):
        def do_GET(self) -> None:
            self._send(307, b"", (("location", url + self.path.removeprefix("/v1")),))

    with LoopbackServer(Redirect) as server:
        yield f"{server.url}/v1"


def test_a_redirect_is_followed(server: ModelServer) -> None:
    with redirecting_to(server.url) as url, connect(Settings(api_key="sk-x", base_url=url)) as client:
        server.models.append("m")
        assert [model.id for model in client.models.list()] == ["m"]


def test_a_host_that_the_environment_excludes_from_the_proxy_is_asked_directly(
    server: ModelServer, connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server.plays(text("Hi."))
    recording = LiveRecording()
    *_, last = record_run(connect_to(server.url).run(Thread(), "Hi"), recording)
    assert last == RunCompleted()
    assert ends(recording)[-1] == ("POST /responses", 200, "hung up")


def test_a_proxy_of_the_environment_is_used_and_recorded(
    server: ModelServer, connect_to: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url.removesuffix("/v1"))
    server.plays(text("Hi."))
    recording = LiveRecording()
    *_, last = record_run(connect_to("http://models.invalid/v1").run(Thread(), "Hi"), recording)
    assert last == RunCompleted()
    assert recording.exchanges()[1].request.url == "http://models.invalid/v1/responses"


def test_closing_the_client_closes_the_recorded_transport(server: ModelServer) -> None:
    closed: list[str] = []

    class Closing(DemoTransport):
        def close(self) -> None:
            closed.append("closed")

    connect(Settings(), Closing()).close()
    assert closed == ["closed"]


def test_connections_are_closed_with_the_last_reference_to_the_client() -> None:
    closed: list[str] = []

    class Closing(DemoTransport):
        def close(self) -> None:
            closed.append("closed")

    client = connect(Settings(), Closing())
    copy = client.with_options(timeout=1)
    del client
    gc.collect()
    assert closed == []
    del copy
    gc.collect()
    assert closed == ["closed"]


# --- the store ---


def test_recordings_are_found_by_thread_oldest_first() -> None:
    recordings = RecordingStore()
    first, other, second = recordings.start("one"), recordings.start("two"), recordings.start("one")
    assert recordings.for_thread("one") == [first, second]
    assert recordings.for_thread("two") == [other]
    assert recordings.for_thread("three") == []


def test_a_recording_is_found_by_its_key_and_by_the_later_id_of_its_thread(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("Hi."))
    recordings, thread = RecordingStore(), Thread()
    recording = recordings.start("a new one")
    list(record_run(assistant.run(thread, "Hi"), recording))
    assert recordings.for_thread(thread.id) == recordings.for_thread("a new one") == [recording]
    assert recording.thread == thread.id
    assert recordings.for_thread("") == []


def test_a_recording_starts_with_the_id_of_its_thread() -> None:
    assert RecordingStore().start("thread_1").thread == "thread_1"


def test_the_oldest_recordings_are_dropped_when_all_together_are_too_large() -> None:
    recordings = RecordingStore(max_bytes=100)
    recordings_left: list[LiveRecording] = []
    for _ in range(5):
        recordings_left.append(recordings.start("one"))
        recordings_left[-1].add_chunk(1, b"x" * 40)
    assert recordings.for_thread("one") == recordings_left[2:]


def test_many_threads_may_start_recordings_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    recordings, size, together = RecordingStore(max_bytes=100), LiveRecording.size, threading.Barrier(8)
    recordings.start("old").add_chunk(1, b"x" * 200)

    def pause_before_dropping(recording: LiveRecording) -> int:
        with suppress(threading.BrokenBarrierError):
            together.wait(0.05)  # times out, unless all drop the same recording
        return size(recording)

    monkeypatch.setattr(LiveRecording, "size", pause_before_dropping)
    with ThreadPoolExecutor(8) as threads:
        started = list(threads.map(recordings.start, map(str, range(8))))
    assert [recordings.for_thread(str(number)) for number in range(8)] == [[each] for each in started]
    assert recordings.for_thread("old") == []


def test_a_run_that_raises_is_recorded_up_to_there() -> None:
    def broken() -> Generator[Event, None, None]:
        yield ThreadOpened("thread_1")
        raise KeyError("x")

    recording = LiveRecording()
    with pytest.raises(KeyError):
        list(record_run(broken(), recording))
    assert recording.run_events() == [ThreadOpened("thread_1"), RunClosed()]


def test_an_attached_file_does_not_fill_the_recording(server: ModelServer, assistant: Assistant) -> None:
    server.plays(text("A cat."))
    cat = Attachment("cat.png", "image/png", "iVBO" * 1_000_000)
    recording = LiveRecording()
    list(record_run(assistant.run(Thread(), "What is this?", [cat]), recording))
    (message,) = recording.exchanges()[1].request.body["input"]
    assert message["content"][1]["image_url"] == "data:image/png;base64,[a file]"
    assert recording.size() < 10_000
    assert server.requests[0]["input"][0]["content"][1]["image_url"] == cat.url
