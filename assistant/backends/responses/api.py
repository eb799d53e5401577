"""Requests about the conversations and background responses that a server keeps.

Items are plain dictionaries, as the server sent them.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Literal, cast

import openai
from openai import OpenAI, omit

from assistant.backends.body import all_pages, json_body, read_body
from assistant.backends.error_translation import (
    error_for_code,
    refuse_web_page,
    translate_errors,
    wrong_api_error,
)
from assistant.backends.json_access import JsonObject, count_at
from assistant.backends.requests import Request
from assistant.backends.responses.state import ResponsesState
from assistant.backends.responses.stream import is_final, whole_response
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT, status_of
from assistant.errors import BackendError, Interrupted, RequestRefused
from assistant.transports.cancellation import not_cancelled

RESUME_DELAYS = (0.2, 1.0, 2.0, 4.0, 8.0)  # seconds before each new attempt to follow a background response
CANCEL_SECONDS = 3.0  # timeout of the request that stops a background response
PAGE_ITEMS = 20  # maximum items that one request may add to a conversation (API reference, "Create items")

MAX_INPUT_ITEMS = 10
"""Maximum number of items in the input of a response; some servers store them in one page with the answer's."""

RUNNING_KEY = "running_response"
"""The key in a conversation's metadata under which the id of its running background response stands."""


class ResponsesApi:
    """One server; ``include`` names the optional fields that its items are requested with."""

    def __init__(self, client: OpenAI, include: list[str]) -> None:
        self._client = client
        self._include = cast("Any", include) or omit

    def create_conversation(self, items: list[JsonObject]) -> str:
        """Create a conversation with these items, and return its id."""
        with translate_errors(self._client):
            conversation: Any = self._client.conversations.create(
                items=cast("Any", items[:PAGE_ITEMS]) or omit
            )
            if isinstance(conversation, str):
                raise wrong_api_error(self._client, 200)
            conversation_id = getattr(conversation, "id", None)
            if not isinstance(conversation_id, str) or not conversation_id:
                # Some servers answer every path that they do not have with status 200.
                raise error_for_code("404", conversation, self._client)
        self.add_items(conversation_id, items[PAGE_ITEMS:])
        return conversation_id

    def add_items(self, conversation_id: str, items: list[JsonObject]) -> None:
        """Add items to a conversation, in pages."""
        with translate_errors(self._client):
            for start in range(0, len(items), PAGE_ITEMS):
                page = cast("Any", items[start : start + PAGE_ITEMS])
                self._client.conversations.items.create(conversation_id, items=page)

    def items(self, conversation_id: str, order: Literal["asc", "desc"]) -> Iterator[JsonObject]:
        """Yield the items of a conversation; the SDK's exceptions are not translated."""
        request = self._client.conversations.items.with_raw_response.list
        return self._items(partial(request, conversation_id, order=order, include=self._include))

    def has_conversation(self, conversation_id: str) -> bool:
        """Return whether the server has this conversation."""
        try:
            with translate_errors(self._client):
                next(self.items(conversation_id, "desc"), None)
        except RequestRefused as refusal:
            return status_of(refusal) != 404
        return True

    def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation and its items; nothing happens if it does not exist.

        Raises:
            BackendError: Part of it could not be deleted.
        """
        with translate_errors(self._client):
            try:
                # Deleting a conversation does not delete its items.
                for item in list(self.items(conversation_id, "asc")):
                    self._client.conversations.items.delete(item["id"], conversation_id=conversation_id)
                self._client.conversations.delete(conversation_id)
            except openai.NotFoundError:
                return

    def events(
        self, body: JsonObject, state: ResponsesState, request: Request
    ) -> Generator[object, None, None]:
        """Yield the events of a new response, or of the one that is running, as plain dictionaries.

        They can be sent back as they came, may have any shape, and cost a fraction of the SDK's objects.
        Those of a background response continue after a lost connection.
        """
        position: object = omit  # the sequence number of the last event
        delays, is_running = iter(RESUME_DELAYS), True
        try:
            with request.cancelled_on_interrupt():
                while True:
                    try:
                        with translate_errors(self._client), self._connect(body, state, position) as response:
                            refuse_web_page(response.http_response, self._client)
                            request.steer = response.http_response.extensions.get("steer")
                            is_streamed, events = read_body(response.http_response)
                            for event in events if is_streamed else whole_response(next(events)):
                                if body.get("background") and isinstance(event, dict):
                                    self._note_running(event, state)
                                    position, delays = event.get("sequence_number"), iter(RESUME_DELAYS)
                                is_running = not is_final(event)
                                yield event
                                if not is_running:
                                    return
                    except Interrupted:
                        if not state.running and not request.cancelled:
                            raise
                    delay = next(delays, None)
                    if delay is None or not state.running or request.cancelled:
                        return
                    request.wait(delay)
        finally:
            request.steer = None
            if is_running and request.cancelled and state.running:
                self.cancel_response(state.running)

    def _connect(self, body: JsonObject, state: ResponsesState, position: object) -> Any:
        """Return the context manager of a stream: a new one, or the running one from after ``position``."""
        api: Any = self._client.responses.with_streaming_response
        if state.running:
            return api.retrieve(state.running, stream=True, starting_after=position)
        # As ``extra_body``, because the SDK visits every value of its own parameters: too slow for long
        # threads.
        return api.create(stream=True, extra_body=body)

    def _note_running(self, event: JsonObject, state: ResponsesState) -> None:
        """Record the id of a background response, here and at the server, for the next process."""
        response = event.get("response")
        if state.running or not isinstance(response, dict) or not isinstance(response.get("id"), str):
            return
        state.set_running(response["id"])
        if state.conversation:
            with suppress(BackendError), translate_errors(self._client):
                self._client.conversations.update(state.conversation, metadata={RUNNING_KEY: response["id"]})

    def count_input(self, body: JsonObject) -> int | None:
        """Return how many tokens the input of a response has; None if the server does not count."""
        try:
            with translate_errors(self._client):
                counted = self._client.post("/responses/input_tokens", cast_to=object, body=body)
        except BackendError as error:
            if status_of(error) in NO_SUCH_ENDPOINT:
                return None
            raise
        return count_at(counted, "input_tokens") or None if isinstance(counted, dict) else None

    def response_status(self, response_id: str) -> str:
        """Return the status of a background response; "" if the server does not answer."""
        with suppress(BackendError), translate_errors(self._client):
            return self._client.responses.retrieve(response_id).status or ""
        return ""

    def cancel_response(self, response_id: str) -> None:
        """Ask the server to stop a background response; a failure is ignored."""
        with suppress(BackendError), translate_errors(self._client), not_cancelled():
            self._client.responses.cancel(response_id, timeout=CANCEL_SECONDS)

    def running(self, conversation_id: str) -> str | None:
        """Return the id of the background response that was last started in this conversation."""
        conversation: Any = self._client.conversations.retrieve(conversation_id)
        running: str | None = (conversation.metadata or {}).get(RUNNING_KEY)
        return running

    def response_input(self, response_id: str) -> Iterator[JsonObject]:
        """Yield the items that a response was requested with."""
        request = self._client.responses.input_items.with_raw_response.list
        return self._items(partial(request, response_id, order="asc"))

    def _items(self, request: Callable[..., Any]) -> Iterator[JsonObject]:
        def fetch(parameters: JsonObject) -> JsonObject:
            return json_body(request(**parameters).http_response, self._client)

        for item in all_pages(fetch, self._client):
            # Some fields may not be sent back as null.
            yield {name: value for name, value in item.items() if value is not None}
