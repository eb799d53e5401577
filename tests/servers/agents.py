"""A loopback server that plays scripts over the Agents API.

    with AgentsServer() as server:
        server.plays(calls(call("add", a=1, b=2)), text("Three."))
        ...point the SDK at server.url...

It stores sessions and refuses what the real service refuses, in its words: a result that no call waits for,
an unknown session, a session that cannot be deleted yet.

A turn continues without a listener. ``Play.keeps`` defines how a turn ends whose connections were cut: it
fails (``nothing``), is completed at once (``all``), or as soon as the session has been retrieved (``late``).
"""

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.servers.agents_turn import USAGE, turn_events
from tests.servers.responses import Handler, Json, ModelServer, Play, error, new_id, sse_event
from tests.waiting import until


class Cut:
    """An entry of a session's log at which the connections are cut."""

    def __init__(self, play: Play, event: Json) -> None:
        self.play, self.event = play, event


class Session:
    """A session: its items, its turns, and the log of its events."""

    def __init__(self, server: "AgentsServer", body: Json) -> None:
        self.server = server
        self.id = new_id("sess")
        self.body = body
        self.metadata = body.get("metadata") or {}
        self.items: list[Json] = []
        self.turns: list[Json] = []
        self.status = "idle"
        self.actions: list[Json] = []
        self.results: list[Json] = []  # those received since the session waits for results
        self.log: list[Json | Cut] = []
        self.changed = threading.Condition(server.lock)
        self.stop = threading.Event()  # set to cancel the running turn
        self.retrieved = threading.Event()
        self.answered: list[Json] = []  # the actions whose results were received
        self.is_playing = False

    def object(self) -> Json:
        overrides = self.body.get("agent") or {}
        return {
            "id": self.id,
            "object": "agent.session",
            "agent": {
                "id": self.body["agent_id"],
                "model": "test-model",
                "multi_agent": {"enabled": False},
                "instructions": overrides.get("instructions", "Answer."),
                "name": "Test",
                "reasoning": {"effort": None, "summary": "auto"},
                "service_tier": "auto",
                "text": {"format": {"type": "text"}, "verbosity": "medium"},
                "tools": [
                    {
                        "type": "function",
                        "name": name,
                        "description": "It does something.",
                        "parameters": {"type": "object", "properties": {}},
                        "defer_loading": False,
                    }
                    for name in self.server.functions
                ],
            },
            "created_at": 1_790_000_000,
            "last_active_at": 1_790_000_000 + len(self.log),
            "environment": {"type": "none"},
            "error": None,
            "metadata": self.metadata,
            "required_actions": list(self.actions),
            "status": self.status,
            "usage": None,
            "vault_ids": [],
        }

    def emit(self, kind: str, **fields: Any) -> None:
        """Append an event to the log."""
        prefix = "" if kind == "error" else "agent.session."
        event: Json = {"type": prefix + kind, "event_id": new_id("evt"), **fields}
        with self.changed:
            if kind in ("created", "in_progress", "idle", "requires_action", "failed", "budget_reached"):
                if kind != "created":
                    self.status = kind
                event["session"] = self.object()
            else:
                event["session_id"] = self.id
            self.log.append(event)
            if self.server.noisy:
                self.log += [event, {"type": "agent.session.unknown", "event_id": new_id("evt"), "x": [1]}]
            self.changed.notify_all()

    def listen(self, position: int) -> Iterator[Json | Cut]:
        while True:
            with self.changed:
                while position >= len(self.log):
                    if self.server.closing.is_set():
                        return
                    self.changed.wait(0.05)
                entry = self.log[position]
            yield entry
            position += 1

    @property
    def is_active(self) -> bool:
        return self.status in ("in_progress", "requires_action")


class AgentsServer(ModelServer):
    """Plays its scripts as an agent's turns; ``functions`` are those that the agent declares.

    ``noisy`` sends every event twice and unrelated events between them. ``stale`` lists calls again that have
    their results. ``slow`` is how many results are refused because the call is not known yet. ``objects``
    sends arguments as objects.
    """

    def __init__(self, functions: tuple[str, ...] = ("add",)) -> None:
        super().__init__(conversations=False)
        self.lock = threading.RLock()
        self.functions = functions
        self.sessions: dict[str, Session] = {}
        self.request_lines: list[str] = []  # "GET /agents/sessions/…", in order
        self.cancels: list[str] = []  # the ids of the sessions whose turn was cancelled
        self.sent: list[Json] = []  # every event that was sent
        self.noisy = self.stale = self.objects = False
        self.slow = 0
        self._keys: dict[str, Json] = {}

    def handler(self) -> type[Handler]:
        """Return the class that handles connections."""
        return _Agents

    def wait_until_idle(self) -> None:
        """Wait until no play is being played."""
        until(lambda: not any(each.is_playing for each in self.sessions.values()), "a turn is under way")

    def create_session(self, body: Json) -> Session | Play:
        """Return a new session with its first turn, or the refusal."""
        if body.get("agent_id") != "agent_1":
            return self.refuse(404, f"Agent with id '{body.get('agent_id')}' not found.")
        if not body.get("input"):
            return self.refuse(400, "Missing required parameter: 'input'.")
        play = self._next(body)
        if play.status != 200:
            return play
        session = Session(self, body)
        self.sessions[session.id] = session
        session.emit("created")
        self._start_turn(session, body["input"], play)
        return session

    def receive(self, session: Session, body: Json, key: str) -> Play | None:
        """Handle an input; return the refusal if there is one."""
        if key in self._keys:
            assert self._keys[key] == body, "a key was used for something else"
            return None
        for event in body["events"]:
            match event["type"].removeprefix("agent.session.input."):
                case "message":
                    if session.is_active:
                        self.problems.append("a message steered a turn")
                    play = self._next(body)
                    if play.status != 200:
                        return play
                    self._start_turn(session, event["input"], play)
                case "tool_result":
                    if refusal := self._result(session, event):
                        return refusal
                case "cancel":
                    self.cancels.append(session.id)
                    self._cancel(session)
        self._keys[key] = body
        return None

    def refuse(self, status: int, reason: str) -> Play:
        self.refused.append(reason)
        return error(status, "invalid_request_error", reason)

    def _next(self, body: Json) -> Play:
        self.requests.append(body)
        return self.take_play(body)

    def _start_turn(self, session: Session, messages: Any, play: Play) -> None:
        turn = {
            "id": new_id("turn"),
            "object": "agent.session.turn",
            "agent_id": "agent_1",
            "session_id": session.id,
            "created_at": 1_790_000_000,
            "status": "in_progress",
            "error": None,
        }
        session.turns.append(turn)
        for message in messages:
            item = {
                "id": new_id("msg"),
                "type": "message",
                "status": "completed",
                "turn_id": turn["id"],
                **message,
            }
            session.items.append(item)
        session.answered = []
        self._play(session, turn, play, first=True)

    def _result(self, session: Session, event: Json) -> Play | None:
        pending = [action for action in session.actions if action.get("call_id") == event["call_id"]]
        if self.slow or not pending or pending[0]["turn_id"] != event["turn_id"]:
            self.slow = max(0, self.slow - 1)
            return self.refuse(400, f"Unknown pending tool call: {event['call_id']}")
        if len(session.actions) == 1:
            play = self._next({"events": [*session.results, event]})
            if play.status != 200:
                return play
        session.actions.remove(pending[0])
        session.answered.append(pending[0])
        session.results.append(event)
        output = {
            "id": new_id("fco"),
            "type": "function_call_output",
            "turn_id": event["turn_id"],
            "call_id": event["call_id"],
            "output": event.get("output"),
            "error": event.get("error"),
            "status": "completed" if event["success"] else "failed",
        }
        session.items.append(output)
        if session.actions:
            session.emit("requires_action")
        else:
            session.results = []
            self._play(session, session.turns[-1], play, first=False)
        return None

    def _cancel(self, session: Session) -> None:
        if session.status == "requires_action":
            session.actions = []
            self._end(session, session.turns[-1], "cancelled")
        elif session.status == "in_progress":
            session.stop.set()

    def _end(self, session: Session, turn: Json, status: str, **fields: Any) -> None:
        turn |= {"status": status, **fields}
        session.emit(f"turn.{status}", turn=dict(turn), turn_id=turn["id"], usage=None)
        session.emit("idle")
        session.is_playing = False

    def _play(self, session: Session, turn: Json, play: Play, first: bool) -> None:
        session.stop = threading.Event()
        session.status, session.is_playing = "in_progress", True
        threading.Thread(target=self._go, args=[session, turn, play, first], daemon=True).start()

    def _go(self, session: Session, turn: Json, play: Play, first: bool) -> None:
        """Play a play: append its events to the log one by one."""
        index = 0
        for index, (kind, fields, item) in enumerate(turn_events(session, turn, play, first)):
            if play.gate is not None and index == play.gate_after:
                play.reached.set()
                while not (play.gate.wait(0.002) or session.stop.is_set() or self.closing.is_set()):
                    pass
            time.sleep(play.pause)
            if index == play.cut and self._cut(session, play, kind, fields):
                with self.lock:
                    died = {"error": {"code": "server_error", "message": "The server died."}}
                    self._end(session, turn, "failed", **died)
                return
            with self.lock:
                if session.stop.is_set():
                    self._end(session, turn, "cancelled")
                    return
                if item is not None:
                    session.items.append(item)
                if kind == "turn.completed":
                    turn |= {"status": "completed", "usage": USAGE}
                    fields["turn"] = dict(turn)
                if kind == "turn.failed":
                    turn |= {"status": "failed", **play.details}
                    fields["turn"] = dict(turn)
                if kind == "requires_action":
                    session.actions = fields.pop("actions")
                    session.is_playing = False
                if kind in ("idle", "budget_reached", "failed"):
                    session.is_playing = False
                session.emit(kind, **fields)
        with self.lock:
            session.is_playing = False
            if play.ending == "":
                session.status = "idle"

    def _cut(self, session: Session, play: Play, kind: str, fields: Json) -> bool:
        """Cut the connections; return whether the turn fails with them."""
        with session.changed:
            session.log.append(Cut(play, {"type": f"agent.session.{kind}", **fields}))
            session.changed.notify_all()
            session.retrieved = threading.Event()
            session.is_playing = play.keeps != "late"
        while play.keeps == "late" and not (session.stop.is_set() or self.closing.is_set()):
            if session.retrieved.wait(0.002):
                break
        return play.keeps == "nothing"


class _Agents(Handler):
    """The paths under ``/agents/sessions``."""

    model: AgentsServer

    def do_GET(self) -> None:
        if self.model.pages:
            super().do_GET()
            return
        query = self._query()
        match self._place("GET"):
            case []:
                with self.model.lock:
                    sessions = [
                        session.object()
                        for session in self.model.sessions.values()
                        if session.body["agent_id"] == query.get("agent_id")
                    ]
                self._page(sessions, query)
            case [name, *rest] if session := self.model.sessions.get(name):
                match rest:
                    case []:
                        with self.model.lock:
                            body = session.object()
                            session.retrieved.set()
                        self._send(200, body)
                    case ["events"]:
                        self._listen(session, len(session.log))
                    case ["items"]:
                        self._page(list(session.items), query)
                    case ["turns"]:
                        self._page(list(session.turns), query)
            case _:
                self._unknown()

    def do_POST(self) -> None:
        if self.model.pages:
            super().do_POST()
            return
        body = self._json()
        assert self.headers["OpenAI-Beta"] == "agents=v1"
        match self._place("POST"):
            case []:
                with self.model.lock:
                    created = self.model.create_session(body)
                if isinstance(created, Play):
                    self._send(created.status, created.body, created.headers)
                else:
                    self._listen(created, 0)
            case [name, "events"] if session := self.model.sessions.get(name):
                with self.model.lock:
                    refusal = self.model.receive(session, body, self.headers["Idempotency-Key"])
                if refusal is not None:
                    self._send(refusal.status, refusal.body, refusal.headers)
                else:
                    self._send(202, b"")
            case _:
                self._unknown()

    def do_DELETE(self) -> None:
        match self._place("DELETE"):
            case [name] if session := self.model.sessions.get(name):
                if session.is_active:
                    refusal = self.model.refuse(400, "The session is running. Cancel it first.")
                    self._send(400, refusal.body)
                    return
                del self.model.sessions[name]
                self._send(200, {"id": name, "object": "agent.session.deleted", "deleted": True})
            case _:
                self._unknown()

    def _place(self, method: str) -> list[str] | None:
        path = urlsplit(self.path).path.removeprefix("/v1")
        self.model.request_lines.append(f"{method} {path}")
        root, *steps = path.removeprefix("/agents/").split("/")
        return [unquote(step) for step in steps] if root == "sessions" else None

    def _unknown(self) -> None:
        message = "The requested session was not found."
        self._send(404, {"error": {"message": message, "code": "not_found", "type": "invalid_request_error"}})

    def _listen(self, session: Session, position: int) -> None:
        self._begin_stream()
        for entry in session.listen(position):
            if isinstance(entry, Cut):
                self._cut(entry.play, sse_event(entry.event))
                return
            self.model.sent.append(entry)
            self._chunk(sse_event(entry))
