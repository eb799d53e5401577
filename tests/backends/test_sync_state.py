"""What a server knows of a thread is stored per server and compared with the transcript."""

import json

from assistant import Thread
from assistant.backends.sync_state import Stored, SyncState
from assistant.events import RoundEnded, RunCompleted, TextDelta, ToolCall, ToolResult
from assistant.messages import Message


class ExampleState(SyncState):
    protocol = "example"

    copy = Stored[str](str)
    items = Stored[list[str]](list)


def answered(*questions: str) -> Thread:
    thread = Thread()
    for question in questions:
        response = Message("assistant")
        for event in (TextDelta(f"Answer to {question}"), RoundEnded(), RunCompleted()):
            response.add(event)
        thread.messages += [Message.from_user(question), response]
    return thread


def pending(state: SyncState) -> list[tuple[int, int]]:
    """Return the position and the number of parts of each message that the server lacks."""
    return [(position, len(parts)) for position, _, parts in state.pending_parts() if parts]


def test_a_new_state_has_its_defaults() -> None:
    state = ExampleState(Thread(), "server")
    assert (state.copy, state.items, state.cursor) == ("", [], [0, 0])
    assert (state.pending_calls, state.uncertain) == ([], False)


def test_values_are_stored_as_json_for_each_server() -> None:
    thread = Thread()
    first = ExampleState(thread, "first")
    first.copy = "copy_1"
    first.items.append("item_1")
    assert ExampleState(thread, "second").copy == ""
    restored = Thread(backend_state=json.loads(json.dumps(thread.backend_state)))
    assert ExampleState(restored, "first").copy == "copy_1"
    assert ExampleState(restored, "first").items == ["item_1"]
    assert ExampleState(restored, "second").items == []


def test_everything_is_pending_until_it_is_committed() -> None:
    thread = answered("1?", "2?")
    state = ExampleState(thread, "server")
    assert pending(state) == [(0, 1), (1, 1), (2, 1), (3, 1)]
    state.uncertain = True
    state.commit([])
    assert (pending(state), state.uncertain) == ([], False)
    thread.messages.append(Message.from_user("3?"))
    assert pending(state) == [(4, 1)]


def test_the_server_waits_for_results_until_the_thread_changes_or_a_request_fails() -> None:
    thread = answered("1?")
    state = ExampleState(thread, "server")
    state.commit([ToolCall("call_1", "add", "{}")])
    assert state.is_waiting_for_results
    state.uncertain = True
    assert not state.is_waiting_for_results
    state.uncertain = False
    thread.messages.append(Message.from_user("2?"))
    assert not state.is_waiting_for_results


def test_the_newest_result_of_a_call_id_counts() -> None:
    thread = answered("1?")
    response = Message("assistant")
    for output in ("old", "new"):
        response.add(ToolCall("call_1", "add", "{}"))
        response.add(RoundEnded())
        response.add(ToolResult("call_1", output))
    thread.messages.append(response)
    result = ExampleState(thread, "server").results()["call_1"]
    assert result is not None
    assert result.output == "new"


def test_a_restart_makes_the_last_question_pending_again() -> None:
    thread = answered("1?", "2?")
    state = ExampleState(thread, "server")
    state.commit([ToolCall("call_1", "add", "{}")])
    assert state.restart() == thread.messages[:2]
    assert pending(state) == [(2, 1), (3, 1)]
    assert (state.pending_calls, state.question_count, state.last_question) == ([], 2, 2)


def test_a_restart_of_an_empty_thread_has_nothing_to_repeat() -> None:
    assert ExampleState(Thread(), "server").restart() == []
