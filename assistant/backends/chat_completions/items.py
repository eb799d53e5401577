"""The transcript as the messages of Chat Completions. Pure functions."""

from collections.abc import Collection, Iterator
from itertools import groupby
from typing import TypeGuard

from assistant.backends.attachments import chat_content
from assistant.backends.json_access import JsonObject
from assistant.backends.plain_text import summarize_call
from assistant.events import HostedCall
from assistant.messages import Message
from assistant.parts import Call, Part, Refusal, Text
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import replace_surrogates, stopped_result
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
    texts: list[str] = []
    for round_number, group in groupby(message.parts, _round_of):
        parts = list(group)
        calls = [part for part in parts if _is_function_call(part)]
        if not round_number:
            texts += filter(None, map(_text_of, parts))
        elif calls:
            yield _assistant(texts) | {"tool_calls": [_tool_call(call) for call in calls]}
            for call in calls:
                output = (call.result or stopped_result(call.call_id)).output
                yield {"role": "tool", "tool_call_id": call.call_id, "content": replace_surrogates(output)}
            texts = []
    if texts:
        yield _assistant(texts)


def _round_of(part: Part) -> int:
    return part.round if isinstance(part, Call) else 0


def _is_function_call(part: Part) -> TypeGuard[Call]:
    return isinstance(part, Call) and part.complete and not part.server


def _text_of(part: Part) -> str:
    match part:
        case Text(text) | Refusal(text):
            return text
        case HostedCall():
            return summarize_call(part)
    return ""


def _assistant(texts: list[str]) -> JsonObject:
    return {"role": "assistant", "content": replace_surrogates("\n\n".join(texts)) or None}


def _tool_call(call: Call) -> JsonObject:
    function = {"name": call.name, "arguments": valid_arguments(call.arguments)}
    return {"id": call.call_id, "type": "function", "function": function}
