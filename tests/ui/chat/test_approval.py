"""The user decides on calls that need approval."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import CallApproved
from tests.servers.responses import ModelServer, call, calls, text
from tests.ui.page import Open, ask, label, session_of

ADA: dict[str, Any] = {"hotel_id": 11, "guest": "Ada", "check_in": "2027-01-01", "nights": 1}
BEN = ADA | {"guest": "Ben"}


def keys_of(page: AppTest, ending: str) -> list[str]:
    return [str(each.key) for each in page.button if str(each.key).endswith(ending)]


def allow_all(page: AppTest) -> AppTest:
    [key] = [str(each.key) for each in page.button if str(each.key).startswith("approve-all-")]
    return page.button(key=key).click().run()


def test_all_calls_are_allowed_with_one_click_each_with_its_edited_arguments(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(calls(call("book_hotel", **ADA), call("book_hotel", **BEN)), text("Booked."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Book twice")
    assert "2 of 2 calls need your decision" in [each.value for each in page.caption]
    [area] = [each for each in page.text_area if '"Ben"' in str(each.value)]
    area.set_value(str(area.value).replace("Ben", "Cleo")).run()
    allow_all(page)
    assert not page.exception
    first, second = session_of(page).history[1].calls
    assert isinstance(first.decision, CallApproved)
    assert isinstance(second.decision, CallApproved)
    assert (first.decision.arguments, '"Cleo"' in second.decision.arguments) == ("", True)
    assert [each.result.outcome for each in (first, second) if each.result] == ["done", "done"]


def test_allow_all_leaves_a_call_open_whose_edited_arguments_are_wrong(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(calls(call("book_hotel", **ADA), call("book_hotel", **BEN)))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Book twice")
    page.text_area[0].set_value("{}").run()
    allow_all(page)
    assert "1 of 2 calls need your decision" in [each.value for each in page.caption]
    assert len(keys_of(page, "-run")) == 1
    assert session_of(page).thread.is_paused


def test_one_call_has_no_button_for_all(server: ModelServer, open_page: Open) -> None:
    server.plays(calls(call("book_hotel", **ADA)))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Book")
    assert [each.key for each in page.button if str(each.key).startswith("approve-all-")] == []
    titles = [each.value for each in page.markdown if "pan_tool" in each.value]
    assert titles == [":material/pan_tool: Allow **book\\_hotel**?"]


def test_a_call_that_a_new_message_leaves_undecided_is_skipped_and_not_denied(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(calls(call("book_hotel", **ADA)), text("As you like."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Book")
    ask(page, "Never mind")
    assert label(page.status[0]).endswith("· skipped: you sent a new message")
    [output, _] = server.requests[1]["input"]
    assert "sent a new message instead of deciding" in output["output"]


@pytest.mark.usefixtures("local_visitor")
def test_an_open_call_of_a_conversation_of_the_server_is_offered_for_a_decision(
    server: ModelServer, open_page: Open
) -> None:
    booking = call("book_hotel", **ADA)
    question = {"role": "user", "content": "Book it"}
    conversation = server.begin_conversation([question, booking])
    server.plays(text("Booked."))
    page = open_page({"thread": conversation}, OPENAI_BASE_URL=server.url)
    assert session_of(page).thread.is_paused
    [key] = keys_of(page, "-run")
    page.button(key=key).click().run()
    assert not page.exception
    assert session_of(page).history[-1].text == "Booked."
    [output] = server.requests[-1]["input"]
    assert output["call_id"] == booking["call_id"]
