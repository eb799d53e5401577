"""A response is read as what its bytes are: a stream of events, or one JSON body."""

import json
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import open_backend
from assistant.events import (
    CommentaryDelta,
    Event,
    ReasoningDelta,
    RetryScheduled,
    RoundEnded,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextBreak,
    TextDelta,
    ToolResult,
    Usage,
)
from assistant.settings import ProtocolName, Settings
from tests.conftest import add
from tests.servers.chat_completions import ChatServer, chunks, sse
from tests.servers.responses import ModelServer, Play, call, message, reasoning, response_object, text

SERVERS: dict[ProtocolName, type[ModelServer]] = {"responses": ModelServer, "chat": ChatServer}


def run(server: ModelServer, protocol: ProtocolName) -> list[Event]:
    backend = open_backend(Settings(base_url=server.url, protocol=protocol, model="test-model"))
    try:
        return list(Assistant(backend, Toolbox(add)).run(Thread(), "Hi"))
    finally:
        backend.close()


def whole(*items: Any, status: str = "completed", **fields: Any) -> Play:
    """Return a response in one JSON body."""
    body = response_object("resp_1", {"model": "test-model"}, status, list(items))
    return Play(body=body | fields)


@pytest.mark.parametrize("protocol", SERVERS)
@pytest.mark.parametrize("label", ["application/json", "text/plain", "application/octet-stream"])
def test_a_stream_is_read_whatever_its_label(protocol: ProtocolName, label: str) -> None:
    with SERVERS[protocol]() as server:
        server.plays(text("Hello there", content_type=label))
        events = run(server, protocol)
        assert [event.text for event in events if isinstance(event, TextDelta)] == ["Hel", "lo ", "the", "re"]
        assert events[-1] == RunCompleted()


@pytest.mark.parametrize("label", ["application/json", "text/event-stream"])
def test_a_response_in_one_json_body_is_taken(label: str) -> None:
    with ModelServer(conversations=False) as server:
        play = whole(call("add", a=1, b=2))
        server.plays(
            Play(body=play.body, headers=(("content-type", label),)),
            whole(reasoning("Hm."), message("Three.")),
        )
        events = run(server, "responses")
        assert [event.output for event in events if isinstance(event, ToolResult)] == ["3"]
        assert events[-4:] == [
            ReasoningDelta("Hm."),
            TextDelta("Three."),
            RoundEnded("test-model", Usage(input=10, cached=2, output=5, reasoning=1)),
            RunCompleted(),
        ]


def test_every_message_of_a_json_body_is_taken() -> None:
    with ModelServer(conversations=False) as server:
        commentary = message("I look it up.") | {"phase": "commentary"}
        server.plays(whole(commentary, message("It is three."), message("Or four.")))
        events = run(server, "responses")
        shown = [event for event in events if isinstance(event, CommentaryDelta | TextBreak | TextDelta)]
        assert shown == [
            CommentaryDelta("I look it up."),
            TextBreak(),
            TextDelta("It is three."),
            TextBreak(),
            TextDelta("Or four."),
        ]
        nameless = [
            {name: value for name, value in message(words).items() if name != "id"} for words in ("A.", "B.")
        ]
        server.plays(whole(*nameless))
        events = run(server, "responses")
        assert [event.text for event in events if isinstance(event, TextDelta)] == ["A.", "B."]


def test_a_json_body_that_tells_of_no_good_end_is_no_completed_answer() -> None:
    with ModelServer(conversations=False) as server:
        limit = {"reason": "max_output_tokens"}
        server.plays(whole(message("So"), status="incomplete", incomplete_details=limit))
        assert isinstance(run(server, "responses")[-1], RunStopped)
        server.plays(whole(status="failed", error={"code": "invalid_api_key", "message": "No."}))
        failed = run(server, "responses")[-1]
        assert isinstance(failed, RunFailed)
        assert failed.code == "invalid_api_key"
        server.plays(Play(body={"error": {"code": "model_not_found", "message": "No."}}))
        failed = run(server, "responses")[-1]
        assert isinstance(failed, RunFailed)
        assert failed.code == "model_not_found"
        server.plays(Play(body={"status": "ok"}))
        failed = run(server, "responses")[-1]
        assert isinstance(failed, RunFailed)
        assert (failed.code, failed.retry) == ("not_found", False)


@pytest.mark.parametrize("protocol", SERVERS)
@pytest.mark.parametrize(
    ("code", "expected", "retry"),
    [
        ("404", "not_found", False),
        ("401", "invalid_api_key", False),
        ("429", "rate_limit_exceeded", True),
        ("503", "503", True),
        ("400", "400", False),
    ],
)
def test_a_status_as_the_code_of_an_error_in_the_stream_is_understood(
    protocol: ProtocolName, code: str, expected: str, retry: bool
) -> None:
    with SERVERS[protocol]() as server:
        server.plays(Play(ending="failed", details=_error(protocol, code)))
        failed = run(server, protocol)[-1]
        assert isinstance(failed, RunFailed)
        assert (failed.code, failed.retry) == (expected, retry)
        assert failed.details is not None
        assert (failed.details.status, failed.details.message) == (int(code), "Nothing here.")


def _error(protocol: ProtocolName, code: str) -> dict[str, Any]:
    error = {"code": code, "message": "Nothing here."}
    return error if protocol == "chat" else {"error": error}


@pytest.mark.parametrize("protocol", SERVERS)
def test_a_stream_that_ends_within_an_event_is_a_lost_connection(protocol: ProtocolName) -> None:
    with SERVERS[protocol]() as server:
        server.has_conversations = False
        server.plays(*[Play(events=(b'data: {"type": "respon',))] * 2, text("Hello."))
        events = run(server, protocol)
        assert len([event for event in events if isinstance(event, RetryScheduled)]) == 2
        assert events[-1] == RunCompleted()
        server.plays(*[Play(events=(b'data: {"type": "respon',))] * 3)
        failed = run(server, protocol)[-1]
        assert isinstance(failed, RunFailed)
        assert failed.code == "interrupted"


@pytest.mark.parametrize("protocol", SERVERS)
@pytest.mark.parametrize(
    "body",
    [
        b"Nothing here.",
        b'"Nothing here."',
        b'data: {"error": {"message": "Nothing here.", "code": "400"}}\n\ndata: [DONE]\n\n',
        b'event: error\r\ndata: {"message": "Nothing here."}\r\n\r\n',
        b"data: Nothing here.\n\n",
    ],
)
def test_a_refusal_is_quoted_whatever_form_it_has(protocol: ProtocolName, body: bytes) -> None:
    with SERVERS[protocol]() as server:
        server.plays(Play(status=400, body=body))
        failed = run(server, protocol)[-1]
        assert isinstance(failed, RunFailed)
        assert failed.details is not None
        assert failed.details.message == "Nothing here."


@pytest.mark.parametrize("body", [b"", b"<html>Bad request</html>", b"[1]", b"data:"])
def test_a_refusal_without_words_is_quoted_as_its_status(body: bytes) -> None:
    with ModelServer() as server:
        server.plays(Play(status=400, body=body))
        failed = run(server, "responses")[-1]
        assert isinstance(failed, RunFailed)
        assert failed.details is not None
        assert failed.details.message == "Error code: 400"


@pytest.mark.parametrize("protocol", SERVERS)
def test_an_event_that_carries_an_error_ends_the_response(protocol: ProtocolName) -> None:
    with SERVERS[protocol]() as server:
        server.plays(Play(events=({"type": "x", "error": {"code": "404", "message": "Nothing here."}},)))
        failed = run(server, protocol)[-1]
        assert isinstance(failed, RunFailed)
        assert failed.code == "not_found"


@pytest.mark.parametrize(("protocol", "name"), [("responses", "reasoning"), ("chat", "reasoning_effort")])
@pytest.mark.parametrize(
    "detail",
    [
        "{} is not supported by this model",
        [{"type": "extra_forbidden", "loc": ["body", "{}"], "msg": "Extra inputs are not permitted"}],
    ],
)
def test_a_refused_parameter_is_left_out_whatever_the_refusal_looks_like(
    protocol: ProtocolName, name: str, detail: Any
) -> None:
    body = detail.format(name) if isinstance(detail, str) else [{**detail[0], "loc": ["body", name]}]
    with SERVERS[protocol]() as server:
        refusals = 2 if protocol == "responses" else 1  # the summary of the reasoning is left out first
        server.plays(*[Play(status=422, body={"detail": body})] * refusals, text("Hello."))
        settings = Settings(base_url=server.url, protocol=protocol, effort="low")
        backend = open_backend(settings)
        assert list(Assistant(backend, Toolbox()).run(Thread(), "Hi"))[-1] == RunCompleted()
        assert [name in request for request in server.requests] == [True] * refusals + [False]
        backend.close()


def test_a_byte_order_mark_and_empty_events_change_nothing() -> None:
    mark, empty = b"\xef\xbb\xbf", b"data:\n\nevent: ping\ndata: \n\n"
    with ChatServer() as server:
        pieces = [each if isinstance(each, bytes) else sse(each) for each in chunks(text("Hello"))]
        server.plays(
            Play(events=(mark, *(each for piece in pieces for each in (piece, empty)), b"data: [DONE]\n\n"))
        )
        assert "".join(each.text for each in run(server, "chat") if isinstance(each, TextDelta)) == "Hello"
    with ModelServer(conversations=False) as server:
        body = json.dumps(whole(message("Three.")).body).encode()
        server.plays(Play(body=mark + body))
        assert TextDelta("Three.") in run(server, "responses")
