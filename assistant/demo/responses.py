"""The response objects of the demo.

A response is complete before its first event is sent; streaming only delays it.
"""

import json
import time
from collections.abc import Sequence

from assistant.demo.answers import next_reply
from assistant.demo.calls import Call
from assistant.demo.hosted import hosted_items
from assistant.demo.outputs import parse_output
from assistant.demo.requests import Json, new_id, parse_metadata, parse_tools, require
from assistant.demo.stream import item_text, split_tokens


def new_response(body: Json, conversation_id: str | None) -> Json:
    """Return the response object for a request, in progress."""
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "model": require(body, "model"),
        "output": [],
        "conversation": {"id": conversation_id} if conversation_id else None,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "store": body.get("store") is not False,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": parse_tools(body),
        "metadata": parse_metadata(body),
        **{name: body.get(name) for name in ("instructions", "max_output_tokens", "previous_response_id")},
        **dict.fromkeys(("completed_at", "error", "incomplete_details", "usage")),
    }


def complete(response: Json, items: Sequence[Json]) -> Json:
    """Return the completed response to these items."""
    output = _output(response, items)
    # An estimate: four characters per token of input, and the streamed pieces of the output.
    input_tokens = sum(len(item_text(item)) for item in items) // 4 + 1
    output_tokens = sum(len(split_tokens(item_text(item))) for item in output)
    usage = {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }
    ending = {"status": "completed", "completed_at": int(time.time())}
    return response | ending | {"output": output, "usage": usage}


def _output(response: Json, items: Sequence[Json]) -> list[Json]:
    last = max((index for index, item in enumerate(items) if item.get("role") == "user"), default=-1)
    message = item_text(items[last]) if last >= 0 else ""
    tools = [] if response["tool_choice"] == "none" else response["tools"]
    if last >= 0 and (hosted := hosted_items(message, items[last + 1 :], tools)) is not None:
        return hosted
    first = not any(item.get("role") == "assistant" for item in items[: max(last, 0)])
    outputs = {item["call_id"]: item_text(item) for item in items if item["type"] == "function_call_output"}
    done = []
    for item in items[last + 1 :]:
        if item["type"] == "function_call":
            arguments = parse_output(item["arguments"])
            call = Call(item["name"], arguments if isinstance(arguments, dict) else {})
            done.append((call, outputs[item["call_id"]]))
    reply = next_reply(message, done, first, tools)
    output: list[Json] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        phase = "commentary" if reply.calls else "final_answer"
        message_item = {"id": new_id("msg"), "type": "message", "status": "completed", "role": "assistant"}
        output.append(message_item | {"phase": phase, "content": [part]})
    for call in reply.calls if response["parallel_tool_calls"] else reply.calls[:1]:
        item = {"id": new_id("fc"), "type": "function_call", "status": "completed", "call_id": new_id("call")}
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        output.append(item | {"name": call.name, "arguments": arguments})
    return output
