"""Chat Completions, for servers that have nothing else. They remember nothing: each time they are told all.

Not here: the loop (``run.py``), what the chunks of a stream mean (``chat_stream.py``).

The one rule: what is sent is made from the transcript alone, so there is nothing that could get out of step.
"""

import json
from collections.abc import Collection, Generator, Iterator
from contextlib import closing
from itertools import groupby
from typing import Any, TypeGuard
from weakref import WeakKeyDictionary

from openai import OpenAI

from assistant.backends.base import RemoteBackend
from assistant.backends.chat_completions.stream import DONE, chunks_of, read
from assistant.backends.client import (
    Request,
    address,
    is_streamed,
    refuse_page,
    require_final_event,
    translate_errors,
)
from assistant.backends.context import BYTES_PER_TOKEN, SHORTENED, shortened, size
from assistant.backends.files import chat_content_of, told_by_name
from assistant.backends.hosted_summary import told
from assistant.backends.parameters import without_refused
from assistant.errors import Interrupted, RequestRefused, ServerFailed
from assistant.events import Event, HostedCall, ThreadOpened, ToolCall
from assistant.messages import Call, Message, Part, Refusal, Text
from assistant.settings import ProtocolName
from assistant.threads import Thread, unguessable_id
from assistant.tools.arguments import valid_arguments
from assistant.tools.results import replace_surrogates, stopped_result
from assistant.tools.toolbox import Toolbox

Json = dict[str, Any]


class Chat(RemoteBackend):
    """A backend for servers that speak Chat Completions.

    ``context``: see ``Responses``. ``effort`` is the reasoning effort, where one was chosen.
    """

    protocol: ProtocolName = "chat"

    def __init__(
        self, client: OpenAI, *, model: str, instructions: str = "", context: int = 0, effort: str = ""
    ) -> None:
        self._client = client
        self._model = model
        self._instructions = instructions
        self._context = context
        self._effort = effort
        self._requests: WeakKeyDictionary[Thread, Request] = WeakKeyDictionary()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; see ``Backend``."""
        request = self._requests.pop(thread, None)
        if request is not None:
            request.cancel()

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One completion of the thread as it stands; see ``Backend``."""
        if not thread.id:
            yield ThreadOpened(unguessable_id())
        request = self._requests[thread] = Request()
        notes = thread.backend_state.setdefault("chat", {"left_out": 0})
        by_name = self._told_by_name(notes)
        told, asked, noted = messages_of(thread, by_name), self._parameters(toolbox), False
        if self._context:
            room = self._context * BYTES_PER_TOKEN - size([asked])
            notes["left_out"], before = shortened(told, notes["left_out"], room), notes["left_out"]
            if noted := notes["left_out"] > before:
                yield SHORTENED
        repeated = False
        while True:
            said = thread.cursor
            try:
                return (yield from self._ask(asked, told[notes["left_out"] :], request))
            except (RequestRefused, ServerFailed) as refusal:
                if thread.cursor == said and (note := told_by_name(thread, by_name, refusal, all_told=True)):
                    told = messages_of(thread, by_name)
                    yield note
                elif not isinstance(refusal, RequestRefused):
                    raise
                elif refusal.code == "context_length_exceeded" and (
                    (left_out := shortened(told, notes["left_out"])) > notes["left_out"]
                ):
                    notes["left_out"] = left_out
                    if not noted:
                        noted = True
                        yield SHORTENED
                elif changed := without_refused(asked, refusal):
                    asked, note = changed
                    yield note
                else:
                    raise
            except Interrupted as cut:
                # Once, where nothing was said, it is asked again.
                if request.cancelled or repeated or cut.code != "interrupted" or thread.cursor != said:
                    raise
                repeated = True

    def _told_by_name(self, notes: Json) -> list[str]:
        """The digests of the attachments that this very model was found not to take."""
        this = f"{address(self._client)} {self._model}"
        if notes.get("by_name_for") != this:
            notes["by_name_for"], notes["by_name"] = this, []
        by_name: list[str] = notes["by_name"]
        return by_name

    def _parameters(self, toolbox: Toolbox) -> Json:
        asked: Json = {"model": self._model, "stream": True, "stream_options": {"include_usage": True}}
        if toolbox:
            asked["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in toolbox.values()
            ]
        if self._effort:
            asked["reasoning_effort"] = self._effort
        return asked

    def _ask(self, asked: Json, told: list[Json], request: Request) -> Generator[Event, None, list[ToolCall]]:
        if self._instructions:
            told = [{"role": "system", "content": self._instructions}, *told]
        with (
            require_final_event(self._client),
            closing(self._chunks(asked | {"messages": told}, request)) as chunks,
        ):
            return (yield from read(chunks))

    def _chunks(self, asked: Json, request: Request) -> Generator[object, None, None]:
        """The chunks of one completion as plain dictionaries, then ``DONE`` if the server says it."""
        api: Any = self._client.chat.completions.with_streaming_response
        # As the extra body: of what it takes to be its own the SDK looks at every value, which takes longer
        # the longer the thread is.
        known = {"model": self._model, "messages": [], "stream": True}
        with translate_errors(self._client), api.create(**known, extra_body=asked) as response:
            request.answered_by(response.http_response)
            refuse_page(response.http_response, self._client)
            if not is_streamed(response.http_response):
                yield json.loads(response.read())
                yield DONE
                return
            try:
                yield from chunks_of(response.iter_bytes())
            except GeneratorExit:
                request.cancelled = True
                raise


def messages_of(thread: Thread, by_name: Collection[str] = ()) -> list[Json]:
    """The transcript as this protocol tells it: every call is followed by its output.

    Attachments whose digest is in ``by_name`` are told by their names.
    """
    return [told for message in thread.messages for told in _told(message, by_name)]


def _told(message: Message, by_name: Collection[str]) -> Iterator[Json]:
    if message.role == "user":
        yield {"role": "user", "content": chat_content_of(message.parts, by_name)}
        return
    said: list[str] = []
    for round_number, group in groupby(
        message.parts, lambda part: part.round if isinstance(part, Call) else 0
    ):
        parts = list(group)
        calls = [part for part in parts if _is_ours(part)]
        if not round_number:
            said += filter(None, map(_words, parts))
        elif calls:
            yield _spoken(said) | {"tool_calls": [_call(call) for call in calls]}
            for call in calls:
                output = (call.result or stopped_result(call.call_id)).output
                yield {"role": "tool", "tool_call_id": call.call_id, "content": replace_surrogates(output)}
            said = []
    if said:
        yield _spoken(said)


def _is_ours(part: Part) -> TypeGuard[Call]:
    return isinstance(part, Call) and part.asked and not part.server


def _words(part: Part) -> str:
    match part:
        case Text(text) | Refusal(text):
            return text
        case HostedCall():
            return told(part)
    return ""


def _spoken(said: list[str]) -> Json:
    return {"role": "assistant", "content": replace_surrogates("\n\n".join(said)) or None}


def _call(call: Call) -> Json:
    function = {"name": call.name, "arguments": valid_arguments(call.arguments)}
    return {"id": call.call_id, "type": "function", "function": function}
