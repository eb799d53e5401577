"""The input: text that comes back to it."""

from types import SimpleNamespace

import pytest

from assistant.ui import keys
from assistant.ui.composer import message_input
from tests.ui.page import Open, ask, session_of


def test_text_that_came_back_is_in_the_input_until_it_is_sent(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_input, "time", SimpleNamespace(monotonic=lambda: 1000.0))
    page = open_page()
    session_of(page).composer.restore("What is 6*7?")
    texts = []
    for _ in range(2):  # a browser may get the second one alone
        page.run()
        texts.append(page.chat_input(key=keys.PROMPT).proto.value)
    ask(page, "What is 6*7?")
    texts.append(page.chat_input(key=keys.PROMPT).proto.value)
    page.run()
    texts.append(page.chat_input(key=keys.PROMPT).proto.value)
    assert texts == ["What is 6*7?", "What is 6*7?", "", ""]
