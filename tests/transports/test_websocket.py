"""Responses over a WebSocket connection, which to everything above the transport are responses over HTTP."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import open_backend
from assistant.backends.factory import create_backend
from assistant.demo import DemoTransport
from assistant.events import RetryScheduled, RunCompleted, RunFailed
from assistant.messages import Message
from assistant.parts import Text
from assistant.recordings.check import check
from assistant.runs.registry import RunRegistry
from assistant.runs.replay import replay_assistant
from assistant.runs.run import STOPPED
from assistant.settings import Settings
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.conftest import add
from tests.servers import demo
from tests.servers.responses import call, calls, cut, error, message, text
from tests.servers.websocket import WebSocketServer

SECONDS = 10.0
Connect = Callable[..., Assistant]


@pytest.fixture
def server() -> Iterator[WebSocketServer]:
    with WebSocketServer() as server:
        yield server


@pytest.fixture
def connect(server: WebSocketServer) -> Iterator[Connect]:
    """Connect assistants to the server over WebSocket."""
    backends = []

    def connected(**settings: object) -> Assistant:
        options = {"base_url": server.url, "responses_transport": "websocket", **settings}
        backends.append(create_backend("responses", Settings(model="m", **options)))  # type: ignore[arg-type]
        return Assistant(backends[-1], Toolbox(add))

    yield connected
    for backend in backends:
        backend.close()


def ask(assistant: Assistant, thread: Thread, words: str) -> LiveRecording:
    recording = LiveRecording()
    assert list(record_run(assistant.run(thread, words), recording))
    return recording


def complete(*words: str) -> list[Message]:
    return [Message("assistant", [Text(each)], RunCompleted()) for each in words]


def test_one_connection_serves_every_round_which_sends_only_what_is_new(
    server: WebSocketServer, connect: Connect
) -> None:
    server.plays(calls(message("Adding."), call("add", a=1, b=2)), text("3."), text("Bye."))
    assistant, thread = connect(), Thread()
    recordings = [ask(assistant, thread, words) for words in ("Add", "Thanks")]
    assert thread.messages[3:] == complete("Bye.")
    assert thread.id.startswith("thread_")
    assert [check(recording) for recording in recordings] == [[], []]
    assert (server.connections, server.received, server.refused) == (1, ["GET /v1/responses"], [])
    first, second, third = server.messages
    assert [item["content"] for item in first["input"]] == ["Add"]
    assert [item["type"] for item in second["input"]] == ["function_call_output"]
    assert [item["content"] for item in third["input"]] == ["Thanks"]
    assert [each.get("previous_response_id") in server.stored for each in server.messages] == [
        False,
        True,
        True,
    ]
    assert not any({"stream", "background", "conversation"} & each.keys() for each in server.messages)
    assert server.headers[0]["authorization"] == "Bearer none"


def test_a_recording_has_one_event_for_each_message_and_is_replayed(
    server: WebSocketServer, connect: Connect
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("3."))
    thread = Thread()
    recording = ask(connect(), thread, "Add")
    kinds = [event.event for exchange in recording.exchanges() for event in exchange.events]
    assert kinds.count("response.created") == kinds.count("response.completed") == 2
    assert [exchange.response and exchange.response.headers for exchange in recording.exchanges()] == [
        {"upgrade": "websocket"},
        {"upgrade": "websocket"},
    ]
    replayed = Thread()
    list(replay_assistant(recording, Toolbox(add), speed=1e9).run(replayed, "Add"))
    assert replayed.messages == thread.messages


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_lost_connection_is_a_cut_stream_and_the_next_message_works(
    server: WebSocketServer, connect: Connect, how: str
) -> None:
    server.plays(cut(text("One two three four"), 6, how), text("Here."))  # type: ignore[arg-type]
    assistant, thread = connect(), Thread()
    ask(assistant, thread, "Count")
    ending = thread.messages[-1].ending
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == ("interrupted", True)
    ask(assistant, thread, "Again")
    assert thread.messages[3:] == complete("Here.")
    assert server.connections == 2
    assert "previous_response_id" not in server.messages[-1], "nothing was complete before it"
    assert [item.get("content") for item in server.messages[-1]["input"]] == ["Count", "One two th", "Again"]


def test_a_connection_that_breaks_before_the_answer_begins_is_tried_again(
    server: WebSocketServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.backends.requests.DELAYS", (0.0, 0.0))
    server.plays(cut(text("One."), 0, "reset"), error(500, "server_error"), text("Two."))
    thread = Thread()
    events = list(connect().run(thread, "Go"))
    assert [event.number for event in events if isinstance(event, RetryScheduled)] == [1, 2]
    assert thread.messages[1:] == complete("Two.")


def test_an_error_has_its_status_and_wait(server: WebSocketServer, connect: Connect) -> None:
    server.plays(error(429, "rate_limit_exceeded", retry_after="60"), text("Here."))
    assistant, thread = connect(), Thread()
    ask(assistant, thread, "Go")
    ending = thread.messages[-1].ending
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry_after, ending.details and ending.details.status) == (
        "rate_limit_exceeded",
        60,
        429,
    )
    list(assistant.resume(thread))
    assert thread.messages[1:] == complete("Here.")
    assert server.connections == 1, "an error leaves the connection usable"


@pytest.mark.parametrize("at", [0, 6])
def test_stop_hangs_up_at_once(server: WebSocketServer, connect: Connect, at: int) -> None:
    silent = cut(text("One two three four"), at, "silence")
    server.plays(silent, text("Here."))
    assistant, thread, recording = connect(), Thread(), LiveRecording()
    live = RunRegistry().start(
        thread,
        lambda: assistant.run(thread, "Count").through(lambda events: record_run(events, recording)),
        assistant.cancel,
    )
    assert silent.reached.wait(SECONDS)
    live.stop()
    assert live.join(SECONDS)
    assert thread.messages[-1].ending == STOPPED
    [exchange] = recording.exchanges()
    assert exchange.end is not None
    assert exchange.end.how == "hung up"
    ask(assistant, thread, "Again")
    assert thread.messages[3:] == complete("Here.")


def test_a_connection_that_the_server_closed_meanwhile_is_replaced(
    server: WebSocketServer, connect: Connect
) -> None:
    server.closes_after = 1
    server.plays(text("One."), text("Two."))
    assistant, thread = connect(), Thread()
    for words in ("1", "2"):
        ask(assistant, thread, words)
    assert thread.messages[3:] == complete("Two.")
    assert server.connections == 2
    assert server.messages[1]["previous_response_id"] in server.stored


def test_a_connection_that_is_too_old_is_replaced(
    server: WebSocketServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plays(text("One."), error(400, "websocket_connection_limit_reached"), text("Two."), text("Three."))
    assistant, thread = connect(), Thread()
    for words in ("1", "2"):
        ask(assistant, thread, words)
    monkeypatch.setattr("assistant.transports.websocket_connection.MAX_AGE_SECONDS", 0.0)
    ask(assistant, thread, "3")
    assert thread.messages[3::2] == complete("Two.", "Three.")
    assert server.connections == 3


def test_a_response_that_the_server_has_forgotten_is_replaced_by_the_full_history(
    server: WebSocketServer, connect: Connect
) -> None:
    server.plays(text("One."), text("Two."), text("Three."))
    assistant, thread = connect(), Thread()
    ask(assistant, thread, "1")
    server.stored.clear()
    for words in ("2", "3"):
        ask(assistant, thread, words)
    assert thread.messages[3::2] == complete("Two.", "Three.")
    assert [item.get("role") for item in server.messages[2]["input"]] == ["user", "assistant", "user"]
    assert server.messages[3]["previous_response_id"] in server.stored


def test_a_thread_goes_on_over_http_and_back(server: WebSocketServer, connect: Connect) -> None:
    server.plays(*(text(each) for each in ("One.", "Two.", "Three.")))
    websocket, http, thread = connect(), connect(responses_transport="http"), Thread()
    for assistant, words in ((websocket, "1"), (http, "2"), (websocket, "3")):
        ask(assistant, thread, words)
    assert thread.messages[1::2] == complete("One.", "Two.", "Three.")
    assert [len(each["input"]) for each in server.requests] == [1, 3, 5]
    assert server.refused == []


def test_a_server_without_websockets_is_named_and_the_remedy(
    server: WebSocketServer, connect: Connect
) -> None:
    server.opens_websockets = False
    thread = Thread()
    ask(connect(), thread, "Go")
    ending = thread.messages[-1].ending
    assert isinstance(ending, RunFailed)
    assert ending.code == "no_websocket"
    assert "ASSISTANT_RESPONSES_TRANSPORT" in str(ending.text)


def test_faults_are_injected_as_over_http(server: WebSocketServer, connect: Connect) -> None:
    server.plays(text("One two three four"), text("Here."))
    assistant, thread = connect(faults="cut:6"), Thread()
    ask(assistant, thread, "Count")
    ending = thread.messages[-1].ending
    assert isinstance(ending, RunFailed)
    assert ending.code == "interrupted"
    ask(connect(), thread, "Again")
    assert thread.messages[3:] == complete("Here.")


def test_two_threads_are_answered_at_once_each_on_its_connection(
    server: WebSocketServer, connect: Connect
) -> None:
    gate = threading.Event()
    server.plays(*(text("One two", gate=gate, gate_after=4) for _ in range(2)), text("Three."))
    assistant, threads, runs = connect(), [Thread(), Thread()], RunRegistry()
    live = [runs.start(each, partial(assistant.run, each, "Go"), assistant.cancel) for each in threads]
    deadline = time.monotonic() + SECONDS
    while len(server.messages) < 2 and time.monotonic() < deadline:
        time.sleep(0.005)
    gate.set()
    assert all(each.join(SECONDS) for each in live)
    assert [each.messages[1:] for each in threads] == [complete("One two")] * 2
    ask(assistant, threads[0], "More")
    assert server.connections == 2


def test_the_demo_on_a_port_answers_over_websockets_too(connect: Connect) -> None:
    with demo.running() as url:
        thread = Thread()
        assistant = connect(base_url=url)
        recording = ask(assistant, thread, "thanks")
        ask(assistant, thread, "What is 2+2?")
        assert [each.ending for each in thread.messages[1::2]] == [RunCompleted()] * 2
        assert recording.exchanges()[0].response is not None
        assert check(recording) == []


def test_the_demo_without_a_network_has_no_websockets() -> None:
    with closing(open_backend(Settings(responses_transport="websocket"), DemoTransport(0))) as backend:
        thread = Thread()
        list(Assistant(backend, Toolbox(add)).run(thread, "Hello"))
        assert thread.messages[-1].ending == RunCompleted()
