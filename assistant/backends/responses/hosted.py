"""What the tools of the server's own did, in the events and items of the Responses API. Pure.

https://platform.openai.com/docs/api-reference/responses-streaming has them all.

Not here: which of them are asked for (``hosted.py``), or anything else that a stream says
(``responses_stream.py``).

The one rule: all of it is data of strangers: found where it should be, bounded in size, or left out.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import openai

from assistant.backends.json_access import SurrogateBuffer, objects_at, text_at
from assistant.errors import RequestRefused
from assistant.events import Citation, Event, HostedCall, HostedDelta, HostedKind, Note, ToolCall, View
from assistant.locale import N_
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import truncate_output
from assistant.tools.views import File, split_result

Item = dict[str, Any]

KINDS: dict[str, HostedKind] = {
    "web_search_call": "web_search",
    "file_search_call": "file_search",
    "code_interpreter_call": "code_interpreter",
    "image_generation_call": "image_generation",
    "mcp_call": "mcp",
    "mcp_list_tools": "mcp",
}
"""The items that tell of a tool's work."""

MOST_CITATIONS = 200
"""Sources of one response."""

LONGEST_TITLE, LONGEST_ADDRESS = 300, 2_000


class HostedReader:
    """What the tools of the server's own have done in one response so far."""

    def __init__(self) -> None:
        self._calls: dict[object, HostedCall] = {}  # by every name that events have for them
        self._newest: HostedCall | None = None
        self._count = 0
        self._buffer = SurrogateBuffer()

    def take(self, event: Item) -> Iterator[Event]:
        """Say what an event tells of them."""
        item = event.get("item")
        match event.get("type"):
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
                views, _ = _picture(event.get("partial_image_b64"), text_at(event, "output_format"))
                if call and views:
                    yield replace(call, views=views)

    def finish(self, item: Item, event: Item | None = None) -> Iterator[Event]:
        """Say what a finished item tells."""
        failed = text_at(item, "status") in ("failed", "incomplete") or bool(item.get("error"))
        if item.get("type") != "mcp_list_tools" or failed:
            yield from self._show(item, "failed" if failed else "done", event or {})

    def _show(self, item: Item, state: Any, event: Item) -> Iterator[HostedCall]:
        kind = text_at(item, "type")
        if kind not in KINDS or (kind == "mcp_list_tools" and state == "running"):
            return
        # What begins is new; what ends may have another id by then, or none.
        known = self._call({"item_id": item.get("id"), **event}, KINDS[kind]) if state != "running" else None
        self._count += known is None
        call_id = known.call_id if known else text_at(item, "id") or f"hosted_{self._count}"
        call = replace(call_of(item), call_id=call_id, state=state)
        for name in (item.get("id"), event.get("item_id"), event.get("output_index")):
            if isinstance(name, str | int):
                self._calls[name] = call
        self._newest = call if state == "running" else None
        yield call

    def _call(self, event: Item, kind: HostedKind | None = None) -> HostedCall | None:
        """The call that an event is about; where it does not say, the newest."""
        names = (event.get("item_id"), event.get("output_index"))
        found = next((self._calls[name] for name in names if name is not None and name in self._calls), None)
        found = found or self._newest
        return found if found and kind in (None, found.kind) else None


def call_of(item: Item) -> HostedCall:
    """What one of the items in ``KINDS`` tells; finished, unless it says otherwise."""
    kind = KINDS[str(item.get("type"))]
    name = asked = output = ""
    views: tuple[View, ...] = ()
    match item.get("type"):
        case "web_search_call":
            name, asked = _searched(item.get("action"))
        case "file_search_call":
            asked = "\n".join(_texts(item.get("queries")))
            found = objects_at(item, "results")
            output = "\n\n".join(f"{text_at(each, 'filename')}\n{text_at(each, 'text')}" for each in found)
        case "code_interpreter_call":
            asked = text_at(item, "code")
            outputs = objects_at(item, "outputs")
            output = "\n".join(filter(None, (text_at(each, "logs") for each in outputs)))
            for each in outputs:
                prefix, _, data = text_at(each, "url").partition(";base64,")
                if prefix.startswith("data:image/"):  # any other address is not asked for anything
                    views += _picture(data, prefix.removeprefix("data:image/"))[0]
        case "image_generation_call":
            asked = text_at(item, "revised_prompt")
            if item.get("result"):
                views, output = _picture(item["result"], text_at(item, "output_format"))
        case "mcp_call":
            name = f"{text_at(item, 'server_label')}: {text_at(item, 'name')}"
            asked, output = text_at(item, "arguments"), text_at(item, "output")
        case "mcp_list_tools":
            name = text_at(item, "server_label")
    if error := item.get("error"):
        words = error.get("message") or error.get("content") if isinstance(error, dict) else error
        output = str(words or error)
    output = truncate_output(output)[0]
    return HostedCall(text_at(item, "id"), kind, name, asked, output, "done", views)


def approval_of(item: Item) -> ToolCall | None:
    """The call of a remote server's tool that an item asks a person's leave for."""
    if not is_approval_request(item):
        return None
    arguments = valid_arguments(text_at(item, "arguments"))
    return ToolCall(item["id"], text_at(item, "name"), arguments, text_at(item, "server_label") or "?")


def is_approval_request(item: Item) -> bool:
    """Whether an item asks for a person's leave."""
    return item.get("type") == "mcp_approval_request" and isinstance(item.get("id"), str)


def citation_of(annotation: Item, said: int) -> Citation | None:
    """The source that an annotation of a text names; ``said`` is the length of that text."""
    kind = annotation.get("type")
    end = annotation.get("index" if kind == "file_citation" else "end_index")
    at = end if isinstance(end, int) and 0 <= end <= said else said
    title = " ".join((text_at(annotation, "title") or text_at(annotation, "filename")).split())
    title = title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"
    url, file_id = text_at(annotation, "url"), text_at(annotation, "file_id")
    match kind:
        case "url_citation" if 0 < len(url) <= LONGEST_ADDRESS:
            return Citation(at, title, url)
        case "file_citation" | "file_path" if file_id:
            return Citation(at, title, file_id=file_id)
        case "container_file_citation" if file_id and (container := text_at(annotation, "container_id")):
            return Citation(at, title, file_id=file_id, container=container)
    return None


def without_refused_tool(asked: Item, refusal: RequestRefused) -> tuple[Item, Note] | None:
    """The request without the hosted tool that was refused, and what to say of it; None if none was named."""
    cause = refusal.__cause__
    if not isinstance(cause, openai.APIStatusError):
        return None
    words = f"{cause.param or ''} {cause.message}"
    place = re.search(r"\btools\[(\d+)\]", words)
    for index, tool in enumerate(asked["tools"]):
        if tool["type"] == "function":
            continue
        names = [tool["type"], tool.get("server_label"), *tool.get("vector_store_ids", [])]
        named = any(name and re.search(rf"(?<![\w-]){re.escape(name)}", words) for name in names)
        if (place and int(place[1]) == index) or (named and not place):
            rest = {**asked, "tools": [each for each in asked["tools"] if each is not tool]}
            if kept := [each for each in asked.get("include", []) if not each.startswith(tool["type"])]:
                rest["include"] = kept
            else:
                rest.pop("include", None)
            what = tool.get("server_label") or tool["type"]
            return rest, Note(
                N_(
                    "The server did not take the tool {what}; it was asked without it. {refusal}",
                    what=what,
                    refusal=refusal.text,
                )
            )
    return None


def _searched(action: object) -> tuple[str, str]:
    """What a search of the web did, by its name, and with which words."""
    if not isinstance(action, dict):
        return "", ""
    name, url = text_at(action, "type"), text_at(action, "url")
    match name:
        case "open_page":
            return name, url
        case "find_in_page":
            return name, f"{text_at(action, 'pattern')}\n{url}"
    return name, "\n".join(_texts(action.get("queries")) or [text_at(action, "query")])


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _picture(data: object, kind: str) -> tuple[tuple[View, ...], str]:
    """A picture as something to see, or why it is none."""
    name = f"image.{kind if re.fullmatch('[a-z]{3,4}', kind) else 'png'}"
    try:
        content = base64.b64decode(str(data), validate=True)
    except ValueError:
        return (), "The picture came damaged."
    told, views = split_result(File(name, content))
    return views, "" if views else str(told[0])
