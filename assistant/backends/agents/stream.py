"""The events of a session, translated into events of a run. Pure functions.

Only what belongs to our own turn counts: a session also reports its subagents and cancelled turns, and some
things twice. Only ``StreamError``, ``UnsupportedAction`` and ``Incomplete`` are ever raised.
"""

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from assistant.backends.json_access import (
    JsonObject,
    SurrogateBuffer,
    arguments_of,
    object_at,
    objects_at,
    stream_error,
    text_at,
    usage_of,
)
from assistant.backends.stream_errors import StreamError, incomplete
from assistant.errors import Incomplete
from assistant.events import (
    CommentaryDelta,
    Event,
    ReasoningDelta,
    TextBreak,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from assistant.locale import N_
from assistant.texts import replace_surrogates


class UnsupportedAction(Exception):
    """The session waits for something that no function can provide; the text names its type."""


@dataclass(slots=True)
class SessionRound:
    """What is known of a round: the part of a turn until it waits for calls, or ends."""

    turn_id: str = ""
    session_id: str = ""
    known_items: list[str] = field(default_factory=list)  # ids of its items
    answered_calls: set[str] = field(default_factory=set)  # ids of the turn's calls that have their results
    calls: list[ToolCall] = field(default_factory=list)
    declared_functions: list[str] = field(default_factory=list)  # the functions that the agent may call
    model: str = ""
    usage: Usage | None = None


class SessionReader:
    """Translates a session's events one by one.

    ``has_ended`` is set when the round ended well, and ``is_turn_complete`` as soon as its whole turn is
    complete. Events of ``other_turns`` are ignored. With ``joined``, the turn began before the events did: a
    text whose beginning was missed is yielded when the whole of it arrives, without the ``known_text`` of the
    transcript.
    """

    def __init__(
        self,
        started: SessionRound,
        other_turns: Iterable[str] = (),
        *,
        known_text: str = "",
        joined: bool = False,
    ) -> None:
        self.round = started
        self.has_ended = False
        self.is_turn_complete = False
        self._other_turns = set(other_turns)
        self._event_ids: set[str] = set()
        self._known_text = known_text
        self._joined = joined
        self._block: object = None  # the block of the last text
        self._texts: dict[object, str] = {}  # block -> its text so far
        self._complete_blocks: set[object] = set()
        self._commentary: set[str] = set()  # the ids of messages that are not the answer
        self._buffer = SurrogateBuffer()
        self._summaries: set[object] = set()
        self._drafts: set[str] = set()

    def feed(self, event: JsonObject) -> Generator[Event, None, None]:
        """Translate one event."""
        event_id = text_at(event, "event_id")
        if event_id in self._event_ids:
            return
        self._event_ids |= {event_id} if event_id else set()
        self.round.session_id = self.round.session_id or text_at(event, "session_id")
        kind = text_at(event, "type").removeprefix("agent.session.")
        if session := object_at(event, "session"):
            self._read_session(session)
        if kind.startswith("turn.") and not self._is_own_turn(event):
            return
        match kind:
            case "turn.output_text.delta":
                yield from self._text_delta(event)
            case "turn.output_text.done":
                yield from self._complete_text(_block(event), text_at(event, "text"))
            case "turn.content_part.added":
                self._texts.setdefault(_block(event), "")
            case "turn.reasoning_summary_text.delta":
                yield from self._reasoning(event)
            case "turn.item.added":
                yield from self._item_added(object_at(event, "item"))
            case "turn.item.done":
                yield from self._item_done(object_at(event, "item"))
            case "turn.completed":
                turn = object_at(event, "turn")
                self.round.usage = usage_of(object_at(event, "usage") or object_at(turn, "usage"))
                self.is_turn_complete = True
            case "turn.failed":
                raise turn_error(object_at(event, "turn"))
            case "turn.cancelled":
                raise Incomplete(N_("The answer was cancelled at the server."), reason="user")
            case "requires_action":
                self._read_required_calls(session)
            case "idle" | "budget_reached" if self.is_turn_complete:
                self.has_ended = True
            case "budget_reached":
                raise StreamError("session_budget_exceeded", "")
            case "failed":
                raise StreamError("server_error", text_at(session, "error"))
            case "error":
                raise stream_error(object_at(event, "error"))

    def catch_up(self, items: Iterable[JsonObject]) -> Generator[Event, None, None]:
        """Translate the finished items of our turn from before the events, oldest first."""
        for item in items:
            if item.get("turn_id") == self.round.turn_id and item.get("status") != "in_progress":
                yield from self._item_done(item)

    def _is_own_turn(self, event: JsonObject) -> bool:
        """Return whether an event belongs to our turn; the first turn that is not another's is ours."""
        turn = object_at(event, "turn")
        turn_id = text_at(event, "turn_id") or text_at(turn, "id")
        if turn.get("subagent_id") is not None:
            self._other_turns.add(turn_id)
        if not turn_id or turn_id in self._other_turns:
            return False
        self.round.turn_id = self.round.turn_id or turn_id
        return turn_id == self.round.turn_id

    def _text_delta(self, event: JsonObject) -> Generator[Event, None, None]:
        block, delta = _block(event), event.get("delta")
        missed_start = self._joined and block not in self._texts
        if isinstance(delta, str) and not missed_start and block not in self._complete_blocks:
            yield from self._text(block, self._buffer.feed(block, delta))

    def _complete_text(self, block: tuple[str, int], text: str) -> Generator[Event, None, None]:
        """Yield the part of a complete text that is new."""
        self._buffer.discard(block)
        self._complete_blocks.add(block)
        if block not in self._texts and self._known_text:
            known, self._known_text = self._known_text, ""
            if known.startswith(text):
                self._texts[block], self._known_text = text, known[len(text) :]
            elif text.startswith(known):
                self._texts[block] = known
        so_far = self._texts.get(block, "")
        if text.startswith(so_far):
            yield from self._text(block, text[len(so_far) :])

    def _text(self, block: tuple[str, int], text: str) -> Generator[Event, None, None]:
        if not text:
            return
        if self._block is not None and self._block != block:
            yield TextBreak()
        self._block = block
        self._texts[block] = self._texts.get(block, "") + text
        yield CommentaryDelta(text) if block[0] in self._commentary else TextDelta(text)

    def _reasoning(self, event: JsonObject) -> Generator[Event, None, None]:
        index, delta = event.get("summary_index"), event.get("delta")
        block = text_at(event, "item_id"), index if isinstance(index, int) else 0
        if isinstance(delta, str) and delta:
            is_next = bool(self._summaries) and block not in self._summaries
            self._summaries.add(block)
            yield ReasoningDelta(("\n\n" if is_next else "") + replace_surrogates(delta))

    def _item_added(self, item: JsonObject) -> Generator[Event, None, None]:
        call_id = text_at(item, "call_id")
        if item.get("phase") == "commentary":
            self._commentary.add(text_at(item, "id"))
        if item.get("type") == "function_call" and call_id and call_id not in self._drafts:
            self._drafts.add(call_id)
            self._add_known(item)
            yield ToolCallDelta(call_id, text_at(item, "name"), arguments_of(item))

    def _item_done(self, item: JsonObject) -> Generator[Event, None, None]:
        self._add_known(item)
        if item.get("phase") == "commentary":
            self._commentary.add(text_at(item, "id"))
        if item.get("type") != "message" or item.get("role") != "assistant":
            return
        content = item.get("content")
        for index, part in enumerate(content if isinstance(content, list) else []):
            if isinstance(part, dict):
                yield from self._complete_text((text_at(item, "id"), index), text_at(part, "text"))

    def _add_known(self, item: JsonObject) -> None:
        if (item_id := text_at(item, "id")) and item_id not in self.round.known_items:
            self.round.known_items.append(item_id)

    def _read_session(self, session: JsonObject) -> None:
        agent = object_at(session, "agent")
        self.round.session_id = text_at(session, "id") or self.round.session_id
        self.round.model = text_at(agent, "model") or self.round.model
        self.round.declared_functions = _function_names(agent) or self.round.declared_functions

    def _read_required_calls(self, session: JsonObject) -> None:
        """Set the calls that the session waits for; some that have their results may be listed again."""
        calls: dict[str, ToolCall] = {}
        for action in required_actions(session):
            kind, turn_id = text_at(action, "type"), action.get("turn_id")
            if turn_id is not None and turn_id != self.round.turn_id:
                continue
            if kind != "function_call":
                raise UnsupportedAction(kind)
            call_id = text_at(action, "call_id")
            if call_id and call_id not in self.round.answered_calls:
                calls.setdefault(call_id, ToolCall(call_id, text_at(action, "name"), arguments_of(action)))
        self.round.calls = list(calls.values())
        self.has_ended = bool(calls)


def is_active(session: JsonObject) -> bool:
    """Return whether a turn of the session is running or waits for calls."""
    return session.get("status") in ("in_progress", "requires_action")


def turn_error(turn: JsonObject) -> StreamError | Incomplete:
    error = object_at(turn, "error")
    if text_at(error, "code") == "max_output_tokens":
        return incomplete("max_output_tokens")
    return StreamError(text_at(error, "code") or "server_error", text_at(error, "message"))


def required_actions(session: JsonObject) -> list[JsonObject]:
    return objects_at(session, "required_actions")


def _function_names(agent: JsonObject) -> list[str]:
    names = (text_at(tool, "name") for tool in objects_at(agent, "tools") if tool.get("type") == "function")
    return [name for name in names if name]


def _block(event: JsonObject) -> tuple[str, int]:
    index = event.get("content_index")
    return text_at(event, "item_id"), index if isinstance(index, int) else 0
