"""What the server's thread and its last run know of a thread."""

from typing import Any

from assistant import Thread
from assistant.backends.assistants.state import AssistantsState
from assistant.backends.assistants.stream import RunProgress
from assistant.events import RunCompleted, ToolCall, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Text

CALL = Call("c", "add", '{"a": 1}', 1, result=ToolResult("c", "2"))
CALL_TEXT = '(Function add was called with {"a": 1} and gave: 2)'


def reply(*parts: Any) -> Message:
    return Message(
        "assistant", [Text(part) if isinstance(part, str) else part for part in parts], RunCompleted()
    )


def item(role: str, text: str, item_id: str = "", run_id: str | None = None) -> dict[str, Any]:
    return {"id": item_id, "role": role, "content": text, "run_id": run_id}


def state_of(*messages: Message) -> AssistantsState:
    return AssistantsState(Thread("", list(messages)), "server")


def test_the_messages_that_the_server_lacks_are_pending() -> None:
    state = state_of(Message.from_user("1?"), reply("One."), Message.from_user("2?"))
    assert [content for content, _ in state.pending_items()] == [
        {"role": "user", "content": "1?"},
        {"role": "assistant", "content": "One."},
        {"role": "user", "content": "2?"},
    ]
    _, cursor = state.pending_items()[1]
    state.record_posted("item_2", cursor)
    assert [content for content, _ in state.pending_items()] == [{"role": "user", "content": "2?"}]
    assert state.has_question()
    assert not state.has_question([item("user", "2?")])
    assert state.has_question([item("user", "Something else")])


def test_calls_of_a_lost_run_are_described() -> None:
    state = state_of(Message.from_user("1?"), reply(CALL))
    state.record_run(RunProgress([], "run_1", calls=[ToolCall("c", "add", "{}")]))
    assert (state.is_waiting_for_results, state.is_in_sync, state.waiting_run) == (True, True, "run_1")
    assert state.tool_outputs(["c", "unknown"]) == [{"tool_call_id": "c", "output": "2"}]
    assert state.answered_calls([ToolCall("c", "add", "{}"), ToolCall("d", "add", "{}")]) == [
        ToolCall("c", "add", "{}")
    ]
    assert [content for content, _ in state.pending_items()] == [{"role": "assistant", "content": CALL_TEXT}]


def test_only_the_new_part_of_a_missed_answer_is_returned() -> None:
    state = state_of(Message.from_user("1?"), reply("Hello,"))
    state.cursor = [1, 1]
    new_items = [item("assistant", "Hello, world", run_id="run_1"), item("assistant", "Bye.", run_id="run_1")]
    missed = state.missed_answers({"id": "run_1"}, new_items)
    assert [entry["content"] for entry in missed] == [" world", "Bye."]


def test_a_new_thread_of_the_server_is_in_sync_until_a_request_is_uncertain() -> None:
    state = state_of(Message.from_user("1?"), reply("One."), Message.from_user("2?"))
    assert not state.is_in_sync
    assert [message.text for message in state.restart()] == ["1?", "One."]
    assert (state.is_in_sync, state.cursor) == (True, [2, 1])
    state.uncertain = True
    assert not state.is_in_sync


def test_a_loaded_thread_is_known_up_to_its_last_run() -> None:
    state = state_of()
    items = [item("user", "Hi", "item_1"), item("assistant", "Hello.", "item_2")]
    state.record_loaded("thread_1", items, {"id": "run_1"}, is_running=False)
    assert (state.server_thread, state.newest_item, state.finished_run) == ("thread_1", "item_2", "run_1")
    assert state.pending_items() == []
    state.record_loaded("thread_1", items[:1], {"id": "run_2"}, is_running=True)
    assert state.thread.is_unfinished
