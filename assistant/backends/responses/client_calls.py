"""Calls of tools that an application has to offer, beside functions; and items without a form here.

Of these tools, this application offers custom tools: functions that take free text. A call of another one comes from
a tool that was declared at the server. It gets a result that says so: no server continues a conversation with an open
call.
"""

import json

from assistant.backends.json_access import JsonObject, text_at
from assistant.backends.responses.server_steps import caller_of, program_of
from assistant.events import Note, ToolCall, ToolResult
from assistant.locale import N_
from assistant.texts import replace_surrogates
from assistant.tools.toolbox import TEXT_ARGUMENT

_INPUTS = {
    "custom_tool_call": "input",
    "apply_patch_call": "operation",
    "shell_call": "action",
    "local_shell_call": "action",
    "computer_call": "actions",
    "tool_search_call": "arguments",
}
"""The types of these calls, each with the field that holds what it asks for."""

_OUTPUTS = {f"{kind}_output" for kind in _INPUTS} | {"tool_search_output"}

_BLANK_IMAGE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJg"
    "gg=="
)
"""A computer's output is always an image; there is none here."""

_NOTES = {
    "shell_call_output": N_("The model ran commands on the server."),
    "additional_tools": N_("The server made more functions available to the model."),
    "compaction": N_("The server shortened the earlier conversation for the model."),
    "configuration_update": N_("The server changed the configuration of this conversation."),
}


def is_client_call(item: JsonObject) -> bool:
    """Return whether an item is a call that the application should answer; some tools also run at the server."""
    kind = text_at(item, "type")
    return kind in _INPUTS and (kind != "tool_search_call" or item.get("execution") == "client")


def client_call(item: JsonObject) -> ToolCall:
    """Return the call in an item for which ``is_client_call`` holds, by a name that no function has."""
    kind = text_at(item, "type")
    name, content = text_at(item, "name"), item.get(_INPUTS[kind]) or item.get("action")
    arguments = content if isinstance(content, dict) else {_INPUTS[kind]: content}
    return ToolCall(
        call_id_of(item), f"{kind}:{name}" if name else kind, json.dumps(arguments, ensure_ascii=False)
    )


def text_call(item: JsonObject, parameter: str = TEXT_ARGUMENT) -> ToolCall:
    """Return the call of a custom tool, as one of a function whose ``parameter`` takes the text."""
    arguments = json.dumps({parameter: text_at(item, "input")}, ensure_ascii=False)
    return ToolCall(call_id_of(item), text_at(item, "name"), arguments, program=program_of(item))


def call_id_of(item: JsonObject) -> str:
    """Return the id by which the output of a call names it."""
    return text_at(item, "call_id") or text_at(item, "id")


def is_client_output(item: JsonObject) -> bool:
    """Return whether an item answers a call for which ``is_client_call`` holds."""
    return text_at(item, "type") in _OUTPUTS


def client_output(item: JsonObject, result: ToolResult) -> JsonObject:
    """Return the item that answers a call with this result; only a custom tool can have run here."""
    kind, answer = text_at(item, "type"), {"call_id": result.call_id, **caller_of(item)}
    output: JsonObject = {"type": f"{kind}_output", **answer}
    match kind:
        case "apply_patch_call":
            return {**output, "status": "failed", "output": result.output}
        case "shell_call":
            outcome = {"type": "exit", "exit_code": 1}
            return {**output, "output": [{"stdout": "", "stderr": result.output, "outcome": outcome}]}
        case "local_shell_call":
            return {"type": "local_shell_call_output", "id": result.call_id, "output": result.output}
        case "computer_call":
            return {**output, "output": {"type": "computer_screenshot", "image_url": _BLANK_IMAGE}}
        case "tool_search_call":
            return {
                "type": "tool_search_output",
                **answer,
                "execution": "client",
                "status": "completed",
                "tools": [],
            }
    return {**output, "output": replace_surrogates(result.output)}


def client_note(item: JsonObject) -> Note:
    """Return a note about a call that cannot be run."""
    what = text_at(item, "name") or text_at(item, "type")
    return Note(N_("The model called {what}, which this application cannot run.", what=what))


def item_note(item: JsonObject) -> Note | None:
    """Return a note about an item that has no other form here; None if there is nothing to say of its type."""
    text = _NOTES.get(text_at(item, "type"))
    return Note(text) if text else None
