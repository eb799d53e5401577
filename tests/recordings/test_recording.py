"""The tape by itself: what it makes of bytes, how it is written and read, and what is never on it."""

import gzip
import json
import threading
from typing import Any

import pytest

from assistant.events import ToolResult, View
from assistant.recordings import recording as module
from assistant.recordings.recording import Entry, Exchange, Recording, RecordingError

STREAM = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "req_1", "server": "x"}
EVENTS = 'event: a\ndata: {"type": "a", "text": "é\u2028"}\n\ndata: [DONE]\n\n'.encode()
JSON = {"content-type": "application/json"}


def recorded(
    *chunks: bytes,
    headers: dict[str, str] = STREAM,
    how: module.How = "complete",
    request: bytes = b'{"stream": true}',
    url: str = "http://models.example/v1/responses",
    asked: dict[str, str] | None = None,
) -> Recording:
    """A tape of one exchange."""
    recording = Recording("thread_1")
    number = recording.request("POST", url, asked or {}, request)
    recording.response(number, 200, headers)
    for chunk in chunks:
        recording.chunk(number, chunk)
    recording.end(number, how)
    return recording


def told(recording: Recording) -> list[tuple[str, int, dict[str, Any]]]:
    """What is on a tape, without its times."""
    return [(entry.kind, entry.exchange, entry.what) for entry in recording.entries()]


TOLD = [
    (
        "request",
        1,
        {"method": "POST", "url": "http://models.example/v1/responses", "body": {"stream": True}},
    ),
    ("response", 1, {"status": 200, "type": "text/event-stream", "headers": {"x-request-id": "req_1"}}),
    ("event", 1, {"event": "a", "data": {"type": "a", "text": "é\u2028"}}),
    ("event", 1, {"event": "", "data": "[DONE]"}),
    ("end", 1, {"how": "complete", "text": ""}),
]


def test_bytes_become_entries_in_order_with_rising_times() -> None:
    recording = recorded(EVENTS)
    assert told(recording) == TOLD
    times = [entry.at for entry in recording.entries()]
    assert times == sorted(times)
    assert times[0] >= 0


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20])
def test_where_the_bytes_are_split_makes_no_difference(size: int) -> None:
    assert told(recorded(*(EVENTS[at : at + size] for at in range(0, len(EVENTS), size)))) == TOLD


def test_what_was_packed_is_unpacked() -> None:
    packed = gzip.compress(EVENTS)
    assert told(recorded(packed[:9], packed[9:], headers=STREAM | {"content-encoding": "gzip"})) == TOLD


def test_what_is_not_packed_although_it_says_so_is_kept_as_it_is() -> None:
    assert told(recorded(EVENTS, headers=STREAM | {"content-encoding": "gzip"})) == TOLD


def test_an_answer_that_is_no_stream_is_a_body() -> None:
    recording = recorded(b'{"data"', b": [1]}", headers=JSON)
    assert told(recording)[2:] == [
        ("body", 1, {"body": {"data": [1]}}),
        ("end", 1, {"how": "complete", "text": ""}),
    ]


@pytest.mark.parametrize("body", [b"<h1>Welcome</h1>", b'"text"', b"12", b"null", b"\xff"])
def test_a_body_that_is_no_json_object_stays_the_text_that_it_is(body: bytes) -> None:
    assert told(recorded(body, headers=JSON))[2] == ("body", 1, {"body": body.decode("utf-8", "replace")})


@pytest.mark.parametrize("named", ["application/json", "text/plain", ""])
def test_a_stream_is_known_by_what_it_is_whatever_its_type(named: str) -> None:
    assert told(recorded(EVENTS, headers={"content-type": named}))[2:] == TOLD[2:]


def test_json_in_place_of_a_stream_is_a_body() -> None:
    assert told(recorded(b'{"error": {}}'))[2] == ("body", 1, {"body": {"error": {}}})


def test_an_empty_answer_has_no_body() -> None:
    assert [kind for kind, _, _ in told(recorded(headers=JSON))] == ["request", "response", "end"]


@pytest.mark.parametrize(("how", "events"), [("complete", 1), ("lost", 0), ("hung up", 0)])
def test_half_an_event_counts_only_where_the_server_ended_the_answer(how: Any, events: int) -> None:
    (exchange,) = recorded(b'data: {"type": "a"}\n', how=how).exchanges()
    assert len(exchange.events) == events


def test_entries_are_grouped_by_exchange() -> None:
    recording = recorded(EVENTS)
    second = recording.request("GET", "http://models.example/v1/models", {}, b"")
    entries = recording.entries()
    assert recording.exchanges() == [
        Exchange(1, entries[0], entries[1], entries[2:4], None, entries[4]),
        Exchange(second, entries[5]),
    ]


def test_a_tape_can_be_read_while_it_is_written() -> None:
    recording = Recording()
    number = recording.request("POST", "http://models.example", {}, b"")
    recording.response(number, 200, STREAM)
    seen: list[int] = []

    def read() -> None:
        while not seen or seen[-1] < 2_002:
            entries = recording.entries()
            seen.append(len(entries))
            numbers = [entry.what["data"]["n"] for entry in entries if entry.kind == "event"]
            assert numbers == list(range(len(numbers)))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for count in range(2_000):
        recording.chunk(number, f'data: {{"n": {count}}}\n\n'.encode())
    for reader in readers:
        reader.join(10)
    assert len(recording.entries()) == 2_002
    assert seen[-1] == 2_002


def test_a_tape_that_is_full_keeps_what_it_has_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 200)
    recording = recorded(EVENTS, EVENTS, EVENTS)
    assert told(recording) == [*TOLD[:4], *TOLD[2:4], ("run", 0, {"event": "TapeFull"})]
    assert recording.size() <= 200


@pytest.mark.parametrize("depth", [300, 600, 5_000])
def test_json_that_is_nested_too_deeply_does_no_harm(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    recording = recorded(deep, headers=JSON, request=deep)
    assert [kind for kind, _, _ in told(recording)] == ["request", "response", "body", "end"]
    assert Recording.from_lines(recording.as_lines()).entries() == recording.entries()


# --- secrets ---


KEY = "sk-very/secret"
EVERYWHERE = json.dumps({"say": f"It is {KEY}!", KEY: [KEY], "escaped": "…"}, ensure_ascii=False).replace(
    "…", "\\u0073k-very\\/secret"
)


@pytest.mark.parametrize(
    "asked",
    [
        {"authorization": f"Bearer {KEY}"},
        {"Authorization": KEY},
        {"api-key": KEY},
        {"x-api-key": KEY},
        {"cookie": f"a=b; session={KEY}"},
        {"authorization": "Basic " + "bWU6c2stdmVyeS9zZWNyZXQ="},
    ],
)
def test_a_secret_of_a_request_is_nowhere_on_the_tape(asked: dict[str, str]) -> None:
    url = "https://models.example/v1/responses?q=sk-very%2Fsecret"
    stream = f"data: {EVERYWHERE}\n\ndata: half {KEY}\n\n".encode()
    recording = recorded(stream, request=EVERYWHERE.encode(), url=url, asked=asked)
    recording.end(1, "lost", f"no route for {KEY}")
    removed = {"say": "It is [removed]!", "[removed]": ["[removed]"], "escaped": "[removed]"}
    assert told(recording)[0][2]["body"] == removed
    assert told(recording)[2:4] == [
        ("event", 1, {"event": "", "data": removed}),
        ("event", 1, {"event": "", "data": "half [removed]"}),
    ]
    assert told(recording)[-1][2] == {"how": "lost", "text": "no route for [removed]"}
    assert "very" not in recording.as_lines()


def test_a_url_keeps_its_host_and_its_harmless_values_alone() -> None:
    url = "https://me:pass%20word@models.example:1/v1/x?api_key=abcdef&limit=2&sig=ghijkl"
    recording = recorded(b'{"a": "pass word, abcdef"}', headers=JSON, url=url)
    assert told(recording)[0][2]["url"] == (
        "https://models.example:1/v1/x?api_key=[removed]&limit=2&sig=[removed]"
    )
    assert told(recording)[2] == ("body", 1, {"body": {"a": "[removed], [removed]"}})


@pytest.mark.parametrize("word", ["none", "demo", "ollama", "x"])
def test_what_stands_in_for_a_key_is_no_secret(word: str) -> None:
    recording = recorded(
        b"{}", headers=JSON, request=f'["{word}"]'.encode(), asked={"authorization": f"Bearer {word}"}
    )
    assert told(recording)[0][2]["body"] == [word]


def test_what_a_person_is_shown_of_a_call_is_not_on_the_tape() -> None:
    recording = Recording()
    recording.say(ToolResult("c1", "A picture.", views=(View("image", "", "A" * 1_000_000),)))
    told = {"call_id": "c1", "output": "A picture.", "outcome": "done", "detail": "", "seconds": None}
    assert [entry.what for entry in recording.entries()] == [{"event": "ToolResult", **told}]
    assert recording.size() < 200


def test_a_secret_is_removed_from_what_the_run_says() -> None:
    recording = recorded(EVENTS, asked={"authorization": f"Bearer {KEY}"})
    recording.say(Entry(0.0, "run", 0, {"output": KEY}))
    assert told(recording)[-1] == (
        "run",
        0,
        {"event": "Entry", "at": 0.0, "kind": "run", "exchange": 0, "what": {"output": "[removed]"}},
    )


# --- as lines ---


def test_a_tape_is_written_as_json_lines() -> None:
    recording = Recording(
        "thread_1", [Entry(0.012, "event", 1, {"event": "a", "data": {"x": "é"}})], 1_790_000_000.5
    )
    assert recording.as_lines() == (
        '{"tape": 1, "began": "2026-09-21T14:13:20.500000Z", "thread": "thread_1"}\n'
        '{"at": 0.012, "kind": "event", "exchange": 1, "event": "a", "data": {"x": "é"}}\n'
    )


def test_a_tape_read_again_is_the_same() -> None:
    recording = recorded(EVENTS)
    again = Recording.from_lines(recording.as_lines())
    assert again.entries() == recording.entries()
    assert (again.thread, again.size()) == ("thread_1", len(recording.as_lines()))
    assert again.began == pytest.approx(recording.began, abs=1e-6)
    assert again.as_lines() == recording.as_lines()


def test_half_a_character_can_be_written_to_a_file() -> None:
    recording = recorded(b'data: {"x": "\\ud83d"}\n\n')
    assert Recording.from_lines(recording.as_lines().encode().decode()).entries() == recording.entries()


def test_a_file_from_another_system_is_read() -> None:
    recording = recorded(EVENTS)
    lines = "\ufeff" + recording.as_lines().replace("\n", "\r\n") + "\r\n\r\n"
    assert Recording.from_lines(lines).entries() == recording.entries()


HEAD = '{"tape": 1, "began": "2026-11-23T18:00:00Z", "thread": ""}\n'
DATE = "Line 1 of the tape does not say by a date and time when it began."


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("", "Line 1 of the tape is no JSON object."),
        ("[]", "Line 1 of the tape is no JSON object."),
        ('{"tape": 2}', 'Line 1 is not the beginning of a tape: it must be like {"tape": 1, "began": …}.'),
        ('{"tape": 1}', DATE),
        ('{"tape": 1, "began": "yesterday"}', DATE),
        (HEAD + "what", "Line 2 of the tape is no JSON object."),
        (HEAD + "[" * 100_000, "Line 2 of the tape is no JSON object."),
        (HEAD + "\n\n{}", "Line 4 of the tape is of a kind that this version does not know."),
        (HEAD + '{"kind": []}', "Line 2 of the tape is of a kind that this version does not know."),
        (
            HEAD + '{"at": NaN, "kind": "run", "exchange": 0, "event": "x"}',
            "Line 2 of the tape does not say when it was, or in which exchange.",
        ),
        (
            HEAD + '{"at": 1, "kind": "run", "exchange": true, "event": "x"}',
            "Line 2 of the tape does not say when it was, or in which exchange.",
        ),
        (
            HEAD + '{"at": 1, "kind": "request", "exchange": 1, "method": "POST", "body": 1}',
            'Line 2 of the tape, of kind "request", lacks "url", or it is wrong.',
        ),
        (
            HEAD + '{"at": 1, "kind": "response", "exchange": 1, "status": "200"}',
            'Line 2 of the tape, of kind "response", lacks "status", or it is wrong.',
        ),
    ],
)
def test_what_is_no_tape_is_refused_in_a_sentence_that_names_the_line(lines: str, words: str) -> None:
    with pytest.raises(RecordingError) as refused:
        Recording.from_lines(lines)
    assert str(refused.value) == words
