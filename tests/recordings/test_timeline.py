"""Measuring a recording: whole values for recordings made by hand and for the samples."""

from pathlib import Path
from typing import Any

import pytest

from assistant.events import RoundEnded, RoundStarted, RunCompleted, RunPaused, ToolCall, ToolResult
from assistant.recordings.costs import ResponseTokens
from assistant.recordings.entries import (
    EndEntry,
    Entry,
    EventEntry,
    RecordedEvent,
    RequestEntry,
    ResponseEntry,
    RunClosed,
    RunEntry,
)
from assistant.recordings.recording import Recording, sample_files
from assistant.recordings.timeline import Figures, Measurement, Span
from assistant.recordings.wire_events import Tokens

OPENAI = "https://api.openai.com/v1/responses"
USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 400, "cache_write_tokens": 100},
    "output_tokens": 80,
    "output_tokens_details": {"reasoning_tokens": 30},
}


def run(at: float, event: RecordedEvent) -> Entry:
    return RunEntry(at, event)


def request_entries(
    at: float, exchange: int = 1, url: str = OPENAI, model: str = "gpt-6-luna"
) -> list[Entry]:
    body = {"model": model, "stream": True, "input": "Hello"}
    return [
        RequestEntry(at, exchange, "POST", url, body),
        ResponseEntry(at + 0.1, exchange, 200, "text/event-stream", {}),
    ]


def event(at: float, kind: str, exchange: int = 1, **data: Any) -> Entry:
    return EventEntry(at, exchange, kind, {"type": kind, **data})


def delta(at: float, kind: str, item: str, text: str, exchange: int = 1) -> Entry:
    return event(at, f"response.{kind}.delta", exchange, item_id=item, output_index=0, delta=text)


def call(item: str, name: str) -> dict[str, Any]:
    return {"id": item, "type": "function_call", "call_id": f"call_{item}", "name": name}


def spans(recording: Recording) -> list[Span]:
    return Measurement(recording).spans()


def figures(recording: Recording) -> Figures:
    return Measurement(recording).figures()


TWO_ROUNDS = [
    run(0.0, RoundStarted(number=1, resumed=False)),
    *request_entries(0.1),
    event(0.5, "response.created", response={"id": "resp_1"}),
    event(0.6, "response.output_item.added", item={"id": "rs", "type": "reasoning"}),
    event(1.0, "response.output_item.done", item={"id": "rs", "type": "reasoning"}),
    event(1.1, "response.output_item.added", item=call("a", "weather")),
    delta(1.2, "function_call_arguments", "a", "{}"),
    event(1.3, "response.output_item.done", item=call("a", "weather")),
    event(1.4, "response.output_item.added", item=call("b", "hotels")),
    event(1.6, "response.output_item.done", item=call("b", "hotels")),
    event(1.7, "response.completed", response={"id": "resp_1", "model": "gpt-6-luna", "usage": USAGE}),
    run(1.7, ToolCall(call_id="call_a", name="weather", arguments="{}")),
    run(1.7, ToolCall(call_id="call_b", name="hotels", arguments="{}")),
    run(2.0, ToolResult(call_id="call_b", output="1", outcome="done", seconds=0.25)),
    run(2.5, ToolResult(call_id="call_a", output="2", outcome="failed", seconds=0.8)),
    run(2.5, RoundStarted(number=2, resumed=False)),
    *request_entries(2.6, 2),
    delta(3.0, "output_text", "m", "It ", exchange=2),
    delta(4.0, "output_text", "m", "rains.", exchange=2),
    event(4.1, "response.completed", 2, response={"id": "resp_2", "model": "gpt-6-luna", "usage": USAGE}),
    EndEntry(4.2, 2, "hung up"),
    run(4.2, RunCompleted()),
]


def test_everything_that_takes_time_is_a_span() -> None:
    assert spans(Recording(entries=TWO_ROUNDS)) == [
        Span("POST /v1/responses", "request", 0.1, 0.2, 1, "200"),
        Span("waiting", "waiting", 0.2, 0.6, 1),
        Span("reasoning", "reasoning", 0.6, 1.0, 1),
        Span("weather", "arguments", 1.1, 1.3, 1),
        Span("hotels", "arguments", 1.4, 1.6, 1),
        Span("weather", "function", 1.7, 2.5, 1, "failed"),
        Span("hotels", "function", 1.75, 2.0, 1, "done"),
        Span("POST /v1/responses", "request", 2.6, 2.7, 2, "200"),
        Span("waiting", "waiting", 2.7, 3.0, 2),
        Span("text", "text", 3.0, 4.0, 2),
    ]


def test_parallel_calls_of_one_function_are_named_by_their_arguments() -> None:
    long = "x" * 100
    entries = [run(0.0, RoundStarted(number=1)), *request_entries(0.1)]
    for item, arguments in (
        ("a", '{"city": "Paris", "unit": null}'),
        ("b", f'{{"city": "{long}", "days": 2}}'),
        ("c", "{"),
    ):
        entries += [
            event(1.0, "response.output_item.added", item=call(item, "weather")),
            delta(1.0, "function_call_arguments", item, arguments[:5]),
            delta(1.0, "function_call_arguments", item, arguments[5:]),
            run(2.0, ToolCall(call_id=item, name="weather", arguments=arguments)),
        ]
    names = ["weather(Paris)", f"weather({long[:39]}…)", "weather"]
    found = spans(Recording(entries=entries))
    assert [span.name for span in found if span.kind == "arguments"] == names
    assert [span.name for span in found if span.kind == "function"] == names


def test_the_figures_are_sums_over_the_rounds() -> None:
    # USD per million: 0.10 for new input, 0.01 from the cache, 0.125 into the cache, 0.50 for output.
    each = (500 * 0.10 + 400 * 0.01 + 100 * 0.125 + 80 * 0.50) / 1_000_000
    tokens = Tokens(input=1000, cached=400, written=100, output=80, reasoning=30)
    found = figures(Recording(entries=TWO_ROUNDS))
    assert found.cost == pytest.approx(2 * each)
    assert found.speed == pytest.approx(100 / 1.4)
    assert found == Figures(
        first_event=0.5,
        first_text=3.0,
        duration=4.2,
        speed=found.speed,
        model="gpt-6-luna",
        tokens=Tokens(input=2000, cached=800, written=200, output=160, reasoning=60),
        responses=(
            ResponseTokens(1, "gpt-6-luna", tokens, each),
            ResponseTokens(2, "gpt-6-luna", tokens, each),
        ),
        cost=found.cost,
        cost_note="By OpenAI's list prices, for tokens alone.",
    )


def test_an_empty_recording_has_no_figures() -> None:
    assert spans(Recording()) == []
    assert figures(Recording()) == Figures(
        None, None, 0.0, None, "", None, (), None, "The server has counted no tokens."
    )


def figures_of(url: str = OPENAI, model: str = "gpt-6-luna", **response: Any) -> Figures:
    done = {"id": "resp", "model": model, "usage": USAGE, **response}
    return figures(
        Recording(entries=[*request_entries(0.0, url=url), event(1.0, "response.completed", response=done)])
    )


@pytest.mark.parametrize(
    ("options", "note"),
    [
        (
            {"url": "http://localhost:11434/v1/responses"},
            "Only OpenAI's own prices are known, and this server is localhost:11434.",
        ),
        ({"model": "gpt-9"}, "The price of gpt-9 is not known."),
        ({"service_tier": "scale"}, "The price of the processing tier “scale” is not known."),
    ],
)
def test_an_unknown_price_is_explained(options: dict[str, Any], note: str) -> None:
    found = figures_of(**options)
    assert (found.cost, found.cost_note) == (None, note)
    assert found.tokens == Tokens(input=1000, cached=400, written=100, output=80, reasoning=30)


def test_a_call_that_waits_for_approval_has_not_run() -> None:
    requested = run(1.0, ToolCall(call_id="c", name="book", arguments="{}"))
    assert spans(Recording(entries=[requested, run(1.0, RunPaused())])) == []


def test_a_call_without_a_result_runs_until_the_end_of_the_recording() -> None:
    requested = run(1.0, ToolCall(call_id="c", name="sleep", arguments="{}"))
    assert spans(Recording(entries=[requested, run(3.0, RunClosed())])) == [
        Span("sleep", "function", 1.0, 3.0, 0, "no result")
    ]


def test_times_never_go_back() -> None:
    recording = Recording(
        entries=[
            RequestEntry(1.0, 1, "POST", OPENAI, {}),
            ResponseEntry(0.4, 1, 200, "text/event-stream", {}),
            delta(1.5, "output_text", "m", "Hel"),
            delta(-3.0, "output_text", "m", "lo"),
        ],
        began=0.0,
    )
    assert spans(recording) == [
        Span("POST /v1/responses", "request", 1.0, 1.0, 0, "200"),
        Span("waiting", "waiting", 1.0, 1.5, 0),
        Span("text", "text", 1.5, 1.5, 0),
    ]


def test_calls_of_one_id_are_answered_in_their_order() -> None:
    calls = [run(1.0, ToolCall(call_id="", name=name, arguments="{}")) for name in ("a", "b")]
    results = [run(at, ToolResult(call_id="", output="", outcome="done", seconds=None)) for at in (2.0, 3.0)]
    assert spans(Recording(entries=[*calls, *results])) == [
        Span("a", "function", 1.0, 2.0, 0, "done"),
        Span("b", "function", 1.0, 3.0, 0, "done"),
    ]


def chunk(at: float, usage: Any = None, **delta: Any) -> Entry:
    data = {"id": "chat_1", "object": "chat.completion.chunk", "model": "m", "usage": usage}
    data["choices"] = [{"index": 0, "delta": delta}] if delta else []
    return EventEntry(at, 1, "", data)


def test_chat_completions_are_measured_from_their_chunks() -> None:
    def called(index: int, **function: str) -> list[dict[str, Any]]:
        return [{"index": index, "function": function}]

    usage = {"prompt_tokens": 7, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 2}}
    entries = [
        *request_entries(0.0, url="http://127.0.0.1:8080/v1/chat/completions"),
        chunk(0.5, role="assistant", content=""),
        chunk(1.0, reasoning_content="Well"),
        chunk(1.5, reasoning_content=" …"),
        chunk(2.0, content="I "),
        chunk(3.0, content="look."),
        chunk(4.0, tool_calls=called(0, name="add", arguments="")),
        chunk(4.5, tool_calls=called(0, arguments="{}")),
        chunk(5.0, tool_calls=called(0, name="mul", arguments="{}")),  # some servers do not number calls
        chunk(6.0, usage=usage),
        EventEntry(6.5, 1, "", "[DONE]"),
    ]
    assert spans(Recording(entries=entries))[1:] == [
        Span("waiting", "waiting", 0.1, 1.0, 0),
        Span("reasoning", "reasoning", 1.0, 1.5, 0),
        Span("text", "text", 2.0, 3.0, 0),
        Span("add", "arguments", 4.0, 4.5, 0),
        Span("mul", "arguments", 5.0, 5.0, 0),
    ]
    found = figures(Recording(entries=entries))
    assert (found.first_event, found.first_text, found.model) == (0.5, 2.0, "m")
    assert found.tokens == Tokens(input=7, output=9, reasoning=2)


def test_sessions_of_the_agents_api_are_measured() -> None:
    turn = "agent.session.turn"
    entries = [
        *request_entries(0.0, url="https://api.openai.com/v1/agents/sessions/s/events"),
        event(0.2, "agent.session.in_progress", session={"agent": {"model": "gpt-6-luna"}}),
        event(0.3, f"{turn}.item.added", item={"id": "u", "type": "message", "role": "user"}),
        event(0.5, f"{turn}.item.added", item=call("a", "add")),
        event(1.0, f"{turn}.output_text.delta", item_id="m", delta="3"),
        event(1.5, f"{turn}.output_text.done", item_id="m", text="3"),
        event(2.0, f"{turn}.completed", turn={"id": "t", "usage": USAGE}),
    ]
    assert spans(Recording(entries=entries))[1:] == [
        Span("waiting", "waiting", 0.1, 0.5, 0),
        Span("add", "arguments", 0.5, 0.5, 0),
        Span("text", "text", 1.0, 1.5, 0),
    ]
    assert figures(Recording(entries=entries)).responses[0].tokens.output == 80


def test_runs_of_the_assistants_api_are_measured() -> None:
    def message_delta(at: float, text: str) -> Entry:
        content = [{"index": 0, "type": "text", "text": {"value": text}}]
        data = {"id": "msg", "object": "thread.message.delta", "delta": {"content": content}}
        return EventEntry(at, 1, "thread.message.delta", data)

    ended = {
        "id": "run",
        "object": "thread.run",
        "model": "gpt-4o",
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
    }
    entries = [
        *request_entries(0.0, url="https://api.openai.com/v1/threads/t/runs"),
        message_delta(1.0, "Hel"),
        message_delta(2.0, "lo"),
        EventEntry(2.5, 1, "thread.run.completed", ended),
    ]
    assert spans(Recording(entries=entries))[1:] == [
        Span("waiting", "waiting", 0.1, 1.0, 0),
        Span("text", "text", 1.0, 2.0, 0),
    ]
    found = figures(Recording(entries=entries))
    assert (found.tokens, found.speed) == (Tokens(input=3, output=4), 4.0)
    assert found.cost == pytest.approx((3 * 2.50 + 4 * 10.00) / 1_000_000)


@pytest.mark.parametrize("path", sample_files().values(), ids=lambda path: path.stem)
def test_a_sample_is_measured_completely(path: Path) -> None:
    recording = Recording.from_lines(path.read_text("utf-8"))
    found, took = figures(recording), spans(recording)
    events = recording.run_events()
    results = [event for event in events if isinstance(event, ToolResult)]
    assert sum(span.kind == "function" for span in took) == len(results)
    assert found.tokens is not None
    usages = [event.usage for event in events if isinstance(event, RoundEnded)]
    assert [(each.tokens.input, each.tokens.output) for each in found.responses] == [
        (usage and usage.input, usage and usage.output) for usage in usages
    ]
    assert found.duration == recording.entries()[-1].at
    assert all(0 <= span.begin <= span.end <= found.duration for span in took)
