"""Free text, programs and searches for functions on the page, as the demo shows them."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from assistant import Tool, Toolbox, tool
from assistant.events import CallApproved, HostedCall, RunCompleted, ToolResult
from assistant.messages import Message
from assistant.parts import Call
from tests.ui.page import Open, address, ask, label, shown


def steps(page: AppTest) -> list[str]:
    """Return the labels of the steps of the newest answer, without times."""
    labels = [label(each) for each in page.chat_message[-1].status]
    return [each.rpartition(" · ")[0] if each.endswith(" ms") else each for each in labels]


def codes(page: AppTest) -> list[tuple[str, str]]:
    return [(each.language, each.value) for each in page.chat_message[-1].code]


def test_free_text_is_shown_as_text_and_not_as_json(open_page: Open) -> None:
    page = ask(open_page(), "With SQL: SELECT name FROM city WHERE id = 4")
    for _ in range(2):  # live, and drawn again
        assert steps(page) == ["**query_trips**(SELECT name FROM city WHERE id = 4)"]
        assert codes(page)[0] == ("sql", "SELECT name FROM city WHERE id = 4")
        assert "Input" in [each.value for each in page.chat_message[-1].caption]
        page.run()
    before = shown(page)
    assert shown(open_page({"thread": address(page)})) == before


def test_the_calls_of_a_program_stand_below_it(open_page: Open) -> None:
    page = ask(open_page(), "With a program, find the cheapest hotel in Paris and Oslo")
    for _ in range(2):
        assert [step.partition(" · ")[0] for step in steps(page)] == [  # without how long it took
            "**Ran a program**",
            '**find_hotels**(city="Paris")',
            '**find_hotels**(city="Oslo")',
        ]
        language, code = codes(page)[0]
        assert (language, code.splitlines()[0]) == ("javascript", 'const cities = ["Paris", "Oslo"];')
        assert "Fjordlys" in codes(page)[1][1]
        assert [each.state for each in page.chat_message[-1].status] == ["complete"] * 3
        page.run()


def test_a_search_says_what_it_found(open_page: Open) -> None:
    page = ask(open_page(), "Convert 100 euros to yen")
    search, call = steps(page)
    assert search == "**Searched for functions** money · 1 function loaded"
    assert call.startswith("**convert_currency**(amount=100")
    assert "money.convert_currency" in [code.partition(":")[0] for _, code in codes(page)]
    page = ask(page, "Find a function for maps")
    assert steps(page) == ["**Searched for functions** maps · no function found"]


def draw(message: "Message") -> None:
    import streamlit as st

    from assistant.ui.chat.answer import AnswerPlace, answer_chunks
    from tests.ui.page import chat_of

    chat = chat_of([message])
    for chunk in answer_chunks([list(message.events())], AnswerPlace(chat, 0, st.empty())):
        if not isinstance(chunk, str):
            chunk()


def drawn(message: Message) -> list[str]:
    page = AppTest.from_function(draw, args=(message,), default_timeout=20).run()
    assert not page.exception
    return [label(each) for each in page.status]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (HostedCall("p", "program", input="x()"), "**Ran a program** · not finished"),
        (HostedCall("p", "program", "", "x()", "Error", "failed"), "**Ran a program** · failed"),
    ],
)
def test_a_program_without_a_result_says_so(program: HostedCall, expected: str) -> None:
    call = Call("c", "gone", "{}", 1, result=ToolResult("c", "1"), program="p")
    labels = drawn(Message("assistant", [program, call], RunCompleted()))
    assert labels == [
        expected.replace("Ran", "Running") if "finished" in expected else expected,
        "**gone**()",
    ]


def test_a_call_of_an_unknown_program_says_so() -> None:
    call = Call("c", "gone", "{}", 1, result=ToolResult("c", "1"), program="p")
    assert drawn(Message("assistant", [call], RunCompleted())) == ["**gone**() · from an unknown program"]


@tool(free_text=True, approval=True)
def run_code(python: str) -> str:
    """Run code.

    Args:
        python: The code.
    """
    return python


def draw_card(arguments: str, tools: "Toolbox") -> None:
    import streamlit as st

    from assistant.messages import Message
    from assistant.parts import Call
    from assistant.threads import Thread
    from assistant.ui.chat.approval import draw_approval

    thread = Thread("t", [Message("assistant", [Call("c", "run_code", arguments, 1)])])
    draw_approval(thread, 0, lambda decisions: st.session_state.update(decided=decisions), tools)


def test_free_text_is_edited_as_text_before_it_is_allowed() -> None:
    card = AppTest.from_function(
        draw_card, args=(json.dumps({"python": 'say("hi")'}), Toolbox(run_code)), default_timeout=20
    ).run()
    [area] = [each for each in card.text_area if str(each.key).endswith("-arguments")]
    assert (area.label, area.value) == ("Input", 'say("hi")')
    area.set_value('say("bye")').run()
    [allow] = [each for each in card.button if each.label == "Allow"]
    allow.click().run()
    assert not card.exception
    assert card.session_state["decided"] == [CallApproved("c", json.dumps({"python": 'say("bye")'}))]


def draw_runner(tools: "Toolbox") -> None:
    from assistant.ui.inspector.function_runner import draw_function_runner

    draw_function_runner(tools, 30.0)


@tool(programs=True, load_when_needed=True, namespace="x")
def list_names() -> list[str]:
    """List the names."""
    return []


@pytest.mark.parametrize(
    ("offered", "texts"),
    [
        (run_code, ["A model writes its input as free text."]),
        (
            list_names,
            ["Programs that a model writes may call it.", "A model searches for it before it can call it."],
        ),
    ],
)
def test_the_runner_says_how_a_function_is_offered(offered: Tool[..., object], texts: list[str]) -> None:
    runner = AppTest.from_function(draw_runner, args=(Toolbox(offered),), default_timeout=20).run()
    captions = [each.value for each in runner.caption]
    assert [text for text in captions if text.startswith(("A model ", "Programs"))][-len(texts) :] == texts
    if offered is run_code:
        runner.text_area[0].set_value("two\nlines").run()
        runner.button(key="runner_run").click().run()
        assert "two\nlines" in [each.value for each in runner.code]
