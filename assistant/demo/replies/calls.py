"""The functions of a request, plans of calls, and calls that the user writes, such as ``get_weather("Oslo")``.

The same message and functions lead to the same plan, so the calls since the message show how far the plan has
come, and the demo stores no state. Arguments of a written call are literals that JSON can express; nothing is
computed or guessed.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from assistant.demo.replies import phrases, vocabulary

CHOSEN = "?"
"""Placeholder for a city or hotel that the results of earlier calls decide."""

TEXT = "input"
"""The argument of a custom tool."""

TASK_HANDLE = "task_handle"
"""The argument by which a model names a call in the background."""

MAX_CALLS = 20
"""Maximum number of calls in a round."""

OPENING = re.compile(r"(?<![\w-])([\w-]++)[(（]", re.ASCII)
TOKEN = re.compile(r"\\.|\w+|.", re.DOTALL)
QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "「": "」", "『": "』", "＂": "＂"}
ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\", "\\/": "/", '\\"': '"', "\\'": "'"}
PYTHON_TOKENS = {"true": "True", "false": "False", "null": "None"} | dict(
    zip("（），、＝：［］｛｝　", "(),,=:[]{} ", strict=True)
)

SAMPLE_VALUES: dict[str, Any] = {"integer": 2, "number": 1.5, "boolean": True, "array": [], "object": {}}


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds of calls; the calls of one round are parallel."""

    rounds: Sequence[Sequence[Call]] = ()
    preface: str = ""
    warmer: bool | None = None
    """Whether the warmer city (True), the colder one (False) or none is chosen."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a function, as far as the demo understands its schema."""

    types: Sequence[str]
    choices: Sequence[Any]
    required: bool

    @classmethod
    def from_schema(cls, schema: Any, required: bool) -> "Parameter":
        """Read the types and choices of a schema and of its ``anyOf``."""
        candidates = [schema, *(schema.get("anyOf") or ())] if isinstance(schema, dict) else []
        variants = [variant for variant in candidates if isinstance(variant, dict)]
        types = [name for variant in variants for name in _as_list(variant.get("type"))]
        choices = [
            value for variant in variants for value in (variant.get("enum") or ()) if value is not None
        ]
        return cls(types, choices, required and "null" not in types)


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a request."""

    name: str
    description: str
    parameters: Mapping[str, Parameter]
    strict: bool
    background: bool = False

    @classmethod
    def from_tool(cls, tool: Mapping[str, Any]) -> "Function":
        """Read a function or a custom tool of a request; free text is the one argument of the latter."""
        if tool["type"] == "custom":
            text = Parameter(["string"], [], required=True)
            return cls(tool["name"], str(tool.get("description") or ""), {TEXT: text}, strict=False)
        schema = tool.get("parameters") or {}
        required = schema.get("required") or ()
        properties = schema.get("properties") or {}
        parameters = {
            name: Parameter.from_schema(item, name in required)
            for name, item in properties.items()
            if name != TASK_HANDLE
        }
        description, background = str(tool.get("description") or ""), bool(tool.get("async"))
        return cls(tool["name"], description, parameters, bool(tool.get("strict")), background)

    def call(self, arguments: Mapping[str, Any]) -> Call:
        """Return a call with the arguments in the schema's order; strict mode adds nullable ones as null."""
        names = (
            name
            for name, parameter in self.parameters.items()
            if name in arguments or (self.strict and "null" in parameter.types)
        )
        return Call(self.name, {name: arguments.get(name) for name in names} | dict(arguments))

    def example(self) -> str:
        """Return a call as a user can write it."""
        arguments = []
        for name, parameter in self.parameters.items():
            if parameter.required:
                values = [
                    *(["Oslo"] if name == "city" else []),
                    *parameter.choices,
                    *(SAMPLE_VALUES.get(kind, "…") for kind in parameter.types),
                    "…",
                ]
                arguments.append(f"{name}={json.dumps(values[0], ensure_ascii=False)}")
        return f"{self.name}({', '.join(arguments)})"


def list_names(functions: Mapping[str, Function]) -> str:
    """Return the names of the functions in one line."""
    return ", ".join(f"`{name}`" for name in functions) or "–"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def plan_written_calls(text: str, functions: Mapping[str, Function]) -> Plan | str | None:
    """Return the plan of the calls in a text, a sentence if they are invalid, or None if there are none."""
    sentences = phrases.SENTENCES[vocabulary.language_of(text)]
    rounds: list[list[Call]] = [[]]
    end = 0
    for name, arguments, start, stop in islice(_scan(text), MAX_CALLS):
        parsed = _parse_arguments(arguments)
        function = functions.get(name)
        if function is None:
            line = text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0]
            if parsed is not None and line.strip(" \t\r`;.。") == text[start:stop]:
                return sentences["unknown"].format(name=name, names=list_names(functions))
            continue  # prose that looks like a call
        if parsed is None:
            return sentences["unreadable"].format(name=name, example=function.example())
        if rounds[-1] and vocabulary.THEN.search(text, end, start):
            rounds.append([])
        rounds[-1].append(function.call(_bind(function, *parsed)))
        end = stop
    return Plan(rounds) if rounds[0] else None


def _scan(text: str) -> Iterator[tuple[str, str, int, int]]:
    """Yield every outermost ``name(…)``: the name, the arguments in Python syntax, start and end."""
    end = 0
    while opening := OPENING.search(text, end):
        depth, arguments, quoted, closing_quote = 1, [], "", ""
        for match in TOKEN.finditer(text, opening.end()):
            token = match[0]
            if closing_quote and token != closing_quote:
                quoted += ESCAPES.get(token, token)
                continue
            if closing_quote:
                token, closing_quote = repr(quoted), ""
            elif token in QUOTES:
                quoted, closing_quote = "", QUOTES[token]
                continue
            token = PYTHON_TOKENS.get(token, token)
            depth += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
            if not depth:
                break
            arguments.append(token)
        if depth:
            return  # an unclosed call contains the remaining text
        end = match.end()
        yield opening[1], "".join(arguments), opening.start(), end


def _parse_arguments(arguments: str) -> tuple[list[Any], dict[str, Any]] | None:
    """Return positional and keyword arguments, or None if they are not literals that JSON can express."""
    try:
        call = ast.parse(f"call({arguments}\n)", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        positional = [ast.literal_eval(argument) for argument in call.args]
        keywords = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        positional, keywords = json.loads(json.dumps([positional, keywords], allow_nan=False))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return positional, keywords


def _bind(function: Function, positional: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """Return all arguments by name; positional ones are in the schema's order."""
    names = list(function.parameters)
    match positional:
        case [dict() as arguments] if arguments.keys() <= function.parameters.keys():
            return arguments | keywords
    names += [f"argument_{index + 1}" for index in range(len(names), len(positional))]
    return dict(zip(names, positional, strict=False)) | keywords
