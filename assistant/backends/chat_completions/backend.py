"""The backend for Chat Completions. The server stores nothing, so every request sends the whole history."""

from collections.abc import Generator
from contextlib import closing
from functools import partial
from typing import Any

from openai import OpenAI

from assistant.backends.base import ResponseEvents
from assistant.backends.body import DONE, read_body
from assistant.backends.chat_completions.items import chat_tools
from assistant.backends.chat_completions.state import ChatState
from assistant.backends.chat_completions.stream import read_completion
from assistant.backends.client import address
from assistant.backends.context import SHORTENED, count_tokens
from assistant.backends.error_translation import refuse_web_page, require_final_event, translate_errors
from assistant.backends.json_access import JsonObject
from assistant.backends.parameters import without_refused_parameter
from assistant.backends.requests import Request, ServerBackend, with_retries
from assistant.errors import RequestRefused, ServerFailed
from assistant.events import ThreadOpened
from assistant.settings import ProtocolName
from assistant.threads import Thread, unguessable_id
from assistant.tools.toolbox import Toolbox


class ChatCompletions(ServerBackend):
    """A backend for servers that implement Chat Completions.

    ``context`` is the model's context size in tokens, for servers that truncate silently; with 0, the history
    is shortened only after the server refuses it. ``effort`` is the reasoning effort; empty means the
    default. ``max_output`` is the maximum size of a response in tokens; 0 means the server's own.
    """

    protocol: ProtocolName = "chat"

    def __init__(
        self,
        client: OpenAI,
        *,
        model: str,
        instructions: str = "",
        context: int = 0,
        effort: str = "",
        max_output: int = 0,
    ) -> None:
        super().__init__(client)
        self._model = model
        self._instructions = instructions
        self._context = context
        self._effort = effort
        self._max_output = max_output

    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        if not thread.id:
            yield ThreadOpened(unguessable_id())
        state = ChatState(thread, f"{address(self._client)} {self._model}")
        parameters = self._parameters(toolbox)
        was_shortened = False
        if self._context and state.shorten(self._context - count_tokens([parameters])):
            was_shortened = True
            yield SHORTENED
        while True:
            cursor = thread.cursor
            try:
                complete = partial(self._complete, parameters, state.messages())
                return (yield from with_retries(complete, thread, request))
            except (RequestRefused, ServerFailed) as refusal:
                if thread.cursor == cursor and (note := state.name_attachments(refusal)):
                    yield note
                elif not isinstance(refusal, RequestRefused):
                    raise
                elif refusal.code == "context_length_exceeded" and state.shorten():
                    if not was_shortened:
                        was_shortened = True
                        yield SHORTENED
                elif changed := without_refused_parameter(parameters, refusal):
                    parameters, note = changed
                    yield note
                else:
                    raise

    def _parameters(self, toolbox: Toolbox) -> JsonObject:
        """Return the request's body without the messages."""
        parameters: JsonObject = {
            "model": self._model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if toolbox:
            parameters["tools"] = chat_tools(toolbox)
        if self._effort:
            parameters["reasoning_effort"] = self._effort
        if self._max_output:
            parameters["max_completion_tokens"] = self._max_output
        return parameters

    def _complete(self, parameters: JsonObject, messages: list[JsonObject]) -> ResponseEvents:
        if self._instructions:
            messages = [{"role": "system", "content": self._instructions}, *messages]
        body = parameters | {"messages": messages}
        with require_final_event(self._client), closing(self._chunks(body)) as chunks:
            return (yield from read_completion(chunks))

    def _chunks(self, body: JsonObject) -> Generator[object, None, None]:
        """Yield the chunks of one completion as plain dictionaries, then ``DONE`` if the server sends it."""
        api: Any = self._client.chat.completions.with_streaming_response
        # The SDK validates every value of its own parameters, which gets slow with a long history.
        # So the real body is passed as the extra body.
        known = {"model": self._model, "messages": [], "stream": True}
        with translate_errors(self._client), api.create(**known, extra_body=body) as response:
            refuse_web_page(response.http_response, self._client)
            is_streamed, chunks = read_body(response.http_response)
            yield from chunks
            if not is_streamed:
                yield DONE
