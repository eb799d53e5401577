"""Messages as items of the Responses API, and items as messages. Pure: unknown items are skipped."""

import json
from collections import Counter
from collections.abc import Collection, Container
from dataclasses import replace

from assistant.backends.attachments import parse_attachments, responses_content
from assistant.backends.json_access import JsonObject, objects_at, text_at
from assistant.backends.plain_text import summarize_call
from assistant.backends.responses.client_calls import (
    call_id_of,
    client_call,
    is_client_call,
    is_client_output,
    item_note,
    text_call,
)
from assistant.backends.responses.hosted import (
    HOSTED_KINDS,
    approval_call,
    final_state,
    hosted_call,
    is_approval_request,
    parse_citation,
)
from assistant.backends.responses.server_steps import caller_of, is_step, program_of, step_call
from assistant.backends.responses.written_calls import sendable_name
from assistant.events import HostedCall, Outcome, RunCompleted, RunPaused, ToolCall, ToolResult
from assistant.messages import Message
from assistant.parts import Attachment, Call, Commentary, Part, Reasoning, Refusal, Remark, Text
from assistant.texts import replace_surrogates
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import ALLOWED_OUTPUT, denied_result, is_error_output, stopped_result


def message_items(
    role: str,
    parts: list[Part],
    known_calls: Container[str] = (),
    named_only: Collection[str] = (),
    searchable: Collection[str] = (),
) -> list[JsonObject]:
    """Return parts of a message as items, each call with its output.

    Calls in ``known_calls`` are left out: the server has them. Attachments with a digest in ``named_only``
    are sent by name, and those in ``searchable`` are found by file search.
    """
    if any(isinstance(part, Attachment) for part in parts):
        return [
            {"type": "message", "role": role, "content": responses_content(parts, named_only, searchable)}
        ]
    # A model that tells its commentary from its answer answers worse without the phases.
    has_phases = any(isinstance(part, Commentary) for part in parts)
    items: list[JsonObject] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text) | Commentary(text) if text:
                item = {"type": "message", "role": role, "content": replace_surrogates(text)}
                if has_phases:
                    item["phase"] = "commentary" if isinstance(part, Commentary) else "final_answer"
                items.append(item)
            case HostedCall() if summary := summarize_call(part):
                items.append({"type": "message", "role": role, "content": summary})
            case Call(call_id, name, arguments, complete=True, result=result, server="") if (
                call_id not in known_calls
            ):
                call: JsonObject = {"type": "function_call", "call_id": call_id, "name": sendable_name(name)}
                call["arguments"] = valid_arguments(arguments)
                if part.background and result is None:  # it is still running
                    items.append({**call, "async": True})
                else:
                    items += [call, output_item(result or stopped_result(call_id))]
    return items


def dedupe_call_ids(items: list[JsonObject]) -> list[JsonObject]:
    """Return the items with unique call ids: some servers use an id for several calls."""
    times: Counter[str] = Counter()
    unique: list[JsonObject] = []
    for item in items:
        if is_call(item):
            times[item["call_id"]] += 1
        if "call_id" in item and times[item["call_id"]] > 1:
            item = {**item, "call_id": f"{item['call_id']}_{times[item['call_id']]}"}
        unique.append(item)
    return unique


def output_item(result: ToolResult, call: JsonObject | None = None) -> JsonObject:
    """Return the output of a function call as an item, for the caller that the item of the call names."""
    return {
        "type": "function_call_output",
        "call_id": result.call_id,
        "output": replace_surrogates(result.output),
        **caller_of(call or {}),
    }


def approval_item(result: ToolResult) -> JsonObject:
    """Return the user's decision on a remote server's call as an item."""
    decision: JsonObject = {"type": "mcp_approval_response", "approval_request_id": result.call_id}
    if result.outcome == "done":
        return {**decision, "approve": True}
    reason = replace_surrogates(result.output)
    if is_error_output(reason):
        reason = json.loads(reason)["error"]
    return {**decision, "approve": False, "reason": reason[:1_000]}


def is_output(item: JsonObject) -> bool:
    """Return whether this item answers a call."""
    return item.get("type") in ("function_call_output", "mcp_approval_response") or is_client_output(item)


def is_call(item: JsonObject) -> bool:
    """Return whether this item calls a function."""
    return item.get("type") == "function_call" and isinstance(item.get("call_id"), str)


def pending_id(item: JsonObject) -> str:
    """Return the id of the call or the approval request in an item; "" for any other item."""
    if is_client_call(item):
        return call_id_of(item)
    return item["call_id"] if is_call(item) else item["id"] if is_approval_request(item) else ""


def pending_ids(items: list[JsonObject]) -> list[str]:
    """Return the ids of the calls and approval requests in these items that none of them answers."""
    answered = {"", *map(answered_id, items)}
    return [call_id for call_id in map(pending_id, items) if call_id not in answered]


def answered_id(item: JsonObject) -> object:
    """Return the id of the call or the approval request that an item answers, else None."""
    if not is_output(item):
        return None
    return item.get("call_id") or item.get("approval_request_id") or item.get("id")


def call_in(item: JsonObject) -> ToolCall:
    """Return the function call in an item for which ``is_call`` holds."""
    return ToolCall(item["call_id"], text_at(item, "name"), text_at(item, "arguments"))


def item_keys(event: JsonObject) -> list[object]:
    """Return the keys by which an event names its item."""
    return [event[name] for name in ("item_id", "output_index") if isinstance(event.get(name), str | int)]


def content_text(content: object) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict)]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text)


def parse_messages(items: list[JsonObject]) -> list[Message]:
    """Return the messages of a conversation's items, with the calls in their rounds.

    If the last answer has calls without a result, it waits for the user's decision on them, unless they were
    in the background.
    """
    messages: list[Message] = []
    round_number, answered = 0, True
    known_calls: list[object] = []
    newest_search = ""
    for item in items:
        kind, role = item.get("type"), item.get("role")
        if kind == "message" and role == "user":
            content = item.get("content")
            messages.append(Message.from_user(content_text(content), parse_attachments(content)))
            round_number, answered = 0, True
        if kind == "message" and role != "assistant":
            continue
        call_id, is_answer = pending_id(item), answered_id(item) in known_calls
        parts = [] if call_id or is_answer else _parts(item, round_number + answered)
        if is_step(item):
            step = step_call(item, newest_search)
            newest_search = step.call_id if step.kind == "tool_search" else newest_search
            parts = [step]
        if not (call_id or is_answer or parts or kind == "message"):
            continue
        if not messages or messages[-1].role == "user":
            messages.append(Message("assistant", ending=RunCompleted()))
        if call_id:
            # The first call after an answered one belongs to the next round.
            round_number, answered = round_number + answered, False
            messages[-1].parts.append(_call(item, round_number))
            known_calls.append(call_id)
        elif is_answer:
            answered = True
            messages[-1].add_result(_result(item))
        for part in parts:
            if isinstance(part, HostedCall):
                messages[-1].add_hosted(part)
            else:
                messages[-1].parts.append(part)
    if messages and messages[-1].undecided_calls:
        messages[-1].ending = RunPaused()
    return messages


def _call(item: JsonObject, round_number: int) -> Call:
    if item.get("type") == "custom_tool_call":
        call: ToolCall | None = text_call(item)
    else:
        call = client_call(item) if is_client_call(item) else approval_call(item)
    if call is None:
        arguments = str(item.get("arguments") or "")
        call = ToolCall(item["call_id"], str(item.get("name")), arguments, program=program_of(item))
    return Call(
        call.call_id,
        call.name,
        call.arguments,
        round_number,
        server=call.server,
        background=item.get("async") is True,
        program=call.program,
    )


def _result(item: JsonObject) -> ToolResult:
    if item.get("type") == "mcp_approval_response":
        call_id = str(item.get("approval_request_id"))
        return ToolResult(call_id, ALLOWED_OUTPUT) if item.get("approve") else denied_result(call_id)
    if is_client_output(item) and item.get("type") != "custom_tool_call_output":
        return ToolResult(str(answered_id(item)), text_at(item, "output"), "unknown")
    output = content_text(item.get("output"))
    outcome: Outcome = "failed" if is_error_output(output) else "done"
    return ToolResult(str(item.get("call_id")), output, outcome)


def _parts(item: JsonObject, round_number: int) -> list[Part]:
    if item.get("type") == "reasoning":
        text = content_text(item.get("summary"))
        return [Reasoning(text)] if text else []
    if text_at(item, "type") in HOSTED_KINDS:
        state = final_state(item)
        return [replace(hosted_call(item), state=state)] if state else []
    if item.get("type") != "message":
        note = item_note(item)
        return [Remark(note.text)] if note else []
    content = item.get("content")
    kind = Commentary if item.get("phase") == "commentary" else Text
    if isinstance(content, str):
        return [kind(content, round_number)]
    parts: list[Part] = []
    for part in objects_at(item, "content"):
        if part.get("type") == "refusal":
            parts.append(Refusal(str(part["refusal"]), round_number))
            continue
        text = str(part.get("text") or "")
        sources = (parse_citation(annotation, len(text)) for annotation in objects_at(part, "annotations"))
        parts += [kind(text, round_number), *dict.fromkeys(filter(None, sources))]
    return parts
