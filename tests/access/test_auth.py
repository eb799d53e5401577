"""Who may use the page: the sign-in rules and the login page."""

from importlib.util import find_spec
from typing import Any

import pytest
import streamlit as st

from assistant.access.auth import (
    ATTEMPT_SECONDS,
    ATTEMPT_SECONDS_OF_ALL,
    FREE_ATTEMPTS,
    FREE_ATTEMPTS_OF_ALL,
    LoginThrottle,
    User,
    authorize,
    client_of,
    config_error,
    list_providers,
    parse_allowed,
)
from assistant.errors import SettingsError
from assistant.settings import Settings
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


def test_one_who_guesses_does_not_lock_out_the_others() -> None:
    now = [0.0]
    throttle = LoginThrottle(lambda: now[0])
    for _ in range(1_000):  # as fast as it can, for days
        assert throttle.verify("guess", PASSWORD, "203.0.113.9") != "accepted"
        assert throttle.verify(PASSWORD, PASSWORD, "198.51.100.7") == "accepted"
        now[0] += ATTEMPT_SECONDS / 2
    results = [throttle.verify("guess", PASSWORD, "203.0.113.9") for _ in range(2)]
    assert results[-1] == "throttled"


def test_many_clients_together_are_throttled_too() -> None:
    now = [0.0]
    throttle = LoginThrottle(lambda: now[0])
    results = [throttle.verify("guess", PASSWORD, f"client {number}") for number in range(1_000)]
    assert results.count("rejected") == FREE_ATTEMPTS_OF_ALL
    assert throttle.verify(PASSWORD, PASSWORD, "another") == "throttled"
    now[0] += ATTEMPT_SECONDS_OF_ALL
    assert throttle.verify(PASSWORD, PASSWORD, "another") == "accepted"


@pytest.mark.parametrize(
    ("address", "forwarded_for", "expected"),
    [
        ("93.184.216.34", [], "93.184.216.34"),
        ("93.184.216.34", ["198.51.100.7"], "93.184.216.34"),  # the client wrote it
        (None, [], "127.0.0.1"),
        (None, ["198.51.100.7"], "198.51.100.7"),
        ("172.17.0.2", ["1.1.1.1, 2.2.2.2", "198.51.100.7"], "198.51.100.7"),  # the proxy's comes last
        ("172.17.0.2", ["what"], "172.17.0.2"),
        ("2001:4860:1:2:3:4:5:6", [], "2001:4860:1:2::/64"),
        ("::ffff:93.184.216.34", [], "93.184.216.34"),
        ("what", [], ""),
    ],
)
def test_a_client_is_known_by_an_address_that_it_cannot_choose(
    address: str | None, forwarded_for: list[str], expected: str
) -> None:
    assert client_of(address, forwarded_for) == expected


def test_a_short_password_is_refused_without_showing_it() -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_PASSWORD": "canary"})
    assert str(caught.value) == "ASSISTANT_PASSWORD is too short. Use at least 8 characters."
    assert PASSWORD not in repr(Settings.load({"ASSISTANT_PASSWORD": PASSWORD}))


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
