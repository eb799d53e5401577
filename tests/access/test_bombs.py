"""JSON schemas of a few hundred bytes that ask for gigabytes or for hours: a stranger sets them in the inspector."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.access.test_attack import HOST_BYTES, Server
from tests.access.visitors import served
from tests.deploy.stranger import Stranger

pytestmark = pytest.mark.exhaustive

LEVELS = 40
LETTERS = "a" * 40
NEVER_ENDS = "^(a+)+$"


def schema(part: Any, **others: Any) -> str:
    return json.dumps({"type": "object", "properties": {"x": part}, "required": ["x"], **others})


def doubled(**others: Any) -> dict[str, Any]:
    """Return definitions of which each refers to the next one twice."""
    names = [{"$ref": f"#/$defs/d{level + 1}"} | others for level in range(LEVELS)]
    return {f"d{level}": {"anyOf": [name, name]} for level, name in enumerate(names)} | {
        f"d{LEVELS}": {"type": "integer"}
    }


def many(depth: int) -> Any:
    """Return the schema of an object with ten objects, each of which has ten …"""
    names = "abcdefghij"
    return (
        {"type": "object", "properties": dict.fromkeys(names, many(depth - 1)), "required": [*names]}
        if depth
        else {"$ref": "#/$defs/d"}
    )


SCHEMAS = {
    "a long text": schema({"type": "string", "minLength": 2_000_000_000}),
    "a long array": schema({"type": "array", "minItems": 300_000_000, "items": {"type": "object"}}),
    "many values": schema({"$ref": "#/$defs/d"}, **{"$defs": {"d": many(2)}}),
    "a long constant, often": schema(
        {"type": "array", "minItems": 100_000, "items": {"const": "c" * 20_000}},
    ),
    "references to inline": schema({"$ref": "#/$defs/d0"}, **{"$defs": doubled(description="d")}),
    "references to compare": schema(
        {"type": "string"}, allOf=[{"$ref": "#/$defs/d0"}], **{"$defs": doubled()}
    ),
    "a pattern of another dialect": schema(
        {"$schema": "http://json-schema.org/draft-07/schema#", "const": f"{LETTERS}!", "pattern": NEVER_ENDS}
    ),
    "a pattern of additional names": schema(
        {"type": "string"},
        properties={f"{LETTERS}!": {"type": "string"}},
        allOf=[{"patternProperties": {NEVER_ENDS: {}}, "additionalProperties": False}],
    ),
    "a pattern of unevaluated names": schema(
        {"type": "string"},
        properties={f"{LETTERS}!": {"type": "string"}},
        allOf=[{"patternProperties": {NEVER_ENDS: {}}, "unevaluatedProperties": False}],
    ),
    "equal items": schema({"type": "string"}, items={"uniqueItems": True}),
    "no schema": schema({"type": "string", "minLength": "x"}),
    "no definition": schema({"$ref": "#/$defs/none", "description": "d"}),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Server]]:
    with served(tmp_path_factory.mktemp("page")) as address:
        yield int(address.rstrip("/").rpartition(":")[2]), Server()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_a_schema_neither_stops_the_page_nor_fills_the_memory(kind: str, page: tuple[int, Server]) -> None:
    port, server = page
    with Stranger(port, host="chat.example") as stranger:
        stranger.use(inspector=True)
        stranger.use(inspector_tab=["Request"])
        stranger.use(request_text_format=["JSON schema"])
        stranger.use(request_schema=SCHEMAS[kind])
        stranger.say("Hello")
        assert "regenerate_1" in stranger.ids or "retry" in stranger.ids, "the answer has ended"
        assert not stranger.shows("Something went wrong")
    with Stranger(port, host="chat.example") as another:
        another.say('calculate(expression="6*7")')
        assert another.shows("42")
    assert server.status("VmHWM") * 1_000 < HOST_BYTES
