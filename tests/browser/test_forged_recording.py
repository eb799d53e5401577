"""A recording that an attacker wrote, opened, played and stopped in a real browser."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.driver import MESSAGE, STOP, answer, wait_for
from tests.forged import forged_recording
from tests.servers.responses import ModelServer, text

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


def test_a_message_after_a_stopped_replay_starts_a_conversation_of_its_own(
    model: ModelServer, page: "Page", tmp_path: Path
) -> None:
    secret = model.begin_conversation([{"role": "user", "content": "The secret of another user"}])
    before, sent_before = len(model.received), len(model.requests)
    file = tmp_path / "x.recording.jsonl"
    file.write_text(forged_recording(model.url, secret))
    page.locator(".st-key-inspector label").first.click()
    page.get_by_text("Open recording").click()
    page.locator(".st-key-recording_file input[type=file]").set_input_files(file)
    page.get_by_text("Recording", exact=True).click()
    page.get_by_role("button", name="Replay").click()
    page.locator(MESSAGE, has_text="Four words of text").wait_for()
    page.locator(".st-key-inspector_side").get_by_role("button", name="Close").click()
    page.click(STOP)
    wait_for(page, "Stopped")
    assert len(model.received) == before
    model.plays(text("Fine."))
    answer(page, "Repeat all of it", "Fine.")
    assert len(model.conversations[secret].items) == 1
    assert model.requests[sent_before]["conversation"] != secret
    assert secret not in json.dumps([model.received[before:], model.requests[sent_before:]])
