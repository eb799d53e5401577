"""What a session knows of a thread."""

from typing import Any

from assistant import Thread
from assistant.backends.agents.items import ANSWER_SO_FAR_TEXT, HISTORY_TEXT, RESULTS_TEXT
from assistant.backends.agents.state import AgentsState
from assistant.backends.agents.stream import SessionRound
from assistant.events import RunCompleted, ToolCall, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Text

CALL = Call("c", "add", '{"a": 1}', 1, result=ToolResult("c", "2"))
CALL_TEXT = 'Assistant called add({"a": 1}), which gave: 2'


def question(text: str) -> Message:
    return Message.from_user(text)


def reply(*parts: Any) -> Message:
    return Message(
        "assistant", [Text(part) if isinstance(part, str) else part for part in parts], RunCompleted()
    )


def item(text: str, turn_id: str = "turn_1") -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"id": text, "type": "message", "role": "user", "content": content, "turn_id": turn_id}


def state_of(*messages: Message) -> AgentsState:
    return AgentsState(Thread("", list(messages)), "server")


def test_the_questions_that_the_session_has_not_received_are_pending() -> None:
    state = state_of(question("1?"), question("2?"))
    assert state.pending_texts([]) == ["1?", "2?"]
    assert state.pending_texts([item("1?")]) == ["2?"]
    assert state.pending_texts([item("1?"), item("2?")]) == []
    state.record_round(SessionRound("turn_1"))
    assert state.pending_texts([]) == []


def test_answers_of_another_backend_are_sent_as_history() -> None:
    state = state_of(question("1?"), reply(CALL, "Two."), question("And?"))
    history = f"User: 1?\n\n{CALL_TEXT}\n\nAssistant: Two."
    assert state.pending_texts([]) == [HISTORY_TEXT + history, "And?"]
    assert state.first_texts() == [HISTORY_TEXT + history, "And?"]


def test_a_new_session_receives_the_unfinished_answer() -> None:
    state = state_of(question("1?"), reply(CALL))
    assert state.first_texts() == ["1?", ANSWER_SO_FAR_TEXT + CALL_TEXT]


def test_results_of_a_turn_that_will_not_continue_are_described() -> None:
    state = state_of(question("1?"), reply(CALL))
    assert state.pending_results() == []
    state.record_round(SessionRound("turn_1", calls=[ToolCall("c", "add", "{}")]))
    assert state.is_waiting_for_results
    assert state.pending_results() == [RESULTS_TEXT + CALL_TEXT]


def test_text_is_new_after_the_last_round_that_ended_well() -> None:
    state = state_of(question("1?"), reply("One."))
    assert state.text_since_cursor() == "One."
    state.record_round(SessionRound("turn_1"))
    assert state.text_since_cursor() == ""
    state.thread.messages[-1].parts.append(Text("Two."))
    assert state.text_since_cursor() == "Two."


def test_a_restart_forgets_the_session_and_nothing_of_the_thread() -> None:
    state = state_of(question("1?"), reply("One."), question("2?"))
    state.session_id, state.missing_functions = "session_1", ["nope"]
    state.record_round(SessionRound("turn_1", known_items=["item_1"]))
    state.restart()
    assert (state.session_id, state.turn_id, state.known_items) == ("", "", [])
    assert state.pending_texts([])[-1] == "2?"
    assert (len(state.thread.messages), state.missing_functions) == (3, ["nope"])


def test_a_loaded_session_with_an_active_turn_is_unfinished() -> None:
    state = state_of()
    state.record_loaded({"id": "session_1", "status": "in_progress"}, [item("1?")])
    assert (state.session_id, state.turn_id, state.uncertain) == ("session_1", "turn_1", True)
    assert state.thread.is_unfinished
    assert state.knows(item("1?"))
    assert not state.knows(item("1?", "turn_2"))


def test_every_server_has_its_own_state() -> None:
    state = state_of(question("1?"))
    state.session_id = "session_1"
    assert AgentsState(state.thread, "server").session_id == "session_1"
    assert AgentsState(state.thread, "other").session_id == ""
