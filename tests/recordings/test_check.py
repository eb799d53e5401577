"""The checker reports exactly what breaks a promise, and nothing in a correct run."""

import json
import threading
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from functools import cache
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends.client import connect
from assistant.events import Ending, Event, RunCompleted, RunFailed, TextDelta, ToolResult
from assistant.recordings.check import Finding, check
from assistant.recordings.entries import RunEntry
from assistant.recordings.recording import Recording
from assistant.settings import Settings
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.backends.kinds import KINDS, Kind
from tests.backends.test_contract import fail
from tests.conftest import add
from tests.servers.chat_completions import chunk, chunks
from tests.servers.responses import (
    Play,
    background_call,
    call,
    calls,
    cut,
    error,
    message,
    reasoning,
    refusal,
    text,
)
from tests.variants import quick_first

STOPPED = "The answer stopped without its last event."
TOO_LATE = "This came after the end of the answer."


def record(kind: Kind, *plays: Play, before: tuple[Play, ...] = ()) -> tuple[Recording, list[Event]]:
    """Record a run with these answers; ``before`` are answers of earlier runs of the thread."""
    recording, thread = LiveRecording(), Thread()
    with kind.server() as server, connect(Settings(api_key="sk-test", base_url=server.url)) as client:
        assistant = Assistant(kind.backend(client), Toolbox(add, fail), max_rounds=4)
        for play in before:
            server.plays(play)
            list(assistant.run(thread, "Before."))
        server.plays(*plays)
        events = list(record_run(assistant.run(thread, "Hello!"), recording))
        server.drop_script()
        server.problems.clear()
    return recording, events


# --- correct runs ---

GOOD: dict[str, Callable[[], list[Play]]] = {
    "a text": lambda: [text("Hello there.")],
    "two texts": lambda: [text("One.", "Two.")],
    "an empty text": lambda: [text("")],
    "a call": lambda: [calls(call("add", a=1, b=2)), text("Three.")],
    "a background call": lambda: [
        calls(background_call("later", "a"), message("Meanwhile."), pieces=1),
        text("Done."),
    ],
    "calls side by side": lambda: [
        calls(call("add", a=1, b=2), call("fail", why="so"), call("add", a=3, b=4)),
        text("Done."),
    ],
    "calls one after the other": lambda: [
        calls(message("First."), call("add", a=1, b=2)),
        calls(call("add", a=3, b=3)),
        text("Six."),
    ],
    "calls that are wrong": lambda: [calls(call("nobody"), call("add", "{half")), text("Sorry.")],
    "reasoning": lambda: [calls(reasoning("Let me see."), call("add", a=1, b=2)), text("Three.")],
    "a refusal": lambda: [refusal("I will not do that.")],
    "too many rounds": lambda: [calls(call("add", a=number, b=2)) for number in range(4)],
    "a failure": lambda: [
        text("Hel", ending="failed", details={"error": {"code": "server_error", "message": "It broke."}})
    ],
    "a limit": lambda: [
        calls(
            call("add", a=1, b=2),
            ending="incomplete",
            details={"incomplete_details": {"reason": "max_output_tokens"}},
        )
    ],
    "a request that is refused": lambda: [error(401, "invalid_api_key")],
    "a request that is tried again": lambda: [
        calls(call("add", a=1, b=2)),
        error(429, "rate_limit_exceeded", retry_after_ms="1"),
        text("Three."),
    ],
}


@pytest.mark.parametrize("scenario", quick_first(GOOD, 1))
def test_a_correct_run_has_no_findings(kind: Kind, scenario: str) -> None:
    recording, events = record(kind, *GOOD[scenario]())
    assert isinstance(events[-1], Ending)
    assert check(recording) == []
    assert check(Recording.from_lines(recording.as_lines())) == []


def test_a_later_run_of_a_thread_has_no_findings(kind: Kind) -> None:
    recording, _ = record(
        kind, calls(call("add", a=1, b=2)), text("Three."), before=(text("Before."), text("Then."))
    )
    assert check(recording) == []


def test_a_stopped_run_and_the_next_one_have_no_findings(kind: Kind) -> None:
    recordings, thread = [LiveRecording(), LiveRecording()], Thread()
    play = text("One, two, three.", gate=threading.Event(), gate_after=12)
    with kind.server() as server, connect(Settings(api_key="sk-test", base_url=server.url)) as client:
        assistant = Assistant(kind.backend(client), Toolbox(add))
        server.plays(calls(call("add", a=1, b=2)), play if kind is not KINDS["Agents"] else text("Three."))
        with closing(record_run(assistant.run(thread, "Count."), recordings[0])) as run:
            assert any(isinstance(event, TextDelta) for event in run)
        server.wait_until_idle()
        server.plays(text("Well."))
        *_, last = record_run(assistant.run(thread, "And now?"), recordings[1])
    assert last == RunCompleted()
    assert [check(recording) for recording in recordings] == [[], []]


@pytest.mark.parametrize("after", quick_first([6, 4]))
@pytest.mark.parametrize("how", quick_first(["reset", "close"]))
def test_a_cut_answer_is_reported_without_an_ending(kind: Kind, after: int, how: Any) -> None:
    recording, events = record(kind, cut(text("One, two, three, four.", pieces=9), after, how))
    assert isinstance(events[-1], RunFailed)
    broken = [exchange.end for exchange in recording.exchanges() if exchange.events and exchange.end]
    assert check(recording)[0] == Finding(recording.entries().index(broken[0]), "one ending", STOPPED)
    assert {finding.rule for finding in check(recording)} == {"one ending"}


def test_an_unfinished_recording_has_no_findings() -> None:
    whole, _ = record(KINDS["Responses with conversations"], *GOOD["calls one after the other"]())
    entries = whole.entries()
    for length in range(len(entries)):
        assert check(Recording(entries=entries[:length])) == []


def test_an_unknown_stream_has_no_findings() -> None:
    recording = LiveRecording()
    number = recording.add_request("POST", "http://models.example/v1/speech", {}, b'{"stream": true}')
    recording.add_response(number, 200, {"content-type": "text/event-stream"})
    recording.add_chunk(
        number, b'data: {"n": 1}\n\ndata: what\n\nevent: end\ndata: {"type": "end"}\n\ndata: 1\n\n'
    )
    recording.add_end(number, "lost")
    assert check(recording) == []


# --- broken promises ---

Lines = list[dict[str, Any]]


@cache
def good(name: str) -> str:
    """Return the lines of a correct run: two parallel calls, and a text."""
    two = calls(call("add", a=1, b=2), call("add", a=3, b=4))
    return record(KINDS[name], two, text("Three, and seven."))[0].as_lines()


def lines_of(name: str) -> Lines:
    return [json.loads(line) for line in good(name).splitlines()]


def found(lines: Lines) -> list[tuple[str, str, dict[str, Any]]]:
    """Return each finding with the line that it names."""
    recording = Recording.from_lines("".join(json.dumps(line) + "\n" for line in lines))
    return [(each.rule, each.text, lines[each.entry + 1]) for each in check(recording)]


def event(lines: Lines, kind: str, nth: int = 0) -> dict[str, Any]:
    """Return the line of the nth event of a type."""
    named = [line for line in lines if line.get("kind") == "event"]
    return [line for line in named if kind in (line["event"], type_of(line))][nth]


def type_of(line: dict[str, Any]) -> str:
    return str(line["data"].get("type", "")) if isinstance(line["data"], dict) else ""


def request(lines: Lines, nth: int) -> dict[str, Any]:
    return [line for line in lines if line.get("kind") == "request"][nth]


RESPONSES = "Responses with conversations"
ALONE = "Responses alone"
CHAT = "Chat Completions"
AGENTS = "Agents"
ASSISTANTS = "Assistants"


def test_a_second_ending_is_reported() -> None:
    lines = lines_of(RESPONSES)
    last = event(lines, "response.completed")
    again = deepcopy(last)
    again["data"]["sequence_number"] += 1
    lines.insert(lines.index(last) + 1, again)
    assert found(lines) == [("one ending", "The answer had ended before, and ends once more.", again)]


def test_a_missing_ending_is_reported() -> None:
    lines = lines_of(RESPONSES)
    last = event(lines, "response.completed", 1)
    end = next(line for line in lines[lines.index(last) :] if line["kind"] == "end")
    end["how"] = "complete"
    lines.remove(last)
    assert found(lines) == [("one ending", STOPPED, end)]


def test_a_stream_without_events_is_reported() -> None:
    recording = LiveRecording()
    number = recording.add_request(
        "POST", "http://models.example/v1/responses", {}, b'{"stream": true, "input": []}'
    )
    recording.add_response(number, 200, {"content-type": "text/event-stream"})
    recording.add_end(number, "complete")
    assert check(recording) == [Finding(2, "one ending", STOPPED)]


def test_an_error_may_be_followed_by_a_failure_that_repeats_it() -> None:
    play = Play(
        events=(
            b'data: {"type": "response.created", "sequence_number": 0}\n\n',
            b'data: {"type": "error", "sequence_number": 1, "code": "server_error", "message": "No."}\n\n',
            b'data: {"type": "response.failed", "sequence_number": 2, "response": {}}\n\n',
        )
    )
    recording, _ = record(KINDS[RESPONSES], play)
    assert check(recording) == []


def test_an_event_after_the_end_is_reported() -> None:
    lines = lines_of(RESPONSES)
    last = event(lines, "response.completed")
    late = deepcopy(event(lines, "response.in_progress"))
    late["data"]["sequence_number"] = last["data"]["sequence_number"] + 1
    done = deepcopy(late) | {"event": "", "data": "[DONE]"}
    lines[lines.index(last) + 1 : lines.index(last) + 1] = [done, late]
    assert found(lines) == [("after the end", TOO_LATE, late)]


@pytest.mark.parametrize("number", [5, 3, 4, -1])
def test_a_sequence_number_that_does_not_rise_by_one_is_reported(number: int) -> None:
    lines = lines_of(RESPONSES)
    wrong = event(lines, "response.function_call_arguments.delta", 1)
    before = wrong["data"]["sequence_number"] - 1
    assert before == 3
    wrong["data"]["sequence_number"] = number
    findings = found(lines)
    if number == 4:
        assert findings == []
    else:
        assert findings[0] == ("sequence", f"Number 3 is followed by number {number}.", wrong)


def test_a_server_without_sequence_numbers_is_not_reported() -> None:
    lines = lines_of(RESPONSES)
    for line in lines:
        if line.get("kind") == "event":
            line["data"].pop("sequence_number", None)
    assert found(lines) == []


def test_a_missing_piece_is_reported_at_the_whole_text() -> None:
    lines = lines_of(ALONE)
    event(lines, "response.output_text.delta", 1)["data"]["delta"] = ""
    done, item = event(lines, "response.output_text.done"), event(lines, "response.output_item.done", 2)
    words = "The pieces make 12 characters, which are not the 17 of the whole."
    assert found(lines) == [("deltas", words, done), ("deltas", words, item)]


def test_arguments_that_differ_from_their_pieces_are_reported() -> None:
    lines = lines_of(ALONE)
    done = event(lines, "response.function_call_arguments.done", 1)
    done["data"]["arguments"] = '{"a": 3, "b": 5}'
    words = "The pieces make 16 characters, which are not the 16 of the whole."
    assert found(lines) == [("deltas", words, done)]


def test_mixed_up_pieces_of_two_calls_are_reported() -> None:
    lines = lines_of(ALONE)
    first, second = (event(lines, "response.function_call_arguments.delta", nth) for nth in (1, 5))
    first["data"]["delta"], second["data"]["delta"] = "1", second["data"]["delta"] + "1"
    assert {rule for rule, _, _ in found(lines)} == {"deltas"}
    assert len(found(lines)) == 4


def test_a_redacted_text_is_not_compared_with_its_pieces() -> None:
    lines = lines_of(ALONE)
    event(lines, "response.output_text.done")["data"]["text"] = "Three, [removed]."
    assert found(lines) == []


@pytest.mark.parametrize("name", [RESPONSES, ALONE])
def test_an_unanswered_call_is_reported(name: str) -> None:
    lines = lines_of(name)
    asking = request(lines, -1)
    items = asking["body"]["input"]
    outputs = [item for item in items if item.get("type") == "function_call_output"]
    items.remove(outputs[0])
    assert found(lines) == [("answered", f"The call {outputs[0]['call_id']} is not answered.", asking)]


@pytest.mark.parametrize("name", [RESPONSES, ALONE])
def test_a_call_that_is_answered_twice_is_reported(name: str) -> None:
    lines = lines_of(name)
    asking = request(lines, -1)
    items = asking["body"]["input"]
    items.append(items[-1])
    assert found(lines) == [("answered", f"The call {items[-1]['call_id']} is answered 2 times.", asking)]


def test_a_call_that_is_answered_again_later_is_reported() -> None:
    recording, _ = record(KINDS[RESPONSES], *GOOD["calls one after the other"]())
    lines = [json.loads(line) for line in recording.as_lines().splitlines()]
    *_, before, asking = (line for line in lines if line.get("kind") == "request")
    asking["body"]["input"] += before["body"]["input"]
    call_id = before["body"]["input"][0]["call_id"]
    assert found(lines) == [("answered", f"The call {call_id} was answered before.", asking)]


def test_a_run_that_completes_with_an_open_call_is_reported() -> None:
    lines = lines_of(RESPONSES)
    last = event(lines, "response.completed")
    call_ids = [item["call_id"] for item in last["data"]["response"]["output"]]
    end = {"at": 9, "kind": "run", "exchange": 0, "event": "RunCompleted", "data": {}}
    findings = found([*lines[: lines.index(last) + 1], end])
    assert findings == [
        ("answered", f"The run is complete, but the call {each} is not answered.", end)
        for each in sorted(call_ids)
    ]
    stopped = end | {"event": "RunStopped", "data": {"reason": "user", "text": "Stopped."}}
    assert found([*lines[: lines.index(last) + 1], stopped]) == []


@pytest.mark.parametrize("name", [RESPONSES, ALONE])
def test_an_output_without_a_call_is_reported(name: str) -> None:
    lines = lines_of(name)
    asking = request(lines, -1)
    asking["body"]["input"].append({"type": "function_call_output", "call_id": "call_x", "output": "3"})
    words = "There is an output for call_x, which was never called."
    assert found(lines) == [("orphan", words, asking)]


@pytest.mark.parametrize("kind", ["ToolCall", "ToolResult"])
def test_a_function_that_runs_before_its_round_ended_is_reported(kind: str) -> None:
    lines = lines_of(RESPONSES)
    last = event(lines, "response.completed")
    early = {"at": 0, "kind": "run", "exchange": 0, "event": kind}
    early["data"] = {"call_id": "call_1", "name": "add", "arguments": "{}", "output": "3"}
    lines.insert(lines.index(last), early)
    words = f"{kind} of call_1, although no round has ended well."
    assert found(lines) == [("functions", words, early)]


@pytest.mark.parametrize("ending", ["response.incomplete", "response.failed"])
def test_functions_of_a_failed_round_are_reported(ending: str) -> None:
    lines = lines_of(RESPONSES)
    last = event(lines, "response.completed")
    last["data"]["type"] = ending
    ran = [line for line in lines if line.get("event") in ("ToolCall", "ToolResult")]
    findings = found(lines)
    assert [line for rule, _, line in findings if rule == "functions"] == ran
    assert {rule for rule, _, _ in findings} == {"functions"}


# --- the other protocols ---


FINISH, LATE = chunk({}, "stop"), chunk({"content": "!"})
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize(
    ("more", "rule", "at"),
    [
        ([FINISH, DONE], "one ending", 0),
        ([LATE, DONE], "after the end", 0),
        ([DONE, DONE], "one ending", 1),
        ([DONE, LATE], "after the end", 1),
    ],
)
def test_chat_completions_with_two_endings_or_a_late_chunk_are_reported(
    more: list[Any], rule: str, at: int
) -> None:
    events = list(chunks(text("Hello.")))
    (finding,) = check(chat_recording([*events, *more]))
    assert (finding.entry, finding.rule) == (2 + len(events) + at, rule)


def test_chat_completions_end_by_finish_reason_or_done() -> None:
    events = list(chunks(text("Hello.")))
    assert check(chat_recording(events)) == []
    assert check(chat_recording([*events[:-2], DONE])) == []
    assert check(chat_recording(events[:-2])) == [Finding(len(events), "one ending", STOPPED)]


def chat_recording(events: list[Any]) -> Recording:
    """Record an answer that was read to its end."""
    recording = LiveRecording()
    number = recording.add_request(
        "POST", "http://models.example/v1/chat/completions", {}, b'{"stream": true}'
    )
    recording.add_response(number, 200, {"content-type": "text/event-stream"})
    for each in events:
        recording.add_chunk(
            number, each if isinstance(each, bytes) else b"data: " + json.dumps(each).encode() + b"\n\n"
        )
    recording.add_end(number, "complete")
    return recording


def test_chat_completions_that_fail_before_done_did_not_end_well() -> None:
    events = [*chunks(calls(call("add", a=1, b=2)))][:-2]
    recording = chat_recording([*events, {"error": {"message": "It broke."}}, b"data: [DONE]\n\n"])
    assert check(recording) == []
    entries = recording.entries()
    ran = RunEntry(9.0, ToolResult("call_1", "3"))
    words = "ToolResult of call_1, although no round has ended well."
    assert check(Recording(entries=[*entries, ran])) == [Finding(len(entries), "functions", words)]


def test_tool_messages_answer_each_call_once_and_no_other() -> None:
    lines = lines_of(CHAT)
    asking = request(lines, -1)
    *_, one, two = asking["body"]["messages"]
    asking["body"]["messages"] += [two, two | {"tool_call_id": "call_x"}]
    asking["body"]["messages"].remove(one)
    assert sorted(found(lines), key=lambda each: each[1]) == [
        ("answered", f"The call {one['tool_call_id']} is not answered.", asking),
        ("answered", f"The call {two['tool_call_id']} is answered 2 times.", asking),
        ("orphan", "There is an output for call_x, which was never called.", asking),
    ]


def test_a_run_of_the_assistants_api_is_checked_by_the_same_rules() -> None:
    lines = lines_of(ASSISTANTS)
    delta = next(line for line in lines if line.get("event") == "thread.message.delta")
    delta["data"]["delta"]["content"][0]["text"]["value"] += "!"
    whole = event(lines, "thread.message.completed")
    asking = request(lines, -1)
    outputs = asking["body"]["tool_outputs"]
    missing = outputs.pop()
    end = event(lines, "thread.run.completed")
    again = deepcopy(end)
    lines.insert(lines.index(end) + 1, again)
    assert found(lines) == [
        ("answered", f"The call {missing['tool_call_id']} is not answered.", asking),
        ("deltas", "The pieces make 18 characters, which are not the 17 of the whole.", whole),
        ("one ending", "The answer had ended before, and ends once more.", again),
    ]


def test_a_session_of_the_agents_api_is_checked_by_the_same_rules() -> None:
    lines = lines_of(AGENTS)
    delta = event(lines, "agent.session.turn.output_text.delta")
    delta["data"]["delta"] += "!"
    done = event(lines, "agent.session.turn.output_text.done")
    item = [line for line in lines if line.get("event") == "agent.session.turn.item.done"][-1]
    posted = [line for line in lines if line.get("kind") == "request" and line["url"].endswith("/events")]
    sent = [line for line in posted if line["method"] == "POST"]
    missing = sent[0]["body"]["events"].pop()
    sent[-1]["body"]["events"].append(sent[-1]["body"]["events"][0] | {"call_id": "call_x"})
    turn = event(lines, "agent.session.turn.completed")
    again = deepcopy(turn)
    again["data"]["event_id"] = "evt_another"
    lines.insert(lines.index(turn) + 1, again)
    words = "The pieces make 18 characters, which are not the 17 of the whole."
    end = lines[-1]
    assert sorted(found(lines), key=lambda each: lines.index(each[2])) == sorted(
        [
            ("orphan", "There is an output for call_x, which was never called.", sent[-1]),
            ("deltas", words, done),
            ("deltas", words, item),
            ("one ending", "The answer had ended before, and ends once more.", again),
            ("answered", f"The run is complete, but the call {missing['call_id']} is not answered.", end),
        ],
        key=lambda each: lines.index(each[2]),
    )


# --- size ---


@pytest.mark.exhaustive
def test_a_long_answer_is_checked_quickly() -> None:
    play = text("word " * 4_000, pieces=8_000)
    recording, _ = record(KINDS[ALONE], play)
    assert len(recording.entries()) > 6_000
    assert check(recording) == []
