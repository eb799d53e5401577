"""Requests about the conversations and background responses that a server keeps.

Items are plain dictionaries, as the server sent them.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Literal, cast

import openai
from openai import Omit, OpenAI, omit

from assistant.backends.error_translation import translate_errors, wrong_api_error
from assistant.backends.responses.items import Item
from assistant.errors import BackendError, RequestRefused

PAGE_ITEMS = 20
"""Maximum items that one request may add to a conversation (API reference, "Create items")."""

RUNNING_KEY = "running_response"
"""The key in a conversation's metadata under which the id of its running background response stands."""


class ResponsesApi:
    """One server; ``include`` names the optional fields that its items are requested with."""

    def __init__(self, client: OpenAI, include: list[str]) -> None:
        self._client = client
        self._include = cast("Any", include) or omit

    def create_conversation(self, items: list[Item]) -> str:
        """Create a conversation with these items, and return its id."""
        with translate_errors(self._client):
            conversation: Any = self._client.conversations.create(
                items=cast("Any", items[:PAGE_ITEMS]) or omit
            )
            conversation_id = getattr(conversation, "id", None)
            if not isinstance(conversation_id, str) or not conversation_id:
                raise wrong_api_error(self._client)
            for start in range(PAGE_ITEMS, len(items), PAGE_ITEMS):
                batch = cast("Any", items[start : start + PAGE_ITEMS])
                self._client.conversations.items.create(conversation_id, items=batch)
        return conversation_id

    def items(self, conversation_id: str, order: Literal["asc", "desc"]) -> Iterator[Item]:
        """Yield the items of a conversation; the SDK's exceptions are not translated."""
        request = self._client.conversations.items.with_raw_response.list
        return self._pages(partial(request, conversation_id, order=order, include=self._include))

    def has_conversation(self, conversation_id: str) -> bool:
        """Return whether the server has this conversation."""
        try:
            with translate_errors(self._client):
                next(self.items(conversation_id, "desc"), None)
        except RequestRefused as refusal:
            return not isinstance(refusal.__cause__, openai.NotFoundError)
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

    def open_response(self, body: Item) -> Any:
        """Return the context manager of a new response's stream."""
        # As ``extra_body``, because the SDK visits every value of its own parameters: too slow for long
        # threads.
        return self._client.responses.with_streaming_response.create(stream=True, extra_body=body)

    def follow_response(self, response_id: str, after: object = omit) -> Any:
        """Return the context manager of a background response's stream, after an event's sequence number."""
        api: Any = self._client.responses.with_streaming_response
        return api.retrieve(response_id, stream=True, starting_after=after)

    def response_status(self, response_id: str) -> str:
        """Return the status of a background response; "" if the server does not answer."""
        with suppress(BackendError), translate_errors(self._client):
            return self._client.responses.retrieve(response_id).status or ""
        return ""

    def cancel_response(self, response_id: str) -> None:
        """Ask the server to stop a background response; a failure is ignored."""
        with suppress(BackendError), translate_errors(self._client):
            self._client.responses.cancel(response_id)

    def set_running(self, conversation_id: str, response_id: str) -> None:
        """Record in the conversation's metadata which response is running; a failure is ignored."""
        with suppress(BackendError), translate_errors(self._client):
            self._client.conversations.update(conversation_id, metadata={RUNNING_KEY: response_id})

    def running(self, conversation_id: str) -> str | None:
        """Return the id of the background response that was last started in this conversation."""
        conversation: Any = self._client.conversations.retrieve(conversation_id)
        running: str | None = (conversation.metadata or {}).get(RUNNING_KEY)
        return running

    def response_input(self, response_id: str) -> Iterator[Item]:
        """Yield the items that a response was requested with."""
        request = self._client.responses.input_items.with_raw_response.list
        return self._pages(partial(request, response_id, order="asc"))

    def _pages(self, request: Callable[..., Any]) -> Iterator[Item]:
        after: str | Omit = omit
        while True:
            response = request(limit=100, after=after)
            try:
                page: Any = response.http_response.json()
            except ValueError:
                page = None
            items = page.get("data") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise wrong_api_error(self._client)
            for item in items:
                # Some fields may not be sent back as null.
                yield {name: value for name, value in item.items() if value is not None}
            if not items or not page.get("has_more"):
                return
            after = page.get("last_id") or items[-1]["id"]
