"""The file format: recordings are written and read as JSON Lines, and other files are refused in one sentence."""

from typing import get_args

import pytest

from assistant.events import Event, RoundEnded, RunFailed, ToolResult, Usage
from assistant.recordings.entries import (
    EndEntry,
    Entry,
    EventEntry,
    RecordedEvent,
    RequestEntry,
    ResponseEntry,
    RunEntry,
)
from assistant.recordings.recording import Exchange, Recording, RecordingError

REQUEST = RequestEntry(0.0, 1, "POST", "http://models.example/v1/responses", {"stream": True})
RESPONSE = ResponseEntry(0.1, 1, 200, "text/event-stream", {"x-request-id": "req_1"})
EVENT = EventEntry(0.2, 1, "a", {"type": "a", "text": "é\u2028"})
DONE = EventEntry(0.3, 1, "", "[DONE]")
END = EndEntry(0.3, 1, "complete")
FAILED = RunEntry(0.4, RunFailed("server_error", "It failed.", retry=True, retry_after=2.5))
ENTRIES: list[Entry] = [REQUEST, RESPONSE, EVENT, DONE, END, FAILED]


def test_entries_are_grouped_by_exchange() -> None:
    second = RequestEntry(0.5, 2, "GET", "http://models.example/v1/models")
    assert Recording(entries=[*ENTRIES, second]).exchanges() == [
        Exchange(1, REQUEST, RESPONSE, [EVENT, DONE], None, END),
        Exchange(2, second),
    ]


def test_a_recording_is_written_as_json_lines() -> None:
    recording = Recording("thread_1", [EVENT, FAILED], 1_790_000_000.5)
    assert recording.as_lines() == (
        '{"recording": 1, "began": "2026-09-21T14:13:20.500000Z", "thread": "thread_1"}\n'
        '{"at": 0.2, "kind": "event", "exchange": 1, "event": "a", "data": {"type": "a", "text": "é\u2028"}}\n'
        '{"at": 0.4, "kind": "run", "exchange": 0, "event": "RunFailed", '
        '"data": {"code": "server_error", "text": "It failed.", "retry": true, "retry_after": 2.5}}\n'
    )


def test_a_recording_is_read_as_it_was_written() -> None:
    recording = Recording("thread_1", ENTRIES)
    loaded = Recording.from_lines(recording.as_lines())
    assert loaded.entries() == ENTRIES
    assert (loaded.thread, loaded.size()) == ("thread_1", len(recording.as_lines()))
    assert loaded.began == pytest.approx(recording.began, abs=1e-6)
    assert loaded.as_lines() == recording.as_lines()


def test_every_event_of_a_run_is_recorded_but_pieces_of_text() -> None:
    not_recorded = {each.__name__ for each in set(get_args(Event)) - set(get_args(RecordedEvent))}
    assert not_recorded == {"TextDelta", "CommentaryDelta", "RefusalDelta", "ReasoningDelta", "ToolCallDelta"}


def test_nested_values_of_an_event_are_read_as_types() -> None:
    ended = RunEntry(0.5, RoundEnded("m", Usage(input=10, output=5)))
    (loaded,) = Recording.from_lines(Recording(entries=[ended]).as_lines()).entries()
    assert loaded == ended


def test_a_lone_surrogate_can_be_written_to_a_file() -> None:
    entries: list[Entry] = [
        EventEntry(0.5, 1, "", {"x": "\ud83d"}),
        RunEntry(0.5, ToolResult("c1", "\ud83d")),
    ]
    lines = Recording(entries=entries).as_lines()
    assert Recording.from_lines(lines.encode().decode()).entries() == entries


def test_a_file_from_another_system_is_read() -> None:
    lines = "\ufeff" + Recording(entries=ENTRIES).as_lines().replace("\n", "\r\n") + "\r\n\r\n"
    assert Recording.from_lines(lines).entries() == ENTRIES


HEADER = '{"recording": 1, "began": "2026-11-23T18:00:00Z", "thread": ""}\n'
NO_OBJECT = "Line 1 of the recording is not a JSON object."
NO_HEADER = "This is not a recording of version 1: its first line is another one."
NO_DATE = "The first line of the recording has no date and time as “began”."
NO_NUMBER = "Line 2 of the recording cannot be read. “at” or “exchange” is missing or is not a number."
UNKNOWN_KIND = "Line {} of the recording cannot be read. This version does not know its kind."
WRONG_FIELD = "Line 2 of the recording cannot be read. “{}” is missing or has the wrong type."


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("", NO_OBJECT),
        ("[]", NO_OBJECT),
        ('{"recording": 2}', NO_HEADER),
        ('{"tape": 1}', NO_HEADER),
        ('{"recording": 1}', NO_DATE),
        ('{"recording": 1, "began": "yesterday"}', NO_DATE),
        (HEADER + "what", "Line 2 of the recording is not a JSON object."),
        (HEADER + "[" * 100_000, "Line 2 of the recording is not a JSON object."),
        (HEADER + "\n\n{}", UNKNOWN_KIND.format(4)),
        (HEADER + '{"kind": []}', UNKNOWN_KIND.format(2)),
        (HEADER + '{"at": NaN, "kind": "run", "exchange": 0, "event": "x"}', NO_NUMBER),
        (HEADER + '{"at": 1, "kind": "run", "exchange": true, "event": "x"}', NO_NUMBER),
        (
            HEADER + '{"at": 1, "kind": "request", "exchange": 1, "method": "POST", "body": 1}',
            WRONG_FIELD.format("url"),
        ),
        (
            HEADER + '{"at": 1, "kind": "response", "exchange": 1, "status": "200"}',
            WRONG_FIELD.format("status"),
        ),
        (
            HEADER + '{"at": 1, "kind": "end", "exchange": 1, "how": "somehow", "text": ""}',
            WRONG_FIELD.format("how"),
        ),
        (
            HEADER + '{"at": 1, "kind": "run", "exchange": 0, "event": "RunPaused"}',
            WRONG_FIELD.format("data"),
        ),
        (
            HEADER + '{"at": 1, "kind": "run", "exchange": 0, "event": "TextDelta", "data": {"text": "Hi"}}',
            "Line 2 of the recording cannot be read. This version does not know its event.",
        ),
        (
            HEADER
            + '{"at": 1, "kind": "run", "exchange": 0, "event": "ToolResult", "data": {"call_id": "c1"}}',
            "Line 2 of the recording cannot be read. ToolResult is not valid: output: Field required.",
        ),
    ],
)
def test_any_other_text_is_refused_in_a_sentence_that_names_the_line(lines: str, message: str) -> None:
    with pytest.raises(RecordingError) as refused:
        Recording.from_lines(lines)
    assert str(refused.value) == message
