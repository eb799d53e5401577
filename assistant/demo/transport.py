"""The demo's transport: the routes of the API, and the stored conversations and responses.

A lock is held while a request is handled, but not while a response is streamed.
"""

import json
import threading
from collections.abc import Mapping
from typing import TypeVar

import httpx2

from assistant.demo import requests, responses
from assistant.demo.conversations import Conversation, item_page
from assistant.demo.generation import EventStream, Generation
from assistant.demo.items import Json, new_id
from assistant.demo.options import parse_metadata, parse_tools
from assistant.demo.prompt_cache import PromptCache, diagnose
from assistant.demo.requests import Rejection, invalid_value
from assistant.demo.responses import MODEL_NAME

T = TypeVar("T", Conversation, Generation)

SECONDS_PER_TOKEN = 0.028
"""The default pace, slow enough to read along: about 36 tokens per second."""

MAX_STORED = 1_000
"""Maximum number of stored conversations, and of responses; the oldest are deleted first."""

MAX_STORED_CHARS = 20_000_000
"""Maximum length of the prompts of all stored conversations together, and of all responses."""

MODEL: Json = {"id": MODEL_NAME, "object": "model", "created": 1_767_225_600, "owned_by": "built-in"}


class DemoTransport(httpx2.BaseTransport):
    """Answers requests to the Responses, Conversations and Models API; safe to use on several threads."""

    def __init__(self, pace: float | None = None) -> None:
        """``pace`` is the delay in seconds per token, by default ``SECONDS_PER_TOKEN`` at each request."""
        self._pace = pace
        self._lock = threading.Lock()
        self._conversations: dict[str, Conversation] = {}
        self._responses: dict[str, Generation] = {}
        self._cache = PromptCache()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        status = 200
        headers = {"x-request-id": new_id("req"), "content-type": "application/json"}
        try:
            body = requests.parse_json(request.read()) if request.method == "POST" else {}
            with self._lock:
                self._complete_background_responses()
                result = self._route(request.method, request.url.path, body, request.url.params)
        except Rejection as rejection:
            status, result = rejection.status, {"error": rejection.error}
        if isinstance(result, EventStream):
            headers["content-type"] = "text/event-stream; charset=utf-8"
            return httpx2.Response(status, headers=headers, stream=result)
        return httpx2.Response(status, headers=headers, content=json.dumps(result))

    def stream(self, body: Json, unstored: dict[str, Generation]) -> EventStream:
        """Return the stream of a response that a WebSocket connection asks for.

        ``unstored`` holds the connection's responses with ``store: false``.

        Raises:
            Rejection: The API refuses the request.
        """
        with self._lock:
            self._complete_background_responses()
            stream = self._respond(body | {"stream": True}, unstored)
        assert isinstance(stream, EventStream)
        return stream

    def _route(self, method: str, path: str, body: Json, query: Mapping[str, str]) -> Json | EventStream:
        match [method, *path.removeprefix("/v1").split("/")[1:]]:
            case ["POST", "responses"]:
                return self._respond(body, {})
            case ["POST", "responses", "compact"]:
                return responses.compact(body, self._parse_input({"input": [], **body})[1])
            case ["POST", "responses", "input_tokens"]:
                options = {"tools": parse_tools(body), "instructions": body.get("instructions")}
                prompt = responses.whole_prompt(options, self._parse_input({"input": [], **body})[1])
                return {"object": "response.input_tokens", "input_tokens": responses.count_tokens(prompt)}
            case ["GET", "responses", response_id] if query.get("stream") == "true":
                after = query.get("starting_after", "-1")
                if not after.removeprefix("-").isdecimal():
                    raise invalid_value("starting_after", "a number")
                return EventStream(self._response(response_id), self._lock, int(after))
            case ["GET", "responses", response_id]:
                return self._response(response_id).as_json()
            case ["DELETE", "responses", response_id]:
                del self._responses[self._response(response_id).response["id"]]
                return {"id": response_id, "object": "response", "deleted": True}
            case ["POST", "responses", response_id, "cancel"]:
                return self._cancel(self._response(response_id))
            case ["GET", "responses", response_id, "input_items"]:
                return item_page(self._response(response_id).items, query, f"response '{response_id}'")
            case ["POST", "conversations"]:
                conversation = Conversation(parse_metadata(body))
                conversation.add({"items": body.get("items") or []})
                _store(self._conversations, conversation.id, conversation)
                return conversation.as_json()
            case ["GET", "conversations", conversation_id]:
                return self._conversation(conversation_id).as_json()
            case ["POST", "conversations", conversation_id]:
                conversation = self._conversation(conversation_id)
                conversation.metadata = parse_metadata(body)
                return conversation.as_json()
            case ["DELETE", "conversations", conversation_id]:
                del self._conversations[self._conversation(conversation_id).id]
                return {"id": conversation_id, "object": "conversation.deleted", "deleted": True}
            case ["GET", "conversations", conversation_id, "items"]:
                items = self._conversation(conversation_id).items
                return item_page(items, query, f"conversation '{conversation_id}'")
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

    def _respond(self, body: Json, unstored: dict[str, Generation]) -> Json | EventStream:
        conversation, items, count = self._parse_input(body, unstored)
        requests.check_calls(items)
        started = responses.new_response(body, items, conversation.id if conversation else None)

        def store() -> None:
            if conversation:
                conversation.items += items[len(items) - count :] + generation.kept_output
                conversation.chars = generation.chars
                _delete_oldest(self._conversations)
            _store(self._responses if started["store"] else unstored, started["id"], generation)

        pace = SECONDS_PER_TOKEN if self._pace is None else self._pace
        prompt = responses.whole_prompt(started, items)
        cache = self._cache.use(started, prompt)
        completed = responses.complete(started, items, cache, generate=body.get("generate") is not False)
        if compared := started.get("prompt_cache_options", {}).get("comparison_response_id"):
            earlier = self._responses.get(str(compared)) or unstored.get(str(compared))
            completed["prompt_cache_diagnostics"] = diagnose(
                started,
                prompt,
                earlier.response if earlier else None,
                responses.whole_prompt(earlier.response, earlier.items) if earlier else "",
            )
        generation = Generation(completed, items, pace, store)
        generation.chars = len(prompt)
        if conversation:
            conversation.generation = generation
        if started["background"]:
            _store(self._responses, started["id"], generation)
        elif not body.get("stream"):
            generation.complete()
        if body.get("stream"):
            return EventStream(generation, self._lock)
        return generation.as_json() | ({"status": "queued"} if started["background"] else {})

    def _parse_input(
        self, body: Json, unstored: Mapping[str, Generation] | None = None
    ) -> tuple[Conversation | None, list[Json], int]:
        """Return the conversation of a request, if any, all items up to its end, and how many of them are new."""
        conversation, earlier = self._context(body, unstored or {})
        if isinstance(body.get("input"), str):
            body = body | {"input": [{"role": "user", "content": body["input"]}]}
        items = requests.parse_items(body, "input", earlier)
        return conversation, earlier + items, len(items)

    def _context(
        self, body: Json, unstored: Mapping[str, Generation]
    ) -> tuple[Conversation | None, list[Json]]:
        """Return the conversation of a request, if any, and all earlier items."""
        reference, previous = body.get("conversation"), body.get("previous_response_id")
        if reference and previous:
            message = "Mutually exclusive parameters: 'conversation' and 'previous_response_id'."
            raise Rejection(message, "previous_response_id", "mutually_exclusive_parameters")
        if reference:
            conversation_id = reference.get("id") if isinstance(reference, dict) else reference
            conversation = self._conversation(conversation_id)
            if conversation.generation and conversation.generation.is_running:
                message = "Another process is currently operating on this conversation. "
                message += "Please retry in a few seconds."
                raise Rejection(message, "conversation", "conversation_locked")
            return conversation, list(conversation.items)
        if not previous:
            return None, []
        generation = self._responses.get(str(previous)) or unstored.get(str(previous))
        if not generation or not generation.is_complete:
            message = f"Previous response with id '{previous}' not found."
            raise Rejection(message, "previous_response_id", "previous_response_not_found")
        return None, generation.items + generation.kept_output

    def _cancel(self, generation: Generation) -> Json:
        if not generation.response["background"]:
            raise Rejection("Cannot cancel a synchronous response.")
        if generation.is_running:
            generation.cancelled.set()
        return generation.as_json()

    def _complete_background_responses(self) -> None:
        for generation in [each for each in self._responses.values() if each.is_running]:
            generation.complete_if_due()

    def _conversation(self, conversation_id: object) -> Conversation:
        return _lookup(self._conversations, conversation_id, "Conversation")

    def _response(self, response_id: str) -> Generation:
        return _lookup(self._responses, response_id, "Response")


def _lookup(store: Mapping[str, T], key: object, what: str) -> T:
    if str(key) not in store:
        raise Rejection(f"{what} with id '{key}' not found.", status=404)
    return store[str(key)]


def _store(store: dict[str, T], key: str, value: T) -> None:
    """Add a value, and delete the oldest ones if there are too many."""
    store[key] = value
    _delete_oldest(store)


def _delete_oldest(store: dict[str, T]) -> None:
    """Delete the oldest values until the others are few and small enough; the newest one stays."""
    chars = sum(each.chars for each in store.values())
    while len(store) > MAX_STORED or (len(store) > 1 and chars > MAX_STORED_CHARS):
        chars -= store.pop(next(iter(store))).chars
