"""The backend for the Responses API, with a conversation at the server if it has them, else the full history.

A response that did not end well leaves the server's copy uncertain; before the next request it is compared
with the transcript, and the transcript wins (what servers keep of a cut response:
github.com/openai/openai-python/issues/3561 and openai-node/issues/2571).
"""

from collections.abc import Generator, Iterable
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial

from openai import OpenAI

from assistant.backends.base import ResponseEvents
from assistant.backends.client import address
from assistant.backends.context import count_tokens
from assistant.backends.error_translation import (
    require_final_event,
    translate_errors,
    translate_lookup_errors,
    validate_id,
)
from assistant.backends.json_access import JsonObject
from assistant.backends.options.fields import responses_fields
from assistant.backends.options.refused import RefusedOptions
from assistant.backends.requests import Request, ServerBackend, with_retries
from assistant.backends.responses.api import MAX_INPUT_ITEMS, ResponsesApi
from assistant.backends.responses.exchange import Exchange
from assistant.backends.responses.features import (
    COMPACTION,
    RUN_BY_SERVER,
    compaction,
    function_tools,
    missing_features,
)
from assistant.backends.responses.files import THREAD_FILES, ThreadFiles, download
from assistant.backends.responses.resumed import skip_shown
from assistant.backends.responses.state import ResponsesState
from assistant.backends.responses.stream import CompletedResponse, read
from assistant.errors import BackendError, Incomplete, RequestRefused, ServerFailed
from assistant.events import CommentaryDelta, Event, RoundEnded, TextBreak, TextDelta, ThreadOpened
from assistant.locale import N_
from assistant.parts import Commentary
from assistant.request_options import RequestOptions
from assistant.settings import ProtocolName
from assistant.threads import Thread, unguessable_id
from assistant.tools.hosted import HostedTool, request_fields
from assistant.tools.offer import Feature
from assistant.tools.toolbox import Toolbox

_RUNNING = ("queued", "in_progress")

_COUNTED = ("model", "tools", "instructions", "reasoning", "text", "tool_choice", "parallel_tool_calls")
"""The fields of a request that may be sent to have its tokens counted."""


class Responses(ServerBackend):
    """The backend for servers that speak the Responses API.

    ``context`` is the model's context window in tokens, for servers that truncate silently; with 0,
    everything is sent until the server refuses it. ``effort`` is the reasoning effort, if one was chosen.
    ``hosted`` are the server's own tools to request; one that the server refuses is left out.
    ``max_output`` is the maximum size of a response in tokens; 0 means the server's own. ``lacks`` are the features
    that the server is known to lack, by default all where it is not known. With
    ``bounded``, the most that a request can cost is known in advance: it names the standard processing tier, and
    leaves out what makes the server read its input again, or run something.

    With ``chained``, new threads get no conversation: each response continues from the one before it, which is
    what connections that stay open are made for (OpenAI's guide to WebSocket mode).

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
        max_output: int = 0,
        lacks: Iterable[Feature] | None = None,
        bounded: bool = False,
        chained: bool = False,
    ) -> None:
        super().__init__(client)
        self._settings = RequestOptions(
            model=model,
            instructions=instructions,
            effort=effort,
            max_output_tokens=max_output,
            service_tier="default" if bounded else "",
        )
        self._background = background
        self._context = context
        self._hosted = tuple(hosted)
        missing = {
            *(missing_features(client) if lacks is None else lacks),
            *(RUN_BY_SERVER if bounded else ()),
        }
        self._refused_parameters = {f"tools.{feature}" for feature in missing}
        if missing:
            self._refused_parameters.add(COMPACTION)
        self._refused_options = RefusedOptions()
        self._chained = chained
        self._api = ResponsesApi(client, request_fields(self._hosted)[1])

    # --- one response, from top to bottom -----------------------------------------------------------

    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        state = self._state(thread)
        files = ThreadFiles(self._client, state) if THREAD_FILES in self._hosted else None
        if files:
            yield from files.upload(request)
        settings = partial(self._parameters, toolbox, files, RequestOptions())
        parameters = self._parameters(toolbox, files, request.options, state.last_response)
        exchange = Exchange(
            self._client,
            self._api,
            state,
            request,
            files,
            self._refused_options.leave_out(parameters, settings),
            settings,
            self._refused_options,
            self._refused_parameters,
            toolbox,
        )
        respond = partial(self._respond, exchange)
        while True:
            cursor = thread.cursor
            try:
                request.check()
                return (yield from with_retries(respond, thread, request))
            except (RequestRefused, ServerFailed) as refusal:
                yield from exchange.recover(refusal, nothing_received=thread.cursor == cursor)

    def refusals(self, toolbox: Toolbox, options: RequestOptions) -> dict[str, str]:
        return self._refused_options.reasons(self._parameters(toolbox, None, options, "the one before"))

    def count_input(self, thread: Thread, toolbox: Toolbox, options: RequestOptions) -> int | None:
        state = self._state(thread)
        settings = partial(self._parameters, toolbox, None, RequestOptions())
        parameters = self._refused_options.leave_out(self._parameters(toolbox, None, options), settings)
        body = {name: parameters[name] for name in _COUNTED if name in parameters}
        sent = state.pending_input()
        if state.conversation:
            body["conversation"] = state.conversation
        else:
            sent = (state.full_history() + sent)[state.left_out :]
        return self._api.count_input(body | ({"input": sent} if sent else {}))

    def _parameters(
        self, toolbox: Toolbox, files: ThreadFiles | None, options: RequestOptions, last_response: str = ""
    ) -> JsonObject:
        """Return the request without its input."""
        options = options.over(self._settings)
        store = files.searchable_store if files else ""
        hosted, include = request_fields(
            replace(tool, where=store) if tool == THREAD_FILES else tool
            for tool in self._hosted
            if store or tool != THREAD_FILES
        )
        tools = function_tools(toolbox, self._refused_parameters) + hosted
        parameters: JsonObject = {"model": options.model, "tools": tools, "stream": True}
        parameters |= responses_fields(options, tools, last_response)
        if not self._chained:  # a chain that is compacted cannot be steered
            parameters |= compaction(self._context, self._refused_parameters)
        if include:
            parameters["include"] = include
        if self._background:
            parameters["background"] = True
        return parameters

    def _respond(self, exchange: Exchange) -> ResponseEvents:
        """Bring the state up to date with the server, and request what comes next."""
        state = exchange.state
        if state.is_new and self._chained:
            yield ThreadOpened(unguessable_id())
            state.stateless = True
        elif state.is_new:
            yield from exchange.open_conversation()
        if state.running and state.is_superseded:
            self._api.cancel_response(state.running)
            state.running = None
        if state.needs_reconciling and not state.running and state.conversation:
            with translate_errors(self._client):
                state.add_items(state.new_items(self._api.items(state.conversation, "desc")))
        sent = state.pending_input()
        if state.conversation and not sent:
            return (yield from _adopt_answer(state))
        if self._context and COMPACTION not in exchange.parameters:
            yield from exchange.shorten(sent, self._context - count_tokens([exchange.parameters]))
        state.uncertain = True
        shown = state.thread.messages[-1].unfinished_parts if state.running else []
        response = yield from skip_shown(shown, self._read(exchange, sent))
        state.commit_response(sent, response, chained=self._chained)
        if response.is_steered:
            raise Incomplete(N_("Continued below, with your message."), reason="steered")
        return response.calls

    def _read(self, exchange: Exchange, sent: list[JsonObject]) -> Generator[Event, None, CompletedResponse]:
        """Send the request and read its events."""
        state, body = exchange.state, dict(exchange.parameters)
        if state.conversation:
            if not state.running:
                self._api.add_items(state.conversation, sent[:-MAX_INPUT_ITEMS])
            body |= {"conversation": state.conversation, "input": sent[-MAX_INPUT_ITEMS:]}
            if state.left_out:
                body["truncation"] = "auto"
        elif self._chained and state.previous_response:
            body |= {"previous_response_id": state.previous_response, "input": sent}
        else:
            body["input"] = (state.full_history() + sent)[max(state.left_out, state.compacted(sent)) :]
        wire_events = self._api.events(body, state, exchange.request)
        text_parameters = {
            tool.name: tool.text_parameter for tool in exchange.toolbox.values() if tool.text_parameter
        }
        with require_final_event(self._client), closing(wire_events):
            return (yield from read(wire_events, text_parameters))

    # --- background responses -----------------------------------------------------------------------

    def _find_running(self, conversation: str, state: ResponsesState) -> None:
        """Continue a background response that another process has requested."""
        with suppress(BackendError), translate_errors(self._client):
            running = self._api.running(conversation)
            if running and self._api.response_status(running) in _RUNNING:
                sent = self._api.response_input(running)
                state.adopt_running(running, [item for item in sent if not state.knows(item)])

    # --- what the server keeps ----------------------------------------------------------------------

    def load_thread(self, thread_id: str) -> Thread:
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
        state = self._state(thread)
        ThreadFiles(self._client, state).delete()
        if state.conversation:
            self._api.delete_conversation(state.conversation)

    def can_resume(self, thread: Thread) -> bool:
        running = self._state(thread).running
        return running is not None and self._api.response_status(running) in (*_RUNNING, "completed")

    def fetch_file(self, thread: Thread, container_id: str, file_id: str) -> bytes:
        if not any(self._state(branch).names_file(container_id, file_id) for branch in thread.all_branches()):
            text = N_("The file is not from a response in this chat, so it is not fetched.")
            raise RequestRefused(text, code="foreign_file")
        return download(self._client, container_id, file_id)

    def _state(self, thread: Thread) -> ResponsesState:
        return ResponsesState(thread, address(self._client))


def _adopt_answer(state: ResponsesState) -> ResponseEvents:
    """Yield what the server has answered already: there is nothing left to request."""
    for part in state.last_answer():
        yield TextBreak()
        yield CommentaryDelta(part.text) if isinstance(part, Commentary) else TextDelta(part.text)
    yield RoundEnded()
    state.commit_response([], CompletedResponse())
    return []
