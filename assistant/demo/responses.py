"""The response objects of the demo."""

import json
import time
from collections.abc import Sequence

from assistant.demo.compaction import compaction_item, compaction_items, restore_compacted, since_compaction
from assistant.demo.items import Json, item_text, new_id, split_tokens
from assistant.demo.options import parse_options
from assistant.demo.output import limit_tokens, output_items
from assistant.demo.prompt_cache import CacheUse
from assistant.demo.requests import Rejection, require

MODEL_NAME = "Demo"
"""The model of a response, whichever the request names except ``PLAIN_MODEL_NAME``."""

PLAIN_MODEL_NAME = "Demo mini"
"""A model without reasoning, verbosity, JSON and processing tiers."""

_NOT_IN_PLAIN_MODEL = (
    ("reasoning", "effort"),
    ("reasoning", "summary"),
    ("text", "verbosity"),
    ("text", "format"),
)

NO_CACHE = CacheUse()


def new_response(body: Json, items: Sequence[Json], conversation_id: str | None) -> Json:
    """Return the response object for a request and its items, in progress."""
    model = PLAIN_MODEL_NAME if require(body, "model") == PLAIN_MODEL_NAME else MODEL_NAME
    options = parse_options(body)
    if model == PLAIN_MODEL_NAME:
        _check_plain(body)
    prompt = prompt_text(options["instructions"], items)
    if options["text"]["format"]["type"] == "json_object" and "json" not in prompt.lower():
        message = (
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
        )
        raise Rejection(f"{message}'json_object'.", "input")
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "model": model,
        "output": [],
        "conversation": {"id": conversation_id} if conversation_id else None,
        **options,
        **dict.fromkeys(("completed_at", "error", "incomplete_details", "usage")),
    }


def _check_plain(body: Json) -> None:
    """Refuse the options that the plain model does not have."""
    named = [f"{holder}.{name}" for holder, name in _NOT_IN_PLAIN_MODEL if (body.get(holder) or {}).get(name)]
    for param in [*named, *(["service_tier"] if body.get("service_tier") else [])]:
        message = f"Unsupported parameter: '{param}' is not supported with this model."
        raise Rejection(message, param, "unsupported_parameter")


def complete(response: Json, items: Sequence[Json], cache: CacheUse, generate: bool) -> Json:
    """Return the response to these items with its output, up to the limit of the request.

    Without ``generate`` the output is empty: the request only prepares the next one.
    """
    tokens = count_tokens(whole_prompt(response, since_compaction(items)))
    items = restore_compacted(items)
    output, is_cut_off = output_items(response, items) if generate else [], False
    output = compaction_items(response, items, tokens) + output if generate else output
    if limit := response["max_output_tokens"]:
        output, is_cut_off = limit_tokens(output, limit)
    ending: Json = {"status": "completed", "completed_at": int(time.time())}
    if is_cut_off:
        ending = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    return response | ending | {"output": output, "usage": _usage(tokens, output, cache)}


def compact(body: Json, items: Sequence[Json]) -> Json:
    """Return the compacted form of these items: the user's messages, and one item for all others."""
    require(body, "model")
    messages = [item for item in items if item.get("role") == "user"]
    output = [*messages, compaction_item([item for item in items if item.get("role") != "user"])]
    fields = {"id": new_id("resp"), "object": "response.compaction", "created_at": int(time.time())}
    return fields | {"output": output, "usage": _usage(count_tokens(prompt_text(None, items)), [])}


def prompt_text(instructions: object, items: Sequence[Json]) -> str:
    """Return the text of the instructions and the items."""
    return "".join(
        [instructions if isinstance(instructions, str) else "", *(item_text(item) for item in items)]
    )


def whole_prompt(options: Json, items: Sequence[Json]) -> str:
    """Return what a model would read: the tools, the instructions and the items."""
    tools = json.dumps(options["tools"], ensure_ascii=False) if options["tools"] else ""
    return tools + prompt_text(options["instructions"], items)


def count_tokens(prompt: str) -> int:
    """Return an estimate of the tokens: four characters each."""
    return len(prompt) // 4 + 1


def _usage(input_tokens: int, output: Sequence[Json], cache: CacheUse = NO_CACHE) -> Json:
    """Return the usage; the tokens of the output are the streamed pieces."""
    output_tokens = sum(len(split_tokens(item_text(item))) for item in output)
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": cache.read // 4, "cache_write_tokens": cache.written // 4},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }
