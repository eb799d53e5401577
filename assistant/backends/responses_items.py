"""Messages as items of the Responses API, and items as messages. Pure.

Not here: what a server has heard of them (``responses_memory.py``).

The one rule: an item that nothing here understands is passed over, never an error.
"""

from collections import Counter
from collections.abc import Collection, Container
from typing import Any

from ..events import Outcome, RunCompleted, ToolResult
from ..execute import is_error_output, readable, sendable, stopped
from ..messages import Attachment, Call, Message, Part, Reasoning, Refusal, Text
from .attached import attachments_in, content_of

Item = dict[str, Any]


def items_of(
    role: str, parts: list[Part], known_calls: Container[str] = (), by_name: Collection[str] = ()
) -> list[Item]:
    """What a message, or the rest of one, says to a server that has not heard it.

    A call goes with its output at once; those in ``known_calls`` the server has already. Attachments whose
    digest is in ``by_name`` are told by their names.
    """
    if any(isinstance(part, Attachment) for part in parts):
        return [{"type": "message", "role": role, "content": content_of(parts, by_name)}]
    items: list[Item] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text) if text:
                items.append({"type": "message", "role": role, "content": sendable(text)})
            case Call(call_id, name, arguments, asked=True, result=result) if call_id not in known_calls:
                call = {"type": "function_call", "call_id": call_id, "name": name}
                call["arguments"] = readable(arguments)
                items += [call, output_of(result or stopped(call_id))]
    return items


def told_apart(items: list[Item]) -> list[Item]:
    """The same items, where calls whose server gave them the same id have ids of their own."""
    times: Counter[str] = Counter()
    told: list[Item] = []
    for item in items:
        if is_call(item):
            times[item["call_id"]] += 1
        if "call_id" in item and times[item["call_id"]] > 1:
            item = {**item, "call_id": f"{item['call_id']}_{times[item['call_id']]}"}
        told.append(item)
    return told


def output_of(result: ToolResult) -> Item:
    """The item that answers a call."""
    return {"type": "function_call_output", "call_id": result.call_id, "output": sendable(result.output)}


def is_output(item: Item) -> bool:
    """Whether this item answers a call."""
    return item.get("type") == "function_call_output"


def is_call(item: Item) -> bool:
    """Whether this item asks for a function."""
    return item.get("type") == "function_call" and isinstance(item.get("call_id"), str)


def text_of(content: object) -> str:
    """The text of a message's content, in whichever form it comes."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict)]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def messages_of(items: list[Item]) -> list[Message]:
    """The transcript that a conversation's items tell: messages and calls, in rounds as they were."""
    messages: list[Message] = []
    round_number, answered = 0, True
    for item in items:
        kind, role = item.get("type"), item.get("role")
        if kind == "message" and role == "user":
            content = item.get("content")
            messages.append(Message.from_person(text_of(content), attachments_in(content)))
            round_number, answered = 0, True
        elif kind in ("reasoning", "function_call", "function_call_output") or (
            kind == "message" and role == "assistant"
        ):
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant", ending=RunCompleted()))
            if is_call(item):
                # The first call after an answered one belongs to the next round.
                round_number, answered = round_number + answered, False
                messages[-1].parts.append(_call(item, round_number))
            elif is_output(item):
                answered = True
                messages[-1].answer(_result(item))
            else:
                messages[-1].parts += _parts(item)
    return messages


def _call(item: Item, round_number: int) -> Call:
    return Call(item["call_id"], str(item.get("name")), str(item.get("arguments") or ""), round_number)


def _result(item: Item) -> ToolResult:
    output = text_of(item.get("output"))
    outcome: Outcome = "failed" if is_error_output(output) else "done"
    return ToolResult(str(item.get("call_id")), output, outcome)


def _parts(item: Item) -> list[Part]:
    if item.get("type") == "reasoning":
        text = text_of(item.get("summary"))
        return [Reasoning(text)] if text else []
    content = item.get("content")
    if isinstance(content, str):
        return [Text(content)]
    return [
        Refusal(str(part["refusal"])) if part.get("type") == "refusal" else Text(str(part.get("text") or ""))
        for part in (content if isinstance(content, list) else [])
        if isinstance(part, dict)
    ]
