"""How the history of a thread is reduced for a Chat Completions server."""

from assistant import Thread
from assistant.backends.chat_completions.state import ChatState
from assistant.events import RunCompleted
from assistant.messages import Message
from assistant.parts import Text


def thread_of(*questions: str) -> Thread:
    thread = Thread()
    for question in questions:
        reply = Message("assistant", [Text(f"Answer to {question}")], RunCompleted())
        thread.messages += [Message.from_user(question), reply]
    return thread


def test_whole_turns_are_left_out_and_stay_left_out() -> None:
    thread = thread_of("1?", "2?", "3?")
    state = ChatState(thread, "server model")
    assert len(state.messages()) == 6
    assert state.shorten()
    assert state.messages()[0]["content"] in ("2?", "3?")
    assert ChatState(thread, "server model").messages() == state.messages()


def test_the_last_turn_is_never_left_out() -> None:
    state = ChatState(thread_of("1?"), "server model")
    assert not state.shorten()
    assert not state.shorten(max_tokens=1)
    assert len(state.messages()) == 2


def test_attachments_refused_by_one_model_are_sent_to_another() -> None:
    thread = thread_of("1?")
    state = ChatState(thread, "server model")
    state.named_only.append("digest")
    assert ChatState(thread, "server model").named_only == ["digest"]
    assert ChatState(thread, "server other").named_only == []
    assert ChatState(thread, "elsewhere other").named_only == []
