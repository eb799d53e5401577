"""Connections: what is found, what the Test button says, and the panel in which one is chosen."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from typing import Any

import pytest
from openai import OpenAI
from streamlit.testing.v1 import AppTest

from assistant.backends.client import connect
from assistant.backends.connection.checks import check
from assistant.backends.connection.choices import (
    ConnectionOverride,
    Local,
    Model,
    address,
    efforts,
    in_words,
    listed,
    local_servers,
)
from assistant.backends.connection.models import models
from assistant.demo import transport as demo
from assistant.errors import Interrupted, RequestRefused, ServerFailed
from assistant.settings import Settings
from assistant.ui import connection
from assistant.ui.connection import KINDS
from tests.servers.responses import Handler, ModelServer, Play, call, calls, cut, error, text
from tests.ui.page import sent

KEY = "canary-4711-do-not-tell"
OPENAI = {"object": "list", "data": [{"id": "gpt-6-luna"}, {"id": "gpt-4o", "shutdown_date": "2999-01-14"}]}


class ListingServer(ModelServer):
    """A model server that lists models, if it likes the key; or that does something else with everything."""

    def __init__(self, body: Any = None, *, key: str = "", status: int = 200, **options: Any) -> None:
        super().__init__(**options)
        self.body, self.key, self.status = OPENAI if body is None else body, key, status
        self.chat: list[Any] = []  # what is answered to POST /chat/completions, in order
        self.completions: list[dict[str, Any]] = []  # their bodies
        self.paths: list[str] = []
        self.has_responses = True
        self.hangs_at = ""
        self.trickles = False

    def handler(self) -> type[Handler]:
        return _Listing


class _Listing(Handler):
    model: Any

    def do_GET(self) -> None:
        server: ListingServer = self.model
        server.paths.append(self.path)
        if not self._goes_on():
            return
        if self.path == "/v1/models" and not server.pages:
            self._send(server.status, server.body)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        server: ListingServer = self.model
        if not self._goes_on():
            return
        if self.path == "/v1/chat/completions" and server.chat:
            server.completions.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self._complete(server.chat.pop(0))
        elif self.path == "/v1/responses" and not server.has_responses:
            self.rfile.read(int(self.headers["content-length"]))
            self._send(404, {"error": {"message": "Not found", "code": None}})
        else:
            super().do_POST()

    def _goes_on(self) -> bool:
        server: ListingServer = self.model
        if server.hangs_at and self.path.endswith(server.hangs_at):
            self._hang()
        elif server.key and self.headers.get("authorization") != f"Bearer {server.key}":
            given = self.headers.get("authorization", "")
            self.rfile.read(int(self.headers.get("content-length", 0)))
            words = f"Incorrect API key provided: {given.removeprefix('Bearer ')}."
            self._send(401, {"error": {"message": words, "code": "invalid_api_key"}})
        else:
            return True
        return False

    def _hang(self) -> None:
        """Say nothing, or a letter now and then, until the client is gone."""
        server: ListingServer = self.model
        self.close_connection = True
        if server.trickles:
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        self.connection.settimeout(0.01)
        while not server.closing.is_set():
            if server.trickles:
                self.wfile.write(b" ")
            try:
                if not self.connection.recv(1000):
                    return
            except TimeoutError:
                continue

    def _complete(self, answer: Any) -> None:
        if isinstance(answer, tuple):
            self._send(*answer)
        elif isinstance(answer, dict):
            self._send(200, answer)
        else:
            body = b"".join(f"data: {json.dumps(each)}\n\n".encode() for each in answer)
            self._send(200, body + b"data: [DONE]\n\n", (("content-type", "text/event-stream"),))


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


HELLO = [chunk(content="Hel"), chunk(content="lo."), chunk("stop")]
PING = [
    chunk(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "ping", "arguments": "{}"}}]),
    chunk("tool_calls"),
]


@pytest.fixture
def server() -> Iterator[ListingServer]:
    with ListingServer() as server:
        yield server


@pytest.fixture
def client_of() -> Iterator[Callable[..., OpenAI]]:
    clients: list[OpenAI] = []

    def made(url: str, key: str = KEY) -> OpenAI:
        clients.append(connect(Settings(api_key=key, base_url=url)))
        return clients[-1]

    yield made
    for each in clients:
        each.close()


Client = Callable[..., OpenAI]


def closed_port() -> int:
    """A port of this machine that nobody listens at."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def port_of(server: ModelServer) -> int:
    return int(server.url.split(":")[2].removesuffix("/v1"))


def found(*arguments: Any, **options: Any) -> list[tuple[str, bool | None, str]]:
    """What a check says, without the port; and never the key."""
    findings = list(check(*arguments, **options))
    assert KEY not in repr(findings)
    at = address(str(arguments[0].base_url))
    return [(each.name, each.ok, each.words.replace(at, "HOST")) for each in findings]


REACHED = [("Server", True, "HOST answers."), ("Key", True, "The key is accepted.")]
KNOWN = [*REACHED, ("Model", True, "It has the model gpt-6-luna.")]
STREAMS = [*KNOWN, ("Streaming", True, "Its answers stream, over the Responses API.")]
CALLS = [*STREAMS, ("Functions", True, "The model calls functions.")]


# --- what there is ----------------------------------------------------------------------------------


def test_local_servers_are_those_that_answer_with_a_list_of_models(server: ListingServer) -> None:
    with ListingServer() as pages, ListingServer({"detail": "no"}) as other, ListingServer(status=500) as ill:
        pages.pages = True
        ports = {
            "Nobody": closed_port(),
            "Page": port_of(pages),
            "Other": port_of(other),
            "Ill": port_of(ill),
        }
        assert local_servers(5, ports | {"Mine": port_of(server)}) == [Local("Mine", server.url)]
    assert server.paths == ["/v1/models"]


@pytest.mark.parametrize("trickles", [False, True])
def test_looking_for_local_servers_ends_in_time_though_one_of_them_never_does(
    server: ListingServer, trickles: bool
) -> None:
    with ListingServer() as silent:
        silent.hangs_at, silent.trickles = "/models", trickles
        begun = time.monotonic()
        ports = {"Silent": port_of(silent), "Mine": port_of(server)}
        assert local_servers(1, ports) == [Local("Mine", server.url)]
        assert time.monotonic() - begun < 4


def test_models_are_listed_by_name_with_the_day_they_go_away(
    server: ListingServer, client_of: Client
) -> None:
    assert models(client_of(server.url)) == [Model("gpt-4o", date(2999, 1, 14)), Model("gpt-6-luna")]


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"object": "list", "data": []}, []),
        ({"object": "list", "data": None}, []),
        ({"models": [{"name": "qwen3:8b"}]}, ["qwen3:8b"]),
        ([{"id": "b"}, {"id": "a", "shutdown_date": "soon"}, {"id": "a"}], ["a", "b"]),
        ({"data": ["x", 3, None, {"id": ["y"]}, {"id": "z\x00"}, {"id": "l" * 999}, {"id": " "}]}, ["x"]),
        ({"data": [{"id": "a", "shutdown_date": 1790000000}]}, ["a"]),
        ({"data": [1, 2]}, None),
        ({"detail": "no"}, None),
        ({"data": "models"}, None),
        ("models", None),
        (None, None),
        (7, None),
    ],
)
def test_strange_lists_are_read_as_far_as_they_make_sense(body: Any, names: list[str] | None) -> None:
    read = listed(body)
    assert (None if read is None else [model.id for model in read]) == names


@pytest.mark.parametrize("body", [b"<!doctype html><title>Hello</title>", b"[" * 100_000, {"detail": "no"}])
def test_what_is_no_list_of_models_is_an_error(server: ListingServer, client_of: Client, body: Any) -> None:
    server.body = body
    with pytest.raises(ServerFailed) as failed:
        models(client_of(server.url))
    assert failed.value.code == "not_the_api"


def test_errors_are_told_in_words_for_a_form_and_without_the_key(
    server: ListingServer, client_of: Client
) -> None:
    server.key = "another"
    with pytest.raises(RequestRefused) as refused:
        models(client_of(server.url))
    assert KEY not in f"{refused.value!r} {refused.value}"
    assert in_words(refused.value) == (
        f"{address(server.url)} does not accept the key. "
        "Check the key: it may be mistyped, expired or revoked."
    )


@pytest.mark.parametrize("trickles", [False, True])
def test_a_list_that_does_not_come_is_an_error_in_time(
    server: ListingServer, client_of: Client, trickles: bool
) -> None:
    server.hangs_at, server.trickles = "/models", trickles
    begun = time.monotonic()
    with pytest.raises(Interrupted) as late:
        models(client_of(server.url), 0.2)
    assert (late.value.code, time.monotonic() - begun < 3) == ("timeout", True)


def test_efforts_are_those_of_the_model_and_of_its_snapshots() -> None:
    all_of_them = ("none", "low", "medium", "high", "xhigh", "max")
    assert efforts("gpt-6-luna") == efforts("gpt-6-luna-2026-09-22") == all_of_them
    assert efforts("openai/gpt-6.1-terra") == efforts("gpt-5.6-sol") == all_of_them
    assert efforts("gpt-6.2-astra") == efforts("gpt-6-astra") == all_of_them[1:]
    assert efforts("gpt-6-lunatic") == efforts("qwen3:8b") == efforts("") == ()


# --- the choice -------------------------------------------------------------------------------------


def test_a_choice_gives_its_settings_and_leaves_behind_what_was_meant_for_another_server() -> None:
    base = Settings(
        api_key="sk-owner",
        base_url="http://here/v1",
        model="a",
        agent_id="agent",
        assistant_id="asst",
        protocol="chat",
        name="Ours",
        max_rounds=3,
        context=99,
        background=True,
    )
    there = Settings(base_url="http://there/v1", model="b", name="Ours", max_rounds=3)
    assert ConnectionOverride("http://there/v1", "", "b").settings(base) == there
    assert ConnectionOverride(demo=True).settings(base) == Settings(model="a", name="Ours", max_rounds=3)
    assert ConnectionOverride(demo=True).settings(base).demo
    kept = ConnectionOverride("http://here/v1", "sk-owner", "b").settings(base)
    assert (kept.model, kept.protocol, kept.agent_id, kept.context) == ("b", "chat", "agent", 99)


def test_a_choice_does_not_show_its_key() -> None:
    choice = ConnectionOverride("http://there/v1", KEY, "a", "low")
    assert repr(choice) == "ConnectionOverride(model='a', effort='low', demo=False)"
    assert KEY not in repr(choice.settings(Settings()))


@pytest.mark.parametrize(
    ("choice", "beginning"),
    [
        (ConnectionOverride(demo=True), ""),
        (ConnectionOverride("http://localhost:1234/v1"), ""),
        (ConnectionOverride("", KEY), ""),
        (ConnectionOverride(), "Enter a key"),
        (ConnectionOverride("", "sk canary"), "The key holds a space"),
        (ConnectionOverride("http://h/v1", "sk-ключ"), "The key holds a space"),
        (ConnectionOverride("localhost:1234"), "This is not an address."),
        (ConnectionOverride(KEY), "This is not an address."),
        (ConnectionOverride("http://[::1"), "This is not an address."),
        (ConnectionOverride("http://h:99999/v1"), "This is not an address."),
        (ConnectionOverride("http://ü_.de/v1"), "This is not an address."),
        (
            ConnectionOverride(f"http://me:{KEY}@host/v1"),
            "Leave the name and the password out of the address",
        ),
    ],
)
def test_what_cannot_be_connected_to_is_said_before_it_is_tried(
    choice: ConnectionOverride, beginning: str
) -> None:
    problem = choice.problem()
    assert (problem.startswith(beginning), bool(problem)) == (True, bool(beginning))
    assert KEY not in problem


# --- what the Test button says ----------------------------------------------------------------------


def test_a_server_that_can_everything_is_told_so(server: ListingServer, client_of: Client) -> None:
    server.plays(text("Hello."), calls(call("ping")))
    assert found(client_of(server.url), "gpt-6-luna") == [
        *CALLS,
        ("Conversations", True, "It keeps conversations."),
    ]
    assert server.conversations == {}, "it is deleted again"
    assert [request["max_output_tokens"] for request in server.asked] == [64, 64]
    assert [request.get("reasoning") for request in server.asked] == [None, {"effort": "none"}]


def test_findings_come_one_after_the_other(server: ListingServer, client_of: Client) -> None:
    gate = threading.Event()
    server.plays(text("Hello.", gate=gate, gate_after=0), text("No."))
    findings = check(client_of(server.url), "gpt-6-luna")
    assert [next(findings).name for _ in range(3)] == ["Server", "Key", "Model"]
    gate.set()
    assert [each.name for each in findings] == ["Streaming", "Functions", "Conversations"]


def test_what_is_less_than_perfect_is_told_and_no_failure(client_of: Client) -> None:
    with ListingServer(conversations=False) as server:
        limit = {"incomplete_details": {"reason": "max_output_tokens"}}
        server.plays(text("Hel", ending="incomplete", details=limit), text("I had rather not."))
        assert found(client_of(server.url, ""), "gpt-4o", effort="low") == [
            REACHED[0],
            ("Key", True, "It asks for no key."),
            ("Model", None, "gpt-4o will be shut down on 2999-01-14. Choose another one before that."),
            STREAMS[-1],
            ("Functions", None, "The model was offered a function, but did not call it this time."),
            ("Conversations", None, "It keeps no conversations, so it is told all that was said each time."),
        ]
        assert server.asked[0]["reasoning"] == {"effort": "low"}


def test_a_wrong_key_ends_the_check(server: ListingServer, client_of: Client) -> None:
    server.key = "another"
    wrong = ("Key", False, "HOST does not accept the key: it may be mistyped, expired or revoked.")
    assert found(client_of(server.url), "gpt-6-luna") == [REACHED[0], wrong]


def test_a_key_that_is_only_looked_at_when_something_is_asked_is_told_wrong_then(
    server: ListingServer, client_of: Client
) -> None:
    server.plays(error(401, "invalid_api_key", f"Wrong: {KEY}"))
    assert found(client_of(server.url), "gpt-6-luna")[3:] == [
        ("Key", False, "HOST does not accept the key: it may be mistyped, expired or revoked.")
    ]


def test_what_cannot_be_reached_ends_the_check(client_of: Client) -> None:
    words = "HOST cannot be reached. Is the server running, the address right, the network up?"
    client = client_of(f"http://127.0.0.1:{closed_port()}/v1")
    assert found(client, "gpt-6-luna") == [("Server", False, words)]


def test_a_web_page_is_told_from_the_api(server: ListingServer, client_of: Client) -> None:
    server.pages = True
    words = "What answers at HOST is not the API, but something like a web page. "
    words += "Check the address: it usually ends in /v1."
    assert found(client_of(server.url), "gpt-6-luna") == [("Server", False, words)]


def test_a_model_that_is_not_there_ends_the_check(server: ListingServer, client_of: Client) -> None:
    server.plays(error(404, "model_not_found", "No such model."))
    assert found(client_of(server.url), "gpt-7") == [
        *REACHED,
        ("Model", None, "gpt-7 is not among the models that it lists; it may take it all the same."),
        ("Model", False, "HOST does not offer the model gpt-7 to you. Choose another one."),
    ]


def test_an_answer_that_does_not_stream_is_told(server: ListingServer, client_of: Client) -> None:
    server.plays(Play(status=201, body={"id": "resp_1", "object": "response", "output": []}))
    assert found(client_of(server.url), "gpt-6-luna") == [
        *KNOWN,
        ("Streaming", False, "It answers over the Responses API, but all at once: nothing streams."),
    ]


def test_a_stream_that_breaks_off_is_told(server: ListingServer, client_of: Client) -> None:
    server.plays(cut(text("Hello."), 5, "close"))
    assert found(client_of(server.url), "gpt-6-luna") == [
        *KNOWN,
        ("Streaming", False, "HOST broke its stream off before the end."),
    ]


def test_functions_that_are_refused_are_told_in_the_servers_words(
    server: ListingServer, client_of: Client
) -> None:
    words = f'"auto" tool choice requires --enable-auto-tool-choice, says {KEY}'
    server.plays(text("Hello."), error(400, None, words))
    assert found(client_of(server.url), "gpt-6-luna")[4] == (
        "Functions",
        False,
        'HOST refused the request. It says: "auto" tool choice requires --enable-auto-tool-choice, says …',
    )
    assert server.conversations == {}


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            403,
            [REACHED[0], ("Key", False, "HOST does not allow this to your account or project. It says: no")],
        ),
        (500, [("Server", False, "HOST failed. Try again in a moment. It says: no")]),
    ],
)
def test_a_list_that_is_refused_ends_the_check(client_of: Client, status: int, words: list[Any]) -> None:
    with ListingServer({"error": {"message": "no"}}, status=status) as server:
        assert found(client_of(server.url), "gpt-6-luna") == words


def test_a_server_without_a_list_of_models_is_simply_asked(client_of: Client) -> None:
    with ListingServer({"error": "no"}, status=404) as server:
        server.plays(text("Hello."), calls(call("ping")))
        assert found(client_of(server.url), "gpt-6-luna") == [
            REACHED[0],
            ("Model", None, "It has no list of models, so it is simply asked."),
            *CALLS[3:],
            ("Conversations", True, "It keeps conversations."),
        ]


@pytest.mark.parametrize(
    ("path", "trickles", "last"),
    [
        ("/models", False, ("Server", False, "HOST did not answer within 0.5 seconds.")),
        ("/models", True, ("Server", False, "HOST did not answer within 0.5 seconds.")),
        ("/responses", False, ("Streaming", False, "HOST did not answer in time.")),
        ("/conversations", False, ("Conversations", False, "HOST did not answer in time.")),
        ("/conversations", True, ("Conversations", False, "HOST did not answer in time.")),
    ],
)
def test_a_server_that_hangs_is_given_up_in_time(
    server: ListingServer, client_of: Client, path: str, trickles: bool, last: tuple[str, bool, str]
) -> None:
    server.hangs_at, server.trickles = path, trickles
    if path == "/conversations":
        server.plays(text("Hello."), calls(call("ping")))
    begun = time.monotonic()
    told = found(client_of(server.url), "gpt-6-luna", seconds=0.5)
    assert (told[-1], time.monotonic() - begun < 5) == (last, True)


def test_a_stream_that_falls_silent_is_given_up_in_time(server: ListingServer, client_of: Client) -> None:
    server.plays(cut(text("Hello."), 5, "silence"))
    told = found(client_of(server.url), "gpt-6-luna", seconds=0.5)
    assert told == [*KNOWN, ("Streaming", False, "HOST did not answer in time.")]


@pytest.mark.parametrize("protocol", ["auto", "chat"])
def test_chat_completions_are_tried_where_there_is_nothing_else(
    server: ListingServer, client_of: Client, protocol: Any
) -> None:
    server.has_responses = False
    server.chat = [HELLO, PING]
    assert found(client_of(server.url), "gpt-6-luna", protocol) == [
        *KNOWN,
        ("Streaming", True, "Its answers stream, over Chat Completions."),
        ("Functions", True, "The model calls functions."),
    ]
    assert [request["max_tokens"] for request in server.completions] == [64, 64]
    assert server.conversations == {}


def test_chat_completions_that_want_the_newer_name_for_the_limit_are_given_it(
    server: ListingServer, client_of: Client
) -> None:
    words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    refused = (400, {"error": {"message": words, "code": "unsupported_parameter"}})
    whole = {"choices": [{"message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}]}
    server.chat = [refused, whole, refused, PING]
    assert found(client_of(server.url), "gpt-6-luna", "chat")[3:] == [
        ("Streaming", None, "It answers over Chat Completions, but all at once: nothing streams."),
        ("Functions", True, "The model calls functions."),
    ]
    assert [request.get("max_completion_tokens") for request in server.completions] == [None, 64, None, 64]


def test_the_demo_can_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PACE", 0)
    with connect(Settings()) as client:
        told = [(each.name, each.ok) for each in check(client, "demo")]
    names = ["Server", "Key", "Model", "Streaming", "Functions", "Conversations"]
    assert told == [(name, True) for name in names]


# --- the panel --------------------------------------------------------------------------------------


def _app() -> None:
    import streamlit as st

    from assistant.ui.connection import draw_connection

    before = st.session_state.get("choice")
    with st.sidebar:
        chosen = draw_connection(st.session_state["settings"], before, "Responses")
    if chosen != before:
        st.session_state["choice"] = chosen
        st.rerun()
    st.text(repr(chosen))


Panel = Callable[..., AppTest]


@pytest.fixture
def panel(monkeypatch: pytest.MonkeyPatch) -> Panel:
    """Opens the panel on the machine that serves it, where no local server is running but those given."""

    def opened(settings: Settings, at_home: bool = True, **ports: int) -> AppTest:
        monkeypatch.setattr("assistant.ui.sidebar.is_localhost", lambda: at_home)
        monkeypatch.setattr(connection, "local_servers", lambda: local_servers(5, ports))
        page = AppTest.from_function(_app, default_timeout=20)
        page.session_state["settings"] = settings
        return open_again(page)

    return opened


def open_again(page: AppTest) -> AppTest:
    page.session_state["connection_panel"] = True
    return checked(page.run())


def checked(page: AppTest) -> AppTest:
    """The page, which shows no exception and no key but in the input where it is typed."""
    assert not page.exception
    assert KEY not in words_of(page)
    return page


def words_of(page: AppTest) -> str:
    """All that is sent to the browser."""
    return sent(page)


def choose(page: AppTest, kind: str) -> AppTest:
    return checked(page.radio(key="connection").set_value(kind).run())


def press(page: AppTest, button: str) -> AppTest:
    return checked(page.button(key=f"connection_{button}").click().run())


def choice_of(page: AppTest) -> ConnectionOverride | None:
    choice: ConnectionOverride | None = getattr(page.session_state, "choice", None)
    return choice


def test_the_panel_is_closed_and_says_what_is_connected(panel: Panel) -> None:
    page = panel(Settings(base_url="http://me:secret@here:1234/v1", model="a_b"))
    page.session_state["connection_panel"] = False
    page.run()
    assert [each.value for each in page.caption] == ["a\\_b at here\\:1234 · Responses"]
    assert (len(page.radio), len(page.button), page.text[0].value) == (0, 0, "None")


def test_nothing_is_looked_for_before_the_panel_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def look() -> list[Local]:
        looked.append("here")
        return []

    monkeypatch.setattr("assistant.ui.sidebar.is_localhost", lambda: True)
    monkeypatch.setattr(connection, "local_servers", look)
    page = AppTest.from_function(_app)
    page.session_state["settings"] = Settings()
    page.run().run()
    assert looked == []
    open_again(page)
    choose(page, "local")
    assert looked == ["here"]
    press(page, "again")
    assert looked == ["here", "here"]


def test_the_demo_is_chosen_and_left_again(server: ListingServer, panel: Panel) -> None:
    settings = Settings(api_key=KEY, base_url=server.url, protocol="chat")
    page = choose(panel(settings), "demo")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(demo=True)
    assert page.caption[0].value == "Built\\-in demo · Responses"
    assert not page.radio, "it is closed"
    open_again(page)
    assert page.radio(key="connection").value == "demo"
    press(choose(page, "configured"), "use")
    assert choice_of(page) is None


def test_another_address_is_chosen_with_a_model_of_its_list(server: ListingServer, panel: Panel) -> None:
    server.key = KEY
    page = choose(panel(Settings(api_key="sk-owner", model="gpt-6-luna")), "url")
    page.text_input(key="connection_url").set_value(server.url).run()
    assert "does not accept the key" in page.caption[0].value
    page.text_input(key="connection_url_key").set_value(KEY).run()
    checked(page)
    model = page.selectbox(key="connection_model")
    assert (model.options, model.value) == (["gpt-4o", "gpt-6-luna"], "gpt-6-luna")
    page.selectbox(key="connection_effort").set_value("high").run()
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-6-luna", "high")
    open_again(page)
    assert page.radio(key="connection").value == "url"
    assert page.text_input(key="connection_url").value == server.url
    assert page.text_input(key="connection_url_key").value == ""
    assert page.text_input(key="connection_url_key").placeholder == "The one in use"
    assert page.selectbox(key="connection_effort").value == "high"
    page.selectbox(key="connection_model").set_value("gpt-4o").run()
    assert page.warning[0].value.replace("\\", "") == (
        ":small[gpt-4o will be shut down on 2999-01-14. Choose another one before that.]"
    )
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-4o")


def test_the_owners_key_is_sent_to_no_other_address(server: ListingServer, panel: Panel) -> None:
    server.plays(text("Hello."), text("No."))
    page = choose(panel(Settings(api_key=KEY, model="gpt-6-luna")), "url")
    page.text_input(key="connection_url").set_value(server.url).run()
    press(page, "test")
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, "", "gpt-6-luna")
    assert [headers["authorization"] for headers in server.headers] == ["Bearer none", "Bearer none"]


def test_a_key_for_openai_is_not_offered_to_another_address(
    server: ListingServer, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.backends.client.OPENAI_URL", server.url)
    server.key = KEY
    page = choose(panel(Settings()), "openai")
    press(page, "use")
    assert page.error[0].value == ":small[Enter a key of your account\\.]"
    page.text_input(key="connection_key").set_value(KEY).run()
    assert page.selectbox(key="connection_model").options == ["gpt-4o", "gpt-6-luna"]
    choose(page, "url")
    page.text_input(key="connection_url").set_value(server.url).run()
    assert page.text_input(key="connection_url_key").value == ""
    assert "does not accept the key" in page.caption[0].value
    choose(page, "openai")
    page.text_input(key="connection_key").set_value(KEY).run()
    press(page, "use")
    assert choice_of(page) == ConnectionOverride("", KEY, "gpt-6-luna")
    assert page.caption[0].value.replace("\\", "") == "gpt-6-luna at api.openai.com · Responses"


def test_a_server_of_this_machine_is_chosen(server: ListingServer, panel: Panel) -> None:
    server.body = {"object": "list", "data": [{"id": "qwen3:8b"}]}
    page = choose(
        panel(Settings(api_key=KEY, protocol="chat"), Ollama=port_of(server), vLLM=closed_port()), "local"
    )
    assert page.selectbox(key="connection_local").options == [f"Ollama ({address(server.url)})"]
    assert page.selectbox(key="connection_model").value == "qwen3:8b"
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, "", "qwen3:8b")
    open_again(page)
    assert page.radio(key="connection").value == "local"


def test_where_no_server_is_found_there_is_nothing_to_test_or_use(panel: Panel) -> None:
    page = choose(panel(Settings()), "local")
    assert page.caption[0].value.startswith("None was found.")
    assert [page.button(key=f"connection_{each}").disabled for each in ("test", "use")] == [True, True]


def test_another_model_of_the_configured_server_is_chosen(server: ListingServer, panel: Panel) -> None:
    page = panel(Settings(api_key=KEY, base_url=server.url, model="gpt-6-luna", protocol="responses"))
    press(page, "use")
    assert choice_of(page) is None
    open_again(page)
    page.selectbox(key="connection_model").set_value("gpt-4o").run()
    press(page, "use")
    assert choice_of(page) == ConnectionOverride(server.url, KEY, "gpt-4o")
    open_again(page)
    assert page.radio(key="connection").value == "configured"
    assert page.selectbox(key="connection_model").value == "gpt-4o"


def test_the_test_button_lists_what_it_finds_until_something_else_is_chosen(
    server: ListingServer, panel: Panel
) -> None:
    server.plays(text("Hello."), text("No, *never*."))
    page = press(panel(Settings(api_key=KEY, base_url=server.url, model="gpt-6-luna")), "test")
    marks = [":green[:material/check_circle:]"] * 4 + [":orange[:material/info:]"]
    shown = [each.value for each in page.markdown]
    assert [each.split(" ")[0] for each in shown] == [*marks, ":green[:material/check_circle:]"]
    assert shown[1] == ":green[:material/check_circle:] :small[The key is accepted\\.]"
    checked(page.run())
    assert [each.value for each in page.markdown] == shown
    page.selectbox(key="connection_model").set_value("gpt-4o").run()
    assert not page.markdown


def test_what_a_server_says_is_shown_as_it_is(server: ListingServer, panel: Panel) -> None:
    server.body = {"data": [{"id": "![x](http://evil/)<b>", "shutdown_date": "2999-01-01"}]}
    server.plays(error(400, None, f"![x](http://evil/) {KEY}"))
    page = choose(panel(Settings()), "url")
    page.text_input(key="connection_url").set_value(server.url).run()
    page.text_input(key="connection_url_key").set_value(KEY).run()
    press(page, "test")
    assert "](" not in " ".join(each.value for each in [*page.markdown, *page.warning, *page.caption])
    assert page.markdown[-1].value.startswith(":red[:material/cancel:] ")


def test_an_address_that_is_none_is_told_and_a_model_is_asked_for(panel: Panel) -> None:
    page = choose(panel(Settings()), "url")
    page.text_input(key="connection_url").set_value(KEY).run()
    page.button(key="connection_use").click().run()
    assert page.error[0].value.startswith(":small[This is not an address")
    page.text_input(key="connection_url").set_value(f"http://127.0.0.1:{closed_port()}/v1").run()
    assert "cannot be reached" in page.caption[0].value
    press(page, "test")
    assert page.error[0].value == ":small[Choose a model, or type the name of one\\.]"
    assert choice_of(page) is None


def test_elsewhere_nobody_sends_this_machine_to_an_address_of_their_own(panel: Panel) -> None:
    page = panel(Settings(api_key=KEY, model="gpt-6-luna"), at_home=False)
    assert page.radio(key="connection").options == [KINDS[kind] for kind in ("configured", "demo", "openai")]
    assert not page.selectbox, "the owner pays for the model"
    press(page, "use")
    assert choice_of(page) is None
