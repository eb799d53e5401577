"""One conversation with every kind of turn, which a server of any protocol can play."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from assistant import Assistant, Thread, ToolError, tool
from assistant.events import CallAnswered, CallApproved, CallDenied, Decision, EventStream
from assistant.messages import Message
from assistant.parts import Call, Part
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from tests.conftest import add
from tests.servers.responses import Play, call, calls, message, text


@tool(approval=True)
def book(city: str) -> str:
    """Book a room.

    Args:
        city: The city.
    """
    return f"Booked in {city}."


@tool
def fail(why: str) -> str:
    """Fail.

    Args:
        why: The reason.
    """
    raise ToolError(f"It fails: {why}")


TOOLS = (add, book, fail)

TURNS: list[tuple[str, Callable[[], list[Play]]]] = [
    ("Hello?", lambda: [text("Hello! **世界** 👩‍👩‍👧")]),
    ("One call", lambda: [calls(call("add", a=1, b=2)), text("It is 3.")]),
    (
        "Parallel calls",
        lambda: [
            calls(message("Let me see."), call("add", a=1, b=2), call("add", a=3, b=4)),
            text("3 and 7."),
        ],
    ),
    ("Chained calls", lambda: [calls(call("add", a=1, b=2)), calls(call("add", a=3, b=3)), text("It is 6.")]),
    (
        "Failing calls",
        lambda: [calls(call("fail", why="so"), call("add", arguments='{"a": 1')), text("Nothing works.")],
    ),
    (
        "Approval",
        lambda: [
            calls(
                *(call("book", city=city) for city in ("Oslo", "Rome", "Paris", "Kyoto")),
                call("add", a=5, b=6),
            ),
            text("Booked."),
        ],
    ),
    ("Thank you", lambda: [text("You're welcome.")]),
]


def hold_conversation(server: Any, assistant: Assistant) -> tuple[Thread, list[LiveRecording]]:
    """Return the thread of the whole conversation, and a recording of each run."""
    thread, recordings = Thread(), []

    def record(run: EventStream) -> None:
        recordings.append(LiveRecording())
        assert list(record_run(run, recordings[-1]))

    for words, plays in TURNS:
        server.plays(*plays())
        record(assistant.run(thread, words))
        if thread.open_calls():
            first, second, third, fourth = (each.call_id for each in thread.open_calls())
            decisions: list[Decision] = [
                CallApproved(first),
                CallApproved(second, '{"city": "Milan"}'),
                CallDenied(third, "Too dear."),
                CallAnswered(fourth, "Booked by hand."),
            ]
            record(assistant.decide(thread, decisions))
    assert server.refused == []
    return thread, recordings


def with_counted_calls(messages: list[Message]) -> list[Message]:
    """Return the messages with call ids that count the calls, because each server has ids of its own."""
    ids: dict[str, str] = {}

    def with_counted(part: Part) -> Part:
        if not isinstance(part, Call):
            return part
        call_id = ids.setdefault(part.call_id, f"call_{len(ids)}")
        result, decision = part.result, part.decision
        return replace(
            part,
            call_id=call_id,
            result=result and replace(result, call_id=call_id),
            decision=decision and replace(decision, call_id=call_id),
        )

    return [replace(each, parts=[with_counted(part) for part in each.parts]) for each in messages]
