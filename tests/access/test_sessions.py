"""What ends a session: a command of the owner, and a change of the settings that let it in."""

import ast
import time
from collections.abc import Callable, Generator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import streamlit as st

from assistant.access import sessions
from assistant.access.auth import User, authorize, hash_secret
from assistant.access.sessions import (
    CHECK_SECONDS,
    EVERYONE,
    RETRY_SECONDS,
    Login,
    Rules,
    SessionEnds,
    current_moment,
    end_sessions,
    parse_entries,
    sign_in,
    stop_when_ended,
)
from assistant.cli import main
from assistant.events import Event, RunCompleted, RunStopped, TextDelta
from assistant.request_options import RequestOptions
from assistant.storage.database import Database
from tests.conftest import need
from tests.servers.responses import ModelServer, text
from tests.source_tree import modules, relative, tree
from tests.ui.page import Open, ask, listed, session_of

PASSWORD = "canary sésame 🔑"
ENDED = "Your session has ended. Log in again."
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "us",
    "client_secret": "secret",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
ADA = {"is_logged_in": True, "iss": "https://id.example", "sub": "1", "email": "Ada@Example.org", "iat": 1000}


def logged_in(claims: dict[str, Any], secret: str = "cookies") -> Login:
    user = authorize(claims, ["*"])
    assert isinstance(user, User)
    return sign_in(claims, user, hash_secret(secret))


# --- the rules --------------------------------------------------------------------------------------

BY_PASSWORD = Login(method="password", since=1000.0, secret_hash=hash_secret(PASSWORD))
SIGNED_IN = logged_in(ADA)
PASSWORD_RULES = Rules(password=PASSWORD)
SIGN_IN_RULES = Rules(allowed=["@example.org"], cookie_secret="cookies")


@pytest.mark.parametrize(
    ("login", "rules", "ends", "reason"),
    [
        (Login(), Rules(), {}, None),
        (Login(), Rules(), {EVERYONE: 2000.0}, None),  # no one has logged in
        (Login(), PASSWORD_RULES, {}, "settings_changed"),
        (Login(), SIGN_IN_RULES, {}, "settings_changed"),
        (BY_PASSWORD, PASSWORD_RULES, {}, None),
        (BY_PASSWORD, PASSWORD_RULES, {EVERYONE: 999.9}, None),
        (BY_PASSWORD, PASSWORD_RULES, {EVERYONE: 1000.0}, "ended_by_owner"),
        (BY_PASSWORD, Rules(password="another password"), {}, "settings_changed"),
        (BY_PASSWORD, Rules(), {}, "settings_changed"),
        (BY_PASSWORD, SIGN_IN_RULES, {}, "settings_changed"),
        (SIGNED_IN, SIGN_IN_RULES, {}, None),
        (SIGNED_IN, SIGN_IN_RULES, {EVERYONE: 1000.0}, "ended_by_owner"),
        (SIGNED_IN, SIGN_IN_RULES, {hash_secret("ada@example.org"): 1000.0}, "ended_by_owner"),
        (SIGNED_IN, SIGN_IN_RULES, {hash_secret("@example.org"): 1000.0}, "ended_by_owner"),
        (SIGNED_IN, SIGN_IN_RULES, {SIGNED_IN.user.id: 1000.0}, "ended_by_owner"),
        (SIGNED_IN, SIGN_IN_RULES, {SIGNED_IN.user.id: 999.0}, None),  # logged in again since
        (SIGNED_IN, SIGN_IN_RULES, {hash_secret("bob@example.org"): 2000.0}, None),
        (SIGNED_IN, SIGN_IN_RULES, {hash_secret("@example.com"): 2000.0}, None),
        (SIGNED_IN, Rules(allowed=["@example.com"], cookie_secret="cookies"), {}, "not_allowed"),
        (SIGNED_IN, Rules(allowed=["@example.org"], cookie_secret="others"), {}, "settings_changed"),
        (SIGNED_IN, PASSWORD_RULES, {}, "settings_changed"),
        (SIGNED_IN, Rules(), {}, "settings_changed"),
        # A provider that shares no address.
        (logged_in(ADA | {"email": None}), Rules(allowed=["*"], cookie_secret="cookies"), {}, None),
        # Without a time, each end ends it.
        (logged_in(ADA | {"iat": None}), SIGN_IN_RULES, {EVERYONE: 1.0}, "ended_by_owner"),
    ],
)
def test_why_a_session_has_ended(
    login: Login, rules: Rules, ends: dict[str, float], reason: str | None
) -> None:
    assert login.end_reason(rules, lambda: ends) == reason


def test_a_login_shows_no_secret() -> None:
    assert hash_secret(PASSWORD) not in repr(BY_PASSWORD)


# --- the database -----------------------------------------------------------------------------------


def test_an_end_holds_in_every_process_with_the_same_database(database: str) -> None:
    first, second = Database(database), Database(database)
    assert SessionEnds().read(second) == {}
    before = current_moment(first)
    end_sessions(first, parse_entries(["Ada@Example.org, @example.com", "a" * 64]))
    ends = SessionEnds().read(second)
    assert set(ends) == {hash_secret("ada@example.org"), hash_secret("@example.com"), "a" * 64}
    assert {before <= moment <= current_moment(second) for moment in ends.values()} == {True}
    time.sleep(0.01)
    end_sessions(second, [EVERYONE, "a" * 64])
    later = SessionEnds().read(first)
    assert later[EVERYONE] == later["a" * 64] > ends["a" * 64]
    first.close()
    second.close()


def test_addresses_are_not_in_the_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/threads.sqlite")
    end_sessions(database, ["ada@example.org"])
    database.close()
    assert not [path for path in tmp_path.iterdir() if b"example.org" in path.read_bytes()]


def test_the_database_is_read_at_most_once_a_second_and_its_last_answer_stays_true(tmp_path: Path) -> None:
    now = 0.0
    ends = SessionEnds(lambda: now)
    assert ends.read(None) == {}, "the database has never been read"
    database = Database(f"sqlite:///{tmp_path}/threads.sqlite")
    now += RETRY_SECONDS
    assert ends.read(database) == {}
    end_sessions(database, [EVERYONE])
    assert ends.read(database) == {}
    now += CHECK_SECONDS
    assert list(ends.read(database)) == [EVERYONE]
    now += CHECK_SECONDS
    assert list(ends.read(None)) == [EVERYONE]
    database.close()


@pytest.mark.parametrize("entry", ["ada", "a@b@c", "A" * 64])
def test_an_entry_that_is_no_user_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=entry.lower()):
        parse_entries([entry])


# --- a run ------------------------------------------------------------------------------------------


def test_a_run_stops_before_its_next_piece_when_its_session_has_ended() -> None:
    ended, closed = [], []

    def events() -> Generator[Event, None, None]:
        try:
            yield TextDelta("a")
            ended.append(True)
            yield TextDelta("b")
            yield RunCompleted()
        finally:
            closed.append(True)

    assert list(stop_when_ended(events(), lambda: ended)) == [
        TextDelta("a"),
        RunStopped("session_ended", "Stopped: the session has ended."),
    ]
    assert closed


# --- the page ---------------------------------------------------------------------------------------

End = Callable[..., None]


@pytest.fixture
def end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> End:
    """Ends sessions of the page with the command; the page reads the database each time."""
    monkeypatch.setattr(sessions, "CHECK_SECONDS", 0.0)
    url = f"sqlite:///{tmp_path}/threads.sqlite"

    def end(*users: str) -> None:
        assert main(["end-sessions", *users], {"ASSISTANT_DATABASE_URL": url}) == 0

    return end


def log_in(page: Any) -> Any:
    page.text_input(key="password").set_value(PASSWORD)
    page.button(key="log_in").click().run()
    assert page.chat_input
    return page


def test_ended_sessions_come_back_to_the_login(open_page: Open, server: ModelServer, end: End) -> None:
    settings = {"OPENAI_BASE_URL": server.url, "ASSISTANT_PASSWORD": PASSWORD}
    page, other = log_in(open_page(**settings)), log_in(open_page(**settings))
    end("--all")
    for each in (page, other):
        assert not each.run().chat_input
        assert [info.value for info in each.info] == [ENDED]
        assert not each.exception
    assert not log_in(page).info, "a new session"
    assert not other.run().chat_input


@pytest.mark.exhaustive
def test_an_ended_session_does_nothing_with_its_last_click(
    open_page: Open, server: ModelServer, end: End
) -> None:
    server.plays(text("Hello."))
    page = log_in(open_page(OPENAI_BASE_URL=server.url, ASSISTANT_PASSWORD=PASSWORD))
    session, thread_id = session_of(ask(page, "Hi")), session_of(page).thread.id
    end("--all")
    session.visit.leave = lambda: (_ for _ in ()).throw(KeyboardInterrupt)  # as the page leaves the script
    for action in (
        lambda: session.delete(thread_id),
        lambda: session.rename(thread_id, "x"),
        lambda: session.submit("Again"),
        lambda: session.regenerate(0),
        lambda: session.import_thread(session.thread),
        lambda: session.rate(session.history[-1], None),
        lambda: session.fetch_file("c", "f"),
        lambda: session.send_now("Again"),
        lambda: session.change_options(RequestOptions(effort="low")),
    ):
        with pytest.raises(KeyboardInterrupt):
            action()
    page.chat_input(key="prompt").set_value("Again").run()
    assert [info.value for info in page.info] == [ENDED]
    assert len(server.requests) == 1


@pytest.mark.exhaustive
def test_what_a_session_kept_is_gone_after_its_end(open_page: Open, end: End) -> None:
    page = log_in(open_page(ASSISTANT_PASSWORD=PASSWORD))
    session = session_of(page)
    page.session_state["connection_key"] = "sk-canary"
    end("--all")
    page.run()
    assert "connection_key" not in page.session_state
    assert session_of(log_in(page)) is not session


@pytest.fixture
def signed_in(open_page: Open, server: ModelServer) -> Callable[..., Any]:
    """Opens the page for a signed-in user."""
    need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")

    def opened(claims: dict[str, Any], allowed: str = "@example.org", **auth: str) -> Any:
        return open_page(
            user=claims,
            secrets={"auth": AUTH | auth},
            OPENAI_BASE_URL=server.url,
            ASSISTANT_ALLOWED=allowed,
        )

    return opened


def buttons(page: Any) -> list[str]:
    return [str(each.key) for each in page.button]


@pytest.mark.exhaustive
def test_one_user_is_sent_back_to_sign_in_and_others_stay(
    signed_in: Callable[..., Any], server: ModelServer, end: End
) -> None:
    bob = ADA | {"sub": "2", "email": "bob@example.org"}
    server.plays(text("Hello."))
    page, bobs = ask(signed_in(ADA), "Hi"), signed_in(bob)
    end("ADA@example.org")
    for each in (page.run(), signed_in(ADA)):  # open, and opened again with the same cookie
        assert [info.value for info in each.info] == [ENDED]
        assert (buttons(each), len(each.chat_input), len(each.chat_message)) == (["sign_in_"], 0, 0)
        assert not each.exception
    assert bobs.run().chat_input
    assert listed(signed_in(ADA | {"iat": time.time() + 1})) == ["Hi"], "signed in again"


def test_a_user_who_is_no_longer_allowed_is_out_and_others_stay(signed_in: Callable[..., Any]) -> None:
    page, bobs = signed_in(ADA), signed_in(ADA | {"sub": "2", "email": "bob@example.org"})
    signed_in(ADA, allowed="bob@example.org")
    assert not page.run().chat_input
    assert [each.value for each in page.error] == ["Ada@Example\\.org is not allowed to log in\\."]
    assert bobs.run().chat_input


@pytest.mark.exhaustive
def test_another_secret_of_the_cookies_ends_the_sessions_that_are_open(
    signed_in: Callable[..., Any],
) -> None:
    page = signed_in(ADA)
    page.secrets = {"auth": AUTH | {"cookie_secret": "f" * 32}}
    for _ in range(2):
        assert not page.run().chat_input
        assert ([info.value for info in page.info], buttons(page)) == ([ENDED], ["sign_in_"])


@pytest.mark.exhaustive
def test_a_page_that_gets_a_password_ends_the_open_sessions(open_page: Open) -> None:
    page = open_page()
    assert page.chat_input
    open_page(ASSISTANT_PASSWORD=PASSWORD)
    assert not page.run().chat_input
    assert not page.info, "no one had logged in"


@pytest.mark.exhaustive
@pytest.mark.parametrize("token", ["another-token-of-the-owner", "off"])
def test_another_local_token_ends_the_sessions_with_the_old_one(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    expected = "a-token-of-the-owner"
    monkeypatch.setattr(
        "assistant.ui.page.local_access.is_localhost", lambda settings: settings.local_token == expected
    )
    page = open_page(OPENAI_API_KEY="sk-canary", ASSISTANT_LOCAL_TOKEN=expected)
    session = session_of(page)
    assert session.connection.is_localhost
    page.session_state["connection_key"] = "sk-own"
    monkeypatch.setenv("ASSISTANT_LOCAL_TOKEN", token)
    page.run()
    assert (session_of(page) is session, session_of(page).connection.is_localhost) == (False, False)
    assert "connection_key" not in page.session_state
    st.cache_resource.clear()


def runs_alone(function: ast.FunctionDef) -> bool:
    """Return whether a part of the page runs without the page, which checks the login: a fragment or a dialog."""
    return function.name == "_draw_dialog" or any(
        ast.unparse(each).startswith("st.fragment") for each in function.decorator_list
    )


def test_each_part_of_the_page_that_runs_alone_checks_the_session_first() -> None:
    parts = {
        f"{relative(path)}: {function.name}": [ast.unparse(each) for each in function.body[:2]]
        for path in modules()
        if "/ui/" in path.as_posix()
        for function in tree(path).body
        if isinstance(function, ast.FunctionDef) and runs_alone(function)
    }
    harmless = {"assistant/ui/chat/failure.py: _count_down"}  # draws a number, and then runs the page
    assert len(parts) > 6
    assert {name for name, first in parts.items() if "require_open(session)" not in first} == harmless


# --- the command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "output"),
    [
        (["--all"], 0, "Ended in sqlite:///{path}: all sessions\n"),
        (["Ada@example.org", "@x.org"], 0, "Ended in sqlite:///{path}: ada@example.org, @x.org\n"),
        ([], 2, "Say whose sessions end: users, or --all.\n"),
        (["--all", "ada@example.org"], 2, "Say whose sessions end: users, or --all.\n"),
        (["ada"], 2, "ada is not an address, a domain or the id of a user.\n"),
    ],
)
def test_the_command_says_what_it_has_ended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, output: str
) -> None:
    path = tmp_path / "threads.sqlite"
    Database(f"sqlite:///{path}").close()
    environment = {"ASSISTANT_DATABASE_URL": f"sqlite:///{path}"}
    assert main(["end-sessions", *arguments], environment) == status
    captured = capsys.readouterr()
    assert captured.out + captured.err == output.format(path=path)


def test_the_command_creates_no_database(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "threads.sqlite"
    assert main(["end-sessions", "--all"], {"ASSISTANT_DATABASE_URL": f"sqlite:///{path}"}) == 2
    assert capsys.readouterr().err == f"There is no database {path}.\n"
    assert not path.exists()
