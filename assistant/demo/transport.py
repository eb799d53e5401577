"""The demo's transport: its routes, and all that is kept.

Not here: what a request must look like (``requests.py``), what is answered (``responses.py``).
The one rule: a lock is held for a request, never while an answer is streamed.
"""

import json
import threading
from collections.abc import Mapping
from typing import TypeVar

import httpx2

from assistant.demo import requests, responses
from assistant.demo.conversations import Conversation
from assistant.demo.requests import Json, Refusal, new_id
from assistant.demo.stream import EventStream

T = TypeVar("T")

PACE = 0.028
"""Seconds per token: about 36 tokens in a second, a pace at which one can read along."""

MOST_KEPT = 1_000
"""Conversations, and as many responses, that are kept; the oldest go first."""

MODEL: Json = {"id": "demo", "object": "model", "created": 1_767_225_600, "owned_by": "built-in"}


class DemoTransport(httpx2.BaseTransport):
    """Answers requests to the Responses, Conversations and Models API itself; safe to use on threads."""

    def __init__(self, pace: float | None = None) -> None:
        """``pace`` is the seconds per streamed token; without it ``PACE`` is read at each request."""
        self._pace = pace
        self._lock = threading.Lock()
        self._conversations: dict[str, Conversation] = {}
        # Each with all items up to and with it, for ``previous_response_id``.
        self._responses: dict[str, tuple[Json, list[Json]]] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        status = 200
        headers = {"x-request-id": new_id("req"), "content-type": "application/json"}
        try:
            body = requests.body_of(request) if request.method == "POST" else {}
            with self._lock:
                result = self._route(request.method, request.url.path, body, request.url.params)
        except Refusal as refusal:
            status, result = refusal.status, {"error": refusal.error}
        if isinstance(result, EventStream):
            headers["content-type"] = "text/event-stream; charset=utf-8"
            return httpx2.Response(status, headers=headers, stream=result)
        return httpx2.Response(status, headers=headers, content=json.dumps(result))

    def _route(self, method: str, path: str, body: Json, query: Mapping[str, str]) -> Json | EventStream:
        match [method, *path.removeprefix("/v1").split("/")[1:]]:
            case ["POST", "responses"]:
                return self._respond(body)
            case ["GET", "responses", response_id]:
                return _found(self._responses, response_id, "Response")[0]
            case ["DELETE", "responses", response_id]:
                del self._responses[_found(self._responses, response_id, "Response")[0]["id"]]
                return {"id": response_id, "object": "response", "deleted": True}
            case ["POST", "conversations"]:
                conversation = Conversation(requests.metadata_of(body))
                conversation.add({"items": body.get("items") or []})
                _keep(self._conversations, conversation.id, conversation)
                return conversation.as_json()
            case ["GET", "conversations", conversation_id]:
                return self._conversation(conversation_id).as_json()
            case ["POST", "conversations", conversation_id]:
                conversation = self._conversation(conversation_id)
                conversation.metadata = requests.metadata_of(body)
                return conversation.as_json()
            case ["DELETE", "conversations", conversation_id]:
                del self._conversations[self._conversation(conversation_id).id]
                return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
            case ["GET", "conversations", conversation_id, "items"]:
                return self._conversation(conversation_id).page(query)
            case ["POST", "conversations", conversation_id, "items"]:
                return self._conversation(conversation_id).add(body)
            case ["GET", "conversations", conversation_id, "items", item_id]:
                return self._conversation(conversation_id).item(item_id)
            case ["DELETE", "conversations", conversation_id, "items", item_id]:
                conversation = self._conversation(conversation_id)
                conversation.items.remove(conversation.item(item_id))
                return conversation.as_json()
            case ["GET", "models"]:
                return {"object": "list", "data": [MODEL]}
            case ["GET", "models", "demo"]:
                return MODEL
        raise Refusal(f"Invalid URL ({method} {path})", status=404)

    def _respond(self, body: Json) -> Json | EventStream:
        conversation, earlier = self._context(body)
        if isinstance(body.get("input"), str):
            body = body | {"input": [{"role": "user", "content": body["input"]}]}
        given = requests.items_of(body, "input", earlier)
        requests.check_calls(earlier + given)
        begun = responses.begun(body, conversation.id if conversation else None)
        ended = responses.ended(begun, earlier + given)

        def commit() -> None:
            if conversation:
                conversation.items += given + ended["output"]
            if begun["store"]:
                _keep(self._responses, begun["id"], (ended, earlier + given + ended["output"]))

        if not body.get("stream"):
            commit()
            return ended
        stream = EventStream(begun, ended, PACE if self._pace is None else self._pace, self._lock, commit)
        if conversation:
            conversation.writer = stream
        return stream

    def _context(self, body: Json) -> tuple[Conversation | None, list[Json]]:
        """The conversation that a request is part of, if any, and all items that came before."""
        named, previous = body.get("conversation"), body.get("previous_response_id")
        if named and previous:
            message = "Mutually exclusive parameters: 'conversation' and 'previous_response_id'."
            raise Refusal(message, "previous_response_id", "mutually_exclusive_parameters")
        if named:
            conversation = self._conversation(named.get("id") if isinstance(named, dict) else named)
            if conversation.writer and not conversation.writer.over:
                message = "Another process is currently operating on this conversation. "
                message += "Please retry in a few seconds."
                raise Refusal(message, "conversation", "conversation_locked")
            return conversation, list(conversation.items)
        if previous and str(previous) not in self._responses:
            message = f"Previous response with id '{previous}' not found."
            raise Refusal(message, "previous_response_id", "previous_response_not_found")
        return None, self._responses[str(previous)][1] if previous else []

    def _conversation(self, conversation_id: object) -> Conversation:
        return _found(self._conversations, conversation_id, "Conversation")


def _found(store: Mapping[str, T], key: object, what: str) -> T:
    if str(key) not in store:
        raise Refusal(f"{what} with id '{key}' not found.", status=404)
    return store[str(key)]


def _keep(store: dict[str, T], key: str, value: T) -> None:
    """Add to a store, at the cost of its oldest entry when it is full."""
    store[key] = value
    if len(store) > MOST_KEPT:
        del store[next(iter(store))]
