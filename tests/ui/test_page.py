"""The page in process: what the user sees, and what a reload shows."""

import json
import re
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import open_backend
from assistant.events import RunCompleted, TextDelta, ToolResult
from assistant.functions.calculator import calculate
from assistant.markdown.escape import escape_markdown
from assistant.messages import Message
from assistant.parts import Text
from assistant.runs.run import INTERRUPTED
from assistant.settings import Settings
from assistant.storage.json_export import export_json
from assistant.storage.store import Store
from assistant.tools.results import error_output
from assistant.ui.chat import failure
from assistant.ui.chat.calls.output import MAX_SHOWN_CHARS
from tests.servers.agents import AgentsServer
from tests.servers.assistants import AssistantsServer
from tests.servers.responses import ModelServer, call, calls, error, message, reasoning, refusal, text
from tests.stored import load_stored
from tests.ui.page import (
    IS_FOOTER,
    Open,
    address,
    ask,
    is_tool,
    label,
    listed,
    open_threads,
    rows,
    seen,
    sent,
    session_of,
    shown,
    walk,
)
from tests.variants import exhaustive, quick_first, quick_first_row


def test_the_first_page_introduces_the_app_and_the_demo(open_page: Open) -> None:
    page = open_page()
    assert [title.value for title in page.title] == ["Trip planner"]
    about, demo = [caption.value for caption in page.main.caption][:2]
    assert about == "An assistant that calls functions: watch the answer stream and inspect every call."
    assert demo == ":material/science: Demo mode: scripted replies, no model."
    cards = [page.button(key=f"example_{number}").label for number in range(4)]
    assert [card.split("** ")[0] for card in cards] == [
        "**Parallel calls",
        "**Approval",
        "**Chart",
        "**A failure",
    ]
    replay = next(each for each in page.expander if each.label == "Replay a recording")
    assert not replay.proto.expanded
    assert len(replay.button) == 3
    assert not page.exception


def test_the_demo_leads_to_the_connection(open_page: Open) -> None:
    page = open_page()
    page.button(key="demo_connect").click().run()
    assert page.radio(key="connection").value == "configured"


def test_an_example_is_one_click(open_page: Open) -> None:
    page = open_page()
    example = page.button(key="example_3")
    example.click().run()
    assert shown(page)[0] == ("user", [("text", example.label.split("** ")[1])])
    assert len(page.status) == 2
    assert not [button for button in page.button if str(button.key).startswith("example_")]


def test_an_answer_streams_into_the_page_and_into_the_session(server: ModelServer, open_page: Open) -> None:
    server.plays(text("Hello there."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hi")
    assert shown(page) == [("user", [("text", "Hi")]), ("assistant", [("markdown", "Hello there.")])]
    thread = session_of(page).thread
    assert address(page) == thread.id
    assert [(each.role, each.text) for each in thread.messages] == [
        ("user", "Hi"),
        ("assistant", "Hello there."),
    ]


def test_each_call_and_its_output_has_an_expander(server: ModelServer, open_page: Open) -> None:
    server.plays(
        calls(
            message("Let me see."), call("calculate", expression="1+1"), call("calculate", expression="1/0")
        ),
        calls(call("find_hotels", city="Oslo")),
        text("Done."),
    )
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Go")
    good, bad, rows = page.status
    assert label(good).startswith('**calculate**(expression="1+1") · ')
    assert good.state == "complete"
    assert [code.value for code in good.code] == ['{\n  "expression": "1+1"\n}', "2"]
    assert label(bad).startswith('**calculate**(expression="1/0") · failed · ')
    assert bad.state == "error"
    assert len(bad.error) == 1
    assert rows.state == "complete"
    assert list(rows.dataframe[0].value.columns) == [
        "hotel_id",
        "name",
        "city",
        "stars",
        "price_per_night_eur",
    ]
    kinds = [kind for kind, _ in shown(page)[1][1]]
    assert kinds == [
        *("markdown", "status", "code", "code", "status", "code", "error"),
        *("status", "code", "dataframe", "code", "markdown"),
    ]


@pytest.mark.usefixtures("local_visitor")
def test_a_reload_shows_the_thread_unchanged(server: ModelServer, open_page: Open) -> None:
    server.plays(
        calls(message("Let me see."), call("calculate", expression="6*7")),
        text("It is 42.", "Really."),
        text("You are welcome."),
    )
    page = ask(ask(open_page(OPENAI_BASE_URL=server.url), "6*7?"), "Thanks")
    before = shown(page)
    thread_id = address(page)
    page.run()
    assert shown(page) == before
    assert shown(open_page({"thread": thread_id})) == before
    st.cache_resource.clear()  # the process forgets; the database does not
    assert shown(open_page({"thread": thread_id})) == before
    st.cache_resource.clear()  # nor does the server, but for the times
    [conversation_id] = server.conversations
    reopened = open_page({"thread": conversation_id}, ASSISTANT_DATABASE_URL="sqlite://")
    assert _without_times(shown(reopened)) == _without_times(before)
    assert session_of(reopened).thread.id == conversation_id


def _without_times(seen: list[Any]) -> str:
    return re.sub(r" · [\d.]+ m?s", "", repr(seen))


@pytest.mark.parametrize(
    "thread_id",
    [
        "conv_nowhere",
        *exhaustive(
            ["conv_a", "conv_b"],
            "../../etc/passwd",
            "..",
            "<script>alert(1)</script>",
            "' OR 1=1; --",
            "x" * 10_000,
        ),
        *exhaustive("\x00", " ", "%00", "a/b?c#d", "שלום", "\u202e"),
    ],
)
def test_the_address_of_a_missing_thread_opens_a_new_one_with_a_notice(
    server: ModelServer, open_page: Open, thread_id: str | list[str]
) -> None:
    page = open_page({"thread": thread_id}, OPENAI_BASE_URL=server.url)
    assert [info.value for info in page.info] == ["That chat doesn't exist. Started a new one."]
    assert "thread" not in page.query_params
    server.plays(text("Hello."))
    ask(page, "Hi")
    assert [info.value for info in page.info] == []


def test_an_error_is_shown_in_the_conversation_and_retry_answers_the_same_message(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(error(401, "invalid_api_key"), text("Here I am."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    assert "does not accept the key" in page.error[0].value.replace("\\", "")
    page.button(key="retry").click().run()
    assert shown(page) == [("user", [("text", "Hello?")]), ("assistant", [("markdown", "Here I am.")])]


@pytest.mark.usefixtures("local_visitor")
def test_a_first_message_that_fails_stays_in_the_address_and_in_the_list(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(error(400, None, "No."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    before = shown(page)
    assert before[0] == ("user", [("text", "Hello?")])
    assert page.error
    assert listed(page) == ["Hello?"]
    st.cache_resource.clear()
    again = open_page({"thread": address(page)}, OPENAI_BASE_URL=server.url)
    assert (shown(again), listed(again)) == (before, ["Hello?"])


def test_retry_is_enabled_after_the_wait_the_server_requested(
    server: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(failure, "time", SimpleNamespace(monotonic=lambda: now))
    server.plays(
        error(429, "rate_limit_exceeded", retry_after="20", x_should_retry="false"), text("Here I am.")
    )
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    seen = []
    for now in (1000.0, 1007.5, 1019.5, 1020.0, 9999.0):  # noqa: B007  what the clock says
        page.run()
        words = [each.value for each in page.caption if "try again" in each.value]
        seen.append((page.button(key="retry").disabled, words))
    assert seen == [
        (True, ["You can try again in 20 s."]),
        (True, ["You can try again in 13 s."]),
        (True, ["You can try again in 1 s."]),
        (False, []),
        (False, []),
    ]
    page.button(key="retry").click().run()
    assert shown(page)[1] == ("assistant", [("markdown", "Here I am.")])


def test_retry_is_offered_for_the_last_failure_only(server: ModelServer, open_page: Open) -> None:
    server.plays(error(401, "invalid_api_key"), error(500, None, x_should_retry="false"), text("Here I am."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    assert page.button(key="retry").proto.type == "secondary"
    ask(page, "Hello??")
    assert [[button.key for button in each.button] for each in page.chat_message] == [
        *(["copy_0", "edit_0"], [], ["copy_2", "edit_2"], ["retry"])
    ]
    assert page.button(key="retry").proto.type == "primary"
    ask(page, "Hello???")
    keys = [button.key for each in page.chat_message for button in each.button]
    user_keys = [f"{name}_{position}" for position in (0, 2, 4) for name in ("copy", "edit")]
    assert keys == [*user_keys, "copy_5", "regenerate_5"]


def test_each_failure_has_its_own_wait(
    server: ModelServer, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(failure, "time", SimpleNamespace(monotonic=lambda: now))
    waits = [
        error(429, "rate_limit_exceeded", retry_after=wait, x_should_retry="false") for wait in ("5", "600")
    ]
    server.plays(*waits)
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hello?")
    now = 1005.0
    page.run().button(key="retry").click().run()
    assert page.button(key="retry").disabled
    assert page.main.caption[-1].value == "You can try again in 10 min."


def test_new_chat_keeps_the_old_thread(server: ModelServer, open_page: Open) -> None:
    server.plays(text("Hello."), text("Hello again."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hi")
    first = address(page)
    page.button(key="new_chat").click().run()
    assert shown(page) == []
    assert "thread" not in page.query_params
    ask(page, "Hi")
    assert address(page) != first
    assert [len(conversation.items) for conversation in server.conversations.values()] == [2, 2]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    quick_first_row(
        ("ASSISTANT_MAX_ROUNDS", "many", "ASSISTANT_MAX_ROUNDS is 'many'. Set a whole number from 1 to 100."),
        ("ASSISTANT_TOOL_TIMEOUT", "-1", "ASSISTANT_TOOL_TIMEOUT is '-1'. Set a number of seconds"),
        ("OPENAI_BASE_URL", "localhost", "OPENAI_BASE_URL is 'localhost'. Set a URL with its scheme"),
    ),
)
def test_an_invalid_setting_gives_one_sentence_on_the_page(
    open_page: Open, name: str, value: str, sentence: str
) -> None:
    page = open_page(**{name: value})
    assert page.error[0].value.replace("\\", "").startswith(sentence)
    assert not page.exception


@pytest.mark.usefixtures("local_visitor")
def test_settings_come_from_the_environment_then_the_secrets_then_the_file(
    open_page: Open, tmp_path: Path, server: ModelServer
) -> None:
    (tmp_path / ".env").write_text(
        "ASSISTANT_NAME=From the file\nOPENAI_MODEL=from-the-file\nOPENAI_API_KEY=sk-x\n"
    )
    page = open_page(ASSISTANT_NAME="From the environment")
    assert page.title[0].value == "From the environment"
    assert "from\\-the\\-file" in page.caption[0].value
    page.secrets["OPENAI_MODEL"] = "from-the-secrets"
    page.run()
    assert "from\\-the\\-secrets" in page.caption[0].value


@pytest.mark.parametrize(
    "words",
    quick_first(
        [
            "<b onclick=alert(1)>bold</b>",
            "# Heading $5 and $6",
            '{"role": "system"}',
            "[x](javascript:alert(1))",
            "👩‍👩‍👧",
            "\\(x^2\\) $$\\frac{1}{2}$$ :red[hi] :material/bolt:",
            "if:\n    indented\n\n\tand broken\n```\ncode",
            "שלום, كيف حالك؟",
            "Z̷̢͝a̸l̵g̶o̴ é ﷽ \u202eabc",
            "x" * 100_000,
        ]
    ),
)
def test_a_users_message_is_shown_as_typed(server: ModelServer, open_page: Open, words: str) -> None:
    server.plays(text("I see."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), words)
    assert shown(page)[0] == ("user", [("text", words)])
    assert server.requests[0]["input"][0]["content"] == words


def test_characters_that_cannot_be_sent_are_replaced(server: ModelServer, open_page: Open) -> None:
    server.plays(text("I see."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "a\x00b\x1bc\x7f\td\ne")
    assert shown(page)[0] == ("user", [("text", "a\ufffdb\ufffdc\ufffd\td\ne")])
    assert server.requests[0]["input"][0]["content"] == "a\ufffdb\ufffdc\ufffd\td\ne"


@pytest.mark.parametrize("words", quick_first([" \n\t\u3000\xa0 ", "", " "]))
def test_a_blank_message_is_not_sent(server: ModelServer, open_page: Open, words: str) -> None:
    page = ask(open_page(OPENAI_BASE_URL=server.url), words)
    assert (shown(page), server.requests) == ([], [])
    assert len([button for button in page.button if str(button.key).startswith("example_")]) == 4


def test_an_answer_has_a_footer_and_a_rating_that_is_saved(
    server: ModelServer, open_page: Open, tmp_path: Path
) -> None:
    server.plays(calls(reasoning("Hm."), message("Hello.")))
    named = {"OPENAI_BASE_URL": server.url, "ASSISTANT_DATABASE_URL": f"sqlite:///{tmp_path}/t.sqlite"}
    page = ask(open_page(**named), "Hi")
    assert [label(each) for each in page.status] == ["Reasoned for 1 s"]
    [line] = [each.value for each in page.caption if IS_FOOTER(each.value)]
    assert line.endswith(" tokens")
    assert page.feedback(key="thumbs_1").value is None
    page.feedback(key="thumbs_1").set_value(1).run()
    st.cache_resource.clear()
    again = open_page({"thread": address(page)}, **named)
    assert [label(each) for each in again.status] == ["Reasoned for 1 s"]
    assert [each.value for each in again.caption if IS_FOOTER(each.value)] == [line]
    assert again.feedback(key="thumbs_1").value == 1
    assert not again.exception


def test_a_refusal_is_one_paragraph_of_plain_text_live_and_stored(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(refusal("I will *not* do that, and this is why."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Go")
    refused = ("assistant", [("markdown", escape_markdown("I will *not* do that, and this is why."))])
    assert shown(page)[1] == refused
    assert shown(page.run())[1] == refused


BIG = "x" * (MAX_SHOWN_CHARS + 1)
SHORT = BIG[:MAX_SHOWN_CHARS]
SENTENCE = "Showing the first 20,000 of 20,001 characters."


@pytest.mark.parametrize(
    ("result", "inside"),
    [
        (ToolResult("c1", "42"), [("code", "42")]),
        (ToolResult("c1", ""), [("code", "")]),
        (ToolResult("c1", '[{"a": 1}]'), [("dataframe", "   a\n0  1"), ("code", '[{"a": 1}]')]),
        (ToolResult("c1", '{"a": [1]}'), [("code", '{\n  "a": [\n    1\n  ]\n}'), ("code", '{"a": [1]}')]),
        (ToolResult("c1", BIG), [("code", SHORT), ("caption", SENTENCE), ("download_button", "Save all")]),
        (
            ToolResult("c1", "xxx [cut here]", "done", BIG),
            [("code", SHORT), ("caption", SENTENCE), ("download_button", "Save all")],
        ),
        (
            ToolResult("c1", error_output("It failed."), "failed", "ZeroDivisionError: no"),
            [("error", "It failed\\."), ("code", "ZeroDivisionError: no")],
        ),
        (
            ToolResult("c1", error_output(BIG), "failed", ""),
            [("code", SHORT), ("caption", SENTENCE), ("download_button", "Save all")],
        ),
        (
            ToolResult("c1", error_output(f"{BIG} [cut here]"), "failed", BIG),
            [("code", SHORT), ("caption", SENTENCE), ("download_button", "Save all")],
        ),
        (ToolResult("c1", "not as usual", "failed", "the words"), [("code", "the words")]),
    ],
)
def test_an_output_can_be_seen_in_full_and_is_shown_once(
    result: ToolResult, inside: list[tuple[str, str]]
) -> None:
    def script(result: "ToolResult") -> None:
        from assistant.events import RunCompleted
        from assistant.messages import Message
        from assistant.parts import Call
        from assistant.ui.chat.messages.message import draw_message
        from tests.ui.page import chat_of

        twice = [Call("c1", "look", "{}", number, result=result) for number in (1, 2)]
        answer = Message("assistant", [*twice], RunCompleted())
        draw_message(chat_of([answer]), 0)  # keys that meet would fail here

    page = AppTest.from_function(script, args=(result,)).run()
    assert not page.exception
    for status in page.status:
        assert [seen(each) for each in walk(status) if not is_tool(each)] == [("code", "{}"), *inside]


def test_arguments_of_the_model_are_shown_as_data(server: ModelServer, open_page: Open) -> None:
    hostile = "` ![x](https://evil.example/leak) :red[hi] <script>"
    server.plays(calls(call(hostile, note=hostile)), text("Done."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Go")
    assert page.status[0].label.rpartition(" · ")[0] == (  # without how long it took
        f"**{escape_markdown(hostile)}**{escape_markdown('(note=' + json.dumps(hostile) + ')')} · unknown function"
    )


def test_the_demo_chains_calls_on_the_page_in_both_languages(open_page: Open) -> None:
    page = ask(open_page(), 'calculate(expression="6*7")\nthen\nget_current_time(time_zone="Asia/Tokyo")')
    assert [status.state for status in page.status] == ["complete", "complete"]
    ask(page, "京都のホテルを教えて")
    assert label(page.status[2]).startswith("**find_hotels**(")


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_an_answer_another_process_left_running_continues_when_it_is_opened(
    server: ModelServer, open_page: Open
) -> None:
    gate = threading.Event()
    play = text("One two three four", gate=gate, gate_after=6)
    server.plays(calls(call("calculate", expression="6*7")), play)
    settings = Settings(base_url=server.url, background=True)
    backend = open_backend(settings)
    run = Assistant(backend, Toolbox(calculate)).run(thread := Thread(), "Count")
    while next(run) != TextDelta("One t"):
        pass
    threading.Timer(0.2, gate.set).start()  # while the page follows
    page = open_page({"thread": thread.id}, OPENAI_BASE_URL=server.url, ASSISTANT_BACKGROUND="1")
    question, answered = shown(page)
    assert question == ("user", [("text", "Count")])
    assert [kind for kind, _ in answered[1]] == ["status", "code", "code", "markdown"]
    assert answered[1][-1] == ("markdown", "One two three four")
    assert not page.exception
    run.close()
    backend.close()


def test_the_partial_answer_of_a_killed_process_is_shown(
    server: ModelServer, open_page: Open, tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    store.save(Thread("conv_1", [Message.from_user("Count"), Message("assistant", [Text("One tw")])]))
    page = open_page({"thread": "conv_1"}, OPENAI_BASE_URL=server.url)
    assert shown(page)[1][1][0] == ("markdown", "One tw")
    assert (
        page.error[0].value.replace("\\", "")
        == "This answer was interrupted because the application stopped."
    )
    for worker in threading.enumerate():
        if worker.name == "run conv_1":
            worker.join(5)  # no page waits until an answer is saved
    stored = load_stored(store, "conv_1")
    assert stored.messages[1].ending == INTERRUPTED
    server.plays(text("One two three."))
    page.button(key="retry").click().run()
    assert shown(page)[-1] == ("assistant", [("markdown", "One two three.")])
    store.close()


def test_what_a_damaged_chat_has_stored_is_only_for_the_owner(
    open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(Store(f"sqlite:///{tmp_path}/threads.sqlite")) as store:
        store.save(Thread("conv_1", [Message.from_user("Hello")]))
        with store.database.writing() as connection:
            connection.exec_driver_sql('UPDATE message SET body = \'{"role": "canary"}\'')
    page = open_page({"thread": "conv_1"})
    assert page.error[0].value == "The database cannot be used right now\\."
    assert "canary" not in sent(page)
    assert "threads.sqlite" not in sent(page)
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    page.button(key="retry").click().run()  # the address still names the chat
    assert "threads.sqlite" in page.error[0].value.replace("\\", "")


def test_an_unusable_database_is_reported_and_the_page_works_without_it(
    server: ModelServer, open_page: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken.sqlite").write_text("This is no database. " * 100)
    url = f"sqlite:///{tmp_path}/broken.sqlite"
    page = open_page({"thread": "conv_1"}, OPENAI_BASE_URL=server.url, ASSISTANT_DATABASE_URL=url)
    assert page.warning[0].value == "Chats are not being saved. The database cannot be used right now\\."
    assert "broken.sqlite" not in sent(page), "where it is is only for the owner"
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    page = open_page(OPENAI_BASE_URL=server.url, ASSISTANT_DATABASE_URL=f"sqlite:///{tmp_path}/broken.sqlite")
    assert page.warning[0].value.startswith("Chats are not being saved.")
    assert "file is not a database" in page.warning[0].value
    server.plays(text("Hello."))
    assert shown(ask(page, "Hi"))[1] == ("assistant", [("markdown", "Hello.")])


@pytest.mark.usefixtures("local_visitor")
def test_the_threads_are_listed_opened_found_renamed_and_deleted(
    server: ModelServer, open_page: Open
) -> None:
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."), text("Hello."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "6*7?")
    first = address(page)
    page.button(key="new_chat").click().run()
    ask(page, "Hi")
    page.run()
    assert listed(page) == ["Hi", "6\\*7?"]
    conversations = list(server.conversations)
    page.text_input(key="search").set_value("it is 42").run()
    assert listed(page) == ["6\\*7?"]
    snippets = [each.value for each in page.sidebar.caption if "**" in each.value]
    assert snippets == ["**It is 42**\\."]
    rows(page)[0].click().run()
    assert (address(page), open_threads(page)) == (first, [first])
    assert shown(page)[0] == ("user", [("text", "6*7?")])
    page.menu_button(key=f"menu_{first}").click("rename").run()
    page.text_input(key=f"title_{first}").set_value("The answer")
    next(each for each in page.button if each.label == "Save").click().run()
    page.text_input(key="search").set_value("").run()
    assert listed(page) == ["Hi", "The answer"]
    page.menu_button(key=f"menu_{first}").click("export").run()
    exports = [seen(each)[1] for each in page.get("download_button")]
    assert exports == ["Markdown", "JSON (can be imported)", "Python script"]
    page.menu_button(key=f"menu_{first}").click("delete").run()
    page.button(key="cancel").click().run()
    assert listed(page) == ["Hi", "The answer"]
    page.menu_button(key=f"menu_{first}").click("delete").run()
    page.button(key="delete").click().run()
    assert listed(page) == ["Hi"]
    assert (shown(page), "thread" in page.query_params) == ([], False)
    assert list(server.conversations) == conversations[1:], "it is deleted at the server too"
    assert not page.exception


@pytest.mark.usefixtures("local_visitor")
def test_threads_are_listed_by_age_and_equal_titles_are_distinguished(
    open_page: Open, tmp_path: Path
) -> None:
    page, url = open_page(), f"sqlite:///{tmp_path}/threads.sqlite"
    with closing(Store(url)) as store, closing(sqlite3.connect(tmp_path / "threads.sqlite")) as file:
        for name, title, days in (
            *(("a", "Hi", 0), ("b", "Hi", 0), ("c", "Hi (2)", 0), ("d", "Hi", 1), ("e", "", 7)),
            *(("f", ":a: **b**", 8), ("g", "Hi", 30), ("h", "Hi", 31), ("i", "Hi", 4000)),
        ):
            store.save(Thread(name, [Message.from_user(title), Message("assistant", [], RunCompleted())]))
            changed = datetime.now(UTC).replace(hour=12).timestamp() - days * 86_400 - 60 * ord(name)
            file.execute("update thread set updated_at = ? where id = ?", [changed, name])
            file.commit()
    page.run()
    names = [each.value for each in page.sidebar.caption if each.value in AGES]
    assert names == ["Today", "Yesterday", "Last 7 days", "Last 30 days", "Earlier"]
    times = r"^(\d{4}-\d\d-\d\d )?\d\d:\d\d · "
    shown_titles = [re.sub(times, "At … ", label) for label in listed(page)]
    assert shown_titles == [
        *("At … Hi", "At … Hi", r"Hi \(2\)", "Hi", "…", "\\:a\\: \\*\\*b\\*\\*", "Hi", "At … Hi", "At … Hi")
    ]
    assert len(set(listed(page))) == 8, "titles that are equal within a group have a time"
    for name in ("b", "c", "i"):
        page.button(key=f"open_thread_{name}").click().run()
        assert (address(page), open_threads(page)) == (name, [name])
    assert not page.exception


AGES = ["Today", "Yesterday", "Last 7 days", "Last 30 days", "Earlier"]


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_another_thread_than_the_open_one_can_be_deleted(server: ModelServer, open_page: Open) -> None:
    server.plays(text("One."), text("Two."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "First")
    first = address(page)
    page.button(key="new_chat").click().run()
    ask(page, "Second")
    second = address(page)
    page.menu_button(key=f"menu_{first}").click("delete").run()
    page.button(key="delete").click().run()
    assert (listed(page), address(page)) == (["Second"], second)
    assert shown(page)[0] == ("user", [("text", "Second")])


def test_only_a_local_user_sees_the_list_of_threads(server: ModelServer, open_page: Open) -> None:
    server.plays(text("Hello."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "Hi").run()
    assert listed(page) == []
    assert "search" not in [each.key for each in page.sidebar.text_input]


@pytest.mark.usefixtures("local_visitor")
def test_a_thread_is_exported_imported_and_continued(
    server: ModelServer, open_page: Open, tmp_path: Path
) -> None:
    server.plays(calls(call("calculate", expression="6*7")), text("It is 42."), text("Sure."))
    page = ask(open_page(OPENAI_BASE_URL=server.url), "6*7?")
    before = shown(page)
    store = Store(f"sqlite:///{tmp_path}/threads.sqlite")
    stored = load_stored(store, address(page))
    page.button(key="new_chat").click().run()
    page.file_uploader(key="import").upload("thread.json", export_json(stored, "Mine").encode()).run()
    assert shown(page) == before
    assert address(page).startswith("thread_")
    assert (listed(page)[0], open_threads(page)) == ("Mine", [address(page)])
    ask(page, "Sure?")
    assert [item["type"] for item in server.requests[-1]["input"]] == [
        *("message", "function_call", "function_call_output", "message", "message")
    ]
    again = load_stored(store, address(page))
    assert [each.text for each in again.messages] == ["6*7?", "It is 42.", "Sure?", "Sure."]
    store.close()


@pytest.mark.exhaustive
@pytest.mark.usefixtures("local_visitor")
def test_an_agents_sessions_are_listed_and_can_be_continued(open_page: Open, tmp_path: Path) -> None:
    with AgentsServer() as server:
        server.plays(calls(call("calculate", expression="6*7")), text("It is 42."), text("Sure."))
        named = {"OPENAI_BASE_URL": server.url, "OPENAI_AGENT_ID": "agent_1"}
        page = ask(open_page(**named), "6*7?")
        before = shown(page)
        page.button(key="at_server").click().run()
        assert listed(page) == ["6\\*7?"], "the session of a thread that is stored here is not listed again"
        assert [kind for kind, _ in before[1][1]][:1] == ["status"]
        # Another application, which has heard nothing of it.
        page = open_page(**named, ASSISTANT_DATABASE_URL=f"sqlite:///{tmp_path}/other.sqlite")
        assert listed(page) == []
        page.button(key="at_server").click().run()
        assert listed(page) == ["6\\*7?"]
        rows(page)[0].click().run()
        assert shown(page)[0] == before[0]
        assert shown(page)[1][1][-1] == ("markdown", "It is 42.")
        assert shown(ask(page, "Sure?"))[-1][1][0] == ("markdown", "Sure.")
        assert "over Agents" in page.main.caption[0].value


def test_the_assistants_protocol_runs_functions(open_page: Open) -> None:
    with AssistantsServer() as server:
        server.plays(calls(call("calculate", expression="6*7"), call("gone")), text("It is 42."))
        page = ask(open_page(OPENAI_BASE_URL=server.url, OPENAI_ASSISTANT_ID="asst_1"), "6*7?")
        words = [value for _, value in shown(page)[1][1]]
        assert words[-1] == "It is 42."
        assert any("Define it in assistant/functions/gone.py" in each.replace("\\", "") for each in words)
        assert len(page.status) == 2
        caption = page.main.caption[0].value.replace("\\", "")
        assert caption.endswith("Answers by assistant asst_1 over Assistants.")
        assert page.sidebar.caption[0].value.replace("\\", "").startswith("assistant asst_1 at 127.0.0.1")


@pytest.mark.parametrize(
    "content", quick_first([b'{"format": "assistant-thread", "version": 99}', b"", b"{}", b"\xff\x00"])
)
@pytest.mark.usefixtures("local_visitor")
def test_a_file_that_is_not_a_thread_is_refused_with_one_sentence(open_page: Open, content: bytes) -> None:
    page = open_page()
    page.file_uploader(key="import").upload("thread.json", content).run()
    assert len(page.toast) == 1
    assert listed(page) == []
    assert not page.exception


@pytest.mark.exhaustive
def test_the_newest_messages_of_a_long_thread_are_drawn(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.session.chat.SHOWN_MESSAGES", 4)
    page = open_page()
    questions: list[str] = []
    for number in range(6):
        questions.append(f"Hello {number}")
        ask(page, questions[-1])
        drawn = [each.text[0].value for each in page.chat_message if each.name == "user"]
        assert drawn == questions[-4:], "two turns before the conversation's fragment, and two in it"
    assert page.main.caption[2].value.startswith("Your browser searches only the messages shown.")
    page.button(key="earlier").click().run()
    assert [each.text[0].value for each in page.chat_message if each.name == "user"] == questions


def test_the_parts_around_an_answer_are_drawn_when_it_has_ended(open_page: Open) -> None:
    page = open_page()
    around = [page.title[0].value, page.main.caption[1].value, page.toggle(key="inspector").label]
    for words in ("Hello", "Hello again"):
        ask(page, words)
        assert [page.title[0].value, page.main.caption[1].value, page.toggle(key="inspector").label] == around
