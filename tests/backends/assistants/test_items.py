"""The messages of a server's thread, to and from the transcript."""

from typing import Any

from assistant.backends.assistants.items import (
    MAX_MESSAGE_CHARS,
    answers_of,
    item_text,
    message_items,
    message_text,
    transcript_of,
)
from assistant.events import RunCompleted, ToolResult
from assistant.messages import Message
from assistant.parts import Call, Refusal, Text


def item(role: str, *texts: str, run_id: str | None = None) -> dict[str, Any]:
    content = [{"type": "text", "text": {"value": text}} for text in texts]
    return {"role": role, "content": content, "run_id": run_id}


def test_calls_are_described_with_their_results() -> None:
    answered = Call("c", "add", '{"a": 1}', 1, result=ToolResult("c", "2"))
    open_call = Call("d", "now", "", 1)
    draft = Call("e", "draft", "{", 1, complete=False)
    assert message_text([Text("So."), answered, open_call, draft, Text(" ")]) == (
        'So.\n\n(Function add was called with {"a": 1} and gave: 2)'
        "\n\n(Function now was called with {} and gave: nothing)"
    )


def test_text_is_shortened_and_freed_of_refused_characters() -> None:
    assert message_text([Text("a\0b")]) == "a\ufffdb"
    assert len(message_text([Text("x" * 2 * MAX_MESSAGE_CHARS)])) == MAX_MESSAGE_CHARS


def test_messages_without_text_are_not_sent() -> None:
    messages = [Message.from_user("Hi"), Message("assistant", [], RunCompleted())]
    assert message_items(messages) == [{"role": "user", "content": "Hi"}]


def test_consecutive_messages_of_the_assistant_are_one_answer() -> None:
    refusal = {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    items = [item("user", "Hi"), item("assistant", "One.", "Two."), item("assistant"), refusal]
    assert transcript_of(items) == [
        Message.from_user("Hi"),
        Message("assistant", [Text("One."), Text("Two."), Refusal("No.")], RunCompleted()),
    ]
    assert item_text(items[1]) == "One.\n\nTwo."


def test_the_answers_of_a_run_are_the_last_messages_that_it_wrote() -> None:
    items = [
        item("assistant", "Before.", run_id="run_1"),
        item("user", "Hi"),
        item("assistant", "Other.", run_id="run_2"),
        item("assistant", "One.", run_id="run_1"),
        item("assistant", "Two."),
    ]
    assert answers_of({"id": "run_1"}, items) == items[3:]
