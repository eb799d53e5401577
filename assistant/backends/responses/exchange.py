"""One response while it is requested, and what is changed when the server refuses it."""

from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from openai import OpenAI

from assistant.backends.attachments import strip_files
from assistant.backends.context import SHORTENED
from assistant.backends.error_translation import translate_errors
from assistant.backends.json_access import JsonObject
from assistant.backends.options.refused import Body, RefusedOptions, without_refused_async
from assistant.backends.requests import Request
from assistant.backends.responses.api import MAX_INPUT_ITEMS, ResponsesApi
from assistant.backends.responses.features import (
    without_refused_compaction,
    without_refused_feature,
    without_refused_tool,
)
from assistant.backends.responses.files import ThreadFiles
from assistant.backends.responses.state import ResponsesState
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT, status_of
from assistant.backends.sync_state import RESTARTED
from assistant.errors import BackendError, RequestRefused, ServerFailed
from assistant.events import Event, ThreadOpened
from assistant.threads import unguessable_id
from assistant.tools.toolbox import Toolbox

LOCK_DELAYS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each new attempt on a conversation in which another response is still being written."""

_OUT_OF_SYNC = ("No tool output found", "No tool call found", "Duplicate item")


@dataclass
class Exchange:
    """What is sent for one response, and what was already tried against a refusal."""

    client: OpenAI
    api: ResponsesApi
    state: ResponsesState
    request: Request
    files: ThreadFiles | None
    parameters: JsonObject
    settings: Body  # ``parameters`` without the chat's options
    refused_options: RefusedOptions  # for later requests; it grows
    refused_parameters: set[str]  # what this server has refused, for later requests; it grows
    toolbox: Toolbox
    lock_delays: Iterator[float] = field(default_factory=lambda: iter(LOCK_DELAYS))
    rebuilt: bool = False
    shortened: bool = False
    has_written_history: bool = False  # into a conversation in which nothing was answered yet

    def shorten(self, sent: list[JsonObject], max_tokens: int | None = None) -> Generator[Event, None, bool]:
        """Leave out the oldest turns, with one note for the user; return whether that was possible."""
        shortened = self.state.shorten(sent, max_tokens)
        if shortened and not self.shortened:
            self.shortened = True
            yield SHORTENED
        return shortened

    def recover(
        self, refusal: RequestRefused | ServerFailed, *, nothing_received: bool
    ) -> Generator[Event, None, None]:
        """Change what was refused, so that the request can be repeated; raise the refusal if nothing can."""
        state, parameters = self.state, self.parameters
        if nothing_received and (note := state.name_attachments(refusal, self.has_written_history)):
            yield note
            if self.has_written_history:
                self._discard_conversation()
            return
        if without_summary := self.refused_options.without_summary(parameters, self.settings, refusal):
            self.parameters, note = without_summary
            yield note
            return
        if not isinstance(refusal, RequestRefused):
            raise refusal
        if without_async := without_refused_async(parameters, refusal):
            self.refused_parameters.add("async")
            self.parameters, note = without_async
            yield note
            return
        if state.previous_response and (
            refusal.code == "previous_response_not_found" or _is_out_of_sync(refusal)
        ):
            state.previous_response = ""  # the server gets the full history instead
            return
        if refusal.code == "context_length_exceeded" and (yield from self.shorten(state.pending_input())):
            return
        if self.files and (renewed := (yield from self.files.renew(refusal, self.request, parameters))):
            self.parameters = renewed
            return
        reduced = (
            self.refused_options.without_parameter(parameters, self.settings, refusal)
            or without_refused_feature(parameters, refusal, self.toolbox, self.refused_parameters)
            or without_refused_compaction(parameters, refusal, self.refused_parameters)
            or without_refused_tool(parameters, refusal)
        )
        if reduced is None:
            yield from self._recover_conversation(refusal)
            return
        self.parameters, note = reduced
        if not any(tool["type"] == "file_search" for tool in self.parameters["tools"]):
            state.searchable = ()
        yield note

    def _discard_conversation(self) -> None:
        """Delete a conversation in which nothing was answered yet; the next attempt writes it anew."""
        if self.state.conversation:
            with suppress(BackendError):
                self.api.delete_conversation(self.state.conversation)
        self.state.restart_items()
        self.state.conversation = None

    def _recover_conversation(self, refusal: RequestRefused) -> Generator[Event, None, None]:
        """Wait for a conversation that is out of sync with the state, then write it anew."""
        if self.request.cancelled or not self.state.conversation:
            raise refusal
        # The wording differs from server to server, and it may be the model that is unknown: so look.
        is_gone = status_of(refusal) == 404 and not self.api.has_conversation(self.state.conversation)
        if not is_gone and refusal.code != "conversation_locked" and not _is_out_of_sync(refusal):
            raise refusal
        delay = next(self.lock_delays, None)
        if delay is not None and not is_gone:
            self.request.wait(delay)  # an abandoned answer is still being written, or was kept after all
        elif not self.rebuilt:
            self.rebuilt = True
            yield from self._rebuild()
        else:
            raise refusal

    def open_conversation(self) -> Generator[Event, None, None]:
        """Create a conversation, if the server has conversations; a long history is written into it."""
        self.state.cursor = [0, 0]
        try:
            if len(self.state.pending_input()) > MAX_INPUT_ITEMS:
                conversation, items = self._write_history()
            else:
                conversation, items = self.api.create_conversation([]), []
        except BackendError as error:
            if status_of(error) not in NO_SUCH_ENDPOINT:
                raise
            self.state.cursor, self.state.stateless = [0, 0], True
            yield ThreadOpened(unguessable_id())
            return
        yield ThreadOpened(conversation)
        self.state.items, self.state.conversation = items, conversation
        self.has_written_history = bool(items)

    def _rebuild(self) -> Generator[Event, None, None]:
        """Write the transcript into a new conversation and continue there."""
        conversation, items = self._write_history()
        yield RESTARTED
        self.state.items, self.state.conversation = items, conversation

    def _write_history(self) -> tuple[str, list[JsonObject]]:
        """Create a conversation with the messages before the user's last one; return its id and its items."""
        conversation = self.api.create_conversation(self.state.restart_items())
        with translate_errors(self.client):
            return conversation, strip_files(list(self.api.items(conversation, "asc")))


def _is_out_of_sync(refusal: BackendError) -> bool:
    """Return whether the server's copy lacks a call or an output, or has one twice."""
    return any(phrase in str(refusal) for phrase in _OUT_OF_SYNC)
