"""Branches on the page: edits, regenerated answers and switches, and nothing typed is lost."""

import threading
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.runs.test_worker import settled
from tests.servers.responses import ModelServer, call, calls, text
from tests.ui.page import Open, ask, session_of


@pytest.fixture
def page(server: ModelServer, open_page: Open) -> AppTest:
    """A page with two questions and their answers."""
    server.plays(text("A1"), text("A2"))
    return ask(ask(open_page(OPENAI_BASE_URL=server.url), "Q1"), "Q2")


def shown_texts(page: AppTest) -> list[str]:
    """Return the texts of the conversation as they are drawn."""
    return [(each.text or each.markdown)[0].value for each in page.chat_message]


def versions(page: AppTest) -> list[str]:
    return [each.value for each in page.caption if each.value[0].isdigit() and "/" in each.value]


def keys(page: AppTest) -> list[str]:
    names = ("edit_", "regenerate_", "branch_", "save_", "cancel_")
    return [str(each.key) for each in page.button if str(each.key).startswith(names)]


def press(page: AppTest, key: str) -> AppTest:
    return page.button(key=key).click().run()


def test_without_branches_each_user_message_and_the_newest_answer_have_one_button(page: AppTest) -> None:
    assert keys(page) == ["edit_0", "edit_2", "regenerate_3"]
    assert versions(page) == []


def test_an_answer_is_regenerated_and_both_versions_can_be_shown(server: ModelServer, page: AppTest) -> None:
    server.plays(text("A2b"))
    press(page, "regenerate_3")
    assert (shown_texts(page), versions(page)) == (["Q1", "A1", "Q2", "A2b"], ["2/2"])
    assert (page.button(key="branch_before_3").disabled, page.button(key="branch_after_3").disabled) == (
        False,
        True,
    )
    press(page, "branch_before_3")
    assert (shown_texts(page), versions(page)) == (["Q1", "A1", "Q2", "A2"], ["1/2"])
    server.plays(text("A3"))
    ask(page, "Q3")
    assert (shown_texts(page), versions(page)) == (["Q1", "A1", "Q2", "A2", "Q3", "A3"], ["1/2"])
    press(page, "branch_after_3")
    assert (shown_texts(page), versions(page)) == (["Q1", "A1", "Q2", "A2b"], ["2/2"])
    assert not page.exception


def test_an_edited_message_continues_the_thread_and_survives_a_reload(
    server: ModelServer, page: AppTest, open_page: Open
) -> None:
    press(page, "edit_0")
    assert page.text_area(key="edit_text_0").value == "Q1"
    server.plays(text("A1b"))
    page.text_area(key="edit_text_0").set_value("Q1b").run()
    assert keys(page) == ["save_0", "cancel_0", "edit_2", "regenerate_3"], "a rerun leaves it open"
    press(page, "save_0")
    assert (shown_texts(page), versions(page)) == (["Q1b", "A1b"], ["2/2"])
    thread_id = session_of(page).thread.id
    st.cache_resource.clear()  # the process forgets; the database does not
    again = open_page({"thread": thread_id}, OPENAI_BASE_URL=server.url)
    assert (shown_texts(again), versions(again)) == (["Q1b", "A1b"], ["2/2"])
    press(again, "branch_before_0")
    assert (shown_texts(again), versions(again)) == (["Q1", "A1", "Q2", "A2"], ["1/2"])
    assert not again.exception


@pytest.mark.exhaustive
def test_a_cancelled_unchanged_or_empty_edit_makes_no_branch(page: AppTest) -> None:
    press(page, "edit_2")
    page.text_area(key="edit_text_2").set_value("Something else").run()
    press(page, "cancel_2")
    press(page, "edit_2")
    assert page.text_area(key="edit_text_2").value == "Q2"
    page.text_area(key="edit_text_2").set_value("  ").run()
    press(page, "save_2")
    assert page.text_area(key="edit_text_2").value == "  ", "there is nothing to be sent"
    page.text_area(key="edit_text_2").set_value("Q2").run()
    press(page, "save_2")
    assert (shown_texts(page), versions(page), keys(page)) == (
        ["Q1", "A1", "Q2", "A2"],
        [],
        ["edit_0", "edit_2", "regenerate_3"],
    )


@pytest.mark.exhaustive
def test_an_edit_stays_while_another_answer_is_written_and_is_saved_afterwards(
    server: ModelServer, page: AppTest, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, toast = threading.Event(), st.toast

    def refuse(*words: Any, **options: Any) -> Any:
        gate.set()  # the page, which follows the other answer, has refused
        return toast(*words, **options)

    monkeypatch.setattr(st, "toast", refuse)
    server.plays(text("A3 one two three four five", pieces=26, gate=gate, gate_after=12), text("A1b"))
    press(page, "edit_0")
    page.text_area(key="edit_text_0").set_value("Q1b").run()
    other = open_page({"thread": session_of(page).thread.id}, OPENAI_BASE_URL=server.url)
    thread = session_of(other).thread
    waiting = threading.Thread(target=lambda: ask(other, "Q3"))
    waiting.start()
    while len(thread.messages) < 6:
        waiting.join(0.01)
    press(page, "save_0")
    waiting.join(10)
    assert [each.value for each in page.toast] == [
        "An answer is still being written\\. Wait for it, or stop it\\."
    ]
    assert page.text_area(key="edit_text_0").value == "Q1b"
    settled()  # the other answer is saved
    press(page, "save_0")
    assert (shown_texts(page), versions(page)) == (["Q1b", "A1b"], ["2/2"])


@pytest.mark.exhaustive
def test_an_edit_in_one_thread_is_not_shown_in_another(page: AppTest) -> None:
    press(page, "edit_0")
    page.text_area(key="edit_text_0").set_value("Q1b").run()
    thread_id = session_of(page).thread.id
    press(page, "new_chat")
    assert keys(page) == []
    page.query_params["thread"] = thread_id
    page.run()
    assert page.text_area(key="edit_text_0").value == "Q1b"
    press(page, "cancel_0")
    assert shown_texts(page) == ["Q1", "A1", "Q2", "A2"]


def test_an_answer_that_waits_for_a_decision_is_not_regenerated(server: ModelServer, open_page: Open) -> None:
    server.plays(calls(call("book_hotel", hotel_id=1, guest="Ada", check_in="2027-01-01", nights=1)))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Book")
    assert session_of(page).thread.is_paused
    assert keys(page) == ["edit_0"]


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_branches_are_deleted_with_their_thread(server: ModelServer, page: AppTest) -> None:
    server.plays(text("A2b"))
    press(page, "regenerate_3")
    assert len(server.conversations) == 2
    thread_id = session_of(page).thread.id
    page.run()
    page.menu_button(key=f"menu_{thread_id}").click("delete").run()
    press(page, "delete")
    assert server.conversations == {}
