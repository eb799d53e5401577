"""A canary in every secret setting, and in typed text, is never visible on the page."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.backends.connection.override import ConnectionOverride
from tests.conftest import need
from tests.leaks import DATABASE, KEY, SECRETS, TYPED, database_rows, echo, leaks, scripts, server_urls
from tests.ports import free_port, served_metrics
from tests.servers.responses import ModelServer, error, text
from tests.ui.page import Open, ask, recording_of, session_of
from tests.ui.page import sent as all_sent
from tests.variants import quick_first

PANELS = ("run", "functions", "code", "faults")


def sent(page: AppTest) -> dict[str, str]:
    """Return what a page sends to the browser."""
    return {"page": all_sent(page)}


@pytest.fixture(params=quick_first([2, None]), ids=["two failures", "every failure"])
def failures(request: pytest.FixtureRequest) -> slice:
    """Which scripts of the server ``ask_with_failures`` plays."""
    return slice(request.param)


def ask_with_failures(
    page: AppTest, server: ModelServer, secret: str, failures: slice
) -> list[dict[str, str]]:
    """Return what the page sends for each script of the server; the scripts repeat the secret."""
    seen = []
    for script, _ in list(scripts(echo(secret)).values())[failures]:
        server.plays(*script)
        seen.append(sent(ask(page, "Hi")))
        server.drop_script()
    server.problems.clear()
    return seen


@pytest.mark.parametrize("where", quick_first(["key", "password"]))
def test_the_page_leaks_no_secret(
    server: ModelServer,
    open_page: Open,
    where: str,
    failures: slice,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "assistant")
    page = open_page(
        OPENAI_API_KEY=KEY,
        OPENAI_BASE_URL=server_urls(server.url)[where],
        ASSISTANT_DATABASE_URL=f"postgresql://me:{DATABASE}@127.0.0.1:1/none",
    )
    seen = [sent(page), *ask_with_failures(page, server, SECRETS[where], failures)]
    page.toggle(key="inspector").set_value(True).run()
    for panel in PANELS:
        page.segmented_control(key="inspector_tab").set_value(panel).run()
        seen.append(sent(page))
    page.button(key="open_connection").click().run()
    page.radio(key="connection").set_value("configured").run()
    seen.append(sent(page))
    output = capfd.readouterr()
    seen.append({"log": caplog.text, "output": output.out + output.err})
    assert [name for outputs in seen for name in leaks(outputs)] == []
    assert "Chats are not being saved" in seen[0]["page"]


@pytest.mark.exhaustive
def test_a_typed_key_is_never_sent_back_to_the_browser(
    server: ModelServer,
    open_page: Open,
    failures: slice,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG", "assistant")
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    server.models.append("m")
    page = open_page()
    page.button(key="open_connection").click().run()
    page.radio(key="connection").set_value("url").run()
    page.text_input(key="connection_url").set_value(server.url)
    page.text_input(key="connection_url_key").set_value(TYPED)
    seen: list[Any] = []
    for button in ("connection_test", "connection_use"):
        server.plays(error(401, "invalid_api_key", f"Incorrect API key provided: {echo(TYPED)}."))
        seen.append(sent(page.button(key=button).click().run()))
        server.drop_script()
    seen += ask_with_failures(page, server, TYPED, failures)
    assert any(each["authorization"] == f"Bearer {TYPED}" for each in server.headers), "it was used"
    assert [name for outputs in [*seen, {"log": caplog.text}] for name in leaks(outputs)] == []


LOGIN_PASSWORD = "canary-of-the-login"
AUTH = {
    "redirect_uri": "http://localhost:8501/oauth2callback",
    "cookie_secret": "canary-0123456789abcdef0123456789",
    "client_id": "us",
    "client_secret": "canary-of-the-client",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
ADA = {"is_logged_in": True, "iss": "https://id.example", "sub": "1", "email": "ada@example.org"}


@pytest.mark.exhaustive
@pytest.mark.parametrize("login", quick_first(["password", "sign-in", "half a sign-in"]))
def test_a_login_leaks_neither_its_secrets_nor_the_keys_of_its_users(
    server: ModelServer,
    open_page: Open,
    login: str,
    failures: slice,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG", "assistant")
    port = free_port()
    options: dict[str, Any] = {"ASSISTANT_LOG": "json", "ASSISTANT_LIMIT_ALL": "99 messages/day"}
    options["ASSISTANT_METRICS_PORT"] = str(port)
    if login == "password":
        options["ASSISTANT_PASSWORD"] = LOGIN_PASSWORD
    else:
        need(find_spec("authlib"), "Authlib (.ci/requirements.txt)")
        lacking = AUTH if login == "sign-in" else AUTH | {"client_id": ""}
        options |= {"ASSISTANT_ALLOWED": "*", "secrets": {"auth": lacking}, "user": ADA}
    page = open_page(OPENAI_BASE_URL=server_urls(server.url)["password"], OPENAI_API_KEY=KEY, **options)
    seen = [sent(page)]
    if login == "password":
        for password in ("canary-of-a-guess", LOGIN_PASSWORD):
            page.text_input(key="password").set_value(password)
            seen.append(sent(page.button(key="log_in").click().run()))
        # As in any form, the browser keeps what was typed until the form is accepted.
        assert leaks(seen.pop(1)) in ([], ["page"])
    if login != "half a sign-in":
        session_of(page).connection.override = ConnectionOverride(server.url, TYPED, "m")
        page.toggle(key="inspector").set_value(True).run()
        seen += ask_with_failures(page, server, TYPED, failures)
        assert any(each["authorization"] == f"Bearer {TYPED}" for each in server.headers), "it was used"
        session_of(page).connection.override = None
        server.plays(text("Hello."))
        seen.append(sent(ask(page, "Hi")))  # at the owner's expense
        recording = recording_of(page).as_lines()
        seen.append({"recording": recording, "rows": database_rows(f"sqlite:///{tmp_path}/threads.sqlite")})
        assert ("visitor_" in seen[-1]["rows"]) is (login == "password"), "it was counted"
    server.problems.clear()
    output = capfd.readouterr()
    seen.append({"log": caplog.text, "output": output.out + output.err, "metrics": served_metrics(port)})
    assert [name for outputs in seen for name in leaks(outputs)] == []
