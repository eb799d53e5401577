"""The dialects of the Responses protocol that real servers speak.

Each test sends the few events that show one server's peculiarity.
"""

import json
from typing import Any

import pytest

from assistant import Assistant, Thread
from assistant.backends.responses.stream import CompletedResponse, read
from assistant.backends.stream_errors import MissingFinalEvent, StreamError
from assistant.errors import Incomplete
from assistant.events import (
    Event,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    Usage,
)
from tests.conftest import Connect, add
from tests.servers.responses import ModelServer, Play, text

Json = dict[str, Any]


def read_all(*events: object) -> tuple[list[Event], CompletedResponse]:
    """Return the run's events for these events of a response, and the stored answer."""
    reading, yielded = read(events), []
    while True:
        try:
            yielded.append(next(reading))
        except StopIteration as end:
            return yielded, end.value


def visible_events(*events: object) -> list[Event]:
    """Return the run's events without pieces of arguments and the end of the round."""
    return [event for event in read_all(*events)[0] if not isinstance(event, ToolCallDelta | RoundEnded)]


def added(item: Json, **place: Any) -> Json:
    return {"type": "response.output_item.added", "item": item, **place}


def done(item: Json, **place: Any) -> Json:
    return {"type": "response.output_item.done", "item": item, **place}


def delta(words: str, **place: Any) -> Json:
    return {"type": "response.output_text.delta", "delta": words, **place}


def arguments(piece: str, **place: Any) -> Json:
    return {"type": "response.function_call_arguments.delta", "delta": piece, **place}


def completed(*output: Json, **response: Any) -> Json:
    return {"type": "response.completed", "response": {"output": list(output), **response}}


def a_call(call_id: str = "call_1", written: Any = '{"a": 1, "b": 1}', **fields: Any) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "add", "arguments": written, **fields}


def a_message(*texts: str, **fields: Any) -> Json:
    parts = [{"type": "output_text", "text": each} for each in texts]
    return {"type": "message", "role": "assistant", "content": parts, **fields}


ADD = ToolCall("call_1", "add", '{"a": 1, "b": 1}')


# --- llama.cpp ----------------------------------------------------------------------------------------


def test_llama_cpp_sends_no_indices_and_completes_all_items_at_the_end() -> None:
    one = {"id": "fc_x", "call_id": "call_x", "type": "function_call", "name": "add"}
    two = {"id": "fc_y", "call_id": "call_y", "type": "function_call", "name": "add"}
    thought = {
        "id": "rs_1",
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
        "encrypted_content": "",
    }
    words = a_message("Wait.", id="msg_1", status="completed")
    bare = {"id": "resp_1", "object": "response", "status": "in_progress"}
    events, response = read_all(
        {"type": "response.created", "response": bare},
        {"type": "response.in_progress", "response": bare},
        added({**thought, "content": [], "status": "in_progress"}),
        {"type": "response.reasoning_text.delta", "delta": "Hm.", "item_id": "rs_1"},
        added({**words, "content": [], "status": "in_progress"}),
        {
            "type": "response.content_part.added",
            "item_id": "msg_1",
            "part": {"type": "output_text", "text": ""},
        },
        delta("Wa", item_id="msg_1"),
        delta("it.", item_id="msg_1"),
        added({**one, "arguments": "", "status": "in_progress"}),
        arguments('{"a": 1, ', item_id="fc_x"),
        arguments('"b": 1}', item_id="fc_x"),
        added({**two, "arguments": "", "status": "in_progress"}),
        arguments('{"a": 2, "b": 2}', item_id="fc_y"),
        done(thought),
        {"type": "response.output_text.done", "item_id": "msg_1", "text": "Wait."},
        {"type": "response.content_part.done", "item_id": "msg_1", "part": words["content"][0]},
        done(words),
        done({**one, "arguments": '{"a": 1, "b": 1}', "status": "completed"}),
        done({**two, "arguments": '{"a": 2, "b": 2}', "status": "completed"}),
        completed(
            thought,
            words,
            {**one, "arguments": '{"a": 1, "b": 1}'},
            {**two, "arguments": '{"a": 2, "b": 2}'},
            model="qwen",
            usage={"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
        ),
    )
    assert events == [
        ReasoningDelta("Hm."),
        TextDelta("Wa"),
        TextDelta("it."),
        ToolCallDelta("call_x", "add", ""),
        ToolCallDelta("call_x", "add", '{"a": 1, '),
        ToolCallDelta("call_x", "add", '"b": 1}'),
        ToolCallDelta("call_y", "add", ""),
        ToolCallDelta("call_y", "add", '{"a": 2, "b": 2}'),
        ToolCall("call_x", "add", '{"a": 1, "b": 1}'),
        ToolCall("call_y", "add", '{"a": 2, "b": 2}'),
        RoundEnded("qwen", Usage(input=7, output=3)),
    ]
    assert [item["id"] for item in response.items] == ["rs_1", "msg_1", "fc_x", "fc_y"]


def test_an_older_llama_cpp_sends_calls_without_item_ids() -> None:
    one, two = a_call("fc_x", '{"a": 1}'), a_call("fc_y", '{"a": 2}')
    events, response = read_all(
        added({**one, "arguments": ""}),
        arguments('{"a": 1}', item_id="fc_x"),
        added({**two, "arguments": ""}),
        arguments('{"a": 2}', item_id="fc_y"),
        done(one),
        done(two),
        completed(one, two),
    )
    assert events == [
        ToolCallDelta("fc_x", "add", ""),
        ToolCallDelta("fc_x", "add", '{"a": 1}'),
        ToolCallDelta("fc_y", "add", ""),
        ToolCallDelta("fc_y", "add", '{"a": 2}'),
        ToolCall("fc_x", "add", '{"a": 1}'),
        ToolCall("fc_y", "add", '{"a": 2}'),
        RoundEnded(),
    ]
    assert response == CompletedResponse(
        [one, two], [ToolCall("fc_x", "add", '{"a": 1}'), ToolCall("fc_y", "add", '{"a": 2}')]
    )


def test_events_without_id_and_index_belong_to_the_item_added_last() -> None:
    events, _ = read_all(
        added(a_call("call_1", "")),
        arguments('{"a": 1, '),
        added(a_call("call_2", "")),
        arguments('{"a": 2, '),
        completed(),
    )
    assert events[:-1] == [
        ToolCallDelta("call_1", "add", ""),
        ToolCallDelta("call_1", "add", '{"a": 1, '),
        ToolCallDelta("call_2", "add", ""),
        ToolCallDelta("call_2", "add", '{"a": 2, '),
    ]


# --- Ollama -------------------------------------------------------------------------------------------


def test_ollama_sends_a_call_in_one_delta_and_reasoning_without_parts() -> None:
    item = a_call(id="fc_1_0", status="completed")
    place = {"item_id": "fc_1_0", "output_index": 1}
    thought = {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "Hmm."}]}
    thinking = {
        "type": "response.reasoning_summary_text.delta",
        "item_id": "rs_1",
        "output_index": 0,
        "summary_index": 0,
    }
    events, response = read_all(
        added({**thought, "summary": []}, output_index=0),
        {**thinking, "delta": "H"},
        {**thinking, "delta": "mm."},
        {**thinking, "type": "response.reasoning_summary_text.done", "text": "Hmm."},
        done({**thought, "encrypted_content": "Hmm."}, output_index=0),
        added({**item, "arguments": "", "status": "in_progress"}, output_index=1),
        arguments('{"a": 1, "b": 1}', **place),
        {"type": "response.function_call_arguments.done", "arguments": '{"a": 1, "b": 1}', **place},
        done(item, output_index=1),
        completed({**thought, "encrypted_content": "Hmm."}, item),
    )
    assert events == [
        ReasoningDelta("H"),
        ReasoningDelta("mm."),
        ToolCallDelta("call_1", "add", ""),
        ToolCallDelta("call_1", "add", '{"a": 1, "b": 1}'),
        ADD,
        RoundEnded(),
    ]
    assert response == CompletedResponse([{**thought, "encrypted_content": "Hmm."}, item], [ADD])


# --- vLLM ---------------------------------------------------------------------------------------------


def test_vllm_uses_other_ids_in_the_final_event_than_in_the_stream() -> None:
    streamed = a_call("call_stream", id="fc_stream")
    events, response = read_all(
        added({**streamed, "arguments": ""}, output_index=0),
        done(streamed, output_index=0),
        completed(a_call("call_other", id="fc_other")),
    )
    call = ToolCall("call_stream", "add", '{"a": 1, "b": 1}')
    assert events[1:] == [call, RoundEnded()]
    assert response == CompletedResponse([streamed], [call])


def test_vllm_sends_arguments_with_the_item_and_again_as_deltas() -> None:
    item = a_call(id="fc_1")
    _, response = read_all(
        added(item, output_index=0),
        arguments('{"a": 1, "b": 1}', item_id="fc_1", output_index=0),
        done(item, output_index=0),
        completed(item),
    )
    assert response.calls == [ADD]


def test_vllm_reports_a_truncated_response_as_completed() -> None:
    # vllm-project/vllm#45386: the event says completed, and the response in it that it is not.
    cut = a_call(written='{"a": 1, "b')
    with pytest.raises(Incomplete, match="it reached the limit of output tokens") as caught:
        read_all(
            done(cut), completed(cut, status="incomplete", incomplete_details={"reason": "max_output_tokens"})
        )
    assert caught.value.reason == "max_output_tokens"


def test_a_completed_response_with_the_status_failed_has_failed() -> None:
    with pytest.raises(StreamError, match="Out of memory") as caught:
        read_all(completed(status="failed", error={"code": "server_error", "message": "Out of memory."}))
    assert caught.value.code == "server_error"


# --- GitHub Copilot -----------------------------------------------------------------------------------


def test_copilot_uses_another_item_id_in_every_event() -> None:
    ids = iter(range(100))

    def place(index: int) -> Json:
        return {"item_id": f"{next(ids)}==", "output_index": index}

    def thinking(words: str) -> Json:
        return {
            "type": "response.reasoning_summary_text.delta",
            "delta": words,
            "summary_index": 0,
            **place(0),
        }

    one, two = a_call("call_1", '{"a": 1}'), a_call("call_2", '{"a": 2}')
    events, response = read_all(
        thinking("Let me "),
        thinking("see."),
        added(a_message(id="a=="), output_index=1),
        delta("So ", content_index=0, **place(1)),
        delta("far.", content_index=0, **place(1)),
        {"type": "response.output_text.done", "text": "So far.", "content_index": 0, **place(1)},
        done(a_message("So far.", id="b=="), output_index=1),
        added({**one, "arguments": "", "id": "c=="}, output_index=2),
        added({**two, "arguments": "", "id": "d=="}, output_index=3),
        arguments('{"a": 1}', **place(2)),
        arguments('{"a": 2}', **place(3)),
        done({**one, "id": "e=="}, output_index=2),
        done({**two, "id": "f=="}, output_index=3),
        completed(a_message("So far.", id="g=="), {**one, "id": "h=="}, {**two, "id": "i=="}),
    )
    assert events == [
        ReasoningDelta("Let me "),
        ReasoningDelta("see."),
        TextDelta("So "),
        TextDelta("far."),
        ToolCallDelta("call_1", "add", ""),
        ToolCallDelta("call_2", "add", ""),
        ToolCallDelta("call_1", "add", '{"a": 1}'),
        ToolCallDelta("call_2", "add", '{"a": 2}'),
        ToolCall("call_1", "add", '{"a": 1}'),
        ToolCall("call_2", "add", '{"a": 2}'),
        RoundEnded(),
    ]
    assert [item["id"] for item in response.items] == ["b==", "e==", "f=="]


def test_ids_are_opaque(server: ModelServer, assistant: Assistant) -> None:
    name = "gAAAA+/" * 40 + "=="
    item = a_call(name, id=name)
    server.has_conversations = False
    server.plays(Play(events=(added(item), done(item), completed(item))), text("Two."))
    thread = Thread()
    events = list(assistant.run(thread, "1 + 1?"))
    assert [event for event in events if isinstance(event, ToolCall | ToolResult)] == [
        ToolCall(name, "add", '{"a": 1, "b": 1}'),
        ToolResult(name, "2"),
    ]
    assert events[-1] == RunCompleted()
    assert server.requests[1]["input"][1:] == [
        item,
        {"type": "function_call_output", "call_id": name, "output": "2"},
    ]


# --- where a text or a call is found ------------------------------------------------------------------


@pytest.mark.parametrize(
    "events",
    [
        [delta("All of it.", item_id="m"), completed()],
        [{"type": "response.output_text.done", "item_id": "m", "text": "All of it."}, completed()],
        [done(a_message("All of it.", id="m")), completed()],
        [completed(a_message("All of it.", id="m"))],
        [
            delta("All of it.", item_id="m", output_index=0, content_index=0),
            {"type": "response.output_text.done", "text": "All of it."},
            done(a_message("All of it."), output_index=0),
            completed(a_message("All of it.", id="other")),
        ],
        [
            delta("All of it."),
            {"type": "response.output_text.done", "item_id": "m", "content_index": 0, "text": "All of it."},
            done(a_message("All of it.", id="n"), output_index=0),
            completed(a_message("All of it.", id="o")),
        ],
    ],
    ids=["delta", "text.done", "item.done", "completed", "everywhere", "everywhere, under other names"],
)
def test_a_text_is_shown_once_wherever_it_comes(events: list[Json]) -> None:
    assert visible_events(*events) == [TextDelta("All of it.")]


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "response.refusal.delta", "item_id": "m", "delta": "No."}, completed()],
        [{"type": "response.refusal.done", "item_id": "m", "refusal": "No."}, completed()],
        [
            done({"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "No."}]}),
            completed(),
        ],
        [completed({"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "No."}]})],
        [
            {"type": "response.refusal.delta", "item_id": "m", "delta": "No."},
            {"type": "response.refusal.done", "item_id": "m", "refusal": "No."},
            done({"type": "message", "id": "m", "content": [{"type": "refusal", "refusal": "No."}]}),
            completed(),
        ],
    ],
    ids=["delta", "refusal.done", "item.done", "completed", "everywhere"],
)
def test_a_refusal_is_shown_once_wherever_it_comes(events: list[Json]) -> None:
    assert visible_events(*events) == [RefusalDelta("No.")]


@pytest.mark.parametrize(
    "events",
    [
        [done(a_call(id="fc_1")), completed()],
        [completed(a_call(id="fc_1"))],
        [done(a_call(id="fc_1")), done(a_call(id="fc_1")), completed(a_call(id="fc_1"))],
        [done(a_call(id="fc_1")), done(a_call(id="fc_2")), completed()],
        [done(a_call(id="fc_1")), done({**a_call(id="fc_1"), "call_id": None}), completed()],
        [completed(a_call(id="fc_1"), a_call(id="fc_1"))],
        [delta("Wait."), done(a_message("Wait.")), completed(a_message("Wait."), a_call(id="fc_1"))],
    ],
    ids=[
        "item.done",
        "completed",
        "done twice",
        "done twice, under another item id",
        "done twice, the second without its call id",
        "completed twice",
        "completed, after a text that was streamed",
    ],
)
def test_a_call_runs_once_wherever_it_comes(events: list[Json]) -> None:
    assert read_all(*events)[1].calls == [ADD]


def test_text_blocks_are_separated_by_any_key_the_server_sends() -> None:
    one_item = [delta("One.", content_index=0, item_id="m"), delta("Two.", content_index=1, item_id="m")]
    two_items = [delta("One.", item_id="m"), delta("Two.", item_id="n")]
    two_indices = [delta("One.", output_index=0), delta("Two.", output_index=2)]
    one_index = [
        added(a_message(), output_index=0),
        delta("One.", output_index=0),
        added(a_message(), output_index=0),
        delta("Two.", output_index=0),
    ]
    for events in (one_item, two_items, two_indices, one_index):
        assert visible_events(*events, completed()) == [TextDelta("One."), TextBreak(), TextDelta("Two.")]


def test_a_second_message_is_shown_if_only_the_first_was_streamed() -> None:
    events = [
        delta("One.", item_id="m", output_index=0),
        done(a_message("One.", id="m"), output_index=0),
        done(a_message("Two.", "Three.", id="n"), output_index=1),
        completed(),
    ]
    assert visible_events(*events) == [
        TextDelta("One."),
        TextBreak(),
        TextDelta("Two."),
        TextBreak(),
        TextDelta("Three."),
    ]


# --- what is in a call --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ({"a": 1, "b": 1}, '{"a": 1, "b": 1}'),
        ({"ort": "Köln"}, '{"ort": "Köln"}'),
        ([], "[]"),
        (None, ""),
        ("", ""),
        ('{"', '{"'),
        ("null", "null"),
    ],
    ids=repr,
)
def test_arguments_may_come_as_an_object_as_nothing_or_cut_off(written: Any, read_as: str) -> None:
    item = {name: value for name, value in a_call(written=written).items() if value is not None}
    call = ToolCall("call_1", "add", read_as)
    # What goes back to the server is JSON in any case: with anything else, llama.cpp fails on every request.
    sent = read_as if isinstance(written, dict) else "{}"
    assert read_all(done(item), completed())[1] == CompletedResponse([{**item, "arguments": sent}], [call])


def test_a_call_without_call_id_uses_its_item_id_or_a_new_one() -> None:
    nameless = {"type": "function_call", "name": "add", "arguments": "{}"}
    _, response = read_all(done({**nameless, "id": "fc_1"}), done(nameless), done(nameless), completed())
    ids = [call.call_id for call in response.calls]
    assert ids[0] == "fc_1"
    assert len(set(ids)) == 3
    assert [item["call_id"] for item in response.items] == ids


def test_two_items_of_a_response_are_never_sent_back_with_the_same_id() -> None:
    _, response = read_all(done(a_call("call_1", id="fc")), done(a_call("call_2", id="fc")), completed())
    assert response.items == [a_call("call_1", id="fc"), a_call("call_2")]
    assert [call.call_id for call in response.calls] == ["call_1", "call_2"]


def test_a_truncated_call_in_a_completed_response_gets_an_error_result(
    server: ModelServer, assistant: Assistant
) -> None:
    item = a_call(id="fc_1", written='{"')
    server.has_conversations = False
    server.plays(Play(events=(done(item), completed(item))), text("Sorry."))
    events = list(assistant.run(Thread(), "1 + 1?"))
    assert [event.outcome for event in events if isinstance(event, ToolResult)] == ["invalid"]
    assert events[-1] == RunCompleted()


# --- how a stream ends and fails ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        (None, None),
        ({}, None),
        ({"input_tokens": 0, "output_tokens": 0}, Usage()),
        ({"input_tokens": 5}, Usage(input=5)),
        ({"input_tokens": 5, "input_tokens_details": None, "output_tokens": "many"}, Usage(input=5)),
        ({"input_tokens": True, "output_tokens": -1}, Usage()),
    ],
    ids=repr,
)
def test_usage_may_be_missing_or_partial(usage: Any, counted: Usage | None) -> None:
    assert read_all(completed(usage=usage, model="m"))[0] == [RoundEnded("m", counted)]


def test_a_response_may_be_done_instead_of_completed() -> None:
    assert read_all(delta("Hi."), {"type": "response.done", "response": {"output": []}})[0] == [
        TextDelta("Hi."),
        RoundEnded(),
    ]


def test_an_incomplete_response_may_give_the_reason_length() -> None:
    with pytest.raises(Incomplete) as caught:
        read_all({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "length"}}})
    assert caught.value.reason == "max_output_tokens"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "500", "message": "Kaput."},
        {"type": "error", "code": 500, "message": "Kaput."},
        {"type": "error", "error": {"code": "500", "message": "Kaput."}},
        {"type": "response.failed", "response": {"error": {"code": "500", "message": "Kaput."}}},
    ],
    ids=["flat", "a number", "nested", "failed"],
)
def test_an_error_code_may_be_a_number(event: Json) -> None:
    with pytest.raises(StreamError, match=r"Kaput\.") as caught:
        read_all(delta("So f"), event)
    assert caught.value.code == "500"


@pytest.mark.parametrize("code", ["500", 500], ids=repr)
def test_an_error_with_a_numeric_code_ends_the_run_with_the_servers_message(
    server: ModelServer, assistant: Assistant, code: Any
) -> None:
    server.plays(Play(events=({"type": "error", "code": code, "message": "Kaput.", "param": None},)))
    ending = list(assistant.run(Thread(), "Hi"))[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.text.endswith("It says: Kaput."), ending.retry) == (True, True)


def test_a_stream_without_a_final_event_is_incomplete() -> None:
    with pytest.raises(MissingFinalEvent):
        read_all(done(a_call()))


# --- what comes over the wire -------------------------------------------------------------------------


def lines(*events: Json, end: str = "\n", named: bool = True) -> bytes:
    return "".join(
        (f"event: {event['type']}{end}" if named else "") + f"data: {json.dumps(event)}{end}{end}"
        for event in events
    ).encode()


@pytest.mark.parametrize(
    "stream",
    [
        [lines(delta("Hi."), completed()), b"data: [DONE]\n\n"],
        [lines(delta("Hi."), completed(), named=False)],
        [lines(delta("Hi."), completed(), end="\r\n")],
        [lines(delta("Hi."), completed(), end="\r")],
        [b": keep-alive\n\n", lines(delta("Hi.")), b": keep-alive\n\n", lines(completed())],
        [b"retry: 10\nid: 7\n", lines(delta("Hi."), completed())],
        [lines(delta("Hi.")), b"event: ping\ndata: {}\n\ndata: null\n\ndata: 7\n\n", lines(completed())],
        [bytes([byte]) for byte in lines(delta("Hi."), completed())],
        [b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta",\n'
         b'data: "delta": "Hi."}\n\n', lines(completed())],
        [lines({**delta("Hi."), "obfuscation": "x" * 1_000_000}, completed())],
    ],
    ids=[
        "[DONE] at the end",
        "no event lines",
        "CRLF",
        "CR",
        "comments",
        "retry and id",
        "data that is no event",
        "byte for byte",
        "one event in two data lines",
        "a megabyte in one line",
    ],
)  # fmt: skip
def test_unusual_sse_lines_are_read(server: ModelServer, assistant: Assistant, stream: list[bytes]) -> None:
    server.plays(Play(events=tuple(stream)))
    events = list(assistant.run(Thread(), "Hi"))
    assert events[2:] == [TextDelta("Hi."), RoundEnded(), RunCompleted()]


BROKEN = {
    "half a line": b'data: {"type": "response.outp',
    "not UTF-8": b"data: \xff\xfe\n\n",
    "not JSON": b"data: Internal Server Error\n\n",
    "NUL": b"\x00\x00\x00\n\n",
    "[DONE]": b"data: [DONE]\n\n",
    "nothing": b"\n",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_stream_that_breaks_off_is_interrupted(
    server: ModelServer, assistant: Assistant, line: bytes
) -> None:
    server.plays(Play(events=(delta("So far"), line)), text("Done."))
    thread = Thread()
    ending = list(assistant.run(thread, "Hi"))[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code in ("interrupted", "not_json"), ending.retry) == (True, True), ending
    assert thread.messages[-1].text == "So far"
    assert list(assistant.run(thread, "Go on"))[-1] == RunCompleted()


@pytest.mark.parametrize(
    "line",
    [b"data: " + b"9" * 5000 + b"\n\n", b"data: " + b"[" * 100_000 + b"]" * 100_000 + b"\n\n"],
    ids=["a number without end", "a nest without end"],
)
def test_json_that_python_cannot_read_is_reported_as_invalid(
    server: ModelServer, assistant: Assistant, line: bytes
) -> None:
    server.plays(Play(events=(delta("So far"), line)))
    ending = list(assistant.run(Thread(), "Hi"))[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == ("not_json", True)


def test_a_truncated_completed_response_is_marked_as_stopped(
    server: ModelServer, assistant: Assistant
) -> None:
    limit = completed(status="incomplete", incomplete_details={"reason": "max_output_tokens"})
    server.plays(Play(events=(delta("So far"), limit)))
    assert list(assistant.run(Thread(), "Hi"))[-1] == RunStopped(
        "max_output_tokens", "The answer was cut off: it reached the limit of output tokens."
    )


# --- what could not be drawn or sent again ------------------------------------------------------------


def test_a_surrogate_pair_split_between_deltas_is_joined() -> None:
    # A server that cuts its text at UTF-16 units tears an emoji apart.
    events = [
        json.loads('{"type": "response.output_text.delta", "delta": "Hi \\ud83d"}'),
        json.loads('{"type": "response.output_text.delta", "delta": "\\ude00!"}'),
        completed(),
    ]
    assert visible_events(*events) == [TextDelta("Hi "), TextDelta("😀!")]


def test_an_unpaired_surrogate_is_never_shown() -> None:
    events = [
        delta("A\ud83d", item_id="m"),
        delta("\ud83dB\ude00", item_id="n"),
        {"type": "response.reasoning_text.delta", "delta": "\ud83d"},
        {"type": "response.refusal.delta", "delta": "\ude00", "item_id": "r"},
        completed(),
    ]
    assert visible_events(*events) == [
        TextDelta("A"),
        TextBreak(),
        TextDelta("\ufffdB\ufffd"),
        TextBreak(),
        RefusalDelta("\ufffd"),
    ]


def test_an_item_whose_type_is_no_text_is_kept_and_not_shown() -> None:
    item = {"id": "x", "type": ["message"]}
    events, response = read_all(added(item), done(item), completed())
    assert (events, response) == ([RoundEnded("", None)], CompletedResponse([item]))


@pytest.mark.parametrize(
    "odd", [float("nan"), float("inf"), "\ud83d", {"deep": ["\udc00", -float("inf")]}], ids=ascii
)
def test_an_item_that_is_not_valid_json_is_repaired_before_it_is_sent_back(
    connect_to: Connect, odd: Any
) -> None:
    with ModelServer(conversations=False) as server:
        server.checks_types = False  # the item has a field that no type knows
        assistant, thread = connect_to(server.url, add), Thread()
        item = a_message("Hi.", id="m", extra=odd)
        play = b"data: " + json.dumps(done(item)).encode() + b"\n\n"
        server.plays(Play(events=(play, completed())), text("Here."))
        assert list(assistant.run(thread, "Hi"))[-1] == RunCompleted()
        assert list(assistant.run(thread, "Still there?"))[-1] == RunCompleted()
        assert {**server.requests[1]["input"][1], "extra": 0} == {**item, "extra": 0}


# --- texts that come whole, or whose deltas stop early ------------------------------------------------


@pytest.mark.parametrize("field", ["summary", "content"])
@pytest.mark.parametrize("in_final_event", [False, True])
def test_reasoning_that_comes_only_in_its_item_is_shown(field: str, in_final_event: bool) -> None:
    parts = [{"type": "text", "text": "Hm."}, {"type": "text", "text": "So."}]
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], field: parts}
    events = [completed(thought, a_message("Yes."))] if in_final_event else [done(thought), completed()]
    assert visible_events(*events)[:2] == [ReasoningDelta("Hm."), ReasoningDelta("\n\nSo.")]


@pytest.mark.parametrize(
    "place", [{}, {"item_id": "rs_1"}, {"output_index": 0}, {"item_id": "other", "output_index": 0}]
)
def test_reasoning_that_was_streamed_is_shown_once(place: Json) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    piece = {"type": "response.reasoning_summary_text.delta", "delta": "Hm.", **place}
    for later in ([done(thought, output_index=0), completed(thought)], [completed(thought)]):
        assert visible_events(piece, *later) == [ReasoningDelta("Hm.")]


@pytest.mark.parametrize("kind", ["output_text", "refusal"])
def test_the_end_of_a_text_that_its_deltas_left_out_is_shown(kind: str) -> None:
    field, shown = ("text", TextDelta) if kind == "output_text" else ("refusal", RefusalDelta)
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    piece = {"type": f"response.{kind}.delta", "delta": "The \ud83d", **place}
    whole = {"type": f"response.{kind}.done", field: "The \ud83d\ude00 end.", **place}
    item = a_message(id="m", status="completed") | {
        "content": [{"type": kind, field: "The \ud83d\ude00 end."}]
    }
    for later in ([whole], [done(item, output_index=0)], [whole, done(item, output_index=0)]):
        assert visible_events(piece, *later, completed(item)) == [shown("The "), shown("\U0001f600 end.")]


def test_a_whole_text_that_differs_from_its_deltas_is_not_shown_again() -> None:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    whole = {"type": "response.output_text.done", "text": "Hello?", **place}
    events = visible_events(delta("Hello!", **place), whole, done(a_message("Hi.", id="m")), completed())
    assert events == [TextDelta("Hello!")]
