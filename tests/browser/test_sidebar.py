"""The sidebar in a real browser: the list keeps itself up to date, and works while an answer streams."""

import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant import Thread
from assistant.events import RunCompleted
from assistant.messages import Message
from assistant.parts import Text
from assistant.storage.store import Store
from tests.browser.driver import IDLE, MESSAGE, answer, open_page, say, wait_for
from tests.servers.responses import ModelServer, error, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_a_first_message_that_fails_survives_a_reload(model: ModelServer, page: "Page") -> None:
    model.plays(error(400, None, "No such thing."))
    answer(page, "A lost message", "No such thing.")
    assert "thread=thread_" in page.url
    page.reload()
    wait_for(page, "No such thing.")
    assert "A lost message" in page.locator(MESSAGE).first.inner_text()
    page.get_by_role("button", name="A lost message", exact=True).wait_for()


def test_a_new_thread_is_in_the_address_and_in_every_list_while_its_answer_streams(
    model: ModelServer, browser: "Browser", page: "Page", app: str
) -> None:
    other = open_page(browser, app)
    gate = threading.Event()
    model.plays(text("One two three four", gate=gate, gate_after=6))
    say(page, "Something new")
    wait_for(page, "One two")
    page.wait_for_function("() => location.search.startsWith('?thread=thread_')")
    row = page.get_by_role("button", name="Something new", exact=True)
    row.wait_for()
    other_row = other.get_by_role("button", name="Something new", exact=True)
    other_row.wait_for()
    other.get_by_test_id("stSidebar").get_by_text("hourglass_top").wait_for()
    gate.set()
    other.get_by_test_id("stSidebar").get_by_text("hourglass_top").wait_for(state="detached")
    wait_for(page, "three four")
    page.wait_for_selector(IDLE)
    other.close()


def test_a_second_tab_shows_the_messages_of_the_first(
    model: ModelServer, browser: "Browser", page: "Page"
) -> None:
    model.plays(text("Hello."), text("Again."))
    answer(page, "Hi", "Hello.")
    other = open_page(browser, page.url)
    wait_for(other, "Hello.")
    say(page, "More")
    wait_for(page, "Again.")
    wait_for(other, "Again.")
    assert other.locator(MESSAGE).count() == 4
    other.close()


def test_a_search_leads_to_the_message_and_marks_the_text(
    browser: "Browser", app: str, app_folder: Path
) -> None:
    thread = Thread("thread_long", title="A long one")
    for number in range(60):
        thread.messages += [
            Message.from_user(f"Question {number}."),
            Message("assistant", [Text(f"Answer {number}. " + "More words. " * 40)], RunCompleted()),
        ]
    with closing(Store(f"sqlite:///{app_folder}/threads.sqlite")) as store:
        store.save(thread)
    page = open_page(browser, app)
    page.get_by_placeholder("Search chats").press_sequentially("answer 12.")
    page.get_by_test_id("stSidebar").locator("strong", has_text="Answer 12.").wait_for()
    page.get_by_role("button", name="A long one", exact=True).click()
    page.wait_for_function("() => CSS.highlights.has('found')")
    marked = "[...CSS.highlights.get('found')][0]"
    assert page.evaluate(f"{marked}.toString()") == "Answer 12."
    top = page.evaluate(f"{marked}.getBoundingClientRect().top")
    assert 60 < top < 700
    page.close()


def test_search_rename_and_delete_work_while_an_answer_streams(model: ModelServer, page: "Page") -> None:
    gate = threading.Event()
    model.plays(text("The needle."), text("One two three four", gate=gate, gate_after=6))
    answer(page, "Find me", "The needle.")
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector(MESSAGE, state="detached")
    say(page, "Count")
    wait_for(page, "One two")
    sidebar = page.get_by_test_id("stSidebar")
    page.get_by_placeholder("Search chats").press_sequentially("NEEDLE")
    sidebar.locator("strong", has_text="needle").wait_for()
    page.get_by_role("button", name="Options for Find me").click()
    page.get_by_role("menuitem", name="Rename").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Title").fill("Found")
    page.keyboard.press("Enter")
    dialog.wait_for(state="detached")
    page.get_by_role("button", name="Options for Found").click()
    page.get_by_role("menuitem", name="Delete").click()
    dialog.get_by_role("button", name="Delete").click()
    dialog.wait_for(state="detached")
    sidebar.get_by_text("No chats found").wait_for()
    wait_for(page, "One two")
    gate.set()
    wait_for(page, "three four")
    page.wait_for_selector(IDLE)


def test_on_a_phone_the_sidebar_closes_after_a_choice(browser: "Browser", app: str) -> None:
    page = open_page(browser, app)
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    opening = page.get_by_test_id("stExpandSidebarButton")
    opening.click()
    opening.wait_for(state="detached")
    page.get_by_test_id("stSidebar").get_by_role("button", name="New chat").click()
    opening.wait_for()
    page.close()


def test_on_a_phone_the_sidebar_does_not_break_the_lines_of_the_conversation(
    browser: "Browser", app: str
) -> None:
    page = open_page(browser, app, viewport={"width": 390, "height": 844})
    page.locator("[data-testid=stExpandSidebarButton]").click()
    page.get_by_role("button", name="Connection").first.wait_for()
    page.wait_for_timeout(500)  # it moves in
    width = "document.querySelector('[data-testid=stMain]').getBoundingClientRect().width"
    assert page.evaluate(f"[{width}, document.documentElement.scrollWidth]") == [390, 390]
    page.close()
