"""The events of a session."""

import json
import random
from contextlib import suppress
from typing import Any

from openai.types.beta import AgentSession, AgentSessionEvent, AgentSessionItem
from openai.types.beta.agents.sessions import Turn
from pydantic import TypeAdapter

from assistant import Assistant, Thread
from assistant.backends.agents.stream import SessionReader, SessionRound, UnsupportedAction
from assistant.backends.stream_errors import StreamError
from assistant.errors import Incomplete
from assistant.events import CommentaryDelta, TextBreak, TextDelta
from tests.backends.agents.conftest import ask
from tests.servers.agents import AgentsServer
from tests.servers.responses import call, calls, message, reasoning, text


def test_the_test_servers_events_match_the_sdks_types(server: AgentsServer, assistant: Assistant) -> None:
    thread = Thread()
    server.plays(
        calls(reasoning("Hm."), message("So."), call("add", a=1, b=2), call("add", a=2, b=2)),
        text("One", "Two"),
        text("Three", ending="failed", details={"error": {"code": "server_error", "message": "x"}}),
        text("Four", ending="failed", details={"error_event": {"code": None, "message": "x", "type": "y"}}),
    )  # but for a limit that is reached: from 3.57 on it is in the SDK's helpers, and not in its types
    for question in ("1", "2", "3"):
        ask(assistant, thread, question)
    events: TypeAdapter[Any] = TypeAdapter(AgentSessionEvent)
    assert {events.validate_python(event).type for event in server.sent} == {
        event["type"] for event in server.sent
    }
    session = server.sessions[thread.id]
    AgentSession.model_validate(session.object())
    items: TypeAdapter[Any] = TypeAdapter(AgentSessionItem)
    assert [items.validate_python(item).type for item in session.items] == [
        item["type"] for item in session.items
    ]
    assert [Turn.model_validate(turn).status for turn in session.turns][:2] == ["completed", "failed"]


def test_malformed_events_raise_only_our_own_errors(server: AgentsServer, assistant: Assistant) -> None:
    server.plays(calls(reasoning("Hm."), message("So."), call("add", a=1, b=2)), text("One", "Two"))
    ask(assistant, Thread(), "1")
    chance = random.Random(1)
    odd: list[Any] = [None, [], {}, [[]], [None], 0, -1.5, True, "", "\ud83d", {"type": {}}, "x" * 99]

    def spoil(value: Any) -> Any:
        if chance.random() < 0.06:
            return chance.choice(odd)
        if isinstance(value, dict):
            return {name: spoil(item) for name, item in value.items() if chance.random() > 0.03}
        return [spoil(item) for item in value] if isinstance(value, list) else value

    for joined in (False, True):
        for _ in range(200):
            reader = SessionReader(SessionRound(), joined=joined)
            for event in server.sent:
                spoiled = spoil(event)
                with suppress(StreamError, UnsupportedAction, Incomplete):
                    for translated in reader.feed(spoiled if isinstance(spoiled, dict) else {}):
                        json.dumps(getattr(translated, "text", ""), ensure_ascii=False).encode()


def test_commentary_is_kept_apart_from_the_answer() -> None:
    def event(kind: str, **fields: Any) -> dict[str, Any]:
        return {"type": f"agent.session.turn.{kind}", "turn_id": "turn_1", **fields}

    working = {"id": "msg_1", "type": "message", "role": "assistant", "phase": "commentary", "content": []}
    part = {"type": "output_text", "text": "It is three."}
    final = {**working, "id": "msg_2", "phase": "final_answer", "content": [part]}
    events = [
        event("item.added", item=working),
        event("output_text.delta", item_id="msg_1", content_index=0, delta="I look."),
        event("item.done", item={**working, "content": [{"type": "output_text", "text": "I look."}]}),
        event("item.done", item=final),
    ]
    reader = SessionReader(SessionRound())
    assert [each for sent in events for each in reader.feed(sent)] == [
        CommentaryDelta("I look."),
        TextBreak(),
        TextDelta("It is three."),
    ]
