"""Argument validation agrees with the JSON Schema Test Suite, for the keywords that our schemas use.

Each schema of the suite becomes a type, as the author of a function would write it, and each of its cases an argument.
A type says more than such a schema: ``{"minimum": 1}`` allows any text, ``Annotated[float, Field(ge=1)]`` none. So only
cases of the JSON types that the keyword is about are compared.
"""

import json
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import pytest
from pydantic import ConfigDict, Field, ValidationError, create_model

from assistant import tool
from tests.downloads import npm_package

pytestmark = pytest.mark.exhaustive

Json = dict[str, Any]

TYPES: Json = {
    "integer": int,
    "number": float,
    "string": str,
    "boolean": bool,
    "null": None,
    "array": list[Any],
    "object": dict[str, Any],
}
# Keywords that constrain a value: the JSON type they are about, and the argument of ``Field`` that does the same.
CONSTRAINTS = {
    "minimum": ("number", "ge"),
    "maximum": ("number", "le"),
    "multipleOf": ("number", "multiple_of"),
    "minLength": ("string", "min_length"),
    "maxLength": ("string", "max_length"),
    "pattern": ("string", "pattern"),
    "minItems": ("array", "min_length"),
    "maxItems": ("array", "max_length"),
}
ABOUT = {keyword: kind for keyword, (kind, _) in CONSTRAINTS.items()} | {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
}
KEYWORDS = {*ABOUT, "type", "enum", "anyOf", "$ref", "definitions", "exclusiveMinimum", "exclusiveMaximum"}

# Validation converts what has a clear meaning, as pydantic does: true is 1 for a number, and 1 is true for a boolean.
LENIENT = {
    "type: multiple types can be specified in an array: a boolean is invalid",
    "type: number type matches numbers: a boolean is not a number",
    "type: integer type matches integers: a boolean is not an integer",
    "type: boolean type matches booleans: an integer is not a boolean",
    "additionalProperties: additionalProperties can exist by itself: an additional invalid property is invalid",
    "ref: relative pointer ref to object: mismatch",
}


class Inexpressible(Exception):
    """No type of Python has this schema."""


def type_of(schema: Any, root: Json) -> Any:
    """Return the type that the author of a function would write for a schema."""
    if not isinstance(schema, dict) or schema.keys() - KEYWORDS:
        raise Inexpressible
    if "$ref" in schema:
        return type_of(resolved(schema["$ref"], root), root)
    if "enum" in schema and all(isinstance(value, str | int) for value in schema["enum"]):
        return Literal[tuple(schema["enum"])]
    if schema.keys() == {"anyOf"}:
        return reduce(or_, (type_of(branch, root) for branch in schema["anyOf"]))
    if isinstance(kinds := schema.get("type"), list):
        return reduce(or_, (TYPES[kind] for kind in kinds))
    kind = kinds or next((ABOUT[keyword] for keyword in schema if keyword in ABOUT), None)
    if "enum" in schema or "anyOf" in schema or any(ABOUT.get(keyword, kind) != kind for keyword in schema):
        raise Inexpressible
    hint = Any if kind is None else TYPES[kind]
    if {"properties", "required"} & schema.keys():
        hint = model_of(schema, root)
    elif kind == "object" and "additionalProperties" in schema:
        hint = dict[str, type_of(schema["additionalProperties"], root)]  # type: ignore[misc]
    elif kind == "array" and "items" in schema:
        hint = list[type_of(schema["items"], root)]  # type: ignore[misc]
    limits: Json = {CONSTRAINTS[keyword][1]: schema[keyword] for keyword in CONSTRAINTS if keyword in schema}
    for keyword, inclusive, exclusive in (("exclusiveMinimum", "ge", "gt"), ("exclusiveMaximum", "le", "lt")):
        if schema.get(keyword):
            limits[exclusive] = limits.pop(inclusive)
    return Annotated[hint, Field(**limits)] if limits else hint


def model_of(schema: Json, root: Json) -> Any:
    """Return a model with the properties of a schema."""
    closed = schema.get("additionalProperties", True) is False
    if isinstance(schema.get("additionalProperties"), dict) or schema.keys() & CONSTRAINTS.keys():
        raise Inexpressible
    names = [*schema.get("properties", {}), *schema.get("required", [])]
    fields: Json = {
        f"field_{index}": (
            Annotated[type_of(schema.get("properties", {}).get(name, {}), root), Field(alias=name)],
            ... if name in schema.get("required", []) else None,
        )
        for index, name in enumerate(dict.fromkeys(names))
    }
    return create_model("Model", __config__=ConfigDict(extra="forbid" if closed else "ignore"), **fields)


def resolved(reference: str, root: Json) -> Any:
    """Return what a reference points to; one to the whole schema would be a type that contains itself."""
    if not reference.startswith("#/"):
        raise Inexpressible
    found: Any = root
    for name in unquote(reference).removeprefix("#/").split("/"):
        name = name.replace("~1", "/").replace("~0", "~")
        found = found[int(name) if isinstance(found, list) else name]
    return found


def kinds_of(schema: Json) -> set[str]:
    """Return the JSON types that a schema without a type is about; an empty set for all."""
    if "anyOf" in schema:
        return set().union(*(kinds_of(branch) for branch in schema["anyOf"]))
    return set() if "type" in schema else {ABOUT[keyword] for keyword in schema if keyword in ABOUT}


def kind_of(value: Any) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def is_valid(hint: Any, value: Any) -> bool:
    """Return whether a function with a parameter of this type accepts the value as an argument."""

    def function(value: Any) -> None: ...

    function.__annotations__ = {"value": hint, "return": None}
    try:
        tool(function).bind(json.loads(json.dumps({"value": value})))
    except ValidationError:
        return False
    return True


def test_arguments_are_valid_as_the_suite_says() -> None:
    compared, disagreements = 0, []
    folder = npm_package("json-schema-test-suite", "0.0.10") / "tests" / "draft4"
    for file in sorted(folder.glob("*.json")):
        for group in json.loads(file.read_text("utf-8")):
            try:
                hint = type_of(group["schema"], group["schema"])
            except Inexpressible:
                continue
            kinds = kinds_of(group["schema"])
            for case in group["tests"]:
                if not kinds or kind_of(case["data"]) in kinds:
                    compared += 1
                    if is_valid(hint, case["data"]) != case["valid"]:
                        disagreements.append(f"{file.stem}: {group['description']}: {case['description']}")
    assert set(disagreements) == LENIENT
    assert compared > 100
