"""A loopback server that plays the scripts of ``wire.py`` over the wire of the Agents API.

    with AgentsServer() as server:
        server.plays(calls(call("add", a=1, b=2)), text("Three."))
        ...point the SDK at server.url...

Not here: anything of the application. It keeps sessions and refuses what the real service refuses, in its
words: a result that no call waits for, a session that is unknown, or that cannot be deleted yet.

The one rule: a turn goes on whoever listens. What a cut play ``keeps`` says how: it fails (``nothing``), it
is finished at once (``all``), or when somebody has looked at the session (``late``).
"""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.servers.responses import Handler, Json, ModelServer, Play, _id, _split, _sse, error

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 15,
}


class Cut:
    """In a session's log: here the connections are cut."""

    def __init__(self, play: Play, event: Json) -> None:
        self.play, self.event = play, event


class Session:
    """A session: its items, its turns, and the log of its events."""

    def __init__(self, server: "AgentsServer", asked: Json) -> None:
        self.server = server
        self.id = _id("sess")
        self.asked = asked
        self.metadata = asked.get("metadata") or {}
        self.items: list[Json] = []
        self.turns: list[Json] = []
        self.status = "idle"
        self.actions: list[Json] = []
        self.given: list[Json] = []  # the results since the session waits
        self.log: list[Json | Cut] = []
        self.news = threading.Condition(server.lock)
        self.stop = threading.Event()  # the running turn is to be cancelled
        self.looked = threading.Event()  # somebody has retrieved it
        self.answered: list[Json] = []  # the actions that have their results
        self.playing = False  # a play is being played

    def object(self) -> Json:
        overrides = self.asked.get("agent") or {}
        return {
            "id": self.id,
            "object": "agent.session",
            "agent": {
                "id": self.asked["agent_id"],
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

    def say(self, kind: str, **fields: Any) -> None:
        """Put an event into the log."""
        prefix = "" if kind == "error" else "agent.session."
        event: Json = {"type": prefix + kind, "event_id": _id("evt"), **fields}
        with self.news:
            if kind in ("created", "in_progress", "idle", "requires_action", "failed", "budget_reached"):
                if kind != "created":
                    self.status = kind
                event["session"] = self.object()
            else:
                event["session_id"] = self.id
            self.log.append(event)
            if self.server.noisy:
                self.log += [event, {"type": "agent.session.unheard_of", "event_id": _id("evt"), "x": [1]}]
            self.news.notify_all()

    def listen(self, position: int) -> Iterator[Json | Cut]:
        while True:
            with self.news:
                while position >= len(self.log):
                    if self.server.closing.is_set():
                        return
                    self.news.wait(0.05)
                entry = self.log[position]
            yield entry
            position += 1

    @property
    def is_active(self) -> bool:
        return self.status in ("in_progress", "requires_action")


class AgentsServer(ModelServer):
    """Plays its scripts as an agent's turns; ``functions`` are those that the agent declares.

    ``noisy`` says every event twice and others between them, ``stale`` lists calls again that have their
    result, ``slow`` is how many results are refused because the call is not known yet, and ``objects`` says
    whether arguments are sent as objects.
    """

    def __init__(self, functions: tuple[str, ...] = ("add",)) -> None:
        super().__init__(conversations=False)
        self.lock = threading.RLock()
        self.functions = functions
        self.sessions: dict[str, Session] = {}
        self.requests: list[str] = []  # "GET /agents/sessions/…", in order
        self.cancels: list[str] = []  # the sessions whose turn was to be cancelled
        self.sent: list[Json] = []  # every event that was put into a log
        self.noisy = self.stale = self.objects = False
        self.slow = 0
        self._keys: dict[str, Json] = {}

    def handler(self) -> type[Handler]:
        """What answers each connection: the protocol."""
        return _Agents

    def wait_until_idle(self) -> None:
        """Until no play is being played, but for those that stand still until they are cancelled."""
        deadline = time.monotonic() + 5
        while any(session.playing for session in self.sessions.values()):
            assert time.monotonic() < deadline, "a turn is still under way"
            time.sleep(0.001)

    def begin(self, asked: Json) -> Session | Play:
        """A new session, with its first turn."""
        if asked.get("agent_id") != "agent_1":
            return self.refuse(404, f"Agent with id '{asked.get('agent_id')}' not found.")
        if not asked.get("input"):
            return self.refuse(400, "Missing required parameter: 'input'.")
        play = self._next(asked)
        if play.status != 200:
            return play
        session = Session(self, asked)
        self.sessions[session.id] = session
        session.say("created")
        self._begin_turn(session, asked["input"], play)
        return session

    def receive(self, session: Session, body: Json, key: str) -> Play | None:
        """Take input; gives the refusal if there is one."""
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
                    self._begin_turn(session, event["input"], play)
                case "tool_result":
                    if refusal := self._result(session, event):
                        return refusal
                case "cancel":
                    self.cancels.append(session.id)
                    self._cancel(session)
        self._keys[key] = body
        return None

    def refuse(self, status: int, words: str) -> Play:
        self.refused.append(words)
        return error(status, "invalid_request_error", words)

    def _next(self, asked: Json) -> Play:
        self.asked.append(asked)
        if not self._script:
            self.problems.append(f"not in the script: {json.dumps(asked, ensure_ascii=False)[:300]}")
            return error(500, "script_ended", "The script has ended.", x_should_retry="false")
        return self._script.popleft()

    def _begin_turn(self, session: Session, given: Any, play: Play) -> None:
        turn = {
            "id": _id("turn"),
            "object": "agent.session.turn",
            "agent_id": "agent_1",
            "session_id": session.id,
            "created_at": 1_790_000_000,
            "status": "in_progress",
            "error": None,
        }
        session.turns.append(turn)
        for message in given:
            item = {
                "id": _id("msg"),
                "type": "message",
                "status": "completed",
                "turn_id": turn["id"],
                **message,
            }
            session.items.append(item)
        session.answered = []
        self._play(session, turn, play, first=True)

    def _result(self, session: Session, event: Json) -> Play | None:
        pending = [each for each in session.actions if each.get("call_id") == event["call_id"]]
        if self.slow or not pending or pending[0]["turn_id"] != event["turn_id"]:
            self.slow = max(0, self.slow - 1)
            return self.refuse(400, f"Unknown pending tool call: {event['call_id']}")
        if len(session.actions) == 1:
            play = self._next({"events": [*session.given, event]})
            if play.status != 200:
                return play
        session.actions.remove(pending[0])
        session.answered.append(pending[0])
        session.given.append(event)
        output = {
            "id": _id("fco"),
            "type": "function_call_output",
            "turn_id": event["turn_id"],
            "call_id": event["call_id"],
            "output": event.get("output"),
            "error": event.get("error"),
            "status": "completed" if event["success"] else "failed",
        }
        session.items.append(output)
        if session.actions:
            session.say("requires_action")
        else:
            session.given = []
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
        session.say(f"turn.{status}", turn=dict(turn), turn_id=turn["id"], usage=None)
        session.say("idle")
        session.playing = False

    def _play(self, session: Session, turn: Json, play: Play, first: bool) -> None:
        session.stop = threading.Event()
        session.status, session.playing = "in_progress", True
        threading.Thread(target=self._go, args=[session, turn, play, first], daemon=True).start()

    def _go(self, session: Session, turn: Json, play: Play, first: bool) -> None:
        """Play the play: every step of it puts one event into the log."""
        index = 0
        for index, (kind, fields, kept) in enumerate(self.steps(session, turn, play, first)):
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
                if kept is not None:
                    session.items.append(kept)
                if kind == "turn.completed":
                    turn |= {"status": "completed", "usage": USAGE}
                    fields["turn"] = dict(turn)
                if kind == "turn.failed":
                    turn |= {"status": "failed", **play.details}
                    fields["turn"] = dict(turn)
                if kind == "requires_action":
                    session.actions = fields.pop("actions")
                    session.playing = False
                if kind in ("idle", "budget_reached", "failed"):
                    session.playing = False
                session.say(kind, **fields)
        with self.lock:
            session.playing = False
            if play.ending == "":
                session.status = "idle"

    def _cut(self, session: Session, play: Play, kind: str, fields: Json) -> bool:
        """Cut the connections; true if the turn dies with them."""
        with session.news:
            session.log.append(Cut(play, {"type": f"agent.session.{kind}", **fields}))
            session.news.notify_all()
            session.looked = threading.Event()
            session.playing = play.keeps != "late"
        while play.keeps == "late" and not (session.stop.is_set() or self.closing.is_set()):
            if session.looked.wait(0.002):
                break
        return play.keeps == "nothing"

    def steps(
        self, session: Session, turn: Json, play: Play, first: bool
    ) -> list[tuple[str, Json, Json | None]]:
        """The events of a play: the kind and the fields of each, and the item that is kept with it."""
        return list(self._steps(session, turn, play, first))

    def _steps(
        self, session: Session, turn: Json, play: Play, first: bool
    ) -> Iterator[tuple[str, Json, Json | None]]:
        in_turn = {"turn_id": turn["id"]}
        if first:
            yield "turn.created", {"turn": dict(turn), **in_turn}, None
            for item in session.items:
                if item["turn_id"] == turn["id"]:
                    yield "turn.item.added", {"item": item, **in_turn}, None
        yield "in_progress", {}, None
        if self.stale and session.answered:
            yield "requires_action", {"actions": list(session.answered)}, None
        if self.noisy:
            other = {**turn, "id": _id("turn"), "subagent_id": "sub_1"}
            whose = {"turn_id": other["id"]}
            place = {"item_id": "msg_x", "output_index": 0, "content_index": 0}
            yield "turn.created", {"turn": other, **whose}, None
            yield "turn.output_text.delta", {"delta": "Not me.", **place, **whose}, None
            yield "turn.completed", {"turn": {**other, "status": "completed"}, **whose, "usage": None}, None
        actions: list[Json] = []
        for index, each in enumerate(play.items):
            place = {"output_index": index, **in_turn}
            at = {"item_id": each["id"], **place}
            match each["type"]:
                case "message":
                    parts = [{"type": "output_text", "text": _words(part)} for part in each["content"]]
                    item = {**each, "content": parts, **in_turn}
                    begun = {**item, "status": "in_progress", "content": []}
                    yield "turn.item.added", {"item": begun, **place}, None
                    for number, part in enumerate(parts):
                        where = {**at, "content_index": number}
                        yield "turn.content_part.added", {"part": {**part, "text": ""}, **where}, None
                        for piece in _split(part["text"], play.pieces):
                            yield "turn.output_text.delta", {"delta": piece, **where}, None
                        yield "turn.output_text.done", {"text": part["text"], **where}, None
                        yield "turn.content_part.done", {"part": part, **where}, None
                    yield "turn.item.done", {"item": item, **place}, item
                case "function_call":
                    arguments = json.loads(each["arguments"]) if self.objects else each["arguments"]
                    item = {**each, "arguments": arguments, "status": "in_progress", **in_turn}
                    names = ("call_id", "name", "arguments", "turn_id", "type")
                    actions.append({name: item[name] for name in names})
                    yield "turn.item.added", {"item": item, **place}, item
                case "reasoning":
                    item = {"id": each["id"], "type": "reasoning", "summary": each["summary"], **in_turn}
                    yield "turn.item.added", {"item": {**item, "summary": []}, **place}, None
                    for number, part in enumerate(each["summary"]):
                        where = {**at, "summary_index": number}
                        yield (
                            "turn.reasoning_summary_part.added",
                            {"part": {**part, "text": ""}, **where},
                            None,
                        )
                        for piece in _split(part["text"], play.pieces):
                            yield "turn.reasoning_summary_text.delta", {"delta": piece, **where}, None
                        yield "turn.reasoning_summary_text.done", {"text": part["text"], **where}, None
                        yield "turn.reasoning_summary_part.done", {"part": part, **where}, None
                    yield "turn.item.done", {"item": item, **place}, item
        actions += play.details.get("actions", [])
        match play.ending:
            case "completed" if actions:
                yield "requires_action", {"actions": [{**in_turn, **action} for action in actions]}, None
            case "completed":
                yield "turn.completed", {"turn": turn, **in_turn, "usage": USAGE}, None
                yield "idle", {}, None
            case "incomplete":
                play.details["error"] = {"code": "max_output_tokens", "message": "Too long."}
                yield "turn.failed", {"turn": turn, **in_turn, "usage": None}, None
                yield "idle", {}, None
            case "failed" if "session" in play.details:
                yield play.details["session"], {}, None
            case "failed" if "words" in play.details:
                yield "error", {"error": play.details["words"]}, None
                yield "idle", {}, None
            case "failed":
                yield "turn.failed", {"turn": turn, **in_turn, "usage": None}, None
                yield "idle", {}, None


def _words(part: Json) -> str:
    return str(part.get("text") or part.get("refusal") or "")


class _Agents(Handler):
    """The paths under ``/agents/sessions``."""

    model: AgentsServer

    def do_GET(self) -> None:
        if self.model.pages:
            super().do_GET()
            return
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match self._place("GET"):
            case []:
                with self.model.lock:
                    sessions = [
                        each.object()
                        for each in self.model.sessions.values()
                        if each.asked["agent_id"] == query.get("agent_id")
                    ]
                self._page(sessions, query)
            case [name, *rest] if session := self.model.sessions.get(name):
                match rest:
                    case []:
                        with self.model.lock:
                            body = session.object()
                            session.looked.set()
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
        body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}")
        assert self.headers["OpenAI-Beta"] == "agents=v1"
        match self._place("POST"):
            case []:
                with self.model.lock:
                    begun = self.model.begin(body)
                if isinstance(begun, Play):
                    self._send(begun.status, begun.body, begun.headers)
                else:
                    self._listen(begun, 0)
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
        self.model.requests.append(f"{method} {path}")
        root, *steps = path.removeprefix("/agents/").split("/")
        return [unquote(step) for step in steps] if root == "sessions" else None

    def _unknown(self) -> None:
        words = "The requested session was not found."
        self._send(404, {"error": {"message": words, "code": "not_found", "type": "invalid_request_error"}})

    def _listen(self, session: Session, position: int) -> None:
        self._begin_stream()
        for entry in session.listen(position):
            if isinstance(entry, Cut):
                entry.play.reached.set()
                self._cut(entry.play.how, _sse(entry.event))
                return
            self.model.sent.append(entry)
            self._chunk(_sse(entry))
