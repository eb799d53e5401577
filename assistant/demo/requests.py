"""Parse and validate requests: body and items. Later code relies on their shape."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.demo.items import CALL_TYPES, ITEM_TYPES, OUTPUT_TYPES, Json, new_id

PART_TYPES = ("input_text", "output_text", "refusal", "input_image", "input_file")


class Rejection(Exception):
    """The API rejects a request; ``error`` is the error object of the response."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, status: int = 400
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"message": message, "type": "invalid_request_error", "param": param, "code": code}


def invalid_value(param: str, expected: str) -> Rejection:
    """Return the rejection of a value."""
    return Rejection(f"Invalid value for '{param}': expected {expected}.", param, "invalid_value")


def require(fields: Mapping[str, Any], name: str, kind: type = str, parent: str = "") -> Any:
    """Return a required value of this type.

    Raises:
        Rejection: The value is missing or has another type.
    """
    value, param = fields.get(name), f"{parent}.{name}" if parent else name
    if value is None:
        raise Rejection(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    if not isinstance(value, kind):
        raise invalid_value(param, {"str": "a string", "list": "an array"}.get(kind.__name__, "an object"))
    return value


def parse_json(text: str | bytes) -> Json:
    """Return the JSON object of a request, ``{}`` if it is empty."""
    try:
        body = json.loads(text or "{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise Rejection("We could not parse the JSON body of your request. It must be a JSON object.")
    return body


def parse_items(body: Json, name: str, earlier: Sequence[Json] = ()) -> list[Json]:
    """Return the items of a body, each with an id that no earlier item has."""
    ids = {item["id"] for item in earlier}
    items = []
    for index, value in enumerate(require(body, name, list)):
        item = _parse_item(value, f"{name}[{index}]")
        if item["id"] in ids:
            message = f"Duplicate item found with id {item['id']}. Remove duplicate items from your input "
            raise Rejection(f"{message}and try again.", name)
        ids.add(item["id"])
        items.append(item)
    return items


def _parse_item(fields: Any, param: str) -> Json:
    if not isinstance(fields, dict):
        raise invalid_value(param, "an object")
    kind = str(fields.get("type") or ("message" if "role" in fields else ""))
    if kind not in ITEM_TYPES:
        raise invalid_value(f"{param}.type", f"one of {', '.join(ITEM_TYPES)}")
    prefix, required = ITEM_TYPES[kind]
    for name in required:
        require(fields, name, str, param)
    item = {"status": "completed", **fields, "type": kind, "id": str(fields.get("id") or new_id(prefix))}
    if kind == "message":
        item["content"] = _parse_parts(fields, "content", param)
    elif kind == "tool_search_output":
        require(fields, "tools", list, param)
    elif kind in OUTPUT_TYPES and not isinstance(fields.get("output"), str):
        item["output"] = _parse_parts(fields, "output", param)
    return item


def _parse_parts(fields: Json, name: str, param: str) -> list[Json]:
    text = "output_text" if fields.get("role") == "assistant" else "input_text"
    if isinstance(fields.get(name), str):
        fields = {name: [{"type": text, "text": fields[name]}]}
    parts = []
    for index, part in enumerate(require(fields, name, list, param)):
        where = f"{param}.{name}[{index}]"
        if not isinstance(part, dict) or part.get("type") not in PART_TYPES:
            raise invalid_value(f"{where}.type", f"one of {', '.join(PART_TYPES)}")
        if part["type"].endswith("_text"):
            require(part, "text", str, where)
        parts.append({"annotations": [], **part} if part["type"] == "output_text" else part)
    return parts


def check_calls(items: Sequence[Json]) -> None:
    """Reject a history in which a call lacks its output or an output its call.

    The output of a call in the background may come at any later time.
    """
    calls = {item["call_id"]: item for item in items if item["type"] in CALL_TYPES}
    outputs = {item["call_id"]: item for item in items if item["type"] in OUTPUT_TYPES}
    for call_id in outputs:
        if call_id not in calls:
            raise Rejection(f"No tool call found for function call output with call_id {call_id}.", "input")
    for call_id, call in calls.items():
        if call_id not in outputs and not call.get("async"):
            raise Rejection(f"No tool output found for function call {call_id}.", "input")
    for call_id, output in outputs.items():
        caller, expected = output.get("caller"), calls[call_id].get("caller")
        if output["type"] != f"{calls[call_id]['type']}_output" or (expected and caller != expected):
            raise Rejection(f"The output with call_id {call_id} does not belong to its call.", "input")
    requests = [item["id"] for item in items if item["type"] == "mcp_approval_request"]
    for item in items:
        if item["type"] == "mcp_approval_response" and item["approval_request_id"] not in requests:
            request_id = item["approval_request_id"]
            raise Rejection(f"No approval request found with id {request_id}.", "input")
