"""Who counts as being on the machine that serves the page."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.context import StreamlitHeaders

from assistant.access import local
from assistant.access.local import is_direct, random_token
from assistant.errors import SettingsError
from assistant.settings import Settings
from assistant.ui.page.local_access import MAX_PRINTED_LINKS
from tests.servers.responses import ModelServer
from tests.ui.page import Open, session_of

TOKEN = "a-token-of-the-owner"
HEADERS = {"Host": "localhost:8501"}
NOTICE = "Is this your machine?"

Visit = Callable[..., None]


@pytest.mark.parametrize(
    ("host", "address", "more", "expected"),
    [
        ("localhost:8501", None, {}, True),  # Streamlit reports None for 127.0.0.1 and ::1
        ("[::1]:8501", "127.0.0.2", {}, True),
        ("127.0.0.1:8501", "::ffff:127.0.0.1", {}, True),
        ("localhost:8501", "203.0.113.9", {}, False),  # any client can send this host
        ("localhost:8501", "172.17.0.1", {}, False),
        ("localhost:8501", "what", {}, False),
        ("localhost:8501", None, {"X-Forwarded-For": "203.0.113.9"}, False),
        ("localhost:8501", None, {"Forwarded": "for=203.0.113.9"}, False),
        ("localhost:8501", None, {"x-forwarded-for": ""}, False),  # still a proxy
        ("localhost:8501", None, {"X-Forwarded-For": "127.0.0.1"}, False),  # the client may have written it
        ("localhost:8501", None, {"X-Forwarded-Proto": "https"}, False),
        *(
            ("localhost:8501", None, {name: "203.0.113.9"}, False)
            for name in ("Cf-Connecting-Ip", "Via", "X-Real-IP", "True-Client-IP", "X-Client-IP")
        ),
        ("localhost:8501", None, {"Origin": "http://localhost:8501"}, True),
        ("localhost", None, {"Origin": "http://localhost"}, True),
        ("[::1]:8501", "::1", {"Origin": "http://[::1]:8501"}, True),
        # Some proxies send a local host and add no header (nginx by default).
        ("localhost:8501", None, {"Origin": "https://chat.example"}, False),
        ("localhost:8501", None, {"Origin": "null"}, False),
        ("localhost:8501", None, {"Origin": "http://localhost:3000"}, False),  # the page of another program
        ("localhost:8501", None, {"Origin": "http://127.0.0.1:8501"}, False),
        ("localhost:8501", None, {"Origin": "https://localhost.example"}, False),
        ("localhost:8501@chat.example", None, {}, False),
        ("[::ffff:203.0.113.9]:8501", None, {}, False),
        ("[::1", None, {}, False),
        ("[::1]:8501", "2001:db8::9", {}, False),
        ("[::1]:8501", "::ffff:203.0.113.9", {}, False),
        ("chat.example", None, {}, False),
        ("localhost.example:8501", None, {}, False),
        ("", None, {}, False),
    ],
)
def test_only_a_direct_local_connection_may_be_local(
    host: str, address: str | None, more: dict[str, str], expected: bool
) -> None:
    assert is_direct({"Host": host, **more}, address) is expected


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Visit:
    """Let the next runs of the page come from this machine, with these cookies and headers."""

    def visited(headless: bool = True, **cookies: str) -> None:
        context = SimpleNamespace(
            headers=StreamlitHeaders(HEADERS.items()),
            ip_address=None,
            cookies=cookies,
            locale="en",
            timezone="UTC",
            theme=st.context.theme,
        )
        monkeypatch.setattr(st, "context", context)
        get_option = st.get_option
        monkeypatch.setattr(
            st, "get_option", lambda name: headless if name == "server.headless" else get_option(name)
        )

    return visited


def test_a_local_connection_without_the_token_does_not_get_the_owners_key(
    server: ModelServer, open_page: Open, visit: Visit, capsys: pytest.CaptureFixture[str]
) -> None:
    visit()
    page = open_page(OPENAI_API_KEY="sk-canary", OPENAI_BASE_URL=server.url)
    connection = session_of(page).connection
    assert (connection.is_localhost, connection.settings.demo) == (False, True)
    assert any(NOTICE in each.value for each in page.info)
    assert f"http://localhost:8501/?token={random_token()}" in capsys.readouterr().out
    page.run()
    assert random_token() not in capsys.readouterr().out, "it is printed once"
    for guess in ("", "guess", random_token()[:-1], random_token() + "x", "é"):
        page.query_params["token"] = guess
        page.run()
        assert not session_of(page).connection.is_localhost


def test_the_token_stays_when_streamlit_reloads_the_code_after_an_edit(
    open_page: Open, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit()
    page = open_page(OPENAI_API_KEY="sk-canary")
    token = random_token()
    monkeypatch.setattr(local, "random_token", lambda: "of-the-module-as-it-was-reloaded")
    page.query_params["token"] = token
    page.run()
    assert session_of(page).connection.is_localhost


@pytest.mark.exhaustive
def test_a_stranger_who_asks_by_many_ports_does_not_fill_the_log(
    open_page: Open, visit: Visit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    visit()
    page = open_page(OPENAI_API_KEY="sk-canary")
    for port in range(30):
        monkeypatch.setitem(HEADERS, "Host", f"localhost:{port}")
        page.run()
    assert capsys.readouterr().out.count("?token=") <= MAX_PRINTED_LINKS


def test_the_link_with_the_token_makes_the_session_local_and_the_browser_keeps_it(
    server: ModelServer, open_page: Open, visit: Visit
) -> None:
    visit()
    page = open_page(
        {"token": TOKEN}, OPENAI_API_KEY="sk-canary", OPENAI_BASE_URL=server.url, ASSISTANT_LOCAL_TOKEN=TOKEN
    )
    assert session_of(page).connection.is_localhost
    assert "token" not in page.query_params
    page.run()
    assert session_of(page).connection.is_localhost
    assert not any(NOTICE in each.value for each in page.info)
    assert not session_of(open_page()).connection.is_localhost, "a session of another browser"
    visit(assistant_token_8501=TOKEN)
    assert session_of(open_page()).connection.is_localhost


def test_local_access_can_be_switched_off(open_page: Open, visit: Visit) -> None:
    visit(headless=False, assistant_token_8501="off")
    page = open_page({"token": "off"}, ASSISTANT_LOCAL_TOKEN="Off")
    assert not session_of(page).connection.is_localhost
    assert not any(NOTICE in each.value for each in page.info)


@pytest.mark.parametrize(
    ("settings", "headless", "expected"),
    [
        ({}, False, True),
        ({"OPENAI_BASE_URL": "http://localhost:11434/v1"}, False, True),
        ({}, True, False),  # as on a server
        ({"OPENAI_API_KEY": "sk-canary"}, False, False),
        ({"OPENAI_BASE_URL": "http://:secret@localhost:11434/v1"}, False, False),
        ({"ASSISTANT_LIMIT_ALL": "9 messages/day"}, False, False),
        ({"ASSISTANT_LOCAL_TOKEN": TOKEN}, False, False),
    ],
)
def test_on_a_desktop_without_a_key_nothing_needs_proof(
    open_page: Open, visit: Visit, settings: dict[str, str], headless: bool, expected: bool
) -> None:
    visit(headless)
    assert session_of(open_page(**settings)).connection.is_localhost is expected


def test_a_token_that_is_too_short_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_LOCAL_TOKEN": "canary"})
    assert "canary" not in str(caught.value)
    assert TOKEN not in repr(Settings.load({"ASSISTANT_LOCAL_TOKEN": TOKEN}))
