"""The backend for the Agents API.

A turn continues at the server when its connection is lost, and its events are not repeated (the SDK's
``AgentSessionStream``: "closing the stream does not cancel the backend turn"). So after an uncertain request
the session is examined before anything is sent, and the events are listened to before an input is sent.
"""

from collections.abc import Generator, Iterator
from contextlib import suppress
from functools import partial
from uuid import uuid4

from openai import OpenAI

from assistant.backends.agents.api import AgentsApi, ResultRefused, SessionLost, SessionSnapshot
from assistant.backends.agents.items import CONTINUE_TEXT, message_event, result_event
from assistant.backends.agents.missing_functions import missing_function_notes
from assistant.backends.agents.state import AgentsState
from assistant.backends.agents.stream import (
    SessionReader,
    SessionRound,
    UnsupportedAction,
    required_actions,
    turn_error,
)
from assistant.backends.base import RemoteThread, ResponseEvents
from assistant.backends.client import address, host
from assistant.backends.error_translation import translate_lookup_errors, validate_id
from assistant.backends.json_access import JsonObject, object_at, text_at
from assistant.backends.requests import Request, ServerBackend, repeat_once
from assistant.backends.stream_errors import StreamError
from assistant.backends.sync_state import RESTARTED
from assistant.errors import BackendError, Interrupted, RequestRefused
from assistant.events import Event, RoundEnded, ThreadOpened, ToolResult
from assistant.locale import N_
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.results import stopped_result
from assistant.tools.toolbox import Toolbox

MAX_TITLE_CHARS = 80
"""Maximum length of a session's title: the beginning of the thread's first message."""


class Agents(ServerBackend):
    """A backend for servers that implement the Agents API.

    The model and the functions are those of the agent; functions are looked up in the toolbox by name.
    ``instructions`` replace the agent's own unless they are empty.
    """

    protocol: ProtocolName = "agents"

    def __init__(self, client: OpenAI, *, agent_id: str, instructions: str = "") -> None:
        super().__init__(client)
        self._api = AgentsApi(client, agent_id)
        self._instructions = instructions

    def stream(self, thread: Thread, toolbox: Toolbox) -> ResponseEvents:
        state, request = self._state(thread), self._requests.open(thread)
        try:
            with request.cancelled_on_close():
                calls = yield from self._round(state, toolbox, request)
        except (GeneratorExit, KeyboardInterrupt, BackendError):
            if request.cancelled and state.session_id:
                self._api.cancel_turn(state.session_id)
            raise
        if not calls:
            self._requests.close(thread)
            return []
        # The turn waits while functions run, and no reader is left to cancel it.
        request.on_cancel = partial(self._api.cancel_turn, state.session_id)
        if request.cancelled:
            self._api.cancel_turn(state.session_id)
        return calls

    def load_thread(self, thread_id: str) -> Thread:
        validate_id(thread_id)
        with translate_lookup_errors(self._client):
            session = self._api.session(thread_id)
            items = list(self._api.items(thread_id, "asc"))
        thread = Thread(thread_id)
        self._state(thread).record_loaded(session, items)
        return thread

    def delete_thread(self, thread: Thread) -> None:
        if session_id := self._api.find_session(self._state(thread)):
            self._api.delete_session(session_id)

    def can_resume(self, thread: Thread) -> bool:
        state = self._state(thread)
        with suppress(BackendError, SessionLost):
            if session_id := self._api.find_session(state):
                snapshot = self._api.snapshot(session_id, state)
                if state.pending_texts(snapshot.items):
                    return False
                return snapshot.is_active or (bool(snapshot.items) and self._is_completed(session_id))
        return False

    def list_threads(self, limit: int) -> list[RemoteThread]:
        return [
            RemoteThread(
                text_at(session, "id"), text_at(object_at(session, "metadata"), "title"), _changed(session)
            )
            for session in self._api.newest_sessions(limit)
        ]

    def _state(self, thread: Thread) -> AgentsState:
        return AgentsState(thread, address(self._client))

    def _round(self, state: AgentsState, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Request one round; restart a lost session, and examine the session again if it refuses a result."""
        was_restarted = was_refused = False
        attempt = partial(self._attempt, state, toolbox, request)
        while True:
            try:
                return (yield from repeat_once(attempt, state.thread, request))
            except SessionLost as lost:
                if was_restarted or request.cancelled:
                    raise lost.error from lost
                was_restarted = True
                state.restart()
                yield RESTARTED
            except ResultRefused as refused:
                if was_refused:
                    raise refused.error from refused
                was_refused = True

    def _attempt(self, state: AgentsState, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Send what the session lacks and read the next round, or adopt a round that is already complete."""
        request.check()
        is_waiting, state.uncertain = state.is_waiting_for_results, True
        session_id = self._api.find_session(state)
        if not session_id:
            return (yield from self._create_session(state, toolbox, request))
        if not state.session_id:
            state.session_id = session_id
            yield ThreadOpened(session_id)
        if is_waiting:
            return (yield from self._send_results(state, toolbox, request))
        snapshot = self._api.snapshot(session_id, state)
        texts = state.pending_texts(snapshot.items)
        if snapshot.is_active and not texts:
            return (yield from self._join_turn(state, toolbox, request))
        if snapshot.is_active:
            texts = state.pending_results() + texts
            self._api.cancel_turn(session_id)
            self._api.wait_until_idle(session_id)
        elif not texts:
            turn = self._api.last_turn(session_id)
            if turn.get("status") == "completed":
                return (yield from self._adopt(snapshot, turn, state, toolbox))
            texts = [CONTINUE_TEXT]
        return (yield from self._send_texts(texts, snapshot.turn_ids, state, toolbox, request))

    def _create_session(self, state: AgentsState, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Create a session that begins with the whole thread, and read its first round."""
        key = state.creation_key = uuid4().hex
        first = next(message.text for message in state.thread.messages if message.role == "user")
        body: JsonObject = {
            "input": message_event(state.first_texts(), state.thread)["input"],
            "metadata": {"creation_key": key, "title": " ".join(first.split())[:MAX_TITLE_CHARS]},
            "extra_headers": {"Idempotency-Key": key},
        }
        if self._instructions:
            body["agent"] = {"instructions": self._instructions}
        try:
            with self._api.create_session(body, request) as events:
                return (yield from self._read(events, SessionReader(SessionRound()), state, toolbox))
        except RequestRefused:
            if not state.session_id:
                state.creation_key = ""  # no session was created
            raise

    def _send_texts(
        self,
        texts: list[str],
        turn_ids: set[str],
        state: AgentsState,
        toolbox: Toolbox,
        request: Request,
    ) -> ResponseEvents:
        """Send messages, which start a turn, and read its first round; ``turn_ids`` are earlier turns."""
        reader = SessionReader(SessionRound(session_id=state.session_id), {*turn_ids, state.turn_id})
        with self._api.listen(state.session_id, request) as events:
            request.check()
            self._api.send(state.session_id, message_event(texts, state.thread))
            return (yield from self._read(events, reader, state, toolbox))

    def _send_results(self, state: AgentsState, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Send the results that the session waits for, and read the next round of its turn."""
        reader = SessionReader(
            SessionRound(state.turn_id, state.session_id, answered_calls=set(state.answered_calls))
        )
        results = state.results()
        with self._api.listen(state.session_id, request) as events:
            request.check()
            for call_id in state.pending_calls:
                self._send_result(reader.round, call_id, results.get(call_id) or stopped_result(call_id))
            return (yield from self._read(events, reader, state, toolbox))

    def _join_turn(self, state: AgentsState, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Read the round of a turn that is already running."""
        session_id = state.session_id
        with self._api.listen(session_id, request) as events:
            request.check()
            snapshot = self._api.snapshot(session_id, state)  # from now on no event is missed
            turn = self._api.last_turn(session_id)
            if not snapshot.is_active:
                if turn.get("status") == "completed":
                    return (yield from self._adopt(snapshot, turn, state, toolbox))
                error = turn_error(turn)
                raise self._api.explained(error) if isinstance(error, StreamError) else error
            reader = _joined_reader(snapshot, turn, state)
            # Its ``turn.completed`` was sent before the events were listened to; only ``idle`` follows.
            reader.is_turn_complete = turn.get("status") == "completed"
            yield from reader.catch_up(snapshot.items)
            yield from self._send_known_results(snapshot.session, reader, state)
            return (yield from self._read(events, reader, state, toolbox))

    def _adopt(
        self, snapshot: SessionSnapshot, turn: JsonObject, state: AgentsState, toolbox: Toolbox
    ) -> ResponseEvents:
        """Yield the answer of a turn that was completed while there was no listener."""
        reader = _joined_reader(snapshot, turn, state)
        yield from reader.catch_up(snapshot.items)
        return (yield from self._end_round(reader.round, state, toolbox))

    def _send_known_results(
        self, session: JsonObject, reader: SessionReader, state: AgentsState
    ) -> Generator[Event, None, None]:
        """Send the results that the session waits for and the thread has; other calls are new ones."""
        results = state.results()
        for action in required_actions(session):
            call_id = text_at(action, "call_id")
            if action.get("type") == "function_call" and (result := results.get(call_id)):
                self._send_result(reader.round, call_id, result)
        if session.get("status") == "requires_action":
            try:
                yield from reader.feed({"type": "agent.session.requires_action", "session": session})
            except UnsupportedAction as error:
                raise self._api.explained(error) from error

    def _send_result(self, to: SessionRound, call_id: str, result: ToolResult) -> None:
        if to.turn_id and call_id not in to.answered_calls:
            self._api.send_result(to.session_id, result_event(to.turn_id, call_id, result))
            to.answered_calls.add(call_id)

    def _read(
        self, events: Iterator[object], reader: SessionReader, state: AgentsState, toolbox: Toolbox
    ) -> ResponseEvents:
        """Translate the events up to the end of the round."""
        try:
            for event in events if not reader.has_ended else ():
                translated = list(reader.feed(event)) if isinstance(event, dict) else []
                if not state.session_id and reader.round.session_id:
                    state.session_id = reader.round.session_id
                    yield ThreadOpened(state.session_id)
                yield from translated
                if reader.has_ended:
                    break
        except (StreamError, UnsupportedAction) as error:
            raise self._api.explained(error) from error
        except Interrupted:
            if not reader.is_turn_complete:
                raise
        if not (reader.has_ended or reader.is_turn_complete):
            text = N_("{host} stopped in the middle of the answer.", host=host(self._client))
            raise Interrupted(text, code="interrupted", retry=True)
        return (yield from self._end_round(reader.round, state, toolbox))

    def _end_round(self, ended: SessionRound, state: AgentsState, toolbox: Toolbox) -> ResponseEvents:
        """Yield the last events of a round that ended well, and record it."""
        names = dict.fromkeys([*(call.name for call in ended.calls), *ended.declared_functions])
        yield from missing_function_notes(names, toolbox, state.missing_functions)
        yield from ended.calls
        yield RoundEnded(ended.model, ended.usage)
        state.record_round(ended)
        return ended.calls

    def _is_completed(self, session_id: str) -> bool:
        return self._api.last_turn(session_id).get("status") == "completed"


def _joined_reader(snapshot: SessionSnapshot, turn: JsonObject, state: AgentsState) -> SessionReader:
    """Return a reader for a turn that began before its events were listened to."""
    model = text_at(object_at(snapshot.session, "agent"), "model")
    started = SessionRound(text_at(turn, "id"), text_at(snapshot.session, "id"), model=model)
    return SessionReader(started, known_text=state.text_since_cursor(), joined=True)


def _changed(session: JsonObject) -> float:
    """Return when a session last changed, in seconds since 1970."""
    times = (session.get("last_active_at"), session.get("created_at"))
    return next((float(time) for time in times if isinstance(time, int | float)), 0.0)
