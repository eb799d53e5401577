"""The backend for the Responses API, with a conversation at the server if it has them, else the full history.

A response that did not end well leaves the server's copy uncertain; before the next request it is compared
with the transcript, and the transcript wins (what servers keep of a cut response:
github.com/openai/openai-python/issues/3561 and openai-node/issues/2571).
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import openai
from openai import OpenAI

from assistant.backends.attachments import strip_files
from assistant.backends.base import RemoteBackend
from assistant.backends.client import address
from assistant.backends.context import SHORTENED, count_tokens
from assistant.backends.error_translation import (
    require_final_event,
    translate_errors,
    translate_lookup_errors,
    validate_id,
)
from assistant.backends.parameters import without_refused_parameter
from assistant.backends.requests import Request, RequestRegistry, repeat_once
from assistant.backends.responses.api import ResponsesApi
from assistant.backends.responses.files import THREAD_FILES, ThreadFiles, download
from assistant.backends.responses.hosted import without_refused_tool
from assistant.backends.responses.items import Item
from assistant.backends.responses.state import ResponsesState
from assistant.backends.responses.stream import CompletedResponse, read, skip_shown
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, RequestRefused, ServerFailed
from assistant.events import Event, Note, RoundEnded, TextBreak, TextDelta, ThreadOpened, ToolCall
from assistant.locale import N_
from assistant.settings import ProtocolName
from assistant.threads import Thread, unguessable_id
from assistant.tools.hosted import HostedTool, request_fields
from assistant.tools.lint import function_param
from assistant.tools.toolbox import Toolbox

LOCK_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each new attempt on a conversation in which another response is still being written."""

_NO_CONVERSATIONS = (404, 405, 501)
_RUNNING = ("queued", "in_progress")
_OUT_OF_STEP = ("No tool output found", "No tool call found", "Duplicate item")


@dataclass
class _Exchange:
    """One response being requested: what is sent for it, and which remedies were already tried."""

    state: ResponsesState
    request: Request
    parameters: Item
    files: ThreadFiles | None
    lock_delays: Iterator[float] = field(default_factory=lambda: iter(LOCK_DELAYS))
    rebuilt: bool = False
    shortened: bool = False

    def shorten(self, sent: list[Item], max_tokens: int | None = None) -> Generator[Event, None, bool]:
        """Leave out the oldest turns, with one note for the user; return whether that was possible."""
        shortened = self.state.shorten(sent, max_tokens)
        if shortened and not self.shortened:
            self.shortened = True
            yield SHORTENED
        return shortened


class Responses(RemoteBackend):
    """The backend for servers that speak the Responses API.

    ``context`` is the model's context window in tokens, for servers that truncate silently; with 0,
    everything is sent until the server refuses it. ``effort`` is the reasoning effort, if one was chosen.
    ``hosted`` are the server's own tools to request; one that the server refuses is left out.

    With ``background``, responses continue at the server when the connection is lost, and are followed again
    from where they were; the server must offer that (OpenAI's guide to background mode).
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
        self._api = ResponsesApi(client, request_fields(self._hosted)[1])
        self._requests = RequestRegistry()

    # --- one response, from top to bottom -----------------------------------------------------------

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """Request one response to the thread as it stands; see ``Backend``."""
        request, state = self._requests.open(thread), self._state(thread)
        if state.is_new:
            yield from self._open_conversation(state)
        files = ThreadFiles(self._client, state) if THREAD_FILES in self._hosted else None
        if files:
            yield from files.upload(request)
        exchange = _Exchange(state, request, self._parameters(toolbox, files), files)
        respond = partial(self._respond, exchange)
        while True:
            cursor = thread.cursor
            try:
                request.check()
                return (yield from repeat_once(respond, thread, request))
            except (RequestRefused, ServerFailed) as refusal:
                yield from self._recover(exchange, refusal, said_nothing=thread.cursor == cursor)

    def _open_conversation(self, state: ResponsesState) -> Generator[Event, None, None]:
        """Create a conversation, if the server has conversations."""
        try:
            conversation = self._api.create_conversation([])
        except BackendError as error:
            if status_of(error) not in _NO_CONVERSATIONS:
                raise
            state.stateless = True
            yield ThreadOpened(unguessable_id())
            return
        yield ThreadOpened(conversation)
        state.conversation = conversation

    def _parameters(self, toolbox: Toolbox, files: ThreadFiles | None) -> Item:
        """Return the request without its input."""
        store = files.searchable_store if files else ""
        tools, include = request_fields(
            replace(tool, where=store) if tool == THREAD_FILES else tool
            for tool in self._hosted
            if store or tool != THREAD_FILES
        )
        parameters: Item = {
            "model": self._model,
            "tools": [function_param(tool) for tool in toolbox.values()] + tools,
            "stream": True,
        }
        if self._instructions:
            parameters["instructions"] = self._instructions
        if include:
            parameters["include"] = include
        if self._effort:
            parameters["reasoning"] = {"effort": self._effort}
        if self._background:
            parameters["background"] = True
        return parameters

    def _respond(self, exchange: _Exchange) -> Generator[Event, None, list[ToolCall]]:
        """Bring the state up to date with the server, and request what comes next."""
        state = exchange.state
        if state.running and state.is_superseded:
            self._api.cancel_response(state.running)
            state.running = None
        if state.needs_reconciling and not state.running and state.conversation:
            with translate_errors(self._client):
                state.add_items(state.new_items(self._api.items(state.conversation, "desc")))
        sent = state.pending_input()
        if state.conversation and not sent:
            return (yield from _adopt_answer(state))
        if self._context:
            yield from exchange.shorten(sent, self._context - count_tokens([exchange.parameters]))
        state.uncertain = True
        shown = state.thread.messages[-1].unfinished_parts if state.running else []
        response = yield from skip_shown(shown, self._read(exchange, sent))
        state.commit_response(sent, response)
        return response.calls

    def _read(self, exchange: _Exchange, sent: list[Item]) -> Generator[Event, None, CompletedResponse]:
        """Send the request and read its events."""
        state, body = exchange.state, dict(exchange.parameters)
        if state.conversation:
            body |= {"conversation": state.conversation, "input": sent}
            if state.left_out:
                body["truncation"] = "auto"
        else:
            body["input"] = (state.full_history() + sent)[state.left_out :]
        wire_events = self._api.events(body, state, exchange.request)
        with require_final_event(self._client), closing(wire_events):
            return (yield from read(wire_events))

    # --- what goes wrong ----------------------------------------------------------------------------

    def _recover(
        self, exchange: _Exchange, refusal: RequestRefused | ServerFailed, *, said_nothing: bool
    ) -> Generator[Event, None, None]:
        """Change what was refused, so that the request can be repeated; raise the refusal if nothing can."""
        state = exchange.state
        if said_nothing and (note := state.name_attachments(refusal)):
            yield note
            return
        if not isinstance(refusal, RequestRefused):
            raise refusal
        if refusal.code == "context_length_exceeded" and (yield from exchange.shorten(state.pending_input())):
            return
        files = exchange.files
        if files and (renewed := (yield from files.renew(refusal, exchange.request, exchange.parameters))):
            exchange.parameters = renewed
            return
        parameters = exchange.parameters
        if changed := without_refused_parameter(parameters, refusal) or without_refused_tool(
            parameters, refusal
        ):
            exchange.parameters, note = changed
            if not any(tool["type"] == "file_search" for tool in exchange.parameters["tools"]):
                state.searchable = ()
            yield note
            return
        yield from self._recover_conversation(exchange, refusal)

    def _recover_conversation(
        self, exchange: _Exchange, refusal: RequestRefused
    ) -> Generator[Event, None, None]:
        """Wait for a conversation that is out of step with the state, then write it anew."""
        state, request = exchange.state, exchange.request
        if request.cancelled or not state.conversation:
            raise refusal
        # The wording differs from server to server, and it may be the model that is unknown: so look.
        is_not_found = isinstance(refusal.__cause__, openai.NotFoundError)
        is_gone = is_not_found and not self._api.has_conversation(state.conversation)
        if not is_gone and refusal.code != "conversation_locked" and not _is_out_of_step(refusal):
            raise refusal
        delay = next(exchange.lock_delays, None)
        if delay is not None and not is_gone:
            request.wait(delay)  # an abandoned answer is still being written there, or was kept after all
        elif not exchange.rebuilt:
            exchange.rebuilt = True
            yield from self._rebuild(state)
        else:
            raise refusal

    def _rebuild(self, state: ResponsesState) -> Generator[Event, None, None]:
        """Write the transcript into a new conversation and continue there."""
        conversation = self._api.create_conversation(state.restart_items())
        with translate_errors(self._client):
            items = list(self._api.items(conversation, "asc"))
        yield Note(N_("The server could not continue its copy of this conversation. A new one was created."))
        state.items, state.conversation = strip_files(items), conversation

    # --- background responses -----------------------------------------------------------------------

    def _find_running(self, conversation: str, state: ResponsesState) -> None:
        """Continue a background response that another process has requested."""
        with suppress(BackendError), translate_errors(self._client):
            running = self._api.running(conversation)
            if running and self._api.response_status(running) in _RUNNING:
                sent = self._api.response_input(running)
                state.adopt_running(running, [item for item in sent if not state.knows(item)])

    # --- what the server keeps ----------------------------------------------------------------------

    def cancel(self, thread: Thread) -> None:
        """Close the connection of the response to this thread; see ``Backend``."""
        self._requests.cancel(thread)

    def load_thread(self, thread_id: str) -> Thread:
        """Return the thread of a conversation; see ``RemoteBackend``."""
        validate_id(thread_id)
        with translate_lookup_errors(self._client):
            items = list(self._api.items(thread_id, "asc"))
        thread = Thread(thread_id)
        state = self._state(thread)
        state.load(thread_id, items)
        if self._background:
            self._find_running(thread_id, state)
        return thread

    def delete_thread(self, thread: Thread) -> None:
        """Delete the conversation with its items, and the files that were uploaded for search."""
        state = self._state(thread)
        ThreadFiles(self._client, state).delete()
        if state.conversation:
            self._api.delete_conversation(state.conversation)

    def can_resume(self, thread: Thread) -> bool:
        """Return whether a background response continues or has completed this thread's answer."""
        running = self._state(thread).running
        return running is not None and self._api.response_status(running) in (*_RUNNING, "completed")

    def fetch_file(self, container_id: str, file_id: str) -> bytes:
        """Return a file that the code interpreter created; see ``RemoteBackend``."""
        return download(self._client, container_id, file_id)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _state(self, thread: Thread) -> ResponsesState:
        return ResponsesState(thread, address(self._client))


def _adopt_answer(state: ResponsesState) -> Generator[Event, None, list[ToolCall]]:
    """Yield what the server has answered already: there is nothing left to request."""
    for text in state.last_texts():
        yield TextBreak()
        yield TextDelta(text)
    yield RoundEnded()
    state.commit_response([], CompletedResponse())
    return []


def _is_out_of_step(refusal: RequestRefused) -> bool:
    """Return whether the server's conversation is not in the state that we expect."""
    return any(phrase in str(refusal) for phrase in _OUT_OF_STEP)
