"""Who may come in: the rules, and the door as it is drawn."""

from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from assistant.access.auth import EVERY, FREE, Lock, User, allowed, problem, providers, user
from assistant.errors import SettingsError
from assistant.settings import Settings
from assistant.ui.sidebar import is_localhost
from tests.conftest import need
from tests.servers.responses import ModelServer, text
from tests.ui.page import Open, ask, sent, shown

PASSWORD = "canary sésame 🔑"
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "us",
    "client_secret": "secret",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
ADA = {"iss": "https://id.example", "sub": "1", "email": "ada@example.org", "email_verified": True}


# --- sign-in: the rules -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "who"),
    [
        ({}, ["ada@example.org"]),
        ({}, ["@example.org"]),
        ({}, ["x@example.org", "@example.com", "*"]),
        ({"email": "ADA@Example.ORG"}, ["ada@example.org"]),
        ({"email_verified": "true"}, ["@example.org"]),
        ({"email": "", "email_verified": False}, ["*"]),
    ],
)
def test_who_is_on_the_list_comes_in(claims: dict[str, Any], who: list[str]) -> None:
    assert isinstance(user(ADA | claims, who), User)


def test_a_provider_that_says_nothing_of_verification_is_believed() -> None:
    assert isinstance(user({"iss": "i", "sub": "s", "email": "ada@example.org"}, ["ada@example.org"]), User)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"email": "eve@example.org"}, "eve@example.org is not among those who may come in."),
        ({"email": "ada@example.org.evil.example"}, None),
        ({"email": "ada@example.com@evil.example"}, None),
        ({"email": "ada@evil.example@example.net"}, None),
        ({"email": "ada@sub.example.com"}, None),
        ({"email": "ada@example.org "}, None),
        ({"email": "ada@EXAMPLE.COM\n"}, None),
        ({"email": "\u212aai@\u212a.example"}, None),  # the Kelvin sign is no K of an address
        ({"email": "example.com"}, None),
        ({"email": "@example.com"}, None),
        ({"email": "*"}, None),
        ({"email": "@example.com\ud800"}, None),
        ({"email": None}, "The provider does not tell your e-mail address, so you cannot come in."),
        ({"email": ["ada@example.org"]}, None),
        ({"email_verified": False}, "ada@example.org is not verified, so you cannot come in."),
        ({"email_verified": "false"}, "ada@example.org is not verified, so you cannot come in."),
        ({"email_verified": None}, "ada@example.org is not verified, so you cannot come in."),
        ({"sub": ""}, "The provider does not say who you are, so you cannot come in."),
        ({"iss": 7}, "The provider does not say who you are, so you cannot come in."),
    ],
)  # fmt: skip
def test_who_is_not_stays_out_and_is_told_why(claims: dict[str, Any], words: str | None) -> None:
    found = user(ADA | claims, allowed("ada@example.org, @example.com, @k.example"))
    assert not isinstance(found, User)
    assert words is None or str(found) == words


def test_a_person_is_the_same_for_good_whatever_their_name_and_another_with_another_issuer() -> None:
    found = user(ADA, ["*"])
    assert isinstance(found, User)
    assert (len(found.id), found.name) == (64, "ada@example.org")
    named = user(ADA | {"email": "lovelace@example.org", "name": "Ada"}, ["*"])
    assert named == User(found.id, "Ada")
    others = [user(ADA | other, ["*"]) for other in ({"iss": "https://id.example1", "sub": ""}, {"sub": "2"})]
    others.append(user(ADA | {"iss": "https://id.exampl", "sub": "e1"}, ["*"]))
    assert found.id not in [getattr(other, "id", "") for other in others]


@pytest.mark.parametrize("entry", ["example.com", "ada@", "@", "a@b@c", "ada @example.org", "**", "a@b\x00"])
def test_a_list_with_something_else_on_it_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_ALLOWED": f"ada@example.org, {entry}"})
    assert str(caught.value) == (
        f"ASSISTANT_ALLOWED holds {entry!r}. Set addresses and domains with commas between them, such as "
        "ada@example.org, @example.com."
    )


@pytest.mark.parametrize(
    ("password", "who", "auth", "authlib", "words"),
    [
        ("", (), None, False, None),
        (PASSWORD, (), None, False, None),
        ("", ("*",), AUTH, True, None),
        ("", ("*",), {**AUTH, "client_id": "", "okta": AUTH}, True, "lacks client_id."),
        ("", ("*",), {"redirect_uri": "x", "cookie_secret": "y", "okta": AUTH}, True, None),
        ("", ("*",), AUTH, False, "Authlib is not installed"),
        ("", ("*",), None, True, "have no [auth] section"),
        ("", (), AUTH, True, "set ASSISTANT_ALLOWED"),
        ("", (), {}, True, "set ASSISTANT_ALLOWED"),
        ("", ("*",), {}, True, "redirect_uri, cookie_secret, client_id, client_secret, server_metadata_url."),
        ("", ("*",), {**AUTH, "okta": {}}, True, "lacks okta.client_id, okta.client_secret, okta.server_"),
        (PASSWORD, ("*",), AUTH, True, "one of them is gone"),
        (PASSWORD, (), AUTH, True, "one of them is gone"),
        (PASSWORD, ("*",), None, True, "one of them is gone"),
    ],
)  # fmt: skip
def test_what_is_not_configured_wholly_is_one_sentence(
    password: str, who: tuple[str, ...], auth: dict[str, Any] | None, authlib: bool, words: str | None
) -> None:
    found = problem(password, who, auth, authlib=authlib)
    assert found is None if words is None else words in str(found)


def test_the_providers_are_those_of_streamlits_section() -> None:
    assert providers(AUTH) == [""]
    assert providers({**AUTH, "client_kwargs": {"prompt": "login"}}) == [""]
    assert providers({"okta": AUTH, "google": AUTH}) == ["okta", "google"]
    assert providers({}) == [""]


# --- the password -----------------------------------------------------------------------------------


def test_a_password_is_right_or_wrong_and_guesses_have_to_wait() -> None:
    now = [0.0]
    lock = Lock(lambda: now[0])
    assert lock.tried(PASSWORD, PASSWORD) == "right"
    for guess in ["", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "\x00", "\ud800", "x" * 1_000_000]:
        assert lock.tried(guess, PASSWORD) == "wrong"
    tried = [lock.tried("guess", PASSWORD) for _ in range(100)]
    assert tried.count("wrong") == FREE - 7
    assert set(tried[FREE - 7 :]) == {"later"}
    assert lock.tried(PASSWORD, PASSWORD) == "later", "or a guess could be told by its answer"
    now[0] += EVERY
    assert lock.tried(PASSWORD, PASSWORD) == "right"
    assert [lock.tried("guess", PASSWORD) for _ in range(2)] == ["wrong", "later"]
    now[0] += 1e9
    assert [lock.tried("guess", PASSWORD) for _ in range(FREE + 1)].count("wrong") == FREE


def test_a_password_that_is_too_short_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_PASSWORD": "canary"})
    assert str(caught.value) == "ASSISTANT_PASSWORD is too short. Set one of 8 characters or more."
    assert PASSWORD not in repr(Settings.load({"ASSISTANT_PASSWORD": PASSWORD}))


# --- at home ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "peer", "more", "at_home"),
    [
        ("localhost:8501", None, {}, True),  # Streamlit has None for 127.0.0.1 and ::1
        ("[::1]:8501", "127.0.0.2", {}, True),
        ("127.0.0.1:8501", "::ffff:127.0.0.1", {}, True),
        ("localhost:8501", "203.0.113.9", {}, False),  # anybody can ask for a host by this name
        ("localhost:8501", "172.17.0.1", {}, False),
        ("localhost:8501", "what", {}, False),
        ("localhost:8501", None, {"X-Forwarded-For": "203.0.113.9"}, False),
        ("localhost:8501", None, {"Forwarded": "for=203.0.113.9"}, False),
        ("localhost:8501", None, {"x-forwarded-for": ""}, False),  # a proxy all the same
        ("localhost:8501", None, {"X-Forwarded-For": "127.0.0.1"}, False),  # who asks may have written it
        ("localhost:8501", None, {"X-Forwarded-Proto": "https"}, False),
        ("localhost:8501", None, {"Cf-Connecting-Ip": "203.0.113.9"}, False),
        ("localhost:8501", None, {"Origin": "http://localhost:8501"}, True),
        ("localhost", None, {"Origin": "http://localhost"}, True),
        ("[::1]:8501", "::1", {"Origin": "http://[::1]:8501"}, True),
        # Many a proxy asks by the name that it knows the page by, and adds nothing (nginx, as it comes).
        ("localhost:8501", None, {"Origin": "https://chat.example"}, False),
        ("localhost:8501", None, {"Origin": "null"}, False),
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
def test_at_home_is_who_sits_at_the_machine_whatever_their_browser_says(
    monkeypatch: pytest.MonkeyPatch, host: str, peer: str | None, more: dict[str, str], at_home: bool
) -> None:
    seen = SimpleNamespace(headers={"Host": host, **more}, ip_address=peer)
    monkeypatch.setattr(st, "context", seen)
    assert is_localhost() is at_home


# --- the door on the page ---------------------------------------------------------------------------


def test_with_a_password_nothing_but_the_door_is_drawn_until_it_is_typed(
    server: ModelServer, open_page: Open
) -> None:
    page = open_page(OPENAI_BASE_URL=server.url, ASSISTANT_PASSWORD=PASSWORD)
    assert not page.chat_input
    assert not page.sidebar.children
    page.text_input(key="password").set_value("guess")
    page.button(key="come_in").click().run()
    assert [each.value for each in page.error] == ["This is not the password\\."]
    assert not page.chat_input
    page.text_input(key="password").set_value(PASSWORD)
    page.button(key="come_in").click().run()
    assert not page.text_input
    server.plays(text("Hello."))
    assert shown(ask(page, "Hi"))[1] == ("assistant", [("markdown", "Hello.")])
    assert PASSWORD not in sent(page)
    assert "password" not in page.session_state
    # Another session has typed nothing, and another password shuts the door again.
    assert not open_page().chat_input
    assert open_page(ASSISTANT_PASSWORD="another password").text_input
    assert not page.run().chat_input


def test_too_many_wrong_tries_shut_the_door_for_a_while(open_page: Open) -> None:
    page = open_page(ASSISTANT_PASSWORD=PASSWORD)
    for _ in range(FREE + 1):
        page.text_input(key="password").set_value("guess")
        page.button(key="come_in").click().run()
    assert [each.value for each in page.error] == [
        "There were too many wrong tries\\. Wait a few seconds and try again\\."
    ]
    assert not page.chat_input


@pytest.mark.parametrize(
    "settings",
    [
        {"ASSISTANT_ALLOWED": "*"},
        {"ASSISTANT_PASSWORD": PASSWORD, "ASSISTANT_ALLOWED": "*"},
        {"secrets": {"auth": AUTH}},
        {"ASSISTANT_ALLOWED": "*", "secrets": {"auth": "on"}},
    ],
)
def test_a_door_that_is_half_configured_stays_shut(open_page: Open, settings: dict[str, Any]) -> None:
    page = open_page(user={"is_logged_in": True, **ADA}, **settings)
    assert len(page.error) == 1
    assert not page.chat_input
    assert not page.exception


def test_who_is_not_signed_in_is_asked_to_and_who_is_not_on_the_list_stays_out(open_page: Open) -> None:
    need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")
    sign_in: dict[str, Any] = {"ASSISTANT_ALLOWED": "ada@example.org", "secrets": {"auth": AUTH}}
    page = open_page(**sign_in)
    assert [each.key for each in page.button] == ["sign_in_"]
    page = open_page(user={"is_logged_in": False, **ADA}, **sign_in)
    assert [each.key for each in page.button] == ["sign_in_"]
    page = open_page(user={"is_logged_in": True, **ADA, "email": "eve@example.org"}, **sign_in)
    assert [each.value for each in page.error] == ["eve@example\\.org is not among those who may come in\\."]
    assert [each.key for each in page.button] == ["sign_out"]
    page = open_page(user={"is_logged_in": True, **ADA, "name": "Ada *"}, **sign_in)
    assert page.chat_input
    assert page.sidebar.caption[0].value == ":material/person: Ada \\*"
    assert not page.exception
    st.cache_resource.clear()
