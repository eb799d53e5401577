"""The items of requests and responses: their types, how they are made, and their text."""

import json
import re
import secrets
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]

# The id prefix and the required strings of each type of item.
ITEM_TYPES = {
    "message": ("msg", ["role"]),
    "function_call": ("fc", ["call_id", "name", "arguments"]),
    "function_call_output": ("fco", ["call_id"]),
    "reasoning": ("rs", []),
    "mcp_approval_request": ("mcpr", ["name", "arguments", "server_label"]),
    "mcp_approval_response": ("mcpr", ["approval_request_id"]),
    "mcp_call": ("mcp", ["name", "arguments", "server_label"]),
    "compaction": ("cmp", ["encrypted_content"]),
    "code_interpreter_call": ("ci", ["container_id"]),
    "custom_tool_call": ("ctc", ["call_id", "name", "input"]),
    "custom_tool_call_output": ("ctco", ["call_id"]),
    "program": ("prg", ["call_id", "code", "fingerprint"]),
    "program_output": ("prgo", ["call_id", "result"]),
    "tool_search_call": ("tsc", []),
    "tool_search_output": ("tso", []),
    "web_search_call": ("ws", []),
    "image_generation_call": ("ig", []),
}
CALL_TYPES = {"function_call": "arguments", "custom_tool_call": "input"}
"""The types of items that are calls, each with the field that holds what the model wrote."""

OUTPUT_TYPES = ("function_call_output", "custom_tool_call_output")

_TEXT_FIELDS = ("content", "arguments", "input", "code", "output", "result")

_TOKEN = re.compile("\\s*(?:[\u3040-\u9fff\uff00-\uffef]{1,2}|[^\\s\u3040-\u9fff\uff00-\uffef]{1,6})|\\s+")


def new_id(prefix: str) -> str:
    """Return a random id."""
    return f"{prefix}_{secrets.token_hex(24)}"


def new_item(kind: str, **fields: object) -> Json:
    """Return an item of this type with a new id."""
    return {"id": new_id(ITEM_TYPES[kind][0]), "type": kind, **fields}


def new_message(part: Json, phase: str = "final_answer") -> Json:
    """Return a message of the model with this content."""
    return new_item("message", status="completed", role="assistant", phase=phase, content=[part])


def new_text(text: str, annotations: Sequence[Json] = (), phase: str = "final_answer") -> Json:
    """Return a message of the model with this text."""
    part = {"type": "output_text", "text": text, "annotations": list(annotations), "logprobs": []}
    return new_message(part, phase)


def new_call(kind: str, name: str, written: str) -> Json:
    """Return a call of a type in ``CALL_TYPES``; ``written`` is what the model wrote."""
    fields = {"call_id": new_id("call"), "name": name, CALL_TYPES[kind]: written}
    return new_item(kind, status="completed", **fields)


def item_text(item: Json) -> str:
    """Return the text, arguments, input, code or output of an item."""
    content = next((item[name] for name in _TEXT_FIELDS if item.get(name)), "")
    if isinstance(content, str):
        return content
    if isinstance(content, dict):
        return json.dumps(content, ensure_ascii=False)
    texts = (part.get("text") or part.get("refusal") for part in content)
    return "\n".join(str(text) for text in texts if text)


def split_tokens(text: str) -> list[str]:
    """Split a text into pieces of about a token's size."""
    return _TOKEN.findall(text)
