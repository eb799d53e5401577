"""The events of a response in the documented order."""

import base64
from collections.abc import Iterator

from assistant.demo.output import split_tokens
from assistant.demo.replies.hosted import draw_sea
from assistant.demo.requests import CALL_TYPES, Json


def stream_events(started: Json, completed: Json) -> Iterator[Json]:
    """Yield the events of a response in the documented order."""
    if started["background"]:
        queued = started | {"status": "queued"}
        yield {"type": "response.created", "response": queued}
        yield {"type": "response.queued", "response": queued}
    else:
        yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(completed["output"]):
        if item["type"] == "reasoning":
            yield from _reasoning_events(item, index)
            continue
        if item["type"] not in ("message", *CALL_TYPES):
            yield from _hosted_tool_events(item, index)
            continue
        is_message = item["type"] == "message"
        empty: Json = {"content": []} if is_message else {CALL_TYPES[item["type"]]: ""}
        added = item | empty | {"status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": index, "item": added}
        where = {"item_id": item["id"], "output_index": index}
        if is_message:
            part, where = item["content"][0], where | {"content_index": 0}
            if part["type"] == "refusal":
                yield from _refusal_events(part, where)
                yield {"type": "response.output_item.done", "output_index": index, "item": item}
                continue
            empty = {"text": "", "annotations": []}
            yield {"type": "response.content_part.added", **where, "part": part | empty}
            sent, annotations = 0, list(enumerate(part["annotations"]))
            for token in split_tokens(part["text"]):
                yield {"type": "response.output_text.delta", **where, "delta": token, "logprobs": []}
                sent += len(token)
                while annotations and annotations[0][1]["end_index"] <= sent:
                    number, annotation = annotations.pop(0)
                    kind = "response.output_text.annotation.added"
                    yield {"type": kind, **where, "annotation_index": number, "annotation": annotation}
            yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **where, "part": part}
        else:
            field = CALL_TYPES[item["type"]]
            kind = f"response.{item['type']}_{field}"
            for token in split_tokens(item[field]):
                yield {"type": f"{kind}.delta", **where, "delta": token}
            name = {"name": item["name"]} if field == "arguments" else {}
            yield {"type": f"{kind}.done", **where, **name, field: item[field]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{completed['status']}", "response": completed}


def _refusal_events(part: Json, where: Json) -> Iterator[Json]:
    yield {"type": "response.content_part.added", **where, "part": part | {"refusal": ""}}
    for token in split_tokens(part["refusal"]):
        yield {"type": "response.refusal.delta", **where, "delta": token}
    yield {"type": "response.refusal.done", **where, "refusal": part["refusal"]}
    yield {"type": "response.content_part.done", **where, "part": part}


def _reasoning_events(item: Json, index: int) -> Iterator[Json]:
    where = {"item_id": item["id"], "output_index": index}
    yield {"type": "response.output_item.added", "output_index": index, "item": item | {"summary": []}}
    kind = "response.reasoning_summary"
    for number, part in enumerate(item["summary"]):
        place = where | {"summary_index": number}
        yield {"type": f"{kind}_part.added", **place, "part": part | {"text": ""}}
        for token in split_tokens(part["text"]):
            yield {"type": f"{kind}_text.delta", **place, "delta": token}
        yield {"type": f"{kind}_text.done", **place, "text": part["text"]}
        yield {"type": f"{kind}_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _hosted_tool_events(item: Json, index: int) -> Iterator[Json]:
    """Yield the events of a hosted tool's item."""
    kind, where = f"response.{item['type']}", {"item_id": item["id"], "output_index": index}
    added: Json = {"status": "in_progress"} if "status" in item else {}
    match item["type"]:
        case "image_generation_call":
            added["result"] = None
        case "code_interpreter_call":
            added |= {"code": "", "outputs": None}
        case "mcp_call":
            added |= {"output": None, "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": index, "item": item | added}
    match item["type"]:
        case "web_search_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield {"type": f"{kind}.searching", **where}
            yield {"type": f"{kind}.completed", **where}
        case "image_generation_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield {"type": f"{kind}.generating", **where}
            for number, grain in enumerate((40, 10)):
                image = base64.b64encode(draw_sea(480, 320, grain)).decode()
                partial = {"partial_image_index": number, "partial_image_b64": image, "output_format": "png"}
                yield {"type": f"{kind}.partial_image", **where, **partial}
            yield {"type": f"{kind}.completed", **where}
        case "code_interpreter_call":
            yield {"type": f"{kind}.in_progress", **where}
            for token in split_tokens(item["code"]):
                yield {"type": f"{kind}_code.delta", **where, "delta": token}
            yield {"type": f"{kind}_code.done", **where, "code": item["code"]}
            yield {"type": f"{kind}.interpreting", **where}
            yield {"type": f"{kind}.completed", **where}
        case "mcp_call":
            yield {"type": f"{kind}.in_progress", **where}
            for token in split_tokens(item["arguments"]):
                yield {"type": f"{kind}_arguments.delta", **where, "delta": token}
            yield {"type": f"{kind}_arguments.done", **where, "arguments": item["arguments"]}
            yield {"type": f"{kind}.completed", **where}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
