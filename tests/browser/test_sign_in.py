"""Users sign in with a real provider on the real page, in a real browser."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("authlib", reason="needs Authlib; see .ci/run")

from tests.browser.driver import INPUT, answer, serve
from tests.browser.test_sessions import end_sessions
from tests.servers.identity import CLIENT, SECRET, IdentityServer
from tests.servers.responses import ModelServer, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.exhaustive]

PEOPLE = {
    "ada": {"sub": "1", "email": "Ada@Example.org", "email_verified": True, "name": "Ada Lovelace"},
    "bob": {"sub": "2", "email": "bob@example.com", "email_verified": True, "name": "Bob"},
    "eve": {"sub": "3", "email": "eve@example.net", "email_verified": True},
    "mallory": {"sub": "4", "email": "ada@example.org", "email_verified": False},
}
SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "canary-0123456789abcdef0123456789abcdef"
client_id = "{client}"
client_secret = "{secret}"
server_metadata_url = "{url}/.well-known/openid-configuration"
"""


@dataclass(frozen=True)
class App:
    url: str
    model: ModelServer
    folder: Path


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with ModelServer() as model, IdentityServer(PEOPLE) as provider, socket.create_server(("", 0)) as free:
        port = free.getsockname()[1]
        secrets = tmp_path / "secrets.toml"
        secrets.write_text(SECRETS.format(port=port, client=CLIENT, secret=SECRET, url=provider.url))
        free.close()
        flags = [f"--server.port={port}", f"--secrets.files={secrets}"]
        allowed = "ada@example.org, @example.com"
        settings: dict[str, Any] = {
            "OPENAI_BASE_URL": model.url,
            "ASSISTANT_ALLOWED": allowed,
            "ASSISTANT_AUDIT_LOG": str(tmp_path / "audit.jsonl"),
        }
        for url in serve(tmp_path, flags=flags, **settings):
            yield App(url, model, tmp_path)


def sign_in(browser: "Browser", url: str, name: str) -> "Page":
    """Return the page of a new browser in which this user has signed in."""
    page = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
    page.set_default_timeout(20_000)
    page.goto(url)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name=name).click()
    return page


def test_two_signed_in_users_are_separate(browser: "Browser", app: App) -> None:
    app.model.plays(text("For Ada alone."))
    ada = sign_in(browser, app.url, "ada")
    ada.wait_for_selector(INPUT)
    ada.get_by_test_id("stSidebar").get_by_text("Ada Lovelace").wait_for()
    ada.fill(INPUT, "Hush")
    ada.press(INPUT, "Enter")
    ada.get_by_text("For Ada alone.", exact=True).wait_for()
    ada.wait_for_url("**thread=**")

    bob = sign_in(browser, app.url, "bob")
    bob.wait_for_selector(INPUT)
    bob.goto(ada.url)
    bob.get_by_text("That chat doesn't exist. Started a new one.").wait_for()
    assert "Hush" not in bob.content()
    assert "For Ada alone." not in bob.content()

    ada.reload()
    ada.get_by_text("For Ada alone.", exact=True).wait_for()
    ada.get_by_role("button", name="Sign out").click()
    ada.get_by_role("button", name="Sign in").wait_for()
    ada.goto(app.url)
    ada.get_by_role("button", name="Sign in").wait_for()
    assert "Hush" not in ada.content()


def test_unlisted_and_unverified_users_are_refused(browser: "Browser", app: App) -> None:
    for name, words in (
        ("eve", "eve@example.net is not allowed to log in."),
        ("mallory", "ada@example.org is not verified, so you cannot log in."),
    ):
        page = sign_in(browser, app.url, name)
        page.get_by_text(words).wait_for()
        assert page.locator(INPUT).count() == 0
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("button", name="Sign in").wait_for()


def test_one_user_has_to_sign_in_again_and_the_other_stays(browser: "Browser", app: App) -> None:
    ada, bob = sign_in(browser, app.url, "ada"), sign_in(browser, app.url, "bob")
    for page in (ada, bob):
        page.wait_for_selector(INPUT)
    time.sleep(1.1)  # the provider's time is in whole seconds
    end_sessions(app.folder, "ada@example.org")
    for _ in range(2):  # the open page, and again with the same cookie
        ada.get_by_text("Your session has ended. Log in again.").wait_for()
        assert ada.locator(INPUT).count() == 0
        ada.reload()
    assert bob.locator(INPUT).count() == 1
    time.sleep(1.1)
    ada.get_by_role("button", name="Sign in").click()
    ada.get_by_role("link", name="ada").click()
    ada.wait_for_selector(INPUT)


def test_an_export_is_in_the_audit_log_and_a_dialog_ends_with_its_session(
    browser: "Browser", app: App
) -> None:
    app.model.plays(text("Canary of the answer."))
    page = sign_in(browser, app.url, "ada")
    page.wait_for_selector(INPUT)
    answer(page, "Hush", "Canary of the answer.")
    page.get_by_role("button", name="Options for Hush").click()
    page.get_by_role("option", name="Export").or_(page.get_by_text("Export", exact=True)).first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Markdown").click()
    assert "Canary of the answer." in download.value.path().read_text()
    time.sleep(1.1)
    end_sessions(app.folder, "@example.org")
    page.get_by_text("Your session has ended. Log in again.").wait_for()
    assert page.get_by_role("dialog").count() == 0
    entries = [json.loads(line) for line in (app.folder / "audit.jsonl").read_text().splitlines()]
    assert [(each["event"], each["user"], each["client"]) for each in entries] == [
        ("access_configured", "", ""),
        ("login_succeeded", "Ada@Example.org", "127.0.0.1"),
        ("chat_exported", "Ada@Example.org", "127.0.0.1"),
        ("sessions_ended", "command line", ""),
        ("session_ended", "Ada@Example.org", "127.0.0.1"),
    ]
    assert "Canary" not in repr(entries)


def test_another_secret_of_the_cookies_sends_open_pages_to_sign_in(browser: "Browser", app: App) -> None:
    page = sign_in(browser, app.url, "ada")
    page.wait_for_selector(INPUT)
    secrets = app.folder / "secrets.toml"
    secrets.write_text(secrets.read_text().replace("canary-0123456789abcdef", "canary-of-another-secret"))
    page.get_by_text("Your session has ended. Log in again.").wait_for()
    assert page.locator(INPUT).count() == 0
    page.reload()
    page.get_by_role("button", name="Sign in").wait_for()
