"""The page in a real browser: it follows an answer, and the reader decides otherwise."""

import shutil
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import FLAGS, IDLE, INPUT, INPUT_HAS_FOCUS, STOP, answer, open_page, say, wait_for
from tests.servers.responses import ModelServer, Play, call, calls, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

TRIES = 3
"""How often each way of scrolling up is tried at each speed."""

PLACE = """() => {
  const main = document.querySelector("[data-testid=stMain]")
  return [main.scrollTop, main.scrollHeight - main.clientHeight]
}"""
"""Returns where the page stands, and where it would at its end, in pixels."""

TO_END = "[aria-label='Scroll to bottom']"


def place(page: "Page") -> tuple[float, float]:
    top, end = page.evaluate(PLACE)
    return top, end


def is_at_end(page: "Page") -> bool:
    top, end = place(page)
    return end - top < 30


def wait_until_at_end(page: "Page") -> None:
    page.wait_for_function(f"() => {{ const [top, end] = ({PLACE})(); return end > 300 && end - top < 30 }}")


def long_answer(rate: int, seconds: float) -> Play:
    """Return an answer that streams for so many seconds; each of its tokens is a word."""
    count = int(rate * seconds)
    words = "".join(f"word{number:05} " + ("\n\n" if number % 60 == 59 else "") for number in range(count))
    return text(words, pieces=count, pause=1 / rate)


def touch(page: "Page") -> None:
    """Drag the page down with a finger."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, *points: dict[str, int]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    send("touchStart", {"x": 600, "y": 200})
    for step in range(1, 16):
        send("touchMove", {"x": 600, "y": 200 + 20 * step})
    send("touchEnd")


def wheel(page: "Page") -> None:
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -300)


def wheel_softly(page: "Page") -> None:
    """Scroll as a touchpad does, in many small steps."""
    page.mouse.move(600, 300)
    for _ in range(20):
        page.mouse.wheel(0, -8)


def page_up(page: "Page") -> None:
    """Press the key while the focus is in the input, as it is after sending."""
    page.keyboard.press("PageUp")


def home(page: "Page") -> None:
    page.locator("[data-testid=stMain]").focus()
    page.keyboard.press("Home")


def arrow_up(page: "Page") -> None:
    page.locator("[data-testid=stMain]").focus()
    for _ in range(4):
        page.keyboard.press("ArrowUp")


def scrollbar(page: "Page") -> None:
    """Drag the scrollbar at the right edge of the window up."""
    top, end = place(page)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').clientHeight")
    y = (top + height / 2) / (end + height) * height  # the middle of its thumb
    page.mouse.move(893, y)
    page.mouse.down()
    page.mouse.move(893, y - 60, steps=8)
    page.mouse.up()


WAYS = [wheel, wheel_softly, touch, page_up, home, arrow_up, scrollbar]


@pytest.fixture(scope="module")
def browser_with_scrollbars(browser: "Browser", app: str) -> Iterator["Browser"]:
    """A browser that can be touched and has scrollbars."""
    other = browser.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=[*FLAGS, "--touch-events=enabled"],
        ignore_default_args=["--hide-scrollbars"],
    )
    yield other
    other.close()


@pytest.mark.parametrize("rate", [30, 150, 1000])
@pytest.mark.parametrize("scroll_up", WAYS)
def test_scrolling_up_always_wins_while_text_streams(
    model: ModelServer,
    browser_with_scrollbars: "Browser",
    app: str,
    scroll_up: Callable[["Page"], None],
    rate: int,
) -> None:
    page = open_page(browser_with_scrollbars, app)
    page.set_viewport_size({"width": 900, "height": 500})
    model.plays(long_answer(rate, seconds=40))
    say(page, "Write")
    won = []
    for number in range(TRIES):
        wait_until_at_end(page)
        page.wait_for_timeout(300 + 37 * number)  # at another moment each time
        if scroll_up is page_up:
            page.locator(INPUT).focus()
        scroll_up(page)
        page.wait_for_timeout(500)
        reached, end_before = place(page)
        page.wait_for_timeout(700)
        stayed, end = place(page)
        won.append(stayed <= reached and end > end_before and end - stayed > 30)
        for _ in range(20):  # back to the end, by hand
            page.mouse.move(600, 300)
            page.mouse.wheel(0, 20_000)
            page.wait_for_timeout(100)
            if is_at_end(page):
                break
    page.keyboard.press("Escape")
    page.wait_for_selector(IDLE)
    page.close()
    model.drop_script()
    assert won == [True] * TRIES


LINES = "\n\n".join(f"Line {number}." for number in range(80))


def test_a_button_leads_back_to_the_end_and_the_page_follows_again(model: ModelServer, page: "Page") -> None:
    model.plays(long_answer(100, seconds=30))
    say(page, "Write")
    wait_until_at_end(page)
    button = page.locator(TO_END)
    assert button.is_hidden()
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -150)
    page.wait_for_timeout(300)
    page.mouse.wheel(0, -600)
    button.click()
    wait_until_at_end(page)
    assert button.is_hidden()
    page.wait_for_timeout(1_000)
    wait_until_at_end(page)
    assert page.evaluate(INPUT_HAS_FOCUS)
    page.click(STOP)
    page.wait_for_selector(IDLE)


def test_sending_scrolls_to_the_new_message_and_to_the_approval_it_leads_to(
    model: ModelServer, page: "Page"
) -> None:
    booking = call("book_hotel", hotel_id=21, guest="Ada", check_in="2026-12-02", nights=2)
    model.plays(text(LINES), calls(booking), text("It is booked."))
    say(page, "Lines")
    wait_until_at_end(page)
    page.wait_for_selector(IDLE)
    page.locator("[data-testid=stMain]").evaluate("main => main.scrollTop = 0")
    page.locator(TO_END).wait_for()
    say(page, "Book it")
    allow = page.get_by_role("button", name="Allow", exact=True)
    allow.wait_for()
    page.wait_for_selector(IDLE)
    wait_until_at_end(page)
    card, bar = allow.bounding_box(), page.locator(INPUT).bounding_box()
    assert card is not None
    assert bar is not None
    assert 0 < card["y"] < bar["y"] - card["height"], "it can be clicked without scrolling"
    allow.click()
    wait_for(page, "It is booked.")
    wait_until_at_end(page)


def test_a_queued_message_does_not_move_a_reader_who_scrolled_up(model: ModelServer, page: "Page") -> None:
    gate = threading.Event()
    model.plays(text(LINES, pieces=40, gate=gate, gate_after=35), text(LINES))
    say(page, "Lines")
    wait_for(page, "Line 40.")
    say(page, "And more")
    page.wait_for_selector(".stBottom :text-is('And more')")
    wait_until_at_end(page)
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -500)
    before = -1.0
    while before != place(page)[0]:  # until the smooth movement has ended
        before, _ = place(page)
        page.wait_for_timeout(500)
    gate.set()
    page.get_by_text("Line 79.").nth(1).wait_for(state="attached")
    page.wait_for_selector(IDLE)
    assert place(page)[0] == before


def test_a_thread_opens_at_its_end_and_an_empty_chat_at_its_top(model: ModelServer, page: "Page") -> None:
    page.set_viewport_size({"width": 390, "height": 500})
    page.reload()
    page.wait_for_selector(".st-key-examples")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)
    assert place(page)[0] == 0
    model.plays(text(LINES))
    answer(page, "Lines", "Line 79.")
    page.reload()
    wait_for(page, "Line 79.")
    wait_until_at_end(page)
    page.locator(".st-key-new_chat_on_phone button").click()
    page.wait_for_selector(".st-key-examples")
    page.wait_for_selector(IDLE)
    page.wait_for_timeout(500)
    assert place(page)[0] == 0
