"""Parse the options of a request into the fields of the response object that repeat them."""

import re
from collections.abc import Sequence
from typing import Any

from assistant.demo.items import Json
from assistant.demo.replies.samples import sample_value
from assistant.demo.requests import Rejection, invalid_value, require

_NUMBER = (int, float)
# The types and the default of each option.
_OPTIONS: dict[str, tuple[tuple[type, ...], Any]] = {
    "background": ((bool,), False),
    "context_management": ((list,), None),
    "frequency_penalty": (_NUMBER, 0.0),
    "instructions": ((str, list), None),
    "max_output_tokens": ((int,), None),
    "max_tool_calls": ((int,), None),
    "parallel_tool_calls": ((bool,), True),
    "presence_penalty": (_NUMBER, 0.0),
    "previous_response_id": ((str,), None),
    "prompt_cache_key": ((str,), None),
    "safety_identifier": ((str,), None),
    "store": ((bool,), True),
    "temperature": (_NUMBER, 1.0),
    "top_logprobs": ((int,), 0),
    "top_p": (_NUMBER, 1.0),
}


def parse_options(body: Json) -> Json:
    """Return the options of a request for a response, with the defaults of those that it leaves out."""
    options = {name: _parse_option(body, name, *kinds) for name, kinds in _OPTIONS.items()}
    if options["max_output_tokens"] is not None and options["max_output_tokens"] < 1:
        raise invalid_value("max_output_tokens", "a number of at least 1")
    if options["background"] and not options["store"]:
        raise Rejection("Background mode requires 'store' to be true.", "store", "invalid_value")
    tools = parse_tools(body)
    if cache := _parse_object(body, "prompt_cache_options"):
        options["prompt_cache_options"] = {"mode": "implicit", "ttl": "30m", **cache}
    return options | {
        "metadata": parse_metadata(body),
        "reasoning": {"effort": None, "summary": None} | _parse_object(body, "reasoning"),
        "service_tier": _parse_tier(body),
        "text": _parse_text(_parse_object(body, "text")),
        "tool_choice": _parse_tool_choice(body, tools),
        "tools": tools,
        "truncation": _parse_choice(body, "truncation", ("disabled", "auto")),
    }


def parse_metadata(body: Json) -> Json:
    """Return the metadata, ``{}`` if there is none."""
    return _parse_object(body, "metadata")


def parse_tools(body: Json) -> list[Json]:
    """Return the tools with the fields that the API adds."""
    tools = []
    for index, tool in enumerate(require({"tools": body.get("tools") or []}, "tools", list)):
        if not isinstance(tool, dict):
            raise invalid_value(f"tools[{index}]", "an object")
        if tool.get("type") == "function":
            require(tool, "name", str, f"tools[{index}]")
            require({"parameters": tool.get("parameters") or {}}, "parameters", dict, f"tools[{index}]")
            tool = {"description": None, "parameters": None, "strict": None, **tool}
        if tool.get("type") == "custom":
            require(tool, "name", str, f"tools[{index}]")
            _check_grammar(tool.get("format") or {}, f"tools[{index}].format")
        if tool.get("type") == "namespace":
            require(tool, "name", str, f"tools[{index}]")
            require(tool, "description", str, f"tools[{index}]")
            tool = tool | {"tools": parse_tools(tool)}
        tools.append(tool)
    return tools


def _check_grammar(text_format: Json, param: str) -> None:
    """Reject an invalid grammar. The real API parses all of it; the demo checks only the basics."""
    definition = text_format.get("definition")
    match text_format.get("type", "text"), text_format.get("syntax"):
        case "text", _:
            return
        case "grammar", "lark" if isinstance(definition, str) and re.search(
            r"^\s*\??start\s*:", definition, re.M
        ):
            return
        case "grammar", "regex" if isinstance(definition, str):
            try:
                re.compile(definition)
            except re.error as error:
                raise Rejection(f"Invalid grammar: {error}.", param, "invalid_value") from None
            return
    raise invalid_value(param, "text, a lark grammar with the rule 'start', or a regex")


def _parse_option(body: Json, name: str, kinds: tuple[type, ...], default: Any) -> Any:
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise invalid_value(name, " or ".join(kind.__name__ for kind in kinds))
    return value


def _parse_object(body: Json, name: str) -> Json:
    value: Json = require({name: body.get(name) or {}}, name, dict)
    return value


def _parse_choice(body: Json, name: str, choices: Sequence[str]) -> str:
    value = body.get(name) or choices[0]
    if value not in choices:
        raise invalid_value(name, f"one of {', '.join(choices)}")
    return str(value)


def _parse_tier(body: Json) -> str:
    """Return the tier that answers; the fastest one, which only some accounts have, is refused."""
    tier = _parse_choice(
        body, "service_tier", ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")
    )
    if tier == "ultrafast":
        message = "The service tier 'ultrafast' is not available for this model."
        raise Rejection(message, "service_tier", "unsupported_value")
    return {"auto": "default", "fast": "priority"}.get(tier, tier)


def _parse_text(text: Json) -> Json:
    verbosity = text.get("verbosity") or "medium"
    if verbosity not in ("low", "medium", "high"):
        raise invalid_value("text.verbosity", "one of low, medium, high")
    return {"format": _parse_format(text), "verbosity": verbosity}


def _parse_format(text: Json) -> Json:
    """Return the format of the text: plain text, any JSON object, or JSON that matches a schema."""
    fields = _parse_object(text, "format")
    match fields.get("type") or "text":
        case "text" | "json_object" as kind:
            return {"type": kind}
        case "json_schema":
            name = require(fields, "name", str, "text.format")
            schema = require(fields, "schema", dict, "text.format")
            try:
                sample_value(schema)
            except ValueError as error:
                raise invalid_value("text.format.schema", "a small JSON schema") from error
            optional = {"description": fields.get("description"), "strict": fields.get("strict") is True}
            return {"type": "json_schema", "name": name, "schema": schema, **optional}
    raise invalid_value("text.format.type", "one of text, json_object, json_schema")


def _parse_tool_choice(body: Json, tools: Sequence[Json]) -> Any:
    choice = body.get("tool_choice") or "auto"
    if choice in ("auto", "none", "required") or (
        isinstance(choice, dict) and choice.get("type") != "function"
    ):
        return choice
    if not isinstance(choice, dict):
        raise invalid_value("tool_choice", "one of none, auto, required, or an object")
    if choice.get("name") not in [tool.get("name") for tool in tools]:
        raise Rejection("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")
    return choice
