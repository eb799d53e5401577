"""The user runs a failed call again on the page."""

from typing import Any

from streamlit.testing.v1 import AppTest

from assistant import Thread
from assistant.events import RunCompleted, ToolCall, ToolResult
from assistant.messages import Message
from assistant.tools.results import error_output
from tests.ui.page import Open


def app(thread, log):  # type: ignore[no-untyped-def]
    from assistant import Toolbox, ToolError, tool
    from assistant.ui.chat.rerun_tool import draw_rerun_tool

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

    draw_rerun_tool(thread, Toolbox(fetch), 5.0)


def answered(*results: tuple[str, ToolResult]) -> Thread:
    message = Message("assistant")
    for name, result in results:
        message.add(ToolCall(result.call_id, name, '{"page": 7}'))
        message.add(result)
    message.add(RunCompleted())
    return Thread("conv_1", [Message.from_user("Hi"), message])


def failed(call_id: str, outcome: Any = "failed") -> ToolResult:
    return ToolResult(call_id, error_output("No."), outcome)


def drawn(page: AppTest) -> list[str]:
    assert not page.exception
    return [each.value for each in (*page.caption, *page.error, *page.code)]


def test_a_failed_call_is_rerun_with_its_arguments_and_not_sent_to_the_model() -> None:
    thread = answered(("fetch", failed("call_1")))
    log: list[int] = []
    before = list(thread.messages[-1].events())
    page = AppTest.from_function(app, kwargs={"thread": thread, "log": log}).run()
    [button] = page.button
    assert (button.label, log, drawn(page)) == ("Run **fetch**\\(page=7\\) again", [], [])
    button.click().run()
    notice = "Result of the new run, not sent to the model."
    assert (log, drawn(page)) == ([7], [notice, "The server is away\\."])
    page.button[0].click().run()
    assert (log, drawn(page)) == ([7, 7], [notice, "Page 7"])
    assert list(thread.messages[-1].events()) == before


def test_only_a_call_that_may_succeed_can_be_rerun() -> None:
    thread = answered(
        ("fetch", ToolResult("call_1", "fine")),
        ("fetch", failed("call_2", "invalid")),
        ("gone", failed("call_3")),
        ("fetch", failed("call_4", "denied")),
        ("fetch", failed("call_5", "timeout")),
    )
    page = AppTest.from_function(app, kwargs={"thread": thread, "log": []}).run()
    assert [button.key for button in page.button] == ["rerun-conv_1-2-0-call_5"]


def test_only_the_newest_answer_offers_to_rerun_a_call(open_page: Open) -> None:
    page = open_page()
    page.chat_input(key="prompt").set_value('calculate(expression="1/0")').run()
    assert not page.exception
    offered = [button.label for button in page.button if str(button.key).startswith("rerun-")]
    assert offered == ['Run **calculate**\\(expression="1/0"\\) again']
    page.chat_input(key="prompt").set_value("Hi").run()
    assert [button for button in page.button if str(button.key).startswith("rerun-")] == []
