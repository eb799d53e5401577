"""The first screen: what it says, and that it fits the window."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.driver import IDLE, last_message, open_page, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser
CARDS = ".st-key-examples button"
TITLES = {
    "en-US": ["Parallel calls", "Approval", "Chart", "A failure"],
    "ja-JP": ["並列呼び出し", "承認", "グラフ", "失敗"],
}


@pytest.mark.parametrize("locale", TITLES)
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
def test_the_first_screen_fits_the_window(
    browser: "Browser", demo_app: str, locale: str, width: int, height: int
) -> None:
    page = open_page(browser, demo_app, viewport={"width": width, "height": height}, locale=locale)
    page.wait_for_selector(IDLE)
    boxes: list[Any] = [card.bounding_box() or {} for card in page.query_selector_all(CARDS)]
    assert len({round(box["x"]) for box in boxes}) == 2
    assert len({(box["y"], box["height"]) for box in boxes}) == 2, "the cards of a row are of one height"
    assert len({round(box["width"]) for box in boxes}) == 1
    titles = [card.inner_text().split("\n")[0] for card in page.query_selector_all(f"{CARDS} p")]
    assert titles == TITLES[locale]
    main = page.locator(".stMain")
    assert main.evaluate("main => main.scrollHeight - main.clientHeight") <= 0, "nothing to scroll to"
    page.close()


def test_a_card_is_one_button_with_a_name_for_screen_readers(browser: "Browser", demo_app: str) -> None:
    page = open_page(browser, demo_app)
    chart = page.get_by_role("button", name="Chart Show me a chart of the hotel prices in Lisbon", exact=True)
    box: Any = chart.bounding_box() or {}
    page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4)
    page.wait_for_selector("[data-testid=stChatMessage]")
    assert page.query_selector_all(CARDS) == []
    page.close()


def test_there_is_no_deploy_button(browser: "Browser", demo_app: str) -> None:
    page = open_page(browser, demo_app)
    assert page.query_selector_all("[data-testid=stAppDeployButton]") == []
    page.close()


@pytest.mark.parametrize(
    ("locale", "card", "words"),
    [
        ("en-US", 0, ["°C", "Hotels in", "Demo ·"]),
        ("ja-JP", 0, ["℃", "のホテル", "Demo ·"]),
        ("ja-JP", 1, ["book_hotel", "山田花子", "いちばん安い"]),
        ("ja-JP", 2, ["リスボンのホテルの料金は"]),
        ("ja-JP", 3, ["アトランティスのホテル：失敗しました", "オスロのホテル"]),
    ],
)
def test_a_card_ends_in_a_good_answer_in_its_language(
    browser: "Browser", demo_app: str, locale: str, card: int, words: list[str]
) -> None:
    page = open_page(browser, demo_app, locale=locale)
    page.click(f"{CARDS} >> nth={card}")
    for word in words:
        wait_for(page, word)
    assert "model" not in last_message(page)
    page.close()
