"""The requests of the Agents API for one agent's sessions, as plain dictionaries."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal, cast
from uuid import uuid4

from openai import OpenAI, Stream

from assistant.backends.agents.state import AgentsState
from assistant.backends.agents.stream import UnsupportedAction, is_active
from assistant.backends.body import all_pages, json_body
from assistant.backends.error_translation import error_for_code, refuse_web_page, safe_text, translate_errors
from assistant.backends.json_access import JsonObject, object_at, text_at
from assistant.backends.stream_errors import StreamError, status_of
from assistant.errors import BackendError, RequestRefused
from assistant.locale import N_
from assistant.transports.cancellation import not_cancelled, pause

IDLE_DELAYS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds between requests for the status of a session whose turn was cancelled."""

RESULT_DELAYS = (0.1, 0.3, 0.6)
"""Seconds before each retry to send a result for a call that the session does not know yet."""

CANCEL_SECONDS = 3.0  # timeout of the request that cancels a turn

MAX_SEARCHED_SESSIONS = 100
"""Number of the agent's newest sessions among which a session is searched whose id was never received."""


class _SessionProblem(Exception):
    """A session is not as expected; ``error`` explains that to the user."""

    def __init__(self, error: BackendError) -> None:
        super().__init__(str(error))
        self.error = error


class SessionLost(_SessionProblem):
    """The server does not have the session, or cannot continue it."""


class ResultRefused(_SessionProblem):
    """The session does not wait for this result."""


@dataclass(frozen=True, slots=True)
class SessionSnapshot:
    """A session, and its items that are not in the transcript, oldest first."""

    session: JsonObject
    items: list[JsonObject]

    @property
    def is_active(self) -> bool:
        """Whether a turn is running or waits for calls."""
        return is_active(self.session)

    @property
    def turn_ids(self) -> set[str]:
        """The turns that the items belong to."""
        return {text_at(item, "turn_id") for item in self.items}


class AgentsApi:
    """The sessions of one agent. Responses are read without the SDK's models, which reject irregular ones."""

    def __init__(self, client: OpenAI, agent_id: str) -> None:
        self._client = client
        self._agent_id = agent_id

    def session(self, session_id: str) -> JsonObject:
        response = self._sessions.with_raw_response.retrieve(session_id)
        return json_body(response.http_response, self._client)

    def items(self, session_id: str, order: Literal["asc", "desc"]) -> Iterator[JsonObject]:
        """Yield a session's items, fetched page by page."""
        return self._pages(partial(self._sessions.items.with_raw_response.list, session_id, order=order))

    def snapshot(self, session_id: str, state: AgentsState) -> SessionSnapshot:
        """Return a session and its items that the transcript lacks.

        Raises:
            SessionLost: The server does not have the session, or it has failed.
            BackendError: The session's spending limit is reached, or the request failed.
        """
        new_items: list[JsonObject] = []
        with self._translate_errors():
            session = self.session(session_id)
            for item in self.items(session_id, "desc"):
                if state.knows(item):
                    break
                new_items.append(item)
        if session.get("status") == "failed":
            raise SessionLost(error_for_code("server_error", text_at(session, "error"), self._client))
        if session.get("status") == "budget_reached":
            raise self.explained(StreamError("session_budget_exceeded", ""))
        return SessionSnapshot(session, new_items[::-1])

    def last_turn(self, session_id: str) -> JsonObject:
        """Return the newest turn of the agent itself; an empty object if there is none."""
        list_turns = partial(self._sessions.turns.with_raw_response.list, session_id, order="desc")
        with self._translate_errors():
            turns = (turn for turn in self._pages(list_turns) if turn.get("subagent_id") is None)
            return next(turns, {})

    def newest_sessions(self, limit: int) -> list[JsonObject]:
        list_sessions = partial(self._sessions.with_raw_response.list, agent_id=self._agent_id, order="desc")
        with translate_errors(self._client):
            return list(islice(self._pages(list_sessions, min(limit, 100)), limit))

    def find_session(self, state: AgentsState) -> str:
        """Return the id of the thread's session, even if it was never received; empty without a session."""
        if state.session_id or not state.creation_key:
            return state.session_id
        for session in self.newest_sessions(MAX_SEARCHED_SESSIONS):
            if object_at(session, "metadata").get("creation_key") == state.creation_key:
                return text_at(session, "id")
        return ""

    @contextmanager
    def create_session(self, body: JsonObject) -> Iterator[Iterator[object]]:
        """Create a session and provide its events from the first on."""
        body = {"agent_id": self._agent_id, "environment": {"type": "none"}, **body}
        create = partial(self._sessions.with_streaming_response.create, **body, stream=True)
        with translate_errors(self._client), closing(self._events(create)) as events:
            next(events)
            yield events

    @contextmanager
    def listen(self, session_id: str) -> Iterator[Iterator[object]]:
        """Provide the events of a session from now on; earlier events are not repeated."""
        listen = partial(self._sessions.events.with_streaming_response.stream, session_id)
        with closing(self._events(listen)) as events:
            with self._translate_errors():
                next(events)
            yield events

    def send(self, session_id: str, event: JsonObject, key: str = "") -> None:
        """Send an input to a session; inputs with the same ``key`` take effect once."""
        with self._translate_errors():
            self._sessions.events.create(session_id, events=[event], idempotency_key=key or str(uuid4()))

    def send_result(self, session_id: str, event: JsonObject) -> None:
        """Send the result of a call, with retries: the session may learn of the call later than we do.

        Raises:
            ResultRefused: The session does not wait for this result.
        """
        key, delays = str(uuid4()), iter(RESULT_DELAYS)
        while True:
            try:
                return self.send(session_id, event, key)
            except RequestRefused as refusal:
                if "Unknown pending tool call" not in str(refusal):
                    raise
                delay = next(delays, None)
                if delay is None:
                    raise ResultRefused(refusal) from refusal
                pause(delay)

    def cancel_turn(self, session_id: str) -> None:
        """Ask the server to cancel the session's turn; a failure is ignored."""
        client = self._client.with_options(timeout=CANCEL_SECONDS)
        with suppress(BackendError), translate_errors(self._client), not_cancelled():
            client.beta.agents.sessions.events.create(
                session_id, events=[{"type": "agent.session.input.cancel"}], idempotency_key=str(uuid4())
            )

    def find_stopped_session(self, state: AgentsState) -> str:
        """Like ``find_session``, after the request was cancelled; empty if the server does not answer soon."""
        api = AgentsApi(self._client.with_options(timeout=CANCEL_SECONDS), self._agent_id)
        with suppress(BackendError), not_cancelled():
            return api.find_session(state)
        return ""

    def wait_until_idle(self, session_id: str) -> None:
        """Wait until no turn is active.

        Raises:
            BackendError: A turn is still active after ``IDLE_DELAYS``.
        """
        for delay in IDLE_DELAYS:
            with self._translate_errors():
                if not is_active(self.session(session_id)):
                    return
            pause(delay)  # after a cancellation, nothing more is sent
        raise error_for_code("conversation_locked", "", self._client)

    def delete_session(self, session_id: str) -> None:
        """Delete a session, if it still exists; an active turn is cancelled first."""
        with suppress(SessionLost), self._translate_errors():
            if is_active(self.session(session_id)):
                self.cancel_turn(session_id)
                self.wait_until_idle(session_id)
            self._sessions.delete(session_id)

    def explained(self, error: StreamError | UnsupportedAction) -> BackendError:
        """Return the error for what a session reported."""
        if isinstance(error, UnsupportedAction):
            text = N_(
                "The agent waits for something that is not a function ({message}), which this application "
                "cannot provide. Remove that tool from the agent, or let it run without approval.",
                message=safe_text(error, self._client),
            )
            return RequestRefused(text, code="action_not_supported")
        if error.code == "session_budget_exceeded":
            text = N_(
                "The spending limit of this conversation is reached. Raise it at the server, or "
                "start a new chat."
            )
            return RequestRefused(text, code=error.code)
        status = 400 if error.code in _REFUSED_CODES else 0
        return error_for_code(_SAME_CODES.get(error.code, error.code), error, self._client, status)

    @property
    def _sessions(self) -> Any:
        return self._client.beta.agents.sessions

    def _events(self, open_stream: Callable[..., Any]) -> Generator[object, None, None]:
        """Yield None as soon as the server has responded, then its events."""
        with translate_errors(self._client), open_stream() as response:
            refuse_web_page(response.http_response, self._client)
            yield None
            yield from cast("Stream[object]", response.parse(to=Stream[object]))

    def _pages(self, list_page: Callable[..., Any], size: int = 100) -> Iterator[JsonObject]:
        def fetch(parameters: JsonObject) -> JsonObject:
            return json_body(list_page(**parameters).http_response, self._client)

        return all_pages(fetch, self._client, size)

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        """Like ``translate_errors``; a session that the server does not have is ``SessionLost``."""
        try:
            with translate_errors(self._client):
                yield
        except RequestRefused as refusal:
            if status_of(refusal) == 404:
                raise SessionLost(refusal) from refusal
            raise


_SAME_CODES = {
    "usage_limit_exceeded": "insufficient_quota",
    "billing_not_active": "insufficient_quota",
    "authentication_error": "invalid_api_key",
    "server_overloaded": "server_is_overloaded",
    "flex_unavailable": "server_is_overloaded",
    "connection_failed": "server_error",
    "request_timeout": "server_error",
    "internal_error": "server_error",
    "cyber_policy": "invalid_prompt",
}
"""Codes of this API that have the meaning of another API's code."""

_REFUSED_CODES = ("invalid_request", "resource_not_found", "executor_version_incompatible", "sandbox_error")
