"""The response objects of the demo, and the stream of their events at the pace of a model.

A response is complete before its first event is sent; streaming only delays it. A stream that is closed early
stores nothing. A completed response is stored before its last event is sent, so that the client can continue
the conversation as soon as it has read the event.
"""

import base64
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import httpx2

from assistant.demo.replies.answers import next_reply
from assistant.demo.replies.calls import Call
from assistant.demo.replies.hosted import draw_sea, hosted_items
from assistant.demo.replies.summaries import parse_output
from assistant.demo.requests import Json, new_id, parse_metadata, parse_tools, require

MODEL_NAME = "Demo"
"""The model of every response, whichever the request names."""

HOSTED_TOOL_TOKENS = 30
"""Duration of a web search or a partial image, in tokens."""

_DELAYED = (".delta", ".partial_image", "web_search_call.completed")

TOKEN = re.compile("\\s*(?:[\u3040-\u9fff\uff00-\uffef]{1,2}|[^\\s\u3040-\u9fff\uff00-\uffef]{1,6})|\\s+")


def new_response(body: Json, conversation_id: str | None) -> Json:
    """Return the response object for a request, in progress."""
    require(body, "model")
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "model": MODEL_NAME,
        "output": [],
        "conversation": {"id": conversation_id} if conversation_id else None,
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "store": body.get("store") is not False,
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": parse_tools(body),
        "metadata": parse_metadata(body),
        **{name: body.get(name) for name in ("instructions", "max_output_tokens", "previous_response_id")},
        **dict.fromkeys(("completed_at", "error", "incomplete_details", "usage")),
    }


def complete(response: Json, items: Sequence[Json]) -> Json:
    """Return the completed response to these items."""
    output = _output(response, items)
    # An estimate: four characters per token of input, and the streamed pieces of the output.
    input_tokens = sum(len(item_text(item)) for item in items) // 4 + 1
    output_tokens = sum(len(split_tokens(item_text(item))) for item in output)
    usage = {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": input_tokens + output_tokens,
    }
    ending = {"status": "completed", "completed_at": int(time.time())}
    return response | ending | {"output": output, "usage": usage}


def _output(response: Json, items: Sequence[Json]) -> list[Json]:
    last = max((index for index, item in enumerate(items) if item.get("role") == "user"), default=-1)
    message = item_text(items[last]) if last >= 0 else ""
    tools = [] if response["tool_choice"] == "none" else response["tools"]
    if last >= 0 and (hosted := hosted_items(message, items[last + 1 :], tools)) is not None:
        return hosted
    outputs = {item["call_id"]: item_text(item) for item in items if item["type"] == "function_call_output"}
    done = []
    for item in items[last + 1 :]:
        if item["type"] == "function_call":
            arguments = parse_output(item["arguments"])
            call = Call(item["name"], arguments if isinstance(arguments, dict) else {})
            done.append((call, outputs[item["call_id"]]))
    reply = next_reply(message, done, tools)
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
