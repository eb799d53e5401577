"""The reader of wire events: what an event of each protocol tells, in the same types for all four."""

from typing import Any

import pytest

from assistant.recordings.entries import BodyEntry, EndEntry, EventEntry, RequestEntry, ResponseEntry
from assistant.recordings.requests import Protocol
from assistant.recordings.wire_events import (
    AgentModel,
    CallListed,
    CallRequested,
    Ended,
    EventSummary,
    Failed,
    ItemDone,
    ItemStarted,
    TextDone,
    TextPiece,
    Tokens,
    TokensCounted,
    WirePart,
)
from assistant.recordings.wire_reader import WireReader

USAGE = {"input_tokens": 10, "output_tokens": 5}
COUNTED = TokensCounted("resp_1", "m", "", Tokens(input=10, output=5))


def read(*events: tuple[str, Any], path: str = "/v1/responses") -> list[EventSummary]:
    """Return what a reader finds in the events of one response."""
    reader = WireReader()
    reader.read(RequestEntry(0.0, 1, "POST", f"http://models.example{path}", {"stream": True}))
    return [reader.read(EventEntry(0.0, 1, name, data)) for name, data in events]


def parts(name: str, data: Any, path: str = "/v1/responses") -> list[WirePart]:
    (event,) = read((name, data), path=path)
    return list(event.parts)


def typed(kind: str, **fields: Any) -> tuple[str, dict[str, Any]]:
    return kind, {"type": kind, **fields}


CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": "{}"}
ARGUMENTS = ("response.function_call_arguments", "fc_1", "")
TEXT = ("response.output_text", "msg_1", "0")
TEXT_PLACE = {"item_id": "msg_1", "content_index": 0}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            typed("response.output_text.delta", **TEXT_PLACE, delta="Hi"),
            [TextPiece(TEXT, "text", "msg_1", "Hi")],
        ),
        (
            typed("response.output_text.done", **TEXT_PLACE, text="Hi"),
            [TextDone(TEXT, "text", "msg_1", "Hi")],
        ),
        (typed("response.output_item.added", item=CALL), [ItemStarted("arguments", "fc_1", "add")]),
        (
            typed("response.function_call_arguments.delta", item_id="fc_1", delta="{"),
            [TextPiece(ARGUMENTS, "arguments", "fc_1", "{")],
        ),
        (
            typed("response.output_item.done", item=CALL),
            [ItemDone("arguments", "fc_1"), CallRequested("call_1"), TextDone(ARGUMENTS, None, "fc_1", "{}")],
        ),
        (
            typed("response.output_item.added", item={"type": "reasoning", "id": "r"}),
            [ItemStarted("reasoning", "r")],
        ),
        (
            typed(
                "response.completed",
                response={"id": "resp_1", "model": "m", "output": [CALL], "usage": USAGE},
            ),
            [Ended(True), CallRequested("call_1"), COUNTED],
        ),
        (typed("response.failed", response={}), [Ended(False), Failed("response.failed")]),
        (typed("error", code="x"), [Ended(False, is_error=True), Failed("error")]),
        (typed("response.hologram"), []),
        (("", "[DONE]"), []),
    ],
)
def test_events_of_the_responses_api(event: tuple[str, Any], expected: list[WirePart]) -> None:
    assert parts(*event) == expected


def chunk(delta: Any, **choice: Any) -> tuple[str, dict[str, Any]]:
    return "", {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, **choice}]}


def test_chunks_of_chat_completions() -> None:
    function = {"name": "add", "arguments": "{"}
    text, call, more, last, done = read(
        chunk({"content": "Hi"}),
        chunk({"tool_calls": [{"index": 0, "id": "call_1", "function": function}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
        chunk({}, finish_reason="length"),
        ("", "[DONE]"),
        path="/v1/chat/completions",
    )
    scope = "choice", "0"
    assert text == EventSummary((TextPiece(("text", "0"), "text", "0", "Hi"),), scope, False, "chat")
    assert call.parts == (
        ItemStarted("arguments", "0", "add"),
        TextPiece(("arguments", "0"), "arguments", "0", "{"),
        CallRequested("call_1"),
    )
    assert more.parts == (TextPiece(("arguments", "0"), "arguments", "0", "}"),)
    assert last == EventSummary((Ended(False),), scope, True, "chat")
    assert done == EventSummary((Ended(True),), "stream", False, "chat")


def test_events_of_a_session_belong_to_their_turn_and_repeated_ones_are_ignored() -> None:
    delta = typed("agent.session.turn.output_text.delta", turn_id="t", event_id="e1", item_id="m", delta="Hi")
    session = {"agent": {"model": "m"}, "required_actions": [CALL]}
    first, repeated, waiting, last = read(
        delta,
        delta,
        typed("agent.session.requires_action", event_id="e2", session=session),
        typed("agent.session.turn.completed", event_id="e3", turn={"id": "t", "usage": USAGE}),
        path="/v1/agents/sessions/s/events",
    )
    piece = TextPiece(("turn.output_text", "m", ""), "text", "m", "Hi")
    assert first == EventSummary((piece,), "t", False, "agents")
    assert repeated == EventSummary((), "", True, "agents")
    assert waiting == EventSummary((CallRequested("call_1"), AgentModel("m")), "", True, "agents")
    assert (last.scope, last.parts[0]) == ("t", Ended(True))


def test_events_of_the_assistants_api_with_and_without_a_name() -> None:
    content = [{"index": 0, "type": "text", "text": {"value": "Hi"}}]
    message = {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": content}}
    wanted = {"submit_tool_outputs": {"tool_calls": [{"id": "call_1"}]}}
    run = {"id": "run_1", "object": "thread.run", "status": "requires_action", "required_action": wanted}
    piece = TextPiece(("msg_1", "0"), "text", "msg_1", "Hi")
    for name, ending in (("thread.message.delta", "thread.run.requires_action"), ("", "")):
        text, waiting = read((name, message), (ending, run), path="/v1/threads/t/runs")
        assert text.parts == (piece,)
        assert waiting.parts == (Ended(True), CallRequested("call_1"))


@pytest.mark.parametrize(
    ("path", "event", "protocol"),
    [
        ("/v1/responses", typed("error"), "responses"),
        ("/v1/chat/completions", ("", "[DONE]"), "chat"),
        ("/v1/responses", chunk({}), "chat"),  # what the server sends counts more than the path
        ("/v1/other", typed("response.created"), "responses"),
        ("/v1/other", typed("agent.session.created"), "agents"),
        ("/v1/other", ("thread.run.created", {}), "assistants"),
        ("/v1/other", typed("speech.delta"), ""),
    ],
)
def test_the_protocol_is_recognised_by_an_event_or_expected_by_the_request(
    path: str, event: tuple[str, Any], protocol: Protocol
) -> None:
    (summary,) = read(event, path=path)
    assert summary.protocol == protocol


def test_each_exchange_has_its_own_protocol() -> None:
    reader = WireReader()
    for exchange, (name, data) in enumerate([typed("response.created"), chunk({})], 1):
        reader.read(EventEntry(0.0, exchange, name, data))
    assert [reader.protocol(exchange) for exchange in (1, 2, 3)] == ["responses", "chat", ""]


def test_a_body_lists_calls_and_may_be_a_whole_response() -> None:
    response = {"object": "response", "status": "completed", "id": "resp_1", "model": "m", "output": [CALL]}
    body = BodyEntry(0.0, 1, response | {"usage": USAGE})
    assert WireReader().read(body).parts == (
        CallListed("call_1"),
        Ended(True),
        CallRequested("call_1"),
        COUNTED,
    )
    listed = BodyEntry(0.0, 1, {"object": "list", "data": [CALL]})
    assert WireReader().read(listed).parts == (CallListed("call_1"),)


def test_other_entries_are_ignored() -> None:
    reader = WireReader()
    assert reader.read(ResponseEntry(0.0, 1, 200, "text/event-stream", {})) == EventSummary()
    assert reader.read(EndEntry(0.0, 1, "complete")) == EventSummary()
