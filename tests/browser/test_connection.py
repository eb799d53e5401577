"""The connection dialog in a real browser: what is typed is used at once, and nothing moves."""

from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, open_page, say, wait_for
from tests.servers.responses import ModelServer, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("way", ["click", "Enter"])
def test_a_typed_address_and_key_are_tested_and_used(
    model: ModelServer, browser: "Browser", demo_app: str, way: str
) -> None:
    model.models = ["any-model", "b-model"]
    page = open_page(browser, demo_app)
    page.get_by_role("button", name="Connection").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Custom URL").click()
    dialog.get_by_label("Base URL").fill(model.url)
    page.keyboard.press("Tab")
    dialog.get_by_role("textbox", name="API key (optional)").press_sequentially("sk-typed")
    use = dialog.get_by_role("button", name="Use this connection")
    dialog.get_by_label("Model").wait_for()  # the browser has loaded everything above the button
    before = use.bounding_box()
    if way == "click":
        model.plays(text("Hi"), text("No call."))
        page.keyboard.press("Tab")
        dialog.get_by_role("button", name="Test").click()
        dialog.get_by_text("Answers stream over").wait_for()
        dialog.get_by_text("did not call the test function").wait_for()
    else:
        page.keyboard.press("Enter")
    dialog.locator("input[value=any-model]").wait_for()
    page.wait_for_selector(IDLE)
    assert use.bounding_box() == before
    dialog.locator("input[value=any-model]").click()
    page.get_by_role("option", name="b-model").click()
    use.click()
    dialog.wait_for(state="detached")
    page.get_by_text("Answers by b-model over").or_(page.get_by_text("Answers by b-model.")).wait_for()
    model.plays(text("Hello from elsewhere."))
    say(page, "Hi")
    wait_for(page, "Hello from elsewhere.")
    assert model.requests[-1]["model"] == "b-model"
    assert model.headers[-1]["authorization"] == "Bearer sk-typed"
    other = open_page(browser, demo_app)
    other.wait_for_selector("text=Demo mode: scripted replies")
    other.close()
    page.close()
