"""Convert messages and branches to JSON values and back.

A field that equals its default is left out, so the defaults of stored types are part of the format.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import CoreConfig, SchemaValidator

from assistant.json_values import Json
from assistant.messages import Message
from assistant.request_options import RequestOptions, check_options
from assistant.threads import Branch, Branches

_STRICT = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
_CORE_STRICT = CoreConfig(strict=True, extra_fields_behavior="forbid", allow_inf_nan=False)
_MAX_FLOAT = 1e18
_EXCLUDED = {"__all__": {"_round", "_break"}}  # only used while a message grows


def message_as_json(message: Message) -> Json:
    """Return the message as a JSON object."""
    values: list[Json] = _adapter(Message).dump_python([message], exclude_defaults=True, exclude=_EXCLUDED)
    return values[0]


def message_from_json(value: Json) -> Message:
    """Return the message that ``message_as_json`` converted.

    Raises:
        ValueError: The value is not a message of this version.
    """
    message: Message = _load(Message, [value], "message")[0]
    return message


def options_as_json(options: RequestOptions) -> Json:
    """Return a thread's request options as a JSON object."""
    values: list[Json] = _adapter(RequestOptions).dump_python([options], mode="json", exclude_defaults=True)
    return values[0]


def options_from_json(value: Json) -> RequestOptions:
    """Return the request options that ``options_as_json`` converted.

    Raises:
        ValueError: The value is not one of this version, or it cannot be sent.
    """
    options: RequestOptions = _load(RequestOptions, [value], "request")[0]
    check_options(options)
    return options


@dataclass(frozen=True, slots=True)
class _StoredBranch:
    """A closed branch, in a flat list.

    within         index of the branch in which this one starts; None for the thread itself
    position       position of its first message in the thread, as if it were open
    number         its number among the branches at that position; the missing number is the open branch's
    messages       its messages from that position on, as they were when it was last open
    backend_state  the backend's data
    """

    within: int | None
    position: int
    number: int
    messages: list[Message]
    backend_state: dict[str, Any]


def branches_as_json(branches: Branches) -> list[Json]:
    """Return all closed branches as a flat list of JSON objects, see ``_StoredBranch``."""
    values: list[Json] = []
    pending: list[tuple[int | None, Branches]] = [(None, branches)]
    for within, level in pending:
        for position, siblings in level.items():
            for number, branch in siblings.items():
                pending.append((len(values), branch.branches))
                values.append(
                    {
                        "within": within,
                        "position": position,
                        "number": number,
                        "messages": [message_as_json(message) for message in branch.messages],
                        "backend_state": branch.backend_state,
                    }
                )
    return values


def branches_from_json(values: list[Json], length: int) -> Branches:
    """Return the branches that ``branches_as_json`` converted, of a thread with ``length`` messages.

    Raises:
        ValueError: The values are not branches of such a thread.
    """
    stored: list[_StoredBranch] = _load(_StoredBranch, values, "branch")
    branches: Branches = {}
    levels = [branches]
    parents: list[tuple[int, int, Branch]] = []  # a branch, and the range of positions inside it
    for item in stored:
        first, end, level = 0, length, branches
        if item.within is not None:
            if not 0 <= item.within < len(parents):
                raise ValueError("A branch starts in an unknown branch.")
            first, end, parent = parents[item.within]
            level = parent.branches
        if not first <= item.position < end or not item.messages:
            raise ValueError("A branch is not of this thread.")
        branch = Branch(item.messages, item.backend_state)
        level.setdefault(item.position, {})[item.number] = branch
        levels.append(branch.branches)
        parents.append((item.position + 1, item.position + len(item.messages), branch))
    siblings = [group for level in levels for group in level.values()]
    is_numbered = all(min(group) >= 0 and max(group) <= len(group) for group in siblings)
    if sum(map(len, siblings)) < len(stored) or not is_numbered:
        raise ValueError("A branch is missing or occurs twice.")
    return branches


def _load(kind: Any, values: Any, name: str) -> list[Any]:
    try:
        loaded: list[Any] = _adapter(kind).validate_python(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = "".join(f"{part}: " for part in first["loc"][1:])
        raise ValueError(f"This is not a {name}: {place}{first['msg']}") from error
    return loaded


@cache
def _adapter(kind: Any) -> TypeAdapter[list[Any]]:
    """Return the adapter of a list. It is strict about values, but accepts JSON objects and arrays."""
    adapter = TypeAdapter(list[kind], config=_STRICT)
    _adapt_to_json(adapter.core_schema)
    adapter.validator = SchemaValidator(adapter.core_schema, _CORE_STRICT)
    return adapter


def _adapt_to_json(schema: Any) -> None:
    """Make strict validation accept an object for a dataclass and a list for a tuple, and limit numbers."""
    if isinstance(schema, dict):
        if schema.get("type") in ("dataclass", "tuple"):
            schema["strict"] = False
        elif schema.get("type") == "float":
            schema |= {"gt": -_MAX_FLOAT, "lt": _MAX_FLOAT}
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            _adapt_to_json(item)
