"""The inspector in a real browser: beside the chat on a wide screen, over its right edge on any other."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, INPUT, MESSAGE, answer, begin_answer, say, wait_for
from tests.servers.responses import ModelServer, call, calls, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = pytest.mark.browser

LAPTOP, PHONE, MONITOR = (1280, 800), (390, 844), (1920, 1000)
SIDE = ".st-key-inspector_side"
ROW_HEIGHT = 28
HEADER_HEIGHT = 36

FOCUS_IN_SIDE = (
    f"document.activeElement.querySelector('{SIDE}') !== null && document.activeElement.role === 'dialog'"
)
HAS_FOCUS = "element => element.contains(document.activeElement)"
IN_VIEW = """element => {
    const {top, bottom, left, right} = element.getBoundingClientRect()
    return top >= 0 && bottom <= innerHeight && left >= 0 && right <= innerWidth
}"""


def open_inspector(page: "Page", size: tuple[int, int]) -> "Locator":
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.locator(".st-key-inspector label").first.click()
    side = page.locator(SIDE)
    side.wait_for()
    return side


def click_row(page: "Page", row: int) -> None:
    """Click a row of the event table, which is drawn on a canvas."""
    table = page.locator(f"{SIDE} [data-testid=stDataFrame]")
    table.locator("canvas").first.wait_for()
    table.click(position={"x": 200, "y": HEADER_HEIGHT + ROW_HEIGHT * (row + 0.5)})


@pytest.mark.parametrize("size", [LAPTOP, PHONE])
def test_on_a_narrow_screen_the_inspector_is_a_dialog_that_escape_and_a_button_close(
    page: "Page", size: tuple[int, int]
) -> None:
    open_inspector(page, size)
    dialog = page.get_by_role("dialog", name="Inspector")
    dialog.wait_for()
    close, switch = dialog.get_by_role("button", name="Close"), page.locator(".st-key-inspector input")
    assert close.evaluate(IN_VIEW)
    assert dialog.evaluate("element => element.offsetWidth") >= min(size[0], 450)
    page.wait_for_function(FOCUS_IN_SIDE)
    page.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.wait_for_selector(IDLE)
    assert switch.evaluate(HAS_FOCUS)
    page.keyboard.press("Space")
    page.wait_for_function(FOCUS_IN_SIDE)
    close.click()
    dialog.wait_for(state="detached")
    assert switch.evaluate(HAS_FOCUS)


def test_on_a_laptop_the_inspector_covers_nothing_of_the_chat(page: "Page") -> None:
    side, prompt = open_inspector(page, LAPTOP), page.locator(INPUT)
    right_of_prompt = prompt.evaluate("element => element.getBoundingClientRect().right")
    assert right_of_prompt < side.evaluate("element => element.getBoundingClientRect().left")


def test_on_a_wide_screen_the_inspector_is_a_column_beside_the_chat(page: "Page") -> None:
    side = open_inspector(page, MONITOR)
    assert page.get_by_role("dialog").count() == 0
    assert page.get_by_role("region", name="Inspector").count() == 1
    assert not side.get_by_role("button", name="Close").is_visible()


@pytest.mark.parametrize("size", [LAPTOP, PHONE, MONITOR])
def test_an_answer_is_followed_live_and_a_selected_event_is_shown_below_its_row(
    model: ModelServer, page: "Page", size: tuple[int, int]
) -> None:
    gate = threading.Event()
    two = calls(call("calculate", expression="6*7"), call("calculate", expression="1+1"))
    model.plays(two, text("One two three four", gate=gate, gate_after=6))
    say(page, "Count")
    wait_for(page, "One two")
    side = open_inspector(page, size)
    side.get_by_text("Recording…").wait_for()
    gate.set()
    side.get_by_text("Click a row for details").wait_for()
    page.wait_for_selector(IDLE)
    click_row(page, 1)
    side.get_by_text("Event 1", exact=True).wait_for()
    assert side.get_by_text("Event 1", exact=True).evaluate(IN_VIEW)
    side.get_by_text('"POST"').wait_for()
    assert side.get_by_text('"POST"').evaluate(IN_VIEW)


def test_escape_in_the_inspector_does_not_stop_the_answer(model: ModelServer, page: "Page") -> None:
    gate = begin_answer(model, page)
    side = open_inspector(page, LAPTOP)
    page.wait_for_function(FOCUS_IN_SIDE)
    page.keyboard.press("Escape")
    side.wait_for(state="hidden")  # already while the answer streams
    gate.set()
    wait_for(page, "One two three four")
    page.wait_for_selector(IDLE)
    assert page.locator(MESSAGE).count() == 2


@pytest.mark.parametrize("size", [LAPTOP, PHONE, MONITOR])
def test_a_fault_is_chosen_and_cleared(model: ModelServer, page: "Page", size: tuple[int, int]) -> None:
    side = open_inspector(page, size)
    side.get_by_text("Faults", exact=True).click()
    side.get_by_role("button", name="cut", exact=True).click()
    side.get_by_text("Expected:").wait_for()
    assert side.get_by_text("Expected:").evaluate(IN_VIEW)
    page.wait_for_selector(f"{SIDE} .st-key-fault_stream [data-selected=true]")
    if size != MONITOR:
        side.get_by_role("button", name="Close").click()
        side.wait_for(state="hidden")
    model.plays(text("One two three four"))
    answer(page, "Count", "lost in the middle")
    if size != MONITOR:
        page.locator(".st-key-inspector label").first.click()
    side.get_by_role("button", name="Clear faults").click()
    page.wait_for_selector(f"{SIDE} .st-key-fault_stream [data-selected=true]", state="detached")
    page.get_by_text("Active fault").wait_for(state="detached")


@pytest.mark.parametrize("size", [LAPTOP, PHONE, MONITOR])
def test_a_replay_is_marked_in_the_inspector_and_at_its_message(
    model: ModelServer, page: "Page", size: tuple[int, int]
) -> None:
    model.plays(text("One two three four"))
    answer(page, "Count", "One two three four")
    side = open_inspector(page, size)
    side.get_by_text("Recording", exact=True).click()
    address = page.url
    side.get_by_role("button", name="Replay").click()
    page.wait_for_function("address => location.href !== address", arg=address)
    wait_for(page, "One two three four")
    page.wait_for_selector(IDLE)
    assert side.get_by_text("Recording · not live").evaluate(IN_VIEW)
    assert "Recording · not live" in page.locator(MESSAGE).last.inner_text()
    if size != MONITOR:
        side.get_by_role("button", name="Close").click()
    else:
        page.locator(".st-key-inspector label").first.click()
    side.wait_for(state="detached")


def test_on_a_phone_the_inspector_does_not_cover_a_replay_from_the_first_screen(
    browser: "Browser", demo_app: str
) -> None:
    context = browser.new_context(
        viewport={"width": PHONE[0], "height": PHONE[1]},
        user_agent="Mozilla/5.0 (Android 16; Mobile) Chrome/142.0",
    )
    page = context.new_page()
    page.goto(demo_app)
    page.get_by_text("Replay a recording").click()
    page.locator("[class*=st-key-example_recording_] button").first.click()
    page.get_by_text("Recording · not live").wait_for()
    page.wait_for_selector(IDLE)
    assert page.locator(SIDE).count() == 0
    context.close()
