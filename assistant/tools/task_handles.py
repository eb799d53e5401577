"""Handles: how a model names its background calls, and waits for them with ``wait_for_tasks``.

This application provides ``wait_for_tasks`` wherever a background function is offered.
"""

import json
from collections.abc import Collection, Container, Mapping

from assistant.events import ToolCall, ToolResult
from assistant.json_values import Json, get, parse_json
from assistant.threads import Thread
from assistant.tools.offer import Feature
from assistant.tools.results import error_output
from assistant.tools.toolbox import TASK_HANDLE, Tool

WAIT_NAME = "wait_for_tasks"

_HANDLE: Json = {
    "type": "string",
    "description": "A short name of your choice for this task, unique in the conversation.",
}

WAIT: Json = {
    "type": "function",
    "name": WAIT_NAME,
    "description": "Wait until background tasks are done. Their results are then in the conversation. "
    "Call it only when you cannot go on without them.",
    "parameters": {
        "type": "object",
        "properties": {
            "task_handles": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The task_handle of each task to wait for.",
            }
        },
        "required": ["task_handles"],
        "additionalProperties": False,
    },
    "strict": True,
}


def without_background(tools: list[Json]) -> list[Json]:
    """Return the tools of a request for a server without background functions."""
    plain = []
    for tool in tools:
        if tool.get("type") == "namespace":
            tool = {**tool, "tools": without_background(tool["tools"])}
        if tool.get("async"):
            tool = {name: value for name, value in tool.items() if name != "async"}
            parameters = dict(tool["parameters"])
            parameters["properties"] = {
                name: value for name, value in parameters["properties"].items() if name != TASK_HANDLE
            }
            parameters["required"] = [name for name in parameters["required"] if name != TASK_HANDLE]
            tool["parameters"] = parameters
        if tool is not WAIT:
            plain.append(tool)
    return plain


def background_param(tool: Tool[..., object], without: Collection[Feature] = ()) -> Json:
    """Return a function as a tool of a request to a server that has background functions."""
    param = tool.as_param(without)
    if not tool.background:
        return param
    parameters: Json = {**param["parameters"]}
    parameters["properties"] = {**parameters.get("properties", {}), TASK_HANDLE: _HANDLE}
    parameters["required"] = [*parameters.get("required", []), TASK_HANDLE]
    return {**param, "parameters": parameters, "async": True}


def handle_of(arguments: str) -> str:
    """Return the handle in the arguments of a background call; "" if there is none."""
    handle = get(parse_json(arguments), TASK_HANDLE)
    return handle if isinstance(handle, str) else ""


def find_tasks(thread: Thread) -> dict[str, str]:
    """Return the call ids of the thread's background calls by their handles; of equal ones the first."""
    tasks: dict[str, str] = {}
    for message in thread.messages:
        for call in message.calls:
            if call.background and (handle := handle_of(call.arguments)):
                tasks.setdefault(handle, call.call_id)
    return tasks


def parse_handles(arguments: str) -> list[str]:
    """Return the handles in the arguments of ``wait_for_tasks``, each once."""
    handles = get(parse_json(arguments), "task_handles")
    return list(dict.fromkeys(map(str, handles))) if isinstance(handles, list) else []


def wait_result(call: ToolCall, tasks: Mapping[str, str], running: Container[str]) -> ToolResult:
    """Return the result of a call of ``wait_for_tasks``: which tasks are done, run, or do not exist."""
    handles = parse_handles(call.arguments)
    unknown = [handle for handle in handles if handle not in tasks]
    if unknown or not handles:
        known = ", ".join(tasks) or "none"
        text = (
            f"There is no task with the handle {', '.join(map(repr, unknown))}." if unknown else "Name tasks."
        )
        return ToolResult(call.call_id, error_output(f"{text} The tasks in this chat: {known}."), "invalid")
    status = {handle: "running" if tasks[handle] in running else "done" for handle in handles}
    output: Json = {"tasks": status}
    if "running" in status.values():
        output["note"] = "The user sent a message, so the wait ended. The results will follow."
    return ToolResult(call.call_id, json.dumps(output))
