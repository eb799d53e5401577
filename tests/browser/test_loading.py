"""The page in a real browser while it is loaded: nothing moves under the pointer."""

from typing import TYPE_CHECKING

import pytest

from assistant.ui import keys
from assistant.ui.page.browser_script import call_script, read_element
from tests.browser.driver import IDLE, INPUT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

SHIFTS = """
const isFrame = ({node}) => node?.matches?.("[data-testid=stMain], :has(> [data-testid=stMain])")
window.moved = 0
new PerformanceObserver(list => {
  for (const shift of list.getEntries()) if (!shift.sources.every(isFrame)) window.moved += shift.value
}).observe({type: "layout-shift", buffered: true})
"""
"""Adds up the layout shifts, without that of Streamlit's own frame: the column beside the sidebar is narrowed when the
sidebar appears together with the first elements. That is 0.234 of every page with a sidebar, also an empty
one."""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_what_is_drawn_stays_where_it_is(browser: "Browser", demo_app: str, width: int, height: int) -> None:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.add_init_script(SHIFTS)
    page.goto(demo_app)
    page.wait_for_selector(INPUT)
    page.wait_for_selector(IDLE, state="attached")
    page.wait_for_timeout(1_500)
    assert page.evaluate("window.moved") <= 0.05
    page.close()


def test_a_call_waits_for_the_scripts(browser: "Browser") -> None:
    """Streamlit loads the code that draws scripts on demand, and may then draw the end of a page before its beginning."""
    page = browser.new_page()
    call = call_script("declareRoles", "ja", "")
    page.set_content(
        f'<div class="st-key-{keys.ANNOUNCEMENTS}"></div>{call}{read_element("accessibility.js")}'
    )
    page.wait_for_function("document.documentElement.lang === 'ja'", timeout=5_000)
    assert page.locator("[role=status][aria-live=polite]").count() == 1
    page.close()
