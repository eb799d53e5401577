"""Recordings of custom calls, programs and searches for functions: checked, measured, drawn and replayed."""

import json

import pytest

from assistant import Assistant, Thread, Toolbox, functions
from assistant.backends import open_backend
from assistant.demo import DemoTransport
from assistant.events import HostedCall, RunCompleted, ToolCall, ToolResult
from assistant.recordings.check import check
from assistant.recordings.diagram import as_mermaid
from assistant.recordings.recording import Recording
from assistant.recordings.requests import prompt_of
from assistant.recordings.timeline import Measurement
from assistant.runs.replay import differences, replay_assistant
from assistant.settings import Settings
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

FUNCTIONS = Toolbox.from_package(functions)

QUESTIONS = {
    "Query the database with SQL": ("query_trips", "query_trips"),
    "With a program, find the cheapest hotel in Paris and Oslo": ("find_hotels", "program"),
    "Convert 100 euros to yen": ("convert_currency", "tool_search_call"),
}
"""A question with the function that its answer calls, and what the model writes."""


def record(question: str) -> Recording:
    recording = LiveRecording()
    assistant = Assistant(open_backend(Settings(), DemoTransport(pace=0)), FUNCTIONS)
    list(record_run(assistant.run(Thread(), question), recording))
    return Recording.from_lines(recording.as_lines())


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_recording_keeps_to_the_protocol_and_is_replayed_alike(question: str) -> None:
    recording = record(question)
    function, written = QUESTIONS[question]
    events = recording.run_events()
    assert check(recording) == []
    assert events[-1] == RunCompleted()
    assert {event.name for event in events if isinstance(event, ToolCall)} == {function}
    assert f"calls {written}" in as_mermaid(recording).replace("<br/>", " ")
    spans = {(span.kind, span.name.partition("(")[0]) for span in Measurement(recording).spans()}
    assert {("arguments", written), ("function", function)} <= spans
    again = list(replay_assistant(recording, FUNCTIONS, speed=1e9).run(Thread(), prompt_of(recording)))
    assert differences(recording, again) == []
    for kind in (HostedCall, ToolCall, ToolResult):
        recorded = {repr(event) for event in events if isinstance(event, kind) and kind is not ToolResult}
        assert recorded <= {repr(event) for event in again}


def test_a_custom_call_that_is_never_answered_is_found() -> None:
    lines = record("Query the database with SQL").as_lines().splitlines()
    changed = []
    for line in lines:
        entry = json.loads(line)
        if entry.get("kind") == "request" and isinstance(entry["body"], dict):
            items = entry["body"].get("input") or []
            outputs = [item for item in items if item.get("type") == "custom_tool_call_output"]
            if outputs:
                entry["body"]["input"] = [item for item in items if item not in outputs]
        changed.append(json.dumps(entry))
    [finding] = check(Recording.from_lines("\n".join(changed)))
    assert finding.rule == "answered"
