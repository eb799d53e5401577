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
from assistant.backends.options.fields import chat_fields
from assistant.backends.options.refused import RefusedOptions
from assistant.backends.requests import Request, ServerBackend, with_retries
from assistant.errors import RequestRefused, ServerFailed
from assistant.events import ThreadOpened
from assistant.request_options import RequestOptions
from assistant.settings import ProtocolName
from assistant.threads import Thread, unguessable_id
from assistant.tools.toolbox import Toolbox


class ChatCompletions(ServerBackend):
    """A backend for servers that implement Chat Completions.

    ``context`` is the model's context size in tokens, for servers that truncate silently; with 0, the history
    is shortened only after the server refuses it. ``effort`` is the reasoning effort; empty means the
    default. ``max_output`` is the maximum size of a response in tokens; 0 means the server's own. With
    ``bounded``, requests name the standard processing tier, whose prices are known.
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
        bounded: bool = False,
    ) -> None:
        super().__init__(client)
        self._settings = RequestOptions(
            model=model,
            instructions=instructions,
            effort=effort,
            max_output_tokens=max_output,
            service_tier="default" if bounded else "",
        )
        self._context = context
        self._refused = RefusedOptions()

    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        if not thread.id:
            yield ThreadOpened(unguessable_id())
        options = request.options.over(self._settings)
        state = ChatState(thread, f"{address(self._client)} {options.model}")
        settings = partial(self._parameters, toolbox, self._settings)
        parameters = self._refused.leave_out(self._parameters(toolbox, options), settings)
        was_shortened = False
        if self._context and state.shorten(self._context - count_tokens([parameters])):
            was_shortened = True
            yield SHORTENED
        while True:
            cursor = thread.cursor
            try:
                complete = partial(self._complete, parameters, options.instructions, state.messages())
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
                elif changed := self._refused.without_parameter(parameters, settings, refusal):
                    parameters, note = changed
                    yield note
                else:
                    raise

    def refusals(self, toolbox: Toolbox, options: RequestOptions) -> dict[str, str]:
        return self._refused.reasons(self._parameters(toolbox, options.over(self._settings)))

    def _parameters(self, toolbox: Toolbox, options: RequestOptions) -> JsonObject:
        """Return the request's body without the messages."""
        parameters: JsonObject = {
            "model": options.model,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        tools = chat_tools(toolbox.only(options.functions))
        if tools:
            parameters["tools"] = tools
        return parameters | chat_fields(options, tools)

    def _complete(
        self, parameters: JsonObject, instructions: str | None, messages: list[JsonObject]
    ) -> ResponseEvents:
        if instructions:
            messages = [{"role": "system", "content": instructions}, *messages]
        body = parameters | {"messages": messages}
        with require_final_event(self._client), closing(self._chunks(body)) as chunks:
            return (yield from read_completion(chunks))

    def _chunks(self, body: JsonObject) -> Generator[object, None, None]:
        """Yield the chunks of one completion as plain dictionaries, then ``DONE`` if the server sends it."""
        api: Any = self._client.chat.completions.with_streaming_response
        # The SDK validates every value of its own parameters, which gets slow with a long history.
        # So the real body is passed as the extra body.
        known = {"model": body["model"], "messages": [], "stream": True}
        with translate_errors(self._client), api.create(**known, extra_body=body) as response:
            refuse_web_page(response.http_response, self._client)
            is_streamed, chunks = read_body(response.http_response)
            yield from chunks
            if not is_streamed:
                yield DONE
