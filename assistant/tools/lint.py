"""What a model could stumble over in functions, judged by how they are described. Pure.

Not here: what is refused at import (``schema.py``, ``tools.py``), or running anything.

The one rule: no false alarms. A remark names what is there to see, and what to write instead.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assistant.tools.schema import Json, strict_schema
from assistant.tools.toolbox import Tool, Toolbox

MOST_FUNCTIONS = 19
"""OpenAI's guide to function calling: "aim for fewer than 20 functions available at the start of a turn"."""

MOST_CHARACTERS = 1024
"""Of a function's description; Chat Completions refuse more ("string_above_max_length")."""

_VAGUE = frozenset(
    {"call", "data", "do", "exec", "execute", "foo", "func", "function", "get", "go", "handle", "helper"}
    | {"main", "process", "query", "run", "set", "test", "tool", "util"}
)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to better: the function's name, empty where all together are meant; what; and the remedy."""

    function: str
    what: str
    remedy: str


def lint(toolbox: Toolbox) -> list[Remark]:
    """Everything in these functions that a model could stumble over, in their order."""
    remarks = [remark for tool in toolbox.values() for remark in _remarks(tool)]
    if len(toolbox) > MOST_FUNCTIONS:
        what = f"There are {len(toolbox)} functions; a model chooses better among fewer than 20."
        remarks.append(Remark("", what, "Put together what is always used together, or offer fewer."))
    return remarks


def function_param(tool: Tool[..., Any]) -> Json:
    """The function as the Responses API is given it."""
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


def estimate_toolbox_tokens(toolbox: Toolbox) -> int:
    """About how many tokens every request spends on these functions."""
    return sum(
        estimate_tokens(json.dumps(function_param(tool), ensure_ascii=False)) for tool in toolbox.values()
    )


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has: one for four characters of ASCII, or for one other character.

    Every model counts in its own way; this is right to a third or so, for texts in most languages.
    """
    ascii_only = sum(character.isascii() for character in text)
    return -(-ascii_only // 4) + len(text) - ascii_only


def _remarks(tool: Tool[..., Any]) -> Iterator[Remark]:
    if len(tool.name) < 3 or tool.name.strip("_").lower() in _VAGUE:
        what = "The name does not say what the function does."
        yield Remark(tool.name, what, "Use a verb and what it is about, such as find_hotels.")
    if not tool.description:
        yield Remark(tool.name, "There is no description.", "Begin its docstring with what it does.")
    elif len(tool.description) > MOST_CHARACTERS:
        what = f"The description has {len(tool.description):,} characters; some servers take 1,024 at most."
        yield Remark(tool.name, what, "Say less, or say it at the parameters.")
    properties: Json = tool.parameters.get("properties", {})
    if silent := [name for name, given in properties.items() if not given.get("description")]:
        what = f"There is no description of {_listed(silent)}."
        yield Remark(tool.name, what, "Add a line for each under Args: in its docstring.")
    if not tool.strict:
        for name, given in properties.items():
            if strict_schema(_alone(name, given, tool.parameters)) is None:
                reason, remedy = _not_strict(given, tool.parameters.get("$defs", {}))
                yield Remark(tool.name, f"It is not strict: {name} {reason}.", remedy)


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _alone(name: str, given: Json, whole: Json) -> Json:
    """The schema of a function that has this parameter only."""
    used = {each: whole["$defs"][each] for each in sorted(_definitions(given, whole.get("$defs", {})))}
    alone = {"type": "object", "properties": {name: given}, "required": [name], "additionalProperties": False}
    return alone | ({"$defs": used} if used else {})


def _definitions(node: Any, definitions: Json) -> set[str]:
    """The names of all definitions that this part of a schema leads to."""
    found: set[str] = set()
    todo = [node]
    while todo:
        for each in _parts(todo.pop()):
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name in definitions and name not in found:
                found.add(name)
                todo.append(definitions[name])
    return found


def _parts(node: Any) -> Iterator[Json]:
    """Every object within a part of a schema, the part itself first."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _parts(child)


def _not_strict(given: Json, definitions: Json) -> tuple[str, str]:
    """Why strict mode has no words for a parameter, and what to write instead."""
    nodes = [given, *(definitions[name] for name in sorted(_definitions(given, definitions)))]
    for node in (part for each in nodes for part in _parts(each)):
        if "uniqueItems" in node:
            return "is a set", "Write a list instead."
        if "prefixItems" in node:
            return "is a tuple", "Write a list, or a class with a field for each."
        if node.get("type") == "object" and "properties" not in node:
            return "is a dictionary whose keys the model chooses", "Write a class with a field for each key."
        if node.get("additionalProperties", False) is not False:
            return "is a class that takes any other fields too", "Forbid them in its configuration."
        if "format" in node and strict_schema({"type": "string", "format": node["format"]}) is None:
            return f"has the format {node['format']!r}", "Write str, and check it in the function."
        if "enum" in node and "type" not in node:
            return "has values of several types", "Write all of them as texts, or all as numbers."
    return "has a type that can be nearly anything", "Write a narrower type."
