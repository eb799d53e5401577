"""Messages as JSON, and back: what a store keeps and an export holds.

Not here: where the JSON is kept (``store.py``).

The one rule: what was written comes back equal; each value is an object that names its ``type``.
"""

from dataclasses import fields, is_dataclass
from typing import Any

from .events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    ToolResult,
)
from .messages import Call, Message, Reasoning, Refusal, Remark, Text

Json = dict[str, Any]

_TYPES: dict[str, type] = {
    each.__name__: each
    for each in (
        Call,
        CallAnswered,
        CallApproved,
        CallDenied,
        Message,
        Reasoning,
        Refusal,
        Remark,
        RunCompleted,
        RunFailed,
        RunPaused,
        RunStopped,
        Text,
        ToolResult,
    )
}


def message_as_json(message: Message) -> Json:
    """The message as objects, lists, texts and numbers."""
    written: Json = _write(message)
    return written


def message_from_json(value: Json) -> Message:
    """The message that ``message_as_json`` wrote.

    Raises:
        ValueError: The value was not written by it, or by a later version of it.
    """
    try:
        message = _read(value)
    except (KeyError, TypeError) as error:
        raise ValueError(f"This is not a message: {error}") from error
    if not isinstance(message, Message):
        raise ValueError("This is not a message.")
    return message


def _write(value: Any) -> Any:
    if is_dataclass(value):
        named = {field.name: _write(getattr(value, field.name)) for field in fields(value) if field.repr}
        return {"type": type(value).__name__, **named}
    return [_write(each) for each in value] if isinstance(value, list) else value


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    if isinstance(value, dict):
        named = {name: _read(each) for name, each in value.items() if name != "type"}
        return _TYPES[value["type"]](**named)
    return value
