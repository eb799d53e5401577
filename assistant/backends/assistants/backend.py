"""The backend for the Assistants API.

A run continues at the server when its connection is lost, and its thread accepts no messages meanwhile
(github.com/openai/openai-python/issues/1023). So before anything is posted after an uncertain request, the
last run is examined: if the user still waits for it, its answer is awaited and adopted; otherwise it is
cancelled.
"""

import re
from contextlib import closing, suppress
from functools import partial

from openai import OpenAI

from assistant.backends.assistants.api import AssistantsApi
from assistant.backends.assistants.items import answers_of, message_items
from assistant.backends.assistants.state import AssistantsState
from assistant.backends.assistants.stream import RunEnded, RunProgress, calls_of, read_run
from assistant.backends.base import ResponseEvents
from assistant.backends.client import address
from assistant.backends.error_translation import require_final_event, translate_lookup_errors, validate_id
from assistant.backends.json_access import JsonObject, text_at
from assistant.backends.options.fields import assistants_fields
from assistant.backends.options.refused import RefusedOptions
from assistant.backends.requests import Request, ServerBackend, with_retries
from assistant.backends.stream_errors import status_of
from assistant.errors import BackendError, RequestRefused
from assistant.events import Note, ThreadOpened
from assistant.locale import N_
from assistant.request_options import RequestOptions
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.background import background_jobs
from assistant.tools.toolbox import Toolbox

LOCK_DELAYS = (0.1, 0.5, 1.0, 2.0)
"""Seconds before each retry on a thread that is in another state than expected."""

CANCEL_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds between requests for the status of a run that is being cancelled."""

ANSWER_DELAYS = (0.2, 0.5, 1.0, *(2.0,) * 60)
"""Seconds between requests for the status of a run whose answer is awaited."""

REWRITTEN = Note(N_("The server no longer has its copy of this conversation. A new one was created."))

_RUNNING = ("queued", "in_progress")
_BUSY = (*_RUNNING, "cancelling")
_ACTIVE = ("requires_action", *_BUSY)
_UNEXPECTED_STATE = re.compile(
    "while a run .*is active|already has an active run|accept tool outputs|expected tool outputs"
    "|no run found",
    re.IGNORECASE | re.DOTALL,
)


class Assistants(ServerBackend):
    """A backend for servers that implement the Assistants API; ``assistant_id`` names an assistant there.

    ``instructions`` replace the assistant's own unless they are empty.
    """

    protocol: ProtocolName = "assistants"

    def __init__(
        self, client: OpenAI, *, assistant_id: str, instructions: str = "", max_output: int = 0
    ) -> None:
        super().__init__(client)
        self._api = AssistantsApi(client, assistant_id)
        self._settings = RequestOptions(instructions=instructions, max_output_tokens=max_output)
        self._refused = RefusedOptions()

    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        yield from background_jobs(thread).wait_for_all()
        state = self._state(thread)
        if not state.server_thread:
            thread_id = self._create_thread(state)
            yield ThreadOpened(thread_id)
            state.server_thread = thread_id
        attempt = partial(self._round, state, toolbox, request)
        was_rewritten, delays = False, iter(LOCK_DELAYS)
        while True:
            try:
                request.check()
                return (yield from with_retries(attempt, thread, request))
            except RequestRefused as refusal:
                state.uncertain = True
                if request.cancelled:
                    raise
                if status_of(refusal) == 404 and not self._api.has_thread(state.server_thread):
                    if was_rewritten:
                        raise
                    was_rewritten = True
                    state.server_thread = self._create_thread(state)
                    yield REWRITTEN
                elif _UNEXPECTED_STATE.search(str(refusal)) and (delay := next(delays, None)) is not None:
                    request.wait(delay)
                elif note := self._leave_out(request.options, refusal):
                    yield note
                else:
                    raise self._api.explained(refusal) from refusal.__cause__

    def refusals(self, toolbox: Toolbox, options: RequestOptions) -> dict[str, str]:
        return self._refused.reasons(assistants_fields(options.over(self._settings)))

    def _fields(self, options: RequestOptions) -> JsonObject:
        """Return the fields of a run, without what the server has refused before."""
        fields = assistants_fields(options.over(self._settings))
        return self._refused.leave_out(fields, lambda: assistants_fields(self._settings))

    def _leave_out(self, options: RequestOptions, refusal: RequestRefused) -> Note | None:
        """Leave out the option that was refused from now on, and return a note; None if it was none."""
        fields = self._fields(options)
        changed = self._refused.without_parameter(fields, lambda: assistants_fields(self._settings), refusal)
        return changed[1] if changed and self._fields(options) != fields else None

    def load_thread(self, thread_id: str) -> Thread:
        validate_id(thread_id)
        thread = Thread(thread_id)
        with translate_lookup_errors(self._client):
            run = self._api.last_run(thread_id)
            items = list(self._api.messages(thread_id, "asc"))
        is_running = run.get("status") in _RUNNING
        if is_running:
            items = [item for item in items if item.get("run_id") != run.get("id")]
        self._state(thread).record_loaded(thread_id, items, run, is_running)
        return thread

    def delete_thread(self, thread: Thread) -> None:
        if not (thread_id := self._state(thread).server_thread):
            return
        try:
            run = self._api.last_run(thread_id)
            if run.get("status") in _ACTIVE:
                self._api.cancel_run(thread_id, text_at(run, "id"))
            self._api.delete_thread(thread_id)
        except RequestRefused as refusal:
            if status_of(refusal) != 404:  # already gone
                raise

    def can_resume(self, thread: Thread) -> bool:
        state = self._state(thread)
        if not state.server_thread:
            return False
        with suppress(BackendError):
            run = self._api.last_run(state.server_thread)
            if run and run.get("id") != state.finished_run:
                return run.get("status") in (*_RUNNING, "completed")
        return False

    def _state(self, thread: Thread) -> AssistantsState:
        return AssistantsState(thread, address(self._client))

    def _create_thread(self, state: AssistantsState) -> str:
        """Create a server's thread with the messages before the user's last one, and return its id."""
        items = message_items(state.restart())
        thread_id = self._api.create_thread(items)
        if items:
            state.newest_item = self._api.newest_message(thread_id)
        return thread_id

    def _round(self, state: AssistantsState, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Request the next round of a run, or adopt what the server did after an uncertain request."""
        progress = RunProgress(state.missing_functions)
        run_id, call_ids = state.waiting_run, state.pending_calls
        if not state.is_in_sync:
            run, new_items = self._settle(state, request)
            calls = calls_of(run) if run.get("status") == "requires_action" else []
            is_answered = bool(state.answered_calls(calls))
            if missed := _missed_events(state, run, new_items, has_new_calls=bool(calls) and not is_answered):
                yield from read_run(missed, progress, toolbox)
                state.record_run(progress)
                return progress.calls
            run_id, call_ids = text_at(run, "id"), [call.call_id for call in calls] if is_answered else []
        thread_id, state.uncertain = state.server_thread, True
        if call_ids:
            progress.run_id = run_id
            events = self._api.submit_outputs(thread_id, state.tool_outputs(call_ids), progress, request)
        else:
            for item, cursor in state.pending_items():
                state.record_posted(self._api.post_message(thread_id, item), cursor)
            events = self._api.start_run(thread_id, self._fields(request.options), progress, request)
        request.check()
        try:
            with require_final_event(self._client), closing(events), request.cancelled_on_interrupt():
                yield from read_run(events, progress, toolbox)
        except RunEnded as end:
            raise self._api.run_ended(end.status) from end
        state.record_run(progress)
        return progress.calls

    def _settle(self, state: AssistantsState, request: Request) -> tuple[JsonObject, list[JsonObject]]:
        """Wait for the last run, or cancel it if the user went on; return it and the new messages."""
        thread_id = state.server_thread
        run = self._api.last_run(thread_id)
        if run.get("status") in _ACTIVE:
            if not state.has_question(self._new_items(state)):
                run = self._api.wait_for_run(thread_id, run, _BUSY, ANSWER_DELAYS, request)
            calls = calls_of(run)
            is_unclear = not calls or 0 < len(state.answered_calls(calls)) < len(calls)
            if run.get("status") in _ACTIVE and (is_unclear or state.has_question(self._new_items(state))):
                self._api.cancel_run(thread_id, text_at(run, "id"))
                run = self._api.wait_for_run(thread_id, run, _ACTIVE, CANCEL_DELAYS, request)
        new_items = self._new_items(state)
        state.record_new_items(new_items)
        return run, new_items

    def _new_items(self, state: AssistantsState) -> list[JsonObject]:
        return self._api.messages_after(state.server_thread, state.newest_item)


def _missed_events(
    state: AssistantsState, run: JsonObject, new_items: list[JsonObject], *, has_new_calls: bool
) -> list[tuple[str, JsonObject]]:
    """Return the events of an answer that was completed, or of calls that were made, without a listener."""
    is_new_run = run.get("status") == "completed" and run.get("id") != state.finished_run
    has_new_answer = is_new_run and bool(answers_of(run, new_items))
    if state.has_question() or not (has_new_calls or has_new_answer):
        return []
    messages = [("thread.message.completed", item) for item in state.missed_answers(run, new_items)]
    return [*messages, (f"thread.run.{run['status']}", run)]
