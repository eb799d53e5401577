"""An answer with very many calls: the page draws the first ones, and the others on demand."""

import json
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.ui.chat import approval
from assistant.ui.chat.calls import shown_calls
from tests.access.test_exhaustion import open_recording, recording_of_calls
from tests.servers.responses import ModelServer, call, calls, text
from tests.ui.page import Open, ask, open_inspector


def steps(page: AppTest) -> list[str]:
    return [step.label.partition("(")[2] for step in page.chat_message[-1].status]


def calculate(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [call("calculate", expression=f"{first + number}+1") for number in range(count)]


@pytest.fixture
def page(server: ModelServer, open_page: Open) -> AppTest:
    return open_page(
        OPENAI_BASE_URL=server.url, OPENAI_API_KEY="sk-x", ASSISTANT_LIMIT_ALL="1000 messages/day"
    )


def test_the_text_is_drawn_and_the_calls_after_the_first_ones_on_demand(
    server: ModelServer, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shown_calls, "SHOWN_CALLS", 3)
    server.plays(calls(*calculate(2)), calls(*calculate(6, first=2)), text("Done."))
    ask(page, "Go")
    assert [len(steps(page)), page.chat_message[-1].markdown[-1].value] == [3, "Done."]
    for number, shown in ((3, 6), (2, 8)):
        [more] = [each for each in page.button if each.key == "more_calls_1"]
        assert more.label == f"Show {number} more calls"
        more.click().run()
        assert len(steps(page)) == shown
    assert len(set(steps(page))) == 8
    assert not [each for each in page.button if each.key == "more_calls_1"]


@pytest.mark.exhaustive
def test_of_the_calls_that_need_approval_the_first_ones_have_cards(
    server: ModelServer, page: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(approval, "MAX_CARDS", 2)
    booking: dict[str, Any] = {"hotel_id": 1, "check_in": "2027-01-01", "nights": 1}
    guests = ["Ada", "Bo", "Cy", "Di"]
    server.plays(calls(*(call("book_hotel", guest=guest, **booking) for guest in guests)), text("Booked."))
    ask(page, "Go")

    def cards() -> list[str]:
        return [json.loads(str(each.value))["guest"] for each in page.text_area if "guest" in str(each.value)]

    assert cards() == ["Ada", "Bo"]
    assert "4 of 4 calls need your decision" in [each.value for each in page.caption]
    next(each for each in page.button if each.label == "Allow").click().run()
    assert cards() == ["Bo", "Cy"]
    for left in (["Di"], []):  # what has not been seen is not allowed
        next(each for each in page.button if each.label == "Allow all").click().run()
        assert cards() == left
    assert page.chat_message[-1].markdown[-1].value == "Booked."


@pytest.mark.exhaustive
def test_a_recording_of_a_thousand_calls_is_drawn_as_quickly_as_one_of_a_hundred(open_page: Open) -> None:
    page = open_inspector(open_page())
    open_recording(page, recording_of_calls(1_000, 0.0).encode())
    page.segmented_control(key="inspector_view").set_value("Recording").run()
    page.segmented_control(key="inspector_speed").set_value("instant").run()
    page.button(key="inspector_replay").click().run(timeout=60)
    assert not page.exception
    assert len(steps(page)) == shown_calls.SHOWN_CALLS
    assert [each.label for each in page.button if each.key == "more_calls_1"] == ["Show 100 more calls"]
