"""The Agents API: an agent that is kept at the server, with a session for each thread.

Not here: the loop (``run.py``), what a session's events mean (``agents_stream.py``), what a session has heard
(``agents_items.py``).

The one rule: a turn goes on at the server whoever listens (the SDK's ``AgentSessionStream``: "closing the
stream does not cancel the backend turn"). So before anything is said in a session one looks how it stands,
and whoever wants to hear listens before they speak, for events are not repeated.
"""

import re
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from keyword import iskeyword
from uuid import uuid4
from weakref import WeakKeyDictionary

from openai import OpenAI

from assistant.backends.agents.items import GO_ON, Memory, message_event, result_event
from assistant.backends.agents.state import Lost, Sessions, TurnRequest, View, in_words
from assistant.backends.agents.stream import Item, NeedsMore, Reader, Round, SessionError, failed, required
from assistant.backends.base import RemoteBackend, RemoteThread
from assistant.backends.client import address, host
from assistant.backends.error_translation import safe_text, translate_lookup_errors, validate_id
from assistant.backends.json_access import object_at, text_at
from assistant.errors import BackendError, Interrupted, RequestRefused
from assistant.events import Event, Note, RoundEnded, ThreadOpened, ToolCall, ToolResult
from assistant.locale import N_
from assistant.settings import ProtocolName
from assistant.threads import Thread
from assistant.tools.results import stopped_result
from assistant.tools.toolbox import Toolbox

PENDING_DELAYS = (0.1, 0.3, 0.6)
"""Seconds before each new try to give a result to a call that the session does not know of yet."""

TITLE_LENGTH = 80
"""Characters of a thread's first message that its session is called by."""

LOST = Note(N_("The server could not go on with its copy of this conversation; it was begun anew."))


class Agents(RemoteBackend):
    """A backend for servers that speak the Agents API.

    The agent's model and functions are those it was made with; ``instructions``, where there are any, take
    the place of its own. Its functions are looked up in the toolbox by name.
    """

    protocol: ProtocolName = "agents"

    def __init__(self, client: OpenAI, *, agent_id: str, instructions: str = "") -> None:
        self._client = client
        self._sessions = Sessions(client, agent_id)
        self._instructions = instructions
        self._requests: WeakKeyDictionary[Thread, TurnRequest] = WeakKeyDictionary()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server and end its turn; see ``Backend``."""
        request = self._requests.pop(thread, None)
        if request is not None:
            request.cancel()
            if request.waiting:  # nobody is reading who could end it; and the caller must not wait
                threading.Thread(target=self._sessions.end_turn, args=[request.waiting], daemon=True).start()

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """One round of the session's turn; see ``Backend``."""
        memory, request = Memory(thread, address(self._client)), TurnRequest()
        self._requests[thread] = request
        try:
            calls = yield from self._round(memory, toolbox, request)
        except (GeneratorExit, BackendError) as end:
            if request.cancelled or isinstance(end, GeneratorExit):
                request.cancel()
                if memory.notes["session"]:
                    self._sessions.end_turn(memory.notes["session"])
            raise
        if not calls:
            self._requests.pop(thread, None)
        elif session_id := memory.notes["session"]:
            request.waiting = session_id
            if request.cancelled:  # a moment ago, when nobody was reading any more
                self._sessions.end_turn(session_id)
        return calls

    def load_thread(self, thread_id: str) -> Thread:
        """The thread that the server keeps as this session, with its history.

        Where a turn of it is under way, its last message is one without an ending.

        Raises:
            UnknownThread: There is none by this id.
        """
        validate_id(thread_id)
        with translate_lookup_errors(self._client):
            session = self._sessions.retrieve(thread_id)
            items = list(self._sessions.items(thread_id, "asc"))
        thread = Thread(thread_id)
        Memory(thread, address(self._client)).recall(session, items)
        return thread

    def delete_thread(self, thread: Thread) -> None:
        """Delete the server's session, where there is one; a turn of it that is under way is cancelled.

        Raises:
            BackendError: It is still there.
        """
        session_id = self._sessions.find(Memory(thread, address(self._client)))
        if session_id is not None:
            self._sessions.delete(session_id)

    def can_resume(self, thread: Thread) -> bool:
        """Whether the server goes by itself on with the answer that this thread lacks."""
        memory = Memory(thread, address(self._client))
        with suppress(BackendError, Lost):
            session_id = self._sessions.find(memory)
            if session_id is None:
                return False
            view = self._sessions.look(session_id, memory)
            if memory.unheard(view.items):
                return False
            return view.is_active or (
                bool(view.items) and self._sessions.last_turn(session_id).get("status") == "completed"
            )
        return False

    def list_threads(self, limit: int) -> list[RemoteThread]:
        """The agent's newest sessions: each one's id, what it is called, and when it last changed."""
        return [
            RemoteThread(
                text_at(session, "id"),
                text_at(object_at(session, "metadata"), "title"),
                _seconds(session),
            )
            for session in self._sessions.newest(limit)
        ]

    def _round(
        self, memory: Memory, toolbox: Toolbox, request: TurnRequest
    ) -> Generator[Event, None, list[ToolCall]]:
        """One round, tried again where that can help without anybody having noticed anything."""
        renewed = repeated = looked = False
        while True:
            said = memory.thread.cursor
            try:
                if request.cancelled:
                    raise Interrupted(N_("Cancelled."), code="cancelled")
                return (yield from self._attempt(memory, toolbox, request))
            except Lost as lost:
                if renewed or request.cancelled:
                    raise lost.error from lost
                renewed = True
                memory.begin_again()
                yield LOST
            except _NotPending as late:
                if looked:
                    raise late.error from late
                looked = True  # it has the result perhaps: look how the session stands
            except Interrupted as cut:
                # Once, where nothing was said, one listens again, or takes up what the server has.
                nothing_said = cut.code == "interrupted" and memory.thread.cursor == said
                if request.cancelled or repeated or not nothing_said:
                    raise
                repeated = True

    def _attempt(
        self, memory: Memory, toolbox: Toolbox, request: TurnRequest
    ) -> Generator[Event, None, list[ToolCall]]:
        notes = memory.notes
        waited_for, notes["uncertain"] = memory.is_waited_for, True
        session_id = self._sessions.find(memory)
        if session_id is None:
            return (yield from self._begin(memory, toolbox, request))
        if notes["session"] is None:
            notes["session"] = session_id
            yield ThreadOpened(session_id)
        told, others = list[str](), set[str]()
        if not waited_for:
            view = self._sessions.look(session_id, memory)
            told, others = memory.unheard(view.items), view.turns | {notes["turn"] or ""}
            if view.is_active and told:
                told = memory.owed_in_words() + told
                self._sessions.end_turn(session_id)
                self._sessions.wait_until_idle(session_id)
            elif not view.is_active and not told:
                turn = self._sessions.last_turn(session_id)
                if turn.get("status") == "completed":
                    return (yield from self._adopt(view, text_at(turn, "id"), memory, toolbox))
                told = [GO_ON]
        with self._sessions.heard(session_id, request) as events:
            if request.cancelled:  # while it waited
                raise Interrupted(N_("Cancelled."), code="cancelled")
            if told:
                reader = Reader(Round(session=session_id), others)
                self._sessions.say(session_id, message_event(told, memory.thread))
            elif waited_for:
                reader = Reader(Round(notes["turn"], answered=set(notes["answered"]), session=session_id))
                results = memory.results()
                for call_id in notes["owed"]:
                    result = results.get(call_id) or stopped_result(call_id)
                    self._give(session_id, reader.round, call_id, result)
            else:
                view = self._sessions.look(session_id, memory)  # from now on nothing is missed
                turn = self._sessions.last_turn(session_id)
                if not view.is_active and turn.get("status") != "completed":
                    raise in_words(failed(turn), self._client)
                if not view.is_active:
                    return (yield from self._adopt(view, text_at(turn, "id"), memory, toolbox))
                reader = self._joined(view, text_at(turn, "id"), memory)
                yield from reader.catch_up(view.new(reader.round.turn))
                yield from self._answer(session_id, view.session, reader, memory)
            return (yield from self._read(events, reader, memory, toolbox))

    def _begin(
        self, memory: Memory, toolbox: Toolbox, request: TurnRequest
    ) -> Generator[Event, None, list[ToolCall]]:
        """The first round of a new session, which is told the whole thread."""
        birth = memory.notes["birth"] = uuid4().hex
        first = next(message.text for message in memory.thread.messages if message.role == "user")
        asked: Item = {
            "input": message_event(memory.retold(), memory.thread)["input"],
            "metadata": {"birth": birth, "title": " ".join(first.split())[:TITLE_LENGTH]},
            "extra_headers": {"Idempotency-Key": birth},
        }
        if self._instructions:
            asked["agent"] = {"instructions": self._instructions}
        try:
            with self._sessions.begun(asked, request) as events:
                return (yield from self._read(events, Reader(Round()), memory, toolbox))
        except RequestRefused:
            if memory.notes["session"] is None:
                memory.notes["birth"] = None  # there is none
            raise

    def _read(
        self, events: Iterator[object], reader: Reader, memory: Memory, toolbox: Toolbox
    ) -> Generator[Event, None, list[ToolCall]]:
        """Say the events up to the round's end."""
        try:
            for event in events if not reader.ended else ():
                said = list(reader.take(event)) if isinstance(event, dict) else []
                if opened := self._opened(reader, memory):
                    yield opened
                yield from said
                if reader.ended:
                    break
        except (SessionError, NeedsMore) as error:
            raise in_words(error, self._client) from error
        except Interrupted:
            if not reader.is_over:
                raise
        if not (reader.ended or reader.is_over):
            raise Interrupted(
                N_("{host} stopped in the middle of the answer.", host=host(self._client)),
                code="interrupted",
                retry=True,
            )
        return (yield from self._ended(reader.round, memory, toolbox))

    def _opened(self, reader: Reader, memory: Memory) -> ThreadOpened | None:
        """The session's id, when it is seen for the first time."""
        if memory.notes["session"] or not reader.round.session:
            return None
        memory.notes["session"] = reader.round.session
        return ThreadOpened(reader.round.session)

    def _ended(
        self, ended: Round, memory: Memory, toolbox: Toolbox
    ) -> Generator[Event, None, list[ToolCall]]:
        """Say how a round ended that ended well, and note it."""
        noted = memory.notes["missing"]
        wanted = [*(call.name for call in ended.calls), *ended.declared]
        missing = [name for name in dict.fromkeys(wanted) if name not in toolbox and name not in noted]
        for name in missing:
            shown = safe_text(name, self._client).replace("`", "'")
            yield Note(
                N_(
                    "The agent may call `{shown}`, which is not here. Write it in "
                    "assistant/functions/{file}.",
                    shown=shown,
                    file=file_name(name),
                )
            )
        yield from ended.calls
        yield RoundEnded(ended.model, ended.usage)
        memory.notes["missing"] = [*noted, *missing]
        memory.commit(ended)
        return ended.calls

    def _adopt(
        self, view: View, turn_id: str, memory: Memory, toolbox: Toolbox
    ) -> Generator[Event, None, list[ToolCall]]:
        """Say what the agent answered while nobody listened: there is nothing left to ask."""
        reader = self._joined(view, turn_id, memory)
        yield from reader.catch_up(view.new(turn_id))
        return (yield from self._ended(reader.round, memory, toolbox))

    def _joined(self, view: View, turn_id: str, memory: Memory) -> Reader:
        """A reader for a turn that began before anybody listened."""
        agent = object_at(view.session, "agent")
        begun = Round(turn_id, session=text_at(view.session, "id"), model=text_at(agent, "model"))
        return Reader(begun, said=memory.said_since(), joined=True)

    def _answer(
        self, session_id: str, session: Item, reader: Reader, memory: Memory
    ) -> Generator[Event, None, None]:
        """Give those results that a session waits for and that are here; take up the other calls."""
        results = memory.results()
        for action in required(session):
            call_id = text_at(action, "call_id")
            if action.get("type") == "function_call" and call_id in results:
                self._give(session_id, reader.round, call_id, results[call_id])
        if session.get("status") == "requires_action":
            try:
                yield from reader.take({"type": "agent.session.requires_action", "session": session})
            except NeedsMore as error:
                raise in_words(error, self._client) from error

    def _give(self, session_id: str, to: Round, call_id: str, result: ToolResult) -> None:
        """Give a call its result; the session may know of the call a moment later than we do."""
        if call_id in to.answered or to.turn is None:
            return
        key, delays = str(uuid4()), iter(PENDING_DELAYS)
        while True:
            try:
                self._sessions.say(session_id, result_event(to.turn, call_id, result), key)
                to.answered.add(call_id)
                return
            except RequestRefused as refusal:
                if "Unknown pending tool call" not in str(refusal):
                    raise
                delay = next(delays, None)
                if delay is None:
                    raise _NotPending(refusal) from refusal
                time.sleep(delay)


def _seconds(session: Item) -> float:
    """When something last happened in a session."""
    times = (session.get("last_active_at"), session.get("created_at"))
    return next((float(time) for time in times if isinstance(time, int | float)), 0.0)


class _NotPending(Exception):
    """The session does not wait for this result."""

    def __init__(self, error: BackendError) -> None:
        super().__init__(str(error))
        self.error = error


def file_name(function: str) -> str:
    """The file in which a function by this name belongs; a name that any disk takes."""
    safe = re.sub(r"\W+", "_", function, flags=re.ASCII).strip("_")[:60]
    if not safe or safe[0].isdigit() or iskeyword(safe):
        safe = f"function_{safe}".rstrip("_")
    return f"{safe}.py"
