"""The items of the server's own tools, and their events in the documented order."""

import base64
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

Json = dict[str, Any]
_number = count(1)

PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"the whole picture").decode()
ROUGH = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"a rough picture").decode()


def _item(kind: str, prefix: str, **fields: Any) -> Json:
    return {"id": f"{prefix}_{next(_number):06d}", "type": kind, "status": "completed", **fields}


def web_search(*queries: str) -> Json:
    return _item("web_search_call", "ws", action={"type": "search", "queries": list(queries)})


def file_search(query: str, **results: str) -> Json:
    found = [{"file_id": "file_1", "filename": name, "text": text} for name, text in results.items()]
    return _item("file_search_call", "fs", queries=[query], results=found)


def code(text: str, *outputs: Json, **fields: Any) -> Json:
    fields = {"container_id": "cntr_1", "code": text, "outputs": list(outputs), **fields}
    return _item("code_interpreter_call", "ci", **fields)


def picture(prompt: str, result: str | None = PICTURE, **fields: Any) -> Json:
    return _item("image_generation_call", "ig", result=result, revised_prompt=prompt, **fields)


def mcp_tools(server: str, *names: str, **fields: Any) -> Json:
    listed = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    return _item("mcp_list_tools", "mcpl", server_label=server, tools=listed, **fields)


def mcp_approval(server: str, name: str, arguments: str) -> Json:
    item = _item("mcp_approval_request", "mcpr", server_label=server, name=name, arguments=arguments)
    return {key: value for key, value in item.items() if key != "status"}


def mcp(server: str, name: str, arguments: str, output: str | None, **fields: Any) -> Json:
    fields = {"server_label": server, "name": name, "arguments": arguments, "output": output, **fields}
    return _item("mcp_call", "mcp", **fields)


def cited(item: Json, *annotations: Json) -> Json:
    """Return a message with sources."""
    return {**item, "content": [{**item["content"][0], "annotations": list(annotations)}]}


def url(title: str, address: str, end: int) -> Json:
    return {"type": "url_citation", "title": title, "url": address, "start_index": 0, "end_index": end}


def container_file(name: str, end: int) -> Json:
    ids = {"container_id": "cntr_1", "file_id": "cfile_1"}
    return {"type": "container_file_citation", "filename": name, "start_index": 0, "end_index": end, **ids}


# What an item lacks while it begins, and its events with their own fields in between.
_BLANK: dict[str, Json] = {
    "web_search_call": {"action": None},
    "file_search_call": {"queries": [], "results": None},
    "code_interpreter_call": {"code": "", "outputs": None},
    "image_generation_call": {"result": None},
    "mcp_call": {"arguments": "", "output": None, "error": None},
    "mcp_list_tools": {"tools": []},
}


def events_of(item: Json, index: int, event: Callable[..., Json], pieces: list[str]) -> Iterator[Json]:
    """Yield the events of an item before ``output_item.done``."""
    kind: str = item["type"]
    at = {"item_id": item["id"], "output_index": index}
    begun = {**item, **_BLANK.get(kind, {})}
    yield event("output_item.added", output_index=index, item=begun | {"status": "in_progress"})
    if kind not in _BLANK:
        return
    yield event(f"{kind}.in_progress", **at)
    match kind:
        case "web_search_call" | "file_search_call":
            yield event(f"{kind}.searching", **at)
        case "code_interpreter_call":
            for piece in pieces:
                yield event("code_interpreter_call_code.delta", **at, delta=piece)
            yield event("code_interpreter_call_code.done", **at, code=item["code"])
            yield event("code_interpreter_call.interpreting", **at)
        case "image_generation_call":
            yield event("image_generation_call.generating", **at)
            rough = {"partial_image_index": 0, "partial_image_b64": ROUGH, "output_format": "png"}
            yield event("image_generation_call.partial_image", **at, **rough)
        case "mcp_call":
            for piece in pieces:
                yield event("mcp_call_arguments.delta", **at, delta=piece)
            yield event("mcp_call_arguments.done", **at, arguments=item["arguments"])
    yield event(f"{kind}.{'failed' if item.get('status') == 'failed' else 'completed'}", **at)
