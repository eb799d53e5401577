"""Messages as items of the Responses API, and items as messages. Pure.

Not here: what a server has heard of them (``responses_memory.py``).

The one rule: an item that nothing here understands is passed over, never an error.
"""

import json
from collections import Counter
from collections.abc import Collection, Container
from dataclasses import replace
from typing import Any

from assistant.backends.files import parse_attachments, responses_content
from assistant.backends.hosted_summary import summarize_call
from assistant.backends.json_access import objects_at, text_at
from assistant.backends.responses.hosted import KINDS, approval_of, call_of, citation_of, is_approval_request
from assistant.events import HostedCall, Outcome, RunCompleted, ToolResult
from assistant.messages import Attachment, Call, Message, Part, Reasoning, Refusal, Text
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import (
    ALLOWED_OUTPUT,
    denied_result,
    is_error_output,
    replace_surrogates,
    stopped_result,
)
from assistant.tools.toolbox import Toolbox

Item = dict[str, Any]


def message_items(
    role: str,
    parts: list[Part],
    known_calls: Container[str] = (),
    named_only: Collection[str] = (),
    searchable: Collection[str] = (),
) -> list[Item]:
    """What a message, or the rest of one, says to a server that has not heard it.

    A call goes with its output at once; those in ``known_calls`` the server has already. Attachments whose
    digest is in ``named_only`` are told by their names, and those in ``searchable`` as what can be searched.
    """
    if any(isinstance(part, Attachment) for part in parts):
        return [
            {"type": "message", "role": role, "content": responses_content(parts, named_only, searchable)}
        ]
    items: list[Item] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text) if text:
                items.append({"type": "message", "role": role, "content": replace_surrogates(text)})
            case HostedCall() if summary := summarize_call(part):
                items.append({"type": "message", "role": role, "content": summary})
            case Call(call_id, name, arguments, asked=True, result=result, server="") if (
                call_id not in known_calls
            ):
                call = {"type": "function_call", "call_id": call_id, "name": name}
                call["arguments"] = valid_arguments(arguments)
                items += [call, output_item(result or stopped_result(call_id))]
    return items


def dedupe_call_ids(items: list[Item]) -> list[Item]:
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


def output_item(result: ToolResult) -> Item:
    """The item that answered_id a call."""
    return {
        "type": "function_call_output",
        "call_id": result.call_id,
        "output": replace_surrogates(result.output),
    }


def approval_item(result: ToolResult) -> Item:
    """The item that answered_id a call of a remote server's tool, which waited for a person's leave."""
    decided: Item = {"type": "mcp_approval_response", "approval_request_id": result.call_id}
    if result.outcome == "done":
        return {**decided, "approve": True}
    reason = replace_surrogates(result.output)
    if is_error_output(reason):
        reason = json.loads(reason)["error"]
    return {**decided, "approve": False, "reason": reason[:1_000]}


def tool_definitions(toolbox: Toolbox) -> list[Item]:
    """Return the functions of a toolbox as a request offers them."""
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": tool.strict,
        }
        for tool in toolbox.values()
    ]


def is_output(item: Item) -> bool:
    """Whether this item answered_id a call."""
    return item.get("type") in ("function_call_output", "mcp_approval_response")


def is_call(item: Item) -> bool:
    """Whether this item pending_id for a function."""
    return item.get("type") == "function_call" and isinstance(item.get("call_id"), str)


def pending_id(item: Item) -> str:
    """The id of what an item pending_id for, a function or a person's leave; empty if it pending_id for nothing."""
    return item["call_id"] if is_call(item) else item["id"] if is_approval_request(item) else ""


def answered_id(item: Item) -> object:
    """The id of what an item answered_id; none if it answered_id nothing."""
    return item.get("call_id") or item.get("approval_request_id") if is_output(item) else None


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
            messages.append(Message.from_user(text_of(content), parse_attachments(content)))
            round_number, answered = 0, True
        elif kind in _OF_ANSWERS or (kind == "message" and role == "assistant"):
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant", ending=RunCompleted()))
            if pending_id(item):
                # The first call after an answered one belongs to the next round.
                round_number, answered = round_number + answered, False
                messages[-1].parts.append(_call(item, round_number))
            elif is_output(item):
                answered = True
                messages[-1].answer(_result(item))
            else:
                messages[-1].parts += _parts(item)
    return messages


_OF_ANSWERS = (
    "reasoning",
    "function_call",
    "function_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    *KINDS,
)


def _call(item: Item, round_number: int) -> Call:
    if waiting := approval_of(item):
        asked, name = waiting.call_id, waiting.name
        return Call(asked, name, waiting.arguments, round_number, server=waiting.server)
    return Call(item["call_id"], str(item.get("name")), str(item.get("arguments") or ""), round_number)


def _result(item: Item) -> ToolResult:
    if item.get("type") == "mcp_approval_response":
        call_id = str(item.get("approval_request_id"))
        return ToolResult(call_id, ALLOWED_OUTPUT) if item.get("approve") else denied_result(call_id)
    output = text_of(item.get("output"))
    outcome: Outcome = "failed" if is_error_output(output) else "done"
    return ToolResult(str(item.get("call_id")), output, outcome)


def _parts(item: Item) -> list[Part]:
    if item.get("type") == "reasoning":
        text = text_of(item.get("summary"))
        return [Reasoning(text)] if text else []
    if item.get("type") in KINDS:
        failed = text_at(item, "status") in ("failed", "incomplete") or bool(item.get("error"))
        if item["type"] == "mcp_list_tools" and not failed:
            return []
        return [replace(call_of(item), state="failed" if failed else "done")]
    content = item.get("content")
    if isinstance(content, str):
        return [Text(content)]
    parts: list[Part] = []
    for part in objects_at(item, "content"):
        if part.get("type") == "refusal":
            parts.append(Refusal(str(part["refusal"])))
            continue
        text = str(part.get("text") or "")
        sources = (citation_of(each, len(text)) for each in objects_at(part, "annotations"))
        parts += [Text(text), *dict.fromkeys(filter(None, sources))]
    return parts
