"""Requests to a Chat Completions server, and what follows from its refusals."""

from collections.abc import Iterator

import pytest
from openai.types.chat import ChatCompletionChunk

from assistant import Assistant, Thread, Toolbox
from assistant.backends.chat_completions.backend import ChatCompletions
from assistant.backends.client import connect
from assistant.errors import UnknownThread
from assistant.events import (
    Event,
    Note,
    ReasoningDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    TextDelta,
    ThreadOpened,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from assistant.settings import Settings
from assistant.storage.json_export import export_json, import_json
from tests.conftest import add
from tests.servers.chat_completions import ChatServer, chunks
from tests.servers.responses import Json, call, calls, error, message, reasoning, text


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def assistant(server: ChatServer) -> Iterator[Assistant]:
    with connect(Settings(base_url=server.url)) as client:
        yield Assistant(ChatCompletions(client, model="test-model", instructions="Be brief."), Toolbox(add))


def without_deltas(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, ToolCallDelta)]


def test_text_streams_and_the_request_contains_only_what_is_needed(
    server: ChatServer, assistant: Assistant
) -> None:
    server.plays(text("Hello, world"))
    thread = Thread()
    assert list(assistant.run(thread, "Hi")) == [
        RoundStarted(1),
        ThreadOpened(thread.id),
        TextDelta("Hel"),
        TextDelta("lo,"),
        TextDelta(" wo"),
        TextDelta("rld"),
        RoundEnded("test-model", Usage(10, 2, 5, 1)),
        RunCompleted(),
    ]
    tools = server.requests[0].pop("tools")
    assert [tool["function"]["name"] for tool in tools] == ["add"]
    assert set(tools[0]["function"]) == {"name", "description", "parameters"}
    assert server.requests == [
        {
            "model": "test-model",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        }
    ]


def test_calls_are_run_and_sent_with_their_outputs(server: ChatServer, assistant: Assistant) -> None:
    one, two, three = (call("add", a=number, b=1) for number in (1, 2, 3))
    server.plays(calls(reasoning("Hm."), message("I add."), one, two), calls(three), text("Done."))
    thread = Thread()
    events = without_deltas(list(assistant.run(thread, "Go")))
    assert ReasoningDelta("Hm.") in events or ReasoningDelta("H") in events
    assert {event for event in events if isinstance(event, ToolResult)} == {
        ToolResult(one["call_id"], "2"),
        ToolResult(two["call_id"], "3"),
        ToolResult(three["call_id"], "4"),
    }
    assert events[-1] == RunCompleted()
    server.plays(text("Sure."))
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()

    def tool_calls(*calls: Json) -> list[Json]:
        return [
            {
                "id": item["call_id"],
                "type": "function",
                "function": {"name": "add", "arguments": item["arguments"]},
            }
            for item in calls
        ]

    assert server.requests[-1]["messages"][1:] == [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "I add.", "tool_calls": tool_calls(one, two)},
        {"role": "tool", "tool_call_id": one["call_id"], "content": "2"},
        {"role": "tool", "tool_call_id": two["call_id"], "content": "3"},
        {"role": "assistant", "content": None, "tool_calls": tool_calls(three)},
        {"role": "tool", "tool_call_id": three["call_id"], "content": "4"},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "Sure?"},
    ]


def test_text_after_a_call_is_sent_back_with_the_call(server: ChatServer, assistant: Assistant) -> None:
    one, two = call("add", a=1, b=1), call("add", a=2, b=1)
    server.plays(
        calls(message("I add."), one, message("Wait."), two), calls(call("add", a=3, b=1)), text("Done.")
    )
    thread = Thread()
    assert list(assistant.run(thread, "Go"))[-1] == RunCompleted()
    sent = [item for item in server.requests[-1]["messages"] if item["role"] != "system"]
    assert [item["role"] for item in sent] == ["user", "assistant", "tool", "tool", "assistant", "tool"]
    assert sent[1]["content"] == "I add.\n\nWait."
    assert [item["id"] for item in sent[1]["tool_calls"]] == [one["call_id"], two["call_id"]]
    assert sent[4]["content"] is None
    server.plays(text("Sure."))
    stored = import_json(export_json(thread, "Sums"))[0]
    assert list(assistant.run(stored, "Sure?"))[-1] == RunCompleted()
    assert [item["content"] for item in server.requests[-1]["messages"] if item["role"] == "assistant"] == [
        "I add.\n\nWait.",
        None,
        "Done.",
    ]


def test_names_and_wrapped_calls_go_back_as_every_server_accepts_them(
    server: ChatServer, assistant: Assistant
) -> None:
    uses = [{"recipient_name": "functions.add", "parameters": {"a": number, "b": 1}} for number in (1, 2)]
    wrapper = call("multi_tool_use.parallel", tool_uses=uses)
    server.plays(calls(wrapper, call("web.search", query="x")), text("Done."))
    thread = Thread()
    events = list(assistant.run(thread, "Go"))
    assert events[-1] == RunCompleted()
    results = {(each.name, each.result.output) for each in thread.messages[-1].calls if each.result}
    assert {("add", "2"), ("add", "3")} < results
    assistant_message, *outputs = server.requests[-1]["messages"][2:]
    names = [each["function"]["name"] for each in assistant_message["tool_calls"]]
    assert sorted(names) == ["add", "add", "web_search"]
    assert [each["role"] for each in outputs] == ["tool"] * 3


def test_the_test_servers_chunks_match_the_sdks_types() -> None:
    for play in (text("Hi"), calls(call("add", a=1, b=2)), text("x", ending="incomplete")):
        for item in chunks(play):
            ChatCompletionChunk.model_validate(item, strict=True)


@pytest.mark.parametrize(
    ("text_of_refusal", "parameter"),
    [
        ("Unsupported parameter: 'stream_options' is not supported.", "stream_options"),
        ("Unknown field reasoning_effort", "reasoning_effort"),
    ],
)
def test_a_refused_parameter_is_left_out_with_a_note(
    server: ChatServer, text_of_refusal: str, parameter: str
) -> None:
    with connect(Settings(base_url=server.url)) as client:
        assistant = Assistant(ChatCompletions(client, model="m", effort="low"), Toolbox(add))
        server.plays(error(400, "unsupported_parameter", text_of_refusal), text("Fine."))
        events = list(assistant.run(Thread(), "Hi"))
    assert Note(f"The model rejected the parameter {parameter}. The request was sent without it.") in events
    assert events[-1] == RunCompleted()
    assert set(server.requests[0]) - set(server.requests[1]) == {parameter}


def test_a_server_that_knows_the_limit_of_the_answer_by_its_older_name_gets_that(server: ChatServer) -> None:
    with connect(Settings(base_url=server.url)) as client:
        assistant = Assistant(ChatCompletions(client, model="m", max_output=99), Toolbox())
        server.plays(error(400, None, "Unknown field max_completion_tokens"), text("Fine."))
        assert list(assistant.run(Thread(), "Hi"))[-1] == RunCompleted()
    assert server.requests[0]["max_completion_tokens"] == server.requests[1]["max_tokens"] == 99
    assert "max_completion_tokens" not in server.requests[1]


def test_reasoning_is_turned_off_for_a_model_that_only_then_accepts_functions(
    server: ChatServer, assistant: Assistant
) -> None:
    reason = "Function tools with reasoning_effort are not supported for this model in /v1/chat/completions."
    server.plays(error(400, None, reason), text("Fine."))
    assert list(assistant.run(Thread(), "Hi"))[-1] == RunCompleted()
    assert (server.requests[1]["reasoning_effort"], len(server.requests[1]["tools"])) == ("none", 1)


def test_a_refusal_that_names_no_parameter_is_a_failure(server: ChatServer, assistant: Assistant) -> None:
    server.plays(error(400, None, "Your reasoning is poor."))
    assert isinstance(list(assistant.run(Thread(), "Hi"))[-1], RunFailed)
    assert len(server.requests) == 1


def test_a_conversation_that_is_too_long_is_sent_in_part(server: ChatServer, assistant: Assistant) -> None:
    thread = Thread()
    for number in range(4):
        server.plays(calls(call("add", a=number, b=1)), text(f"Sum {number}."))
        assert list(assistant.run(thread, f"Question {number}"))[-1] == RunCompleted()
    server.plays(error(400, "context_length_exceeded"), text("Fine."), text("Still fine."))
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert server.requests[-1]["messages"][1]["content"] == "Question 3"
    assert list(assistant.run(thread, "And then?"))[-1] == RunCompleted()
    assert server.requests[-1]["messages"][1]["content"] == "Question 3"


def test_these_servers_store_no_threads(assistant: Assistant) -> None:
    assert isinstance(assistant.backend, ChatCompletions)
    with pytest.raises(UnknownThread):
        assistant.backend.load_thread("thread_1")
    assert not assistant.backend.can_resume(Thread())
    assistant.backend.delete_thread(Thread("thread_1"))
