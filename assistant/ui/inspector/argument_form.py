"""A form for the arguments of a function, drawn from its JSON schema.

The arguments are those that a model in strict mode would write: every required argument is present, and an
optional one is left out while its input is empty.
"""

import json
from datetime import date, datetime
from typing import Any

import streamlit as st

from assistant.json_values import Json
from assistant.markdown.escape import escape_markdown
from assistant.tools.toolbox import Tool
from assistant.ui import keys
from assistant.ui.chat.calls.output import format_json
from assistant.ui.language import _

MAX_EXAMPLE_DEPTH = 4
"""Nesting of objects in an example value."""
MAX_BROWSER_NUMBER = 2**53
"""From here on, a browser's numbers are not exact."""


def draw_argument_form(tool: Tool[..., Any]) -> str | None:
    """Draw an input for each argument, and return the arguments as JSON; None if a value is invalid."""
    schema = tool.parameters
    required, arguments, is_valid = schema.get("required", []), {}, True
    for name, declared in schema.get("properties", {}).items():
        part, nullable = _resolve(declared, schema)
        is_optional = nullable or name not in required
        key = keys.runner_argument(tool.name, name)
        try:
            if name == tool.text_parameter:
                value = st.text_area(escape_markdown(name), key=key, help=part["description"] or None) or ""
            else:
                value = _draw_input(name, part, schema, is_optional, key)
        except ValueError as error:
            st.error(escape_markdown(f"{name}: {error}"), icon=":material/error:")
            is_valid = False
        else:
            if value is not None or name in required:  # strict mode has only null for a missing value
                arguments[name] = value
    return json.dumps(arguments, ensure_ascii=False) if is_valid else None


def _resolve(part: Json, root: Json) -> tuple[Json, bool]:
    """Return a part of a schema without references and without null, and whether it may be null."""
    nullable, description = False, ""
    while "$ref" in part or {"type": "null"} in part.get("anyOf", []):
        description = description or part.get("description", "")
        if "$ref" in part:
            part = root["$defs"][part["$ref"].rpartition("/")[2]]
        else:
            branches = [branch for branch in part["anyOf"] if branch != {"type": "null"}]
            nullable, part = True, branches[0] if len(branches) == 1 else {"anyOf": branches}
    if isinstance(types := part.get("type"), list):
        nullable, part = True, {**part, "type": types[0]}  # schemas for models list a type and null only
    if "const" in part:
        part = {**part, "enum": [part["const"]]}
    return {**part, "description": description or part.get("description", "")}, nullable


def _draw_input(name: str, part: Json, root: Json, is_optional: bool, key: str) -> Any:
    """Draw the input of one argument and return its value, None for an optional one that is empty.

    Raises:
        ValueError: The input has no valid value; the text says why.
    """
    label = escape_markdown(name)
    options: Json = {"key": key, "help": escape_markdown(part["description"]) or None}
    if part.get("type") == "array":
        part = {**part, "items": _resolve(part.get("items", {}), root)[0]}
    placeholder = _("Not set") if is_optional else None
    match part:
        case {"enum": [*choices]}:
            return st.selectbox(
                label,
                choices,
                index=None if is_optional else 0,
                format_func=str,
                placeholder=placeholder,
                **options,
            )
        case {"type": "boolean"} if is_optional:
            return st.selectbox(
                label, [True, False], index=None, format_func=json.dumps, placeholder=placeholder, **options
            )
        case {"type": "boolean"}:
            return st.checkbox(label, **options)
        case {"type": "integer" | "number" as kind}:
            return _draw_number(label, part, int if kind == "integer" else float, placeholder, options)
        case {"type": "string", "format": "date"}:
            day = st.date_input(label, None if is_optional else "today", **options)
            return day.isoformat() if isinstance(day, date) else None
        case {"type": "string", "format": "date-time"}:
            moment = st.datetime_input(label, None if is_optional else "now", **options)
            return moment.isoformat() if isinstance(moment, datetime) else None
        case {"type": "string"}:
            text = st.text_input(label, placeholder=part.get("format") or placeholder, **options)
            return text or (None if is_optional else "")
        case {"type": "array", "items": {"enum": [*choices]}}:
            return st.multiselect(label, choices, format_func=str, **options) or (None if is_optional else [])
        case {"type": "array", "items": {"type": "string" | "integer" | "number" as kind}}:
            text = st.text_area(f"{label} :gray[({_('one per line')})]", placeholder=placeholder, **options)
            items = [_parse_item(kind, line.strip()) for line in text.splitlines() if line.strip()]
            return items or (None if is_optional else [])
        case _:
            return _draw_json(label, part, root, placeholder, options)


def _draw_number(
    label: str, part: Json, kind: type[int] | type[float], placeholder: str | None, options: Json
) -> Any:
    low, high = _bound(part, kind, "minimum"), _bound(part, kind, "maximum")
    start = low if low is not None else kind(min(0, high or 0))
    return st.number_input(
        label, low, high, None if placeholder else start, kind(1), placeholder=placeholder, **options
    )


def _bound(part: Json, kind: type[int] | type[float], name: str) -> Any:
    bound = part.get(name, part.get(f"exclusiveM{name[1:]}"))
    return kind(bound) if bound is not None and abs(bound) < MAX_BROWSER_NUMBER else None


def _draw_json(label: str, part: Json, root: Json, placeholder: str | None, options: Json) -> Any:
    example = "" if placeholder else format_json(_example(part, root))
    text = st.text_area(f"{label} :gray[(JSON)]", example, placeholder=placeholder, **options)
    if placeholder and not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(_("not valid JSON. {why}.", why=str(error))) from error


def _parse_item(kind: str, text: str) -> Any:
    try:
        return {"string": str, "integer": int, "number": float}[kind](text)
    except ValueError:
        message = _("{text} is not a number.", text=repr(text))
        if kind == "integer":
            message = _("{text} is not a whole number.", text=repr(text))
        raise ValueError(message) from None


def _example(part: Json, root: Json, depth: int = 0) -> Any:
    """Return a value with the structure that the schema asks for."""
    part, nullable = _resolve(part, root)
    if nullable or depth > MAX_EXAMPLE_DEPTH:
        return None
    match part:
        case {"enum": [value, *_rest]}:
            return value
        case {"anyOf": [first, *_rest]}:
            return _example(first, root, depth + 1)
        case {"type": "object", "properties": properties}:
            return {name: _example(value, root, depth + 1) for name, value in properties.items()}
    empty = {"string": "", "boolean": False, "integer": 0, "number": 0, "array": [], "object": {}}
    return empty.get(part.get("type", "null"))
