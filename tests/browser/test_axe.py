"""axe-core finds no violation in any state of the page, in light and dark."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.browser.axe import check
from tests.browser.driver import IDLE, MESSAGE, answer, begin_answer, open_page, say, wait_for
from tests.servers.responses import ModelServer, call, calls, error, message, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

BOOKING: dict[str, Any] = {"hotel_id": 11, "guest": "Ada", "check_in": "2027-01-01", "nights": 1}


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, browser: "Browser", app: str) -> Iterator["Page"]:
    page = open_page(browser, app, color_scheme=request.param, viewport={"width": 1280, "height": 900})
    page.wait_for_selector(IDLE)
    yield page
    page.close()


def open_steps(page: "Page") -> None:
    for summary in page.locator(f"{MESSAGE} [data-testid=stExpander] > details > summary").all():
        summary.click()


def test_home(page: "Page") -> None:
    check(page)


def test_streaming(model: ModelServer, page: "Page") -> None:
    gate = begin_answer(model, page)
    check(page)
    gate.set()
    wait_for(page, "four")


def test_waiting_messages(model: ModelServer, page: "Page") -> None:
    gate = threading.Event()
    first = calls(message("Adding."), call("calculate", expression="1+1"), gate=gate, gate_after=8)
    model.plays(first, text("Two euros."), text("The last."))
    say(page, "Add")
    wait_for(page, "Adding.")
    for words in ("In euros", "And last?"):
        say(page, words)
        page.wait_for_selector(f".stBottom :text-is('{words}')")
    page.locator(".st-key-send_now_0 button:visible").click()
    page.get_by_text("Goes with the next function results").wait_for()
    check(page)
    gate.set()
    wait_for(page, "The last.")
    page.wait_for_selector(IDLE)
    check(page)


def test_answered_with_all_steps_open(model: ModelServer, page: "Page") -> None:
    model.plays(
        calls(
            message("Let me see."),
            call("hotel_prices", city="Oslo"),
            call("find_hotels", city="Oslo"),
            call("calculate", expression="1/0"),
            call("get_current_time", time_zone="Europe/Oslo"),
        ),
        text(
            "# Prices\n\nThe **cheapest** costs `72`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nx = 1\n```\n"
        ),
    )
    answer(page, "Compare", "cheapest")
    open_steps(page)
    page.locator("[data-testid=stVegaLiteChart], [data-testid=stArrowVegaLiteChart]").first.wait_for()
    check(page)


def test_approval(model: ModelServer, page: "Page") -> None:
    model.plays(calls(call("book_hotel", **BOOKING), call("book_hotel", guest="Ada")))
    say(page, "Book")
    page.get_by_role("button", name="Allow all").wait_for()
    page.wait_for_selector(IDLE)
    open_steps(page)
    check(page)


def test_error(model: ModelServer, page: "Page") -> None:
    model.plays(error(401, "invalid_api_key"))
    say(page, "Hello?")
    page.get_by_role("button", name="Retry").wait_for()
    page.wait_for_selector(IDLE)
    page.get_by_text("Details", exact=True).click()
    check(page)


def test_edit(model: ModelServer, page: "Page") -> None:
    model.plays(text("One."))
    answer(page, "First", "One.")
    page.locator(".st-key-edit_0").get_by_role("button", name="Edit").click()
    page.wait_for_selector(".st-key-edit_text_0 textarea")
    check(page)


@pytest.mark.parametrize("size", [(390, 844), (1280, 900)], ids=["phone", "desktop"])
def test_inspector(model: ModelServer, page: "Page", size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    wide = "| One | Two | Three |\n|---|---|---|\n| a long cell | another long cell | the last long cell |\n"
    model.plays(calls(call("calculate", expression="6*7")), text(f"It is 42.\n\n{wide}"))
    answer(page, "6*7?", "It is 42.")
    page.locator(".st-key-inspector label").first.click()
    side = page.locator(".st-key-inspector_side")
    side.get_by_text("Click a row for details").wait_for()
    page.wait_for_selector(IDLE)
    check(page)
    side.get_by_test_id("stDataFrame").first.click(position={"x": 20, "y": 55})
    side.get_by_test_id("stJson").wait_for()
    check(page)
    for tab in ("Timing", "Sequence", "Check", "Recording", "Functions", "Code", "Faults"):
        side.get_by_text(tab, exact=True).first.click()
        page.wait_for_timeout(500)
        page.wait_for_selector(IDLE)
        check(page)


def test_connection_dialog(page: "Page") -> None:
    page.get_by_role("button", name="Connection").first.click()
    page.get_by_role("dialog").wait_for()
    page.wait_for_selector(IDLE)
    check(page)


def test_thread_menu(model: ModelServer, page: "Page") -> None:
    model.plays(text("One."))
    answer(page, "First", "One.")
    page.reload()
    page.wait_for_selector(IDLE)
    page.locator("[data-testid=stSidebar] [class*=st-key-menu_] button").first.click()
    check(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_free_text_programs_and_searches(
    browser: "Browser", demo_app: str, scheme: Literal["light", "dark"]
) -> None:
    page = open_page(browser, demo_app, color_scheme=scheme, viewport={"width": 1280, "height": 900})
    answer(page, "With a program, find the cheapest hotel in Paris and Oslo", "The program looked")
    answer(page, "Query the database with SQL", "Osaka")
    answer(page, "Convert 100 euros to yen", "17,850")
    answer(page, "Think: is it warmer in Oslo or Paris?", "is warmer")
    for summary in page.locator(f"{MESSAGE} details > summary").all():
        summary.evaluate("summary => summary.click()")
    check(page)
    page.close()
