"""The input in a real browser: its focus, Stop in the place of Send, and what a silent server looks like."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import (
    IDLE,
    INPUT,
    INPUT_HAS_FOCUS,
    MESSAGE,
    STOP,
    answer,
    begin_answer,
    open_page,
    say,
    wait_for,
)
from tests.servers.responses import ModelServer, call, calls, cut, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

SEND = "[data-testid=stChatInputSubmitButton]"


def test_the_input_has_the_focus_on_load_in_a_new_chat_and_after_stop(
    model: ModelServer, page: "Page"
) -> None:
    page.wait_for_function(INPUT_HAS_FOCUS)
    model.plays(cut(text("One two three four"), 6, "silence"))
    page.keyboard.type("Count")
    page.keyboard.press("Enter")
    wait_for(page, "One two")
    page.click(STOP)
    wait_for(page, "Stopped.")
    page.wait_for_selector(IDLE)
    assert page.evaluate(INPUT_HAS_FOCUS)
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector(".st-key-examples")
    page.wait_for_function(INPUT_HAS_FOCUS)
    page.reload()
    page.wait_for_function(INPUT_HAS_FOCUS)


def test_the_input_gets_the_focus_of_a_button_that_disappears(model: ModelServer, page: "Page") -> None:
    booking = call("book_hotel", hotel_id=11, guest="Ada", check_in="2027-01-01", nights=1)
    model.plays(calls(booking), text("Booked."), text("Again."))
    page.locator(".st-key-example_1 button").click()
    allow = page.get_by_role("button", name="Allow", exact=True)
    allow.wait_for()
    page.wait_for_selector(IDLE)
    page.wait_for_function(INPUT_HAS_FOCUS)
    for button, words in ((allow, "Booked."), (page.get_by_role("button", name="Regenerate"), "Again.")):
        button.focus()
        page.keyboard.press("Enter")
        wait_for(page, words)
        page.wait_for_selector(IDLE)
        page.wait_for_function(INPUT_HAS_FOCUS)
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector(".st-key-examples")
    page.locator(".st-key-threads [class*=st-key-open_thread_] button").first.focus()
    page.keyboard.press("Enter")
    wait_for(page, "Again.")
    page.wait_for_function(INPUT_HAS_FOCUS)


def test_the_input_of_a_phone_has_no_focus_until_it_is_touched(browser: "Browser", app: str) -> None:
    page = open_page(browser, app, has_touch=True, is_mobile=True)
    page.wait_for_selector(".st-key-examples")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)
    assert not page.evaluate(INPUT_HAS_FOCUS)
    page.close()


def test_an_editor_on_a_phone_names_no_keys(model: ModelServer, browser: "Browser", app: str) -> None:
    page = open_page(browser, app, has_touch=True, is_mobile=True)
    model.plays(text("One."))
    answer(page, "First", "One.")
    page.locator(".st-key-edit_0 button:visible").tap()
    for key in ("save_0", "cancel_0"):
        page.locator(f".st-key-{key} button:visible").wait_for()
    words = (
        page.locator(".st-key-save_0 button, .st-key-cancel_0 button")
        .locator("visible=true")
        .all_inner_texts()
    )
    assert [each.strip() for each in words] == ["Send", "Cancel"]
    page.close()


def test_stop_is_where_send_is_until_there_is_something_to_send(model: ModelServer, page: "Page") -> None:
    gate = threading.Event()
    model.plays(text("One two three four", gate=gate, gate_after=6), text("Five."))
    send = page.locator(SEND).bounding_box()
    say(page, "Count")
    wait_for(page, "One two")
    stop = page.locator(STOP)
    stop.wait_for()
    assert stop.bounding_box() == send
    assert page.get_by_role("button", name="Stop").count() == 1
    page.fill(INPUT, "And then?")
    stop.wait_for(state="hidden")
    page.click(SEND)
    page.wait_for_selector(".stBottom :text-is('And then?')")
    stop.wait_for()
    gate.set()
    wait_for(page, "Five.")
    page.wait_for_selector(IDLE)
    assert stop.count() == 0


def test_escape_stops_also_while_text_is_typed(model: ModelServer, page: "Page") -> None:
    model.plays(cut(text("One two three four"), 6, "silence"))
    say(page, "Count")
    wait_for(page, "One two")
    page.fill(INPUT, "And then?")
    page.locator(STOP).wait_for(state="hidden")
    page.keyboard.press("Escape")
    wait_for(page, "Stopped.")
    page.wait_for_selector(IDLE)
    assert page.input_value(INPUT) == "And then?"


def test_nothing_to_click_appears_where_stop_was(model: ModelServer, page: "Page") -> None:
    model.plays(cut(text("One two three four"), 6, "silence"))
    say(page, "Count")
    wait_for(page, "One two")
    place = page.locator(STOP).bounding_box()
    assert place is not None
    page.click(STOP)
    wait_for(page, "Stopped.")
    page.wait_for_selector(IDLE)
    under = f"document.elementFromPoint({place['x'] + 16}, {place['y'] + 16}).closest('button')"
    assert page.evaluate(f"{under} == document.querySelector('{SEND}')")
    assert page.locator(SEND).is_disabled()


def test_a_silent_server_is_mentioned_until_data_comes(model: ModelServer, page: "Page") -> None:
    gate = begin_answer(model, page)
    notice = page.get_by_text("No data for")
    notice.wait_for()
    first = notice.inner_text()
    page.wait_for_function(
        "first => document.body.innerText.match(/No data for \\d+ s/)[0] != first", arg=first
    )
    answer, line = page.locator(MESSAGE).last.bounding_box(), notice.bounding_box()
    assert answer is not None
    assert line is not None
    assert line["y"] >= answer["y"] + answer["height"] - 1
    gate.set()
    wait_for(page, "three four")
    notice.wait_for(state="detached")
    page.wait_for_selector(IDLE)
