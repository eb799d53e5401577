"""Announcements for screen readers; ``test_pictures.py`` shows in a browser that they are heard."""

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import Ending, RunCompleted, RunFailed, RunPaused
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs.run import STOPPED
from assistant.ui.page.accessibility import MAX_SUMMARY_CHARS, first_sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two.", "One."),
        ("## **Oslo** is `cold`\n\nVery.", "Oslo is cold Very."),
        ("It is 3.5 °C there! Dress well.", "It is 3.5 °C there!"),
        ("京都は晴れです。暖かいです。", "京都は晴れです。"),
        ("No end", "No end"),
        ("`6*7` is 42.", "6*7 is 42."),
        ("6*7 is __not__ 2 * 3.", "6*7 is not 2 * 3."),
        ("Set `OPENAI_API_KEY` in _your_ **.env**.", "Set OPENAI_API_KEY in your .env."),
        ("MAX_ROUNDS is *8*, ***really***.", "MAX_ROUNDS is 8, really."),
        ("``a`b`` and `**c**`.", "a`b and **c**."),
        ("> - a\n> - b", "- a > - b"),
        ("", ""),
        ("a" * 10_000_000, "a" * (MAX_SUMMARY_CHARS - 1) + "…"),
    ],
)
def test_an_answer_is_announced_by_its_first_sentence(text: str, expected: str) -> None:
    assert first_sentence(text) == expected


def app(message):  # type: ignore[no-untyped-def]
    from assistant.ui.page.accessibility import announce_ending, draw_live_region

    draw_live_region()
    announce_ending(message)


@pytest.mark.parametrize(
    ("text", "ending", "expected"),
    [
        ("**One.** Two.", RunCompleted(), "The answer is complete: One."),
        ("", RunCompleted(), "The answer is complete."),
        ("One.", RunPaused(), "Waiting for your approval."),
        ("One.", STOPPED, "Stopped."),
        ("One.", RunFailed("timeout", "It was **silent**."), "It was **silent**."),
    ],
)
def test_the_ending_of_an_answer_is_announced(text: str, ending: Ending, expected: str) -> None:
    page = AppTest.from_function(app, kwargs={"message": Message("assistant", [Text(text)], ending)}).run()
    assert not page.exception
    assert [each.value for each in page.text] == [expected]


def test_without_a_live_region_nothing_is_announced() -> None:
    def script() -> None:
        from assistant.ui.page.accessibility import announce

        announce("Thinking")

    page = AppTest.from_function(script).run()
    assert not page.exception
    assert not page.text


def test_an_ending_stays_when_the_script_runs_again() -> None:
    def script() -> None:
        import streamlit as st

        from assistant.events import RunCompleted
        from assistant.messages import Message
        from assistant.parts import Text
        from assistant.ui.page.accessibility import announce_ending, draw_live_region

        draw_live_region()
        if st.session_state.setdefault("first", True):
            announce_ending(Message("assistant", [Text("One.")], RunCompleted()))
        st.session_state.first = False

    page = AppTest.from_function(script).run().run()
    assert [each.value for each in page.text] == ["The answer is complete: One."]
    assert [each.value for each in page.run().text] == ["The answer is complete: One."]
