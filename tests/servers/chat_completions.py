"""A loopback server that plays scripts over Chat Completions and refuses what the real service refuses."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from tests.servers.request_types import COMPLETION, problem_with
from tests.servers.responses import Handler, Json, ModelServer, Play, error, split_text


class ChatServer(ModelServer):
    """Plays its scripts on a free port of this machine; use it in a ``with`` block."""

    def __init__(self) -> None:
        super().__init__(conversations=False)

    def handler(self) -> type[Handler]:
        return ChatHandler

    def next_completion(self, request: Json) -> Play:
        with self._lock:
            self.requests.append(request)
            if self.checks_types and (problem := problem_with(request, COMPLETION)):
                self.problems.append(problem)
            if reason := refusal_of(request["messages"]):
                self.refused.append(reason)
                return error(400, None, reason)
            return self.take_play(request)


class ChatHandler(Handler):
    model: ChatServer

    def do_POST(self) -> None:
        body = self._json()
        if urlsplit(self.path).path != "/v1/chat/completions" or self.model.pages:
            self._send_not_found()
            return
        play = self.model.next_completion(body)
        if play.status != 200 or play.body is not None:
            self._send(play.status, play.body, play.headers)
            return
        self._stream(play, stream(play))


def stream(play: Play) -> list[bytes]:
    """Return the chunks that are sent for a play."""
    if play.events is not None:
        return [event if isinstance(event, bytes) else sse(event) for event in play.events]
    return [*map(sse, chunks(play)), *([b"data: [DONE]\n\n"] if play.ending else [])]


def sse(chunk: Json) -> bytes:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


def chunks(play: Play) -> Iterator[Json]:
    yield chunk({"role": "assistant", "content": ""})
    calls = 0
    for item in play.items:
        match item["type"]:
            case "reasoning":
                for piece in split_text(item["summary"][0]["text"], play.pieces):
                    yield chunk({"reasoning_content": piece})
            case "message":
                part = item["content"][0]
                field = "refusal" if part["type"] == "refusal" else "content"
                for piece in split_text(part.get("refusal") or part.get("text", ""), play.pieces):
                    yield chunk({field: piece})
            case "function_call":
                start = {"name": item["name"], "arguments": ""}
                yield chunk(
                    {
                        "tool_calls": [
                            {"index": calls, "id": item["call_id"], "type": "function", "function": start}
                        ]
                    }
                )
                for piece in split_text(item["arguments"], play.pieces):
                    yield chunk({"tool_calls": [{"index": calls, "function": {"arguments": piece}}]})
                calls += 1
    match play.ending:
        case "completed":
            yield chunk({}, "tool_calls" if calls else "stop")
            yield {**chunk({}), "choices": [], "usage": USAGE}
        case "incomplete":
            reason = play.details.get("incomplete_details", {}).get("reason")
            yield chunk({}, "content_filter" if reason == "content_filter" else "length")
        case "failed":
            yield {"error": {"message": "It broke.", "code": "server_error", **play.details}}


USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 5,
    "total_tokens": 15,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 1},
}


def chunk(delta: Json, finish: str | None = None, **fields: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    named = {"id": "chatcmpl_1", "object": "chat.completion.chunk", "created": 1, "model": "test-model"}
    return {**named, "choices": [choice], **fields}


def refusal_of(messages: list[Json]) -> str:
    """Return why the service would refuse a list of messages; empty if it would not."""
    pending: list[str] = []
    for index, message in enumerate(messages):
        role = message["role"]
        if role == "tool":
            if message["tool_call_id"] not in pending:
                return (
                    f"Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                    f"message with 'tool_calls'. ({index})"
                )
            pending.remove(message["tool_call_id"])
            continue
        if pending:
            return (
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following tool_call_ids did not have response messages: {pending}"
            )
        if role == "assistant":
            if message["content"] is None and not message.get("tool_calls"):
                return f"Invalid value for 'content': expected a string, got null. ({index})"
            pending = [call["id"] for call in message.get("tool_calls", [])]
    return "" if messages and not pending else "The last calls have no outputs."
