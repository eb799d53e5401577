"""A response: what a history and the rules of ``answers.py`` make of a request.

Not here: in which pieces it is sent (``stream.py``), where it is kept (``server.py``).
The one rule: it is finished before its first event is sent; streaming only tells it slowly.
"""

import json
import time
from collections.abc import Sequence

from assistant.demo.answers import answer
from assistant.demo.calls import Call
from assistant.demo.hosted import items_for
from assistant.demo.outputs import json_or_text
from assistant.demo.requests import Json, metadata_of, need, new_id, tools_of
from assistant.demo.stream import text_of, tokens


def begun(body: Json, conversation_id: str | None) -> Json:
    """A response that has just begun."""
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "model": need(body, "model"),
        "output": [],
        "conversation": {"id": conversation_id} if conversation_id else None,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "store": body.get("store") is not False,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": tools_of(body),
        "metadata": metadata_of(body),
        **{name: body.get(name) for name in ("instructions", "max_output_tokens", "previous_response_id")},
        **dict.fromkeys(("completed_at", "error", "incomplete_details", "usage")),
    }


def ended(response: Json, items: Sequence[Json]) -> Json:
    """The response as it ends, with its answer to the history."""
    output = _output(response, items)
    # An estimate: four characters to a token of input, and the pieces in which the output is streamed.
    read = sum(len(text_of(item)) for item in items) // 4 + 1
    written = sum(len(tokens(text_of(item))) for item in output)
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
    end = {"status": "completed", "completed_at": int(time.time())}
    return response | end | {"output": output, "usage": usage}


def _output(response: Json, items: Sequence[Json]) -> list[Json]:
    asked = max((at for at, item in enumerate(items) if item.get("role") == "user"), default=-1)
    question = text_of(items[asked]) if asked >= 0 else ""
    tools = [] if response["tool_choice"] == "none" else response["tools"]
    if asked >= 0 and (hosted := items_for(question, items[asked + 1 :], tools)) is not None:
        return hosted
    first = not any(item.get("role") == "assistant" for item in items[: max(asked, 0)])
    outputs = {item["call_id"]: text_of(item) for item in items if item["type"] == "function_call_output"}
    done = []
    for item in items[asked + 1 :]:
        if item["type"] == "function_call":
            arguments = json_or_text(item["arguments"])
            call = Call(item["name"], arguments if isinstance(arguments, dict) else {})
            done.append((call, outputs[item["call_id"]]))
    reply = answer(question, done, first, tools)
    output: list[Json] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        phase = "commentary" if reply.calls else "final_answer"
        message = {"id": new_id("msg"), "type": "message", "status": "completed", "role": "assistant"}
        output.append(message | {"phase": phase, "content": [part]})
    for call in reply.calls if response["parallel_tool_calls"] else reply.calls[:1]:
        item = {"id": new_id("fc"), "type": "function_call", "status": "completed", "call_id": new_id("call")}
        written = json.dumps(call.arguments, ensure_ascii=False)
        output.append(item | {"name": call.name, "arguments": written})
    return output
