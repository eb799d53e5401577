"""Strict schemas of the functions of BFCL, a public set of functions that other people described."""

import json
import zipfile
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from assistant.demo.replies.samples import sample_value
from assistant.tools.schema import strict_schema, without_nulls
from tests.downloads import wheel
from tests.tools.strict_rules import Json, breaches

pytestmark = pytest.mark.exhaustive

# BFCL names types as in Python, Java and JavaScript.
TYPES = {
    **dict.fromkeys(("dict", "HashMap"), "object"),
    **dict.fromkeys(("list", "tuple", "Array", "ArrayList"), "array"),
    **dict.fromkeys(("float", "double"), "number"),
    **dict.fromkeys(("String", "char"), "string"),
    "Boolean": "boolean",
    "long": "integer",
}


@pytest.fixture(scope="module")
def schemas() -> list[Json]:
    """The schemas of the parameters, each once, as they are written."""
    found: dict[str, Json] = {}
    with zipfile.ZipFile(wheel("bfcl-eval", "2026.3.23")) as archive:
        for name in archive.namelist():
            if name.endswith(".json"):
                rows = [
                    json.loads(line)
                    for line in archive.read(name).decode().splitlines()
                    if line.startswith('{"')
                ]
                functions = [
                    each for row in rows for each in row.get("function", [row]) if "parameters" in each
                ]
                found |= {json.dumps(each["parameters"]): each["parameters"] for each in functions}
    return list(found.values())


def with_json_types(node: Any) -> Any:
    """Return a schema with the type names of JSON Schema."""
    if isinstance(node, list):
        return [with_json_types(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: TYPES.get(child, child) if name == "type" and isinstance(child, str) else with_json_types(child)
        for name, child in node.items()
    }


def contradicts_itself(node: Any) -> bool:
    """Return whether a schema contains an enum whose values have another type."""
    if isinstance(node, list):
        return any(map(contradicts_itself, node))
    if not isinstance(node, dict):
        return False
    values = node["enum"] if isinstance(node.get("enum"), list) and "type" in node else []
    kind = Draft202012Validator({"type": node.get("type")})
    return not all(map(kind.is_valid, values)) or any(map(contradicts_itself, node.values()))


def test_every_schema_is_either_strict_by_the_rules_or_not_strict(schemas: list[Json]) -> None:
    assert len(schemas) > 3_300
    assert not any(map(strict_schema, schemas)), "no server knows a type such as dict"
    strict = [schema for schema in map(strict_schema, map(with_json_types, schemas)) if schema is not None]
    assert len(strict) > 3_200
    assert [place for schema in strict for place in breaches(schema, schema)] == []


def test_what_a_strict_schema_allows_is_valid_for_the_schema_itself(schemas: list[Json]) -> None:
    checked = 0
    for schema in map(with_json_types, schemas):
        if (strict := strict_schema(schema)) and not contradicts_itself(schema):
            sample = sample_value(strict)
            Draft202012Validator(strict).validate(sample)
            Draft202012Validator(schema).validate(without_nulls(sample, schema))
            checked += 1
    assert checked > 3_200
