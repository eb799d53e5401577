"""What a request says: its body, items, tools and metadata, or why it is refused.

Not here: what is done about it (``server.py``).
The one rule: what has passed here needs no second look; all later code trusts its shape.
"""

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2

Json = dict[str, Any]

# By kind of item: what its id begins with, and the texts it cannot do without.
ITEMS = {
    "message": ("msg", ["role"]),
    "function_call": ("fc", ["call_id", "name", "arguments"]),
    "function_call_output": ("fco", ["call_id"]),
    "reasoning": ("rs", []),
    "mcp_approval_response": ("mcpr", ["approval_request_id"]),
    **dict.fromkeys(("web_search_call", "image_generation_call"), ("ig", [])),
    **dict.fromkeys(("mcp_approval_request", "mcp_call"), ("mcp", ["name", "arguments", "server_label"])),
}
PARTS = ("input_text", "output_text", "refusal", "input_image", "input_file")


class Refusal(Exception):
    """A request that the API refuses."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def wrong(param: str, expected: str) -> Refusal:
    return Refusal(f"Invalid value for '{param}': expected {expected}.", param, "invalid_value")


def need(given: Mapping[str, Any], name: str, kind: type = str, inside: str = "") -> Any:
    """A value that must be there and of this kind."""
    value, param = given.get(name), f"{inside}.{name}" if inside else name
    if value is None:
        raise Refusal(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    if not isinstance(value, kind):
        raise wrong(param, {"str": "a string", "list": "an array"}.get(kind.__name__, "an object"))
    return value


def new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(24)}"


def body_of(request: httpx2.Request) -> Json:
    try:
        body = json.loads(request.read() or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Refusal("We could not parse the JSON body of your request. It must be a JSON object.")
    return body


def items_of(body: Json, name: str, earlier: Sequence[Json] = ()) -> list[Json]:
    """The items in a body as they are kept, each with an id; ``earlier`` are those that are there already."""
    taken = {item["id"] for item in earlier}
    items = []
    for index, given in enumerate(need(body, name, list)):
        item = _item(given, f"{name}[{index}]")
        if item["id"] in taken:
            message = f"Duplicate item found with id {item['id']}. Remove duplicate items from your input "
            raise Refusal(f"{message}and try again.", name)
        taken.add(item["id"])
        items.append(item)
    return items


def _item(given: Any, param: str) -> Json:
    if not isinstance(given, dict):
        raise wrong(param, "an object")
    kind = str(given.get("type") or ("message" if "role" in given else ""))
    if kind not in ITEMS:
        raise wrong(f"{param}.type", f"one of {', '.join(ITEMS)}")
    prefix, texts = ITEMS[kind]
    for name in texts:
        need(given, name, str, param)
    item = {"status": "completed", **given, "type": kind, "id": str(given.get("id") or new_id(prefix))}
    if kind == "message":
        item["content"] = _parts(given, "content", param)
    elif kind == "function_call_output" and not isinstance(given.get("output"), str):
        item["output"] = _parts(given, "output", param)
    return item


def _parts(given: Json, name: str, param: str) -> list[Json]:
    text = "output_text" if given.get("role") == "assistant" else "input_text"
    if isinstance(given.get(name), str):
        given = {name: [{"type": text, "text": given[name]}]}
    parts = []
    for index, part in enumerate(need(given, name, list, param)):
        where = f"{param}.{name}[{index}]"
        if not isinstance(part, dict) or part.get("type") not in PARTS:
            raise wrong(f"{where}.type", f"one of {', '.join(PARTS)}")
        if part["type"].endswith("_text"):
            need(part, "text", str, where)
        parts.append({"annotations": [], **part} if part["type"] == "output_text" else part)
    return parts


def tools_of(body: Json) -> list[Json]:
    """The tools, each with what the API adds to it."""
    tools = []
    for index, tool in enumerate(need({"tools": body.get("tools") or []}, "tools", list)):
        if not isinstance(tool, dict):
            raise wrong(f"tools[{index}]", "an object")
        if tool.get("type") == "function":
            need(tool, "name", str, f"tools[{index}]")
            need({"parameters": tool.get("parameters") or {}}, "parameters", dict, f"tools[{index}]")
        tools.append({"parameters": None, "strict": None, **tool})
    return tools


def metadata_of(body: Json) -> Json:
    metadata: Json = need({"metadata": body.get("metadata") or {}}, "metadata", dict)
    return metadata


def check_calls(items: Sequence[Json]) -> None:
    """Refuse a history in which a call has no output, or an output no call."""
    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    outputs = [item["call_id"] for item in items if item["type"] == "function_call_output"]
    for call_id in outputs:
        if call_id not in calls:
            raise Refusal(f"No tool call found for function call output with call_id {call_id}.", "input")
    for call_id in calls:
        if call_id not in outputs:
            raise Refusal(f"No tool output found for function call {call_id}.", "input")
    asked = [item["id"] for item in items if item["type"] == "mcp_approval_request"]
    for item in items:
        if item["type"] == "mcp_approval_response" and item["approval_request_id"] not in asked:
            wanted = item["approval_request_id"]
            raise Refusal(f"No approval request found with id {wanted}.", "input")
