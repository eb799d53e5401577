"""A model server on loopback: Responses and Conversations over real sockets, at a known rate.

    python -m tests.bench.model_server PORT

The prompt says what to send: ``tokens=8000 rate=1000 turn=7 calls=2``. ``rate`` is in tokens per second; 0
means as fast as the client reads. With ``calls`` the model first requests that many calls of ``calculate``.
``GET /v1/turns/7`` returns when that turn was requested and when each part was sent, in seconds of
CLOCK_MONOTONIC; ``GET /v1/answers/8000`` returns the size of such an answer in bytes.

Unlike ``tests/servers/responses.py``, which is strict, this server is fast and refuses nothing. All text is
created before an answer is sent. Each token is sent at its own time, however late the one before it was, so
that rates are exact in the long run.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import cache
from itertools import count
from typing import Any

from tests.bench.answers import answer, first_word, last_word, mark, middle

Json = dict[str, Any]

_numbers = count(1)
_conversations: dict[str, list[Json]] = {}
_turns: dict[int, Json] = {}


async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one client's requests, one after the other, until it disconnects."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            length = re.search(r"(?i)content-length: *(\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            request = json.loads(body or b"{}")
            if (method, path) == ("POST", "/v1/responses") and request:
                await _respond(request, writer)
                continue
            status, found = _plain(method, path.split("?")[0].split("/")[2:], request)
            sent = json.dumps(found).encode()
            writer.write(f"HTTP/1.1 {status} .\r\ncontent-type: application/json\r\n".encode())
            writer.write(f"content-length: {len(sent)}\r\n\r\n".encode() + sent)
            await writer.drain()
    writer.close()


def _plain(method: str, path: list[str], request: Json) -> tuple[int, Json]:
    """Return the status and the body of a response without a stream."""
    match method, path:
        case "POST", ["conversations"]:
            name = _name("conv")
            _conversations[name] = list(request.get("items") or [])
            return 200, {"id": name, "object": "conversation", "created_at": 0, "metadata": {}}
        case "GET", ["turns", turn]:
            return 200, _turns.get(int(turn), {})
        case "GET", ["answers", tokens]:
            _deltas(int(tokens))  # made now, so that it need not be later
            return 200, {"bytes": len("".join(answer(int(tokens), 0)).encode())}
        case "POST", ["responses"]:
            return 400, {"error": {"message": "Missing required parameter: 'model'.", "code": None}}
    return 404, {"error": {"message": "Not found", "code": None}}


async def _respond(request: Json, writer: asyncio.StreamWriter) -> None:
    received = time.monotonic()
    name = request.get("conversation")
    items = request["input"]
    history = _conversations[name] if name else []
    history += [{"role": "user", "content": items}] if isinstance(items, str) else items
    question = max(index for index, item in enumerate(history) if item.get("role") == "user")
    wanted = _wanted(history[question]["content"])
    called = any(item.get("type") == "function_call_output" for item in history[question:])
    calls = [] if called else [_call() for _ in range(wanted.get("calls", 0))]
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
    whole = {"id": _name("resp"), **_response(request)}
    for kind in ("created", "in_progress"):
        writer.write(_event(f"response.{kind}", response={**whole, "status": "in_progress"}))
    if calls:
        writer.write(b"".join(_asking(calls)))
    else:
        turn = _turns[wanted.get("turn", 0)] = {"asked": received, "marks": []}
        async for part in _saying(wanted, turn):
            writer.write(part)
            if writer.transport.get_write_buffer_size():
                await writer.drain()
    output = calls or [_message("".join(answer(wanted["tokens"], wanted.get("turn", 0))))]
    history += output
    writer.write(_event("response.completed", response={**whole, "status": "completed", "output": output}))
    writer.write(b"0\r\n\r\n")
    await writer.drain()


async def _saying(wanted: dict[str, int], turn: Json) -> AsyncIterator[bytes]:
    """Yield the events of an answer, each at its time; ``turn`` records these times."""
    tokens, number, rate = wanted["tokens"], wanted.get("turn", 0), wanted.get("rate", 0)
    message = _message("".join(answer(tokens, number)))
    begin, end = (_delta(word(number), 0) for word in (first_word, last_word))
    part = message["content"][0]
    yield _event("response.output_item.added", output_index=0, item={**message, "content": []})
    yield _event("response.content_part.added", **_AT, part={**part, "text": ""})
    begun = time.monotonic()
    for index, (data, word) in enumerate([(begin, ""), *_deltas(tokens), (end, "")]):
        if rate and (early := begun + index / rate - time.monotonic()) > 0:
            await asyncio.sleep(early)
        elif index % 32 == 31:
            await asyncio.sleep(0)  # others want to be answered too
        turn["last"] = moment = time.monotonic()
        turn.setdefault("first", moment)
        if word:
            turn["marks"].append([word, moment])
        yield data
    turn["whole"] = True
    yield _event("response.output_text.done", **_AT, text=part["text"], logprobs=[])
    yield _event("response.content_part.done", **_AT, part=part)
    yield _event("response.output_item.done", output_index=0, item=message)


_AT: Json = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


@cache
def _deltas(tokens: int) -> list[tuple[bytes, str]]:
    """Return the events of all tokens but the first and the last, each with its mark, if it is one."""
    texts = ["\n\n", *middle(tokens - 4), "\n\n"]
    marks = {f" {mark(number)}" for number in range(1, tokens)}
    return [(_delta(text, index), text.strip() * (text in marks)) for index, text in enumerate(texts)]


def _delta(text: str, index: int) -> bytes:
    padding = "x" * max(1, 16 - len(text))  # as the service sends it, against who counts lengths
    return _event(
        "response.output_text.delta",
        **_AT,
        sequence_number=index + 5,
        delta=text,
        logprobs=[],
        obfuscation=padding,
    )


def _asking(calls: list[Json]) -> list[bytes]:
    """Return the events of function calls."""
    events = []
    for index, call in enumerate(calls):
        at = {"item_id": call["id"], "output_index": index}
        events += [
            _event("response.output_item.added", output_index=index, item={**call, "arguments": ""}),
            _event("response.function_call_arguments.delta", **at, delta=call["arguments"]),
            _event("response.function_call_arguments.done", **at, arguments=call["arguments"]),
            _event("response.output_item.done", output_index=index, item=call),
        ]
    return events


def _event(kind: str, **fields: Any) -> bytes:
    """Return a server-sent event as a chunk of the body."""
    data = json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))
    sent = f"event: {kind}\ndata: {data}\n\n".encode()
    return f"{len(sent):x}\r\n".encode() + sent + b"\r\n"


def _wanted(content: Any) -> dict[str, int]:
    """Return the numbers in a prompt."""
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return {"tokens": 20} | {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", text)}


def _name(kind: str) -> str:
    return f"{kind}_{next(_numbers):08d}"


def _call() -> Json:
    names = {"id": _name("fc"), "type": "function_call", "status": "completed", "call_id": _name("call")}
    return names | {"name": "calculate", "arguments": '{"expression":"6 * 7"}'}


def _message(text: str) -> Json:
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    return {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _response(request: Json) -> Json:
    return {
        "object": "response",
        "created_at": 0,
        "error": None,
        "incomplete_details": None,
        "instructions": request.get("instructions"),
        "metadata": {},
        "model": request["model"],
        "output": [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": request.get("tools") or [],
        "top_p": 1.0,
        "usage": None,
    }


async def _serve(port: int) -> None:
    server = await asyncio.start_server(connection, "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1])))
