"""The conversation keeps its place on the page, as a real server and Streamlit's agent API show."""

from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_process import Start, found, interrupt, serve, start

__all__ = ["start"]  # a fixture

pytestmark = pytest.mark.exhaustive


def fragment_of_input(page: dict[str, Any]) -> str:
    [prompt] = [each for each in found(page, "chat_input") if each["key"] == "prompt"]
    return str(prompt["fragment"])


def test_the_conversation_keeps_its_place_whatever_surrounds_it(start: Start, tmp_path: Path) -> None:
    """Streamlit knows a fragment by its place: a message to a place that has just moved would be lost."""
    process, page = serve(start, tmp_path)
    before = page.open()
    session = before["session_id"]
    with_inspector = page.do(session_id=session, widget_state={"inspector": True})
    assert fragment_of_input(with_inspector) == fragment_of_input(before)
    answered = page.say(with_inspector, 'calculate(expression="6*7")')
    assert fragment_of_input(answered) == fragment_of_input(before)
    unknown = page.do(
        session_id=session, query_params={"thread": ["conv_nowhere"]}
    )  # draws a notice above it
    assert fragment_of_input(unknown) == fragment_of_input(before)
    assert interrupt(process, tmp_path / "log") == 0
