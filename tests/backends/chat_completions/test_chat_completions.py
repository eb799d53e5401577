"""Chat Completions: what is asked, and what comes of every way in which servers stream it."""

from collections.abc import Iterator
from typing import Any

import pytest
from openai.types.chat import ChatCompletionChunk

from assistant import Assistant, Thread, Toolbox
from assistant.backends.chat_completions.backend import Chat
from assistant.backends.chat_completions.stream import DONE, read
from assistant.backends.client import connect
from assistant.backends.stream_errors import NoEnding, StreamError
from assistant.errors import Incomplete, UnknownThread
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
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from assistant.settings import Settings
from assistant.transports.sse import events as sse_events
from tests.conftest import add
from tests.servers.chat_completions import ChatServer, chunk, chunks
from tests.servers.responses import Json, call, calls, error, message, reasoning, text


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as server:
        yield server


@pytest.fixture
def assistant(server: ChatServer) -> Iterator[Assistant]:
    with connect(Settings(base_url=server.url)) as client:
        yield Assistant(Chat(client, model="test-model", instructions="Be brief."), Toolbox(add))


def said(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, ToolCallDelta)]


def test_text_streams_and_the_request_holds_nothing_that_is_not_needed(
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
    tools = server.asked[0].pop("tools")
    assert [tool["function"]["name"] for tool in tools] == ["add"]
    assert set(tools[0]["function"]) == {"name", "description", "parameters"}
    assert server.asked == [
        {
            "model": "test-model",
            "stream": True,
            "stream_options": {"include_usage": True},
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
            ],
        }
    ]


def test_calls_are_run_and_told_with_their_outputs(server: ChatServer, assistant: Assistant) -> None:
    one, two, three = (call("add", a=number, b=1) for number in (1, 2, 3))
    server.plays(calls(reasoning("Hm."), message("I add."), one, two), calls(three), text("Done."))
    thread = Thread()
    events = said(list(assistant.run(thread, "Go")))
    assert ReasoningDelta("Hm.") in events or ReasoningDelta("H") in events
    assert {event for event in events if isinstance(event, ToolResult)} == {
        ToolResult(one["call_id"], "2"),
        ToolResult(two["call_id"], "3"),
        ToolResult(three["call_id"], "4"),
    }
    assert events[-1] == RunCompleted()
    server.plays(text("Sure."))
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()

    def told(*calls: Json) -> list[Json]:
        return [
            {
                "id": each["call_id"],
                "type": "function",
                "function": {"name": "add", "arguments": each["arguments"]},
            }
            for each in calls
        ]

    assert server.asked[-1]["messages"][1:] == [
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": "I add.", "tool_calls": told(one, two)},
        {"role": "tool", "tool_call_id": one["call_id"], "content": "2"},
        {"role": "tool", "tool_call_id": two["call_id"], "content": "3"},
        {"role": "assistant", "content": None, "tool_calls": told(three)},
        {"role": "tool", "tool_call_id": three["call_id"], "content": "4"},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "Sure?"},
    ]


def test_what_our_server_says_is_what_the_sdk_knows() -> None:
    for play in (text("Hi"), calls(call("add", a=1, b=2)), text("x", ending="incomplete")):
        for each in chunks(play):
            ChatCompletionChunk.model_validate(each, strict=True)


# --- how servers stream -----------------------------------------------------------------------------


def heard(*given: Any) -> tuple[list[Event], list[ToolCall]]:
    """What the reader makes of these chunks: what it says, and the calls."""
    said: list[Event] = []
    reading = read(given)
    while True:
        try:
            said.append(next(reading))
        except StopIteration as end:
            return said, end.value


def piece(name: str | None = None, arguments: Any = None, **fields: Any) -> Json:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"tool_calls": [{**fields, "function": function}]}


def named(calls: list[ToolCall]) -> list[tuple[str, str]]:
    return [(each.name, each.arguments) for each in calls]


STOP = chunk({}, "stop")
A, B = '{"a": 1}', '{"b": 2}'


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [piece("f", "", index=0, id="1"), piece(None, A, index=0), piece("g", B, index=1, id="2")],
            id="as documented",
        ),
        pytest.param([piece("f", A, id="1"), piece("g", B, id="2")], id="no index, whole calls"),
        pytest.param(
            [piece("f", A, index=0, id="1"), piece("g", B, index=0, id="2")], id="every index 0 (Ollama)"
        ),
        pytest.param([piece("f", A, index=0), piece("g", B, index=0)], id="every index 0, and no ids either"),
        pytest.param(
            [piece("f", "", index=1, id="1"), piece(None, A, index=1), piece("g", B, index=2, id="2")],
            id="indices from 1",
        ),
        pytest.param(
            [
                piece("f", '{"a"', index=0, id="1"),
                piece("f", ": 1}", index=0, id="1"),
                piece("g", B, index=1, id="2"),
            ],
            id="id and name in every piece (vLLM)",
        ),
        pytest.param(
            [
                piece("f", '{"a"', index=0, id="1"),
                piece("", ": 1}", index=0, id=""),
                piece("g", B, index=1, id="2"),
            ],
            id="empty names and ids (LM Studio)",
        ),
        pytest.param([piece("f", {"a": 1}, index=0), piece("g", {"b": 2}, index=1)], id="objects"),
        pytest.param(
            [piece("f", A, index=0, id="1"), piece(None, A, index=0), piece("g", B, index=1, id="2")],
            id="all of it once more",
        ),
        pytest.param(
            [
                piece("f", '{"a"', index=0, id="1"),
                piece("g", '{"b"', index=1, id="2"),
                piece(None, ": 1}", index=0),
                piece(None, ": 2}", index=1),
            ],
            id="interleaved",
        ),
        pytest.param([piece("f", A, id="1"), piece(None, None), piece("g", B, id="2")], id="an empty piece"),
    ],
)
def test_two_calls_are_two_calls_however_they_are_streamed(pieces: list[Json]) -> None:
    _, calls = heard(*map(chunk, pieces), STOP)
    assert named(calls) == [("f", A), ("g", B)]
    assert len({each.call_id for each in calls}) == 2


def test_two_calls_in_one_chunk_and_two_with_one_id_are_told_apart() -> None:
    both = [*piece("f", A, index=0, id="x")["tool_calls"], *piece("g", B, index=1, id="x")["tool_calls"]]
    _, calls = heard(chunk({"tool_calls": both}), DONE)
    assert named(calls) == [("f", A), ("g", B)]
    assert len({each.call_id for each in calls}) == 2


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["<think>Hm.</think>Yes."], [ReasoningDelta("Hm."), TextDelta("Yes.")]),
        (
            ["\n<th", "ink>\nH", "m.</", "thi", "nk>\n", "\nYes."],
            [ReasoningDelta("H"), ReasoningDelta("m."), TextDelta("Yes.")],
        ),
        (["<think>Never closed </"], [ReasoningDelta("Never closed "), ReasoningDelta("</")]),
        (["<thin"], [TextDelta("<thin")]),
        (["<b>bold</b> <think>no</think>"], [TextDelta("<b>bold</b> <think>no</think>")]),
        (["a < b </think>"], [TextDelta("a < b </think>")]),
        (["<think></think>", "Yes."], [TextDelta("Yes.")]),
    ],
)
def test_reasoning_in_the_text_is_told_from_the_answer(texts: list[str], expected: list[Event]) -> None:
    events, _ = heard(*(chunk({"content": each}) for each in texts), STOP)
    assert events == [*expected, RoundEnded("test-model", None)]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_beside_the_text_is_reasoning(field: str) -> None:
    events, _ = heard(chunk({field: "Hm."}), chunk({"content": "Yes."}), STOP)
    assert events[:2] == [ReasoningDelta("Hm."), TextDelta("Yes.")]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([chunk({"content": "Hi"}, "stop")], "Hi"),
        ([chunk({"content": "Hi"}), DONE], "Hi"),  # no reason to finish is ever given
        ([{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}], "Hi"),
        ([chunk({"content": [{"type": "text", "text": "Hi"}]}, "stop")], "Hi"),
        ([chunk({"content": "\ud83d"}), chunk({"content": "\ude00"}), STOP], "\U0001f600"),
        ([chunk({"content": "\ud83d"}), chunk({"content": "x"}), STOP], "\ufffdx"),
    ],
)
def test_text_is_heard_however_it_comes(given: list[Json], expected: str) -> None:
    events, _ = heard(*given)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == expected


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ([], NoEnding),
        ([chunk({"content": "Hi"})], NoEnding),
        ([chunk({"content": "Hi"}, "length")], Incomplete),
        ([chunk({}, "content_filter")], Incomplete),
        ([chunk({}, "error")], StreamError),
        ([{"error": {"message": "No.", "code": 500}}], StreamError),
        ([{"error": "No."}], StreamError),
        ([{**STOP, "error": {"message": "No."}}], StreamError),
    ],
)
def test_what_did_not_end_well_is_an_error_and_gives_no_calls(
    given: list[Json], error: type[Exception]
) -> None:
    with pytest.raises(error):
        heard(chunk(piece("f", A, index=0, id="1")), *given)


NONSENSE: list[Any] = [
    *(None, 1, "x", [], {}, {"choices": None}, {"choices": {}}, {"choices": [None]}),
    {"choices": [{"delta": None}]},
    chunk({"content": 1, "tool_calls": {}, "refusal": []}),
    chunk({"tool_calls": [None, 1, {"function": None}, {"index": [], "function": {"arguments": []}}]}),
    {"choices": [], "usage": {"prompt_tokens": "x", "prompt_tokens_details": []}},
]


def test_nonsense_is_passed_over() -> None:
    events, calls = heard(*NONSENSE, chunk({"content": "Hi"}), *NONSENSE, STOP)
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta("Hi")]
    assert calls == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_an_event_stream_is_read_whatever_its_line_ends_and_wherever_it_is_cut(end: str, size: int) -> None:
    lines = [
        ": hello",
        "data: {",
        'data: "a": "b\u2028c\x85d"}',
        "",
        "event: x",
        "data:1",
        "id: 4",
        "",
        "data: end",
    ]
    stream = end.join(lines).encode()
    pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
    assert list(sse_events(pieces)) == [("", '{\n"a": "b\u2028c\x85d"}'), ("x", "1"), ("", "end")]


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "gone"),
    [
        ("Unsupported parameter: 'stream_options' is not supported.", "stream_options"),
        ("Unknown field reasoning_effort", "reasoning_effort"),
    ],
)
def test_a_parameter_that_is_refused_is_left_out_and_that_is_said(
    server: ChatServer, words: str, gone: str
) -> None:
    with connect(Settings(base_url=server.url)) as client:
        assistant = Assistant(Chat(client, model="m", effort="low"), Toolbox(add))
        server.plays(error(400, "unsupported_parameter", words), text("Fine."))
        events = list(assistant.run(Thread(), "Hi"))
    assert Note(f"The model does not take the parameter {gone}; it was asked without it.") in events
    assert events[-1] == RunCompleted()
    assert set(server.asked[0]) - set(server.asked[1]) == {gone}


def test_functions_are_kept_where_a_model_takes_them_only_without_reasoning(
    server: ChatServer, assistant: Assistant
) -> None:
    words = "Function tools with reasoning_effort are not supported for this model in /v1/chat/completions."
    server.plays(error(400, None, words), text("Fine."))
    assert list(assistant.run(Thread(), "Hi"))[-1] == RunCompleted()
    assert (server.asked[1]["reasoning_effort"], len(server.asked[1]["tools"])) == ("none", 1)


def test_a_refusal_that_names_nothing_of_ours_is_a_failure(server: ChatServer, assistant: Assistant) -> None:
    server.plays(error(400, None, "Your reasoning is poor."))
    assert isinstance(list(assistant.run(Thread(), "Hi"))[-1], RunFailed)
    assert len(server.asked) == 1


def test_a_conversation_that_grew_too_long_is_told_in_part(server: ChatServer, assistant: Assistant) -> None:
    thread = Thread()
    for number in range(4):
        server.plays(calls(call("add", a=number, b=1)), text(f"Sum {number}."))
        assert list(assistant.run(thread, f"Question {number}"))[-1] == RunCompleted()
    server.plays(error(400, "context_length_exceeded"), text("Fine."), text("Still fine."))
    assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
    assert server.asked[-1]["messages"][1]["content"] == "Question 3"
    assert list(assistant.run(thread, "And then?"))[-1] == RunCompleted()
    assert server.asked[-1]["messages"][1]["content"] == "Question 3"


def test_such_a_server_keeps_no_threads(assistant: Assistant) -> None:
    assert isinstance(assistant.backend, Chat)
    with pytest.raises(UnknownThread):
        assistant.backend.load_thread("thread_1")
    assert not assistant.backend.can_resume(Thread())
    assistant.backend.delete_thread(Thread("thread_1"))
