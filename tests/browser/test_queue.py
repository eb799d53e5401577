"""Messages that wait above the input while an answer is being written."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import (
    IDLE,
    INPUT,
    INPUT_HAS_FOCUS,
    MESSAGE,
    begin_answer,
    last_message,
    open_page,
    say,
    wait_for,
)
from tests.servers.responses import ModelServer, call, calls, message, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_a_message_queued_in_one_tab_is_shown_in_another(
    model: ModelServer, browser: "Browser", page: "Page"
) -> None:
    gate = begin_answer(model, page)
    model.plays(text("The last."))
    page.wait_for_function("location.search.includes('thread=')")
    second = open_page(browser, page.url)
    wait_for(second, "One two")
    say(page, "And last?")
    second.wait_for_selector(".stBottom :text-is('And last?')")
    second.get_by_role("button", name="Return to the input").click()
    page.wait_for_selector(".stBottom :text-is('And last?')", state="detached")
    second.wait_for_function(f"document.querySelector('{INPUT}').value === 'And last?'")
    second.press(INPUT, "Enter")
    gate.set()
    for each in (page, second):
        wait_for(each, "The last.")
        each.wait_for_selector(IDLE)
    second.close()


def test_a_message_sent_now_goes_with_the_next_function_results(model: ModelServer, page: "Page") -> None:
    gate = threading.Event()
    first = calls(message("Adding."), call("calculate", expression="1+1"), gate=gate, gate_after=8)
    model.plays(first, text("In euros: 2."), text("The last."))
    say(page, "Add")
    wait_for(page, "Adding.")
    for words in ("And last?", "In euros"):
        say(page, words)
        page.wait_for_selector(f".stBottom :text-is('{words}')")
    assert page.get_by_role("button", name="Return to the input").count() == 2
    page.keyboard.press("Shift+Tab")
    page.locator(".st-key-send_now_1 button:visible").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Goes with the next function results").wait_for()
    assert page.locator(".stBottom [data-testid=stText]").all_inner_texts() == ["In euros", "And last?"]
    assert page.evaluate(INPUT_HAS_FOCUS)
    gate.set()
    wait_for(page, "The last.")
    page.wait_for_selector(IDLE)
    assert [each["input"][-1]["content"] for each in model.requests[-3:]] == ["Add", "In euros", "And last?"]
    assert [item["type"] for item in model.requests[-2]["input"][:1]] == ["function_call_output"]
    answer = page.locator(MESSAGE).nth(1).inner_text()
    assert "Continued below, with your message." in answer
    assert "The last." in last_message(page)
