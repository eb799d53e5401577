"""The protocol of a server comes from the settings, or from what it answers to the first message."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import open_backend
from assistant.backends.agents.backend import Agents
from assistant.backends.assistants.backend import Assistants
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.responses.backend import Responses
from assistant.events import Event, RunCompleted, RunFailed
from assistant.settings import Settings
from tests.servers.chat_completions import ChatHandler, ChatServer
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.responses import Handler, Json, ModelServer, error, text


def ask(backend: Any) -> Event:
    return list(Assistant(backend, Toolbox()).run(Thread(), "Hi"))[-1]


def test_a_server_with_responses_is_used_over_responses() -> None:
    with ModelServer(conversations=False) as server:
        server.plays(text("One."), text("Two."))
        backend = open_backend(Settings(base_url=server.url))
        assert backend.protocol == "auto"
        assert [ask(backend), ask(backend), backend.protocol] == [*[RunCompleted()] * 2, "responses"]
        fields = set().union(*server.requests)
        named = {"model", "tools", "stream", "instructions", "input", "reasoning"}
        assert fields == named, "nothing that it may not know"
        backend.close()


def test_a_server_without_responses_is_used_over_chat_completions() -> None:
    with ChatServer() as server:
        server.plays(text("One."), text("Two."))
        backend = open_backend(Settings(base_url=server.url))
        assert [ask(backend), ask(backend)] == [RunCompleted()] * 2
        assert backend.protocol == "chat"
        backend.close()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(api_key="sk-x"), Responses),
        (Settings(), Responses),
        (Settings(base_url="http://x.invalid/v1", protocol="responses"), Responses),
        (Settings(base_url="http://x.invalid/v1", protocol="chat"), ChatCompletions),
        (Settings(api_key="sk-x", protocol="chat"), ChatCompletions),
        (Settings(api_key="sk-x", agent_id="agent_1"), Agents),
        (Settings(api_key="sk-x", assistant_id="asst_1"), Assistants),
        (Settings(base_url="http://x.invalid/v1", assistant_id="asst_1"), Assistants),
        (Settings(api_key="sk-x", agent_id="agent_1", protocol="responses"), Responses),
        (Settings(agent_id="agent_1"), Responses),  # without a key the demo answers
    ],
)
def test_settings_choose_the_protocol(settings: Settings, expected: Any) -> None:
    with closing(open_backend(settings)) as backend:
        named = backend.protocol
        detected = backend.backend()
    assert (type(detected), named, detected.protocol) == (expected, expected.protocol, expected.protocol)


def test_the_protocol_is_auto_until_the_server_was_asked() -> None:
    assert open_backend(Settings(base_url="http://x.invalid/v1")).protocol == "auto"


def test_an_unreachable_server_leaves_the_protocol_open() -> None:
    with ChatServer() as server:
        url = server.url
    backend = open_backend(Settings(base_url=url))
    ending = ask(backend)
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry, backend.protocol) == ("unreachable", True, "auto")
    backend.close()


@contextmanager
def answering(status: int, body: Json | bytes, kind: str = "application/json") -> Iterator[str]:
    """Yield a server that gives every request the same answer."""

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            self._send(status, body, (("content-type", kind),))

    with LoopbackServer(Handler) as http:
        yield f"{http.url}/v1"


@pytest.mark.parametrize(
    ("status", "body", "code", "protocol"),
    [
        (401, {"error": {"message": "No."}}, "invalid_api_key", "auto"),
        (404, {"detail": "Not Found"}, "not_found", "chat"),
        (200, {"error": "Unexpected endpoint or method. (POST /v1/responses)"}, None, "chat"),
        (422, {"detail": "Field required"}, "unknown", "responses"),
        (408, {"error": {"message": "Too slow."}}, "request_timeout", "auto"),
        (429, {"error": {"message": "Wait."}}, "rate_limit_exceeded", "auto"),
        (500, {"error": {"message": "No input."}}, None, "auto"),
        (503, {"error": {"message": "Loading model", "code": 503}}, "503", "auto"),
    ],
)
def test_the_response_to_the_first_request_decides_unless_it_can_pass(
    status: int, body: Json, code: str | None, protocol: str
) -> None:
    with answering(status, body) as url:
        backend = open_backend(Settings(base_url=url))
        ending = ask(backend)
        assert isinstance(ending, RunFailed)
        assert code in (None, ending.code)
        assert backend.protocol == protocol
        backend.close()


def test_a_web_page_is_reported_as_not_the_api() -> None:
    with answering(200, b"<!doctype html><title>Welcome</title>", "text/html") as url:
        backend = open_backend(Settings(base_url=url))
        ending = ask(backend)
        assert isinstance(ending, RunFailed)
        assert (ending.code, backend.protocol) == ("not_the_api", "auto")
        backend.close()


class ChangingServer(ChatServer):
    """Has the protocols that it is told to have; while it is ``busy``, every request gets that status.

    The first request to each path in ``loading`` is refused because the model is being loaded.
    """

    def __init__(self, *protocols: str) -> None:
        super().__init__()
        self.protocols = set(protocols)
        self.busy = 0
        self.missing_status = 404
        self.loading: set[str] = set()
        self.paths: list[str] = []

    def handler(self) -> type[Handler]:
        return ChangingHandler


class ChangingHandler(ChatHandler):
    model: ChangingServer

    def do_POST(self) -> None:
        self.model.paths.append(self.path.removeprefix("/v1/"))
        if self.model.paths[-1] in self.model.loading:
            self.model.loading.remove(self.model.paths[-1])
            self.rfile.read(int(self.headers["content-length"]))
            self._send(503, {"error": {"code": 503, "message": "Loading model"}})
        elif self.model.busy:
            self.rfile.read(int(self.headers["content-length"]))
            loading = {"error": {"code": self.model.busy, "message": "Loading model"}}
            self._send(self.model.busy, loading, (("x-should-retry", "false"),))
        elif self.path == "/v1/responses" and "responses" in self.model.protocols:
            Handler.do_POST(self)
        elif self.path == "/v1/chat/completions" and "chat" in self.model.protocols:
            super().do_POST()
        else:
            self.rfile.read(int(self.headers["content-length"]))
            self._send(self.model.missing_status, {"error": "Unexpected endpoint or method."})


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("protocol", ["responses", "chat"])
def test_an_error_that_passes_decides_nothing(status: int, protocol: str) -> None:
    with ChangingServer(protocol) as server, closing(open_backend(Settings(base_url=server.url))) as backend:
        server.busy = status
        failed = ask(backend)
        assert isinstance(failed, RunFailed)
        assert (failed.retry, backend.protocol) == (True, "auto")
        server.busy = 0
        server.plays(text("One."), text("Two."))
        assert [ask(backend), ask(backend)] == [RunCompleted()] * 2
        assert backend.protocol == protocol


@pytest.mark.parametrize("protocol", ["responses", "chat"])
def test_a_message_waits_for_the_model_and_finds_the_protocol_then(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.backends.requests.DELAYS", (0.0, 0.0))
    with ChangingServer(protocol) as server, closing(open_backend(Settings(base_url=server.url))) as backend:
        server.loading = {"conversations", "responses", "chat/completions"}
        server.plays(text("One."))
        assert (ask(backend), backend.protocol) == (RunCompleted(), protocol)


def test_no_request_is_made_only_to_find_the_protocol() -> None:
    with (
        ChangingServer("responses") as server,
        closing(open_backend(Settings(base_url=server.url))) as backend,
    ):
        server.plays(text("One."), text("Two."))
        assert [ask(backend), ask(backend)] == [RunCompleted()] * 2
        assert server.paths == ["conversations", "responses"] * 2
    with ChangingServer("chat") as server, closing(open_backend(Settings(base_url=server.url))) as backend:
        server.plays(text("One."), text("Two."))
        assert [ask(backend), ask(backend)] == [RunCompleted()] * 2
        assert server.paths == ["conversations", "responses", *["chat/completions"] * 2]


@pytest.mark.parametrize(("before", "after"), [("responses", "chat"), ("chat", "responses")])
def test_a_thread_continues_when_its_server_is_replaced_by_one_with_the_other_protocol(
    before: str, after: str
) -> None:
    with ChangingServer(before) as server, closing(open_backend(Settings(base_url=server.url))) as backend:
        assistant, thread = Assistant(backend, Toolbox()), Thread()
        server.plays(text("One."), text("Two."), text("Three."))
        assert list(assistant.run(thread, "1"))[-1] == RunCompleted()
        server.protocols = {after}
        assert [list(assistant.run(thread, question))[-1] for question in "23"] == [RunCompleted()] * 2
        assert [message.text for message in thread.messages] == ["1", "One.", "2", "Two.", "3", "Three."]
        assert backend.protocol == after


def test_a_server_without_conversations_may_say_so_with_status_200() -> None:
    with (
        ChangingServer("responses") as server,
        closing(open_backend(Settings(base_url=server.url))) as backend,
    ):
        server.missing_status = 200
        server.plays(text("One."))
        assert (ask(backend), backend.protocol) == (RunCompleted(), "responses")


def test_an_unknown_model_is_reported_and_leaves_what_was_found() -> None:
    with (
        ChangingServer("responses") as server,
        closing(open_backend(Settings(base_url=server.url))) as backend,
    ):
        server.plays(text("One."), error(404, None, "There is no such model."), text("Two."))
        endings = [ask(backend) for _ in range(3)]
        assert endings[::2] == [RunCompleted()] * 2
        assert isinstance(endings[1], RunFailed)
        assert backend.protocol == "responses"


def test_what_was_found_can_be_looked_for_again() -> None:
    with ChangingServer("chat") as server, closing(open_backend(Settings(base_url=server.url))) as backend:
        server.plays(text("One."), text("Two."), text("Three."))
        assert ask(backend) == RunCompleted()
        server.protocols = {"responses", "chat"}
        assert (ask(backend), backend.protocol) == (RunCompleted(), "chat")
        backend.detect_again()
        assert (ask(backend), backend.protocol) == (RunCompleted(), "responses")
