"""Runs over the Assistants API: messages, calls, and how a run ends."""

import httpx2
import pytest
from openai import OpenAI

from assistant import Assistant, Thread, Toolbox
from assistant.backends.assistants.backend import Assistants
from assistant.backends.client import connect
from assistant.events import (
    Event,
    Note,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolResult,
)
from assistant.parts import Call, Text
from assistant.settings import Settings
from tests.backends.assistants.conftest import CALLED, ENDED, Connect, ask, without_deltas
from tests.servers.assistants import ASSISTANT, AssistantsServer, tools_of
from tests.servers.responses import Play, call, calls, message, text


def test_instructions_replace_those_of_the_assistant(server: AssistantsServer, connect_to: Connect) -> None:
    server.plays(text("Hi."))
    ask(connect_to(server.url, instructions="Be brief."), "Hi")
    assert server.requests == [{"assistant_id": ASSISTANT, "stream": True, "instructions": "Be brief."}]


def test_a_limit_of_the_answer_is_one_of_the_run(server: AssistantsServer) -> None:
    server.plays(text("Hi."))
    with connect(Settings(base_url=server.url)) as client:
        ask(Assistant(Assistants(client, assistant_id=ASSISTANT, max_output=99), Toolbox()), "Hi")
    assert server.requests == [{"assistant_id": ASSISTANT, "stream": True, "max_completion_tokens": 99}]


def test_a_call_is_run_and_its_result_continues_the_run(
    server: AssistantsServer, assistant: Assistant
) -> None:
    add_call = call("add", a=2, b=3)
    server.plays(calls(add_call, pieces=2), text("Five.", pieces=1))
    thread = Thread()
    assert list(assistant.run(thread, "2 + 3?")) == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        ToolCallDelta(add_call["call_id"], "add", ""),
        ToolCallDelta(add_call["call_id"], "add", '{"a": 2,'),
        ToolCallDelta(add_call["call_id"], "add", ' "b": 3}'),
        ToolCall(add_call["call_id"], "add", '{"a": 2, "b": 3}'),
        CALLED,
        ToolResult(add_call["call_id"], "5"),
        RoundStarted(2),
        TextDelta("Five."),
        ENDED,
        RunCompleted(),
    ]
    assert server.requests[1:] == [
        {"tool_outputs": [{"tool_call_id": add_call["call_id"], "output": "5"}], "stream": True}
    ]


def test_parallel_calls_are_answered_in_one_request_and_rounds_follow_in_order(
    server: AssistantsServer, assistant: Assistant
) -> None:
    one, two, three = call("add", a=1, b=1), call("add", a=2, b=2), call("add", a=2, b=4)
    server.plays(calls(message("Let me see."), one, two), calls(three), text("Six."))
    thread = Thread()
    assert ask(assistant, "Add it all up", thread)[-1] == RunCompleted()
    assert server.requests[1:] == [
        {
            "tool_outputs": [
                {"tool_call_id": one["call_id"], "output": "2"},
                {"tool_call_id": two["call_id"], "output": "4"},
            ],
            "stream": True,
        },
        {"tool_outputs": [{"tool_call_id": three["call_id"], "output": "6"}], "stream": True},
    ]
    assert [
        (part.round, part.result.output) if isinstance(part, Call) and part.result else part
        for part in thread.messages[-1].parts
    ] == [Text("Let me see."), (1, "2"), (1, "4"), (2, "6"), Text("Six.")]
    assert len(server.runs[thread.id]) == 1
    assert server.posted == [{"role": "user", "content": "Add it all up"}]


def test_the_next_message_goes_into_the_same_thread(server: AssistantsServer, assistant: Assistant) -> None:
    server.plays(calls(call("add", a=1, b=1)), text("Two."), text("Four."))
    thread = Thread()
    ask(assistant, "1 + 1?", thread)
    assert ask(assistant, "And 2 + 2?", thread)[-1] == RunCompleted()
    assert server.transcript(thread.id) == [
        ("user", "1 + 1?"),
        ("assistant", "Two."),
        ("user", "And 2 + 2?"),
        ("assistant", "Four."),
    ]
    assert (server.refused, server.cancelled) == ([], [])


def test_a_missing_function_is_noted_once(server: AssistantsServer, assistant: Assistant) -> None:
    server.tools = [{"type": "file_search"}, *tools_of("add", "get-Rain/../x", "class")]
    add_call = call("other", "{}")
    server.plays(calls(add_call), text("No."), text("No."))
    thread = Thread()
    events = ask(assistant, "Hi", thread) + ask(assistant, "And?", thread)
    where = "is not defined here. Define it in assistant/functions"
    assert [event.text for event in events if isinstance(event, Note)] == [
        f"The function `get-Rain_.._x` {where}/get_rain_x.py.",
        f"The function `class` {where}/function_class.py.",
        f"The function `other` {where}/other.py.",
    ]
    assert [event.outcome for event in events if isinstance(event, ToolResult)] == ["unknown"]


def test_two_threads_stream_in_parallel_on_one_backend(
    server: AssistantsServer, assistant: Assistant
) -> None:
    first, second = Thread(), Thread()
    runs = [assistant.run(first, "One"), assistant.run(second, "Two")]
    server.plays(calls(call("add", a=1, b=1)), calls(call("add", a=2, b=2)), text("Uno"), text("Dos"))
    seen: list[list[Event]] = [[], []]
    for _ in range(100):
        for run, events in zip(runs, seen, strict=True):
            events += [event for event in [next(run, None)] if event is not None]
    assert [events[-1] for events in seen] == [RunCompleted(), RunCompleted()]
    assert [thread.messages[-1].text for thread in (first, second)] == ["Uno", "Dos"]
    assert first.id != second.id


def test_a_limit_ends_the_run_and_keeps_text_without_deltas(
    server: AssistantsServer, assistant: Assistant
) -> None:
    limits = {
        "max_completion_tokens": RunStopped(
            "max_output_tokens", "The answer was cut off: it reached the limit of output tokens."
        ),
        "max_prompt_tokens": RunStopped(
            "unknown", "The answer was cut off: the conversation reached the run's limit of input tokens."
        ),
    }
    thread = Thread()
    for reason, ending in limits.items():
        server.plays(text("Half", ending="incomplete", details={"incomplete_details": {"reason": reason}}))
        assert ask(assistant, "Go", thread)[-1] == ending
    server.plays(text("Whole."))
    assert ask(assistant, "And?", thread)[-1] == RunCompleted()
    assert server.refused == []


@pytest.mark.parametrize(
    ("code", "shown", "retry"),
    [
        ("server_error", "failed. Try again in a moment. It says: Oh no.", True),
        ("rate_limit_exceeded", "Too many requests", True),
        ("invalid_prompt", "under its usage policy", False),
    ],
)
def test_a_failed_run_is_explained_and_can_be_retried(
    server: AssistantsServer, assistant: Assistant, code: str, shown: str, retry: bool
) -> None:
    details = {"last_error": {"code": code, "message": "Oh no."}}
    server.plays(Play(ending="failed", details=details), text("Fine."))
    thread = Thread()
    ending = ask(assistant, "Hi", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == (code, retry)
    assert shown in ending.text
    assert without_deltas(assistant.resume(thread))[-1] == RunCompleted()
    assert server.transcript(thread.id) == [("user", "Hi"), ("assistant", "Fine.")]


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_a_run_that_the_server_ended_can_be_retried(
    server: AssistantsServer, assistant: Assistant, status: str
) -> None:
    server.plays(Play(details={"status": status}), text("Fine."))
    thread = Thread()
    ending = ask(assistant, "Hi", thread)[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == (status, True)
    assert without_deltas(assistant.resume(thread))[-1] == RunCompleted()
    assert server.posted == [{"role": "user", "content": "Hi"}]


def test_a_web_page_is_recognised(server: AssistantsServer, assistant: Assistant) -> None:
    server.pages = True
    ending = ask(assistant, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert ending.code == "not_the_api"


def test_an_unknown_assistant_is_named_in_the_error(server: AssistantsServer, connect_to: Connect) -> None:
    other = connect_to(server.url, assistant_id="asst_gone")
    ending = ask(other, "Hi")[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.text.split(": ")[-1]) == (
        "unknown_assistant",
        f"{server.url.split('/')[2]} has no assistant asst_gone. "
        "Set OPENAI_ASSISTANT_ID to the id of one it has.",
    )


def test_a_server_without_this_api_is_named_in_the_error(connect_to: Connect) -> None:
    with AssistantsServer(speaks=False) as server:
        ending = ask(connect_to(server.url), "Hi")[-1]
    assert ending == RunFailed(
        "no_assistants",
        f"{server.url.split('/')[2]} has no Assistants API. Unset OPENAI_ASSISTANT_ID, or set "
        "OPENAI_BASE_URL to a server that has it.",
    )


def test_the_error_for_openai_says_that_the_api_ended() -> None:
    with AssistantsServer(speaks=False) as server:

        class Detour(httpx2.HTTPTransport):
            """Sends requests for OpenAI to this machine."""

            def handle_request(self, request: httpx2.Request) -> httpx2.Response:
                request.url = httpx2.URL(server.url).join(request.url.path)
                return super().handle_request(request)

        http = httpx2.Client(transport=Detour())
        with OpenAI(api_key="sk-test", base_url="https://api.openai.com/v1", http_client=http) as client:
            old = Thread(
                backend_state={"assistants": {"https://api.openai.com/v1/": {"server_thread": "thread_old"}}}
            )
            for thread in (Thread(), old):
                backend = Assistants(client, assistant_id=ASSISTANT)
                assert ask(Assistant(backend, Toolbox()), "Hi", thread)[-1] == RunFailed(
                    "assistants_ended",
                    "OpenAI's Assistants API ended on 2026-08-26. Set OPENAI_AGENT_ID to use an agent, its "
                    "successor, or unset OPENAI_ASSISTANT_ID to use the Responses API.",
                )
