"""What a screen reader is given of an answer; that it hears it, a browser shows in test_pictures.py."""

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from assistant.events import Ending, RunCompleted, RunFailed, RunPaused
from assistant.messages import Message, Text
from assistant.runs.loop import STOPPED
from assistant.ui.accessibility import BEGINNING, beginning, tell


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", "One."),
        ("## **Oslo** is `cold`\n\nVery.", "Oslo is cold Very."),
        ("It is 3.5 °C there! Dress well.", "It is 3.5 °C there!"),
        ("京都は晴れです。暖かいです。", "京都は晴れです。"),
        ("No end", "No end"),
        ("> - a\n> - b", "- a > - b"),
        ("", ""),
        ("a" * 10_000_000, "a" * (BEGINNING - 1) + "…"),
    ],
)
def test_an_answer_is_known_by_its_first_sentence(text: str, expected: str) -> None:
    assert beginning(text) == expected


def app(message):  # type: ignore[no-untyped-def]
    from assistant.ui.accessibility import draw_hearing, tell_end

    draw_hearing()()
    tell_end(message)


@pytest.mark.parametrize(
    ("text", "ending", "expected"),
    [
        ("**One.** Two.", RunCompleted(), "The answer is complete: One."),
        ("", RunCompleted(), "The answer is complete."),
        ("One.", RunPaused(), "Waiting for your decision."),
        ("One.", STOPPED, "Stopped."),
        ("One.", RunFailed("timeout", "It was **silent**."), "It was **silent**."),
    ],
)
def test_how_an_answer_ended_is_told(text: str, ending: Ending, expected: str) -> None:
    page = AppTest.from_function(app, kwargs={"message": Message("assistant", [Text(text)], ending)}).run()
    assert not page.exception
    assert [each.value for each in page.text] == [expected]


def test_where_there_is_no_place_nothing_is_told() -> None:
    st.session_state.pop("hearing", None)
    tell("Thinking")
