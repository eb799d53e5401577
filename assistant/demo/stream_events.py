"""The events of a response in the documented order."""

from collections.abc import Iterator

from assistant.demo.items import CALL_TYPES, Json, split_tokens
from assistant.demo.replies.hosted import picture


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
        begun = item | _begun_fields(item)
        yield {"type": "response.output_item.added", "output_index": index, "item": begun}
        yield from _content_events(item, {"item_id": item["id"], "output_index": index})
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{completed['status']}", "response": completed}


def _begun_fields(item: Json) -> Json:
    """Return the fields of an item that have another value when it begins."""
    fields: Json = {"status": "in_progress"} if "status" in item else {}
    match item["type"]:
        case "message":
            fields["content"] = []
        case "reasoning":
            fields["summary"] = []
        case "image_generation_call":
            fields["result"] = None
        case "code_interpreter_call":
            fields |= {"code": "", "outputs": None}
        case "mcp_call":
            fields |= {"output": None, "arguments": ""}
        case kind if kind in CALL_TYPES:
            fields[CALL_TYPES[kind]] = ""
    return fields


def _content_events(item: Json, where: Json) -> Iterator[Json]:
    """Yield the events between the beginning and the end of an item."""
    kind = f"response.{item['type']}"
    match item["type"]:
        case "message":
            yield from _part_events(item["content"][0], where | {"content_index": 0})
        case "reasoning":
            for number, part in enumerate(item["summary"]):
                place = where | {"summary_index": number}
                yield {"type": f"{kind}_summary_part.added", **place, "part": part | {"text": ""}}
                yield from _written(f"{kind}_summary_text", place, "text", part["text"])
                yield {"type": f"{kind}_summary_part.done", **place, "part": part}
        case "function_call":
            yield from _written(f"{kind}_arguments", where, "arguments", item["arguments"], name=item["name"])
        case "custom_tool_call":
            yield from _written(f"{kind}_input", where, "input", item["input"])
        case "web_search_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield {"type": f"{kind}.searching", **where}
            yield {"type": f"{kind}.completed", **where}
        case "image_generation_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield {"type": f"{kind}.generating", **where}
            for number in (0, 1):
                image = {"partial_image_b64": picture(f"sea_partial_{number}"), "output_format": "png"}
                yield {"type": f"{kind}.partial_image", **where, "partial_image_index": number, **image}
            yield {"type": f"{kind}.completed", **where}
        case "code_interpreter_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield from _written(f"{kind}_code", where, "code", item["code"])
            yield {"type": f"{kind}.interpreting", **where}
            yield {"type": f"{kind}.completed", **where}
        case "mcp_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield from _written(f"{kind}_arguments", where, "arguments", item["arguments"])
            yield {"type": f"{kind}.completed", **where}


def _part_events(part: Json, where: Json) -> Iterator[Json]:
    """Yield the events of a message's text or refusal."""
    is_refusal = part["type"] == "refusal"
    empty = {"refusal": ""} if is_refusal else {"text": "", "annotations": []}
    yield {"type": "response.content_part.added", **where, "part": part | empty}
    if is_refusal:
        yield from _written("response.refusal", where, "refusal", part["refusal"])
    else:
        yield from _text_events(part, where)
    yield {"type": "response.content_part.done", **where, "part": part}


def _text_events(part: Json, where: Json) -> Iterator[Json]:
    """Yield the events of a text, with each annotation as soon as its place is written."""
    kind = "response.output_text"
    sent, annotations = 0, list(enumerate(part["annotations"]))
    for token in split_tokens(part["text"]):
        yield {"type": f"{kind}.delta", **where, "delta": token, "logprobs": []}
        sent += len(token)
        while annotations and annotations[0][1]["end_index"] <= sent:
            number, annotation = annotations.pop(0)
            named = {"annotation_index": number, "annotation": annotation}
            yield {"type": f"{kind}.annotation.added", **where, **named}
    yield {"type": f"{kind}.done", **where, "text": part["text"], "logprobs": []}


def _written(kind: str, where: Json, field: str, text: str, **more: str) -> Iterator[Json]:
    """Yield the pieces of a text that the model writes, and the whole of it, which is in this field."""
    for token in split_tokens(text):
        yield {"type": f"{kind}.delta", **where, "delta": token}
    yield {"type": f"{kind}.done", **where, **more, field: text}
