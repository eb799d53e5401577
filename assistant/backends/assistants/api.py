"""The requests of the Assistants API, as plain dictionaries.

They are made by path (the SDK's README, "Undocumented endpoints"): the SDK's methods for this API warn with
every call, and such warnings cannot be silenced for one thread alone.
"""

import json
import re
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from typing import Any, Literal
from urllib.parse import quote

from openai import OpenAI, Stream

from assistant.backends.assistants.stream import RunProgress
from assistant.backends.body import all_pages, json_object, listed_objects
from assistant.backends.client import host
from assistant.backends.error_translation import (
    error_for_code,
    refuse_web_page,
    translate_errors,
    wrong_api_error,
)
from assistant.backends.json_access import JsonObject, text_at
from assistant.backends.requests import Request
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT, status_of
from assistant.errors import BackendError, Interrupted, RequestRefused
from assistant.locale import N_
from assistant.transports.cancellation import not_cancelled
from assistant.transports.sse import events

CANCEL_SECONDS = 3.0  # timeout of the request that cancels a run
MAX_NEW_THREAD_ITEMS = 32  # maximum number of messages that a thread can be created with

_HEADERS = {"OpenAI-Beta": "assistants=v2"}
_UNKNOWN_ASSISTANT = re.compile("no assistant|assistant .*(not found|not exist)", re.IGNORECASE | re.DOTALL)


class AssistantsApi:
    """The threads, messages and runs of one assistant's server."""

    def __init__(self, client: OpenAI, assistant_id: str) -> None:
        self._client = client
        self._assistant_id = assistant_id

    def create_thread(self, items: list[JsonObject]) -> str:
        """Create a thread with these messages and return its id.

        Raises:
            BackendError: The server has no Assistants API, or refused.
        """
        try:
            body = {"messages": items[:MAX_NEW_THREAD_ITEMS]} if items else {}
            thread = self._json("post", "/threads", body)
        except BackendError as error:
            if status_of(error) in (*NO_SUCH_ENDPOINT, 410):
                raise self._no_assistants_api() from error
            raise
        thread_id = thread.get("id")
        if not isinstance(thread_id, str) or not thread_id:
            raise wrong_api_error(self._client)
        for item in items[MAX_NEW_THREAD_ITEMS:]:
            self._json("post", _path(thread_id, "messages"), item)
        return thread_id

    def delete_thread(self, thread_id: str) -> None:
        with translate_errors(self._client):
            self._client.delete(_path(thread_id), cast_to=object, options={"headers": _HEADERS})

    def has_thread(self, thread_id: str) -> bool:
        """Return whether the server still has a thread; true if it refuses to say."""
        try:
            next(self.messages(thread_id, "desc", 1), None)
        except RequestRefused as refusal:
            return status_of(refusal) != 404
        return True

    def messages(
        self, thread_id: str, order: Literal["asc", "desc"], page_size: int = 100
    ) -> Iterator[JsonObject]:
        """Yield the messages of a thread, fetched page by page."""

        def fetch(parameters: JsonObject) -> JsonObject:
            return self._json("get", _path(thread_id, "messages"), params={"order": order, **parameters})

        return all_pages(fetch, self._client, page_size)

    def messages_after(self, thread_id: str, item_id: str) -> list[JsonObject]:
        """Return the messages of a thread after this one, oldest first."""
        items: list[JsonObject] = []
        for item in self.messages(thread_id, "desc", 20):
            if item.get("id") == item_id:
                break
            items.append(item)
        return items[::-1]

    def newest_message(self, thread_id: str) -> str:
        """Return the id of a thread's last message; empty if it has none."""
        return text_at(next(self.messages(thread_id, "desc", 1), {}), "id")

    def post_message(self, thread_id: str, item: JsonObject) -> str:
        """Add a message to a thread and return its id."""
        return text_at(self._json("post", _path(thread_id, "messages"), item), "id")

    def last_run(self, thread_id: str) -> JsonObject:
        """Return the newest run of a thread; an empty object if there is none."""
        page = self._json("get", _path(thread_id, "runs"), params={"limit": 1, "order": "desc"})
        return next(iter(listed_objects(page, self._client)), {})

    def wait_for_run(
        self,
        thread_id: str,
        run: JsonObject,
        statuses: tuple[str, ...],
        delays: tuple[float, ...],
        request: Request,
    ) -> JsonObject:
        """Return the run as soon as its status is none of these; ``delays`` are the seconds between requests.

        Raises:
            BackendError: The status did not change in time, or the request was cancelled.
        """
        for delay in delays:
            run = self._json("get", _path(thread_id, "runs", text_at(run, "id")))
            if run.get("status") not in statuses:
                return run
            request.wait(delay)
        raise error_for_code("conversation_locked", "", self._client)

    def cancel_run(self, thread_id: str, run_id: str) -> None:
        """Ask the server to cancel a run; a refusal is ignored."""
        with suppress(BackendError), not_cancelled():
            path = _path(thread_id, "runs", run_id, "cancel")
            self._json("post", path, {}, timeout=CANCEL_SECONDS)

    def start_run(
        self, thread_id: str, fields: JsonObject, progress: RunProgress, request: Request
    ) -> Generator[tuple[str, JsonObject], None, None]:
        """Start a run and yield its named events; ``fields`` are more of its body."""
        body: JsonObject = {"assistant_id": self._assistant_id, "stream": True} | fields
        return self._events(thread_id, ["runs"], body, progress, request)

    def submit_outputs(
        self, thread_id: str, outputs: list[JsonObject], progress: RunProgress, request: Request
    ) -> Generator[tuple[str, JsonObject], None, None]:
        """Submit the outputs that ``progress.run_id`` waits for, and yield the named events that follow."""
        path = ["runs", progress.run_id, "submit_tool_outputs"]
        return self._events(thread_id, path, {"tool_outputs": outputs, "stream": True}, progress, request)

    def explained(self, refusal: RequestRefused) -> RequestRefused:
        """Return the refusal, with a sentence of our own if the server does not know the assistant."""
        if status_of(refusal) not in (400, 404) or not _UNKNOWN_ASSISTANT.search(str(refusal)):
            return refusal
        text = N_(
            "{host} has no assistant {assistant}. Set OPENAI_ASSISTANT_ID to the id of one it has.",
            host=host(self._client),
            assistant=self._assistant_id,
        )
        return RequestRefused(text, code="unknown_assistant")

    def run_ended(self, status: str) -> Interrupted:
        """Return the error for a run that the server ended: ``expired`` or ``cancelled``."""
        text = N_("The answer was cancelled at {host}. Try again.", host=host(self._client))
        if status == "expired":
            text = N_("The answer took too long and expired at {host}. Try again.", host=host(self._client))
        return Interrupted(text, code=status, retry=True)

    def _events(
        self, thread_id: str, path: list[str], body: JsonObject, progress: RunProgress, request: Request
    ) -> Generator[tuple[str, JsonObject], None, None]:
        """Yield the named events of one round; cancelling the request also cancels the run."""
        try:
            with translate_errors(self._client):
                # The SDK would create models of the events, so it only opens the stream.
                stream: Stream[object] = self._client.post(
                    _path(thread_id, *path),
                    body=body,
                    cast_to=object,
                    options={"headers": _HEADERS},
                    stream=True,
                    stream_cls=Stream[object],
                )
                with closing(stream):
                    refuse_web_page(stream.response, self._client)
                    for name, text in events(stream.response.iter_bytes()):
                        if text.strip() == "[DONE]":
                            return
                        data = json.loads(text)
                        if isinstance(data, dict):
                            yield name, data
        finally:
            if request.cancelled and progress.run_id and not progress.has_ended:
                self.cancel_run(thread_id, progress.run_id)

    def _json(
        self, method: Literal["get", "post"], path: str, body: JsonObject | None = None, **options: Any
    ) -> JsonObject:
        """Return the object that the server answers; ``options`` are the SDK's."""
        request_options: Any = {"headers": _HEADERS, **options}
        with translate_errors(self._client):
            if method == "get":
                value = self._client.get(path, cast_to=object, options=request_options)
            else:
                value = self._client.post(path, cast_to=object, body=body, options=request_options)
        return json_object(value, self._client)

    def _no_assistants_api(self) -> RequestRefused:
        if self._client.base_url.host == "api.openai.com":
            text = N_(
                "OpenAI's Assistants API ended on 2026-08-26. Set OPENAI_AGENT_ID to use an agent, its "
                "successor, or unset OPENAI_ASSISTANT_ID to use the Responses API."
            )
            return RequestRefused(text, code="assistants_ended")
        text = N_(
            "{host} has no Assistants API. Unset OPENAI_ASSISTANT_ID, or set OPENAI_BASE_URL to a server "
            "that has it.",
            host=host(self._client),
        )
        return RequestRefused(text, code="no_assistants")


def _path(thread_id: str, *parts: str) -> str:
    return "/".join(["/threads", *(quote(part, safe="") for part in (thread_id, *parts))])
