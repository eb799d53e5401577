"""The events of one turn of an agent's session, as the Agents API sends them."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.servers.responses import Json, Play, new_id, split_text

if TYPE_CHECKING:
    from tests.servers.agents import Session

TurnEvent = tuple[str, Json, Json | None]
"""The kind and the fields of an event, and the item that the session stores with it."""

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 2},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 15,
}


def turn_events(session: "Session", turn: Json, play: Play, first: bool) -> Iterator[TurnEvent]:
    """Yield the events of a play; ``first`` starts the turn."""
    in_turn = {"turn_id": turn["id"]}
    if first:
        yield "turn.created", {"turn": dict(turn), **in_turn}, None
        for item in session.items:
            if item["turn_id"] == turn["id"]:
                yield "turn.item.added", {"item": item, **in_turn}, None
    yield "in_progress", {}, None
    if session.server.stale and session.answered:
        yield "requires_action", {"actions": list(session.answered)}, None
    if session.server.noisy:
        yield from _subagent_events(turn)
    actions: list[Json] = []
    for index, item in enumerate(play.items):
        place = {"output_index": index, **in_turn}
        match item["type"]:
            case "message":
                yield from _message_events(item, place, play.pieces)
            case "reasoning":
                yield from _reasoning_events(item, place, play.pieces)
            case "function_call":
                arguments = item["arguments"]
                if session.server.objects:
                    arguments = json.loads(arguments)
                call = {**item, "arguments": arguments, "status": "in_progress", **in_turn}
                names = ("call_id", "name", "arguments", "turn_id", "type")
                actions.append({name: call[name] for name in names})
                yield "turn.item.added", {"item": call, **place}, call
    actions += play.details.get("actions", [])
    yield from _ending_events(turn, play, [{**in_turn, **action} for action in actions])


def _subagent_events(turn: Json) -> Iterator[TurnEvent]:
    other = {**turn, "id": new_id("turn"), "subagent_id": "sub_1"}
    in_other = {"turn_id": other["id"]}
    place = {"item_id": "msg_x", "output_index": 0, "content_index": 0}
    yield "turn.created", {"turn": other, **in_other}, None
    yield "turn.output_text.delta", {"delta": "Not me.", **place, **in_other}, None
    yield "turn.completed", {"turn": {**other, "status": "completed"}, **in_other, "usage": None}, None


def _message_events(item: Json, place: Json, pieces: int) -> Iterator[TurnEvent]:
    parts = [{"type": "output_text", "text": _text(part)} for part in item["content"]]
    message = {**item, "content": parts, "turn_id": place["turn_id"]}
    started = {**message, "status": "in_progress", "content": []}
    yield "turn.item.added", {"item": started, **place}, None
    for number, part in enumerate(parts):
        where = {"item_id": item["id"], **place, "content_index": number}
        yield "turn.content_part.added", {"part": {**part, "text": ""}, **where}, None
        for piece in split_text(part["text"], pieces):
            yield "turn.output_text.delta", {"delta": piece, **where}, None
        yield "turn.output_text.done", {"text": part["text"], **where}, None
        yield "turn.content_part.done", {"part": part, **where}, None
    yield "turn.item.done", {"item": message, **place}, message


def _reasoning_events(item: Json, place: Json, pieces: int) -> Iterator[TurnEvent]:
    summary = item["summary"]
    reasoning = {"id": item["id"], "type": "reasoning", "summary": summary, "turn_id": place["turn_id"]}
    yield "turn.item.added", {"item": {**reasoning, "summary": []}, **place}, None
    for number, part in enumerate(summary):
        where = {"item_id": item["id"], **place, "summary_index": number}
        yield "turn.reasoning_summary_part.added", {"part": {**part, "text": ""}, **where}, None
        for piece in split_text(part["text"], pieces):
            yield "turn.reasoning_summary_text.delta", {"delta": piece, **where}, None
        yield "turn.reasoning_summary_text.done", {"text": part["text"], **where}, None
        yield "turn.reasoning_summary_part.done", {"part": part, **where}, None
    yield "turn.item.done", {"item": reasoning, **place}, reasoning


def _ending_events(turn: Json, play: Play, actions: list[Json]) -> Iterator[TurnEvent]:
    in_turn = {"turn_id": turn["id"]}
    match play.ending:
        case "completed" if actions:
            yield "requires_action", {"actions": actions}, None
        case "completed":
            yield "turn.completed", {"turn": turn, **in_turn, "usage": USAGE}, None
            yield "idle", {}, None
        case "incomplete":
            play.details["error"] = {"code": "max_output_tokens", "message": "Too long."}
            yield "turn.failed", {"turn": turn, **in_turn, "usage": None}, None
            yield "idle", {}, None
        case "failed" if "session" in play.details:
            yield play.details["session"], {}, None
        case "failed" if "error_event" in play.details:
            yield "error", {"error": play.details["error_event"]}, None
            yield "idle", {}, None
        case "failed":
            yield "turn.failed", {"turn": turn, **in_turn, "usage": None}, None
            yield "idle", {}, None


def _text(part: Json) -> str:
    return str(part.get("text") or part.get("refusal") or "")
