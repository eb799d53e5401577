"""Calls as some models write them: several in one, and with names that servers refuse to read again."""

import json
import re
from dataclasses import replace

from assistant.backends.json_access import JsonObject, arguments_of, objects_at, text_at
from assistant.events import ToolCall, ToolResult

WRAPPERS = ("parallel", "multi_tool_use.parallel", "multi_tool_use_parallel")
"""Names of a function that no application defines, which models call to make several calls at once."""

_NAMESPACE = "functions."  # under which some models were shown all functions


def expand_call(call: ToolCall) -> list[ToolCall]:
    """Return the calls that a call wraps, or the call itself, by the names of the functions."""
    return wrapped_calls(call) or [replace(call, name=function_name(call.name))]


def wrapped_calls(call: ToolCall) -> list[ToolCall]:
    """Return the calls that a call wraps; [] for an ordinary one."""
    if not is_wrapper(call.name):
        return []
    try:
        arguments = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return []
    uses = objects_at(arguments, "tool_uses") if isinstance(arguments, dict) else []
    names = [function_name(text_at(use, "recipient_name")) for use in uses]
    if not all(names):
        return []
    return [
        ToolCall(
            f"{call.call_id}_{number}",
            name,
            arguments_of({"arguments": use.get("parameters")}),
            program=call.program,
        )
        for number, (name, use) in enumerate(zip(names, uses, strict=True), 1)
    ]


def is_wrapper(name: str) -> bool:
    """Return whether a function of this name may stand for several calls."""
    return function_name(name) in WRAPPERS


def is_background_call(item: JsonObject) -> bool:
    """Return whether an item is a complete call of one function that runs while the model goes on."""
    is_call = item.get("type") == "function_call" and item.get("async") is True
    return is_call and item.get("status") != "incomplete" and not is_wrapper(text_at(item, "name"))


def function_name(name: str) -> str:
    """Return the name of the function that a model calls by this name."""
    return name.removeprefix(_NAMESPACE)


def joint_result(call: ToolCall, results: list[ToolResult]) -> ToolResult:
    """Return the results of the calls that a call wraps as its own result."""
    outputs: list[JsonObject] = [
        {"recipient_name": wrapped.name, "output": result.output}
        for wrapped, result in zip(wrapped_calls(call), results, strict=True)
    ]
    return ToolResult(call.call_id, json.dumps(outputs, ensure_ascii=False))


def sendable_name(name: str) -> str:
    """Return the name of a called function as every server accepts it: letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "unknown"
