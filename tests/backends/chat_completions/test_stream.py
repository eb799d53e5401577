"""The ways in which servers stream a chat completion."""

import json
from typing import Any

import pytest

from assistant.backends.body import DONE
from assistant.backends.chat_completions.stream import read_completion
from assistant.backends.stream_errors import MissingFinalEvent, StreamError
from assistant.errors import Incomplete
from assistant.events import (
    Citation,
    Event,
    ReasoningDelta,
    RoundEnded,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from tests.servers.chat_completions import chunk
from tests.servers.responses import Json


def read(*chunks: Any) -> tuple[list[Event], list[ToolCall]]:
    """Return the events and the calls of these chunks."""
    events: list[Event] = []
    stream = read_completion(chunks)
    while True:
        try:
            events.append(next(stream))
        except StopIteration as end:
            return events, end.value


def piece(name: str | None = None, arguments: Any = None, **fields: Any) -> Json:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {"tool_calls": [{**fields, "function": function}]}


def names_and_arguments(calls: list[ToolCall]) -> list[tuple[str, str]]:
    return [(call.name, call.arguments) for call in calls]


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
def test_two_calls_stay_two_calls_however_they_are_streamed(pieces: list[Json]) -> None:
    _, calls = read(*map(chunk, pieces), STOP)
    assert names_and_arguments(calls) == [("f", A), ("g", B)]
    assert len({call.call_id for call in calls}) == 2


def test_two_calls_in_one_chunk_with_the_same_id_get_different_ids() -> None:
    both = [*piece("f", A, index=0, id="x")["tool_calls"], *piece("g", B, index=1, id="x")["tool_calls"]]
    _, calls = read(chunk({"tool_calls": both}), DONE)
    assert names_and_arguments(calls) == [("f", A), ("g", B)]
    assert len({call.call_id for call in calls}) == 2


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
def test_think_tags_separate_reasoning_from_the_answer(texts: list[str], expected: list[Event]) -> None:
    events, _ = read(*(chunk({"content": text}) for text in texts), STOP)
    assert events == [*expected, RoundEnded("test-model", None)]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_fields_become_reasoning_events(field: str) -> None:
    events, _ = read(chunk({field: "Hm."}), chunk({"content": "Yes."}), STOP)
    assert events[:2] == [ReasoningDelta("Hm."), TextDelta("Yes.")]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([chunk({"content": "Hi"}, "stop")], "Hi"),
        ([chunk({"content": "Hi"}), DONE], "Hi"),  # no finish reason at all
        ([{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}], "Hi"),
        ([chunk({"content": [{"type": "text", "text": "Hi"}]}, "stop")], "Hi"),
        ([chunk({"content": "\ud83d"}), chunk({"content": "\ude00"}), STOP], "\U0001f600"),
        ([chunk({"content": "\ud83d"}), chunk({"content": "x"}), STOP], "\ufffdx"),
    ],
)
def test_text_is_read_in_every_form(chunks: list[Json], expected: str) -> None:
    events, _ = read(*chunks)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == expected


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ([], MissingFinalEvent),
        ([chunk({"content": "Hi"})], MissingFinalEvent),
        ([chunk({"content": "Hi"}, "length")], Incomplete),
        ([chunk({}, "content_filter")], Incomplete),
        ([chunk({}, "model_length")], Incomplete),
        ([chunk({}, "insufficient_system_resource")], Incomplete),
        ([chunk({}, "error")], StreamError),
        ([{"error": {"message": "No.", "code": 500}}], StreamError),
        ([{"error": "No."}], StreamError),
        ([{**STOP, "error": {"message": "No."}}], StreamError),
        ([{"object": "error", "message": "No.", "code": 400}, STOP], StreamError),
        ([{"choices": [{"delta": {}, "finish_reason": "stop", "error": {"message": "No."}}]}], StreamError),
    ],
)
def test_a_completion_that_did_not_end_well_raises_and_returns_no_calls(
    chunks: list[Json], error: type[Exception]
) -> None:
    with pytest.raises(error):
        read(chunk(piece("f", A, index=0, id="1")), *chunks)


NONSENSE: list[Any] = [
    *(None, 1, "x", [], {}, {"choices": None}, {"choices": {}}, {"choices": [None]}),
    {"choices": [{"delta": None}]},
    chunk({"content": 1, "tool_calls": {}, "refusal": []}),
    chunk({"tool_calls": [None, 1, {"function": None}, {"index": [], "function": {"arguments": []}}]}),
    {"choices": [], "usage": {"prompt_tokens": "x", "prompt_tokens_details": []}},
]


def test_malformed_chunks_are_ignored() -> None:
    events, calls = read(*NONSENSE, chunk({"content": "Hi"}), *NONSENSE, STOP)
    assert [event for event in events if isinstance(event, TextDelta)] == [TextDelta("Hi")]
    assert calls == []


def test_mistral_streams_its_reasoning_as_a_part_of_the_content() -> None:
    def thinking(words: str) -> Json:
        return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": words}]}]}

    events, _ = read(
        chunk(thinking("Hm, ")),
        chunk(thinking("two.")),
        chunk({"content": [{"type": "thinking", "thinking": " So"}, {"type": "text", "text": "It is "}]}),
        chunk({"content": "two."}),
        STOP,
    )
    assert events[:-1] == [
        ReasoningDelta("Hm, "),
        ReasoningDelta("two."),
        ReasoningDelta(" So"),
        TextDelta("It is "),
        TextDelta("two."),
    ]


def test_the_sources_of_a_text_are_cited_once() -> None:
    oslo = {"url": "https://a.example", "title": "Oslo", "start_index": 0, "end_index": 4}
    nested, flat = {"type": "url_citation", "url_citation": oslo}, {"type": "url_citation", **oslo}
    far = {
        "type": "url_citation",
        "url_citation": {"url": "https://b.example", "title": "B", "end_index": 999},
    }
    events, _ = read(
        chunk({"content": "", "annotations": [nested]}),
        chunk({"content": "Oslo."}),
        chunk({"annotations": [flat, far, {"type": "url_citation"}, {"type": "file", "file": {}}]}),
        STOP,
    )
    assert events[:-1] == [
        TextDelta("Oslo."),
        Citation(4, "Oslo", "https://a.example"),
        Citation(5, "B", "https://b.example"),
    ]


@pytest.mark.parametrize("name", ["parallel", "multi_tool_use.parallel", "functions.multi_tool_use.parallel"])
def test_a_call_that_wraps_several_becomes_those(name: str) -> None:
    uses = [
        {"recipient_name": "functions.f", "parameters": {"a": 1}},
        {"recipient_name": "g", "parameters": B},
    ]
    events, calls = read(chunk(piece(name, json.dumps({"tool_uses": uses}), index=0, id="1")), STOP)
    assert names_and_arguments(calls) == [("f", A), ("g", B)]
    assert len({call.call_id for call in calls}) == 2
    assert [event for event in events if isinstance(event, ToolCall | ToolCallDelta)] == calls


@pytest.mark.parametrize("arguments", ["", "{", "[]", "{}", '{"tool_uses": [{}]}', '{"tool_uses": [1]}'])
def test_a_wrapping_call_that_names_no_function_stays_one_call(arguments: str) -> None:
    _, calls = read(chunk(piece("parallel", arguments, index=0, id="1")), STOP)
    assert names_and_arguments(calls) == [("parallel", arguments)]


def test_a_whole_message_is_read_only_if_there_are_no_deltas() -> None:
    def both(delta: Json, words: str, finish: str | None = None) -> Json:
        choice = {"delta": delta, "message": {"role": "assistant", "content": words}, "finish_reason": finish}
        return {"choices": [choice]}

    empty = {"role": "assistant", "content": ""}
    events, _ = read(both({"content": "Hi"}, "Hi"), both({"content": "!"}, "Hi!"), both(empty, "Hi!", "stop"))
    assert events[:-1] == [TextDelta("Hi"), TextDelta("!")]
    events, _ = read(both(empty, "Hi!", "stop"))
    assert events[:-1] == [TextDelta("Hi!")]


def test_perplexity_lists_the_sources_of_the_whole_answer_in_every_chunk() -> None:
    a, b = "https://a.example", "https://b.example"
    listed: Json = {"citations": [a, b, 1], "search_results": [{"title": "A", "url": a}, {"title": "None"}]}
    events, _ = read(
        chunk({"content": "Oslo "}, **listed), chunk({"content": "[1]."}, **listed), STOP | listed
    )
    assert events[:-1] == [TextDelta("Oslo "), TextDelta("[1]."), Citation(9, "A", a), Citation(9, "", b)]


def test_a_source_without_a_position_is_that_of_all_the_text_before_it() -> None:
    source = {"url": "https://a.example", "title": "A", "start_index": 0, "end_index": 0}
    events, _ = read(chunk({"content": "Oslo.", "annotations": [{"type": "url_citation", **source}]}), STOP)
    assert events[:-1] == [TextDelta("Oslo."), Citation(5, "A", "https://a.example")]


def test_groq_counts_its_tokens_in_a_field_of_its_own() -> None:
    events, _ = read({**STOP, "x_groq": {"usage": {"prompt_tokens": 3, "completion_tokens": 2}}})
    assert events == [RoundEnded("test-model", Usage(input=3, output=2))]


def test_json_that_comes_as_an_object_is_the_text() -> None:
    events, _ = read(chunk({"content": {"city": "Malmö"}}), STOP)
    assert events[:-1] == [TextDelta('{"city": "Malmö"}')]


def test_other_choices_are_left_out() -> None:
    other = {"index": 1, "delta": {"content": "Bye"}, "finish_reason": "stop"}
    first = chunk({"content": "Hi"})
    events, _ = read({"choices": [other, *first["choices"]]}, {"choices": [other]}, STOP)
    assert events[:-1] == [TextDelta("Hi")]


def test_a_call_of_a_custom_tool_is_not_lost() -> None:
    custom = {"index": 0, "id": "1", "type": "custom", "custom": {"name": "f", "input": "4 +"}}
    later = {"index": 0, "custom": {"input": " 4"}}
    _, calls = read(chunk({"tool_calls": [custom]}), chunk({"tool_calls": [later]}), STOP)
    assert calls == [ToolCall("1", "f", "4 + 4")]
