"""A function that runs while the model writes: beside the text, across a reload, and while the user asks on."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, MESSAGE, STOP, open_page, say, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

STEP = "[data-testid=stExpander]"
FARES = "Search fares to Oslo and write me a packing list meanwhile"


def step(page: "Page") -> str:
    return page.locator(STEP, has_text="search_fares").last.inner_text()


def test_time_and_progress_run_beside_the_growing_text_and_the_result_follows(
    browser: "Browser", demo_app: str
) -> None:
    page = open_page(browser, demo_app)
    say(page, FARES)
    wait_for(page, "To wear")
    page.wait_for_function("document.body.innerText.includes('1 of 5')")
    early = page.locator(MESSAGE).last.inner_text()
    page.wait_for_function("document.body.innerText.includes('2 of 5')")
    later = page.locator(MESSAGE).last.inner_text()
    assert len(later) > len(early)
    assert " s · " in step(page)
    page.reload()
    wait_for(page, "Continued with the result of search_fares.")
    page.wait_for_selector(IDLE)
    last = page.locator(MESSAGE).last.inner_text()
    assert last.count("To wear") == last.count("Lark Flights") == 1
    assert page.locator(STEP, has_text="search_fares").count() == 1
    page.close()


def test_a_message_is_answered_while_the_function_runs_and_its_result_follows(
    browser: "Browser", demo_app: str
) -> None:
    page = open_page(browser, demo_app)
    say(page, "Search fares to Oslo")
    wait_for(page, "2 of 5")
    say(page, "What is 12*7+3?")
    wait_for(page, "87")
    assert "in the background" in step(page)
    wait_for(page, "Waiting for search_fares")
    wait_for(page, "Lark Flights")
    page.wait_for_selector(IDLE)
    assert "in the background" not in step(page)
    assert page.locator(MESSAGE).count() == 4
    page.close()


def test_stop_ends_the_call(browser: "Browser", demo_app: str) -> None:
    page = open_page(browser, demo_app)
    say(page, "Search fares to Oslo")
    wait_for(page, "1 of 5")
    page.click(STOP)
    wait_for(page, "Stopped.")
    page.locator(STEP, has_text="search_fares").filter(has_text="stopped").wait_for()
    page.close()
