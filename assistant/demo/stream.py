"""The events of one response, sent at the pace at which a model would write it.

Not here: what the response says (``responses.py``).
The one rule: what is closed before its end leaves no trace; what has ended is kept before its last event
goes out, so that who has read it may go on with the conversation.
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator

import httpx2

from assistant.demo.hosted import sea
from assistant.demo.requests import Json

_SLOW = (".delta", ".partial_image", "web_search_call.completed")
_LONG = 30
"""How many times longer than a token it takes to search, or to paint."""

TOKEN = re.compile("\\s*(?:[\u3040-\u9fff\uff00-\uffef]{1,2}|[^\\s\u3040-\u9fff\uff00-\uffef]{1,6})|\\s+")


class EventStream(httpx2.SyncByteStream):
    """A response being written."""

    def __init__(
        self, begun: Json, ended: Json, pace: float, lock: threading.Lock, commit: Callable[[], None]
    ) -> None:
        self._begun, self._ended, self._pace = begun, ended, pace
        self._lock, self._commit = lock, commit
        self._over = threading.Event()

    @property
    def over(self) -> bool:
        """Whether it has ended or was closed."""
        return self._over.is_set()

    def __iter__(self) -> Iterator[bytes]:
        for number, event in enumerate(events(self._begun, self._ended)):
            if self._pace and event["type"].endswith(_SLOW):
                self._over.wait(self._pace * (1 if event["type"].endswith(".delta") else _LONG))
            with self._lock:
                if self.over:
                    return
                if event["type"] == "response.completed":
                    self._commit()
                    self._over.set()
            data = json.dumps(event | {"sequence_number": number})
            yield f"event: {event['type']}\ndata: {data}\n\n".encode()

    def close(self) -> None:
        self._over.set()


def events(begun: Json, ended: Json) -> Iterator[Json]:
    """The events of a response, in the documented order."""
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(ended["output"]):
        if item["type"] not in ("message", "function_call"):
            yield from _hosted(item, index)
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
            said, sources = 0, list(enumerate(part["annotations"]))
            for token in tokens(part["text"]):
                yield {"type": "response.output_text.delta", **where, "delta": token, "logprobs": []}
                said += len(token)
                while sources and sources[0][1]["end_index"] <= said:
                    number, source = sources.pop(0)
                    kind = "response.output_text.annotation.added"
                    yield {"type": kind, **where, "annotation_index": number, "annotation": source}
            yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **where, "part": part}
        else:
            kind = "response.function_call_arguments"
            for token in tokens(item["arguments"]):
                yield {"type": f"{kind}.delta", **where, "delta": token}
            yield {"type": f"{kind}.done", **where, "name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": ended}


def _hosted(item: Json, index: int) -> Iterator[Json]:
    """The events of an item of the server's own tools."""
    kind, where = f"response.{item['type']}", {"item_id": item["id"], "output_index": index}
    begun: Json = {"status": "in_progress"} if "status" in item else {}
    match item["type"]:
        case "image_generation_call":
            begun["result"] = None
        case "mcp_call":
            begun |= {"output": None, "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": index, "item": item | begun}
    match item["type"]:
        case "web_search_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield {"type": f"{kind}.searching", **where}
            yield {"type": f"{kind}.completed", **where}
        case "image_generation_call":
            yield {"type": f"{kind}.in_progress", **where}
            yield {"type": f"{kind}.generating", **where}
            for number, grain in enumerate((40, 10)):
                rough = base64.b64encode(sea(480, 320, grain)).decode()
                partial = {"partial_image_index": number, "partial_image_b64": rough, "output_format": "png"}
                yield {"type": f"{kind}.partial_image", **where, **partial}
            yield {"type": f"{kind}.completed", **where}
        case "mcp_call":
            yield {"type": f"{kind}.in_progress", **where}
            for token in tokens(item["arguments"]):
                yield {"type": f"{kind}_arguments.delta", **where, "delta": token}
            yield {"type": f"{kind}_arguments.done", **where, "arguments": item["arguments"]}
            yield {"type": f"{kind}.completed", **where}
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def tokens(text: str) -> list[str]:
    """A text in pieces as small as a model's; together they are the text."""
    return TOKEN.findall(text)


def text_of(item: Json) -> str:
    """All that an item says, whatever its kind."""
    content = item.get("content") or item.get("arguments") or item.get("output") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("text"))
