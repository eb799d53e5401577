"""Derive a model of a function's arguments, and its JSON schema, from signature and docstring.

A signature that has no clear JSON schema is refused at import, with the name of the parameter.

Strict mode (OpenAI's guide to function calling) requires closed objects with all properties required. So an
optional parameter becomes nullable, and ``null`` stands for the default.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from itertools import count
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticSerializationError, SchemaError

from assistant.errors import FunctionError
from assistant.json_values import Json

_SECTION = re.compile(r"^(Args|Arguments|Parameters|Returns?|Raises|Yields|Examples?|Notes?):\s*$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:\s*(.*)$")
# Keywords outside the strict subset that restrict values: a schema with one of them cannot be strict.
_NEVER_STRICT = frozenset(
    {"allOf", "oneOf", "not", "if", "then", "else", "contains", "prefixItems", "uniqueItems"}
    | {"patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"}
)
_STRICT_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
)
MAX_REFERENCES = 100
"""Maximum number of references that lead to one part of a schema."""

MAX_PARTS = 10_000
"""Maximum number of parts of a schema in strict form, where a definition may stand in many places."""

_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
# Other keywords (such as "title", "default", "maxLength") are dropped; ``Tool.bind`` still validates them.
_STRICT_KEYWORDS = frozenset(
    {"type", "description", "enum", "const", "anyOf", "$ref", "$defs", "pattern", "format"}
    | {"properties", "required", "additionalProperties", "items", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)


def arguments_model(function: Callable[..., Any]) -> type[BaseModel]:
    """Return a pydantic model with one field for each parameter of the function.

    Raises:
        FunctionError: A parameter has no type hint, no fixed name (``*args``, ``**kwargs``), is
            positional-only, has a type without a JSON schema or an invalid default; or the docstring
            describes a parameter that does not exist.
    """
    where = f"{function.__module__}.{function.__qualname__}"
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:
        raise FunctionError(f"{where}: a type hint cannot be resolved: {error}") from error
    texts = parameter_texts(function.__doc__ or "")
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise FunctionError(f"{where}: parameter {parameter} has no fixed name; a model needs names.")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise FunctionError(f"{where}: parameter '{name}' is positional-only; drop the '/'.")
        if name not in hints:
            raise FunctionError(f"{where}: parameter '{name}' has no type hint, such as '{name}: str'.")
        required = parameter.default is parameter.empty
        default = ... if required else parameter.default
        text = texts.pop(name, None)
        hint = Annotated[hints[name], Field(description=text)] if text else hints[name]
        fields[name] = (hint, default)
        _check_parameter(where, name, hints[name], default)
    for name in texts:
        raise FunctionError(f"{where}: the docstring describes '{name}', which is not a parameter.")
    return create_model(
        function.__name__,
        __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False),
        **_neutral_names(fields),
    )


def _check_parameter(where: str, name: str, hint: Any, default: Any) -> None:
    """Build a model of one parameter, so that an error can name it."""
    try:
        model = create_model("Parameter", __config__=ConfigDict(validate_default=True), value=(hint, default))
        json_schema(model)
        required = model.model_fields["value"].is_required()
        if isinstance(default, FieldInfo) or (default is ... and not required):
            # Python does not use such a default when the function is called.
            raise FunctionError(
                f"{where}: parameter '{name}' hides its default in a Field(); write it after a plain '='."
            )
        if default is not ...:
            model()
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise FunctionError(
            f"{where}: the default {default!r} of parameter '{name}' does not match its type: {reason}."
        ) from None
    except SchemaError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise FunctionError(f"{where}: the type of parameter '{name}' cannot be used: {reason}.") from None
    except (PydanticUserError, PydanticSerializationError):
        raise FunctionError(
            f"{where}: parameter '{name}' has a type without a JSON schema: {hint}."
        ) from None


def _neutral_names(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields under neutral names, with the parameters' names as aliases.

    Pydantic reserves names such as ``copy``, ``json``, ``schema`` and ``_x``, which a parameter may have.
    """
    return {
        f"p{index}_": (Annotated[hint, Field(alias=name)], default)
        for index, (name, (hint, default)) in enumerate(fields.items())
    }


def _lines(docstring: str) -> list[str]:
    # Normalise line ends first: Python 3.13 does not see the indentation after "\r".
    return inspect.cleandoc("\n".join(docstring.splitlines())).splitlines()


def summary(docstring: str) -> str:
    """Return the docstring up to its first section (``Args:`` …)."""
    lines = []
    for line in _lines(docstring):
        if _SECTION.match(line):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def parameter_texts(docstring: str) -> dict[str, str]:
    """Return the description of each parameter from a Google-style docstring."""
    texts: dict[str, str] = {}
    inside, name, indent = False, "", 0
    for line in _lines(docstring):
        if not line.strip():
            continue
        depth = len(line) - len(line.lstrip())
        if depth == 0:
            section = _SECTION.match(line)
            inside = bool(section and section[1] in ("Args", "Arguments", "Parameters"))
            name, indent = "", 0
        elif inside:
            indent = indent or depth
            entry = _ENTRY.match(line.strip()) if depth <= indent else None
            if entry:
                name = entry[1]
                texts[name] = entry[2].strip()
            elif name:
                texts[name] = f"{texts[name]} {line.strip()}".strip()
    return texts


class _QuietSchema(GenerateJsonSchema):
    """Does not warn about a default that JSON cannot express, because only Python uses it."""

    ignored_warning_kinds = frozenset(  # type: ignore[assignment]
        {"skipped-choice", "non-serializable-default"}
    )


def json_schema(model: type[BaseModel]) -> Json:
    """Return the model's JSON schema with the parameters' names."""
    schema = model.model_json_schema(by_alias=True, schema_generator=_QuietSchema)
    schema.pop("title", None)
    # JSON has no infinity; as a default it becomes null, which stands for the default anyway.
    plain: Json = json.loads(json.dumps(schema), parse_constant=lambda _: None)
    return plain


class NotStrict(Exception):
    """Strict mode cannot express a part of a schema; ``detail`` is the format that it does not know."""

    def __init__(
        self, reason: Literal["set", "tuple", "keys", "extra", "format", "mixed", "any"], detail: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def strict_schema(schema: Json) -> Json | None:
    """Return the schema rewritten for strict mode, or None if strict mode cannot express it."""
    try:
        return _strict(schema, schema, count())
    except (NotStrict, RecursionError):  # inlining a recursive reference never ends
        return None
    except (AttributeError, KeyError, TypeError):  # a user's own, which need not be a schema
        return None


def why_not_strict(part: Json, root: Json) -> NotStrict | None:
    """Return why strict mode cannot express a part of a schema and what it refers to; None if it can."""
    parts, names = [part], set[str]()
    for each in parts:
        try:
            _strict(each, root, count())
        except NotStrict as error:
            return error
        except RecursionError:
            return NotStrict("any")
        found = set(re.findall(r'"\$ref": "#/\$defs/([^"]+)"', json.dumps(each))) - names
        parts += [root["$defs"][name] for name in sorted(found)]
        names |= found
    return None


def _strict(node: Any, root: Json, parts: Iterator[int]) -> Json:
    if next(parts) > MAX_PARTS:
        raise NotStrict("any")
    if not isinstance(node, dict) or not isinstance(node.get("type", ""), str):
        raise NotStrict("any")  # "true" or a list of types, which only a hand-written schema contains
    if node.get("type", "object") not in _TYPES:
        raise NotStrict("any")  # such as "dict", which no server knows
    if "discriminator" in node:  # a tagged union of pydantic: at most one matches, so "anyOf" is equivalent
        node = {**node, "anyOf": node["oneOf"]}
        del node["oneOf"], node["discriminator"]
    if restrictions := _NEVER_STRICT & node.keys():
        raise NotStrict(
            "set" if "uniqueItems" in restrictions else "tuple" if "prefixItems" in restrictions else "any"
        )
    if node.get("format", "date") not in _STRICT_FORMATS:
        raise NotStrict("format", node["format"])
    if not {"$ref", "type", "anyOf"} & node.keys():
        raise NotStrict("mixed" if "enum" in node else "any")
    result = {key: value for key, value in node.items() if key in _STRICT_KEYWORDS}
    if "$ref" in result and len(result) > 1:
        # Strict mode allows no keywords beside a reference, so inline the definition.
        siblings = {key: value for key, value in result.items() if key != "$ref"}
        return _strict({**_target(node, root), **siblings}, root, parts)
    if node.get("type") == "object":
        if "properties" not in node:
            raise NotStrict("keys")
        if node.get("additionalProperties", False) is not False:
            raise NotStrict("extra")
        required = node.get("required", [])
        result["properties"] = {
            # A constant, such as the tag of a tagged union, need not be nullable.
            name: strict if name in required or "const" in strict else _nullable(strict)
            for name, strict in (
                (name, _strict(child, root, parts)) for name, child in node["properties"].items()
            )
        }
        result["required"] = list(node["properties"])
        result["additionalProperties"] = False
    if node.get("type") == "array":
        if "items" not in node:
            raise NotStrict("any")
        result["items"] = _strict(node["items"], root, parts)
    if "anyOf" in node:
        result["anyOf"] = [_strict(child, root, parts) for child in node["anyOf"]]
    if "$defs" in node:
        result["$defs"] = {name: _strict(child, root, parts) for name, child in node["$defs"].items()}
    return result


def _target(node: Json, root: Json) -> Json:
    """Return the definition that a ``$ref`` points to."""
    definition: Json = root["$defs"][node["$ref"].rpartition("/")[2]]
    return definition


def _nullable(schema: Json) -> Json:
    if {"type": "null"} in schema.get("anyOf", []) or schema.get("type") == "null":
        return schema
    if isinstance(schema.get("type"), str) and not {"enum", "const", "anyOf"} & schema.keys():
        return {**schema, "type": [schema["type"], "null"]}
    inner = {key: value for key, value in schema.items() if key != "description"}
    outer = {"description": schema["description"]} if "description" in schema else {}
    return {**outer, "anyOf": [inner, {"type": "null"}]}


def without_nulls(value: Any, schema: Json, root: Json | None = None) -> Any:
    """Return the arguments without the nulls that stand for a default.

    ``schema`` is the schema before strict mode, which tells the optional properties.
    """
    root = schema if root is None else root
    schema = _resolve(value, schema, root)
    if isinstance(value, list) and "items" in schema:
        return [without_nulls(item, schema["items"], root) for item in value]
    if not isinstance(value, dict):
        return value
    properties: Json = schema.get("properties", {})
    required = schema.get("required", [])
    return {
        key: without_nulls(item, properties.get(key, {}), root)
        for key, item in value.items()
        if not (item is None and key in properties and key not in required)
    }


def _resolve(value: Any, schema: Json, root: Json, tried: set[str] | None = None) -> Json:
    """Follow references, and unions to the first branch that the value can belong to; no branch is tried twice."""
    for _ in range(MAX_REFERENCES):
        if "$ref" not in schema:
            break
        schema = _target(schema, root)
    else:
        raise RecursionError("references of a schema that lead in a circle")
    tried = set() if tried is None else tried
    branches: list[Json] = schema.get("anyOf") or schema.get("oneOf") or []
    for branch in branches:
        if (reference := branch.get("$ref", "")) in tried:
            continue
        tried |= {reference} - {""}
        candidate = _resolve(value, branch, root, tried)
        if isinstance(value, list) and "items" in candidate:
            return candidate
        if isinstance(value, dict) and _matches(value, candidate):
            return candidate
    return schema


def _matches(value: Json, schema: Json) -> bool:
    """Return whether an object has the properties and constants of this schema."""
    properties: Json = schema.get("properties", {})
    if not set(schema.get("required", [])) <= value.keys() <= properties.keys():
        return False
    return all(properties[name].get("const", item) == item for name, item in value.items())
