"""The transcript as the messages of Chat Completions."""

from assistant.backends.chat_completions.items import chat_messages
from assistant.events import RunCompleted, ToolResult
from assistant.messages import Message
from assistant.parts import Attachment, Call, Text


def test_every_call_is_followed_by_its_output() -> None:
    calls = [
        Call("c", "add", '{"a": 1}', 1, result=ToolResult("c", "2")),
        Call("d", "add", "{oops", 1),
        Call("e", "search", "{}", 1, server="library"),
    ]
    messages = chat_messages([Message("assistant", [Text("So."), *calls, Text("Two.")], RunCompleted())])
    assert [message["role"] for message in messages] == ["assistant", "tool", "tool", "assistant"]
    assert (messages[0]["content"], messages[-1]["content"]) == ("So.", "Two.")
    assert [call["id"] for call in messages[0]["tool_calls"]] == ["c", "d"]
    assert [message["tool_call_id"] for message in messages[1:3]] == ["c", "d"]
    assert messages[1]["content"] == "2"
    assert "stopped or interrupted" in messages[2]["content"]


def test_attachments_that_the_model_refused_are_named() -> None:
    image = Attachment("cat.png", "image/png", "AAAA")
    message = Message.from_user("Look", [image])
    assert isinstance(chat_messages([message])[0]["content"], list)
    named = chat_messages([message], [image.digest])[0]["content"]
    assert isinstance(named, str)
    assert "cat.png" in named
