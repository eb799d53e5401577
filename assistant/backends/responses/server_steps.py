"""What the server of the Responses API does between the model's messages: programs, and searches for functions.

A program's calls come in the responses after it; its output comes when it has their results. Both are read as
hosted calls. Pure: no requests.
"""

import json
from typing import Literal

from assistant.backends.json_access import JsonObject, object_at, objects_at, text_at
from assistant.events import HostedCall
from assistant.tools.results import truncate_output

STEP_KINDS = frozenset({"program", "program_output", "tool_search_call", "tool_search_output"})
"""The types of these items."""


def is_step(item: JsonObject) -> bool:
    """Return whether an item is a step of the server; some searches are for the application to do."""
    return text_at(item, "type") in STEP_KINDS and item.get("execution") != "client"


def step_call(item: JsonObject, newest_search: str) -> HostedCall:
    """Return the step in an item for which ``is_step`` holds, so far.

    ``newest_search`` is the id of the last search for functions, because a search's result names none.
    """
    call_id = text_at(item, "call_id") or text_at(item, "id")
    state: Literal["done", "failed"] = "failed" if text_at(item, "status") == "incomplete" else "done"
    match item.get("type"):
        case "program":
            return HostedCall(call_id, "program", input=text_at(item, "code"))
        case "program_output":
            output = truncate_output(text_at(item, "result"))[0]
            return HostedCall(call_id, "program", output=output, state=state)
        case "tool_search_call":
            return HostedCall(call_id, "tool_search", input=_searched(item.get("arguments")))
    found = "\n".join(line for tool in objects_at(item, "tools") for line in _loaded(tool))
    call_id = text_at(item, "call_id") or newest_search or call_id
    return HostedCall(call_id, "tool_search", output=truncate_output(found)[0], state=state)


def program_of(item: JsonObject) -> str:
    """Return the id of the program that made a call; "" if the model itself made it."""
    caller = object_at(item, "caller")
    return text_at(caller, "caller_id") if caller.get("type") == "program" else ""


def caller_of(item: JsonObject) -> JsonObject:
    """Return the field that the output of a call has to repeat, so that it reaches its program."""
    return {"caller": item["caller"]} if isinstance(item.get("caller"), dict) else {}


def _searched(arguments: object) -> str:
    """Return what a search looked for, a line for each: the names of namespaces, or a query."""
    if not isinstance(arguments, dict):
        return "" if arguments is None else str(arguments)
    values = arguments.get("paths") or arguments.get("query") or (json.dumps(arguments) if arguments else "")
    return "\n".join(map(str, values)) if isinstance(values, list) else str(values)


def _loaded(tool: JsonObject, prefix: str = "") -> list[str]:
    """Return a line for each function that was loaded, with the first line of its description."""
    name = prefix + (text_at(tool, "name") or text_at(tool, "server_label") or text_at(tool, "type"))
    if tool.get("type") == "namespace":
        return [line for each in objects_at(tool, "tools") for line in _loaded(each, f"{name}.")]
    description = text_at(tool, "description").partition("\n")[0]
    return [f"{name}: {description}" if description else name]
