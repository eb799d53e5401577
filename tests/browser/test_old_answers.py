"""The page in a real browser: half a second after a new answer begins, nothing of the old one is left."""

import threading
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import IDLE, MESSAGE, answer, say, wait_for
from tests.servers.responses import ModelServer, Play, call, calls, text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

TABLE = "| Old | Table |\n|---|---|\n| one | two |\n| three | four |\n\nThe old end."

OLD = f"{MESSAGE} :is([data-testid=stExpander], table, .st-key-actions_1)"
"""Steps, tables and footers; the new answers have none."""


def answer_at_length(model: ModelServer, page: "Page") -> None:
    """Get an answer with two calls, a table and a footer."""
    model.plays(calls(call("calculate", expression="6*7"), call("calculate", expression="1/0")), text(TABLE))
    answer(page, "Old question", "The old end.")
    assert page.locator(f"{MESSAGE} [data-testid=stExpander]").count() == 2


def new_answer() -> tuple[Play, threading.Event]:
    gate = threading.Event()
    return text("New words here now.", gate=gate, gate_after=6), gate


def expect_nothing_old(page: "Page") -> None:
    wait_for(page, "New words")
    page.wait_for_timeout(500)
    assert page.locator(OLD).count() == 0
    messages = " ".join(page.locator(MESSAGE).all_inner_texts())
    assert ("The old end." in messages, "tokens" in messages) == (False, False)


def test_after_an_edit(model: ModelServer, page: "Page") -> None:
    answer_at_length(model, page)
    play, gate = new_answer()
    model.plays(play)
    page.locator(".st-key-edit_0").get_by_role("button", name="Edit", exact=True).click()
    page.fill(".st-key-edit_text_0 textarea", "New question")
    page.keyboard.press("Control+Enter")
    expect_nothing_old(page)
    assert "Old question" not in page.locator(MESSAGE).first.inner_text()
    gate.set()
    wait_for(page, "here now.")
    page.wait_for_selector(IDLE)


def test_after_regenerate(model: ModelServer, page: "Page") -> None:
    answer_at_length(model, page)
    play, gate = new_answer()
    model.plays(play)
    page.get_by_role("button", name="Regenerate", exact=True).click()
    expect_nothing_old(page)
    gate.set()
    wait_for(page, "here now.")
    page.wait_for_selector(IDLE)


def test_after_opening_another_thread_whose_answer_streams(model: ModelServer, page: "Page") -> None:
    play, gate = new_answer()
    model.plays(play)
    say(page, "New question")
    wait_for(page, "New words")
    page.get_by_role("button", name="New chat").first.click()
    page.wait_for_selector(".st-key-examples")
    answer_at_length(model, page)
    page.get_by_role("button", name="New question", exact=True).click()
    expect_nothing_old(page)
    gate.set()
    wait_for(page, "here now.")
    page.wait_for_selector(IDLE)


def test_after_replaying_a_recording(model: ModelServer, page: "Page") -> None:
    page.set_viewport_size({"width": 1700, "height": 900})  # with the inspector beside the chat
    gate = threading.Event()
    model.plays(calls(call("calculate", expression="6*7")), text(TABLE, gate=gate, gate_after=4))
    say(page, "Old question")
    page.wait_for_timeout(3_000)
    gate.set()
    wait_for(page, "The old end.")
    page.wait_for_selector(IDLE)
    page.get_by_text("Inspector").click()
    side = page.locator(".st-key-inspector_side")
    side.get_by_text("Recording", exact=True).click()
    address = page.url
    side.get_by_role("button", name="Replay").click()
    page.wait_for_function("address => location.href !== address", arg=address)
    page.locator(f"{MESSAGE} [data-testid=stExpander]").wait_for()  # the call, before the recorded silence
    page.wait_for_timeout(500)
    assert page.locator(f"{MESSAGE} [data-testid=stExpander]").count() == 1
    assert page.locator(f"{MESSAGE} :is(table, .st-key-actions_1)").count() == 0
    assert "The old end." not in " ".join(page.locator(MESSAGE).all_inner_texts())
    wait_for(page, "The old end.")
    page.wait_for_selector(IDLE)
