"""Messages as the inputs and items of a session, and as plain text. Pure functions."""

import json
from collections.abc import Iterable

from assistant.backends.json_access import JsonObject, arguments_of, text_at
from assistant.backends.plain_text import attachment_text, parts_as_text, summarize_call
from assistant.backends.responses.items import content_text, parse_messages
from assistant.events import HostedCall, ToolResult
from assistant.messages import Message
from assistant.parts import Attachment, Call, Commentary, Refusal, Text
from assistant.texts import replace_surrogates
from assistant.threads import Thread
from assistant.tools.results import error_output, is_error_output

APPLICATION_PREFIX = "[From the application, not from the user] "
"""How a message begins that the user did not write, so that a loaded thread can omit it."""

CONTINUE_TEXT = APPLICATION_PREFIX + "Your answer was interrupted. Please go on with it."

RESULTS_TEXT = (
    APPLICATION_PREFIX + "Results of functions whose turn was cancelled before you received them:\n\n"
)

HISTORY_TEXT = "The conversation so far:\n\n"

ANSWER_SO_FAR_TEXT = (
    APPLICATION_PREFIX + "This is what you have said and done so far to answer that. Please go on.\n\n"
)

MAX_HISTORY_CHARS = 100_000
"""Maximum length of the history sent to a new session; the oldest messages are left out."""


def history_text(messages: Iterable[Message]) -> str:
    """Return messages as plain text with their calls and results, shortened to ``MAX_HISTORY_CHARS``."""
    texts: list[str] = []
    for message in messages:
        name = "User" if message.role == "user" else "Assistant"
        for part in message.parts:
            match part:
                case Text(text) | Refusal(text) | Commentary(text) if text:
                    texts.append(f"{name}: {replace_surrogates(text)}")
                case Attachment():
                    texts.append(f"{name}: {attachment_text(part)}")
                case HostedCall() if summary := summarize_call(part):
                    texts.append(summary)
                case Call(complete=True, server=""):
                    texts.append(call_text(part))
    while len(texts) > 1 and sum(map(len, texts)) > MAX_HISTORY_CHARS:
        texts.pop(0)
    return "\n\n".join(texts)[-MAX_HISTORY_CHARS:]


def call_text(call: Call) -> str:
    """Return a call and its result as plain text."""
    output = replace_surrogates(call.result.output) if call.result else "nothing"
    return f"Assistant called {call.name}({replace_surrogates(call.arguments)}), which gave: {output}"


def question_text(message: Message) -> str:
    """Return the text of a user's message as the session has it, by which it is recognised there."""
    return parts_as_text(message.parts, with_images=True)


def message_event(texts: Iterable[str], thread: Thread) -> JsonObject:
    """Return the input that adds a message for each text and starts a turn.

    Images are added to the text of the message that they belong to.
    """
    images = {
        question_text(message): [attachment for attachment in message.attachments if attachment.is_image]
        for message in thread.messages
        if message.role == "user" and message.attachments
    }
    messages = []
    for text in texts:
        content: list[JsonObject] = [{"type": "input_text", "text": text}]
        content += [{"type": "input_image", "image_url": image.url} for image in images.get(text, [])]
        messages.append({"role": "user", "content": content})
    return {"type": "agent.session.input.message", "input": messages}


def result_event(turn_id: str, call_id: str, result: ToolResult) -> JsonObject:
    """Return the input that sends the result of a call."""
    event: JsonObject = {"type": "agent.session.input.tool_result", "turn_id": turn_id, "call_id": call_id}
    output = replace_surrogates(result.output)
    if result.outcome == "done":
        return {**event, "success": True, "output": output}
    error = str(json.loads(output)["error"]) if is_error_output(output) else output
    return {**event, "success": False, "error": error}


def transcript_of(items: Iterable[JsonObject]) -> list[Message]:
    """Return the transcript that a session's items represent, without the messages of the application."""
    return parse_messages([_responses_item(item) for item in items if not _is_from_application(item)])


def _is_from_application(item: JsonObject) -> bool:
    return item.get("role") == "user" and content_text(item.get("content")).startswith(APPLICATION_PREFIX)


def _responses_item(item: JsonObject) -> JsonObject:
    """Return a session's item as the same item of the Responses API."""
    match item.get("type"):
        case "function_call":
            return {**item, "arguments": arguments_of(item) or "{}"}
        case "function_call_output" if item.get("error"):
            return {**item, "output": error_output(text_at(item, "error"))}
    return item
