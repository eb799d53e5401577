"""Reads the events of a session of the Agents API into events of a run.

Not here: requests and sessions (``agents.py``), what a session has heard (``agents_items.py``). Pure:
dictionaries in, events out.

The one rule: only what belongs to our own turn counts. A session also tells of its subagents and of turns
that were cancelled, and tells some things twice; and nothing that it may send can raise anything but our
own errors.
"""

import json
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

from assistant.backends.json_access import Pieces, object_at, text_at
from assistant.backends.responses.stream import usage_of
from assistant.backends.stream_errors import at_token_limit
from assistant.errors import Incomplete
from assistant.events import Event, ReasoningDelta, TextBreak, TextDelta, ToolCall, ToolCallDelta, Usage
from assistant.locale import N_
from assistant.tools.results import replace_surrogates

Item = dict[str, Any]


class SessionError(Exception):
    """The session reported an error; the backend knows how to put it into words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class NeedsMore(Exception):
    """The session waits for something that no function can give it; the text names the kind."""


@dataclass(slots=True)
class Round:
    """What is known of a round, and of the session it belongs to.

    A round is the part of a turn up to where it waits for calls, or to its end.
    """

    turn: str | None = None
    known: list[str] = field(default_factory=list)  # the ids of its items
    answered: set[str] = field(default_factory=set)  # the ids of the turn's calls that have their results
    calls: list[ToolCall] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)  # the functions that the agent may call
    model: str = ""
    usage: Usage | None = None
    session: str = ""


class Reader:
    """Takes a session's events one by one.

    ``ended`` is set when the round ended well, and ``is_over`` as soon as its whole turn is complete.
    ``others`` are turns that are not meant. A reader that joins a turn in its middle (``joined``) says a text
    whose beginning it missed when the whole of it comes, without what was said already (``said``).
    """

    def __init__(self, begun: Round, others: Iterable[str] = (), *, said: str = "", joined: bool = False):
        self.round = begun
        self.ended = False
        self.is_over = False
        self._others = set(others)
        self._seen: set[str] = set()  # the ids of events
        self._said = said
        self._joined = joined
        self._block: object = None  # which text block the last text belonged to
        self._texts: dict[object, str] = {}  # block -> what was said of it
        self._whole_ones: set[object] = set()  # the blocks of which all was said
        self._pieces = Pieces()
        self._summaries: set[object] = set()
        self._drafts: set[str] = set()

    def take(self, event: Item) -> Generator[Event, None, None]:
        """Say what this event means."""
        event_id = text_at(event, "event_id")
        if event_id in self._seen:
            return
        self._seen |= {event_id} if event_id else set()
        self.round.session = self.round.session or text_at(event, "session_id")
        kind = text_at(event, "type").removeprefix("agent.session.")
        if session := object_at(event, "session"):
            self._learn(session)
        if kind.startswith("turn."):
            if self._is_ours(event):
                yield from self._of_turn(kind.removeprefix("turn."), event)
            return
        match kind:
            case "requires_action":
                self._require(session)
            case "idle" | "budget_reached" if self.is_over:
                self.ended = True
            case "budget_reached":
                raise SessionError("session_budget_exceeded", "")
            case "failed":
                raise SessionError("server_error", text_at(session, "error"))
            case "error":
                error = object_at(event, "error")
                raise SessionError(text_at(error, "code"), text_at(error, "message"))

    def catch_up(self, items: Iterable[Item]) -> Generator[Event, None, None]:
        """Say those finished items of our turn that were written before anybody listened, oldest first."""
        for item in items:
            if item.get("turn_id") == self.round.turn and item.get("status") != "in_progress":
                yield from self._finished(item)

    def _is_ours(self, event: Item) -> bool:
        """Whether this event of a turn belongs to ours; the first that is not another's is ours."""
        turn = object_at(event, "turn")
        turn_id = text_at(event, "turn_id") or text_at(turn, "id")
        if turn.get("subagent_id") is not None:
            self._others.add(turn_id)
        if not turn_id or turn_id in self._others:
            return False
        if self.round.turn is None:
            self.round.turn = turn_id
        return turn_id == self.round.turn

    def _of_turn(self, kind: str, event: Item) -> Generator[Event, None, None]:
        match kind:
            case "output_text.delta":
                yield from self._delta(event)
            case "output_text.done":
                yield from self._whole(_block(event), text_at(event, "text"))
            case "content_part.added":
                self._texts.setdefault(_block(event), "")
            case "reasoning_summary_text.delta":
                yield from self._reasoning(event)
            case "item.added":
                yield from self._added(object_at(event, "item"))
            case "item.done":
                yield from self._finished(object_at(event, "item"))
            case "completed":
                turn = object_at(event, "turn")
                self.round.usage = usage_of(object_at(event, "usage") or object_at(turn, "usage"))
                self.is_over = True
            case "failed":
                raise failed(object_at(event, "turn"))
            case "cancelled":
                raise Incomplete(N_("The answer was cancelled at the server."), reason="user")

    def _delta(self, event: Item) -> Generator[Event, None, None]:
        block, delta = _block(event), event.get("delta")
        missed = self._joined and block not in self._texts
        if not isinstance(delta, str) or missed or block in self._whole_ones:
            return
        yield from self._say(block, self._pieces.take(block, delta))

    def _whole(self, block: object, text: str) -> Generator[Event, None, None]:
        """Say of a whole text what was not said yet."""
        self._pieces.drop(block)
        self._whole_ones.add(block)
        if block not in self._texts and self._said:
            known, self._said = self._said, ""
            if known.startswith(text):
                self._texts[block], self._said = text, known[len(text) :]
            elif text.startswith(known):
                self._texts[block] = known
        said = self._texts.get(block, "")
        if text.startswith(said):
            yield from self._say(block, text[len(said) :])

    def _say(self, block: object, text: str) -> Generator[Event, None, None]:
        if not text:
            return
        if self._block is not None and self._block != block:
            yield TextBreak()
        self._block = block
        self._texts[block] = self._texts.get(block, "") + text
        yield TextDelta(text)

    def _reasoning(self, event: Item) -> Generator[Event, None, None]:
        index, delta = event.get("summary_index"), event.get("delta")
        block = text_at(event, "item_id"), index if isinstance(index, int) else 0
        if isinstance(delta, str) and delta:
            another = bool(self._summaries) and block not in self._summaries
            self._summaries.add(block)
            yield ReasoningDelta(("\n\n" if another else "") + replace_surrogates(delta))

    def _added(self, item: Item) -> Generator[Event, None, None]:
        call_id = text_at(item, "call_id")
        if item.get("type") == "function_call" and call_id and call_id not in self._drafts:
            self._drafts.add(call_id)
            self._know(item)
            yield ToolCallDelta(call_id, text_at(item, "name"), _arguments(item))

    def _finished(self, item: Item) -> Generator[Event, None, None]:
        self._know(item)
        if item.get("type") != "message" or item.get("role") != "assistant":
            return
        content = item.get("content")
        for index, part in enumerate(content if isinstance(content, list) else []):
            if isinstance(part, dict):
                yield from self._whole((text_at(item, "id"), index), text_at(part, "text"))

    def _know(self, item: Item) -> None:
        if (item_id := text_at(item, "id")) and item_id not in self.round.known:
            self.round.known.append(item_id)

    def _learn(self, session: Item) -> None:
        self.round.session = text_at(session, "id") or self.round.session
        agent = object_at(session, "agent")
        self.round.model = text_at(agent, "model") or self.round.model
        self.round.declared = declared(agent) or self.round.declared

    def _require(self, session: Item) -> None:
        """Take up the calls that the session waits for; what has its result is listed once more at times."""
        calls: dict[str, ToolCall] = {}
        for action in required(session):
            kind, turn = text_at(action, "type"), action.get("turn_id")
            if turn is not None and turn != self.round.turn:
                continue
            if kind != "function_call":
                raise NeedsMore(kind)
            call_id = text_at(action, "call_id")
            if call_id and call_id not in self.round.answered:
                calls.setdefault(call_id, ToolCall(call_id, text_at(action, "name"), _arguments(action)))
        self.round.calls = list(calls.values())
        self.ended = bool(calls)


def failed(turn: Item) -> Exception:
    """What a failed turn raises."""
    error = object_at(turn, "error")
    if text_at(error, "code") == "max_output_tokens":
        return at_token_limit()
    return SessionError(text_at(error, "code") or "server_error", text_at(error, "message"))


def required(session: Item) -> list[Item]:
    """The actions that a session waits for."""
    actions = session.get("required_actions")
    return [each for each in actions if isinstance(each, dict)] if isinstance(actions, list) else []


def declared(agent: Item) -> list[str]:
    """The names of the functions that an agent may call."""
    tools = agent.get("tools")
    functions = tools if isinstance(tools, list) else []
    return [text_at(each, "name") for each in functions if isinstance(each, dict) and _is_function(each)]


def _is_function(tool: Item) -> bool:
    return tool.get("type") == "function" and bool(text_at(tool, "name"))


def _arguments(call: Item) -> str:
    """A call's arguments as JSON text: they come as an object or as text."""
    value = call.get("arguments")
    if isinstance(value, str):
        return replace_surrogates(value)
    try:
        return "" if value is None else replace_surrogates(json.dumps(value, ensure_ascii=False))
    except RecursionError as error:
        raise SessionError("", "arguments that are nested too deeply") from error


def _block(event: Item) -> object:
    index = event.get("content_index")
    return text_at(event, "item_id"), index if isinstance(index, int) else 0
