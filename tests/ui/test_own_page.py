"""Another page has the same chat in a few lines."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from assistant.demo import transport as demo
from tests.environment import remove_settings
from tests.ui.page import ask, shown

OWN_PAGE = """
import streamlit as st

from assistant.access.auth import User
from assistant.ui import application, chat_session, conversation, draw_history

session = chat_session(application(), User())
session.open(st.query_params.get("thread", ""))
st.title("My page")
draw_history(session)
conversation(session)
"""


def test_a_page_of_ten_lines_has_the_same_chat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remove_settings(monkeypatch)
    monkeypatch.setattr(demo, "SECONDS_PER_TOKEN", 0)
    script = tmp_path / "own_page.py"
    script.write_text(OWN_PAGE)
    page = AppTest.from_file(str(script), default_timeout=20).run()
    ask(page, 'calculate(expression="6*7")')
    assert page.title[0].value == "My page"
    [(_, question), (_, answer)] = shown(page)
    assert question == [("text", 'calculate(expression="6*7")')]
    assert answer[0][0] == "status"
    assert "42" in "".join(words for _, words in answer)
    assert (tmp_path / "threads.sqlite").exists()
