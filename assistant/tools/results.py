"""The text of a function's output as the model reads it, and the results of calls that did not run."""

import json
from dataclasses import replace
from typing import Any

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from assistant.events import ToolResult
from assistant.json_values import parse_json
from assistant.texts import replace_surrogates

MAX_OUTPUT_CHARS = 40_000  # maximum length of an output sent to the model, about 10,000 tokens
ALLOWED_OUTPUT = "allowed"  # the output of an approved call that a remote MCP server runs


def to_output(value: Any) -> str:
    """Return a function's return value as the model reads it: a string as it is, anything else as JSON."""
    if isinstance(value, str):
        return replace_surrogates(value)
    plain = to_jsonable_python(value, fallback=str)
    try:
        return to_json(plain, inf_nan_mode="strings").decode()
    except PydanticSerializationError:  # a lone surrogate inside, which ``json`` escapes
        return json.dumps(plain)


def truncate_output(output: str) -> tuple[str, str]:
    """Return the output cut to ``MAX_OUTPUT_CHARS``, and the full output if it was cut, else ""."""
    if len(output) <= MAX_OUTPUT_CHARS:
        return output, ""
    note = f"\n[truncated: the first {MAX_OUTPUT_CHARS:,} of {len(output):,} characters]"
    return output[:MAX_OUTPUT_CHARS] + note, output


def error_output(text: str) -> str:
    """Return the output that reports an error to the model."""
    return json.dumps({"error": text}, ensure_ascii=False)


def is_error_output(output: str) -> bool:
    """Return whether ``error_output`` wrote this output; loaded threads carry no other sign of a failure."""
    value = parse_json(output)
    return isinstance(value, dict) and list(value) == ["error"] and isinstance(value["error"], str)


def stopped_result(call_id: str) -> ToolResult:
    """Return the result of a call that a stop or a crash interrupted."""
    output = error_output("The answer was stopped or interrupted before this function returned.")
    return ToolResult(call_id, output, "stopped")


def lost_result(call_id: str) -> ToolResult:
    """Return the result of a background call that no longer runs here."""
    text = "The result of this function was lost, because the application restarted or the chat was closed."
    output = error_output(text)
    return ToolResult(call_id, output, "stopped")


def denied_result(call_id: str, reason: str = "") -> ToolResult:
    """Return the result of a call that the user denied."""
    shown, whole = truncate_output(replace_surrogates(reason.strip()))
    text = "The user did not allow this call, so the function was not run."
    return ToolResult(call_id, error_output(f"{text} Reason: {shown}" if shown else text), "denied", whole)


def skipped_result(call_id: str) -> ToolResult:
    """Return the result of a call that the user left undecided by sending another message."""
    text = "The user sent a new message instead of deciding on this call, so the function was not run."
    return ToolResult(call_id, error_output(text), "skipped")


def timeout_result(call_id: str, seconds: float) -> ToolResult:
    """Return the result of a call that exceeded its time limit."""
    output = error_output(f"The function did not return within {seconds:g} seconds.")
    return ToolResult(call_id, output, "timeout", seconds=seconds)


def with_changed_arguments(result: ToolResult, arguments: str) -> ToolResult:
    """Return the result with a note to the model that the user had replaced the arguments."""
    note = f"The user changed the arguments to {truncate_output(arguments)[0]}."
    if is_error_output(result.output):
        return replace(result, output=error_output(f"{note} {json.loads(result.output)['error']}"))
    return replace(result, output=f"{note}\n\n{result.output}")
