"""The Responses API, with Conversations where the server has them and with the whole history where not.

Not here: the loop (``run.py``), what the events of a stream mean (``responses_stream.py``), what the server
has heard (``responses_memory.py``).

The one rule: a response that did not end well leaves the server's memory uncertain; before the next request
it is compared with the transcript, and the transcript wins (what servers keep of a cut response:
github.com/openai/openai-python/issues/3561 and openai-node/issues/2571).
"""

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from typing import Any, Literal, cast
from weakref import WeakKeyDictionary

import openai
from openai import Omit, OpenAI, Stream, omit

from assistant.backends.base import RemoteBackend
from assistant.backends.client import (
    Request,
    address,
    check_id,
    looking_for_a_thread,
    not_the_api,
    refuse_page,
    require_final_event,
    translate_errors,
)
from assistant.backends.context import BYTES_PER_TOKEN, SHORTENED, size
from assistant.backends.files import light
from assistant.backends.parameters import without_refused
from assistant.backends.responses.files import Files, in_store
from assistant.backends.responses.hosted import without_refused_tool
from assistant.backends.responses.items import Item
from assistant.backends.responses.state import Memory
from assistant.backends.responses.stream import Answer, is_last, read
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, Interrupted, RequestRefused, ServerFailed, UnknownThread
from assistant.events import (
    Citation,
    Event,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningDelta,
    RefusalDelta,
    RoundEnded,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
)
from assistant.locale import N_
from assistant.messages import Call, Part, Reasoning, Refusal, Text
from assistant.settings import ProtocolName
from assistant.threads import Thread, unguessable_id
from assistant.tools.hosted import HostedTool, request_fields
from assistant.tools.toolbox import Toolbox

LOCK_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each new try on a conversation in which another response is being written."""

RESUME_DELAYS = (0.2, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each new try to go on with a response that runs at the server by itself."""

RUNNING = "running_response"
"""The name under which a conversation's metadata holds the id of the response that is being written."""

_NO_CONVERSATIONS = (404, 405, 501)
_GOING_ON = ("queued", "in_progress")

IN_THREAD = HostedTool("file_search")
"""File search in what is attached in the thread."""

BIGGEST_FILE = 100_000_000
"""Bytes of a file that a tool of the server's own made."""

PAGE = 20
"""The most items that one request may add to a conversation (API reference, "Create items")."""


class Responses(RemoteBackend):
    """A backend for servers that speak the Responses API.

    ``context`` is how many tokens the model can take in, for servers that cut silently what is too much; with
    0 all is sent until the server refuses it. ``effort`` is the reasoning effort, where one was chosen.
    ``hosted`` are the server's own tools that are asked for; one that it refuses is left out.

    With ``background``, responses go on at the server when the connection is lost, and are picked up again
    where they were; the server must offer that (OpenAI's guide to background mode).
    """

    protocol: ProtocolName = "responses"

    def __init__(
        self,
        client: OpenAI,
        *,
        model: str,
        instructions: str = "",
        background: bool = False,
        context: int = 0,
        effort: str = "",
        hosted: Iterable[HostedTool] = (),
    ) -> None:
        self._client = client
        self._model = model
        self._instructions = instructions
        self._background = background
        self._context = context
        self._effort = effort
        self._hosted = tuple(hosted)
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
        """One response to the thread as it stands; see ``Backend``."""
        memory, request = self._memory(thread), Request()
        self._requests[thread] = request
        notes = memory.notes
        if memory.is_blank:
            yield from self._begin(memory)
        files = Files(self._client, thread) if IN_THREAD in self._hosted else None
        if files:
            yield from files.put_in(request)
            memory.put_in = files.notes["ready"]
        asked = self._parameters(toolbox, files.store if files else "")
        delays, rebuilt, repeated, shortened = iter(LOCK_DELAYS), False, False, False
        while True:
            said = thread.cursor
            try:
                if request.cancelled:  # while it waited
                    raise Interrupted(N_("Cancelled."), code="cancelled")
                if notes["running"] and memory.is_overtaken:
                    self._end(notes["running"])
                    notes["running"] = None
                if memory.is_uncertain and not notes["running"]:
                    self._reconcile(memory)
                told = memory.unheard()
                if notes["conversation"] and not told:
                    return (yield from _adopt(memory))
                if (
                    self._context
                    and memory.truncate_output(told, self._context * BYTES_PER_TOKEN - size([asked]))
                    and not shortened
                ):
                    shortened = True
                    yield SHORTENED
                notes["uncertain"] = True
                answer = yield from _beyond(
                    thread.messages[-1].unfinished if notes["running"] else [],
                    self._ask(memory, told, asked, request),
                )
                break
            except (RequestRefused, ServerFailed) as refusal:
                if thread.cursor == said and (note := memory.tell_by_name(refusal)):
                    yield note
                    continue
                if not isinstance(refusal, RequestRefused):
                    raise
                if refusal.code == "context_length_exceeded" and memory.truncate_output(told):
                    if not shortened:
                        shortened = True
                        yield SHORTENED
                    continue
                if files and (old := files.store) and (yield from files.renew(refusal, request)):
                    asked = in_store(asked, old, files.store)
                    continue
                if changed := without_refused(asked, refusal) or without_refused_tool(asked, refusal):
                    asked, note = changed
                    if not any(tool["type"] == "file_search" for tool in asked["tools"]):
                        memory.put_in = []
                    yield note
                    continue
                gone = self._is_gone(refusal, memory)
                if request.cancelled or not (gone or _out_of_step(refusal, memory)):
                    raise
                delay = next(delays, None)
                if delay is not None and not gone:
                    # An answer that nobody waits for is still being written there, or was kept after all.
                    time.sleep(delay)
                elif not rebuilt:
                    rebuilt = True
                    yield from self._rebuild(memory)
                else:
                    raise
            except Interrupted as cut:
                # Once, where nothing was said, it is asked again, or what the server kept is taken up.
                if request.cancelled or repeated or cut.code != "interrupted" or thread.cursor != said:
                    raise
                repeated = True
        memory.commit(told, answer)
        return answer.calls

    def load_thread(self, thread_id: str) -> Thread:
        """The thread that the server keeps under this id, with its history.

        Where a response to it still runs at the server, its last message is one without an ending.

        Raises:
            UnknownThread: There is none by this id.
        """
        check_id(thread_id)
        with looking_for_a_thread(self._client):
            items = list(self._listed(thread_id, "asc"))
        thread = Thread(thread_id)
        memory = self._memory(thread)
        memory.recall(thread_id, items)
        if self._background:
            self._find_running(thread_id, memory)
        return thread

    def delete_thread(self, thread: Thread) -> None:
        """Delete the server's conversation and all its items, where it has one, and what is searched in.

        Raises:
            BackendError: Something of it is still there.
        """
        Files(self._client, thread).forget()
        conversation = self._memory(thread).notes["conversation"]
        if conversation is None:
            return
        with suppress(UnknownThread), translate_errors(self._client):
            try:
                # Deleting a conversation does not delete what it holds.
                for item in list(self._listed(conversation, "asc")):
                    self._client.conversations.items.delete(item["id"], conversation_id=conversation)
                self._client.conversations.delete(conversation)
            except openai.NotFoundError as error:
                raise UnknownThread(N_("It is gone already."), code="unknown_thread") from error

    def fetch_file(self, container_id: str, file_id: str) -> bytes:
        """A file that the code interpreter made; its container is gone 20 minutes after its last use.

        Raises:
            BackendError: It cannot be had, or is larger than anybody would expect.
        """
        data = b""
        files = self._client.containers.files.content.with_streaming_response
        for name in (container_id, file_id):
            check_id(name)
        try:
            with (
                translate_errors(self._client),
                files.retrieve(file_id, container_id=container_id) as response,
            ):
                for chunk in response.iter_bytes():
                    data += chunk
                    if len(data) > BIGGEST_FILE:
                        raise ServerFailed(N_("It is larger than 100 MB."), code="too_large")
        except RequestRefused as refusal:
            if status_of(refusal) != 404:
                raise
            raise RequestRefused(
                N_("Its container is gone; such files are kept for 20 minutes."), code="gone"
            ) from refusal
        return data

    def can_resume(self, thread: Thread) -> bool:
        """Whether the server goes by itself on with the answer that this thread lacks."""
        running = self._memory(thread).notes["running"]
        if not running:
            return False
        with suppress(BackendError), translate_errors(self._client):
            return self._client.responses.retrieve(running).status in (*_GOING_ON, "completed")
        return False

    def _memory(self, thread: Thread) -> Memory:
        return Memory(thread, address(self._client))

    def _begin(self, memory: Memory) -> Generator[Event, None, None]:
        """Begin a conversation, where the server has conversations."""
        try:
            conversation = self._create([])
        except BackendError as error:
            if status_of(error) not in _NO_CONVERSATIONS:
                raise
            memory.notes["stateless"] = True
            yield ThreadOpened(unguessable_id())  # a name to find it by in this process
            return
        yield ThreadOpened(conversation)
        memory.notes["conversation"] = conversation

    def _create(self, items: list[Item]) -> str:
        """A new conversation that holds these items; its id."""
        with translate_errors(self._client):
            made: Any = self._client.conversations.create(items=cast("Any", items[:PAGE]) or omit)
            conversation = getattr(made, "id", None)
            if not isinstance(conversation, str) or not conversation:
                raise not_the_api(self._client)
            for start in range(PAGE, len(items), PAGE):
                batch = cast("Any", items[start : start + PAGE])
                self._client.conversations.items.create(conversation, items=batch)
        return conversation

    def _is_gone(self, refusal: RequestRefused, memory: Memory) -> bool:
        """Whether this was refused because the server has no such conversation (any more)."""
        if memory.notes["conversation"] is None or not isinstance(refusal.__cause__, openai.NotFoundError):
            return False
        try:  # words differ from server to server, and it may be the model that is unknown: look
            with translate_errors(self._client):
                next(self._listed(memory.notes["conversation"], "desc"), None)
        except RequestRefused as second:
            return isinstance(second.__cause__, openai.NotFoundError)
        return False

    def _rebuild(self, memory: Memory) -> Generator[Event, None, None]:
        """The last resort: put the transcript into a new conversation and go on there."""
        conversation = self._create(memory.begin_again())
        with translate_errors(self._client):
            kept = list(self._listed(conversation, "asc"))
        yield Note(N_("The server could not go on with its copy of this conversation; it was written anew."))
        memory.notes["items"], memory.notes["conversation"] = light(kept), conversation

    def _parameters(self, toolbox: Toolbox, store: str = "") -> Item:
        """What is asked for, whatever is told; ``store`` is the thread's own vector store."""
        asked: Item = {"model": self._model, "tools": _tools(toolbox), "stream": True}
        if self._instructions:
            asked["instructions"] = self._instructions
        tools, include = request_fields(
            replace(tool, where=store) if tool == IN_THREAD else tool
            for tool in self._hosted
            if store or tool != IN_THREAD
        )
        asked["tools"] += tools
        if include:
            asked["include"] = include
        if self._effort:
            asked["reasoning"] = {"effort": self._effort}
        if self._background:
            asked["background"] = True
        return asked

    def _ask(
        self, memory: Memory, told: list[Item], asked: Item, request: Request
    ) -> Generator[Event, None, Answer]:
        asked = dict(asked)
        if memory.notes["conversation"]:
            asked |= {"conversation": memory.notes["conversation"], "input": told}
            if memory.notes["left_out"]:
                asked["truncation"] = "auto"
        else:
            asked["input"] = (memory.told_again() + told)[memory.notes["left_out"] :]
        with require_final_event(self._client), closing(self._events(asked, memory, request)) as events:
            return (yield from read(events))

    def _events(
        self, asked: dict[str, Any], memory: Memory, request: Request
    ) -> Generator[object, None, None]:
        """The events of one response, as plain dictionaries: faithful to be sent back, tolerant of what no
        model foresees, and several times cheaper to make than the SDK's objects.

        With a response that runs at the server by itself, they go on after a lost connection.
        """
        notes = memory.notes
        api = self._client.responses.with_streaming_response
        # As the extra body: of what it takes to be its own the SDK looks at every value, which takes longer
        # the longer the thread is.
        open_stream: Callable[[], Any] = partial(api.create, stream=True, extra_body=asked)
        if notes["running"]:
            open_stream = partial(api.retrieve, notes["running"], stream=True)
        delays, going_on = iter(RESUME_DELAYS), True
        try:
            while True:
                try:
                    with translate_errors(self._client), open_stream() as response:
                        request.answered_by(response.http_response)
                        refuse_page(response.http_response, self._client)
                        for event in cast("Stream[object]", response.parse(to=Stream[object])):
                            if asked.get("background") and isinstance(event, dict):
                                self._note_running(event, memory)
                                here = {"stream": True, "starting_after": event.get("sequence_number")}
                                open_stream = partial(api.retrieve, notes["running"], **here)
                                delays = iter(RESUME_DELAYS)
                            going_on = not is_last(event)
                            try:
                                yield event
                            except GeneratorExit:
                                request.cancelled = True
                                raise
                            if not going_on:
                                return
                except Interrupted:
                    if not notes["running"] and not request.cancelled:
                        raise
                delay = next(delays, None)
                if delay is None or not notes["running"] or request.cancelled:
                    return
                time.sleep(delay)
        except KeyboardInterrupt:  # in a terminal nobody else stops a run
            request.cancelled = True
            raise
        finally:
            if going_on and request.cancelled and notes["running"]:
                self._end(notes["running"])

    def _note_running(self, event: Item, memory: Memory) -> None:
        """Note the id of a response that runs by itself, here and at the server, for who comes after us."""
        response, conversation = event.get("response"), memory.notes["conversation"]
        if not memory.notes["running"] and isinstance(response, dict) and isinstance(response.get("id"), str):
            memory.runs(response["id"])
            if conversation:
                with suppress(BackendError), translate_errors(self._client):
                    self._client.conversations.update(conversation, metadata={RUNNING: response["id"]})

    def _find_running(self, conversation: str, memory: Memory) -> None:
        """Take up what was asked by somebody who is gone, and is still being answered."""
        with suppress(BackendError), translate_errors(self._client):
            kept: Any = self._client.conversations.retrieve(conversation)
            running = (kept.metadata or {}).get(RUNNING)
            if running and self._client.responses.retrieve(running).status in _GOING_ON:
                told = [item for item in self._inputs(running) if not memory.knows(item)]
                memory.go_on_with(running, told)

    def _end(self, response_id: str) -> None:
        """Tell the server that nobody waits for this response any more."""
        with suppress(BackendError), translate_errors(self._client):
            self._client.responses.cancel(response_id)

    def _reconcile(self, memory: Memory) -> None:
        """Look what the server kept of what did not end well."""
        if memory.notes["conversation"] is not None:
            with translate_errors(self._client):
                memory.learn(memory.news(self._listed(memory.notes["conversation"], "desc")))

    def _listed(self, conversation: str, order: Literal["asc", "desc"]) -> Iterator[Item]:
        """A conversation's items as the server sent them."""
        ask = self._client.conversations.items.with_raw_response.list
        _, include = request_fields(self._hosted)
        return self._pages(partial(ask, conversation, order=order, include=cast("Any", include) or omit))

    def _inputs(self, response_id: str) -> Iterator[Item]:
        """What a response was asked with, as items."""
        ask = self._client.responses.input_items.with_raw_response.list
        return self._pages(partial(ask, response_id, order="asc"))

    def _pages(self, ask: Callable[..., Any]) -> Iterator[Item]:
        after: str | Omit = omit
        while True:
            answer = ask(limit=100, after=after)
            try:
                page: Any = answer.http_response.json()
            except ValueError:
                page = None
            items = page.get("data") if isinstance(page, dict) else None
            if not isinstance(items, list):
                raise not_the_api(self._client)
            for item in items:
                # A null that came is not always allowed to go back.
                yield {name: value for name, value in item.items() if value is not None}
            if not items or not page.get("has_more"):
                return
            after = page.get("last_id") or items[-1]["id"]


def _beyond(said: list[Part], events: Generator[Event, None, Answer]) -> Generator[Event, None, Answer]:
    """What a response says beyond this: one that is listened to once more begins at its beginning."""
    known: Counter[object] = Counter()
    for part in said:
        match part:
            case Text(text):
                known[TextDelta] += len(text)
            case Refusal(text):
                known[RefusalDelta] += len(text)
            case Reasoning(text):
                known[ReasoningDelta] += len(text)
            case Call(call_id, arguments=arguments):
                known[call_id] += len(arguments)
            case HostedCall(call_id, state=state):
                known["hosted", call_id] += state != "running"
            case Citation():
                known[part] = 1
    with closing(events):
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            if isinstance(event, TextDelta | RefusalDelta | ReasoningDelta | ToolCallDelta):
                kind = event.call_id if isinstance(event, ToolCallDelta) else type(event)
                old = min(known[kind], len(event.text))
                known[kind] -= old
                if old and old == len(event.text):
                    continue
                event = replace(event, text=event.text[old:])
            elif (
                (isinstance(event, TextBreak) and known[TextDelta])
                or (isinstance(event, HostedCall | HostedDelta) and known["hosted", event.call_id])
                or (isinstance(event, Citation) and known[event])
            ):
                continue
            yield event


def _tools(toolbox: Toolbox) -> list[Item]:
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            "strict": tool.strict,
        }
        for tool in toolbox.values()
    ]


def _adopt(memory: Memory) -> Generator[Event, None, list[ToolCall]]:
    """Say what the server answered while nobody listened: there is nothing left to ask."""
    for text in memory.last_said():
        yield TextBreak()
        yield TextDelta(text)
    yield RoundEnded()
    memory.commit([], Answer())
    return []


def _out_of_step(refusal: RequestRefused, memory: Memory) -> bool:
    """Whether the server's conversation is not in the state we took it to be in."""
    signs = ("No tool output found", "No tool call found", "Duplicate item")
    known = refusal.code == "conversation_locked" or any(sign in str(refusal) for sign in signs)
    return known and memory.notes["conversation"] is not None
