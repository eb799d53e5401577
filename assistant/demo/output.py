"""The output items of a response: messages and calls, within what the request allows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from assistant.demo.items import CALL_TYPES, OUTPUT_TYPES, Json, item_text, new_call, new_text, split_tokens
from assistant.demo.replies import phrases, vocabulary
from assistant.demo.replies.answers import Reply, next_reply
from assistant.demo.replies.calls import TASK_HANDLE, TEXT, Call
from assistant.demo.replies.hosted import hosted_items
from assistant.demo.replies.programs import flatten_tools, loading_items, program_items, search_items
from assistant.demo.replies.samples import sample_value
from assistant.demo.replies.summaries import parse_output, summarize
from assistant.demo.replies.thoughts import reasoning_items, refusal_items


def output_items(response: Json, items: Sequence[Json]) -> list[Json]:
    """Return what the demo answers to these items, with the options of the response."""
    questions = [index for index, item in enumerate(items) if item.get("role") == "user"]
    message = item_text(items[questions[-1]]) if questions else ""
    question = message[: vocabulary.MAX_QUESTION_CHARS]
    since = items[questions[-1] + 1 :] if questions else items
    tools = flatten_tools(_allowed_tools(response))
    if refusal := refusal_items(question):
        return refusal
    late, is_all_new = _late_outputs(items)
    late_text = summarize(message, late) if questions and late else ""
    reply = Reply("")
    if not is_all_new:
        steps = hosted_items(question, since, tools) or program_items(question, since, tools)
        steps = steps or search_items(question, tools)
        if steps:
            return steps
        reply = _next_reply(items, questions, tools)
    reply = replace(reply, text="\n\n".join(filter(None, [late_text, reply.text])))
    reply = _as_requested(reply, response, tools)
    thoughts = reasoning_items(question, since, response)
    return thoughts + _reply_items(reply, items, tools, is_parallel=response["parallel_tool_calls"])


def _next_reply(items: Sequence[Json], questions: Sequence[int], tools: Sequence[Json]) -> Reply:
    """Return the next reply to the last message, or to the one before if the last one adds to that."""
    texts = [item_text(items[index]) for index in questions]
    if not texts:
        return _reply("", items, -1, tools, [])
    reply = _reply(texts[-1], items, questions[-1], tools, texts[:-1])
    if _is_addition(reply, items, questions[-1]):
        return _reply(f"{texts[-2]} {texts[-1]}", items, questions[-2], tools, texts[:-2])
    return reply


def _as_requested(reply: Reply, response: Json, tools: Sequence[Json]) -> Reply:
    """Return the reply as the request demands it: with a call, or with a text of some length or format."""
    if not (reply.calls or reply.background) and (functions := _required_functions(response, tools)):
        arguments = sample_value(functions[0]["parameters"] or {"type": "object"})
        return Reply("", (Call(functions[0]["name"], arguments),))
    if reply.calls:
        return reply
    text = _as_long_as(response["text"]["verbosity"], reply.text)
    return replace(reply, text=_formatted(text, response["text"]["format"]))


def _reply_items(
    reply: Reply, items: Sequence[Json], tools: Sequence[Json], *, is_parallel: bool
) -> list[Json]:
    """Return the items of a reply: calls in the background, the text, and calls with what loads them."""
    number = sum(bool(item.get("async")) for item in items) + 1
    output = [_background_item(call, tools, each) for each, call in enumerate(reply.background, number)]
    if reply.text:
        output.append(new_text(reply.text, phase="commentary" if reply.calls else "final_answer"))
    calls = reply.calls if is_parallel else reply.calls[:1]
    output += loading_items([call.name for call in calls], tools, items)
    return output + [_call_item(call, tools) for call in calls]


def _reply(
    question: str, items: Sequence[Json], position: int, tools: Sequence[Json], earlier: Sequence[str]
) -> Reply:
    """Return the next reply to a question, given the calls after its position."""
    calls = [item for item in items[position + 1 :] if item["type"] in CALL_TYPES]
    outputs = _outputs(items)
    done = [(_call(item), outputs[item["call_id"]]) for item in calls if not item.get("async")]
    started = [item["name"] for item in calls if item.get("async")]
    return next_reply(question, done, tools, earlier, started)


def _is_addition(reply: Reply, items: Sequence[Json], last: int) -> bool:
    """Return whether the last message came with results of calls, and makes sense only after the one before it."""
    asks_back = reply.text in [sentences["city"] for sentences in phrases.SENTENCES.values()]
    return asks_back and last > 0 and items[last - 1]["type"] in OUTPUT_TYPES


def _call_item(call: Call, tools: Sequence[Json]) -> Json:
    tool = next((tool for tool in tools if tool.get("name") == call.name), {})
    if tool.get("type") == "custom":
        text = str(next(iter(call.arguments.values()), ""))  # a call that the user wrote names the parameter
        return new_call("custom_tool_call", call.name, text)
    namespace = {"namespace": tool["namespace"]} if tool.get("namespace") else {}
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return new_call("function_call", call.name, arguments) | namespace


def _background_item(call: Call, tools: Sequence[Json], number: int) -> Json:
    handle = {TASK_HANDLE: f"{call.name}_{number}"}
    return _call_item(Call(call.name, call.arguments | handle), tools) | {"async": True}


def _outputs(items: Sequence[Json]) -> dict[str, str]:
    """Return the outputs of the calls by their ids."""
    return {item["call_id"]: item_text(item) for item in items if item["type"] in OUTPUT_TYPES}


def _late_outputs(items: Sequence[Json]) -> tuple[list[tuple[Call, str]], bool]:
    """Return the background calls whose outputs are new in this request, and whether nothing else is new."""
    new = list(
        takewhile(lambda item: item.get("role") == "user" or item["type"] in OUTPUT_TYPES, items[::-1])
    )
    outputs = _outputs(new)
    late = [item for item in items if item.get("async") and item["call_id"] in outputs]
    return [(_call(item), outputs[item["call_id"]]) for item in late], 0 < len(late) == len(new)


def _call(item: Json) -> Call:
    if item["type"] == "custom_tool_call":
        return Call(item["name"], {TEXT: item["input"]})
    arguments = parse_output(item["arguments"])
    arguments = arguments if isinstance(arguments, dict) else {}
    return Call(item["name"], {name: value for name, value in arguments.items() if name != TASK_HANDLE})


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
            return [tool for tool in tools if tool.get("type") == "function" and "parameters" in tool]
    return []


def _as_long_as(verbosity: str, text: str) -> str:
    """Return a text that is shortened to its first paragraph, or says in more words what it is."""
    match verbosity:
        case "low":
            return text.partition("\n\n")[0]
        case "high":
            return f"{text}\n\n{phrases.SENTENCES[vocabulary.language_of(text)]['long']}"
    return text


def _formatted(text: str, text_format: Json) -> str:
    """Return the text, or JSON if the request asks for JSON."""
    match text_format["type"]:
        case "json_object":
            return json.dumps({"answer": text}, ensure_ascii=False)
        case "json_schema":
            return json.dumps(sample_value(text_format["schema"]), ensure_ascii=False)
    return text


def _cut_off(item: Json, text: str) -> Json:
    if item["type"] in CALL_TYPES:
        return item | {CALL_TYPES[item["type"]]: text, "status": "incomplete"}
    if item["type"] != "message":
        return item
    [part] = item["content"]
    if part["type"] == "refusal":
        return item | {"content": [part | {"refusal": text}], "status": "incomplete"}
    annotations = [each for each in part["annotations"] if each["end_index"] <= len(text)]
    part = part | {"text": text, "annotations": annotations}
    return item | {"content": [part], "status": "incomplete"}
