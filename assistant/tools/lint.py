"""Warn about descriptions and schemas of functions that a model is likely to misunderstand.

There are no false alarms: a warning names what is visible in the function, and what to write instead.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from assistant.json_values import Json
from assistant.locale import N_
from assistant.texts import estimate_tokens
from assistant.tools.schema import why_not_strict
from assistant.tools.toolbox import Tool, Toolbox

MAX_FUNCTIONS = 19
"""OpenAI's guide to function calling: "aim for fewer than 20 functions available at the start of a turn"."""

MAX_DESCRIPTION_CHARS = 1024
"""Chat Completions refuse longer descriptions of functions ("string_above_max_length")."""

_VAGUE_NAMES = frozenset(
    {"call", "data", "do", "exec", "execute", "foo", "func", "function", "get", "go", "handle", "helper"}
    | {"main", "process", "query", "run", "set", "test", "tool", "util"}
)


@dataclass(frozen=True, slots=True)
class LintWarning:
    """A problem and a suggestion; ``function`` is empty if they concern the whole toolbox."""

    function: str
    problem: str
    suggestion: str


def lint(toolbox: Toolbox) -> list[LintWarning]:
    """Return the warnings about these functions, in the functions' order."""
    warnings = [warning for tool in toolbox.values() for warning in _warnings(tool)]
    if len(toolbox) > MAX_FUNCTIONS:
        problem = N_(
            "There are {count} functions; a model chooses better among fewer than 20.", count=len(toolbox)
        )
        warnings.append(
            LintWarning("", problem, N_("Merge functions that are used together, or offer fewer."))
        )
    return warnings


def estimate_toolbox_tokens(toolbox: Toolbox) -> int:
    """Return about how many tokens these functions add to every request."""
    return sum(map(estimate_tool_tokens, toolbox.values()))


def estimate_tool_tokens(tool: Tool[..., Any]) -> int:
    """Return about how many tokens a function adds to every request; the model reads no parameters before a search."""
    param = tool.as_param()
    if tool.offer.load_when_needed:
        param = {"name": tool.name, "description": tool.description}
    return estimate_tokens(json.dumps(param, ensure_ascii=False))


def _warnings(tool: Tool[..., Any]) -> Iterator[LintWarning]:
    if len(tool.name) < 3 or tool.name.strip("_").lower() in _VAGUE_NAMES:
        problem = N_("The name does not say what the function does.")
        yield LintWarning(tool.name, problem, N_("Use a verb and an object, such as find_hotels."))
    if not tool.description:
        problem = N_("There is no description.")
        yield LintWarning(tool.name, problem, N_("Begin the docstring with what the function does."))
    elif len(tool.description) > MAX_DESCRIPTION_CHARS:
        problem = N_(
            "The description has {count:,} characters; some servers accept at most 1,024.",
            count=len(tool.description),
        )
        yield LintWarning(tool.name, problem, N_("Shorten it, or move details to the parameters."))
    if tool.offer.programs and not tool.output_schema:
        problem = N_("Programs may call it, but they do not know what it returns.")
        yield LintWarning(tool.name, problem, N_("Add a return type, such as list[dict[str, int]]."))
    if tool.offer.programs and tool.approval:
        problem = N_("A program that calls it waits for the user's approval.")
        yield LintWarning(tool.name, problem, N_("Let only the model call it, without programs=True."))
    if tool.offer.namespace and not tool.offer.load_when_needed:
        problem = N_("It is in a namespace, but it is sent with every request.")
        yield LintWarning(tool.name, problem, N_("Add load_when_needed=True."))
    properties: Json = tool.parameters.get("properties", {})
    if undescribed := [name for name, schema in properties.items() if not schema.get("description")]:
        problem = N_("No description: {parameters}.", parameters=", ".join(undescribed))
        yield LintWarning(tool.name, problem, N_("Add a line per parameter under Args: in the docstring."))
    if not tool.strict:
        for name, schema in properties.items():
            if error := why_not_strict(schema, tool.parameters):
                sentence, suggestion = _NOT_STRICT[error.reason]
                yield LintWarning(tool.name, sentence.with_params(name=name, format=error.detail), suggestion)


_NOT_STRICT = {
    "set": (N_("Not strict: {name} is a set."), N_("Use a list.")),
    "tuple": (N_("Not strict: {name} is a tuple."), N_("Use a list, or a class with a field for each item.")),
    "keys": (
        N_("Not strict: {name} is a dictionary with arbitrary keys."),
        N_("Use a class with a field for each key."),
    ),
    "extra": (
        N_("Not strict: {name} is a class that allows extra fields."),
        N_("Forbid extra fields in its configuration."),
    ),
    "format": (
        N_("Not strict: {name} has the format “{format}”."),
        N_("Use str, and check it in the function."),
    ),
    "mixed": (
        N_("Not strict: {name} has values of several types."),
        N_("Make all values strings, or all numbers."),
    ),
    "any": (N_("Not strict: {name} can be almost anything."), N_("Use a narrower type.")),
}
"""The problem with a parameter, and a suggestion, by the reason why it is not strict."""
