"""Screenshots of the page in its main states: light and dark, on a phone, and in both languages.

The test checks that nothing overflows or is cut off, and that no text is in the other language. Set
``ASSISTANT_TESTS_PICTURES=folder`` to keep the screenshots.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, MESSAGE, answer, open_page, say, serve, wait_for
from tests.locale import catalogue
from tests.servers.responses import ModelServer, call, calls, message, reasoning, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.exhaustive]

WIDE = {"width": 1000, "height": 900}
PHONE = {"width": 390, "height": 844}

ANSWER = """The **three of them** differ little:

| City | Hotels | From |
|:--|--:|--:|
| Oslo | 12 | € 89 |
| 京都 | 31 | ¥ 9,800 |

```python
def mean(prices: list[float]) -> float:
    return sum(prices) / len(prices)  # a line that is longer than a telephone is wide, and has to be scrolled
```

The mean is $\\bar{x} = \\frac{1}{n} \\sum_{i=1}^{n} x_i$, and so:

$$
\\bar{x} = 93.5
$$

1. Book early.
2. Then *go*, or see <https://example.com/a/very/long/address/that/has/no/place/to/be/broken/at/all/anywhere>."""

FROM_THE_RIGHT = """שלום עולם! זה `code()` בפסקה, עם $x^2$.

An English paragraph in between.

- ראשון
- שני

> ציטוט

| عربي | City |
|---|---|
| مرحبا | `x = 1` |

```python
print("שלום")
```

1. مرحبا بالعالم.
2. الطقس في أوسلو جميل."""

WHAT_IS_WRONG = """([english, inside]) => {
    const found = []
    const seen = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true})
    const words = element => `${element.tagName} ${element.innerText.slice(0, 60)}`
    const main = document.querySelector("[data-testid=stMain]")
    const place = document.querySelector(inside)
    for (const each of inside === "body" ? [document.documentElement, main] : [])
        if (each.scrollWidth > each.clientWidth) found.push(`wider than the page: ${each.tagName}`)
    const view = document.querySelector("[data-testid=stAppViewContainer]")
    if (view.scrollHeight > view.clientHeight) found.push("there is something below the page")
    for (const each of document.querySelectorAll("[data-testid=stException]")) found.push(words(each))
    const theirs = "header, [data-testid=stElementToolbar], [data-testid=stSidebar][data-collapsed=true]"
    const drawn = "[data-testid=stMarkdownContainer] :is(p, li, h1, h2, h3, blockquote), summary, button"
    for (const each of place.querySelectorAll(`${drawn}, [data-testid=stText]`)) {
        if (!seen(each) || !each.innerText?.trim() || each.closest(`.katex, ${theirs}`)) continue
        if (each.tagName === "BUTTON" && !each.querySelector("p")) continue  // an icon alone
        if (each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).display !== "inline")
            found.push(`cut: ${words(each)}`)
        const {left, right, width} = each.getBoundingClientRect()
        if (width > 1 && left < innerWidth && right > innerWidth + 1 && left >= 0)
            found.push(`runs out of the page: ${words(each)}`)
    }
    const lines = []
    for (const each of place.querySelectorAll("[data-testid=stMarkdownContainer]"))
        if (!each.closest(theirs)) lines.push(...each.innerText.split("\\n").map(line => line.trim()))
    for (const each of place.querySelectorAll("[placeholder], [aria-label]"))
        if (!each.closest(theirs)) lines.push(each.placeholder, each.getAttribute("aria-label"))
    for (const each of new Set(lines)) if (english.includes(each)) found.push(`not translated: ${each}`)
    return found
}"""


@pytest.fixture(scope="module")
def app(one_server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(tmp_path_factory.mktemp("pictures_app"), OPENAI_BASE_URL=one_server.url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the screenshots."""
    folder = Path(os.environ.get("ASSISTANT_TESTS_PICTURES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Looks:
    """One thread on a wide screen and on a phone, captured in each of its states."""

    def __init__(self, browser: "Browser", address: str, folder: Path, locale: str) -> None:
        self.folder, self.language = folder, locale[:2]
        self.wide = open_page(browser, address, viewport=WIDE, locale=locale)
        self.phone = open_page(browser, address, viewport=PHONE, locale=locale)
        self.wrong: list[tuple[str, str]] = []

    def capture(self, state: str, wait: str = "", idle: bool = True) -> None:
        """Take the screenshots of a state and record its faults; the phone opens the same thread."""
        if wait:
            self.phone.goto(self.wide.url)
            self.phone.get_by_text(wait).first.wait_for()
        for page in (self.wide, self.phone) if idle else ():
            page.wait_for_selector(IDLE)
        self.picture(self.wide, state, "light")
        self.wide.emulate_media(color_scheme="dark")
        self.picture(self.wide, state, "dark")
        self.wide.emulate_media(color_scheme="light")
        self.picture(self.phone, state, "phone")

    def picture(self, page: "Page", state: str, look: str, inside: str = "body") -> None:
        name = f"{self.language}-{state}-{look}"
        page.wait_for_timeout(100)  # what is highlighted, or changes its colour, comes a little later
        page.screenshot(path=self.folder / f"{name}.png")
        english = [str(each.id) for each in catalogue.read("ja") if each.id and each.id != each.string]
        for each in page.evaluate(WHAT_IS_WRONG, [english if self.language == "ja" else [], inside]):
            self.wrong.append((name, each))


@pytest.mark.parametrize("locale", ["en-GB", "ja-JP"])
def test_every_state_of_the_page_fits_the_screen(
    one_server: ModelServer, browser: "Browser", app: str, folder: Path, locale: str
) -> None:
    looks = Looks(browser, app, folder, locale)
    page, model, gate = looks.wide, one_server, threading.Event()
    looks.capture("empty")
    model.plays(
        calls(
            reasoning("I look for hotels first."),
            message("I look for hotels."),
            call("find_hotels", city="Oslo"),
            call("calculate", expression="(89 + 98) / 2"),
        ),
        text(ANSWER, gate=gate, gate_after=6),
    )
    say(page, "Which hotel is the cheapest?")
    wait_for(page, "three")
    looks.capture("streaming", wait="three", idle=False)
    gate.set()
    wait_for(page, "Then go")
    looks.capture("finished", wait="Book early")
    model.plays(calls(call("calculate", expression="1/0")), text("Nobody can say it."))
    answer(page, "1/0?", "Nobody can")
    page.locator(f"{MESSAGE} summary").last.click()
    looks.capture("failed", wait="Nobody can")
    booking = call("book_hotel", hotel_id=21, guest="Ada Lovelace", check_in="2026-12-02", nights=2)
    model.plays(calls(booking), text("It is booked."))
    say(page, "Book it")
    page.locator("[class*=st-key-approve-] button").first.wait_for()
    looks.capture("approval", wait="book_hotel")
    page.locator("[class*=st-key-approve-] button").first.click()
    wait_for(page, "It is booked.")
    page.wait_for_selector(IDLE)
    for each in (looks.phone, page):
        each.locator(".st-key-inspector label").first.click()
        each.locator(".st-key-inspector_side").wait_for()
    looks.capture("inspector")
    looks.phone.goto(page.url)
    looks.phone.get_by_test_id("stExpandSidebarButton").click()
    looks.phone.locator(".st-key-search").wait_for()
    looks.picture(looks.phone, "list", "phone", "[data-testid=stSidebar]")
    for each in (looks.phone, page):
        each.close()
    model.end_script()
    assert looks.wrong == []


def test_right_to_left_text_starts_on_the_right(
    one_server: ModelServer, browser: "Browser", app: str, folder: Path
) -> None:
    looks = Looks(browser, app, folder, "en-GB")
    page = looks.wide
    one_server.plays(text(FROM_THE_RIGHT))
    say(page, "שלום, מה שלומך?")
    wait_for(page, "جميل")
    looks.capture("right-to-left", wait="جميل")
    inside = page.locator(MESSAGE).last.get_by_test_id("stMarkdownContainer")
    sides = """part => {
        const range = document.createRange(), place = part.getBoundingClientRect()
        range.selectNodeContents(part)
        const drawn = range.getBoundingClientRect()
        return drawn.left - place.left > place.right - drawn.right + 1 ? "right" : "left"
    }"""
    found = {each: inside.locator(each).first.evaluate(sides) for each in ("p", "p >> nth=1", "ul li")}
    assert found == {"p": "right", "p >> nth=1": "left", "ul li": "right"}
    code = "part => [getComputedStyle(part).direction, getComputedStyle(part).textAlign]"
    assert [inside.locator(each).first.evaluate(code) for each in ("p code", "td code")] == [
        ["ltr", "left"]
    ] * 2
    assert page.locator(f"{MESSAGE} pre").last.evaluate(code) == ["ltr", "left"]
    question = page.locator(MESSAGE).nth(-2).get_by_test_id("stText")
    assert question.evaluate("part => getComputedStyle(part.firstChild).unicodeBidi") == "plaintext"
    for each in (looks.phone, page):
        each.close()
    assert looks.wrong == []


def test_a_screen_reader_announces_progress_and_the_ending(
    one_server: ModelServer, browser: "Browser", app: str
) -> None:
    page = open_page(browser, app, locale="ja-JP", viewport={"width": 1280, "height": 720})
    page.wait_for_selector(IDLE)
    page.evaluate("""() => {
        const place = document.querySelector(".st-key-announcements")
        window.heard = []
        new MutationObserver(() => {
            const words = place.innerText.trim()
            if (words && words !== window.heard.at(-1)) window.heard.push(words)
        }).observe(place, {subtree: true, childList: true, characterData: true})
    }""")
    gate = threading.Event()
    one_server.plays(
        calls(call("find_hotels", city="Oslo"), gate=gate, gate_after=4),
        text("There are **twelve**. The first one is the cheapest of them."),
    )
    say(page, "Hotels?")
    page.get_by_text("find_hotels を準備しています").first.wait_for()
    gate.set()
    page.wait_for_function("heard.at(-1) === '回答が終わりました。There are twelve.'")
    may_be = ["考えています", "find_hotels を準備しています", "Oslo のホテルを探しています", "考えています"]
    announced = page.evaluate("heard")
    assert announced[-1] == "回答が終わりました。There are twelve."
    assert may_be[1] in announced
    assert [
        each for each in announced[:-1] if each not in may_be
    ] == []  # some pass too quickly to be announced
    page.wait_for_selector(IDLE)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    regions = [node for node in tree if node.get("role", {}).get("value") == "status"]
    assert regions
    for region in regions:
        assert {"name": "live", "value": {"type": "token", "value": "polite"}} in region["properties"]
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.evaluate("document.activeElement.matches('[data-testid=stChatInputTextArea]')")
    page.close()
    one_server.end_script()
