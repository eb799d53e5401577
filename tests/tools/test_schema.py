"""The schema of a function, and how arguments are bound to its parameters."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Required
from uuid import UUID

import pytest
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, WithJsonSchema, create_model
from typing_extensions import TypedDict

from assistant import Tool, tool
from assistant.errors import FunctionError
from assistant.tools.schema import json_schema, parameter_texts, strict_schema, summary

if TYPE_CHECKING:
    from hypothesis import strategies as st
from tests.tools.strict_rules import REF, breaches

NOTHING = object()
Json = dict[str, Any]


def taking(hint: Any, default: Any = NOTHING) -> Callable[..., Any]:
    """Return a function with one parameter ``x`` of this type."""

    def function(x: Any) -> Any:
        return x

    function.__annotations__ = {"x": hint}
    if default is not NOTHING:
        function.__defaults__ = (default,)
    return function


def offered(hint: Any, default: Any = NOTHING) -> Tool[..., Any]:
    return tool(taking(hint, default))


def closed(properties: Json, **more: Any) -> Json:
    """Return the schema of an object in strict mode."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        **more,
    }


class Colour(Enum):
    """A colour."""

    RED = "red"
    GREEN = "green"


class Stars(IntEnum):
    ONE = 1
    TWO = 2


class Mixed(Enum):
    NUMBER = 1
    TEXT = "one"


class Place(BaseModel):
    """A place on a map."""

    city: str = Field(description="Its name.", max_length=80)
    zip: str | None = None
    floors: int = 3


class Trip(BaseModel):
    stops: list[Place]
    home: Place = Place(city="Oslo")
    work: Place | None = None


class Tree(BaseModel):
    name: str
    children: list["Tree"] = []


class Described(BaseModel):
    """A recursive model whose reference to itself has a description beside it."""

    name: str
    children: list[Annotated["Described", Field(description="A child.")]] = []


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] | None = None


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


class Home(RootModel[Place]):
    pass


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Renamed(BaseModel):
    nights: int = Field(alias="number-of-nights")


class Options(TypedDict, total=False):
    city: Required[str]
    nights: int


@dataclass
class Span:
    start: date
    nights: int = 1
    note: str | None = None


class Exact(BaseModel):
    model_config = ConfigDict(strict=True)
    day: date


PLACE = closed(
    {
        "city": {"type": "string", "description": "Its name."},
        "zip": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "floors": {"type": ["integer", "null"]},
    },
    description="A place on a map.",
)
CAT = closed({"kind": {"type": "string", "const": "cat"}, "lives": {"type": ["integer", "null"]}})
DOG = closed(
    {
        "kind": {"type": "string", "const": "dog"},
        "tricks": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]},
    }
)
OSLO = {"city": "Oslo", "zip": None, "floors": None}


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (date, {"type": "string", "format": "date"}),
        (datetime, {"type": "string", "format": "date-time"}),
        (time, {"type": "string", "format": "time"}),
        (timedelta, {"type": "string", "format": "duration"}),
        (UUID, {"type": "string", "format": "uuid"}),
        (Decimal, {"anyOf": [{"type": "number"}, {"type": "string"}]}),
        (Literal["C", "F"], {"type": "string", "enum": ["C", "F"]}),
        (Literal["C"], {"type": "string", "const": "C"}),
        (int | None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (list[list[str]], {"type": "array", "items": {"type": "array", "items": {"type": "string"}}}),
        (tuple[int, ...], {"type": "array", "items": {"type": "integer"}}),
        (Annotated[int, Field(ge=1, lt=6)], {"type": "integer", "minimum": 1, "exclusiveMaximum": 6}),
        (Annotated[int, Field(multiple_of=5)], {"type": "integer", "multipleOf": 5}),
        (Annotated[str, Field(pattern="^[a-z]+$")], {"type": "string", "pattern": "^[a-z]+$"}),
        (Annotated[str, Field(min_length=1, max_length=9)], {"type": "string"}),
        (
            Annotated[list[int], Field(min_length=1, max_length=3)],
            {"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3},
        ),
        (Annotated[int, Field(description="How many.")], {"type": "integer", "description": "How many."}),
        (Annotated[int, Field(examples=[1], title="N")], {"type": "integer"}),
        (Annotated[int, Field(json_schema_extra={"x-unit": "m"})], {"type": "integer"}),
    ],
)
def test_a_type_has_this_strict_schema(hint: Any, schema: Json) -> None:
    each = offered(hint)
    assert each.strict
    assert each.parameters == closed({"x": schema})


@pytest.mark.parametrize(
    ("hint", "schema", "definitions"),
    [
        (Colour, {"$ref": REF + "Colour"}, {"Colour": "A colour."}),
        (Stars, {"$ref": REF + "Stars"}, {"Stars": {"type": "integer", "enum": [1, 2]}}),
        (Place, {"$ref": REF + "Place"}, {"Place": PLACE}),
        (Place | None, {"anyOf": [{"$ref": REF + "Place"}, {"type": "null"}]}, {"Place": PLACE}),
        (list[Place], {"type": "array", "items": {"$ref": REF + "Place"}}, {"Place": PLACE}),
        (Home, {"$ref": REF + "Home"}, {"Home": {"$ref": REF + "Place"}, "Place": PLACE}),
        (
            Trip,
            {"$ref": REF + "Trip"},
            {
                "Place": PLACE,
                "Trip": closed(
                    {
                        "stops": {"type": "array", "items": {"$ref": REF + "Place"}},
                        "home": {"anyOf": [{"$ref": REF + "Place"}, {"type": "null"}]},
                        "work": {"anyOf": [{"$ref": REF + "Place"}, {"type": "null"}]},
                    }
                ),
            },
        ),
        (
            Tree,
            {"$ref": REF + "Tree"},
            {
                "Tree": closed(
                    {
                        "name": {"type": "string"},
                        "children": {"type": ["array", "null"], "items": {"$ref": REF + "Tree"}},
                    }
                )
            },
        ),
        (Pet, {"anyOf": [{"$ref": REF + "Cat"}, {"$ref": REF + "Dog"}]}, {"Cat": CAT, "Dog": DOG}),
        (
            list[Pet],
            {"type": "array", "items": {"anyOf": [{"$ref": REF + "Cat"}, {"$ref": REF + "Dog"}]}},
            {"Cat": CAT, "Dog": DOG},
        ),
        (Renamed, {"$ref": REF + "Renamed"}, {"Renamed": closed({"number-of-nights": {"type": "integer"}})}),
        (
            Options,
            {"$ref": REF + "Options"},
            {"Options": closed({"city": {"type": "string"}, "nights": {"type": ["integer", "null"]}})},
        ),
        (
            Span,
            {"$ref": REF + "Span"},
            {
                "Span": closed(
                    {
                        "start": {"type": "string", "format": "date"},
                        "nights": {"type": ["integer", "null"]},
                        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                    }
                )
            },
        ),
    ],
)
def test_a_class_is_defined_once_and_referenced(hint: Any, schema: Json, definitions: Json) -> None:
    if hint is Colour:
        definitions = {"Colour": {"type": "string", "enum": ["red", "green"], "description": "A colour."}}
    each = offered(hint)
    assert each.strict
    assert each.parameters == closed({"x": schema}, **{"$defs": definitions})


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (Any, {"title": "X"}),
        (object, {"title": "X"}),
        (list, {"title": "X", "type": "array", "items": {}}),
        (dict, {"title": "X", "type": "object", "additionalProperties": True}),
        (dict[str, int], {"title": "X", "type": "object", "additionalProperties": {"type": "integer"}}),
        (set[int], {"title": "X", "type": "array", "items": {"type": "integer"}, "uniqueItems": True}),
        (
            tuple[int, str],
            {
                "title": "X",
                "type": "array",
                "prefixItems": [{"type": "integer"}, {"type": "string"}],
                "minItems": 2,
                "maxItems": 2,
            },
        ),
        (bytes, {"title": "X", "type": "string", "format": "binary"}),
        (Path, {"title": "X", "type": "string", "format": "path"}),
        (Literal["a", 1, None], {"title": "X", "enum": ["a", 1, None]}),
        (
            Annotated[Any, WithJsonSchema({"type": "array", "items": True})],
            {"title": "X", "type": "array", "items": True},
        ),
        (
            Annotated[Any, WithJsonSchema({"type": ["object", "null"]})],
            {"title": "X", "type": ["object", "null"]},
        ),
    ],
)
def test_a_type_that_strict_mode_cannot_express_is_not_strict(hint: Any, schema: Json) -> None:
    each = offered(hint)
    assert not each.strict
    assert each.parameters == {
        "type": "object",
        "properties": {"x": schema},
        "required": ["x"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize("hint", [Open, Mixed, Described, list[Open | None], dict[str, Place] | None])
def test_one_parameter_that_is_not_strict_makes_the_function_not_strict(hint: Any) -> None:
    assert not offered(hint).strict


def test_a_function_without_parameters_has_an_empty_object_schema() -> None:
    @tool
    def now() -> str:
        return "now"

    assert now.strict
    assert now.parameters == closed({})
    assert now.bind({}) == {}


def test_a_reference_with_a_description_is_inlined() -> None:
    @tool
    def go(to: Place, home: Home, pet: Pet) -> None:
        """Go.

        Args:
            to: Where to go.
            home: Where to start.
            pet: Who comes along.
        """

    assert go.strict
    assert go.parameters == closed(
        {
            "to": {**PLACE, "description": "Where to go."},
            "home": {**PLACE, "description": "Where to start."},
            "pet": {
                "anyOf": [{"$ref": REF + "Cat"}, {"$ref": REF + "Dog"}],
                "description": "Who comes along.",
            },
        },
        **{"$defs": {"Place": PLACE, "Home": {"$ref": REF + "Place"}, "Cat": CAT, "Dog": DOG}},
    )


# --- optional parameters --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hint", "default", "schema"),
    [
        (int, 3, {"type": ["integer", "null"]}),
        (str, "", {"type": ["string", "null"]}),
        (date, date(2030, 1, 1), {"type": ["string", "null"], "format": "date"}),
        (list[int], [], {"type": ["array", "null"], "items": {"type": "integer"}}),
        (int | None, None, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (int | None, 5, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        (None, None, {"type": "null"}),
        (int | str, 1, {"anyOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"type": "null"}]}),
        (Literal["C", "F"], "C", {"anyOf": [{"type": "string", "enum": ["C", "F"]}, {"type": "null"}]}),
        (Literal["C"], "C", {"type": "string", "const": "C"}),
        (float, math.inf, {"type": ["number", "null"]}),
    ],
)
def test_an_optional_parameter_is_nullable_and_null_means_the_default(
    hint: Any, default: Any, schema: Json
) -> None:
    each = offered(hint, default)
    assert each.strict
    assert each.parameters == closed({"x": schema})
    assert each.bind({"x": None}) == {}
    assert each.bind({}) == {}
    assert each.run(each.bind({"x": None})) == default


def test_a_default_may_be_a_value_that_json_cannot_express() -> None:
    @tool
    def look(options: dict[str, int], sentinel: Any = NOTHING, limit: float = math.inf) -> bool:
        return sentinel is NOTHING and limit == math.inf

    assert not look.strict
    assert look.parameters["properties"]["limit"] == {"title": "Limit", "type": "number", "default": None}
    assert look.run(look.bind({"options": {}, "limit": None})) is True


def test_null_stays_a_value_where_the_type_allows_it() -> None:
    @tool
    def book(room: int | None, note: str | None = "none") -> tuple[int | None, str | None]:
        return room, note

    assert book.bind({"room": None, "note": None}) == {"room": None}
    with pytest.raises(ValidationError):
        offered(int).bind({"x": None})


@pytest.mark.parametrize(
    ("hint", "sent", "bound"),
    [
        (Place, OSLO, Place(city="Oslo")),
        (Place | None, OSLO, Place(city="Oslo")),
        (Place | None, None, None),
        (int | Place, OSLO, Place(city="Oslo")),
        (list[Place], [OSLO], [Place(city="Oslo")]),
        (list[Place] | None, [OSLO], [Place(city="Oslo")]),
        (list[Place | None], [None, OSLO], [None, Place(city="Oslo")]),
        (Home, OSLO, Home(Place(city="Oslo"))),
        (
            Trip,
            {"stops": [OSLO], "home": None, "work": OSLO},
            Trip(stops=[Place(city="Oslo")], work=Place(city="Oslo")),
        ),
        (
            Tree,
            {"name": "a", "children": [{"name": "b", "children": None}]},
            Tree(name="a", children=[Tree(name="b")]),
        ),
        (Pet, {"kind": "cat", "lives": None}, Cat(kind="cat")),
        (Pet, {"kind": "dog", "tricks": None}, Dog()),
        (
            list[Pet] | None,
            [{"kind": "dog", "tricks": None}, {"kind": "cat", "lives": 1}],
            [Dog(), Cat(kind="cat", lives=1)],
        ),
        (Options, {"city": "Oslo", "nights": None}, {"city": "Oslo"}),
        (Span | None, {"start": "2030-01-02", "nights": None, "note": None}, Span(date(2030, 1, 2))),
        (Renamed, {"number-of-nights": 2}, Renamed(**{"number-of-nights": 2})),
        (Exact, {"day": "2030-01-02"}, Exact(day=date(2030, 1, 2))),
        (Colour, "red", Colour.RED),
        (datetime, "2030-01-02T03:04:05", datetime(2030, 1, 2, 3, 4, 5)),
        (tuple[int, str], [1, "a"], (1, "a")),
        (set[int], [1, 2, 1], {1, 2}),
        (dict[str, int | None], {"a": None}, {"a": None}),
        (Any, {"a": None}, {"a": None}),
    ],
)
def test_strict_arguments_are_converted_to_the_type(hint: Any, sent: Any, bound: Any) -> None:
    assert offered(hint).bind({"x": sent}) == {"x": bound}


@pytest.mark.parametrize(
    ("sent", "places"),
    [
        ({}, [("x",)]),
        ({"x": 1, "y": 2}, [("y",)]),
        ({"x": "one"}, [("x",)]),
        ([], [()]),
        ("x", [()]),
        (1, [()]),
    ],
)
def test_a_validation_error_names_the_parameter(sent: Any, places: list[Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        offered(int).bind(sent)
    assert [error["loc"] for error in caught.value.errors()] == places


def test_a_parameter_can_have_any_python_name() -> None:
    def odd(
        self: int,
        cls: int,
        copy: int,
        json: int,
        schema: int,
        model_config: int,
        _x: int,
        __y: int,
        p0_: int,
        value: int,
        都市: int,
        function: int = 0,
    ) -> Json:
        return dict(locals())

    each: Any = tool(odd)
    sent = {name: number for number, name in enumerate(each.parameters["properties"], 1)}
    assert list(sent) == list(odd.__code__.co_varnames)
    assert each.strict
    assert each.bind(sent) == sent
    assert each.run(each.bind(sent)) == sent
    assert each(**sent) == sent


# --- the rules of strict mode, over everything -----------------------------------------------------


SCALARS = [str, int, float, bool, date, datetime, UUID, Literal["a", "b"], Literal["a"], Colour, Stars]
CONSTRAINED = [Annotated[int, Field(ge=1, le=5)], Annotated[str, Field(description="Text.", max_length=5)]]
MODELS = [Place, Trip, Tree, Pet, Home, Options, Span, Renamed]


def a_model(fields: list[tuple[Any, bool]]) -> Any:
    """Return a model with fields of these types, some of them optional."""
    definitions: Json = {
        f"f{index}": (hint, Field(default=None, description="A field.") if optional else ...)
        for index, (hint, optional) in enumerate(fields)
    }
    return create_model("Made", **definitions)


def strict_hints() -> "st.SearchStrategy[Any]":
    """Return a strategy for nested types that strict mode can express."""
    from hypothesis import strategies as st

    return st.recursive(
        st.sampled_from([*SCALARS, *CONSTRAINED, *MODELS]),
        lambda inner: st.one_of(
            inner.map(list.__class_getitem__),
            inner.map(lambda hint: hint | None),
            st.lists(st.tuples(inner, st.booleans()), max_size=3).map(a_model),
        ),
        max_leaves=6,
    )


def allowed(schema: Json, root: Json, depth: int = 0) -> "st.SearchStrategy[Any]":
    """Return a strategy for values that a strict schema allows."""
    from hypothesis import strategies as st

    if "$ref" in schema:
        return allowed(root["$defs"][schema["$ref"].removeprefix(REF)], root, depth + 1)
    if "anyOf" in schema:
        branches = schema["anyOf"]
        if depth > 6 and {"type": "null"} in branches:
            return st.none()
        return st.one_of([allowed(branch, root, depth) for branch in branches])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema["type"]
    if isinstance(kind, list):
        if depth > 6:
            return st.none()
        return st.none() | allowed({**schema, "type": kind[0]}, root, depth)
    match kind:
        case "object":
            return st.fixed_dictionaries(
                {name: allowed(child, root, depth + 1) for name, child in schema["properties"].items()}
            )
        case "array":
            return st.lists(allowed(schema["items"], root, depth + 1), max_size=0 if depth > 6 else 2)
        case "integer":
            return st.integers(schema.get("minimum", -9), schema.get("maximum", 9))
        case "number":
            return st.floats(-9, 9)
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
    return {
        "date": st.dates().map(str),
        "date-time": st.datetimes().map(datetime.isoformat),
        "uuid": st.uuids().map(str),
    }.get(schema.get("format", ""), st.text("abc", max_size=5))


@pytest.mark.parametrize("hint", [*SCALARS, *CONSTRAINED, *MODELS, None, list[Pet] | None])
@pytest.mark.parametrize("default", [NOTHING, None])
def test_a_strict_schema_follows_all_rules_of_strict_mode(hint: Any, default: Any) -> None:
    each = offered(hint if default is NOTHING else hint | None if hint else hint, default)
    assert each.strict
    assert breaches(each.parameters, each.parameters) == []


@pytest.mark.parametrize("kind", ["dict", "float", "any", "", ["integer", "null"], None])
def test_a_type_that_is_not_of_json_schema_is_not_strict(kind: Any) -> None:
    assert strict_schema({"type": "object", "properties": {"a": {"type": kind}}, "required": ["a"]}) is None


def unsaid(sent: Any, bound: Any) -> list[str]:
    """Return the properties that were sent with a value but not bound."""
    if isinstance(sent, list):
        return [name for pair in zip(sent, bound, strict=True) for name in unsaid(*pair)]
    if not isinstance(sent, dict):
        return []
    while isinstance(bound, RootModel):
        bound = bound.root
    if isinstance(bound, BaseModel):
        fields = type(bound).model_fields
        arrived = {fields[name].alias or name: getattr(bound, name) for name in bound.model_fields_set}
    else:
        arrived = bound if isinstance(bound, dict) else vars(bound)
    missing = [name for name, value in sent.items() if value is not None and name not in arrived]
    return missing + [
        name for key in sent.keys() & arrived.keys() for name in unsaid(sent[key], arrived[key])
    ]


@pytest.mark.exhaustive
def test_everything_that_a_strict_schema_allows_is_valid() -> None:
    pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
    from hypothesis import given, settings
    from hypothesis import strategies as st

    @settings(max_examples=30, deadline=None, database=None)
    @given(hint=strict_hints(), data=st.data())
    def holds(hint: Any, data: st.DataObject) -> None:
        each = offered(hint)
        assert each.strict
        assert breaches(each.parameters, each.parameters) == []
        sent = data.draw(allowed(each.parameters, each.parameters))
        assert unsaid(sent, each.bind(sent)) == []

    holds()


def _untitled(node: Any, names: bool = False) -> Any:
    """Return a schema without its titles; keys of ``properties`` and ``$defs`` are names, not keywords."""
    if isinstance(node, list):
        return [_untitled(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: _untitled(child, key in ("properties", "$defs") and not names)
        for key, child in node.items()
        if names or key != "title"
    }


class Simple(BaseModel):
    """A model with everything that both sides support."""

    title: str
    size: float | None = None
    colour: Colour
    colours: list[Colour]
    tree: "SimpleTree"


class SimpleTree(BaseModel):
    name: str = Field(description="Its name.")
    left: "SimpleTree | None" = None
    stars: Literal["one", "two"] | None = Field(None, description="How good.")


@pytest.mark.parametrize("model", [Simple, SimpleTree.__mro__[0], Exact])
def test_the_sdk_builds_the_same_schema_for_a_simple_model(model: type[BaseModel]) -> None:
    if model is SimpleTree:  # a model that contains itself is a reference at the root; ours never is
        model = create_model("Around", tree=(SimpleTree, ...))
    assert strict_schema(json_schema(model)) == _untitled(to_strict_json_schema(model))


# --- what cannot be offered ------------------------------------------------------------------------


def bare(city) -> None: ...  # type: ignore[no-untyped-def]
def bare_default(city="Oslo") -> None: ...  # type: ignore[no-untyped-def]
def many(*cities: str) -> None: ...
def named(**cities: str) -> None: ...
def positional(city: str, /) -> None: ...
def unresolved(city: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821
def callback(then: Callable[[int], int]) -> None: ...
def wrong_default(days: int = "many") -> None: ...  # type: ignore[assignment]
def none_default(days: int = None) -> None: ...  # type: ignore[assignment]  # noqa: RUF013
def out_of_range(days: Annotated[int, Field(gt=0)] = 0) -> None: ...
def field_default(days: int = Field(3)) -> None: ...
def field_without_default(days: int = Field(description="Days.")) -> None: ...
def hidden_default(days: Annotated[list[int], Field(default_factory=list)]) -> None: ...
def look_ahead(city: Annotated[str, Field(pattern="^(?=a)")]) -> None: ...
def no_pattern(city: Annotated[str, Field(pattern="(")]) -> None: ...
def no_hint_at_all(city: 3) -> None: ...  # type: ignore[valid-type]
def no_literal(city: Literal[NOTHING]) -> None: ...  # type: ignore[valid-type]


class Custom:
    def __repr__(self) -> str:
        return "Custom()"


def custom(city: Custom) -> None:
    """Visit.

    Args:
        city: The city.
    """


def customs(cities: list[Custom] | None = None) -> None: ...


def wrong_docs(city: str) -> None:
    """Visit.

    Args:
        town: The city.
    """


def docs_without_parameters() -> None:
    """Visit.

    Args:
        city: The city.
    """


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (bare, "parameter 'city' has no type hint, such as 'city: str'."),
        (bare_default, "parameter 'city' has no type hint, such as 'city: str'."),
        (many, "parameter *cities: str has no fixed name; a model needs names."),
        (named, "parameter **cities: str has no fixed name; a model needs names."),
        (positional, "parameter 'city' is positional-only; drop the '/'."),
        (unresolved, "a type hint cannot be resolved: name 'Nowhere' is not defined"),
        (
            callback,
            "parameter 'then' has a type without a JSON schema: collections.abc.Callable[[int], int].",
        ),
        (custom, f"parameter 'city' has a type without a JSON schema: {Custom}."),
        (customs, f"parameter 'cities' has a type without a JSON schema: {list[Custom] | None}."),
        (no_hint_at_all, "parameter 'city' has a type without a JSON schema: 3."),
        (no_literal, f"parameter 'city' has a type without a JSON schema: {Literal[NOTHING]}."),
        (
            wrong_default,
            "the default 'many' of parameter 'days' does not match its type: "
            "Input should be a valid integer, unable to parse string as an integer.",
        ),
        (
            none_default,
            "the default None of parameter 'days' does not match its type: Input should be a valid integer.",
        ),
        (
            out_of_range,
            "the default 0 of parameter 'days' does not match its type: Input should be greater than 0.",
        ),
        (field_default, "parameter 'days' hides its default in a Field(); write it after a plain '='."),
        (
            field_without_default,
            "parameter 'days' hides its default in a Field(); write it after a plain '='.",
        ),
        (hidden_default, "parameter 'days' hides its default in a Field(); write it after a plain '='."),
        (
            look_ahead,
            "the type of parameter 'city' cannot be used: "
            "error: look-around, including look-ahead and look-behind, is not supported.",
        ),
        (no_pattern, "the type of parameter 'city' cannot be used: error: unclosed group."),
        (wrong_docs, "the docstring describes 'town', which is not a parameter."),
        (docs_without_parameters, "the docstring describes 'city', which is not a parameter."),
    ],
    ids=lambda each: getattr(each, "__name__", ""),
)
def test_a_parameter_without_a_schema_is_refused_by_name(function: Callable[..., Any], sentence: str) -> None:
    with pytest.raises(FunctionError) as caught:
        tool(function)
    assert str(caught.value) == f"{function.__module__}.{function.__qualname__}: {sentence}"


def test_an_unbound_method_is_refused_because_of_self() -> None:
    with pytest.raises(FunctionError, match=r"test_schema\.Custom\.visit: parameter 'self' has no type hint"):
        tool(_visit)


def _visit(self, city: str) -> None: ...  # type: ignore[no-untyped-def]


_visit.__qualname__ = "Custom.visit"


# --- docstrings ------------------------------------------------------------------------------------


def doc(*lines: str) -> str:
    """Return a docstring as in a source file."""
    return "\n".join(["Look.", "", *(f"    {line}" for line in lines), "    "])


ONE = {"city": "A city."}
TWO = {"city": "A city.", "day": "A day."}
# A section that is indented like a parameter is taken for one, and refused by name at import.
ODD = {"city": "A city.", "Returns": "day: A day."}


@pytest.mark.parametrize(
    ("docstring", "description", "texts"),
    [
        ("", "", {}),
        ("Look.", "Look.", {}),
        (doc("Args:", "    city: A city."), "Look.", {"city": "A city."}),
        (doc("More words.", "", "Prices: in EUR."), "Look.\n\nMore words.\n\nPrices: in EUR.", {}),
        (doc("Args:", "    city (str): A city."), "Look.", {"city": "A city."}),
        (doc("Args:", "    city (str, optional): A (big) city: x."), "Look.", {"city": "A (big) city: x."}),
        (doc("Args:", "    at (tuple(int, int)): A point."), "Look.", {"at": "A point."}),
        (doc("Args:", "    then (Callable[[int], str] | None) : A."), "Look.", {"then": "A."}),
        (doc("Args:", "    city : A city."), "Look.", {"city": "A city."}),
        (doc("Args:", "    city:"), "Look.", {"city": ""}),
        (doc("Args:", "    city:", "        A city.", "    day: A day."), "Look.", TWO),
        (doc("Args:", "", "    city: A city.", "", "    day: A day.", ""), "Look.", TWO),
        (doc("Args:", "  city: A", "     city.", "  day:", "", "      A", "", "      day."), "Look.", TWO),
        (doc("Args:", "    city: A city.", "", "    Returns:", "        day: A day."), "Look.", ODD),
        (doc("Args:", "    city: A city.", "", "Returns:", "    name: Its name."), "Look.", ONE),
        (doc("Returns:", "    name: Its name.", "", "Args:", "    city: A city."), "Look.", ONE),
        (doc("Args:", "    city: A city.", "Raises:", "    ToolError: Never."), "Look.", ONE),
        (doc("Args:", "    city: A city.", "Prices: in EUR.", "    day: No parameter."), "Look.", ONE),
        (doc("Arguments:", "  city: A city.", "Example:", "  look('x')"), "Look.", ONE),
        (doc("Parameters:", "\tcity: A", "\t\tcity."), "Look.", ONE),
        (doc("Args:", "    city: A city.").replace("\n", "\r\n"), "Look.", ONE),
        (
            doc("Args:", "    at: At 10:30, http://a.example/b:c."),
            "Look.",
            {"at": "At 10:30, http://a.example/b:c."},
        ),
        (
            doc("Args:", "    都市: 名前：「京都」。", "        続き: 例。"),
            "Look.",
            {"都市": "名前：「京都」。 続き: 例。"},
        ),
        (
            doc("Args:", "    *cities: Cities.", "    **more: More."),
            "Look.",
            {"cities": "Cities.", "more": "More."},
        ),
        (doc("Args:", "    None"), "Look.", {}),
        ("Look at the Args: city.", "Look at the Args: city.", {}),
    ],
)
def test_a_docstring_is_parsed_into_summary_and_parameters(
    docstring: str, description: str, texts: dict[str, str]
) -> None:
    assert summary(docstring) == description
    assert parameter_texts(docstring) == texts


def test_the_docstring_takes_precedence_over_the_type_hint() -> None:
    @tool
    def look(city: str, day: Annotated[date | None, Field(description="From the hint.")] = None) -> None:
        """Look at a city.

        Args:
            city: The city's name,
                in English.
            day: From the docstring.
        """

    assert look.description == "Look at a city."
    assert look.parameters == closed(
        {
            "city": {"type": "string", "description": "The city's name, in English."},
            "day": {
                "anyOf": [{"type": "string", "format": "date"}, {"type": "null"}],
                "description": "From the docstring.",
            },
        }
    )
