"""The fields of a request for ``RequestOptions``: one function for each protocol.

Agents have their model, instructions and parameters at the server, so that their protocol has no function here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assistant.backends.json_access import JsonObject
from assistant.request_options import RequestOptions, parse_schema
from assistant.settings import ProtocolName
from assistant.tools.schema import strict_schema
from assistant.tools.task_handles import WAIT_NAME

_RESPONSES = frozenset(RequestOptions.__slots__)
_CHAT = _RESPONSES - {"summary", "cache_diagnostics"}
_ASSISTANTS = _CHAT - {"functions", "verbosity", "service_tier"}

PROTOCOL_OPTIONS: Mapping[ProtocolName, frozenset[str]] = {
    "auto": _RESPONSES,
    "responses": _RESPONSES,
    "chat": _CHAT,
    "assistants": _ASSISTANTS,
    "agents": frozenset(),
}
"""The names of the options that each protocol has; "auto" is the Responses API until a server turns out otherwise."""

_WAYS_TO_CALL = ("programmatic_tool_calling", "tool_search")
"""Tools that do nothing without functions."""

SCHEMA_NAME = "answer"


def responses_fields(
    options: RequestOptions, tools: Sequence[JsonObject], last_response: str = ""
) -> JsonObject:
    """Return the fields of a request of the Responses API; ``tools`` are those that it has.

    ``last_response`` is the id of the response before, with which the server compares the request.
    """
    fields: JsonObject = {}
    if options.instructions:
        fields["instructions"] = options.instructions
    if options.max_output_tokens:
        fields["max_output_tokens"] = options.max_output_tokens
    reasoning = {"effort": options.effort} if options.effort else {}
    if options.effort != "none" and options.summary != "none":
        # OpenAI shows nothing of the reasoning unless it is asked for.
        reasoning["summary"] = options.summary or "auto"
    if reasoning:
        fields["reasoning"] = reasoning
    text: JsonObject = {}
    if options.verbosity:
        text["verbosity"] = options.verbosity
    if text_format := _text_format(options):
        text["format"] = text_format
    if text:
        fields["text"] = text
    if choice := _responses_choice(options, tools):
        fields["tool_choice"] = choice
    if options.service_tier:
        fields["service_tier"] = options.service_tier
    if options.cache_diagnostics and last_response:
        fields["prompt_cache_options"] = {"comparison_response_id": last_response}
    return fields | _parallel_calls(options, tools)


def chat_fields(options: RequestOptions, tools: Sequence[JsonObject]) -> JsonObject:
    """Return the fields of a request of Chat Completions.

    Few of its servers know ``allowed_tools``. So ``tools`` are only those of the allowed functions.
    """
    fields = _set_fields(
        reasoning_effort=options.effort,
        max_completion_tokens=options.max_output_tokens,
        verbosity=options.verbosity,
        service_tier=options.service_tier,
    )
    return fields | _nested_format(options) | _choice(options, tools) | _parallel_calls(options, tools)


def assistants_fields(options: RequestOptions) -> JsonObject:
    """Return the fields of a run of the Assistants API; without a model the assistant has its own."""
    fields = _set_fields(
        model=options.model,
        instructions=options.instructions,
        reasoning_effort=options.effort,
        max_completion_tokens=options.max_output_tokens,
    )
    return fields | _nested_format(options) | _choice(options, [{}]) | _parallel_calls(options, [{}])


def _set_fields(**fields: str | int | None) -> JsonObject:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if value}


def _parallel_calls(options: RequestOptions, tools: Sequence[JsonObject]) -> JsonObject:
    fields: JsonObject = {}
    if options.parallel_calls is not None and tools:
        fields["parallel_tool_calls"] = options.parallel_calls
    return fields


def _choice(options: RequestOptions, tools: Sequence[JsonObject]) -> JsonObject:
    """Return the field that says whether to call a tool; a request without tools may not have it."""
    return {"tool_choice": options.tool_choice} if options.tool_choice and tools else {}


def _responses_choice(options: RequestOptions, tools: Sequence[JsonObject]) -> Any:
    """Return which tools the model may or must use; None for its default."""
    if options.tool_choice == "none" or all(_is_allowed(tool, options) for tool in _single(tools)):
        return options.tool_choice if tools else None
    # The tools stay in the request, so that the beginning of the prompt stays in the server's cache.
    allowed = [_reference(tool) for tool in _single(tools) if _is_allowed(tool, options)]
    if all(tool.get("name") == WAIT_NAME or tool["type"] in _WAYS_TO_CALL for tool in allowed):
        return "none"
    return {"type": "allowed_tools", "mode": options.tool_choice or "auto", "tools": allowed}


def _single(tools: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Yield the tools, with those of a namespace in its place."""
    for tool in tools:
        yield from tool["tools"] if tool["type"] == "namespace" else [tool]


def _is_allowed(tool: JsonObject, options: RequestOptions) -> bool:
    is_function = tool["type"] in ("function", "custom") and tool["name"] != WAIT_NAME
    return options.allows(tool["name"]) if is_function else True


def _reference(tool: JsonObject) -> JsonObject:
    return {name: tool[name] for name in ("type", "name", "server_label") if name in tool}


def _text_format(options: RequestOptions) -> JsonObject:
    """Return the format of the answer; {} for text, also while the schema is missing."""
    if options.text_format == "json_object":
        return {"type": "json_object"}
    if options.text_format != "json_schema" or not options.schema:
        return {}
    schema = parse_schema(options.schema)
    # Compared as text, in which 1 is not True.
    is_strict = json.dumps(strict_schema(schema), sort_keys=True) == json.dumps(schema, sort_keys=True)
    return {"type": "json_schema", "name": SCHEMA_NAME, "schema": schema, "strict": is_strict}


def _nested_format(options: RequestOptions) -> JsonObject:
    """Return the format as Chat Completions and the Assistants API have it: the schema in an object of its own."""
    text_format = _text_format(options)
    if text_format.get("type") == "json_schema":
        schema = {name: value for name, value in text_format.items() if name != "type"}
        text_format = {"type": "json_schema", "json_schema": schema}
    return {"response_format": text_format} if text_format else {}
