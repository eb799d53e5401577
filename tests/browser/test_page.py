"""The page in a real browser: what only a browser can show."""

import json
import threading
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from assistant import Thread
from assistant.events import RunCompleted
from assistant.messages import Message
from assistant.parts import Text
from assistant.storage.store import Store
from tests.browser.driver import (
    IDLE,
    INPUT,
    INPUT_HAS_FOCUS,
    MESSAGE,
    STOP,
    answer,
    begin_answer,
    last_message,
    open_page,
    say,
    serve,
    wait_for,
)
from tests.paths import ROOT
from tests.servers.responses import ModelServer, call, calls, cut, message, text

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser


def test_text_appears_while_the_answer_is_still_being_written(model: ModelServer, page: "Page") -> None:
    gate = begin_answer(model, page)
    assert "four" not in last_message(page)
    gate.set()
    wait_for(page, "One two three four")
    page.wait_for_selector(IDLE)
    assert "thread=thread_" in page.url


EVERYTHING = [
    "A paragraph with **bold**, `code`, [a link](https://example.com) and $x^2$.",
    "# One",
    "**Bold** begins this one.",
    "## Two",
    "- a\n- b\n  - c",
    "Between.\nTwo lines.",
    "1. one\n2. two",
    "### Three",
    "```python\nprint(1)\n\nprint(2)\n```",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "> quoted\n\n> again",
    "日本語の段落です。",
    "---",
    "#### Four",
    "$$\nx^2\n$$",
    "- [ ] to do\n- [x] done",
    "1 is no list.",
    "- one\n\n- two",
    "The end.",
]
PLACES = """message => [...message.querySelectorAll("[data-testid=stMarkdownContainer] > *")].map(element => {
    const place = element.getBoundingClientRect(), top = message.getBoundingClientRect().top
    return [element.tagName, Math.round(place.top - top), Math.round(place.height), element.innerText]
})"""


BLOCKS_APP = """
import streamlit as st
from assistant.markdown.block_splitter import BlockSplitter
from tests.browser.test_page import EVERYTHING

document = "\\n\\n".join(EVERYTHING + ["Once more."] + EVERYTHING[::-1])
pieces = [piece or (lambda: None) for piece in BlockSplitter(min_chars=0).feed(document)]
with st.chat_message("assistant"):
    st.markdown(document)
with st.chat_message("assistant"):
    st.write_stream(iter(pieces))
"""


def test_separate_blocks_are_laid_out_like_one_block(browser: "Browser", tmp_path: Path) -> None:
    (tmp_path / "blocks.py").write_text(BLOCKS_APP)
    with contextmanager(serve)(tmp_path, tmp_path / "blocks.py", PYTHONPATH=str(ROOT)) as address:
        page = browser.new_page()
        page.goto(address)
        whole, blocks = page.locator(MESSAGE).first, page.locator(MESSAGE).last
        blocks.locator(".katex").nth(3).wait_for()
        page.wait_for_selector(IDLE)
        page.wait_for_timeout(500)  # what is highlighted comes a little later
        assert blocks.get_by_test_id("stMarkdown").count() > 20
        assert whole.get_by_test_id("stMarkdown").count() == 1
        assert whole.evaluate(PLACES) == blocks.evaluate(PLACES)
        page.close()


def test_an_expander_opens_and_shows_arguments_and_output(model: ModelServer, page: "Page") -> None:
    model.plays(calls(call("calculate", expression="6*7")), text("It is 42."))
    answer(page, "6*7?", "It is 42.")
    step = page.locator(f"{MESSAGE} [data-testid=stExpander]").last
    step.locator("summary").click()
    inside = step.get_by_test_id("stExpanderDetails")
    inside.get_by_text('"6*7"').wait_for(state="visible")
    inside.get_by_text("42", exact=True).wait_for(state="visible")


def test_an_expander_that_was_opened_while_the_call_was_written_stays_open(
    model: ModelServer, page: "Page"
) -> None:
    writing, speaking = threading.Event(), threading.Event()
    long = "1+" * 15_000 + "1"
    model.plays(
        calls(call("calculate", expression=long), gate=writing, gate_after=4),
        text("One two three four", gate=speaking, gate_after=6),
        text("Five."),
    )
    say(page, "Go")
    step = page.locator(f"{MESSAGE} [data-testid=stExpander]").last
    step.locator("summary").click()
    inside = step.get_by_test_id("stExpanderDetails")
    inside.get_by_text("+1+1+1").wait_for(state="visible")
    writing.set()
    wait_for(page, "One two")
    inside.get_by_text("Showing the first 20,000 of 30,023 characters.").wait_for(state="visible")
    with page.expect_download() as download:
        inside.get_by_role("button", name="Save all").click()
    assert download.value.suggested_filename == "calculate_arguments.json"
    assert json.loads(download.value.path().read_text()) == {"expression": long}
    speaking.set()
    wait_for(page, "three four")
    page.wait_for_selector(IDLE)
    answer(page, "More", "Five.")
    assert inside.get_by_text("Showing the first 20,000 of 30,023 characters.").is_visible()


def test_a_message_from_an_outdated_tab_is_queued(
    model: ModelServer, browser: "Browser", page: "Page"
) -> None:
    model.plays(text("Hello."))
    answer(page, "Hi", "Hello.")
    second = open_page(browser, page.url)
    wait_for(second, "Hello.")
    second.wait_for_selector(IDLE)
    gate = begin_answer(model, page)
    model.plays(text("Five."))
    say(second, "And I?")
    second.wait_for_selector(".stBottom :text-is('And I?')")
    wait_for(second, "One two")
    before = len(model.requests)
    gate.set()
    for _ in range(400):  # whichever page sees the end first sends what waited
        if len(model.requests) > before:
            break
        page.wait_for_timeout(50)
    for each in (page, second):
        each.reload()
        wait_for(each, "Five.")
        each.wait_for_selector(IDLE)
        assert not each.locator(".stBottom :text-is('And I?')").count()
    assert [request["input"][0]["content"] for request in model.requests[-3:]] == ["Hi", "Count", "And I?"]
    second.close()


def test_clicks_reloads_and_second_tabs_do_not_disturb_the_answer(
    model: ModelServer, browser: "Browser", page: "Page"
) -> None:
    gate = threading.Event()
    model.plays(
        calls(message("First I add."), call("calculate", expression="2+2")),
        text("One two three four", gate=gate, gate_after=6),
    )
    say(page, "Count")
    wait_for(page, "One two")
    address = page.url
    second = open_page(browser, address)
    wait_for(second, "One two")
    page.reload()
    wait_for(page, "One two")
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector(".st-key-examples")
    page.goto(address)
    wait_for(page, "One two")
    assert page.locator(MESSAGE).count() == 2
    gate.set()
    for each in (page, second):
        wait_for(each, "One two three four")
        each.wait_for_selector(IDLE)
        assert "2+2" in last_message(each)
        assert last_message(each).count("First I add.") == 1
    second.close()


def test_stop_keeps_the_partial_text_and_the_next_message_works(model: ModelServer, page: "Page") -> None:
    model.plays(cut(text("One two three four"), 6, "silence"), text("Here again."))
    say(page, "Count")
    wait_for(page, "One two")
    page.click(STOP)
    wait_for(page, "Stopped.")
    assert "One two th stop_circle Stopped." in " ".join(last_message(page).split())
    page.wait_for_selector(IDLE)
    duration = page.locator("[class*=st-key-actions_] [data-testid=stCaptionContainer] p").last
    assert duration.evaluate("each => getComputedStyle(each).textAlign") == "end"
    say(page, "Again")
    wait_for(page, "Here again.")
    assert [item.get("content") for item in model.requests[-1]["input"]] == ["Count", "One two th", "Again"]


def test_stop_works_before_the_first_event(model: ModelServer, page: "Page") -> None:
    silent = cut(text("Never."), 0, "silence")
    model.plays(silent, text("Here again."))
    say(page, "Hello?")
    assert silent.reached.wait(20)
    page.click(STOP)
    wait_for(page, "Stopped.")
    page.wait_for_selector(IDLE)
    say(page, "Again")
    wait_for(page, "Here again.")
    assert [item["content"] for item in model.requests[-1]["input"]] == ["Hello?", "Again"]


def test_a_message_sent_during_an_answer_is_queued(model: ModelServer, page: "Page") -> None:
    gate = begin_answer(model, page)
    model.plays(text("The second."), text("The third."))
    for words in ("And then?", "Never mind", "And last?"):
        say(page, words)
        page.wait_for_selector(f".stBottom :text-is('{words}')")
    page.locator(".st-key-take_back_1 button:visible").click()
    page.wait_for_function(f"() => document.querySelector('{INPUT}').value == 'Never mind'")
    page.fill(INPUT, "")
    gate.set()
    wait_for(page, "The third.")
    page.wait_for_selector(IDLE)
    assert [each["input"][-1]["content"] for each in model.requests[-3:]] == [
        "Count",
        "And then?",
        "And last?",
    ]
    assert page.evaluate(INPUT_HAS_FOCUS)


def test_escape_stops_and_queued_text_returns_to_the_input(model: ModelServer, page: "Page") -> None:
    silent = cut(text("One two three four"), 6, "silence")
    model.plays(silent)
    say(page, "Count")
    wait_for(page, "One two")
    say(page, "And then?")
    page.wait_for_selector(".stBottom :text-is('And then?')")
    page.keyboard.press("Escape")
    wait_for(page, "Stopped.")
    page.wait_for_function(f"() => document.querySelector('{INPUT}').value == 'And then?'")
    page.wait_for_selector(STOP, state="detached")


def test_enter_that_ends_an_ime_composition_does_not_send(model: ModelServer, page: "Page") -> None:
    page.focus(INPUT)
    session = page.context.new_cdp_session(page)
    session.send("Input.imeSetComposition", {"text": "きょうと", "selectionStart": 4, "selectionEnd": 4})
    session.send(
        "Input.dispatchKeyEvent",
        {"type": "rawKeyDown", "key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229},
    )
    session.send("Input.insertText", {"text": "京都"})
    assert page.locator(MESSAGE).count() == 0
    assert page.input_value(INPUT) == "京都"
    model.plays(text("京都ですね。"))
    page.keyboard.press("Enter")
    wait_for(page, "京都ですね。")


def test_back_and_forward_navigate_between_threads(model: ModelServer, page: "Page") -> None:
    model.plays(text("One."), text("Two."))
    answer(page, "First", "One.")
    first = page.url
    page.get_by_role("button", name="New chat").click()
    page.wait_for_selector(".st-key-examples")
    answer(page, "Second", "Two.")
    second = page.url
    page.get_by_role("button", name="First", exact=True).click()
    wait_for(page, "One.")
    assert page.url == first
    page.go_back()
    wait_for(page, "Two.")
    assert page.url == second
    page.go_forward()
    wait_for(page, "One.")
    assert page.url == first


def test_a_long_thread_shows_its_newest_part_and_the_rest_on_request(
    model: ModelServer, browser: "Browser", app_folder: Path, app: str
) -> None:
    thread = Thread("conv_long")
    for number in range(100):
        thread.messages += [
            Message.from_user(f"Question {number}."),
            Message("assistant", [Text(f"Answer {number}.")], RunCompleted()),
        ]
    with closing(Store(f"sqlite:///{app_folder}/threads.sqlite")) as store:
        store.save(thread)
    page = open_page(browser, f"{app}/?thread=conv_long")
    wait_for(page, "Answer 99.")
    page.wait_for_selector(IDLE)
    assert page.locator(MESSAGE).count() == 10
    page.get_by_role("button", name="Show earlier messages (190)").scroll_into_view_if_needed()
    top = "each => each.getBoundingClientRect().top"
    before = page.get_by_text("Question 95.").evaluate(top)
    page.get_by_role("button", name="Show earlier messages (190)").click()
    page.get_by_text("Question 70.").wait_for(state="attached")
    page.wait_for_selector(IDLE)
    assert page.locator(MESSAGE).count() == 60
    assert "Question 70." in page.locator(MESSAGE).first.inner_text()
    after = page.get_by_text("Question 95.").evaluate(top)
    assert after == pytest.approx(before, abs=5), "the reader's place stays"
    model.plays(text("Fine."))
    say(page, "And now?")
    wait_for(page, "Fine.")
    page.close()


def test_an_answer_of_another_process_is_followed_and_can_be_stopped(
    model: ModelServer, browser: "Browser", app_folder: Path, app: str
) -> None:
    page = open_page(browser, app)
    for other_app in serve(app_folder, OPENAI_BASE_URL=model.url):
        first, second = threading.Event(), threading.Event()
        model.plays(
            text("One two three four", gate=first, gate_after=6),
            text("Five six seven eight", gate=second, gate_after=6),
        )
        say(page, "Count")
        wait_for(page, "One two")
        other = open_page(browser, page.url.replace(app, other_app))
        other.get_by_text("Another process of this application is writing this answer.").wait_for()
        wait_for(other, "One two")
        say(other, "And I?")
        other.get_by_text("Your message is back in the input.").wait_for()
        assert other.input_value(INPUT) == "And I?"
        first.set()
        wait_for(other, "three four")
        other.get_by_text("is writing this answer.").wait_for(state="detached")
        page.wait_for_selector(IDLE)
        say(page, "Go on")
        wait_for(page, "Five six")
        other.reload()
        wait_for(other, "Five six")
        other.get_by_role("button", name="Stop", exact=True).click()
        for each in (page, other):
            wait_for(each, "Stopped.")
            each.wait_for_selector(IDLE)
        model.plays(text("Fine."))
        say(other, "And I?")
        wait_for(other, "Fine.")
        other.close()
    page.close()


def test_the_demo_answers_without_a_key(browser: "Browser", demo_app: str) -> None:
    page = open_page(browser, demo_app)
    page.wait_for_selector("text=Demo mode: scripted replies")
    answer(
        page,
        'calculate(expression="6*7")\ncalculate(expression="1/0")',
        "failed. Division by zero has no result.",
    )
    assert page.locator(f"{MESSAGE} [data-testid=stExpander]").count() == 2
    page.close()


def test_the_demo_searches_draws_and_asks_for_approval(browser: "Browser", demo_app: str) -> None:
    page = open_page(browser, demo_app)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    say(page, "Search the web for Kyoto")
    page.wait_for_selector(f"{MESSAGE} >> text=Two days: Kyoto")
    page.wait_for_selector(IDLE)
    links = page.locator(f"{MESSAGE} a").evaluate_all("all => all.map(each => [each.href, each.rel])")
    assert [(address, "noopener" in rel or "noreferrer" in rel) for address, rel in links] == [
        (f"https://example.com/page/{number}", True) for number in (1, 2, 1, 2)
    ]
    say(page, "Paint the sea")
    page.wait_for_selector(f"{MESSAGE} >> text=Save image.png")
    page.wait_for_selector(IDLE)
    assert page.locator(f"{MESSAGE} img").last.evaluate("image => image.naturalWidth") == 480
    say(page, "Ask the library about Oslo")
    page.wait_for_selector("text=on the server")
    page.wait_for_selector(IDLE)
    page.get_by_role("button", name="Allow", exact=True).click()
    page.wait_for_selector(f"{MESSAGE} >> text=The library says")
    assert [address for address in requested if "example.com" in address] == []  # no link was followed
    page.close()


def test_the_inspector_shows_events_as_they_come_and_replays_a_recording(
    model: ModelServer, page: "Page"
) -> None:
    gate = threading.Event()
    page.get_by_text("Inspector").click()
    side = page.locator(".st-key-inspector_side")
    side.get_by_text("Nothing recorded yet").wait_for()
    model.plays(text("One two three four", gate=gate, gate_after=6))
    say(page, "Count")
    wait_for(page, "One two")
    side.get_by_text("Recording").wait_for()
    gate.set()
    side.get_by_text("Click a row for details").wait_for()
    side.get_by_text("Recording", exact=True).click()
    address = page.url
    side.get_by_role("button", name="Replay").click()
    page.wait_for_function("address => location.href !== address", arg=address)
    wait_for(page, "One two three four")
    assert page.locator(MESSAGE).count() == 2


def test_a_call_that_needs_approval_survives_a_reload_and_runs_once(
    model: ModelServer, browser: "Browser", page: "Page"
) -> None:
    booking = call("book_hotel", hotel_id=21, guest="Ada", check_in="2026-12-02", nights=2)
    before = len(model.requests)
    model.plays(calls(booking), text("It is booked."))
    say(page, "Book it")
    page.get_by_text("Allow book_hotel?").wait_for()
    page.reload()
    page.get_by_text("Allow book_hotel?").wait_for()
    other = open_page(browser, page.url)
    other.get_by_text("Allow book_hotel?").wait_for()
    for tab in page, other:  # at once: the other tab looks for changes every few seconds
        tab.get_by_role("button", name="Allow", exact=True).click()
    for tab in page, other:
        wait_for(tab, "It is booked.")
        tab.wait_for_selector(IDLE)
    assert len(model.requests) == before + 2
    other.close()
