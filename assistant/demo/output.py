"""The output items of a response: messages and calls, within what the request allows."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.demo.replies.answers import Reply, next_reply
from assistant.demo.replies.calls import Call
from assistant.demo.replies.hosted import hosted_items
from assistant.demo.replies.samples import sample_value
from assistant.demo.replies.summaries import parse_output
from assistant.demo.requests import Json, new_id

TOKEN = re.compile("\\s*(?:[\u3040-\u9fff\uff00-\uffef]{1,2}|[^\\s\u3040-\u9fff\uff00-\uffef]{1,6})|\\s+")


def output_items(response: Json, items: Sequence[Json]) -> list[Json]:
    """Return what the demo answers to these items, with the options of the response."""
    messages = [index for index, item in enumerate(items) if item.get("role") == "user"]
    last = messages[-1] if messages else -1
    texts = [item_text(items[index]) for index in messages]
    tools = _allowed_tools(response)
    if messages and (hosted := hosted_items(texts[-1], items[last + 1 :], tools)) is not None:
        return hosted
    outputs = {item["call_id"]: item_text(item) for item in items if item["type"] == "function_call_output"}
    done = []
    for item in items[last + 1 :]:
        if item["type"] == "function_call":
            arguments = parse_output(item["arguments"])
            call = Call(item["name"], arguments if isinstance(arguments, dict) else {})
            done.append((call, outputs[item["call_id"]]))
    reply = next_reply(texts[-1] if texts else "", done, tools, texts[:-1])
    if not reply.calls and (functions := _required_functions(response, tools)):
        arguments = sample_value(functions[0]["parameters"] or {"type": "object"})
        reply = Reply("", (Call(functions[0]["name"], arguments),))
    if not reply.calls:
        reply = Reply(_formatted(reply.text, response["text"]["format"]))
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


def limit_tokens(output: Sequence[Json], limit: int) -> tuple[list[Json], bool]:
    """Return the output up to this number of tokens, and whether something is missing."""
    shortened: list[Json] = []
    for item in output:
        tokens = split_tokens(item_text(item))
        if len(tokens) > limit:
            return shortened + ([_cut_off(item, "".join(tokens[:limit]))] if limit else []), True
        limit -= len(tokens)
        shortened.append(item)
    return shortened, False


def split_tokens(text: str) -> list[str]:
    """Split a text into pieces of about a token's size."""
    return TOKEN.findall(text)


def item_text(item: Json) -> str:
    """Return the text, arguments or output of an item."""
    content = item.get("content") or item.get("arguments") or item.get("output") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("text"))


def _allowed_tools(response: Json) -> list[Json]:
    """Return the tools that ``tool_choice`` allows."""
    choice, tools = response["tool_choice"], response["tools"]
    match choice:
        case "none":
            return []
        case {"type": "function", "name": name}:
            return [tool for tool in tools if tool.get("name") == name]
        case {"type": "allowed_tools", "tools": list(allowed)}:
            return [tool for tool in tools if any(_is_reference(each, tool) for each in allowed)]
    return list(tools)


def _is_reference(reference: Any, tool: Mapping[str, Any]) -> bool:
    names = ("type", "name", "server_label")
    return isinstance(reference, dict) and all(reference.get(name) == tool.get(name) for name in names)


def _required_functions(response: Json, tools: Sequence[Json]) -> list[Json]:
    """Return the functions of which one has to be called."""
    match response["tool_choice"]:
        case "required" | {"type": "function"} | {"mode": "required"}:
            return [tool for tool in tools if tool.get("type") == "function"]
    return []


def _formatted(text: str, text_format: Json) -> str:
    """Return the text, or JSON if the request asks for JSON."""
    match text_format["type"]:
        case "json_object":
            return json.dumps({"answer": text}, ensure_ascii=False)
        case "json_schema":
            return json.dumps(sample_value(text_format["schema"]), ensure_ascii=False)
    return text


def _cut_off(item: Json, text: str) -> Json:
    if item["type"] != "message":
        return item | {"arguments": text, "status": "incomplete"}
    [part] = item["content"]
    annotations = [each for each in part["annotations"] if each["end_index"] <= len(text)]
    part = part | {"text": text, "annotations": annotations}
    return item | {"content": [part], "status": "incomplete"}
