"""Messages in a real browser: their actions and their calls."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, INPUT, MESSAGE, answer, begin_answer, open_page, say, wait_for
from tests.servers.responses import ModelServer, call, calls, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CLIPBOARD = "navigator.clipboard.readText()"
PHONE_WIDTH = 390
RIGHT_END = """row => {
    const shown = [...row.querySelectorAll("button, [data-testid=stCaptionContainer]")]
    return Math.max(...shown.map(each => each.getBoundingClientRect().right))
}"""


@pytest.fixture
def reader(browser: "Browser", app: str) -> Iterator["Page"]:
    """A page whose clipboard the test can read."""
    page = open_page(browser, app, permissions=["clipboard-read"])
    yield page
    page.close()


def wait_until_focused(page: "Page", selector: str) -> None:
    page.wait_for_function("selector => document.activeElement?.matches(selector)", arg=selector)


MARKDOWN = "Some **bold** text & `x < y`.\n\n```html\n</script><b>\n```\n"


def test_one_click_copies_an_answer_as_markdown_and_says_so(model: ModelServer, reader: "Page") -> None:
    model.plays(text(MARKDOWN), text("Two."))
    answer(reader, "One  & <two>", "Some bold")
    answer(reader, "Again", "Two.")
    for position, copied in ((1, MARKDOWN), (0, "One  & <two>"), (3, "Two.")):
        place = reader.locator(f".st-key-copy_{position}")
        place.get_by_role("button", name="Copy", exact=True).click()
        reader.wait_for_function(
            f"document.querySelector('.st-key-copy_{position}').dataset.copied == 'Copied'"
        )
        assert reader.evaluate(CLIPBOARD) == copied


def test_an_answer_is_copied_while_the_next_one_is_written(model: ModelServer, reader: "Page") -> None:
    gate = threading.Event()
    model.plays(text("One."), text("Two three four five", gate=gate, gate_after=6))
    answer(reader, "First", "One.")
    say(reader, "Second")
    wait_for(reader, "Two three")
    reader.locator(".st-key-copy_1").get_by_role("button", name="Copy", exact=True).click()
    reader.wait_for_selector("[data-copied]")
    assert reader.evaluate(CLIPBOARD) == "One."
    gate.set()
    wait_for(reader, "five")
    reader.wait_for_selector(IDLE)


def test_a_page_without_a_clipboard_copies_all_the_same(model: ModelServer, reader: "Page") -> None:
    reader.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    model.plays(text("One."))
    answer(reader, "First", "One.")
    reader.locator(".st-key-copy_1").get_by_role("button", name="Copy", exact=True).click()
    reader.wait_for_selector("[data-copied]")
    reader.click(INPUT)
    reader.keyboard.press("Control+v")
    assert reader.input_value(INPUT) == "One."


def test_an_edit_has_the_focus_is_left_with_escape_and_sent_with_ctrl_enter(
    model: ModelServer, page: "Page"
) -> None:
    model.plays(text("One."), text("Two."))
    answer(page, "First", "One.")
    editor = ".st-key-edit_text_0 textarea"
    edit = page.locator(".st-key-edit_0").get_by_role("button", name="Edit", exact=True)
    edit.click()
    wait_until_focused(page, editor)
    page.keyboard.type(" of all")
    page.keyboard.press("Escape")
    page.wait_for_selector(editor, state="detached")
    wait_until_focused(page, INPUT)
    edit.click()
    wait_until_focused(page, editor)
    assert page.input_value(editor) == "First"
    assert page.get_by_role("button", name="Send").first.is_visible()
    page.keyboard.type(" again")
    page.keyboard.press("Control+Enter")
    wait_for(page, "Two.")
    page.wait_for_selector(IDLE)
    assert "First again" in page.locator(MESSAGE).first.inner_text()
    wait_until_focused(page, INPUT)


def test_an_editor_comes_into_view_with_its_buttons(model: ModelServer, page: "Page") -> None:
    model.plays(text("One.\n\n" * 30), text("Two.\n\n" * 30))
    answer(page, "First", "One.")
    answer(page, "Second", "Two.")
    edit = page.locator(".st-key-edit_2").get_by_role("button", name="Edit", exact=True)
    edit.evaluate("""button => {
        const bottom = document.querySelector("[data-testid=stBottom]").getBoundingClientRect().top
        const main = document.querySelector("[data-testid=stMain]")
        main.scrollTop += button.getBoundingClientRect().bottom - bottom + 20
    }""")
    edit.click()
    wait_until_focused(page, ".st-key-edit_text_2 textarea")
    page.wait_for_function("""() => {
        const cancel = document.querySelector(".st-key-cancel_2 button")?.getBoundingClientRect().bottom
        return cancel < document.querySelector("[data-testid=stBottom]").getBoundingClientRect().top
    }""")


def test_escape_in_an_editor_only_cancels_the_edit_and_elsewhere_stops_the_answer(
    model: ModelServer, page: "Page"
) -> None:
    gate = threading.Event()
    model.plays(text("One."), text("Two three four five", gate=gate, gate_after=6))
    answer(page, "First", "One.")
    editor = ".st-key-edit_text_0 textarea"
    page.locator(".st-key-edit_0").get_by_role("button", name="Edit", exact=True).click()
    wait_until_focused(page, editor)
    say(page, "Second")
    wait_for(page, "Two three")
    page.keyboard.press("Escape")  # in the input: the edit stays
    wait_for(page, "Stopped.")
    page.wait_for_selector(IDLE)
    assert page.is_visible(editor)
    gate.set()
    gate = threading.Event()
    model.plays(text("Six seven eight nine", gate=gate, gate_after=6))
    say(page, "Third")
    wait_for(page, "Six seven")
    page.locator(editor).press("Escape")
    page.wait_for_selector(editor, state="hidden")
    gate.set()
    wait_for(page, "nine")
    page.wait_for_selector(IDLE)


def test_escape_that_ends_the_composition_of_a_word_does_not_stop_the_answer(
    model: ModelServer, page: "Page"
) -> None:
    gate = begin_answer(model, page)
    page.locator(INPUT).dispatch_event("keydown", {"key": "Escape", "keyCode": 229, "isComposing": True})
    page.fill("[data-testid=stSidebar] input[type=search]", "x")
    page.keyboard.press("Escape")  # clears the search
    gate.set()
    wait_for(page, "four")
    page.wait_for_selector(IDLE)


def test_the_actions_of_a_message_are_in_one_line_also_on_a_phone(
    model: ModelServer, browser: "Browser", app: str
) -> None:
    page = open_page(browser, app)
    page.set_viewport_size({"width": PHONE_WIDTH, "height": 844})
    model.plays(text("One."), text("Two."))
    answer(page, "First", "One.")
    figures = page.locator(".st-key-actions_1 [data-testid=stCaptionContainer]:has(.stTooltipIcon) p")
    assert figures.evaluate(
        "each => [each.scrollWidth - each.clientWidth, each.scrollHeight - each.clientHeight]"
    ) == [0, 0], "they are shown in full"
    page.locator(".st-key-regenerate_1").get_by_role("button", name="Regenerate").click()
    wait_for(page, "Two.")
    page.wait_for_selector(IDLE)
    for position in (0, 1):
        row = page.locator(f".st-key-actions_{position}")
        box = row.bounding_box()
        assert box is not None
        assert box["height"] < 45
        assert box["x"] + box["width"] <= PHONE_WIDTH
        assert row.evaluate(RIGHT_END) <= box["x"] + box["width"] + 1
    names = ["Copy", "Regenerate", "Previous version", "Next version"]
    row = page.locator(".st-key-actions_1")
    assert [row.get_by_role("button", name=name, exact=True).count() for name in names] == [1, 1, 1, 1]
    assert "2/2" in row.inner_text()
    assert row.get_by_role("radio").count() == 2
    page.close()


def test_a_failed_call_runs_again_in_its_step_which_stays_open(model: ModelServer, page: "Page") -> None:
    model.plays(calls(call("calculate", expression="1/0")), text("No."))
    answer(page, "Divide", "No.")
    step = page.locator(f"{MESSAGE} [data-testid=stExpander]").last
    step.locator("summary").first.click()
    step.get_by_role("button", name="Run calculate again").click()
    inside = step.get_by_test_id("stExpanderDetails").first
    inside.get_by_text("Result", exact=True).nth(1).wait_for(state="visible")
    assert inside.get_by_text("Division by zero").count() == 2


def test_a_file_that_the_connection_does_not_take_is_refused_before_it_is_sent(
    browser: "Browser", demo_app: str, tmp_path: Path
) -> None:
    page = open_page(browser, demo_app)
    files = page.locator("[data-testid=stChatInput] input[type=file]").first
    (tmp_path / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    files.set_input_files(tmp_path / "cat.png")
    page.get_by_text("not allowed").first.wait_for()
    page.reload()
    page.wait_for_selector(INPUT)
    names = ["notes.md", "data.json", "main.rs"]
    for name in names:
        (tmp_path / name).write_text("Hello.")
    files.set_input_files([tmp_path / name for name in names])
    for name in names:
        page.locator(f"[data-testid=stChatInput] :text-is('{name}')").first.wait_for()
    assert page.get_by_text("not allowed").count() == 0
    page.close()
