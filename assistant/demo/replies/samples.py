"""Sample values for a JSON schema, where a request demands JSON or a call that no rule leads to."""

import json
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

MAX_DEPTH = 5
"""Depth from which on optional parts are left out, so that a recursive schema ends."""

MAX_CHARS = 100_000
"""Maximum length of a sample as JSON: a few references in a schema can ask for any number of values."""

_STRINGS = {
    "date": "2030-01-02",
    "date-time": "2030-01-02T03:04:05Z",
    "duration": "P1D",
    "email": "ada@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "03:04:05Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample_value(schema: Any) -> Any:
    """Return a value that matches the schema, as far as its keywords other than ``pattern`` say.

    Raises:
        ValueError: It would be too large, or this is not a schema.
    """
    try:
        return _Sampler(schema).sample(schema)
    except (ArithmeticError, AttributeError, TypeError) as error:
        raise ValueError("This is not a JSON schema.") from error


class _Sampler:
    """Builds one sample, of at most ``MAX_CHARS``."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._chars_left = MAX_CHARS

    def sample(self, schema: Any, depth: int = 0) -> Any:
        self._spend(2)
        if not isinstance(schema, Mapping) or depth > 2 * MAX_DEPTH:
            return None
        if reference := schema.get("$ref"):
            return self.sample(_resolve(reference, self._root), depth + 1)
        if "const" in schema or schema.get("enum"):
            constant = schema["const"] if "const" in schema else schema["enum"][0]
            self._spend(len(json.dumps(constant)))
            return constant
        if branches := schema.get("anyOf") or schema.get("oneOf"):
            nullable = {"type": "null"} in branches
            if nullable and depth > MAX_DEPTH:
                return None
            return self.sample(next((each for each in branches if each != {"type": "null"}), None), depth + 1)
        match _type(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                length = max(schema.get("minItems", 0), int(depth < MAX_DEPTH))
                return [self.sample(schema.get("items", {}), depth + 1) for _ in range(length)]
            case "string":
                text = str(_STRINGS.get(schema.get("format", ""), "sample"))
                self._spend(max(len(text), schema.get("minLength", 0)))
                return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
            case "integer" | "number" as kind:
                return _number(schema, kind)
            case "boolean":
                return True
        return None

    def _object(self, schema: Schema, depth: int) -> dict[str, Any]:
        required, fields = schema.get("required") or (), dict[str, Any]()
        for name, child in (schema.get("properties") or {}).items():
            if name in required or depth < MAX_DEPTH:
                self._spend(len(name))
                fields[name] = self.sample(child, depth + 1)
        return fields

    def _spend(self, chars: int) -> None:
        self._chars_left -= chars
        if self._chars_left < 0:
            raise ValueError(f"A sample of it has more than {MAX_CHARS} characters.")


def _type(schema: Schema) -> str:
    kinds = schema.get("type") or ("object" if "properties" in schema else "")
    names = [kinds] if isinstance(kinds, str) else kinds
    return next((str(name) for name in names if name != "null"), "")


def _number(schema: Schema, kind: str) -> float:
    """Return a number in the range of the schema: 1 if possible, else one at or between its bounds."""
    step = schema.get("multipleOf", 1)
    names = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    bounds = [schema[name] for name in names if name in schema]
    candidates = [
        1,
        step,
        *(-(-bound // step) * step + each for bound in bounds for each in (0, step, -step)),
    ]
    if kind == "number" and "multipleOf" not in schema:
        candidates += [*bounds, sum(bounds) / max(len(bounds), 1)]
    return next((each for each in candidates if _fits(each, schema)), 1)


def _fits(number: float, schema: Schema) -> bool:
    return bool(
        number % schema.get("multipleOf", number or 1) == 0
        and schema.get("minimum", number) <= number <= schema.get("maximum", number)
        and schema.get("exclusiveMinimum", number - 1) < number < schema.get("exclusiveMaximum", number + 1)
    )


def _resolve(reference: str, root: Schema) -> Any:
    """Return what a reference within the schema points to."""
    found: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        if name:
            found = (
                found.get(name.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
            )
    return found
