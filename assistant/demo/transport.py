"""The demo's transport: the routes of the API, and the stored conversations and responses.

A lock is held while a request is handled, but not while a response is streamed.
"""

import json
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import httpx2

from assistant.demo import requests, responses
from assistant.demo.requests import Json, Rejection, invalid_value, new_id, parse_items, require
from assistant.demo.responses import MODEL_NAME, EventStream

T = TypeVar("T")

SECONDS_PER_TOKEN = 0.028
"""The default pace, slow enough to read along: about 36 tokens per second."""

MAX_STORED = 1_000
"""Maximum number of stored conversations, and of responses; the oldest are deleted first."""

MAX_ITEMS = 20
"""Maximum number of items that one request can add to a conversation, as documented."""

MODEL: Json = {"id": MODEL_NAME, "object": "model", "created": 1_767_225_600, "owned_by": "built-in"}


@dataclass(slots=True)
class Conversation:
    """The items, oldest first, and the response that is being streamed."""

    metadata: Json
    id: str = field(default_factory=lambda: new_id("conv"))
    created_at: int = field(default_factory=lambda: int(time.time()))
    items: list[Json] = field(default_factory=list)
    stream: EventStream | None = None

    def add(self, body: Json) -> Json:
        """Add the items of a request body and return them as a list object."""
        count = len(require(body, "items", list))
        if count > MAX_ITEMS:
            message = (
                "Invalid 'items': array too long. Expected an array with maximum length "
                f"{MAX_ITEMS}, but got an array with length {count} instead."
            )
            raise Rejection(message, "items", "array_above_max_length")
        items = parse_items(body, "items", self.items)
        self.items += items
        return _list_object(items)

    def find(self, item_id: str) -> Json:
        """Return the item with this id.

        Raises:
            Rejection: There is none (404).
        """
        for item in self.items:
            if item["id"] == item_id:
                return item
        raise Rejection(f"Item with id '{item_id}' not found in conversation '{self.id}'.", status=404)

    def page(self, query: Mapping[str, str]) -> Json:
        """Return a page of the items, newest first unless ``order`` is "asc"."""
        limit = query.get("limit", "20")
        if not re.fullmatch("[1-9][0-9]?|100", limit):
            raise invalid_value("limit", "a number from 1 to 100")
        items = self.items if query.get("order") == "asc" else self.items[::-1]
        if "after" in query:
            items = items[items.index(self.find(query["after"])) + 1 :]
        return _list_object(items[: int(limit)], has_more=len(items) > int(limit))

    def as_json(self) -> Json:
        """Return the conversation object of the API."""
        fields: Json = {"id": self.id, "created_at": self.created_at, "metadata": self.metadata}
        return fields | {"object": "conversation"}


def _list_object(items: Sequence[Json], has_more: bool = False) -> Json:
    first, last = (items[0]["id"], items[-1]["id"]) if items else (None, None)
    return {"object": "list", "data": items, "first_id": first, "last_id": last, "has_more": has_more}


class DemoTransport(httpx2.BaseTransport):
    """Answers requests to the Responses, Conversations and Models API; safe to use on several threads."""

    def __init__(self, pace: float | None = None) -> None:
        """``pace`` is the delay in seconds per token, by default ``SECONDS_PER_TOKEN`` at each request."""
        self._pace = pace
        self._lock = threading.Lock()
        self._conversations: dict[str, Conversation] = {}
        # Each with all items up to its end, for ``previous_response_id``.
        self._responses: dict[str, tuple[Json, list[Json]]] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        status = 200
        headers = {"x-request-id": new_id("req"), "content-type": "application/json"}
        try:
            body = requests.parse_body(request) if request.method == "POST" else {}
            with self._lock:
                result = self._route(request.method, request.url.path, body, request.url.params)
        except Rejection as rejection:
            status, result = rejection.status, {"error": rejection.error}
        if isinstance(result, EventStream):
            headers["content-type"] = "text/event-stream; charset=utf-8"
            return httpx2.Response(status, headers=headers, stream=result)
        return httpx2.Response(status, headers=headers, content=json.dumps(result))

    def _route(self, method: str, path: str, body: Json, query: Mapping[str, str]) -> Json | EventStream:
        match [method, *path.removeprefix("/v1").split("/")[1:]]:
            case ["POST", "responses"]:
                return self._respond(body)
            case ["GET", "responses", response_id]:
                return _lookup(self._responses, response_id, "Response")[0]
            case ["DELETE", "responses", response_id]:
                del self._responses[_lookup(self._responses, response_id, "Response")[0]["id"]]
                return {"id": response_id, "object": "response", "deleted": True}
            case ["POST", "conversations"]:
                conversation = Conversation(requests.parse_metadata(body))
                conversation.add({"items": body.get("items") or []})
                _store(self._conversations, conversation.id, conversation)
                return conversation.as_json()
            case ["GET", "conversations", conversation_id]:
                return self._conversation(conversation_id).as_json()
            case ["POST", "conversations", conversation_id]:
                conversation = self._conversation(conversation_id)
                conversation.metadata = requests.parse_metadata(body)
                return conversation.as_json()
            case ["DELETE", "conversations", conversation_id]:
                del self._conversations[self._conversation(conversation_id).id]
                return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
            case ["GET", "conversations", conversation_id, "items"]:
                return self._conversation(conversation_id).page(query)
            case ["POST", "conversations", conversation_id, "items"]:
                return self._conversation(conversation_id).add(body)
            case ["GET", "conversations", conversation_id, "items", item_id]:
                return self._conversation(conversation_id).find(item_id)
            case ["DELETE", "conversations", conversation_id, "items", item_id]:
                conversation = self._conversation(conversation_id)
                conversation.items.remove(conversation.find(item_id))
                return conversation.as_json()
            case ["GET", "models"]:
                return {"object": "list", "data": [MODEL]}
            case ["GET", "models", name] if name == MODEL_NAME:
                return MODEL
        raise Rejection(f"Invalid URL ({method} {path})", status=404)

    def _respond(self, body: Json) -> Json | EventStream:
        conversation, earlier = self._context(body)
        if isinstance(body.get("input"), str):
            body = body | {"input": [{"role": "user", "content": body["input"]}]}
        items = requests.parse_items(body, "input", earlier)
        requests.check_calls(earlier + items)
        started = responses.new_response(body, conversation.id if conversation else None)
        completed = responses.complete(started, earlier + items)

        def store() -> None:
            if conversation:
                conversation.items += items + completed["output"]
            if started["store"]:
                _store(self._responses, started["id"], (completed, earlier + items + completed["output"]))

        if not body.get("stream"):
            store()
            return completed
        pace = SECONDS_PER_TOKEN if self._pace is None else self._pace
        stream = EventStream(started, completed, pace, self._lock, store)
        if conversation:
            conversation.stream = stream
        return stream

    def _context(self, body: Json) -> tuple[Conversation | None, list[Json]]:
        """Return the conversation of a request, if any, and all earlier items."""
        reference, previous = body.get("conversation"), body.get("previous_response_id")
        if reference and previous:
            message = "Mutually exclusive parameters: 'conversation' and 'previous_response_id'."
            raise Rejection(message, "previous_response_id", "mutually_exclusive_parameters")
        if reference:
            conversation_id = reference.get("id") if isinstance(reference, dict) else reference
            conversation = self._conversation(conversation_id)
            if conversation.stream and not conversation.stream.closed:
                message = "Another process is currently operating on this conversation. "
                message += "Please retry in a few seconds."
                raise Rejection(message, "conversation", "conversation_locked")
            return conversation, list(conversation.items)
        if previous and str(previous) not in self._responses:
            message = f"Previous response with id '{previous}' not found."
            raise Rejection(message, "previous_response_id", "previous_response_not_found")
        return None, self._responses[str(previous)][1] if previous else []

    def _conversation(self, conversation_id: object) -> Conversation:
        return _lookup(self._conversations, conversation_id, "Conversation")


def _lookup(store: Mapping[str, T], key: object, what: str) -> T:
    if str(key) not in store:
        raise Rejection(f"{what} with id '{key}' not found.", status=404)
    return store[str(key)]


def _store(store: dict[str, T], key: str, value: T) -> None:
    """Add a value, and delete the oldest one if there are too many."""
    store[key] = value
    if len(store) > MAX_STORED:
        del store[next(iter(store))]
