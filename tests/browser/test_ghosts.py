"""The page in a real browser: nothing outdated stays visible."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, MESSAGE, answer, say, wait_for
from tests.servers.responses import ModelServer, call, calls, text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_the_buttons_of_an_answer_disappear_when_the_next_one_starts(
    model: ModelServer, page: "Page"
) -> None:
    from playwright.sync_api import expect

    gate = threading.Event()
    model.plays(
        calls(*(call("calculate", expression=f"{number}/0") for number in range(3))),
        text("One."),
        text("Two three four five", gate=gate, gate_after=6),
        text("Six seven eight nine", gate=(later := threading.Event()), gate_after=6),
    )
    answer(page, "First", "One.")
    expect(page.get_by_role("button", name="Regenerate")).to_have_count(1)
    expect(page.locator("[class*=st-key-rerun-] button")).to_have_count(3)
    page.locator("[data-testid=stFeedback] button").first.click()
    page.wait_for_selector("[placeholder='Add a comment (optional)']")
    say(page, "Second")
    wait_for(page, "Two three")
    page.wait_for_selector(".st-key-stop button")
    first = page.locator(MESSAGE).nth(1)
    expect(page.get_by_role("button", name="Regenerate")).to_have_count(0, timeout=2_000)
    expect(page.locator("[class*=st-key-rerun-] button")).to_have_count(0, timeout=2_000)
    expect(first.locator("[data-testid=stFeedback], [data-testid=stTextInput]")).to_have_count(0)
    assert first.inner_text().count(" tokens") == 1
    gate.set()
    wait_for(page, "five")
    page.wait_for_selector(IDLE)
    say(page, "Third")
    wait_for(page, "Six seven")
    answers = [page.locator(MESSAGE).nth(number).inner_text() for number in (1, 3)]
    assert [answer.count(" tokens") for answer in answers] == [1, 1]
    later.set()
    wait_for(page, "nine")
    page.wait_for_selector(IDLE)


def test_the_page_does_not_change_when_an_answer_starts(model: ModelServer, page: "Page") -> None:
    gate = threading.Event()
    model.plays(
        calls(call("calculate", expression="6*7")),
        text("It is forty-two."),
        text("Two three four five", gate=gate, gate_after=6),
    )
    answer(page, "First", "It is forty-two.")
    page.evaluate(FRAMES, [MESSAGE, AROUND])
    say(page, "Second")
    wait_for(page, "Two three")
    page.wait_for_timeout(2_000)
    gate.set()
    wait_for(page, "five")
    page.wait_for_selector(IDLE)
    assert page.evaluate("window.frames_seen") == [
        [["First", True], ["It is forty-two.", True]],
        [["First", True], ["It is forty-two.", True], ["Second", True]],
    ], "each time something else stood there, its text and whether it was as dark as ever"
    assert page.evaluate("window.around_seen") == [
        [["New chat", True], ["Connection", True], ["Trip planner", True]]
    ]


AROUND = "h1, .st-key-new_chat button p, .st-key-open_connection button p"
"""The page's title, and two buttons in the sidebar."""

FRAMES = """([selector, around]) => {
  window.frames_seen = [];
  window.around_seen = [];
  const isDark = element => {
    let dark = true;
    for (let each = element; each; each = each.parentElement) dark &&= getComputedStyle(each).opacity === '1';
    return dark;
  };
  const look = () => {
    const places = [...document.querySelectorAll(around)].map(each => [each.innerText, isDark(each)]);
    if (JSON.stringify(window.around_seen.at(-1)) !== JSON.stringify(places)) window.around_seen.push(places);
    const seen = [...document.querySelectorAll(selector)].slice(0, 3).map(message => {
      const texts = [...message.querySelectorAll('[data-testid=stText], [data-testid=stMarkdown] p')];
      const said = texts.find(each => /First|Second|forty/.test(each.innerText));
      return [said ? said.innerText : '', isDark(said)];
    });
    const last = window.frames_seen.at(-1);
    if (JSON.stringify(last) !== JSON.stringify(seen)) window.frames_seen.push(seen);
    requestAnimationFrame(look);
  };
  look();
}"""


def test_the_mark_of_a_running_thread_disappears_when_its_answer_ends(
    model: ModelServer, page: "Page"
) -> None:
    gate = threading.Event()
    model.plays(text("One two three four", gate=gate, gate_after=6))
    say(page, "A long one")
    wait_for(page, "One two")
    page.get_by_role("button", name="New chat").click()
    marked = page.get_by_test_id("stSidebar").get_by_text("hourglass_top")
    marked.wait_for(state="attached")
    page.fill("[data-testid=stChatInputTextArea]", "half a sentence")
    gate.set()
    marked.wait_for(state="detached")
    assert page.input_value("[data-testid=stChatInputTextArea]") == "half a sentence"


def test_a_wide_table_scrolls_by_itself_on_a_phone(model: ModelServer, page: "Page") -> None:
    row = "|" + " some words |" * 12 + "\n"
    page.set_viewport_size({"width": 390, "height": 800})
    model.plays(text(f"{row}{'|---' * 12}|\n{row}\nThe end."))
    answer(page, "A table", "The end.")
    wide = "element => element.scrollWidth > element.clientWidth"
    assert [page.locator(each).evaluate(wide) for each in (".stMain", f"{MESSAGE} table")] == [False, True]


def test_the_inspector_shows_no_other_panel_while_an_answer_is_written(
    model: ModelServer, page: "Page"
) -> None:
    gate = threading.Event()
    model.plays(text("One two three four", gate=gate, gate_after=6))
    page.get_by_text("Inspector", exact=True).click()
    page.get_by_role("dialog", name="Inspector").wait_for()
    page.wait_for_selector(IDLE)
    say(page, "Count")
    wait_for(page, "One two")
    page.get_by_text("Functions", exact=True).click()
    page.wait_for_selector("text=Schema sent to the model")
    page.get_by_text("Faults", exact=True).click()
    page.wait_for_selector("text=Stream faults")
    page.wait_for_selector("text=Schema sent to the model", state="detached")
    assert page.get_by_label("expression").count() == 0
    gate.set()
    wait_for(page, "four")
    page.wait_for_selector(IDLE)


def test_a_page_that_reconnects_shows_the_whole_answer(model: ModelServer, page: "Page") -> None:
    page.add_init_script(LINES)
    page.reload()
    page.wait_for_selector(IDLE, state="attached")
    page.evaluate("window.not_reloaded = true")
    gate = threading.Event()
    model.plays(text("Two three four five", gate=gate, gate_after=6), text("Again."))
    say(page, "Count")
    wait_for(page, "Two three")
    page.evaluate("window.cut_lines()")
    page.wait_for_timeout(1_500)  # the page's script rests by now
    gate.set()
    page.evaluate("window.mend_lines()")
    wait_for(page, "Two three four five")
    page.wait_for_selector(IDLE)
    assert page.evaluate("window.not_reloaded"), "it is the same page, and the same session"
    say(page, "More")
    wait_for(page, "Again.")
    messages = page.locator("[data-testid=stChatMessageContent]")
    assert [each.inner_text().splitlines()[0] for each in messages.all()] == [
        "Count",
        "Two three four five",
        "More",
        "Again.",
    ]


LINES = """
const open = []
let cut = false
window.WebSocket = class extends WebSocket {
    constructor(...given) {
        super(...given)
        open.push(this)
        if (cut) this.close()
    }
}
window.cut_lines = () => { cut = true; open.forEach(line => line.close()) }
window.mend_lines = () => { cut = false }
"""
"""Lets a test cut the page's connections, and have none until they are mended."""
