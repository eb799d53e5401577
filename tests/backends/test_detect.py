"""The protocol of a server comes from the settings or from one request that costs nothing."""

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
from tests.servers.chat_completions import ChatServer
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.responses import Json, ModelServer, text


def ask(backend: Any) -> Event:
    return list(Assistant(backend, Toolbox()).run(Thread(), "Hi"))[-1]


def test_a_server_with_responses_is_used_over_responses() -> None:
    with ModelServer(conversations=False) as server:
        server.plays(text("One."), text("Two."))
        backend = open_backend(Settings(base_url=server.url))
        assert backend.protocol == "auto"
        assert [ask(backend), ask(backend), backend.protocol] == [*[RunCompleted()] * 2, "responses"]
        fields = set().union(*server.requests)
        assert fields == {"model", "tools", "stream", "instructions", "input"}, "nothing that it may not know"
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


def test_the_protocol_is_auto_until_the_server_was_probed() -> None:
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
        (500, {"error": {"message": "No input."}}, None, "responses"),
    ],
)
def test_the_response_to_an_empty_request_decides(
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
