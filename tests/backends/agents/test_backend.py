"""Rounds of a session's turns: messages, calls, and how a turn ends."""

from typing import Any

import pytest

from assistant import Assistant, Thread
from assistant.events import (
    Note,
    ReasoningDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)
from tests.backends.agents.conftest import USED, Create, ask, sent_texts
from tests.backends.kinds import state_of
from tests.conftest import add
from tests.servers.agents import AgentsServer
from tests.servers.responses import call, calls, message, reasoning, refusal, text


def test_a_session_begins_with_its_first_message_and_its_text_is_streamed(
    server: AgentsServer, create: Create
) -> None:
    server.plays(text("Hello, world.", "Bye.", pieces=2))
    thread = Thread()
    assert ask(create(add, instructions="Be brief."), thread, "Hi") == [
        RoundStarted(1),
        ThreadOpened(*server.sessions),
        TextDelta("Hello, "),
        TextDelta("world."),
        TextBreak(),
        TextDelta("By"),
        TextDelta("e."),
        RoundEnded("test-model", USED),
        RunCompleted(),
    ]
    request = dict(server.requests[0])
    key = request.pop("metadata").pop("creation_key")
    assert request == {
        "agent_id": "agent_1",
        "agent": {"instructions": "Be brief."},
        "environment": {"type": "none"},
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "stream": True,
    }
    assert state_of(thread, "agents")["creation_key"] == key
    assert server.request_lines == ["POST /agents/sessions"]


def test_a_later_message_is_sent_after_listening_to_the_idle_session(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(text("One."), text("Two."))
    thread = Thread()
    ask(assistant, thread, "1?")
    server.request_lines.clear()
    assert ask(assistant, thread, "2?")[-1] == RunCompleted()
    session = f"/agents/sessions/{thread.id}"
    assert server.request_lines == [
        f"GET {session}",
        f"GET {session}/items",
        f"GET {session}/events",
        f"POST {session}/events",
    ]
    assert sent_texts(server) == [["1?"], ["2?"]]


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("objects", [False, True])
def test_single_parallel_and_chained_calls_are_run_and_answered(
    server: AgentsServer, assistant: Assistant, noisy: bool, objects: bool
) -> None:
    server.noisy, server.objects, server.stale = noisy, objects, noisy
    one, two, three = call("add", a=1, b=2), call("add", a=3, b=4), call("add", a=5, b=6)
    server.plays(
        calls(reasoning("Hm."), one, two, pieces=1),
        calls(message("And"), three, pieces=1),
        text("Done.", pieces=1),
    )
    thread = Thread()
    events = ask(assistant, thread, "Add")
    tool_calls = [ToolCall(item["call_id"], "add", item["arguments"]) for item in (one, two, three)]
    drafts = [ToolCallDelta(item.call_id, item.name, item.arguments) for item in tool_calls]
    results = [
        ToolResult(item.call_id, output) for item, output in zip(tool_calls, ("3", "7", "11"), strict=True)
    ]
    assert [event for event in events if not isinstance(event, ToolResult)] == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        ReasoningDelta("Hm."),
        *drafts[:2],
        *tool_calls[:2],
        RoundEnded("test-model"),
        RoundStarted(2),
        TextDelta("And"),
        drafts[2],
        tool_calls[2],
        RoundEnded("test-model"),
        RoundStarted(3),
        TextDelta("Done."),
        RoundEnded("test-model", USED),
        RunCompleted(),
    ]
    assert {(event.call_id, event.output) for event in events if isinstance(event, ToolResult)} == {
        (result.call_id, result.output) for result in results
    }
    assert (sent_texts(server), server.refused) == ([["Add"], ["3", "7"], ["11"]], [])


def test_a_missing_function_is_noted_once_and_reported_to_the_agent(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.functions = ("add", "book-it")
    server.plays(calls(call("nope")), calls(call("nope")), text("Well."), text("Yes."))
    thread = Thread()
    notes = [event for event in ask(assistant, thread, "Go") if isinstance(event, Note)]
    notes += [event for event in ask(assistant, thread, "And now?") if isinstance(event, Note)]
    assert notes == [
        Note("The function `nope` is not defined here. Define it in assistant/functions/nope.py."),
        Note("The function `book-it` is not defined here. Define it in assistant/functions/book_it.py."),
    ]
    result = server.requests[1]["events"][0]
    assert (result["success"], result["error"]) == (
        False,
        "There is no function 'nope'. Available functions: add.",
    )


@pytest.mark.parametrize(
    "content",
    ["東京の天気は？🌧👩‍👩‍👧", "a\x00b\x1f\x7f", "\u2028$5 <b>&amp;", '{"a": "\\u0000"}', "x" * 100_000],
)
def test_any_text_arrives_unchanged(server: AgentsServer, assistant: Assistant, content: str) -> None:
    server.plays(calls(call("add", a=1, b=1, c=content)), text(content), text("Fine."))
    thread = Thread()
    assert ask(assistant, thread, content)[-1] == RunCompleted()
    assert thread.messages[-1].text == content
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    assert (server.refused, sent_texts(server)[0]) == ([], [thread.messages[0].text])


def test_a_refusal_arrives_as_text(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(refusal("I must not."))
    thread = Thread()
    assert ask(assistant, thread, "Go")[-1] == RunCompleted()
    assert thread.messages[-1].text == "I must not."


def test_a_result_for_a_call_that_is_not_known_yet_is_sent_again(
    server: AgentsServer, assistant: Assistant
) -> None:
    server.plays(calls(call("add", a=1, b=2)), text("Three."))
    server.slow = 3
    assert ask(assistant, Thread(), "Add")[-1] == RunCompleted()
    assert len(server.refused) == 3
    assert sent_texts(server) == [["Add"], ["3"]]


@pytest.mark.parametrize(
    ("details", "kind", "code", "retry"),
    [
        (
            {"error": {"code": "credit_balance_exhausted", "message": "x"}},
            RunFailed,
            "credit_balance_exhausted",
            False,
        ),
        ({"error": {"code": "billing_not_active", "message": "x"}}, RunFailed, "insufficient_quota", False),
        ({"error": {"code": "server_overloaded", "message": "x"}}, RunFailed, "server_is_overloaded", True),
        ({"error": {"code": "rate_limit_exceeded", "message": "x"}}, RunFailed, "rate_limit_exceeded", True),
        ({"error": {"code": "invalid_request", "message": "x"}}, RunFailed, "invalid_request", False),
        ({"error": {"code": "max_output_tokens", "message": "x"}}, RunStopped, "max_output_tokens", None),
        ({"error": None}, RunFailed, "server_error", True),
        (
            {"error_event": {"code": "server_error", "message": "Oh.", "type": "x"}},
            RunFailed,
            "server_error",
            True,
        ),
        ({"session": "failed"}, RunFailed, "server_error", True),
        ({"session": "budget_reached"}, RunFailed, "session_budget_exceeded", False),
    ],
)
def test_a_failed_turn_is_explained(
    server: AgentsServer, assistant: Assistant, details: Any, kind: Any, code: str, retry: Any
) -> None:
    server.plays(text("One", ending="failed", details=details))
    thread = Thread()
    ending: Any = ask(assistant, thread, "Count")[-1]
    assert isinstance(ending, kind)
    assert thread.messages[-1].text == "One"
    assert getattr(ending, "code", "") == code or getattr(ending, "reason", "") == code
    assert getattr(ending, "retry", None) == retry
    if details.get("session") == "budget_reached":
        again: Any = ask(assistant, thread, "And now?")[-1]
        assert again.code == "session_budget_exceeded"
        return
    server.plays(text("Fine."))
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    assert thread.messages[-1].text == "Fine."


def test_an_action_that_no_function_can_provide_is_named(server: AgentsServer, assistant: Assistant) -> None:
    action = {"type": "mcp_approval_request", "request_id": "r", "request": {}}
    server.plays(calls(details={"actions": [action]}), text("Fine."))
    thread = Thread()
    ending = ask(assistant, thread, "Go")[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == ("action_not_supported", False)
    assert "mcp_approval_request" in ending.text
    assert ask(assistant, thread, "And now?")[-1] == RunCompleted()
    assert server.cancels == [thread.id]


def test_an_unknown_agent_is_named_in_the_error(server: AgentsServer, create: Create) -> None:
    ending = ask(create(agent_id="agent_x"), Thread(), "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, server.sessions) == ("not_found", {})
    assert "agent_x" in ending.text


def test_two_simultaneous_answers_do_not_mix(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(
        calls(call("add", a=1, b=2)),
        calls(call("add", a=3, b=4)),
        text("Three.", pieces=9),
        text("Seven.", pieces=9),
    )
    first, second = Thread(), Thread()
    runs = [assistant.run(first, "1 + 2?"), assistant.run(second, "3 + 4?")]
    while runs:
        for run in list(runs):
            if next(run, None) is None:
                runs.remove(run)
    assert (first.messages[-1].text, second.messages[-1].text) == ("Three.", "Seven.")
    assert first.id != second.id


def test_a_web_page_is_not_taken_for_the_api(server: AgentsServer, assistant: Assistant) -> None:
    server.pages = True
    ending = ask(assistant, Thread(), "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_the_api"
