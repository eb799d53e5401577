"""Messages as JSON, and back: what a store keeps and an export holds.

Not here: where the JSON is kept (``store.py``).

The one rule: what was written comes back equal; each value is an object that names its ``type``.
"""

from dataclasses import fields, is_dataclass
from typing import Any

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    HostedCall,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    ToolResult,
    Usage,
    View,
)
from assistant.messages import Attachment, Call, Message, Reasoning, Refusal, Remark, Text
from assistant.run_stats import Feedback, RunStats
from assistant.threads import Branch, Branches

Json = dict[str, Any]

_TYPES: dict[str, type] = {
    each.__name__: each
    for each in (
        Attachment,
        Call,
        CallAnswered,
        CallApproved,
        CallDenied,
        Citation,
        RunStats,
        HostedCall,
        Message,
        Feedback,
        Reasoning,
        Refusal,
        Remark,
        RunCompleted,
        RunFailed,
        RunPaused,
        RunStopped,
        Text,
        ToolResult,
        Usage,
        View,
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


def branches_as_json(branches: Branches) -> list[Json]:
    """All branches that are not open, one object each, in a flat list: they may be inside one another.

    within    the place in the list of the branch in which this one begins; null for the thread itself
    position  the position of its first message in the thread, as if it were open
    number    which of the ways on at that position it is; the number that is missing there is the open one's
    messages  what was said in it, from there on, as it was when it was last open
    backend_state  the backend's own notes and items
    """
    written: list[Json] = []
    waiting: list[tuple[int | None, Branches]] = [(None, branches)]
    for within, inside in waiting:
        for position, number, branch in _placed(inside):
            waiting.append((len(written), branch.branches))
            written.append(
                {
                    "within": within,
                    "position": position,
                    "number": number,
                    "messages": [message_as_json(message) for message in branch.messages],
                    "backend_state": branch.backend_state,
                }
            )
    return written


def branches_from_json(values: list[Json], length: int) -> Branches:
    """The branches that ``branches_as_json`` wrote, of a thread with so many messages.

    Raises:
        ValueError: The values were not written by it, or belong to another thread.
    """
    branches: Branches = {}
    read: list[tuple[int, int, Branch]] = []  # each with the positions that others may begin at inside
    try:
        for value in values:
            within, position, number = value["within"], value["position"], value["number"]
            messages = [message_from_json(each) for each in value["messages"]]
            branch = Branch(messages, value.get("backend_state") or {})
            first, end, inside = 0, length, branches
            if within is not None:
                first, end, parent = read[_whole(within, len(read))]
                inside = parent.branches
            if _whole(position, end) < first or not messages:
                raise ValueError("This is not a branch of this thread.")
            inside.setdefault(position, {})[_whole(number, len(values) + 1)] = branch
            read.append((position + 1, position + len(messages), branch))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"This is not a branch: {error}") from error
    everywhere = [branches, *(branch.branches for _, _, branch in read)]
    places = [others for inside in everywhere for others in inside.values()]
    if sum(map(len, places)) < len(values) or any(max(others) > len(others) for others in places):
        raise ValueError("These are not all the branches that there were.")
    return branches


def _placed(branches: Branches) -> list[tuple[int, int, Branch]]:
    return [(place, number, each) for place in branches for number, each in branches[place].items()]


def _whole(value: Any, end: int) -> int:
    """The value, if it is a whole number from 0 up to, but not including, ``end``."""
    if type(value) is not int or not 0 <= value < end:
        raise ValueError("This is not a branch: a number is missing or out of range.")
    return value


def _write(value: Any) -> Any:
    if is_dataclass(value):
        # What is about a value, and no part of it, is written where there is something.
        given = [
            f
            for f in fields(value)
            if f.repr and ((f.compare and "sparse" not in f.metadata) or getattr(value, f.name) != f.default)
        ]
        named = {field.name: _write(getattr(value, field.name)) for field in given}
        return {"type": type(value).__name__, **named}
    return [_write(each) for each in value] if isinstance(value, list | tuple) else value


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return [_read(each) for each in value]
    if isinstance(value, dict):
        named = {name: _read(each) for name, each in value.items() if name != "type"}
        if "views" in named:  # what is frozen has no lists
            named["views"] = tuple(named["views"])
        return _TYPES[value["type"]](**named)
    return value
