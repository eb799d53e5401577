"""The messages of a server's thread: text without calls. Pure functions between them and the transcript.

A server's thread holds no calls. So calls whose run is lost are described as text in a message of the
assistant.
"""

from collections.abc import Iterable

from assistant.backends.json_access import JsonObject
from assistant.backends.plain_text import attachment_text, summarize_call
from assistant.events import HostedCall, RunCompleted
from assistant.messages import Message
from assistant.parts import Attachment, Call, Commentary, Part, Refusal, Text
from assistant.texts import replace_unsendable

MAX_MESSAGE_CHARS = 256_000  # maximum length of a message (API reference of ``openai.types.beta.threads``)


def message_text(parts: Iterable[Part]) -> str:
    """Return parts of a message as text for the server; calls are described with their results."""
    texts: list[str] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text) | Commentary(text):
                texts.append(text)
            case Attachment():
                texts.append(attachment_text(part))
            case HostedCall():
                texts.append(summarize_call(part))
            case Call(_, name, arguments, complete=True, result=result, server=""):
                output = result.output if result is not None else "nothing"
                texts.append(f"(Function {name} was called with {arguments or '{}'} and gave: {output})")
    return replace_unsendable("\n\n".join(text for text in texts if text.strip())).strip()[:MAX_MESSAGE_CHARS]


def message_items(messages: Iterable[Message]) -> list[JsonObject]:
    """Return the messages that have any text, in the server's form."""
    texts = ((message.role, message_text(message.parts)) for message in messages)
    return [{"role": role, "content": text} for role, text in texts if text]


def item_text(item: JsonObject) -> str:
    """Return the text of a message of the server."""
    return "\n\n".join(part.text for part in _parts(item) if isinstance(part, Text | Refusal))


def transcript_of(items: Iterable[JsonObject]) -> list[Message]:
    """Return the transcript of the server's messages; consecutive ones of the assistant are one answer."""
    messages: list[Message] = []
    for item in items:
        if item.get("role") == "user":
            messages.append(Message.from_user(item_text(item)))
        elif parts := _parts(item):
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant", ending=RunCompleted()))
            messages[-1].parts += parts
    return messages


def answers_of(run: JsonObject, items: list[JsonObject]) -> list[JsonObject]:
    """Return those of the last messages that the run has written, oldest first."""
    answers: list[JsonObject] = []
    for item in reversed(items):
        if item.get("role") != "assistant":
            break
        if item.get("run_id") in (None, run.get("id")):
            answers.append(item)
    return answers[::-1]


def _parts(item: JsonObject) -> list[Part]:
    content = item.get("content")
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for part in content if isinstance(content, list) else []:
        text = part.get("text") if isinstance(part, dict) else None
        value = text.get("value") if isinstance(text, dict) else text
        if isinstance(value, str) and value:
            parts.append(Text(value))
        elif isinstance(part, dict) and isinstance(part.get("refusal"), str):
            parts.append(Refusal(part["refusal"]))
    return parts
