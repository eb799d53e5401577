"""Who may use the page: the sign-in rules and the login page."""

from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st

from assistant.access.auth import (
    ATTEMPT_SECONDS,
    FREE_ATTEMPTS,
    LoginThrottle,
    User,
    authorize,
    config_error,
    is_localhost,
    list_providers,
    parse_allowed,
)
from assistant.errors import SettingsError
from assistant.settings import Settings
from assistant.ui.page import login
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
    ("claims", "allowed"),
    [
        ({}, ["ada@example.org"]),
        ({}, ["@example.org"]),
        ({}, ["x@example.org", "@example.com", "*"]),
        ({"email": "ADA@Example.ORG"}, ["ada@example.org"]),
        ({"email_verified": "true"}, ["@example.org"]),
        ({"email": "", "email_verified": False}, ["*"]),
    ],
)
def test_an_allowed_user_may_log_in(claims: dict[str, Any], allowed: list[str]) -> None:
    assert isinstance(authorize(ADA | claims, allowed), User)


def test_an_address_without_a_verification_claim_is_accepted() -> None:
    assert isinstance(
        authorize({"iss": "i", "sub": "s", "email": "ada@example.org"}, ["ada@example.org"]), User
    )


@pytest.mark.parametrize(
    ("claims", "message"),
    [
        ({"email": "eve@example.org"}, "eve@example.org is not allowed to log in."),
        ({"email": "ada@example.org.evil.example"}, None),
        ({"email": "ada@example.com@evil.example"}, None),
        ({"email": "ada@evil.example@example.net"}, None),
        ({"email": "ada@sub.example.com"}, None),
        ({"email": "ada@example.org "}, None),
        ({"email": "ada@EXAMPLE.COM\n"}, None),
        ({"email": "\u212aai@\u212a.example"}, None),  # the Kelvin sign is not the letter K
        ({"email": "example.com"}, None),
        ({"email": "@example.com"}, None),
        ({"email": "*"}, None),
        ({"email": "@example.com\ud800"}, None),
        ({"email": None}, "Your sign-in provider does not share your e-mail address, so you cannot log in."),
        ({"email": ["ada@example.org"]}, None),
        ({"email_verified": False}, "ada@example.org is not verified, so you cannot log in."),
        ({"email_verified": "false"}, "ada@example.org is not verified, so you cannot log in."),
        ({"email_verified": None}, "ada@example.org is not verified, so you cannot log in."),
        ({"sub": ""}, "Your sign-in provider does not say who you are, so you cannot log in."),
        ({"iss": 7}, "Your sign-in provider does not say who you are, so you cannot log in."),
    ],
)  # fmt: skip
def test_any_other_user_is_refused_with_a_reason(claims: dict[str, Any], message: str | None) -> None:
    result = authorize(ADA | claims, parse_allowed("ada@example.org, @example.com, @k.example"))
    assert not isinstance(result, User)
    assert message is None or str(result) == message


def test_issuer_and_subject_identify_a_user() -> None:
    found = authorize(ADA, ["*"])
    assert isinstance(found, User)
    assert (len(found.id), found.name) == (64, "ada@example.org")
    named = authorize(ADA | {"email": "lovelace@example.org", "name": "Ada"}, ["*"])
    assert named == User(found.id, "Ada")
    others = [
        authorize(ADA | other, ["*"]) for other in ({"iss": "https://id.example1", "sub": ""}, {"sub": "2"})
    ]
    others.append(authorize(ADA | {"iss": "https://id.exampl", "sub": "e1"}, ["*"]))
    assert found.id not in [getattr(other, "id", "") for other in others]


@pytest.mark.parametrize("entry", ["example.com", "ada@", "@", "a@b@c", "ada @example.org", "**", "a@b\x00"])
def test_a_list_of_allowed_users_with_anything_else_is_refused(entry: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_ALLOWED": f"ada@example.org, {entry}"})
    assert str(caught.value) == (
        f"ASSISTANT_ALLOWED contains {entry!r}. Set addresses and domains, separated by commas, such as "
        "ada@example.org, @example.com."
    )


@pytest.mark.parametrize(
    ("password", "allowed", "auth", "authlib", "message"),
    [
        ("", (), None, False, None),
        (PASSWORD, (), None, False, None),
        ("", ("*",), AUTH, True, None),
        ("", ("*",), {**AUTH, "client_id": "", "okta": AUTH}, True, "lacks client_id."),
        ("", ("*",), {"redirect_uri": "x", "cookie_secret": "y", "okta": AUTH}, True, None),
        ("", ("*",), AUTH, False, "needs Authlib, which is not installed"),
        ("", ("*",), None, True, "have no [auth] section"),
        ("", (), AUTH, True, "Set ASSISTANT_ALLOWED"),
        ("", (), {}, True, "Set ASSISTANT_ALLOWED"),
        ("", ("*",), {}, True, "redirect_uri, cookie_secret, client_id, client_secret, server_metadata_url."),
        ("", ("*",), {**AUTH, "okta": {}}, True, "lacks okta.client_id, okta.client_secret, okta.server_"),
        (PASSWORD, ("*",), AUTH, True, "Remove one of them"),
        (PASSWORD, (), AUTH, True, "Remove one of them"),
        (PASSWORD, ("*",), None, True, "Remove one of them"),
    ],
)  # fmt: skip
def test_an_incomplete_configuration_is_explained_in_one_sentence(
    password: str, allowed: tuple[str, ...], auth: dict[str, Any] | None, authlib: bool, message: str | None
) -> None:
    error = config_error(password, allowed, auth, authlib=authlib)
    assert error is None if message is None else message in str(error)


def test_providers_are_listed_as_streamlit_names_them() -> None:
    assert list_providers(AUTH) == [""]
    assert list_providers({**AUTH, "client_kwargs": {"prompt": "login"}}) == [""]
    assert list_providers({"okta": AUTH, "google": AUTH}) == ["okta", "google"]
    assert list_providers({}) == [""]


# --- the password -----------------------------------------------------------------------------------


def test_wrong_passwords_are_throttled() -> None:
    now = [0.0]
    throttle = LoginThrottle(lambda: now[0])
    assert throttle.verify(PASSWORD, PASSWORD) == "accepted"
    for guess in ["", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), "\x00", "\ud800", "x" * 1_000_000]:
        assert throttle.verify(guess, PASSWORD) == "rejected"
    results = [throttle.verify("guess", PASSWORD) for _ in range(100)]
    assert results.count("rejected") == FREE_ATTEMPTS - 7
    assert set(results[FREE_ATTEMPTS - 7 :]) == {"throttled"}
    assert throttle.verify(PASSWORD, PASSWORD) == "throttled", "or the answer would reveal a correct guess"
    now[0] += ATTEMPT_SECONDS
    assert throttle.verify(PASSWORD, PASSWORD) == "accepted"
    assert [throttle.verify("guess", PASSWORD) for _ in range(2)] == ["rejected", "throttled"]
    now[0] += 1e9
    assert [throttle.verify("guess", PASSWORD) for _ in range(FREE_ATTEMPTS + 1)].count(
        "rejected"
    ) == FREE_ATTEMPTS


def test_a_short_password_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_PASSWORD": "canary"})
    assert str(caught.value) == "ASSISTANT_PASSWORD is too short. Use at least 8 characters."
    assert PASSWORD not in repr(Settings.load({"ASSISTANT_PASSWORD": PASSWORD}))


# --- local visitors ----------------------------------------------------------------------------------------


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
def test_only_a_direct_local_connection_is_localhost(
    monkeypatch: pytest.MonkeyPatch, host: str, address: str | None, more: dict[str, str], expected: bool
) -> None:
    headers = {"Host": host, **more}
    assert is_localhost(headers, address) is expected
    monkeypatch.setattr(st, "context", SimpleNamespace(headers=headers, ip_address=address))
    assert login.is_localhost() is expected


# --- the login on the page ---------------------------------------------------------------------------


def test_nothing_but_the_login_is_drawn_until_the_password_is_entered(
    server: ModelServer, open_page: Open
) -> None:
    page = open_page(OPENAI_BASE_URL=server.url, ASSISTANT_PASSWORD=PASSWORD)
    assert not page.chat_input
    assert not page.sidebar.children
    page.text_input(key="password").set_value("guess")
    page.button(key="log_in").click().run()
    assert [each.value for each in page.error] == ["Wrong password\\."]
    assert not page.chat_input
    page.text_input(key="password").set_value(PASSWORD)
    page.button(key="log_in").click().run()
    assert not page.text_input
    server.plays(text("Hello."))
    assert shown(ask(page, "Hi"))[1] == ("assistant", [("markdown", "Hello.")])
    assert PASSWORD not in sent(page)
    assert "password" not in page.session_state
    # Another session is not logged in, and another password logs everyone out.
    assert not open_page().chat_input
    assert open_page(ASSISTANT_PASSWORD="another password").text_input
    assert not page.run().chat_input


def test_too_many_wrong_passwords_block_the_login_for_a_while(open_page: Open) -> None:
    page = open_page(ASSISTANT_PASSWORD=PASSWORD)
    for _ in range(FREE_ATTEMPTS + 1):
        page.text_input(key="password").set_value("guess")
        page.button(key="log_in").click().run()
    assert [each.value for each in page.error] == [
        "Too many wrong attempts\\. Wait a few seconds and try again\\."
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
def test_an_incomplete_configuration_keeps_everyone_out(open_page: Open, settings: dict[str, Any]) -> None:
    page = open_page(user={"is_logged_in": True, **ADA}, **settings)
    assert len(page.error) == 1
    assert not page.chat_input
    assert not page.exception


def test_a_visitor_is_asked_to_sign_in_and_let_in_if_allowed(open_page: Open) -> None:
    need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")
    sign_in: dict[str, Any] = {"ASSISTANT_ALLOWED": "ada@example.org", "secrets": {"auth": AUTH}}
    page = open_page(**sign_in)
    assert [each.key for each in page.button] == ["sign_in_"]
    page = open_page(user={"is_logged_in": False, **ADA}, **sign_in)
    assert [each.key for each in page.button] == ["sign_in_"]
    page = open_page(user={"is_logged_in": True, **ADA, "email": "eve@example.org"}, **sign_in)
    assert [each.value for each in page.error] == ["eve@example\\.org is not allowed to log in\\."]
    assert [each.key for each in page.button] == ["sign_out"]
    page = open_page(user={"is_logged_in": True, **ADA, "name": "Ada *"}, **sign_in)
    assert page.chat_input
    assert ":material/person: Ada \\*" in [each.value for each in page.sidebar.caption]
    assert not page.exception
    st.cache_resource.clear()
