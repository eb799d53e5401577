"""The stream of a response's events, at the pace of a model.

A stream that is closed early stores nothing. A completed response is stored before its last event is sent, so
that the client can continue the conversation as soon as it has read the event.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator

import httpx2

from assistant.demo.hosted import draw_sea
from assistant.demo.requests import Json

HOSTED_TOOL_TOKENS = 30
"""Duration of a web search or a partial image, in tokens."""

_DELAYED = (".delta", ".partial_image", "web_search_call.completed")

TOKEN = re.compile("\\s*(?:[\u3040-\u9fff\uff00-\uffef]{1,2}|[^\\s\u3040-\u9fff\uff00-\uffef]{1,6})|\\s+")


class EventStream(httpx2.SyncByteStream):
    """The server-sent events of a response; ``store`` is called, with the lock held, when it is complete."""

    def __init__(
        self, started: Json, completed: Json, pace: float, lock: threading.Lock, store: Callable[[], None]
    ) -> None:
        """``pace`` is the delay in seconds per token."""
        self._started, self._completed, self._pace = started, completed, pace
        self._lock, self._store = lock, store
        self._closed = threading.Event()

    @property
    def closed(self) -> bool:
        """Whether the stream is complete or was closed early."""
        return self._closed.is_set()

    def __iter__(self) -> Iterator[bytes]:
        for number, event in enumerate(events(self._started, self._completed)):
            if self._pace and event["type"].endswith(_DELAYED):
                tokens = 1 if event["type"].endswith(".delta") else HOSTED_TOOL_TOKENS
                self._closed.wait(self._pace * tokens)
            with self._lock:
                if self.closed:
                    return
                if event["type"] == "response.completed":
                    self._store()
                    self._closed.set()
            data = json.dumps(event | {"sequence_number": number})
            yield f"event: {event['type']}\ndata: {data}\n\n".encode()

    def close(self) -> None:
        self._closed.set()


def events(started: Json, completed: Json) -> Iterator[Json]:
    """Yield the events of a response in the documented order."""
    yield {"type": "response.created", "response": started}
    yield {"type": "response.in_progress", "response": started}
    for index, item in enumerate(completed["output"]):
        if item["type"] not in ("message", "function_call"):
            yield from _hosted_tool_events(item, index)
            continue
        is_message = item["type"] == "message"
        empty: Json = {"content": []} if is_message else {"arguments": ""}
        added = item | empty | {"status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": index, "item": added}
        where = {"item_id": item["id"], "output_index": index}
        if is_message:
            part, where = item["content"][0], where | {"content_index": 0}
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
            kind = "response.function_call_arguments"
            for token in split_tokens(item["arguments"]):
                yield {"type": f"{kind}.delta", **where, "delta": token}
            yield {"type": f"{kind}.done", **where, "name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": completed}


def _hosted_tool_events(item: Json, index: int) -> Iterator[Json]:
    """Yield the events of a hosted tool's item."""
    kind, where = f"response.{item['type']}", {"item_id": item["id"], "output_index": index}
    added: Json = {"status": "in_progress"} if "status" in item else {}
    match item["type"]:
        case "image_generation_call":
            added["result"] = None
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
        case "mcp_call":
            yield {"type": f"{kind}.in_progress", **where}
            for token in split_tokens(item["arguments"]):
                yield {"type": f"{kind}_arguments.delta", **where, "delta": token}
            yield {"type": f"{kind}_arguments.done", **where, "arguments": item["arguments"]}
            yield {"type": f"{kind}.completed", **where}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def split_tokens(text: str) -> list[str]:
    """Split a text into pieces of about a token's size."""
    return TOKEN.findall(text)


def item_text(item: Json) -> str:
    """Return the text, arguments or output of an item."""
    content = item.get("content") or item.get("arguments") or item.get("output") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("text"))
