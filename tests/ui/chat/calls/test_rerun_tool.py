"""The user runs a failed call again, in the step of the call."""

from typing import Any

from streamlit.testing.v1 import AppTest

from assistant.events import RunCompleted, ToolCall, ToolResult
from assistant.messages import Message
from assistant.tools.results import error_output
from tests.ui.page import Open


def app(messages, log):  # type: ignore[no-untyped-def]
    from assistant import Toolbox, ToolError, tool
    from assistant.ui.chat.messages.message import draw_message
    from tests.ui.page import chat_of

    @tool
    def fetch(page: int) -> str:
        """Fetch.

        Args:
            page: Which.
        """
        log.append(page)
        if len(log) < 2:
            raise ToolError("The server is away.")
        return f"Page {page}"

    chat = chat_of(messages)
    chat.connection.toolbox = Toolbox(fetch)
    draw_message(chat, 1)


def answered(*results: tuple[str, ToolResult]) -> list[Message]:
    message = Message("assistant")
    for name, result in results:
        message.add(ToolCall(result.call_id, name, '{"page": 7}'))
        message.add(result)
    message.add(RunCompleted())
    return [Message.from_user("Hi"), message]


def failed(call_id: str, outcome: Any = "failed") -> ToolResult:
    return ToolResult(call_id, error_output("No."), outcome)


def drawn(page: AppTest) -> list[str]:
    """Return what stands in the first step below the result of the call."""
    assert not page.exception
    step = page.status[0]
    return [each.value for each in (*step.caption[2:], *step.error[1:], *step.code[1:])]


def rerun_buttons(page: AppTest) -> list[Any]:
    return [button for button in page.button if str(button.key).startswith("rerun-")]


def test_a_failed_call_is_rerun_in_its_step_and_not_sent_to_the_model() -> None:
    messages = answered(("fetch", failed("call_1")))
    log: list[int] = []
    before = list(messages[-1].events())
    page = AppTest.from_function(app, kwargs={"messages": messages, "log": log}).run()
    notice = "The result is shown here and not sent to the model."
    [button] = page.status[0].button
    assert (button.label, log, drawn(page)) == ("Run fetch again", [], [notice])
    button.click().run()
    assert (log, drawn(page)) == ([7], [notice, "Result", "The server is away\\."])
    page.status[0].button[0].click().run()
    assert (log, drawn(page)) == ([7, 7], [notice, "Result", "Page 7"])
    assert list(messages[-1].events()) == before


def test_only_a_call_that_may_succeed_can_be_rerun() -> None:
    messages = answered(
        ("fetch", ToolResult("call_1", "fine")),
        ("fetch", failed("call_2", "invalid")),
        ("gone", failed("call_3")),
        ("fetch", failed("call_4", "denied")),
        ("fetch", failed("call_5", "timeout")),
    )
    page = AppTest.from_function(app, kwargs={"messages": messages, "log": []}).run()
    assert [button.key for button in rerun_buttons(page)] == ["rerun-conv_1-step-1-0-call_5"]


def test_only_the_newest_answer_offers_to_rerun_a_call(open_page: Open) -> None:
    page = open_page()
    page.chat_input(key="prompt").set_value('calculate(expression="1/0")').run()
    assert not page.exception
    assert [button.label for button in rerun_buttons(page)] == ["Run calculate again"]
    page.chat_input(key="prompt").set_value("Hi").run()
    assert rerun_buttons(page) == []
