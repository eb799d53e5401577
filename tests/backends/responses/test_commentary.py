"""Commentary of the model (``phase``) is told from its answer, and sent back with its phase."""

import pytest

from assistant import Assistant, Thread
from assistant.backends.responses.backend import Responses
from assistant.events import CommentaryDelta, RunCompleted, TextDelta
from assistant.messages import Message
from assistant.parts import Call, Commentary, Part, Text
from assistant.storage.json_export import export_json, import_json
from tests.servers.responses import Json, ModelServer, call, calls, message, text


def phased(words: str, phase: str) -> Json:
    return {**message(words), "phase": phase}


def without_calls(answer: Message) -> list[Part]:
    return [part for part in answer.parts if not isinstance(part, Call)]


def play_working_answer(server: ModelServer) -> None:
    server.plays(
        calls(phased("I look it up.", "commentary"), call("add", a=1, b=2)),
        calls(phased("Nearly there.", "commentary"), phased("It is three.", "final_answer")),
    )


@pytest.mark.parametrize("conversations", [True, False])
def test_commentary_is_a_part_of_its_own(
    server: ModelServer, assistant: Assistant, conversations: bool
) -> None:
    server.has_conversations = conversations
    play_working_answer(server)
    thread = Thread()
    events = list(assistant.run(thread, "1 + 2?"))
    assert events[-1] == RunCompleted()
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "It is three."
    commentary = "".join(event.text for event in events if isinstance(event, CommentaryDelta))
    assert commentary == "I look it up.Nearly there."
    answer = thread.messages[-1]
    expected = [Commentary("I look it up."), Commentary("Nearly there."), Text("It is three.")]
    assert (without_calls(answer), answer.text) == (expected, "It is three.")
    again = Message("assistant")
    for event in answer.events():
        again.add(event)
    assert again == answer
    assert import_json(export_json(thread, "T"))[0].messages[-1] == answer


def test_a_loaded_conversation_has_its_commentary(server: ModelServer, assistant: Assistant) -> None:
    play_working_answer(server)
    thread = Thread()
    list(assistant.run(thread, "1 + 2?"))
    assert isinstance(assistant.backend, Responses)
    loaded = assistant.backend.load_thread(thread.id)
    assert loaded.messages[-1].parts == thread.messages[-1].parts


def test_a_server_without_conversations_gets_the_phases_back(
    server: ModelServer, assistant: Assistant
) -> None:
    server.has_conversations = False
    play_working_answer(server)
    server.plays(text("Yes."))
    thread = Thread()
    list(assistant.run(thread, "1 + 2?"))
    list(assistant.run(thread, "Sure?"))
    assert phases(server) == ["commentary", "commentary", "final_answer"]


def test_a_branch_gets_the_phases_back(server: ModelServer, assistant: Assistant) -> None:
    play_working_answer(server)
    server.plays(text("Yes."), text("No."))
    thread = Thread()
    list(assistant.run(thread, "1 + 2?"))
    list(assistant.run(thread, "Sure?"))
    assert list(assistant.edit(thread, 2, "Really?"))[-1] == RunCompleted()
    assert phases(server) == ["commentary", "commentary", "final_answer"]
    assert "phase" not in server.requests[-1]["input"][-1]


def test_an_answer_without_commentary_is_sent_back_without_phases(
    server: ModelServer, assistant: Assistant
) -> None:
    server.plays(text("Three."), text("Yes."), text("No."))
    thread = Thread()
    list(assistant.run(thread, "1 + 2?"))
    list(assistant.run(thread, "Sure?"))
    list(assistant.edit(thread, 2, "Really?"))
    assert phases(server) == [None]


def phases(server: ModelServer) -> list[str | None]:
    return [item.get("phase") for item in server.requests[-1]["input"] if item.get("role") == "assistant"]
