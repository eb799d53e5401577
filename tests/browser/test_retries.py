"""A request that is tried again, as the user sees it in a real browser."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, say, wait_for
from tests.servers.responses import ModelServer, error, text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_the_page_says_that_it_tries_again_and_then_how_often(model: ModelServer, page: "Page") -> None:
    model.plays(error(503, None, retry_after="3"), text("Here I am."))
    say(page, "Hello?")
    wait_for(page, "The server answered with HTTP status 503. Trying again (1 of 2)")
    wait_for(page, "Here I am.")
    page.wait_for_selector(IDLE)
    wait_for(page, "· 1 retry")
    assert page.get_by_text("Trying again").count() == 0


def test_stop_during_the_wait_sends_nothing_more(model: ModelServer, page: "Page") -> None:
    before = len(model.requests)
    model.plays(error(429, None, retry_after="2"), text("And here I am."))
    say(page, "Hello?")
    wait_for(page, "Too many requests. Trying again")
    page.get_by_role("button", name="Stop").first.click()
    wait_for(page, "Stopped.")
    assert len(model.requests) == before + 1
    say(page, "And now?")
    wait_for(page, "And here I am.")
    assert len(model.requests) == before + 2
