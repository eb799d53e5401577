"""The parameters of a chat's requests and the costs of a run in a real browser, without violations of axe-core."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.axe import check
from tests.browser.driver import IDLE, answer, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

TABS, VIEWS = ".st-key-inspector_tab button", ".st-key-inspector_view button"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_changed_parameter_is_refused_and_its_cost_explained(
    browser: "Browser", demo_app: str, scheme: str
) -> None:
    page = open_page(browser, demo_app, color_scheme=scheme, viewport={"width": 1280, "height": 1200})
    page.wait_for_selector(IDLE)
    answer(page, "Hello", "Try one of these")
    page.locator(".st-key-inspector label").first.click()
    page.locator(TABS, has_text="Request").click()
    page.locator(".st-key-request_service_tier input").click()
    page.get_by_role("option", name="ultrafast").click()
    page.get_by_text("1 parameter differs from the settings").first.wait_for()
    instructions = page.locator(".st-key-request_instructions textarea")
    instructions.fill("You are a rude trip planner.")
    instructions.blur()
    page.get_by_text("2 parameters differ from the settings").first.wait_for()
    answer(page, "Thanks", "You're welcome")
    page.get_by_text("Refused by the server and left out").first.wait_for()
    check(page)
    page.locator(TABS, has_text="Run log").click()
    page.locator(VIEWS, has_text="Cost").click()
    page.get_by_text("From there on, nothing can come from the cache.").first.wait_for()
    check(page)
    page.locator(TABS, has_text="Request").click()
    page.locator(".st-key-request_reset button").click()
    page.get_by_text("As in the settings.").first.wait_for()
    assert instructions.input_value().startswith("You are a friendly trip planner.")
    page.close()
