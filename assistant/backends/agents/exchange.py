"""One round of a session's turn: send what the session lacks, and read what the agent answers."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
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
from assistant.backends.base import ResponseEvents
from assistant.backends.error_translation import unfinished_error
from assistant.backends.json_access import JsonObject, object_at, text_at
from assistant.backends.requests import Request, with_retries
from assistant.backends.stream_errors import StreamError
from assistant.backends.sync_state import RESTARTED
from assistant.errors import Interrupted, RequestRefused
from assistant.events import Event, RoundEnded, ThreadOpened, ToolResult
from assistant.tools.results import stopped_result
from assistant.tools.toolbox import Toolbox

MAX_TITLE_CHARS = 80  # maximum length of a session's title: the beginning of the thread's first message


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one round needs; empty ``instructions`` leave the agent's own."""

    client: OpenAI
    api: AgentsApi
    instructions: str
    state: AgentsState
    toolbox: Toolbox
    request: Request

    def respond(self) -> ResponseEvents:
        """Request one round; restart a lost session, and examine the session again if it refuses a result."""
        was_restarted = was_refused = False
        while True:
            try:
                return (yield from with_retries(self._attempt, self.state.thread, self.request))
            except SessionLost as lost:
                if was_restarted or self.request.cancelled:
                    raise lost.error from lost
                was_restarted = True
                self.state.restart()
                yield RESTARTED
            except ResultRefused as refused:
                if was_refused:
                    raise refused.error from refused
                was_refused = True

    def _attempt(self) -> ResponseEvents:
        """Send what the session lacks and read the next round, or adopt a round that is already complete."""
        state = self.state
        self.request.check()
        is_waiting, state.uncertain = state.is_waiting_for_results, True
        session_id = self.api.find_session(state)
        if not session_id:
            return (yield from self._create_session())
        if not state.session_id:
            state.session_id = session_id
            yield ThreadOpened(session_id)
        if is_waiting:
            return (yield from self._send_results())
        snapshot = self.api.snapshot(session_id, state)
        texts = state.pending_texts(snapshot.items)
        if snapshot.is_active and not texts:
            return (yield from self._join_turn())
        if snapshot.is_active:
            texts = state.pending_results() + texts
            self.api.cancel_turn(session_id)
            self.api.wait_until_idle(session_id)
        elif not texts:
            turn = self.api.last_turn(session_id)
            if turn.get("status") == "completed":
                return (yield from self._adopt(snapshot, turn))
            texts = [CONTINUE_TEXT]
        return (yield from self._send_texts(texts, snapshot.turn_ids))

    def _create_session(self) -> ResponseEvents:
        """Create a session that begins with the whole thread, and read its first round."""
        state = self.state
        key = state.creation_key = uuid4().hex
        first = next(message.text for message in state.thread.messages if message.role == "user")
        body: JsonObject = {
            "input": message_event(state.first_texts(), state.thread)["input"],
            "metadata": {"creation_key": key, "title": " ".join(first.split())[:MAX_TITLE_CHARS]},
            "extra_headers": {"Idempotency-Key": key},
        }
        if self.instructions:
            body["agent"] = {"instructions": self.instructions}
        try:
            with self.api.create_session(body) as events:
                return (yield from self._read(events, SessionReader(SessionRound())))
        except RequestRefused:
            if not state.session_id:
                state.creation_key = ""  # no session was created
            raise

    def _send_texts(self, texts: list[str], turn_ids: set[str]) -> ResponseEvents:
        """Send messages, which start a turn, and read its first round; ``turn_ids`` are earlier turns."""
        state = self.state
        reader = SessionReader(SessionRound(session_id=state.session_id), {*turn_ids, state.turn_id})
        with self.api.listen(state.session_id) as events:
            self.request.check()
            self.api.send(state.session_id, message_event(texts, state.thread))
            return (yield from self._read(events, reader))

    def _send_results(self) -> ResponseEvents:
        """Send the results that the session waits for, and read the next round of its turn."""
        state = self.state
        reader = SessionReader(
            SessionRound(state.turn_id, state.session_id, answered_calls=set(state.answered_calls))
        )
        results = state.results()
        with self.api.listen(state.session_id) as events:
            self.request.check()
            for call_id in state.pending_calls:
                self._send_result(reader.round, call_id, results.get(call_id) or stopped_result(call_id))
            return (yield from self._read(events, reader))

    def _join_turn(self) -> ResponseEvents:
        """Read the round of a turn that is already running."""
        session_id = self.state.session_id
        with self.api.listen(session_id) as events:
            self.request.check()
            snapshot = self.api.snapshot(session_id, self.state)  # from now on no event is missed
            turn = self.api.last_turn(session_id)
            if not snapshot.is_active:
                if turn.get("status") == "completed":
                    return (yield from self._adopt(snapshot, turn))
                error = turn_error(turn)
                raise self.api.explained(error) if isinstance(error, StreamError) else error
            reader = self._joined_reader(snapshot, turn)
            # Its ``turn.completed`` was sent before the events were listened to; only ``idle`` follows.
            reader.is_turn_complete = turn.get("status") == "completed"
            yield from reader.catch_up(snapshot.items)
            yield from self._send_known_results(snapshot.session, reader)
            return (yield from self._read(events, reader))

    def _adopt(self, snapshot: SessionSnapshot, turn: JsonObject) -> ResponseEvents:
        """Yield the answer of a turn that was completed while there was no listener."""
        reader = self._joined_reader(snapshot, turn)
        yield from reader.catch_up(snapshot.items)
        return (yield from self._end_round(reader.round))

    def _send_known_results(self, session: JsonObject, reader: SessionReader) -> Generator[Event, None, None]:
        """Send the results that the session waits for and the thread has; other calls are new ones."""
        results = self.state.results()
        for action in required_actions(session):
            call_id = text_at(action, "call_id")
            if action.get("type") == "function_call" and (result := results.get(call_id)):
                self._send_result(reader.round, call_id, result)
        if session.get("status") == "requires_action":
            try:
                yield from reader.feed({"type": "agent.session.requires_action", "session": session})
            except UnsupportedAction as error:
                raise self.api.explained(error) from error

    def _send_result(self, to: SessionRound, call_id: str, result: ToolResult) -> None:
        if to.turn_id and call_id not in to.answered_calls:
            self.api.send_result(to.session_id, result_event(to.turn_id, call_id, result))
            to.answered_calls.add(call_id)

    def _read(self, events: Iterator[object], reader: SessionReader) -> ResponseEvents:
        """Translate the events up to the end of the round."""
        state = self.state
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
            raise self.api.explained(error) from error
        except Interrupted:
            if not reader.is_turn_complete:
                raise
        if not (reader.has_ended or reader.is_turn_complete):
            raise unfinished_error(self.client)
        return (yield from self._end_round(reader.round))

    def _end_round(self, ended: SessionRound) -> ResponseEvents:
        """Yield the last events of a round that ended well, and record it."""
        names = dict.fromkeys([*(call.name for call in ended.calls), *ended.declared_functions])
        yield from missing_function_notes(names, self.toolbox, self.state.missing_functions)
        yield from ended.calls
        yield RoundEnded(ended.model, ended.usage)
        self.state.record_round(ended)
        return ended.calls

    def _joined_reader(self, snapshot: SessionSnapshot, turn: JsonObject) -> SessionReader:
        """Return a reader for a turn that began before its events were listened to."""
        model = text_at(object_at(snapshot.session, "agent"), "model")
        started = SessionRound(text_at(turn, "id"), text_at(snapshot.session, "id"), model=model)
        return SessionReader(started, known_text=self.state.text_since_cursor(), joined=True)
