"""A file or a server that tries to use up the threads and the memory of the host."""

import json
import threading
import time
from gc import collect, freeze, unfreeze
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from assistant.events import ToolCall, ToolResult
from assistant.observability.audit import Visitor
from assistant.recordings.entries import RunEntry
from assistant.recordings.recording import Recording
from assistant.runs.replay import MAX_WAITING_CALLS, replay_assistant
from assistant.runs.replay_limit import MAX_REPLAYS
from assistant.tools.execution import MAX_CALLS, MAX_FUNCTIONS, execute
from assistant.tools.toolbox import Tool, Toolbox, tool
from tests.forged import HOUR
from tests.servers.responses import ModelServer, call, calls, text
from tests.session.conftest import Open as OpenChat
from tests.session.conftest import open_chat
from tests.ui.page import Open, ask
from tests.waiting import until

__all__ = ["open_chat"]  # a fixture

HEADER = {"recording": 1, "began": "2026-11-23T18:00:00Z", "thread": ""}
URL = "http://models.example/v1/responses"


def recording_of_calls(count: int, seconds: float) -> str:
    """Return a recording of one response with so many calls, each of which takes so long."""
    items = [call("calculate", expression=f"{number}+1") for number in range(count)]
    body = {"model": "m", "stream": True, "input": [{"type": "message", "role": "user", "content": "Go"}]}
    exchange = {"at": 0.0, "exchange": 1}
    lines: list[Any] = [
        HEADER,
        exchange | {"kind": "request", "method": "POST", "url": URL, "body": body},
        exchange | {"kind": "response", "status": 200, "type": "text/event-stream", "headers": {}},
    ]
    for event in calls(*items).stream("resp_1", body):
        assert isinstance(event, dict)
        lines.append(exchange | {"kind": "event", "event": event["type"], "data": event})
    lines.append(exchange | {"kind": "end", "how": "complete", "text": ""})
    for item in items:
        named = {name: item[name] for name in ("call_id", "name", "arguments")}
        result = {"call_id": item["call_id"], "output": "1", "outcome": "done", "seconds": seconds}
        for kind, data in (("ToolCall", named), ("ToolResult", result)):
            lines.append({"at": 0.0, "kind": "run", "exchange": 0, "event": kind, "data": data})
    return "".join(json.dumps(line) + "\n" for line in lines)


def functions_running() -> int:
    return sum(each.name == "function calculate" for each in threading.enumerate())


@pytest.mark.exhaustive
def test_a_replay_of_a_thousand_calls_that_take_an_hour_holds_few_threads_until_stop(
    open_chat: OpenChat,
) -> None:
    chat, recording = open_chat(), Recording.from_lines(recording_of_calls(1_000, HOUR))
    chat.replay(recording)
    until(lambda: functions_running() == MAX_WAITING_CALLS, "only some of the calls wait")
    first = chat.live_run
    chat.replay(recording)  # another replay ends it
    assert first is not None
    assert first.ended
    until(lambda: functions_running() == MAX_WAITING_CALLS, "the first ones have ended")
    chat.stop()
    until(lambda: functions_running() == 0, "Stop has woken all")


def test_many_visitors_hold_a_bounded_number_of_replays(open_chat: OpenChat) -> None:
    recording = Recording.from_lines(recording_of_calls(1, HOUR))
    chats = [open_chat() for _ in range(MAX_REPLAYS + 3)]
    for chat in chats:
        chat.replay(recording)
    until(lambda: functions_running() <= MAX_REPLAYS, "the oldest have ended")
    assert [chat.live_run is None for chat in chats] == [True] * 3 + [False] * MAX_REPLAYS
    for chat in chats:
        chat.stop()
    until(lambda: functions_running() == 0, "all have ended")


def test_one_visitor_ends_none_of_anothers_replays(open_chat: OpenChat) -> None:
    recording = Recording.from_lines(recording_of_calls(1, HOUR))
    [other, *attacker] = [open_chat() for _ in range(MAX_REPLAYS + 5)]
    for chat in attacker:
        chat.visit.visitor = Visitor(client="203.0.113.9")
    for chat in (attacker[0], other, *attacker[1:]):
        chat.replay(recording)
    assert other.live_run is not None
    assert sum(chat.live_run is not None for chat in attacker) == MAX_REPLAYS - 1
    for chat in (other, *attacker):
        chat.stop()
    until(lambda: functions_running() == 0, "all have ended")


@pytest.mark.exhaustive
def test_the_results_of_a_recording_are_found_in_linear_time() -> None:
    calls = [RunEntry(0.0, ToolCall(f"c{number}", "f", "{}")) for number in range(10_000)]
    results = [RunEntry(0.0, ToolResult(f"c{number}", "1")) for number in reversed(range(10_000))]
    started = time.process_time()
    replay_assistant(Recording(entries=[*calls, *results]))
    assert time.process_time() - started < 5, "a search for each result takes eight seconds"


@pytest.mark.exhaustive
def test_a_round_of_many_calls_runs_only_the_first_ones(server: ModelServer, open_chat: OpenChat) -> None:
    server.plays(calls(*(call("calculate", expression=f"{n}+1") for n in range(300))), text("Done."))
    chat = open_chat()
    chat.submit("Go")
    until(lambda: chat.live_run is None, "the answer has ended")
    assert chat.history[-1].text == "Done."
    [conversation] = server.conversations.values()
    outputs = [item["output"] for item in conversation.items if item["type"] == "function_call_output"]
    assert len(outputs) == 300
    assert sum("Not run" in each for each in outputs) == 300 - MAX_CALLS


@pytest.mark.exhaustive
def test_all_answers_together_run_only_so_many_functions() -> None:
    wait, started, results = threading.Event(), list[None](), list[ToolResult]()

    @tool
    def slow() -> str:
        """Wait."""
        started.append(None)
        wait.wait()
        return "Done."

    def run_round() -> None:
        calls_of_round = [ToolCall(f"c{number}", "slow", "{}") for number in range(MAX_CALLS)]
        for each in execute(calls_of_round, Toolbox(slow), 30.0):
            if isinstance(each, ToolResult):
                results.append(each)

    threads = [threading.Thread(target=run_round) for _ in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(started) + len(results) == 4 * MAX_CALLS, "each call runs or is refused")
    refused, ran = [each.outcome for each in results], len(started)
    wait.set()
    for thread in threads:
        thread.join()
    assert set(refused) == {"failed"}
    assert MAX_FUNCTIONS - 50 < ran <= MAX_FUNCTIONS  # functions of earlier tests may still be running
    until(lambda: [each.outcome for each in _results(slow)] == ["done"], "there is room again")


def _results(function: Tool[..., Any]) -> list[ToolResult]:
    found = execute([ToolCall("c", function.name, "{}")], Toolbox(function), 30.0)
    return [each for each in found if isinstance(each, ToolResult)]


def open_recording(page: AppTest, content: bytes) -> AppTest:
    page.file_uploader(key="recording_file").upload("x.jsonl", content).run()
    assert not page.exception
    return page


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize("depth", [101, 900, 100_000])
def test_a_recording_that_is_nested_too_deeply_is_refused(open_page: Open, depth: int) -> None:
    line = f'{{"at": 0, "kind": "body", "exchange": 1, "body": {nested(depth)}}}'
    page = open_page()
    page.toggle(key="inspector").set_value(True).run()
    open_recording(page, f"{json.dumps(HEADER)}\n{line}\n".encode())
    expected = "is nested too deeply" if depth < 1_000 else "is not a JSON object"
    assert [each.value for each in page.toast] == [f"Line 2 of the recording {expected}\\."]
    assert "Nothing recorded yet" in " ".join(each.value for each in page.caption)


def test_a_recording_of_too_many_values_is_not_read(open_page: Open) -> None:
    page = open_page()
    page.toggle(key="inspector").set_value(True).run()
    line = f'{{"at": 0, "kind": "body", "exchange": 1, "body": [{"[]," * 400_000}[]]}}'
    open_recording(page, f"{json.dumps(HEADER)}\n{line}\n".encode())
    assert "too many values" in page.toast[0].value


@pytest.mark.exhaustive
def test_a_recording_of_too_many_calls_is_not_opened(open_page: Open) -> None:
    page = open_page()
    page.toggle(key="inspector").set_value(True).run()
    lines = recording_of_calls(1_600, 0.0).splitlines(keepends=True)
    left_out = ('"kind": "run"', "output_item.added", "function_call_arguments")
    content = "".join(line for line in lines if not any(each in line for each in left_out)).encode()
    assert len(content) < 5_000_000
    open_recording(page, content)
    assert "too many calls" in page.toast[0].value


@pytest.mark.exhaustive
def test_all_sessions_together_have_only_so_many_bytes_of_recordings_open(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.recordings.opened.MAX_OPENED_BYTES", 3_000_000)
    line = json.dumps({"at": 0, "kind": "body", "exchange": 1, "body": "x" * 2_000_000})
    pages = [open_page(), open_page()]
    for page in pages:
        page.toggle(key="inspector").set_value(True).run()
        open_recording(page, f"{json.dumps(HEADER)}\n{line}\n".encode())
    assert [len(page.toast) for page in pages] == [0, 1]
    assert "Too many recordings are open" in pages[1].toast[0].value
    del pages[0], page  # as at the end of the session
    unfreeze()  # the page has excluded what there was from garbage collection; it does this once a minute
    collect()
    freeze()
    open_recording(pages[0], f"{json.dumps(HEADER)}\n{line} \n".encode())
    assert not pages[0].toast


def test_a_recording_that_is_too_large_is_not_read(open_page: Open) -> None:
    page = open_page()
    page.toggle(key="inspector").set_value(True).run()
    open_recording(page, json.dumps(HEADER).encode() + b"\n" * 5_000_001)
    assert "up to 5 MB" in page.toast[0].value


def test_opened_recordings_make_room_for_newer_ones(open_page: Open) -> None:
    page = open_page()
    page.toggle(key="inspector").set_value(True).run()
    for number in range(4):
        body = json.dumps({"at": 0, "kind": "body", "exchange": 1, "body": str(number) * 2_000_000})
        open_recording(page, f"{json.dumps(HEADER)}\n{body}\n".encode())
    opened = page.session_state["page"].opened_recordings
    assert [str(each.entries()[0].body)[0] for each in opened] == ["2", "3"]


def test_a_chat_that_is_nested_too_deeply_is_not_imported(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    page = open_page()
    content = f'{{"format": "assistant-thread", "version": 1, "title": "", "messages": [{nested(900)}]}}'
    page.file_uploader(key="import").upload("thread.json", content.encode()).run()
    assert not page.exception
    assert "nested too deeply" in page.toast[0].value


@pytest.mark.parametrize(
    ("messages", "problem"),
    [("[]," * 2_000_000 + "[]", "too many values"), ("{}," * 10_000 + "{}", "up to 10,000 messages")],
)
def test_a_chat_of_too_many_parts_is_not_imported(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, messages: str, problem: str
) -> None:
    monkeypatch.setattr("assistant.ui.page.local_access.is_localhost", lambda _: True)
    page = open_page()
    content = f'{{"format": "assistant-thread", "version": 1, "title": "", "messages": [{messages}]}}'
    page.file_uploader(key="import").upload("thread.json", content.encode()).run()
    assert not page.exception
    assert problem in page.toast[0].value


def test_a_large_message_returns_to_the_input_while_the_open_chats_are_full(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assistant.runs.registry.MAX_OPEN_CHARS", 30_000)
    page = ask(open_page(), "A" * 20_000)
    page.chat_input(key="prompt").set_value("B" * 20_000).run()
    assert "too much in its open chats" in page.toast[0].value
    assert len(page.chat_message) == 2
    assert len(ask(page, "calculate(expression='6*7')").chat_message) == 4, "a small one is sent"
