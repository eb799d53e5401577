"""Read what the server's own tools do, from the events and items of the Responses API. Pure: no requests.

https://platform.openai.com/docs/api-reference/responses-streaming lists them all. Their content comes from
strangers, so every field is checked and limited in size.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from assistant.backends.json_access import JsonObject, SurrogateBuffer, objects_at, text_at
from assistant.backends.responses.server_steps import is_step, step_call
from assistant.events import Citation, Event, HostedCall, HostedDelta, HostedKind, ToolCall, View
from assistant.texts import shorten
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import truncate_output
from assistant.tools.views import File, split_result

HOSTED_KINDS: dict[str, HostedKind] = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcp",
}
"""The types of items that hold the call of a hosted tool."""

MAX_CITATIONS = 200  # maximum number of citations in one response

MAX_TITLE_CHARS, MAX_URL_CHARS = 300, 2_000


class HostedReader:
    """The state of the hosted tools' calls in one response while its events arrive."""

    def __init__(self) -> None:
        self._calls: dict[object, HostedCall] = {}  # by every key that events use for them
        self._newest: HostedCall | None = None
        self._count = 0
        self._buffer = SurrogateBuffer()
        self._search = ""  # the id of the newest search for functions
        self._newest_step: HostedCall | None = None

    def feed(self, event: JsonObject) -> Iterator[Event]:
        """Yield the events of the run for an event of the response."""
        item = event.get("item")
        match event.get("type"):
            case "response.output_item.added" if isinstance(item, dict) and is_step(item):
                if item["type"] in ("program", "tool_search_call"):  # an output is shown when it is done
                    yield from self._step(item)
            case "response.output_item.added" if isinstance(item, dict):
                yield from self._show(item, "running", event)
            case "response.output_item.done" if isinstance(item, dict):
                yield from self.finish(item, event)
            case "response.code_interpreter_call_code.delta" | "response.mcp_call_arguments.delta":
                call = self._call(event)
                if call and (text := self._buffer.feed(call.call_id, event.get("delta"))):
                    yield HostedDelta(call.call_id, text)
            case "response.image_generation_call.partial_image":
                call = self._call(event)
                views, _ = _image(event.get("partial_image_b64"), text_at(event, "output_format"))
                if call and views:
                    yield replace(call, views=views)

    def finish(self, item: JsonObject, event: JsonObject | None = None) -> Iterator[Event]:
        """Yield the call of a finished item."""
        if is_step(item):
            yield from self._step(item)
        elif state := final_state(item):
            yield from self._show(item, state, event or {})

    def _step(self, item: JsonObject) -> Iterator[HostedCall]:
        call = step_call(item, self._search)
        if call.kind == "tool_search":
            self._search = call.call_id
        if call != self._newest_step:
            yield call
        self._newest_step = call

    def _show(self, item: JsonObject, state: Any, event: JsonObject) -> Iterator[HostedCall]:
        kind = text_at(item, "type")
        if kind not in HOSTED_KINDS or (kind == "mcp_list_tools" and state == "running"):
            return
        # A call that begins is new; one that ends may have another id by then, or none.
        known = (
            self._call({"item_id": item.get("id"), **event}, HOSTED_KINDS[kind])
            if state != "running"
            else None
        )
        self._count += known is None
        call_id = known.call_id if known else text_at(item, "id") or f"hosted_{self._count}"
        call = replace(hosted_call(item), call_id=call_id, state=state)
        for key in (item.get("id"), event.get("item_id"), event.get("output_index")):
            if isinstance(key, str | int):
                self._calls[key] = call
        self._newest = call if state == "running" else None
        yield call

    def _call(self, event: JsonObject, kind: HostedKind | None = None) -> HostedCall | None:
        """Return the call that an event names; the newest if it names none."""
        keys = (event.get("item_id"), event.get("output_index"))
        call = next(
            (self._calls[key] for key in keys if key is not None and key in self._calls), self._newest
        )
        return call if call and kind in (None, call.kind) else None


def final_state(item: JsonObject) -> Literal["done", "failed"] | None:
    """Return how the call of a finished item ended; None for a list of tools, which is no call."""
    if text_at(item, "status") in ("failed", "incomplete") or item.get("error"):
        return "failed"
    return None if item.get("type") == "mcp_list_tools" else "done"


def hosted_call(item: JsonObject) -> HostedCall:
    """Return the finished call of an item whose type is in ``HOSTED_KINDS``."""
    kind = HOSTED_KINDS[str(item.get("type"))]
    name = tool_input = output = ""
    views: tuple[View, ...] = ()
    match item.get("type"):
        case "web_search_call":
            name, tool_input = _search_input(item.get("action"))
        case "file_search_call":
            tool_input = "\n".join(_strings(item.get("queries")))
            found = objects_at(item, "results")
            output = "\n\n".join(f"{text_at(entry, 'filename')}\n{text_at(entry, 'text')}" for entry in found)
        case "code_interpreter_call":
            tool_input = text_at(item, "code")
            outputs = objects_at(item, "outputs")
            output = "\n".join(filter(None, (text_at(entry, "logs") for entry in outputs)))
            for entry in outputs:
                prefix, _, data = text_at(entry, "url").partition(";base64,")
                if prefix.startswith("data:image/"):  # no other address is fetched
                    views += _image(data, prefix.removeprefix("data:image/"))[0]
        case "image_generation_call":
            tool_input = text_at(item, "revised_prompt")
            if item.get("result"):
                views, output = _image(item["result"], text_at(item, "output_format"))
        case "mcp_call":
            name = f"{text_at(item, 'server_label')}: {text_at(item, 'name')}"
            tool_input, output = text_at(item, "arguments"), text_at(item, "output")
        case "mcp_list_tools":
            name = text_at(item, "server_label")
    if error := item.get("error"):
        words = error.get("message") or error.get("content") if isinstance(error, dict) else error
        output = str(words or error)
    output = truncate_output(output)[0]
    return HostedCall(text_at(item, "id"), kind, name, tool_input, output, "done", views)


def approval_call(item: JsonObject) -> ToolCall | None:
    """Return the remote server's call that an item requests approval for, or None."""
    if not is_approval_request(item):
        return None
    arguments = valid_arguments(text_at(item, "arguments"))
    return ToolCall(item["id"], text_at(item, "name"), arguments, text_at(item, "server_label") or "?")


def is_approval_request(item: JsonObject) -> bool:
    """Return whether an item requests the user's approval of a call."""
    return item.get("type") == "mcp_approval_request" and isinstance(item.get("id"), str)


def parse_citation(annotation: JsonObject, text_length: int) -> Citation | None:
    """Return the source that an annotation of a text names; an invalid position counts as the text's end.

    So does 0, which some servers send where they know no position: a source is that of the text before it.
    """
    kind = annotation.get("type")
    end = annotation.get("index" if kind == "file_citation" else "end_index")
    at = end if isinstance(end, int) and 0 < end <= text_length else text_length
    title = " ".join((text_at(annotation, "title") or text_at(annotation, "filename")).split())
    title = shorten(title, MAX_TITLE_CHARS)
    url, file_id = text_at(annotation, "url"), text_at(annotation, "file_id")
    match kind:
        case "url_citation" if 0 < len(url) <= MAX_URL_CHARS:
            return Citation(at, title, url)
        case "file_citation" | "file_path" if file_id:
            return Citation(at, title, file_id=file_id)
        case "container_file_citation" if file_id and (container := text_at(annotation, "container_id")):
            return Citation(at, title, file_id=file_id, container=container)
    return None


def _search_input(action: object) -> tuple[str, str]:
    """Return the name and the input of a web search's action."""
    if not isinstance(action, dict):
        return "", ""
    name, url = text_at(action, "type"), text_at(action, "url")
    match name:
        case "open_page":
            return name, url
        case "find_in_page":
            return name, f"{text_at(action, 'pattern')}\n{url}"
    return name, "\n".join(_strings(action.get("queries")) or [text_at(action, "query")])


def _strings(value: object) -> list[str]:
    return [entry for entry in value if isinstance(entry, str)] if isinstance(value, list) else []


def _image(data: object, kind: str) -> tuple[tuple[View, ...], str]:
    """Return a base64 image as a view, or the reason why it is not one."""
    name = f"image.{kind if re.fullmatch('[a-z]{3,4}', kind) else 'png'}"
    try:
        content = base64.b64decode(str(data), validate=True)
    except ValueError:
        return (), "The picture came damaged."
    texts, views = split_result(File(name, content))
    return views, "" if views else str(texts[0])
