"""Stop, wherever a request is: the server sees the client hang up, and nothing is sent afterwards."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox, tool
from assistant.backends.client import connect
from assistant.events import RunCompleted
from assistant.runs.registry import RunRegistry
from assistant.runs.run import STOPPED
from assistant.runs.worker import LiveRun
from assistant.settings import Settings
from tests.backends.kinds import KINDS
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.responses import call, calls, error, text
from tests.waiting import until

Answers = dict[str, tuple[int, Any, tuple[tuple[str, str], ...]]]


class HoldingServer(LoopbackServer):
    """Answers requests from a table, and every other one not at all, until its client hangs up."""

    def __init__(self, answers: Answers) -> None:
        super().__init__(_Handler)
        self.answers = answers
        self.requests: list[str] = []
        self.bodies: list[Any] = []
        self.held, self.hung_up = threading.Event(), threading.Event()


class _Handler(QuietHandler):
    server: HoldingServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = f"{self.command} {self.path.partition('?')[0]}"
        self.server.bodies.append(json.loads(body or b"null"))
        self.server.requests.append(request)
        if answer := self.server.answers.get(request):
            self._send(*answer)
            return
        self.close_connection = True
        self.server.held.set()
        with suppress(OSError):
            self.connection.settimeout(20)
            if not self.connection.recv(1):
                self.server.hung_up.set()

    do_GET = do_POST


EARLIER: dict[str, Answers] = {
    "Responses with conversations": {"POST /conversations": (200, {"id": "conv_1"}, ())},
    "Responses alone": {"POST /conversations": (404, {"error": {"message": "Not found"}}, ())},
    "Chat Completions": {},
    "Agents": {},
    "Assistants": {
        "POST /threads": (200, {"id": "thread_1"}, ()),
        "POST /threads/thread_1/messages": (200, {"id": "msg_1"}, ()),
    },
}
"""What is asked before an answer, and answered here."""


def start(name: str, server_url: str, running: list[Any]) -> tuple[Assistant, LiveRun]:
    client = connect(Settings(base_url=server_url))
    running.append(client)
    assistant = Assistant(KINDS[name].backend(client), Toolbox())
    thread = Thread()
    return assistant, RunRegistry().start(thread, lambda: assistant.run(thread, "Hi"), assistant.cancel)


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    opened: list[Any] = []
    yield opened
    for client in opened:
        client.close()


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("first", [False, True], ids=["the answer", "the first request"])
def test_stop_hangs_up_before_the_headers_have_come(name: str, first: bool, clients: list[Any]) -> None:
    with HoldingServer({} if first else EARLIER[name]) as server:
        _, live = start(name, server.url, clients)
        assert server.held.wait(10)
        server.answers["GET /agents/sessions"] = (200, {"data": [], "has_more": False}, ())
        sent = list(server.requests)
        live.stop()
        assert server.hung_up.wait(5), "the server still answers"
        assert live.join(5), "the worker still waits"
        looked_for = ["GET /agents/sessions"] if name == "Agents" else []  # a turn to cancel
        assert (server.requests, live.message.ending) == (sent + looked_for, STOPPED)


def test_stop_cancels_the_turn_of_a_session_whose_id_has_not_come(clients: list[Any]) -> None:
    with HoldingServer({}) as server:
        _, live = start("Agents", server.url, clients)
        assert server.held.wait(10)
        session = {"id": "sess_1", "metadata": server.bodies[0]["metadata"]}
        server.answers["GET /agents/sessions"] = (200, {"data": [session], "has_more": False}, ())
        server.answers["POST /agents/sessions/sess_1/events"] = (200, {}, ())
        live.stop()
        assert live.join(5), "the worker still waits"
        assert server.requests[2:] == ["POST /agents/sessions/sess_1/events"]
        assert server.bodies[2]["events"] == [{"type": "agent.session.input.cancel"}]


def test_stop_hangs_up_during_the_handshake(clients: list[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        _, live = start("Chat Completions", f"https://127.0.0.1:{server.getsockname()[1]}/v1", clients)
        connection, _ = server.accept()
        with connection:
            connection.settimeout(5)
            assert connection.recv(5), "the handshake has begun"
            live.stop()
            while connection.recv(4096):
                pass
        assert live.join(5)


@pytest.mark.parametrize("status", [429, 500])
@pytest.mark.parametrize("name", KINDS)
def test_stop_ends_the_wait_before_a_request_is_sent_again(
    name: str, status: int, clients: list[Any]
) -> None:
    with KINDS[name].server() as server:
        server.plays(error(status, None, retry_after="1"), text("Here I am."))
        assistant, live = start(name, server.url, clients)
        until(lambda: server.requests, "nothing was asked")
        live.stop()
        thread = live.thread
        *_, ending = assistant.run(thread, "And now?")
        assert ending == RunCompleted()
        assert live.join(5), "the worker still waits"
        assert thread.messages[-1].text == "Here I am."
        server.end_script()


def test_stop_leaves_the_connection_alone_that_another_answer_uses_now(clients: list[Any]) -> None:
    """The connection of a finished response goes back to the pool."""
    started, gate = threading.Event(), threading.Event()

    def slow() -> str:
        """Take long."""
        started.set()
        gate.wait(10)
        return ""

    with KINDS["Chat Completions"].server() as server:
        server.plays(calls(call("slow")), play := text("One two three", pieces=9, gate=gate, gate_after=4))
        clients.append(client := connect(Settings(base_url=server.url)))
        assistant = Assistant(KINDS["Chat Completions"].backend(client), Toolbox(tool(slow)))
        threads, registry = [Thread(), Thread()], RunRegistry()
        first = registry.start(threads[0], lambda: assistant.run(threads[0], "Hi"), assistant.cancel)
        assert started.wait(10)
        second = registry.start(threads[1], lambda: assistant.run(threads[1], "Hi"), assistant.cancel)
        assert play.reached.wait(10)
        first.stop()
        gate.set()
        until(lambda: second.ended)
        assert (second.message.ending, second.message.text) == (RunCompleted(), "One two three")
