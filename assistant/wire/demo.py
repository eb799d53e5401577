"""The built-in demo: a server for the Responses and Conversations API inside the process.

It lets the page work before there is a key, through the same SDK, backend and loop as with a real server.
It is not a model: what it answers comes from the rules in ``answers.py``, and it says so.

The one rule: what the real API refuses is refused here in the same words, so that what runs with the demo
runs without it.
"""

import json
import re
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import httpx2

from . import answers

Json = dict[str, Any]

PACE = 0.028
"""Seconds per token: about 36 tokens in a second, a pace at which one can read along."""

MOST_KEPT = 1_000
"""Conversations, and as many responses, that are kept; the oldest go first."""

MOST_ITEMS = 20
"""Items that one request may add to a conversation, as documented."""

MODEL: Json = {"id": "demo", "object": "model", "created": 1_767_225_600, "owned_by": "built-in"}


class DemoTransport(httpx2.BaseTransport):
    """Answers requests to the Responses, Conversations and Models API itself; safe to use on threads."""

    def __init__(self, pace: float | None = None) -> None:
        """``pace`` is the seconds per streamed token; without it ``PACE`` is read at each request."""
        self._pace = pace
        self._lock = threading.Lock()  # held for a request, not while its answer is streamed
        self._conversations: dict[str, _Conversation] = {}
        self._responses: dict[str, _Stored] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        status = 200
        result: Json | _EventStream
        try:
            path = request.url.raw_path.decode("ascii", "replace").partition("?")[0]
            body = _body(request) if request.method == "POST" else {}
            with self._lock:
                result = self._route(request.method, path, body, request.url.params)
        except _Refusal as refusal:
            status, result = refusal.status, refusal.as_json()
        headers = {"x-request-id": _new_id("req"), "content-type": "application/json"}
        if isinstance(result, _EventStream):
            headers["content-type"] = "text/event-stream; charset=utf-8"
            return httpx2.Response(status, headers=headers, stream=result)
        return httpx2.Response(status, headers=headers, content=json.dumps(result))

    def _route(self, method: str, path: str, body: Json, query: Mapping[str, str]) -> "Json | _EventStream":
        steps = [unquote(step) for step in path.strip("/").split("/")]
        roots = [at for at, step in enumerate(steps) if step in ("responses", "conversations", "models")]
        match [method, *steps[min(roots, default=0) :]]:
            case ["POST", "responses"]:
                return self._respond(body)
            case ["GET", "responses", response_id]:
                return self._stored(response_id).response
            case ["DELETE", "responses", response_id]:
                self._stored(response_id)
                del self._responses[response_id]
                return {"id": response_id, "object": "response", "deleted": True}
            case ["POST", "conversations"]:
                conversation = _Conversation(_new_id("conv"), _metadata(body))
                conversation.items += _items(body.get("items") or [], "items", most=MOST_ITEMS)
                _keep(self._conversations, conversation.id, conversation)
                return conversation.as_json()
            case ["GET", "models"]:
                return {"object": "list", "data": [MODEL]}
            case ["GET", "models", "demo"]:
                return MODEL
            case [_, "conversations", conversation_id, *rest]:
                conversation = self._conversation(conversation_id)
                match [method, *rest]:
                    case ["GET"]:
                        return conversation.as_json()
                    case ["POST"]:
                        conversation.metadata = _metadata(body)
                        return conversation.as_json()
                    case ["DELETE"]:
                        del self._conversations[conversation_id]
                        return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
                    case ["GET", "items"]:
                        return _page(conversation.items, query)
                    case ["POST", "items"]:
                        items = _items(body.get("items"), "items", conversation.items, most=MOST_ITEMS)
                        conversation.items += items
                        return _list(items)
                    case ["GET", "items", item_id]:
                        return conversation.item(item_id)
                    case ["DELETE", "items", item_id]:
                        conversation.items.remove(conversation.item(item_id))
                        return conversation.as_json()
        raise _Refusal(f"Invalid URL ({method} {path})", status=404)

    def _respond(self, body: Json) -> "Json | _EventStream":
        if not isinstance(body.get("model"), str):
            raise _missing("model")
        conversation, earlier = self._context(body)
        given = _items(body.get("input"), "input", earlier)
        items = earlier + given
        _check_calls(items)
        tools = _tools(body)
        output = _output(items, tools if body.get("tool_choice") != "none" else [], body)
        begun = _response(body, tools, conversation)
        ended = begun | {
            "status": "completed",
            "completed_at": int(time.time()),
            "output": output,
            "usage": _usage(items, output),
        }

        def commit() -> None:
            if conversation:
                conversation.items += given + output
            if begun["store"]:
                _keep(self._responses, begun["id"], _Stored(ended, items + output))

        if not body.get("stream"):
            commit()
            return ended
        pace = PACE if self._pace is None else self._pace
        stream = _EventStream(begun, ended, pace, self._lock, commit)
        if conversation:
            conversation.writer = weakref.ref(stream)
        return stream

    def _context(self, body: Json) -> "tuple[_Conversation | None, list[Json]]":
        """The conversation that a request is part of, if any, and all items that came before."""
        named, previous = body.get("conversation"), body.get("previous_response_id")
        if named and previous:
            raise _Refusal(
                "Mutually exclusive parameters: 'conversation' and 'previous_response_id'.",
                code="mutually_exclusive_parameters",
                param="previous_response_id",
            )
        if named:
            conversation = self._conversation(named.get("id") if isinstance(named, dict) else named)
            if conversation.is_busy():
                raise _Refusal(
                    "Another process is currently operating on this conversation. Please retry in a few "
                    "seconds.",
                    code="conversation_locked",
                    param="conversation",
                )
            return conversation, list(conversation.items)
        if previous:
            if not isinstance(previous, str) or previous not in self._responses:
                raise _Refusal(
                    f"Previous response with id '{previous}' not found.",
                    code="previous_response_not_found",
                    param="previous_response_id",
                )
            return None, list(self._responses[previous].items)
        return None, []

    def _conversation(self, conversation_id: object) -> "_Conversation":
        if not isinstance(conversation_id, str) or conversation_id not in self._conversations:
            raise _Refusal(f"Conversation with id '{conversation_id}' not found.", status=404)
        return self._conversations[conversation_id]

    def _stored(self, response_id: str) -> "_Stored":
        if response_id not in self._responses:
            raise _Refusal(f"Response with id '{response_id}' not found.", status=404)
        return self._responses[response_id]


class _EventStream(httpx2.SyncByteStream):
    """A response being written; what is closed before its end leaves no trace."""

    def __init__(
        self,
        begun: Json,
        ended: Json,
        pace: float,
        lock: threading.Lock,
        commit: Callable[[], None],
    ) -> None:
        self._begun, self._ended, self._pace = begun, ended, pace
        self._lock, self._commit = lock, commit
        self._closed = threading.Event()
        self._committed = False

    def is_over(self) -> bool:
        return self._committed or self._closed.is_set()

    def __iter__(self) -> Iterator[bytes]:
        for number, event in enumerate(_events(self._begun, self._ended)):
            kind = event["type"]
            if kind.endswith(".delta") and self._pace:
                self._closed.wait(self._pace)
            with self._lock:
                if self._closed.is_set():
                    return
                if kind == "response.completed":
                    # Before the event goes out: who has read it may go on with the conversation.
                    self._commit()
                    self._committed = True
            data = json.dumps(event | {"sequence_number": number})
            yield f"event: {kind}\ndata: {data}\n\n".encode()

    def close(self) -> None:
        self._closed.set()


@dataclass(slots=True)
class _Conversation:
    id: str
    metadata: dict[str, str]
    created_at: int = field(default_factory=lambda: int(time.time()))
    items: list[Json] = field(default_factory=list)
    # Weak, because a stream that was dropped without closing it must not lock the conversation for ever.
    writer: "weakref.ref[_EventStream] | None" = None

    def is_busy(self) -> bool:
        stream = self.writer() if self.writer else None
        return stream is not None and not stream.is_over()

    def item(self, item_id: str) -> Json:
        for item in self.items:
            if item["id"] == item_id:
                return item
        raise _Refusal(f"Item with id '{item_id}' not found in conversation '{self.id}'.", status=404)

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "object": "conversation",
            "created_at": self.created_at,
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True)
class _Stored:
    response: Json
    items: list[Json]
    """Everything up to and with the response, for ``previous_response_id``."""


class _Refusal(Exception):
    """A request that the API refuses."""

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self._code, self._param = status, code, param

    def as_json(self) -> Json:
        error: Json = {"message": str(self), "type": "invalid_request_error"}
        return {"error": error | {"param": self._param, "code": self._code}}


# What is answered


def _output(items: Sequence[Json], tools: Sequence[Json], body: Json) -> list[Json]:
    """The output items that the rules give for a history."""
    asked = max((at for at, item in enumerate(items) if item.get("role") == "user"), default=-1)
    outputs = {item["call_id"]: item for item in items if item["type"] == "function_call_output"}
    done = [
        answers.Done(answers.Call(item["name"], _arguments(item)), _text(outputs[item["call_id"]]["output"]))
        for item in items[asked + 1 :]
        if item["type"] == "function_call"
    ]
    first = not any(item.get("role") == "assistant" for item in items[: max(asked, 0)])
    reply = answers.answer(_text(items[asked]["content"]) if asked >= 0 else "", done, first, tools)
    output: list[Json] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        output.append(
            {
                "id": _new_id("msg"),
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "phase": "commentary" if reply.calls else "final_answer",
                "content": [part],
            }
        )
    for call in reply.calls[:1] if body.get("parallel_tool_calls") is False else reply.calls:
        output.append(
            {
                "id": _new_id("fc"),
                "type": "function_call",
                "status": "completed",
                "call_id": _new_id("call"),
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            }
        )
    return output


def _arguments(item: Json) -> Json:
    try:
        value = json.loads(item["arguments"])
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(content: str | list[Json]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("text"))


_TOKEN = re.compile("\\s*(?:[\u3040-\u9fff\uff00-\uffef]{1,2}|[^\\s\u3040-\u9fff\uff00-\uffef]{1,6})|\\s+")


def _tokens(text: str) -> list[str]:
    """A text in pieces as small as a model's; together they are the text."""
    return _TOKEN.findall(text)


def _usage(items: Sequence[Json], output: Sequence[Json]) -> Json:
    """An estimate: four characters to a token of input, and the pieces in which the output is streamed."""
    read = sum(len(_written(item)) for item in items) // 4 + 1
    written = sum(len(_tokens(_written(item))) for item in output)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


def _written(item: Json) -> str:
    return _text(item.get("content") or item.get("arguments") or item.get("output") or "")


def _response(body: Json, tools: list[Json], conversation: _Conversation | None) -> Json:
    """A response that has just begun."""
    return {
        "id": _new_id("resp"),
        "object": "response",
        "created_at": int(time.time()),
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls") is not False,
        "previous_response_id": body.get("previous_response_id"),
        "conversation": {"id": conversation.id} if conversation else None,
        "reasoning": {"effort": None, "summary": None},
        "store": body.get("store") is not False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": tools,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "metadata": _metadata(body),
    }


def _events(begun: Json, ended: Json) -> Iterator[Json]:
    """The events of a response, in the documented order."""
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(ended["output"]):
        empty: Json = {"content": []} if item["type"] == "message" else {"arguments": ""}
        added = item | empty | {"status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": index, "item": added}
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            part, where = item["content"][0], where | {"content_index": 0}
            yield {"type": "response.content_part.added", **where, "part": part | {"text": ""}}
            for token in _tokens(part["text"]):
                yield {"type": "response.output_text.delta", **where, "delta": token, "logprobs": []}
            yield {"type": "response.output_text.done", **where, "text": part["text"], "logprobs": []}
            yield {"type": "response.content_part.done", **where, "part": part}
        else:
            kind = "response.function_call_arguments"
            for token in _tokens(item["arguments"]):
                yield {"type": f"{kind}.delta", **where, "delta": token}
            whole = {"name": item["name"], "arguments": item["arguments"]}
            yield {"type": f"{kind}.done", **where, **whole}
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": "response.completed", "response": ended}


# What is read from a request


def _body(request: httpx2.Request) -> Json:
    try:
        body = json.loads(request.read() or b"{}")
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise _Refusal("We could not parse the JSON body of your request. It must be a JSON object.")
    return body


def _items(value: Any, param: str, earlier: Sequence[Json] = (), *, most: int | None = None) -> list[Json]:
    """Items as they are kept, each with an id; ``earlier`` are those that are there already."""
    if value is None:
        raise _missing(param)
    if isinstance(value, str) and param == "input":
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise _wrong(param, "an array of items")
    if most is not None and len(value) > most:
        raise _Refusal(
            f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an "
            f"array with length {len(value)} instead.",
            code="array_above_max_length",
            param=param,
        )
    items = [_item(each, f"{param}[{index}]") for index, each in enumerate(value)]
    taken = {item["id"] for item in earlier}
    for item in items:
        if item["id"] in taken:
            raise _Refusal(
                f"Duplicate item found with id {item['id']}. Remove duplicate items from your input and "
                "try again.",
                param=param,
            )
        taken.add(item["id"])
    return items


def _item(given: Any, param: str) -> Json:
    if not isinstance(given, dict):
        raise _wrong(param, "an object")
    kind = given.get("type") or ("message" if "role" in given else None)
    item_id = given.get("id")
    item: Json = {"id": item_id if isinstance(item_id, str) and item_id else None, "type": kind}
    match kind:
        case "message":
            if given.get("role") not in ("user", "assistant", "system", "developer"):
                raise _wrong(f"{param}.role", "one of 'user', 'assistant', 'system', 'developer'")
            part_type = "output_text" if given["role"] == "assistant" else "input_text"
            content = given.get("content")
            if isinstance(content, str):
                content = [{"type": part_type, "text": content}]
            item |= {"role": given["role"], "status": "completed"}
            item["content"] = _parts(content, f"{param}.content")
            if given.get("phase"):
                item["phase"] = given["phase"]
        case "function_call":
            item |= {name: _string(given, name, param) for name in ("call_id", "name", "arguments")}
            item["status"] = "completed"
        case "function_call_output":
            item |= {"call_id": _string(given, "call_id", param), "status": "completed"}
            output = given.get("output")
            item["output"] = output if isinstance(output, str) else _parts(output, f"{param}.output")
        case "reasoning":
            if not isinstance(given.get("summary"), list):
                raise _missing(f"{param}.summary")
            item |= {name: given[name] for name in ("summary", "encrypted_content") if name in given}
        case _:
            raise _wrong(f"{param}.type", "'message', 'function_call', 'function_call_output' or 'reasoning'")
    prefix = {"message": "msg", "function_call": "fc", "function_call_output": "fco", "reasoning": "rs"}
    item["id"] = item["id"] or _new_id(prefix[kind])
    return item


def _parts(value: Any, param: str) -> list[Json]:
    if not isinstance(value, list):
        raise _missing(param) if value is None else _wrong(param, "a string or an array of parts")
    parts = []
    for index, part in enumerate(value):
        where = f"{param}[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        match kind:
            case "input_text":
                parts.append({"type": kind, "text": _string(part, "text", where)})
            case "output_text":
                parts.append({"type": kind, "text": _string(part, "text", where), "annotations": []})
            case "refusal":
                parts.append({"type": kind, "refusal": _string(part, "refusal", where)})
            case "input_image":
                parts.append({"detail": "auto", **part})
            case "input_file":
                parts.append(part)
            case _:
                raise _wrong(f"{where}.type", "a type of content, such as 'input_text'")
    return parts


def _tools(body: Json) -> list[Json]:
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        raise _wrong("tools", "an array of tools")
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict):
            raise _wrong(f"tools[{index}]", "an object")
        if tool.get("type") == "function":
            _string(tool, "name", f"tools[{index}]")
            if not isinstance(tool.get("parameters") or {}, dict):
                raise _wrong(f"tools[{index}].parameters", "an object")
    return [{"parameters": None, "strict": None, **tool} for tool in tools]


def _check_calls(items: Sequence[Json]) -> None:
    """Refuse a history in which a call has no output, or an output no call."""
    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    outputs = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    for call_id in outputs.difference(calls):
        raise _Refusal(f"No tool call found for function call output with call_id {call_id}.", param="input")
    for call_id in calls:
        if call_id not in outputs:
            raise _Refusal(f"No tool output found for function call {call_id}.", param="input")


def _metadata(body: Json) -> dict[str, str]:
    metadata = body.get("metadata") or {}
    fits = isinstance(metadata, dict) and len(metadata) <= 16
    if not fits or not all(len(key) <= 64 and isinstance(metadata[key], str) for key in metadata):
        raise _wrong("metadata", "an object of at most 16 strings")
    return dict(metadata)


def _page(items: Sequence[Json], query: Mapping[str, str]) -> Json:
    order, limit, after = query.get("order", "desc"), query.get("limit", "20"), query.get("after")
    if order not in ("asc", "desc"):
        raise _wrong("order", "'asc' or 'desc'")
    if not re.fullmatch("[1-9][0-9]?|100", limit):
        raise _wrong("limit", "a number from 1 to 100")
    ordered = list(items) if order == "asc" else list(items)[::-1]
    if after is not None:
        at = next((at for at, item in enumerate(ordered) if item["id"] == after), None)
        if at is None:
            raise _wrong("after", "the id of an item in this conversation")
        ordered = ordered[at + 1 :]
    return _list(ordered[: int(limit)], has_more=len(ordered) > int(limit))


def _list(items: Sequence[Json], has_more: bool = False) -> Json:
    return {
        "object": "list",
        "data": list(items),
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }


def _string(given: Mapping[str, Any], name: str, param: str) -> str:
    value = given.get(name)
    if value is None:
        raise _missing(f"{param}.{name}")
    if not isinstance(value, str):
        raise _wrong(f"{param}.{name}", "a string")
    return value


def _missing(param: str) -> _Refusal:
    message = f"Missing required parameter: '{param}'."
    return _Refusal(message, code="missing_required_parameter", param=param)


def _wrong(param: str, expected: str) -> _Refusal:
    return _Refusal(f"Invalid value for '{param}': expected {expected}.", code="invalid_value", param=param)


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(24)}"


def _keep(store: dict[str, Any], key: str, value: Any) -> None:
    """Add to a store, at the cost of its oldest entry when it is full."""
    store[key] = value
    if len(store) > MOST_KEPT:
        del store[next(iter(store))]
