"""Sample values for a JSON schema, where a request demands JSON or a call that no rule leads to."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

MAX_DEPTH = 5
"""Depth from which on optional parts are left out, so that a recursive schema ends."""

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


def sample_value(schema: Any, root: Schema | None = None, depth: int = 0) -> Any:
    """Return a value that matches the schema, as far as its keywords other than ``pattern`` say."""
    if not isinstance(schema, Mapping):
        return None
    root = schema if root is None else root
    if depth > 2 * MAX_DEPTH:
        return None
    if reference := schema.get("$ref"):
        return sample_value(_resolve(reference, root), root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        nullable = {"type": "null"} in branches
        if nullable and depth > MAX_DEPTH:
            return None
        return sample_value(
            next((each for each in branches if each != {"type": "null"}), None), root, depth + 1
        )
    match _type(schema):
        case "object":
            required = schema.get("required") or ()
            children = (schema.get("properties") or {}).items()
            return {
                name: sample_value(child, root, depth + 1)
                for name, child in children
                if name in required or depth < MAX_DEPTH
            }
        case "array":
            length = max(schema.get("minItems", 0), int(depth < MAX_DEPTH))
            return [sample_value(schema.get("items", {}), root, depth + 1) for _ in range(length)]
        case "string":
            text = str(_STRINGS.get(schema.get("format", ""), "sample"))
            return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength")]
        case "integer" | "number" as kind:
            return _number(schema, kind)
        case "boolean":
            return True
    return None


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
