"""The backend for the Agents API.

A turn continues at the server when its connection is lost, and its events are not repeated (the SDK's
``AgentSessionStream``: "closing the stream does not cancel the backend turn"). So after an uncertain request
the session is examined before anything is sent, and the events are listened to before an input is sent.
"""

from contextlib import suppress
from functools import partial

from openai import OpenAI

from assistant.backends.agents.api import AgentsApi, SessionLost
from assistant.backends.agents.exchange import Exchange
from assistant.backends.agents.state import AgentsState
from assistant.backends.base import RemoteThread, ResponseEvents
from assistant.backends.client import address
from assistant.backends.error_translation import translate_lookup_errors, validate_id
from assistant.backends.json_access import JsonObject, object_at, text_at
from assistant.backends.requests import Request, ServerBackend
from assistant.errors import BackendError
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.background import background_jobs
from assistant.tools.toolbox import Toolbox


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

    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        yield from background_jobs(thread).wait_for_all()
        state, message = self._state(thread), thread.messages[-1]
        exchange = Exchange(self._client, self._api, self._instructions, state, toolbox, request)
        try:
            with request.cancelled_on_interrupt():
                calls = yield from exchange.respond()
        except (GeneratorExit, KeyboardInterrupt, BackendError):
            # The run of a later message cancels by itself what is active, and must not lose its own turn.
            if (
                request.cancelled
                and (session_id := self._api.find_stopped_session(state))
                and thread.messages[-1] is message
            ):
                self._api.cancel_turn(session_id)
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
                if snapshot.is_active or not snapshot.items:
                    return snapshot.is_active
                return self._api.last_turn(session_id).get("status") == "completed"
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


def _changed(session: JsonObject) -> float:
    """Return when a session last changed, in seconds since 1970."""
    times = (session.get("last_active_at"), session.get("created_at"))
    return next((float(time) for time in times if isinstance(time, int | float)), 0.0)
