"""The messages before an answer: what stands on the page already is drawn again after that has begun."""

from typing import TYPE_CHECKING

from streamlit.testing.v1 import AppTest

from assistant.messages import Message

if TYPE_CHECKING:
    from collections.abc import Hashable


def test_what_stands_on_the_page_already_is_drawn_last() -> None:
    one, two, three, other = (Message.from_user(text) for text in ("one", "two", "three", "other"))
    page = AppTest.from_function(script)
    assert order(page, [one, two]) == ["one", "two", "|"], "nothing stands there"
    assert order(page, [one, two, three]) == ["three", "|", "one", "two"]
    assert order(page, [one, two, three]) == ["|", "one", "two", "three"]
    assert order(page, [one, other, three]) == ["other", "three", "|", "one"], "from what has changed on"
    assert order(page, [one]) == ["|", "one"]
    assert order(page, []) == ["|"]
    assert order(page, [one]) == ["one", "|"]


def test_where_the_places_are_others_nothing_stands_there() -> None:
    one, two = Message.from_user("one"), Message.from_user("two")
    page = AppTest.from_function(script)
    assert order(page, [one], (0, False)) == ["one", "|"]
    assert order(page, [one, two], (0, True)) == ["one", "two", "|"]
    assert order(page, [one, two], (10, True)) == ["one", "two", "|"]
    assert order(page, [one, two], (10, True)) == ["|", "one", "two"]


def test_an_answer_that_was_watched_to_its_end_stands_there_too() -> None:
    question, answer, more = (Message.from_user(text) for text in ("question", "answer", "more"))
    page = AppTest.from_function(script)
    assert order(page, [question], watched=[question, answer]) == ["question", "|"]
    assert order(page, [question, answer, more]) == ["more", "|", "question", "answer"]


def test_those_that_have_given_way_are_not_drawn_and_the_others_stay_in_their_places() -> None:
    one, two, three, four = (Message.from_user(text) for text in ("one", "two", "three", "four"))
    page = AppTest.from_function(script)
    assert order(page, [one, two, three]) == ["one", "two", "three", "|"]
    assert order(page, [one, two, three, four], gone=2) == ["four", "|", "three"]
    assert order(page, [one, two, three, four], gone=4) == ["|"]


def order(
    page: AppTest,
    messages: list[Message],
    layout: "Hashable" = None,
    watched: list[Message] | None = None,
    gone: int = 0,
) -> list[str]:
    """In which order these are drawn, with a line after what is not put off; they stand in their own."""
    page.session_state.given = messages, layout, watched, gone
    page.run()
    assert not page.exception
    assert [each.markdown[0].value for each in page.chat_message] == [each.text for each in messages[gone:]]
    return list(page.session_state.drawn)


def script() -> None:
    import streamlit as st

    from assistant.ui.chat.history import draw_history, now_stands

    messages, layout, watched, gone = st.session_state.given
    st.session_state.drawn = []

    def draw(place: "st.delta_generator.DeltaGenerator", position: int) -> None:
        place.markdown(messages[position].text)
        st.session_state.drawn.append(messages[position].text)

    draw_rest = draw_history(messages, layout, draw, gone)
    st.session_state.drawn.append("|")
    draw_rest()
    if watched:
        now_stands(watched, layout)
