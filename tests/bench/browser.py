"""Chromium, driven as a user drives it; its times are in the clock of the model server.

Each page is measured in a new context, after one turn that warms it up.
"""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Self

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from tests.bench.answers import first_word, last_word

IDLE = "[data-test-script-state=notRunning]"
PATIENCE = 60.0  # seconds for one turn
AFTER = 1.0  # seconds after the last word in which what a page still does counts too


@dataclass(frozen=True)
class Selectors:
    """Where a page has its input and its answers, and what it has when it is at rest.

    ``sendable`` is what it has when a text that was typed can be sent, if it is not so from the beginning.
    """

    input: str = "[data-testid=stChatInputTextArea]"
    answer: str = "[data-testid=stChatMessage]"
    idle: str = IDLE
    sendable: str = ""


STREAMLIT = Selectors()

DESKTOP: ViewportSize = {"width": 1200, "height": 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]


def chromium() -> str:
    """Return the path of Debian's Chromium."""
    found = shutil.which("chromium")
    if found is None:
        raise SystemExit("The benchmark needs Debian's chromium: apt-get install chromium fonts-noto-cjk")
    return found


@contextmanager
def started() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Seen:
    """One turn as the user saw it, in seconds of CLOCK_MONOTONIC, and its cost.

    A word that was not seen in time was seen never, in words: at infinity.
    """

    pressed: float
    first: float
    last: float
    received: int  # bytes over the WebSocket
    renderer: float  # seconds of CPU


class Tab:
    """One page in a browser of its own."""

    def __init__(
        self,
        browser: Browser,
        address: str,
        selectors: Selectors = STREAMLIT,
        viewport: ViewportSize = DESKTOP,
    ) -> None:
        self._selectors = selectors
        self._all = browser.new_browser_cdp_session()
        self._context = browser.new_context(viewport=viewport)
        self._page = self._context.new_page()
        self._page.add_init_script(path=Path(__file__).with_name("probe.js"))
        self._page.goto(address)
        self._wait_for(selectors.input)
        self._wait_for(selectors.idle)
        if selectors.sendable:
            self._page.fill(selectors.input, "a text")
            self._wait_for(selectors.sendable)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def turn(self, prompt: str, number: int) -> Seen:
        """Say this, and see the answer to the end; ``number`` is the turn's."""
        return self.say(f"{prompt} turn={number}", first_word(number), last_word(number), AFTER)

    def say(self, words: str, first: str, last: str, after: float = 0.0) -> Seen:
        """Say this, see when the first and the last word of the answer stand there, and what that took.

        With ``after`` the page gets so many seconds, and the time to come to rest.
        """
        self._page.fill(self._selectors.input, words)
        clock, received, renderer = self._clock(), self._received(), self._renderer()
        watched = [self._selectors.answer, first, last, PATIENCE]
        self._page.evaluate("given => { probe.watch(...given) }", watched)
        self._page.press(self._selectors.input, "Enter")
        times = self._page.evaluate("probe.seen")
        if after and isfinite(times["last"]):
            time.sleep(after)
            self._wait_for(self._selectors.idle)
        return Seen(
            clock + self._page.evaluate("probe.pressed") / 1000,
            clock + times["first"] / 1000,
            clock + times["last"] / 1000,
            self._received() - received,
            self._renderer() - renderer,
        )

    def weight(self) -> tuple[float, int]:
        """Return the megabytes of JavaScript's heap and the number of DOM nodes."""
        session = self._context.new_cdp_session(self._page)
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        session.detach()
        return heap, int(self._page.evaluate("document.querySelectorAll('*').length"))

    def layout_shift(self) -> float:
        """Return the sum of the layout shifts so far that no input has caused."""
        return float(self._page.evaluate("probe.shift"))

    def _wait_for(self, selector: str) -> None:
        """Wait until it is there, looking at each frame: waiting for a selector looks twice a second."""
        there = "selector => document.querySelector(selector) !== null"
        self._page.wait_for_function(there, arg=selector, timeout=PATIENCE * 1000)

    def _received(self) -> int:
        return int(self._page.evaluate("probe.received"))

    def _clock(self) -> float:
        """Return the offset of the page's clock; its error is less than half of the fastest round trip."""
        trips: list[tuple[float, float]] = []
        for _ in range(9):
            before = time.monotonic()
            there = self._page.evaluate("performance.now()") / 1000
            after = time.monotonic()
            trips.append((after - before, (before + after) / 2 - there))
        return min(trips)[1]

    def _renderer(self) -> float:
        found = self._all.send("SystemInfo.getProcessInfo")["processInfo"]
        return sum(float(each["cpuTime"]) for each in found if each["type"] == "renderer")
