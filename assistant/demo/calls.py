"""Calls: the functions that a request offers, calls of them, and plans made of calls.

Not here: how a message becomes a plan (``written.py``, ``questions.py``).
The one rule: the same message and functions give the same plan every time, so that the calls made since
tell how far it has come, and nothing has to be remembered.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CHOSEN = "?"
"""Stands for a city that is known only when the weather is: the warmer or the colder one."""

MOST_CALLS = 20
"""Calls that one round may have."""

SAMPLES: dict[str, Any] = {"integer": 2, "number": 1.5, "boolean": True, "array": [], "object": {}}


@dataclass(frozen=True, slots=True)
class Call:
    """A function to call."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds of calls, one after the other; those of one round are made side by side."""

    rounds: Sequence[Sequence[Call]] = ()
    preface: str = ""
    warmer: bool | None = None
    """Whether the warmer (True) or the colder city is wanted (False), or nothing is compared."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a function, as far as its schema is understood."""

    types: Sequence[str]
    choices: Sequence[Any]
    needed: bool

    @classmethod
    def of(cls, schema: Any, required: bool) -> "Parameter":
        every = [schema, *(schema.get("anyOf") or ())] if isinstance(schema, dict) else []
        variants = [each for each in every if isinstance(each, dict)]
        types = [kind for each in variants for kind in _listed(each.get("type"))]
        choices = [value for each in variants for value in (each.get("enum") or ()) if value is not None]
        return cls(types, choices, required and "null" not in types)


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a request offers."""

    name: str
    description: str
    parameters: Mapping[str, Parameter]
    strict: bool

    @classmethod
    def of(cls, tool: Mapping[str, Any]) -> "Function":
        schema = tool.get("parameters") or {}
        required = schema.get("required") or ()
        properties = schema.get("properties") or {}
        parameters = {name: Parameter.of(each, name in required) for name, each in properties.items()}
        return cls(tool["name"], str(tool.get("description") or ""), parameters, bool(tool.get("strict")))

    def call(self, given: Mapping[str, Any]) -> Call:
        """A call, its arguments in the schema's order; in strict mode what may be null is never left out."""
        known = (
            name
            for name, parameter in self.parameters.items()
            if name in given or (self.strict and "null" in parameter.types)
        )
        return Call(self.name, {name: given.get(name) for name in known} | dict(given))

    def example(self) -> str:
        """How a call may be written."""
        given = []
        for name, parameter in self.parameters.items():
            if parameter.needed:
                values = [*parameter.choices, *(SAMPLES.get(kind, "…") for kind in parameter.types), "…"]
                given.append(f"{name}={json.dumps(values[0], ensure_ascii=False)}")
        return f"{self.name}({', '.join(given)})"


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
