"""The functions of a request, calls of them, and plans of calls.

The same message and functions lead to the same plan, so the calls since the message show how far the plan has
come, and the demo stores no state.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHOSEN_CITY = "?"
"""Placeholder for the warmer or colder city, until the weather is known."""

MAX_CALLS = 20
"""Maximum number of calls in a round."""

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

    @classmethod
    def from_tool(cls, tool: Mapping[str, Any]) -> "Function":
        """Read a function tool of a request."""
        schema = tool.get("parameters") or {}
        required = schema.get("required") or ()
        properties = schema.get("properties") or {}
        parameters = {
            name: Parameter.from_schema(item, name in required) for name, item in properties.items()
        }
        return cls(tool["name"], str(tool.get("description") or ""), parameters, bool(tool.get("strict")))

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
                    *parameter.choices,
                    *(SAMPLE_VALUES.get(kind, "…") for kind in parameter.types),
                    "…",
                ]
                arguments.append(f"{name}={json.dumps(values[0], ensure_ascii=False)}")
        return f"{self.name}({', '.join(arguments)})"


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
