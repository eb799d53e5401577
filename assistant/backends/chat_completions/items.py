"""The transcript as the messages of Chat Completions. Pure functions."""

from collections.abc import Collection, Iterator
from typing import TypeGuard

from assistant.backends.attachments import chat_content
from assistant.backends.json_access import JsonObject
from assistant.backends.plain_text import summarize_call
from assistant.backends.responses.written_calls import sendable_name
from assistant.events import HostedCall
from assistant.messages import Message
from assistant.parts import Call, Commentary, Part, Refusal, Text
from assistant.texts import replace_surrogates
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import stopped_result
from assistant.tools.toolbox import Toolbox


def chat_messages(messages: list[Message], named_only: Collection[str] = ()) -> list[JsonObject]:
    """Return the messages of a transcript in the protocol's form; every call is followed by its output.

    Attachments whose digest is in ``named_only`` are replaced by their names.
    """
    return [item for message in messages for item in _items(message, named_only)]


def chat_tools(toolbox: Toolbox) -> list[JsonObject]:
    """Return the functions of a toolbox in the protocol's form."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
        }
        for tool in toolbox.values()
    ]


def _items(message: Message, named_only: Collection[str]) -> Iterator[JsonObject]:
    if message.role == "user":
        yield {"role": "user", "content": chat_content(message.parts, named_only)}
        return
    for texts, calls in _completions(message.parts):
        tool_calls = {"tool_calls": [_tool_call(call) for call in calls]} if calls else {}
        yield {"role": "assistant", "content": replace_surrogates("\n\n".join(texts)) or None, **tool_calls}
        for call in calls:
            output = (call.result or stopped_result(call.call_id)).output
            yield {"role": "tool", "tool_call_id": call.call_id, "content": replace_surrogates(output)}


def _completions(parts: list[Part]) -> Iterator[tuple[list[str], list[Call]]]:
    """Yield the texts and the calls of each completion; text may come after a call."""
    texts: list[str] = []
    calls: list[Call] = []
    for part in parts:
        text = _text_of(part)
        if not (text or _is_function_call(part)):
            continue
        # The round of some texts is not known: those after a call are taken for the next completion's.
        if calls and calls[-1].round != (
            part.round if isinstance(part, Call | Text | Refusal | Commentary) else 0
        ):
            yield texts, calls
            texts, calls = [], []
        texts += [text] if text else []
        calls += [part] if _is_function_call(part) else []
    if texts or calls:
        yield texts, calls


def _is_function_call(part: Part) -> TypeGuard[Call]:
    return isinstance(part, Call) and part.complete and not part.server


def _text_of(part: Part) -> str:
    match part:
        case Text(text) | Refusal(text) | Commentary(text):
            return text
        case HostedCall():
            return summarize_call(part)
    return ""


def _tool_call(call: Call) -> JsonObject:
    function = {"name": sendable_name(call.name), "arguments": valid_arguments(call.arguments)}
    return {"id": call.call_id, "type": "function", "function": function}
