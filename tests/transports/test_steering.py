"""A message that is sent now steers the response that arrives, where it arrives over a WebSocket connection."""

import threading
from collections.abc import Callable, Iterator

import pytest

from assistant.events import RunCompleted, RunFailed
from assistant.messages import Message
from assistant.parts import Text
from assistant.recordings.check import check
from assistant.runs.run import STEERED
from assistant.session import ChatSession
from tests.servers.responses import Play, call, calls, message, text
from tests.servers.websocket import WebSocketServer
from tests.session.conftest import Open, finished, open_chat, texts
from tests.waiting import until

__all__ = ["open_chat"]  # a fixture


@pytest.fixture
def server() -> Iterator[WebSocketServer]:
    with WebSocketServer() as server:
        yield server


@pytest.fixture
def chat(open_chat: Open) -> ChatSession:
    return open_chat(ASSISTANT_RESPONSES_TRANSPORT="websocket")


Begin = Callable[[Play], threading.Event]


@pytest.fixture
def begin(server: WebSocketServer, chat: ChatSession) -> Begin:
    """Send a message whose answer stands still before its end; return the gate that lets it go on."""

    def begun(play: Play) -> threading.Event:
        assert play.gate is not None
        server.plays(play)
        chat.submit("Add")
        until(lambda: chat.history[-1].text, "the response arrives")
        return play.gate

    return begun


def steer(server: WebSocketServer, chat: ChatSession, words: str) -> None:
    """Send words now, and wait until the server has them."""
    chat.submit(words)
    chat.send_now(words)
    until(lambda: any(each.get("input") == words for each in server.messages), "the server has the message")


def gated(*words: str) -> Play:
    return text(*words, gate=threading.Event(), gate_after=6)


def test_the_response_ends_early_and_the_server_continues_without_another_request(
    server: WebSocketServer, chat: ChatSession, begin: Begin
) -> None:
    gate = begin(gated("One two three four"))
    steer(server, chat, "In French")
    assert (chat.steering, chat.sent) == (["In French"], {"In French"})
    server.plays(text("Un deux."), text("De rien."))
    gate.set()
    assert finished(chat).history[-1] == Message("assistant", [Text("One two three four", 1)], STEERED)
    chat.send_next()
    assert texts(finished(chat)) == ["Add", "One two three four", "In French", "Un deux."]
    assert chat.history[-1].ending == RunCompleted()
    assert (chat.waiting, chat.sent) == ([], set())
    kinds = [each["type"] for each in server.messages]
    assert kinds == ["response.create", "response.steer"]
    assert [check(recording) for recording in chat.recordings] == [[], []]
    events = [event.event for exchange in chat.recordings[0].exchanges() for event in exchange.events]
    assert "response.steer.accepted" in events
    assert events[-1] == "response.incomplete"
    chat.submit("Merci")
    assert texts(finished(chat))[-1] == "De rien."
    assert [item["content"] for item in server.messages[-1]["input"]] == ["Merci"]
    assert server.connections == 1


def test_several_messages_go_together_in_their_order(
    server: WebSocketServer, chat: ChatSession, begin: Begin
) -> None:
    server.interrupts = False  # the model finishes its answer first
    gate = begin(gated("One two three four"))
    for words in ("In French", "And shorter"):
        steer(server, chat, words)
    server.plays(text("Un."))
    gate.set()
    assert finished(chat).history[-1].ending == RunCompleted()
    chat.send_next()
    assert texts(finished(chat))[2:] == ["In French\n\nAnd shorter", "Un."]
    assert [each["content"] for each in server.requests[-1]["input"]] == ["In French", "And shorter"]
    assert len(server.messages) == 3


def test_what_waits_for_results_goes_with_them_and_is_not_repeated(
    server: WebSocketServer, chat: ChatSession, begin: Begin
) -> None:
    play = calls(
        message("Adding."), call("calculate", expression="1+1"), gate=threading.Event(), gate_after=6
    )
    gate = begin(play)
    steer(server, chat, "In French")
    server.plays(text("Deux."))
    gate.set()
    assert finished(chat).history[-1].ending == STEERED
    chat.send_next()
    assert texts(finished(chat)) == ["Add", "Adding.", "In French", "Deux."]
    assert [item["type"] for item in server.messages[-1]["input"]] == ["function_call_output"]
    assert [item["type"] for item in server.requests[-1]["input"]] == ["message", "function_call_output"]
    assert server.refused == []


@pytest.mark.parametrize("how", ["refused", "given back"])
def test_a_message_that_the_server_will_not_answer_is_sent_as_over_http(
    server: WebSocketServer, chat: ChatSession, begin: Begin, how: str
) -> None:
    server.steering = how  # type: ignore[assignment]
    server.interrupts = False
    gate = begin(gated("One two three four"))
    steer(server, chat, "In French")
    if how == "refused":
        until(lambda: not chat.sent, "the refusal is known")
    server.plays(text("Un."))
    gate.set()
    assert finished(chat).history[-1].ending == RunCompleted()
    chat.send_next()
    assert texts(finished(chat))[2:] == ["In French", "Un."]
    assert [item["content"] for item in server.messages[-1]["input"]] == ["In French"]
    assert server.connections == 1
    assert [check(recording) for recording in chat.recordings] == [[], []]


def test_a_message_returns_to_the_input_when_the_connection_dies(
    server: WebSocketServer, chat: ChatSession, begin: Begin
) -> None:
    server.steering = "hangs up"
    begin(gated("One two three four"))
    steer(server, chat, "In French")
    assert isinstance(finished(chat).history[-1].ending, RunFailed)
    assert chat.sent == set()
    chat.return_queued()
    draft = chat.composer.take_draft()
    assert draft is not None
    assert draft.text == "In French"


def test_a_message_that_the_server_has_cannot_be_taken_back_but_by_stop(
    server: WebSocketServer, chat: ChatSession, begin: Begin
) -> None:
    begin(gated("One two three four"))
    steer(server, chat, "In French")
    chat.unqueue("In French")
    assert chat.composer.take_draft() is None
    chat.stop()
    finished(chat)
    chat.return_queued()
    draft = chat.composer.take_draft()
    assert draft is not None
    assert (draft.text, chat.waiting) == ("In French", [])
    server.plays(text("Here."))
    chat.submit("Again")
    assert texts(finished(chat))[-1] == "Here."
    assert server.connections == 2, "the first one has a message that was taken back"


def test_another_message_than_the_server_has_goes_over_another_connection(
    server: WebSocketServer, chat: ChatSession, begin: Begin
) -> None:
    gate = begin(gated("One two three four"))
    steer(server, chat, "In French")
    server.plays(text("Un."), text("En italien."))
    gate.set()
    finished(chat)
    until(lambda: len(server.requests) == 2, "the server continues by itself")
    chat.submit("In Italian")
    assert texts(finished(chat))[2:] == ["In Italian", "En italien."]
    assert (chat.steering, chat.sent) == (["In French"], set())
    assert server.connections == 2
