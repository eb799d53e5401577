"""Messages as inputs and items of a session, and as plain text."""

from assistant import Thread
from assistant.backends.agents.items import (
    APPLICATION_PREFIX,
    MAX_HISTORY_CHARS,
    history_text,
    message_event,
    result_event,
    transcript_of,
)
from assistant.events import RunCompleted, ToolResult
from assistant.messages import Message
from assistant.parts import Attachment, Call, Text
from assistant.tools.results import error_output


def test_history_names_the_roles_and_describes_calls() -> None:
    call = Call("c", "add", '{"a": 1}', 1, result=ToolResult("c", "2"))
    messages = [Message.from_user("1 + 1?"), Message("assistant", [call, Text("Two.")], RunCompleted())]
    assert history_text(messages) == (
        'User: 1 + 1?\n\nAssistant called add({"a": 1}), which gave: 2\n\nAssistant: Two.'
    )


def test_history_that_is_too_long_loses_its_oldest_messages() -> None:
    messages = [Message.from_user(letter * (MAX_HISTORY_CHARS // 2)) for letter in "abc"]
    text = history_text(messages)
    assert (len(text) <= MAX_HISTORY_CHARS, "a" in text, text[-1]) == (True, False, "c")
    assert len(history_text([Message.from_user("x" * 2 * MAX_HISTORY_CHARS)])) == MAX_HISTORY_CHARS


def test_images_are_sent_with_the_text_that_they_belong_to() -> None:
    image = Attachment("cat.png", "image/png", "AAAA")
    thread = Thread("", [Message.from_user("Look", [image]), Message.from_user("And?")])
    first, second = message_event(["Look\n\n[Image cat.png]", "And?"], thread)["input"]
    assert first["content"][1:] == [{"type": "input_image", "image_url": image.url}]
    assert second["content"] == [{"type": "input_text", "text": "And?"}]


def test_a_result_is_sent_as_an_output_or_as_an_error() -> None:
    place = {"type": "agent.session.input.tool_result", "turn_id": "t", "call_id": "c"}
    assert result_event("t", "c", ToolResult("c", "3")) == {**place, "success": True, "output": "3"}
    failure = ToolResult("c", error_output("No."), "failed")
    assert result_event("t", "c", failure) == {**place, "success": False, "error": "No."}
    denial = ToolResult("c", "Denied.", "denied")
    assert result_event("t", "c", denial) == {**place, "success": False, "error": "Denied."}


def test_a_transcript_omits_the_messages_of_the_application() -> None:
    def item(role: str, text: str) -> dict[str, object]:
        kind = "input_text" if role == "user" else "output_text"
        return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}

    items = [item("user", "Hi"), item("user", f"{APPLICATION_PREFIX}Go on."), item("assistant", "Hello.")]
    assert [(message.role, message.text) for message in transcript_of(items)] == [
        ("user", "Hi"),
        ("assistant", "Hello."),
    ]
