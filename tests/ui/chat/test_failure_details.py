"""The details of an error, and the way to the settings that may mend it."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import RunFailed, ServerError
from assistant.messages import Message
from assistant.storage.serialization import message_as_json, message_from_json
from tests.backends.test_detect import answering
from tests.servers.responses import ModelServer, error, text
from tests.ui.page import Open, ask, session_of

KEY = "sk-canary-0123456789"


def details(page: AppTest) -> list[str]:
    return [each.code[0].value for each in page.main.expander if each.label == "Details"]


def failed(page: AppTest) -> RunFailed:
    ending = session_of(page).history[-1].ending
    assert isinstance(ending, RunFailed)
    return ending


@pytest.mark.usefixtures("local_visitor")
def test_an_error_shows_what_the_server_answered_without_the_key(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(error(401, "invalid_api_key", f"**Bad** key {KEY}.\nSee <b>docs</b>.", x_request_id="req_1"))
    page = ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY), "Hello?")
    [shown] = details(page)
    assert shown.startswith("HTTP status: 401\nRequest ID: req_1\n**Bad** key ")
    assert shown.endswith(" See <b>docs</b>.")
    assert KEY not in shown
    assert KEY not in json.dumps(message_as_json(session_of(page).history[-1]))


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("status", "code", "is_offered"),
    [(401, None, True), (403, None, True), (404, None, True), (400, None, False), (500, None, False)],
)
def test_the_connection_settings_are_offered_where_they_may_help(
    server: ModelServer, open_page: Open, status: int, code: str | None, is_offered: bool
) -> None:
    server.plays(error(status, code, x_should_retry="false"))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    buttons = [each for each in page.button if each.key == "failure_connection"]
    assert bool(buttons) == is_offered
    if buttons:
        assert buttons[0].label == "Connection settings"
        before = len(page.get("dialog"))
        buttons[0].click().run()
        assert len(page.get("dialog")) == before + 1


def test_an_error_without_details_has_no_empty_box(server: ModelServer, open_page: Open) -> None:
    server.plays(text("One two", ending="failed"))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    assert page.error
    assert details(page) == []


def test_details_are_stored_with_the_answer() -> None:
    ending = RunFailed("x", "It failed.", details=ServerError(500, "Oops.", "req_1"))
    stored = json.loads(json.dumps(message_as_json(Message("assistant", ending=ending))))
    again = message_from_json(stored).ending
    assert isinstance(again, RunFailed)
    assert again.details == ending.details


def test_a_web_page_instead_of_the_api_is_named_in_japanese(open_page: Open) -> None:
    with answering(200, b"<!doctype html><title>Welcome</title>", "text/html") as url:
        page = open_page(OPENAI_BASE_URL=url)
        page.segmented_control(key="language").set_value("ja").run()
        ask(page, "こんにちは")
    assert "ウェブページ" in page.error[0].value
    assert failed(page).code == "not_the_api"
    assert details(page) == []
    assert [each.label for each in page.main.expander] == ["詳細"]
