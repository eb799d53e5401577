"""A response that arrives over a WebSocket connection is steered from the page."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, MESSAGE, begin_answer, last_message, say, serve, wait_for
from tests.servers.responses import text
from tests.servers.websocket import WebSocketServer

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def one_server() -> Iterator[WebSocketServer]:
    with WebSocketServer() as server:
        yield server


@pytest.fixture(scope="module")
def app(one_server: WebSocketServer, app_folder: Path) -> Iterator[str]:
    yield from serve(app_folder, OPENAI_BASE_URL=one_server.url, ASSISTANT_RESPONSES_TRANSPORT="websocket")


def test_a_message_sent_now_is_answered_in_the_middle(model: WebSocketServer, page: "Page") -> None:
    gate = begin_answer(model, page)
    model.plays(text("Un deux."))
    say(page, "In French")
    page.locator(".st-key-send_now_0 button:visible").click()
    page.get_by_text("Sent to the model").wait_for()
    assert not page.locator(":is(.st-key-take_back_0, .st-key-send_now_0) button:visible").count()
    gate.set()
    wait_for(page, "Un deux.")
    page.wait_for_selector(IDLE)
    assert "Continued below, with your message." in page.locator(MESSAGE).nth(1).inner_text()
    assert "Un deux." in last_message(page)
    assert [each["type"] for each in model.messages] == ["response.create", "response.steer"]
