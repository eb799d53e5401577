"""The sessions that a server of the Agents API keeps for an agent: everything that is asked of them.

Not here: what is said in them and when (``agents.py``), what their events mean (``agents_stream.py``).

The one rule: a session that the server does not have, or cannot go on with, is ``Lost``; every other error is
one of our own.
"""

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Literal, cast
from uuid import uuid4

import openai
from openai import Omit, OpenAI, Stream, omit

from assistant.backends.agents.items import ACTIVE, Memory
from assistant.backends.agents.stream import Item, NeedsMore, SessionError
from assistant.backends.error_translation import (
    error_for_code,
    refuse_web_page,
    safe_text,
    translate_errors,
    wrong_api_error,
)
from assistant.backends.json_access import object_at, text_at
from assistant.backends.requests import Request
from assistant.errors import BackendError, RequestRefused
from assistant.locale import N_

IDLE_DELAYS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Seconds before each new look whether a cancelled turn has ended."""

CANCEL_TIMEOUT = 3.0
"""Seconds that telling the server to cancel a turn may take."""

NEWEST = 100
"""Among how many of the agent's newest sessions one is looked for whose id was never seen."""


class Lost(Exception):
    """The server does not have this session, or cannot go on with it; ``error`` says so to a person."""

    def __init__(self, error: BackendError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(frozen=True, slots=True)
class View:
    """How a session stands, and its items that were not known, oldest first."""

    session: Item
    items: list[Item]

    @property
    def is_active(self) -> bool:
        """Whether a turn is under way."""
        return self.session.get("status") in ACTIVE

    @property
    def turns(self) -> set[str]:
        """The turns that these items belong to."""
        return {text_at(item, "turn_id") for item in self.items}

    def new(self, turn: str | None) -> list[Item]:
        """What there is of a turn and was not known."""
        return [item for item in self.items if item.get("turn_id") == turn]


class TurnRequest(Request):
    """A request under way, and the session whose turn waits while functions run here."""

    waiting: str | None = None


class Sessions:
    """The sessions of one agent, as plain dictionaries: tolerant of what no model foresees."""

    def __init__(self, client: OpenAI, agent_id: str) -> None:
        self._client = client
        self._agent_id = agent_id

    def look(self, session_id: str, memory: Memory) -> View:
        """How the session stands, and what of it was not known.

        Raises:
            Lost: It is not there, or has failed for good.
            BackendError: Its spending limit is reached, or the server could not be asked.
        """
        news: list[Item] = []
        with self._asking():
            session = self.retrieve(session_id)
            for item in self.items(session_id, "desc"):
                if memory.knows(item):
                    break
                news.append(item)
        if session.get("status") == "failed":
            raise Lost(error_for_code("server_error", text_at(session, "error"), self._client))
        if session.get("status") == "budget_reached":
            raise in_words(SessionError("session_budget_exceeded", ""), self._client)
        return View(session, news[::-1])

    def retrieve(self, session_id: str) -> Item:
        """A session."""
        return self._object(self._api.with_raw_response.retrieve(session_id))

    def items(self, session_id: str, order: Literal["asc", "desc"]) -> Iterator[Item]:
        """A session's items."""
        return self._pages(partial(self._api.items.with_raw_response.list, session_id, order=order))

    def last_turn(self, session_id: str) -> Item:
        """A session's newest turn of the agent itself; an empty one where there is none."""
        ask = partial(self._api.turns.with_raw_response.list, session_id, order="desc")
        with self._asking():
            return next((turn for turn in self._pages(ask) if turn.get("subagent_id") is None), {})

    def newest(self, most: int) -> list[Item]:
        """The agent's newest sessions."""
        ask = partial(self._api.with_raw_response.list, agent_id=self._agent_id, order="desc")
        with translate_errors(self._client):
            return list(islice(self._pages(ask, min(most, 100)), most))

    def find(self, memory: Memory) -> str | None:
        """The session of this thread, also where it was made by an attempt that never saw its id."""
        notes = memory.notes
        if notes["session"] is not None or notes["birth"] is None:
            return notes["session"]
        for session in self.newest(NEWEST):
            if object_at(session, "metadata").get("birth") == notes["birth"]:
                return text_at(session, "id")
        return None

    def say(self, session_id: str, event: Item, key: str | None = None) -> None:
        """Put something in; the same ``key`` puts it in once, however often it is tried."""
        with self._asking():
            self._api.events.create(session_id, events=[event], idempotency_key=key or str(uuid4()))

    def end_turn(self, session_id: str) -> None:
        """Tell the server, briefly, that nobody waits for this turn any more; it may not hear it."""
        patient = self._client.with_options(timeout=CANCEL_TIMEOUT, max_retries=0)
        with suppress(BackendError), translate_errors(self._client):
            patient.beta.agents.sessions.events.create(
                session_id,
                events=[{"type": "agent.session.input.cancel"}],
                idempotency_key=str(uuid4()),
            )

    def wait_until_idle(self, session_id: str) -> None:
        """Wait until no turn is under way; not for ever."""
        for delay in IDLE_DELAYS:
            with self._asking():
                if self.retrieve(session_id).get("status") not in ACTIVE:
                    return
            time.sleep(delay)
        raise error_for_code("conversation_locked", "", self._client)

    def delete(self, session_id: str) -> None:
        """Delete a session; a turn of it that is under way is cancelled first."""
        with suppress(Lost), self._asking():
            if self.retrieve(session_id).get("status") in ACTIVE:
                self.end_turn(session_id)
                self.wait_until_idle(session_id)
            self._api.delete(session_id)

    @contextmanager
    def begun(self, asked: Item, request: TurnRequest) -> Iterator[Iterator[object]]:
        """The events of a new session, from its first on."""
        whole = {"agent_id": self._agent_id, "environment": {"type": "none"}, **asked}
        create = partial(self._api.with_streaming_response.create, **whole, stream=True)
        with translate_errors(self._client), closing(self._events(create, request)) as events:
            next(events)
            yield events

    @contextmanager
    def heard(self, session_id: str, request: TurnRequest) -> Iterator[Iterator[object]]:
        """The events of a session from this moment on."""
        listen = partial(self._api.events.with_streaming_response.stream, session_id)
        with closing(self._events(listen, request)) as events:
            with self._asking():
                next(events)
            yield events

    @property
    def _api(self) -> Any:
        return self._client.beta.agents.sessions

    def _events(self, open_stream: Callable[..., Any], request: TurnRequest) -> Generator[object, None, None]:
        """First nothing, as soon as the server has answered; then its events."""
        with translate_errors(self._client), open_stream() as response:
            request.attach(response.http_response)
            refuse_web_page(response.http_response, self._client)
            yield None
            yield from cast("Stream[object]", response.parse(to=Stream[object]))

    def _pages(self, ask: Callable[..., Any], size: int = 100) -> Iterator[Item]:
        after: str | Omit = omit
        while True:
            page = self._object(ask(limit=size, after=after))
            items = page.get("data")
            if not isinstance(items, list):
                raise wrong_api_error(self._client)
            yield from (item for item in items if isinstance(item, dict))
            last = page.get("last_id") or (items and object_at({"": items[-1]}, "").get("id"))
            if not last or not page.get("has_more"):
                return
            after = last

    def _object(self, answer: Any) -> Item:
        try:
            value = answer.http_response.json()
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise wrong_api_error(self._client)
        return value

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Within this block a session that the server does not have is ``Lost``."""
        try:
            with translate_errors(self._client):
                yield
        except RequestRefused as refusal:
            if isinstance(refusal.__cause__, openai.NotFoundError):
                raise Lost(refusal) from refusal
            raise


_SAME = {
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
"""Codes of a turn's error that mean what another API calls by another name."""

_REFUSED = ("invalid_request", "resource_not_found", "executor_version_incompatible", "sandbox_error")


def in_words(error: Exception, client: OpenAI) -> Exception:
    """The exception for what a session said of itself."""
    if isinstance(error, NeedsMore):
        return RequestRefused(
            N_(
                "The agent waits for something that is not a function ({message}), and nothing "
                "here can give it. Take that tool away from the agent, or let it run without "
                "approval.",
                message=safe_text(error, client),
            ),
            code="action_not_supported",
        )
    if not isinstance(error, SessionError):
        return error
    if error.code == "session_budget_exceeded":
        return RequestRefused(
            N_(
                "The spending limit of this conversation is reached. Raise it at the server, or "
                "start a new chat."
            ),
            code=error.code,
        )
    status = 400 if error.code in _REFUSED else 0
    return error_for_code(_SAME.get(error.code, error.code), error, client, status)
