"""A growing recording: what bytes become, that it can be read meanwhile, and what is never in it."""

import gzip
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from assistant.events import ToolResult, View
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    EventEntry,
    How,
    RecordingFull,
    RequestEntry,
    ResponseEntry,
    RunEntry,
)
from assistant.recordings.recording import Recording
from assistant.transports import live_recording
from assistant.transports.live_recording import LiveRecording

URL = "http://models.example/v1/responses"
STREAM = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1", "server": "x"}
EVENTS = 'event: a\ndata: {"type": "a", "text": "é\u2028"}\n\ndata: [DONE]\n\n'.encode()
JSON = {"content-type": "application/json"}


def record(
    *chunks: bytes,
    headers: dict[str, str] = STREAM,
    how: How = "complete",
    request: bytes = b'{"stream": true}',
    url: str = URL,
    request_headers: dict[str, str] | None = None,
) -> LiveRecording:
    """Record one exchange."""
    recording = LiveRecording("thread_1")
    exchange = recording.add_request("POST", url, request_headers or {}, request)
    recording.add_response(exchange, 200, headers)
    for chunk in chunks:
        recording.add_chunk(exchange, chunk)
    recording.add_end(exchange, how)
    return recording


def without_times(recording: Recording) -> list[Entry]:
    return [replace(entry, at=0.0) for entry in recording.entries()]


RECORDED: list[Entry] = [
    RequestEntry(0.0, 1, "POST", URL, {"stream": True}),
    ResponseEntry(0.0, 1, 200, "text/event-stream", {"x-request-id": "req_1"}),
    EventEntry(0.0, 1, "a", {"type": "a", "text": "é\u2028"}),
    EventEntry(0.0, 1, "", "[DONE]"),
    EndEntry(0.0, 1, "complete"),
]


def test_bytes_become_entries_in_order_with_rising_times() -> None:
    recording = record(EVENTS)
    assert without_times(recording) == RECORDED
    times = [entry.at for entry in recording.entries()]
    assert times == sorted(times)
    assert times[0] >= 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_the_chunks_of_a_stream_make_no_difference(size: int) -> None:
    chunks = (EVENTS[at : at + size] for at in range(0, len(EVENTS), size))
    assert without_times(record(*chunks)) == RECORDED


def test_a_compressed_stream_is_unpacked() -> None:
    packed, headers = gzip.compress(EVENTS), STREAM | {"content-encoding": "gzip"}
    assert without_times(record(packed[:9], packed[9:], headers=headers)) == RECORDED


def test_a_stream_that_only_claims_to_be_compressed_is_recorded_as_it_is() -> None:
    assert without_times(record(EVENTS, headers=STREAM | {"content-encoding": "gzip"})) == RECORDED


def test_a_response_that_is_not_a_stream_is_a_body() -> None:
    recording = record(b'{"data"', b": [1]}", headers=JSON)
    assert without_times(recording)[2:] == [BodyEntry(0.0, 1, {"data": [1]}), EndEntry(0.0, 1, "complete")]


@pytest.mark.parametrize("body", [b"<h1>Welcome</h1>", b'"text"', b"12", b"null", b"\xff"])
def test_a_body_that_is_not_a_json_object_is_recorded_as_text(body: bytes) -> None:
    recording = record(body, headers=JSON)
    assert without_times(recording)[2] == BodyEntry(0.0, 1, body.decode("utf-8", "replace"))


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_stream_is_recognised_by_its_bytes_whatever_its_type(content_type: str) -> None:
    recording = record(EVENTS, headers={"content-type": content_type})
    assert without_times(recording)[2:] == RECORDED[2:]


def test_json_instead_of_a_stream_is_a_body() -> None:
    assert without_times(record(b'{"error": {}}'))[2] == BodyEntry(0.0, 1, {"error": {}})


def test_an_empty_response_has_no_body() -> None:
    kinds = [type(entry) for entry in record(headers=JSON).entries()]
    assert kinds == [RequestEntry, ResponseEntry, EndEntry]


@pytest.mark.parametrize(("how", "events"), [("complete", 1), ("lost", 0), ("hung up", 0)])
def test_half_an_event_counts_only_in_a_complete_response(how: How, events: int) -> None:
    (exchange,) = record(b'data: {"type": "a"}\n', how=how).exchanges()
    assert len(exchange.events) == events


def test_a_second_request_is_another_exchange() -> None:
    recording = record(EVENTS)
    second = recording.add_request("GET", "http://models.example/v1/models", {}, b"")
    assert [exchange.number for exchange in recording.exchanges()] == [1, second]
    assert recording.exchanges()[1].request.body is None


def test_a_recording_can_be_read_while_it_is_written() -> None:
    recording = LiveRecording()
    exchange = recording.add_request("POST", "http://models.example", {}, b"")
    recording.add_response(exchange, 200, STREAM)
    seen: list[int] = []

    def read() -> None:
        while not seen or seen[-1] < 2_002:
            entries = recording.entries()
            seen.append(len(entries))
            numbers = [entry.data["n"] for entry in entries if isinstance(entry, EventEntry)]
            assert numbers == list(range(len(numbers)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for count in range(2_000):
        recording.add_chunk(exchange, f'data: {{"n": {count}}}\n\n'.encode())
    for reader in readers:
        reader.join(10)
    assert len(recording.entries()) == 2_002
    assert seen[-1] == 2_002


def test_a_full_recording_keeps_what_it_has_and_says_that_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_recording, "MAX_BYTES", 200)
    recording = record(EVENTS, EVENTS, EVENTS)
    full = RunEntry(0.0, RecordingFull())
    assert without_times(recording) == [*RECORDED[:4], *RECORDED[2:4], full]
    assert recording.size() <= 200


@pytest.mark.parametrize("depth", [98, 99, 100, 300, 600, 5_000])
def test_deeply_nested_json_does_no_harm(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    recording = record(deep, headers=JSON, request=deep)
    kinds = [type(entry) for entry in recording.entries()]
    assert kinds == [RequestEntry, ResponseEntry, BodyEntry, EndEntry]
    assert Recording.from_lines(recording.as_lines()).entries() == recording.entries()


def test_the_views_of_a_result_are_not_recorded() -> None:
    recording = LiveRecording()
    recording.add_event(ToolResult("c1", "A picture.", views=(View("image", "", "A" * 1_000_000),)))
    assert recording.run_events() == [ToolResult("c1", "A picture.")]
    assert recording.size() < 200
    assert "views" not in recording.as_lines()


# --- secrets ---


KEY = "sk-very/secret"
EVERYWHERE = json.dumps({"say": f"It is {KEY}!", KEY: [KEY], "escaped": "…"}, ensure_ascii=False).replace(
    "…", "\\u0073k-very\\/secret"
)


@pytest.mark.parametrize(
    "request_headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"Authorization": KEY},
        {"api-key": KEY},
        {"x-api-key": KEY},
        {"cookie": f"a=b; session={KEY}"},
        {"authorization": "Basic " + "bWU6c2stdmVyeS9zZWNyZXQ="},
    ],
)
def test_a_secret_of_a_request_is_nowhere_in_the_recording(request_headers: dict[str, str]) -> None:
    url = "https://models.example/v1/responses?q=sk-very%2Fsecret"
    stream = f"data: {EVERYWHERE}\n\ndata: half {KEY}\n\n".encode()
    recording = record(stream, request=EVERYWHERE.encode(), url=url, request_headers=request_headers)
    recording.add_end(1, "lost", f"no route for {KEY}")
    removed: dict[str, Any] = {"say": "It is [removed]!", "[removed]": ["[removed]"], "escaped": "[removed]"}
    request, _, *others = without_times(recording)
    assert isinstance(request, RequestEntry)
    assert request.body == removed
    assert others == [
        EventEntry(0.0, 1, "", removed),
        EventEntry(0.0, 1, "", "half [removed]"),
        EndEntry(0.0, 1, "complete"),
        EndEntry(0.0, 1, "lost", "no route for [removed]"),
    ]
    assert "very" not in recording.as_lines()


def test_a_url_keeps_only_its_host_and_its_harmless_values() -> None:
    url = "https://me:pass%20word@models.example:1/v1/x?api_key=abcdef&limit=2&sig=ghijkl"
    recording = record(b'{"a": "pass word, abcdef"}', headers=JSON, url=url)
    (exchange,) = recording.exchanges()
    assert exchange.request.url == "https://models.example:1/v1/x?api_key=[removed]&limit=2&sig=[removed]"
    assert exchange.body is not None
    assert exchange.body.body == {"a": "[removed], [removed]"}


@pytest.mark.parametrize("word", ["none", "demo", "ollama", "x"])
def test_a_placeholder_for_a_key_is_not_a_secret(word: str) -> None:
    headers = {"authorization": f"Bearer {word}"}
    recording = record(b"{}", headers=JSON, request=f'["{word}"]'.encode(), request_headers=headers)
    assert recording.exchanges()[0].request.body == [word]


def test_a_common_word_as_the_name_before_a_password_is_not_a_secret() -> None:
    recording = LiveRecording()
    body = b'{"role": "user", "content": "canary"}'
    recording.add_request("POST", "http://user:canary@host/v1/x", {}, body)
    assert recording.exchanges()[0].request.body == {"role": "user", "content": "[removed]"}


def test_a_secret_is_removed_from_the_events_of_the_run() -> None:
    recording = record(EVENTS, request_headers={"authorization": f"Bearer {KEY}"})
    recording.add_event(ToolResult("c1", f"It is {KEY}."))
    assert recording.run_events() == [ToolResult("c1", "It is [removed].")]
