"""A loopback server that plays scripts over the real Responses and Conversations protocol.

    with ModelServer() as server:
        server.plays(calls(call("add", a=1, b=2)), text("Three."))
        ...point the SDK at server.url...
        assert server.requests[1]["input"] == [...]

It stores conversations and refuses what the real service refuses, in its words: a call without output (unless it
is in the background), an output without call, a locked conversation. A play that is left over when the server closes is an error.
"""

import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, Literal, Self
from urllib.parse import unquote, urlsplit

from tests.servers import hosted as wire_hosted
from tests.servers.loopback import LoopbackServer, QuietHandler
from tests.servers.request_types import RESPONSE, problem_with
from tests.waiting import until

Json = dict[str, Any]
_number = count(1)


def new_id(prefix: str) -> str:
    return f"{prefix}_{next(_number):06d}"


# --- the scripts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Play:
    """What the server does with one ``POST /responses``.

    Attributes:
        items: The finished output items, from which the events are generated.
        events: The events, where a script writes them itself.
        status, headers, body: A plain response instead of a stream, if there is a body or ``status`` is not 200.
        content_type: The label of a stream.
        ending: The last event: ``completed``, ``incomplete``, ``failed`` or none.
        cut: Stop after so many events, in the way ``how`` says.
        keeps: What the conversation keeps of a cut response: nothing, all of it, or all of it but
            later, after a request was refused because the conversation is locked.
        gate: Waited for before event number ``gate_after`` is sent.
        reached: Set when the gate, or the cut, is reached.
    """

    items: tuple[Json, ...] = ()
    events: tuple[Json | bytes, ...] | None = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    content_type: str = "text/event-stream"
    ending: Literal["completed", "incomplete", "failed", ""] = "completed"
    details: Json = field(default_factory=dict)
    pieces: int = 4  # how many deltas a text, or the arguments of a call, comes in
    pause: float = 0.0  # seconds before each event
    cut: int | None = None
    how: Literal["close", "reset", "half", "silence"] = "close"
    keeps: Literal["nothing", "all", "late"] = "nothing"
    gate: threading.Event | None = None
    gate_after: int = 0
    reached: threading.Event = field(default_factory=threading.Event)

    def stream(self, response_id: str, request: Json) -> list[Json | bytes]:
        if self.events is not None:
            return list(self.events)
        return list(_events(self, response_id, request))


def text(*texts: str, **options: Any) -> Play:
    """Return a response of one message for each text."""
    return Play(tuple(message(each) for each in texts), **options)


def calls(*items: Json, **options: Any) -> Play:
    """Return a response of these items: ``call(…)``, ``message(…)``, ``reasoning(…)`` in any order."""
    return Play(tuple(items), **options)


def refusal(words: str, **options: Any) -> Play:
    item = {**message(""), "content": [{"type": "refusal", "refusal": words}]}
    return Play((item,), **options)


def error(status: int, code: str | None, words: str = "No.", **headers: str) -> Play:
    """Return a plain error response in the service's format; header names are written with _."""
    body = {"error": {"message": words, "type": "invalid_request_error", "param": None, "code": code}}
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Play(status=status, headers=named, body=body)


def message(words: str) -> Json:
    part = {"type": "output_text", "text": words, "annotations": [], "logprobs": []}
    return {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }


def call(name: str, arguments: str | None = None, **values: Any) -> Json:
    """Return a function call; its arguments are keywords, or the exact text that the model wrote."""
    written = json.dumps(values, ensure_ascii=False) if arguments is None else arguments
    return {
        "id": new_id("fc"),
        "type": "function_call",
        "status": "completed",
        "call_id": new_id("call"),
        "name": name,
        "arguments": written,
    }


def background_call(name: str, handle: str, **values: Any) -> Json:
    """Return a function call after which the model goes on."""
    return {**call(name, **values, task_handle=handle), "async": True}


def reasoning(words: str) -> Json:
    return {
        "id": new_id("rs"),
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": words}],
        "encrypted_content": "c2VjcmV0",
    }


def split_text(words: str, pieces: int) -> list[str]:
    size = max(1, -(-len(words) // pieces))
    return [words[at : at + size] for at in range(0, len(words), size)]


def _events(play: Play, response_id: str, request: Json) -> Iterator[Json]:
    """Yield the events of a response, in the documented order."""
    sequence = count()

    def event(kind: str, **fields: Any) -> Json:
        return {"type": f"response.{kind}", "sequence_number": next(sequence), **fields}

    response = response_object(response_id, request, "in_progress", [])
    yield event("created", response=response)
    yield event("in_progress", response=response)
    for index, item in enumerate(play.items):
        at = {"item_id": item["id"], "output_index": index}
        match item["type"]:
            case "message":
                yield event(
                    "output_item.added",
                    output_index=index,
                    item={**item, "status": "in_progress", "content": []},
                )
                for part_index, part in enumerate(item["content"]):
                    place = {**at, "content_index": part_index}
                    key = "refusal" if part["type"] == "refusal" else "text"
                    kind = "refusal" if key == "refusal" else "output_text"
                    extra: Json = {} if key == "refusal" else {"logprobs": []}
                    empty: Json = {"annotations": []} if key == "text" else {}
                    yield event("content_part.added", **place, part={**part, key: "", **empty})
                    position, sources = 0, list(enumerate(part.get("annotations", [])))
                    for piece in split_text(part[key], play.pieces):
                        yield event(f"{kind}.delta", **place, delta=piece, **extra)
                        position += len(piece)
                        while sources and sources[0][1].get("end_index", position) <= position:
                            number, source = sources.pop(0)
                            named = {"annotation_index": number, "annotation": source}
                            yield event("output_text.annotation.added", **place, **named)
                    yield event(f"{kind}.done", **place, **{key: part[key]}, **extra)
                    yield event("content_part.done", **place, part=part)
            case "function_call":
                yield event(
                    "output_item.added",
                    output_index=index,
                    item={**item, "status": "in_progress", "arguments": ""},
                )
                for piece in split_text(item["arguments"], play.pieces):
                    yield event("function_call_arguments.delta", **at, delta=piece)
                yield event(
                    "function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"]
                )
            case "reasoning":
                bare = {key: item[key] for key in ("id", "type")} | {"summary": []}
                yield event("output_item.added", output_index=index, item=bare)
                for part_index, part in enumerate(item["summary"]):
                    place = {**at, "summary_index": part_index}
                    yield event("reasoning_summary_part.added", **place, part={**part, "text": ""})
                    for piece in split_text(part["text"], play.pieces):
                        yield event("reasoning_summary_text.delta", **place, delta=piece)
                    yield event("reasoning_summary_text.done", **place, text=part["text"])
                    yield event("reasoning_summary_part.done", **place, part=part)
            case _:
                written = item.get("code") or item.get("arguments") or ""
                pieces = split_text(written, play.pieces) if isinstance(written, str) else []
                yield from wire_hosted.events_of(item, index, event, pieces)
        yield event("output_item.done", output_index=index, item=item)
    if play.ending:
        final = response_object(response_id, request, play.ending, list(play.items)) | play.details
        yield event(play.ending, response=final)


def response_object(response_id: str, request: Json, status: str, output: list[Json]) -> Json:
    """Return a complete response object, as the SDK's model requires it."""
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 1},
        "total_tokens": 15,
    }
    conversation = request.get("conversation")
    return {
        "id": response_id,
        "object": "response",
        "created_at": 1_790_000_000,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "model": request.get("model"),
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "top_p": 1.0,
        "usage": None if status == "in_progress" else usage,
        "conversation": {"id": conversation} if conversation else None,
    }


# --- the server -------------------------------------------------------------------------------------


class Running:
    """A background response: it continues without a reader and can have several."""

    def __init__(self, response_id: str, items: list[Json]) -> None:
        self.id = response_id
        self.items = [{"id": new_id("item"), **item} for item in items]
        self.status = "in_progress"
        self.events: list[Json | bytes] = []
        self.news = threading.Condition()

    def say(self, event: Json | bytes) -> None:
        with self.news:
            self.events.append(event)
            self.news.notify_all()

    def end(self, status: str) -> None:
        with self.news:
            self.status = status
            self.news.notify_all()

    def follow(self, index: int) -> Iterator[Json | bytes]:
        while True:
            with self.news:
                while index >= len(self.events) and self.status == "in_progress":
                    self.news.wait(5)
                if index >= len(self.events):
                    return
                event = self.events[index]
            yield event
            index += 1


@dataclass
class Conversation:
    items: list[Json] = field(default_factory=list)
    metadata: Json = field(default_factory=dict)
    locked: bool = False
    late: Callable[[], None] | None = None  # stores what is still missing, and unlocks the conversation


class ModelServer:
    """Plays its scripts on a free port of this machine; use it in a ``with`` block."""

    def __init__(self, *, conversations: bool = True) -> None:
        self.models: list[str] = []  # the ids of the listed models
        self.files: dict[tuple[str, str], bytes] = {}  # what code made, by the ids of container and file
        self.requests: list[Json] = []  # the bodies of POST /responses, in order
        self.headers: list[dict[str, str]] = []  # their headers
        self.received: list[str] = []  # method and path of every request, in order
        self.problems: list[str] = []  # requests without a play, and those that the SDK's types do not allow
        self.checks_types = True
        self.refused: list[str] = []  # the messages of refusals
        self.conversations: dict[str, Conversation] = {}
        self.running: dict[str, Running] = {}  # the responses in background mode, by id
        self.stored: dict[str, list[Json]] = {}  # what each complete response continues with, by its id
        self.has_conversations = conversations
        self.not_found = "Conversation with id '{}' not found."
        self.max_input = 0  # refuse a response with more items in its input, as OGX does
        self.pages = False  # answer everything with a web page, as a wrong address does
        self._script: deque[Play] = deque()
        self._lock = threading.RLock()
        handler = type("Handler", (self.handler(),), {"model": self})
        self._http = LoopbackServer(handler)
        self.closing = threading.Event()

    def handler(self) -> "type[Handler]":
        """Return the handler class, which implements the protocol."""
        return Handler

    @property
    def url(self) -> str:
        return f"{self._http.url}/v1"

    def plays(self, *plays: Play) -> None:
        """Add to the script."""
        self._script.extend(plays)

    def drop_script(self) -> int:
        """Remove the remaining plays and return their number."""
        left, self._script = len(self._script), deque()
        return left

    def wait_until_idle(self) -> None:
        """Wait until no response is being written, except those that are stored late."""
        conversations = self.conversations.values()
        until(
            lambda: not any(each.locked and not each.late for each in conversations),
            "a response is being written",
        )

    def __enter__(self) -> Self:
        self._http.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self.closing.set()
        self._http.__exit__()
        if exception[0] is None:
            self.end_script()

    def end_script(self) -> None:
        """Fail if a play is left over, or if a request had no play."""
        problems, self.problems = self.problems, []
        left = self.drop_script()
        assert (problems, left) == ([], 0), f"{left} plays were not requested; {problems}"

    # What follows runs on the connections' threads.

    def next_play(self, request: Json) -> tuple[Play, Conversation | None]:
        """Return the play for a request: the next one of the script, or a refusal of the service."""
        with self._lock:
            self.requests.append(request)
            if self.checks_types and (problem := problem_with(request, RESPONSE)):
                self.problems.append(problem)
            name = request.get("conversation")
            conversation = self.conversations.get(name) if name else None
            play = self._refusal(request, name, conversation)
            if play is not None:
                self.refused.append(play.body["error"]["message"])
                return play, None
            play = self.take_play(request)
            if conversation is not None and play.status == 200:
                conversation.locked = True
            return play, conversation

    def take_play(self, request: Json) -> Play:
        """Return the script's next play, or an error where the script has ended."""
        if not self._script:
            self.problems.append(f"not in the script: {json.dumps(request, ensure_ascii=False)[:300]}")
            return error(500, "script_ended", "The script has ended.", x_should_retry="false")
        return self._script.popleft()

    def _refusal(self, request: Json, name: Any, conversation: Conversation | None) -> Play | None:
        if name and conversation is None:
            return error(404, None, self.not_found.format(name))
        if conversation is not None and conversation.locked:
            if conversation.late is not None:
                conversation.late()
            return error(
                400,
                "conversation_locked",
                "Another process is currently operating on this conversation. Please retry in a few seconds.",
            )
        if not request.get("input"):
            return error(400, "missing_required_parameter", "Missing required parameter: 'input'.")
        if 0 < self.max_input < len(request["input"]):
            return error(400, None, f"List should have at most {self.max_input} items after validation.")
        previous = request.get("previous_response_id")
        if previous and previous not in self.stored:
            words = f"Previous response with id '{previous}' not found."
            return error(400, "previous_response_not_found", words)
        earlier = self.stored[previous] if previous else conversation.items if conversation else []
        items = earlier + as_items(request["input"])
        words = what_is_wrong(items)
        return error(400, None, words) if words else None

    def store(self, response_id: str, play: Play, request: Json) -> None:
        """Store a complete response without a conversation: its items and all before them."""
        earlier = self.stored.get(request.get("previous_response_id") or "", [])
        self.stored[response_id] = [*earlier, *as_items(request["input"]), *map(dict, play.items)]

    def finish(self, play: Play, conversation: Conversation | None, request: Json, whole: bool) -> None:
        """End the response: unlock the conversation and store its items."""
        if conversation is None:
            return
        with self._lock:
            if play.keeps == "late" and not whole:
                conversation.late = lambda: self.finish(play, conversation, request, whole=True)
                return
            if whole or play.keeps == "all":
                for item in as_items(request["input"]) + [dict(item) for item in play.items]:
                    conversation.items.append({"id": new_id("item"), **item})
            conversation.locked, conversation.late = False, None

    def run(self, play: Play, conversation: Conversation | None, request: Json) -> Running:
        """Play in the background, as a background response does."""
        running = Running(new_id("resp"), as_items(request["input"]))
        self.running[running.id] = running

        def go_on() -> None:
            events = play.stream(running.id, request)
            for index, event in enumerate(events):
                if play.gate is not None and index == play.gate_after:
                    play.reached.set()
                    while not play.gate.wait(0.005):
                        if self.closing.is_set() or running.status == "cancelled":
                            break
                if running.status == "cancelled":
                    self.finish(play, conversation, request, whole=False)
                    return
                if index == len(events) - 1:
                    self.finish(play, conversation, request, whole=play.ending == "completed")
                running.say(event)
            running.end("completed")

        threading.Thread(target=go_on, daemon=True).start()
        return running

    def begin_conversation(self, items: list[Json]) -> str:
        name = new_id("conv")
        with self._lock:
            stored = [{"id": new_id("item"), **item} for item in as_items(items)]
            self.conversations[name] = Conversation(stored)
        return name


def as_items(value: Any) -> list[Json]:
    """Return a request's input as the service stores it."""
    items = [{"role": "user", "content": value}] if isinstance(value, str) else value
    stored = []
    for item in items:
        item = {"type": "message", **item}
        if item["type"] == "message" and isinstance(item["content"], str):
            kind = "output_text" if item["role"] == "assistant" else "input_text"
            extra: Json = {"annotations": [], "logprobs": []} if kind == "output_text" else {}
            item = {
                "status": "completed",
                **item,
                "content": [{"type": kind, "text": item["content"], **extra}],
            }
        stored.append(item)
    return stored


def what_is_wrong(items: list[Json]) -> str:
    """Return why the service would refuse these items, or ``""``."""
    called: set[str] = set()
    background: set[str] = set()  # these may be answered in any later request
    answered: set[str] = set()
    seen: set[str] = set()
    for item in items:
        if item.get("id") in seen:
            return (
                f"Duplicate item found with id {item['id']}. "
                "Remove duplicate items from your input and try again."
            )
        seen.add(item.get("id") or new_id("none"))
        if item["type"] == "mcp_approval_response" and item["approval_request_id"] not in seen:
            return f"No approval request found with id {item['approval_request_id']}."
        if item["type"] == "function_call":
            called.add(item["call_id"])
            if item.get("async"):
                background.add(item["call_id"])
        elif item["type"] == "function_call_output":
            if item["call_id"] not in called:
                return f"No tool call found for function call output with call_id {item['call_id']}."
            if item["call_id"] in answered:
                return f"Duplicate function call output for call_id {item['call_id']}."
            answered.add(item["call_id"])
    for call_id in sorted(called - answered - background):
        return f"No tool output found for function call {call_id}."
    return ""


class Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    model: ModelServer

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):
            super().handle()

    def parse_request(self) -> bool:
        parsed = super().parse_request()
        if parsed:
            self.model.received.append(f"{self.command} {self.path}")
        return parsed

    def do_GET(self) -> None:
        query = self._query()
        if self.model.pages:
            self._send_web_page()
            return
        match urlsplit(self.path).path.removeprefix("/v1/").split("/"):
            case ["conversations", name, "items"] if self.model.has_conversations:
                self._list(unquote(name), query)
            case ["conversations", name] if name in self.model.conversations:
                self._send(200, self._conversation(name))
            case ["responses", name] if name in self.model.running:
                running = self.model.running[name]
                if "stream" not in query:
                    body = response_object(name, {"model": "test-model"}, running.status, [])
                    self._send(200, body)
                    return
                self._begin_stream()
                for event in running.follow(int(query.get("starting_after", -1)) + 1):
                    self._chunk(sse_event(event))
                self._chunk(b"")
            case ["responses", name, "input_items"] if name in self.model.running:
                self._page(self.model.running[name].items, {"order": "asc"})
            case ["containers", container, "files", file, "content"]:
                data = self.model.files.get((unquote(container), unquote(file)))
                if data is None:
                    self._send(404, {"error": {"message": "Container is expired.", "code": None}})
                else:
                    self._send(200, data, (("content-type", "application/octet-stream"),))
            case ["models"]:
                listed = [{"id": each, "object": "model"} for each in self.model.models]
                self._send(200, {"object": "list", "data": listed})
            case _:
                self._send_not_found()

    def do_POST(self) -> None:
        body = self._json()
        if self.model.pages:
            self._send_web_page()
            return
        match urlsplit(self.path).path.removeprefix("/v1/").split("/"):
            case ["responses"]:
                self.model.headers.append(dict(self.headers))
                self._respond(body)
            case ["conversations"] if self.model.has_conversations:
                name = self.model.begin_conversation(body.get("items") or [])
                self._send(200, self._conversation(name))
            case ["conversations", name, "items"] if name in self.model.conversations:
                if len(body["items"]) > 20:
                    self._send(400, {"error": {"message": "Too many items.", "code": None}})
                    return
                added = [{"id": new_id("item"), **item} for item in as_items(body["items"])]
                self.model.conversations[name].items += added
                self._page(added, {"order": "asc", "limit": "20"})
            case ["conversations", name] if name in self.model.conversations:
                self.model.conversations[name].metadata = body["metadata"]
                self._send(200, self._conversation(name))
            case ["responses", name, "cancel"] if name in self.model.running:
                self.model.running[name].end("cancelled")
                body = response_object(name, {"model": "test-model"}, "cancelled", [])
                self._send(200, body)
            case _:
                self._send_not_found()

    def do_DELETE(self) -> None:
        match [unquote(each) for each in urlsplit(self.path).path.removeprefix("/v1/").split("/")]:
            case ["conversations", name, "items", item] if name in self.model.conversations:
                conversation = self.model.conversations[name]
                conversation.items = [each for each in conversation.items if each["id"] != item]
                self._send(200, self._conversation(name))
            case ["conversations", name] if name in self.model.conversations:
                assert not self.model.conversations.pop(name).items, "its items would stay for ever"
                self._send(200, {"id": name, "object": "conversation.deleted", "deleted": True})
            case _:
                self._send_not_found()

    def _send_not_found(self) -> None:
        self._send(404, {"error": {"message": "Not found", "code": None}})

    def _send_web_page(self) -> None:
        self._send(200, b"<!doctype html><title>Welcome</title>", (("content-type", "text/html"),))

    def _list(self, name: str, query: dict[str, str]) -> None:
        conversation = self.model.conversations.get(name)
        if conversation is None:
            self._send(404, {"error": {"message": self.model.not_found.format(name)}})
            return
        self._page(list(conversation.items), query)

    def _page(self, items: list[Json], query: dict[str, str]) -> None:
        if query.get("order", "desc") == "desc":
            items.reverse()
        if after := query.get("after"):
            items = items[[item["id"] for item in items].index(after) + 1 :]
        page = items[: int(query.get("limit", 20))]
        self._send(
            200,
            {
                "object": "list",
                "data": page,
                "has_more": len(page) < len(items),
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
            },
        )

    def _respond(self, request: Json) -> None:
        play, conversation = self.model.next_play(request)
        if play.status != 200 or play.body is not None:
            if play.status == 200:
                self.model.finish(play, conversation, request, whole=True)
            self._send(play.status, play.body, play.headers)
            return
        if request.get("background"):
            self._begin_stream(play.content_type)
            for index, event in enumerate(self.model.run(play, conversation, request).follow(0)):
                if index == play.cut:
                    self._cut(play, sse_event(event))
                    return
                self._chunk(sse_event(event))
            self._chunk(b"")
            return

        def finish_before_last(left: int) -> None:
            if left == 1:  # what a response leaves behind is there before its last event is
                self.model.finish(play, conversation, request, whole=play.ending == "completed")

        whole = False
        try:
            events = [sse_event(event) for event in play.stream(new_id("resp"), request)]
            whole = self._stream(play, events, finish_before_last)
        finally:
            if not whole:
                self.model.finish(play, conversation, request, whole=False)

    def _stream(
        self, play: Play, events: list[bytes], before: Callable[[int], None] = lambda _: None
    ) -> bool:
        """Write events as the play says; ``before`` is told how many are left. Return whether all were written."""
        self._begin_stream(play.content_type)
        for index, data in enumerate(events):
            if play.gate is not None and index == play.gate_after:
                play.reached.set()
                self._wait(play.gate)
            time.sleep(play.pause)
            if index == play.cut:
                self._cut(play, data)
                return False
            before(len(events) - index)
            self._chunk(data)
        self._chunk(b"")
        return True

    def _begin_stream(self, content_type: str = "text/event-stream") -> None:
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _conversation(self, name: str) -> Json:
        metadata = self.model.conversations[name].metadata
        return {"id": name, "object": "conversation", "created_at": 1, "metadata": metadata}

    def _wait(self, gate: threading.Event) -> None:
        """Wait for the gate, or for the client to be gone."""
        self.connection.settimeout(0.005)
        while not gate.is_set():
            with suppress(TimeoutError):
                if not self.connection.recv(1) or self.model.closing.is_set():
                    raise ConnectionAbortedError
        self.connection.settimeout(None)

    def _cut(self, play: Play, data: bytes) -> None:
        # Otherwise the client may use a connection again that is being closed.
        self.close_connection = play.how != "close"
        if play.how == "half":
            self._chunk(data[: len(data) // 2])
        play.reached.set()
        if play.how in ("half", "silence"):
            with suppress(OSError):
                self.connection.settimeout(0.01)
                while not self.model.closing.is_set():
                    with suppress(TimeoutError):
                        if not self.connection.recv(1):
                            return
        elif play.how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        else:
            self._chunk(b"")  # a clean end of the body, with no last event

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()


def sse_event(event: Json | bytes) -> bytes:
    if isinstance(event, bytes):
        return event
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def cut(play: Play, after: int, how: Literal["close", "reset", "half", "silence"], **options: Any) -> Play:
    """Return the same play, cut after this many events."""
    return replace(play, cut=after, how=how, **options)
