"""The language of the page: the browser's, until the user chooses another."""

import pytest
import streamlit as st

from assistant.locale import N_
from assistant.ui import language
from tests.ui.page import Open


def test_the_page_is_english_unless_another_language_is_known() -> None:
    assert (language.language(), language._("Stop"), language._("{seconds} s", seconds=3)) == (
        "en",
        "Stop",
        "3 s",
    )


@pytest.mark.parametrize(
    ("locale", "expected"),
    [("ja", "ja"), ("ja-JP", "ja"), ("JA-jp", "ja"), ("en-GB", "en"), ("de", "en"), ("", "en"), (None, "en")],
)
def test_the_browsers_language_decides(
    monkeypatch: pytest.MonkeyPatch, locale: str | None, expected: str
) -> None:
    monkeypatch.setattr(type(st.context), "locale", locale)
    assert language.language() == expected


def test_parameters_are_inserted_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "language", lambda: "ja")
    assert language._("Running {function}", function="{x} {0}") == "{x} {0} を実行しています"
    assert language._("{missing} is not translated.") == "{missing} is not translated."
    assert language.ngettext("about {count} token", "about {count} tokens", 2) == "約 2 トークン"
    assert language.translate(N_("Stopped.")) == "停止しました。"


def test_the_user_changes_the_language_and_nothing_else_changes(open_page: Open) -> None:
    page = open_page()
    page.chat_input(key="prompt").set_value("Hi").run()
    page.toggle(key="inspector").set_value(True).run()
    page.segmented_control(key="inspector_view").set_value("Timing").run()
    address = page.query_params["thread"]
    assert page.button(key="new_chat").label == "New chat"
    page.segmented_control(key="language").set_value("ja").run()
    assert not page.exception
    assert page.button(key="new_chat").label == "新しい会話"
    assert page.chat_input(key="prompt").placeholder == "メッセージを入力"
    assert page.segmented_control(key="inspector_view").value == "Timing"
    assert page.toggle(key="inspector").value
    assert page.query_params["thread"] == address
    page.button(key="new_chat").click().run()
    assert page.button(key="new_chat").label == "新しい会話"
    page.segmented_control(key="language").set_value("en").run()
    assert page.button(key="new_chat").label == "New chat"
