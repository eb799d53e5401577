"""Any events of a server are read or refused with our own errors, and the thread continues.

The examples are few and always the same; for a longer search raise ``max_examples`` below.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import astuple
from itertools import accumulate, pairwise
from typing import Any, get_args

import pytest

from assistant import Thread
from assistant.backends.responses.stream import CompletedResponse, read
from assistant.backends.stream_errors import MissingFinalEvent, StreamError
from assistant.errors import Incomplete
from assistant.events import Ending, Event, RoundEnded, RunCompleted, RunFailed, TextDelta, ToolCall
from assistant.messages import Message
from assistant.tools.arguments import valid_arguments
from tests.conftest import Connect, add
from tests.servers.responses import (
    Conversation,
    ModelServer,
    Play,
    call,
    calls,
    message,
    reasoning,
    refusal,
    text,
)

pytest.importorskip("hypothesis", reason="needs hypothesis; see .ci/run")
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Json = dict[str, Any]

pytestmark = pytest.mark.exhaustive


def examples(number: int) -> settings:
    return settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


# --- what a server may send ---------------------------------------------------------------------------

REAL: list[list[Json]] = [
    [event for event in play.stream("resp_1", {"model": "m"}) if isinstance(event, dict)]
    for play in (
        text("Hello, world", "And again"),
        calls(reasoning("Hmm, let me see"), message("Wait."), call("add", a=1, b=1), call("add", a=2, b=2)),
        refusal("I will not."),
        text("So far", ending="incomplete", details={"incomplete_details": {"reason": "max_output_tokens"}}),
        calls(call("add", a=1, b=1), ending="failed", details={"error": {"code": "server_error"}}),
        text("Hello", ending=""),
    )
]
TYPES = sorted({event["type"] for events in REAL for event in events} | {"error", "response.done"})
READ = [
    kind for kind in TYPES if not kind.endswith((".created", ".in_progress", "_part.added", "_part.done"))
]
ODD: list[Any] = [
    None, True, 0, 1, -1, 2**70, 1.5, float("nan"), float("-inf"), "", "a", "b", "x" * 10_000, "\x00", "é",
    "\ud83d", "\ude00", [], [None], ["a", {"a": "b"}], {}, {"a": None}, {"type": "message"}, {"text": ["b"]},
]  # fmt: skip
values = st.sampled_from(ODD).map(deepcopy)
items = st.fixed_dictionaries(
    {"type": st.sampled_from(["message", "function_call", "function_call", "reasoning"]) | values}
    | dict.fromkeys(("id", "call_id", "name", "arguments", "content", "status"), values)
)
responses = st.fixed_dictionaries(
    {"output": st.lists(items, max_size=2) | values, "status": values, "error": values, "usage": values}
)
places = dict.fromkeys(("item_id", "output_index", "content_index", "summary_index"), values)
texts = dict.fromkeys(("delta", "text", "refusal", "error"), values)
invented = st.fixed_dictionaries(
    {"type": st.sampled_from(READ), "item": items | values, "response": responses | values, **places, **texts}
)


anything = st.recursive(
    st.none() | st.floats() | st.text(max_size=5) | values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def distorted(draw: st.DrawFn) -> list[Any]:
    """Generate a real response's events with a few errors."""
    events: list[Any] = deepcopy(draw(st.sampled_from(REAL)))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(0, len(events) - 1)))
        match draw(
            st.sampled_from(["drop", "replace", "replace", "rename", "twice", "move", "cut", "insert"])
        ):
            case "insert":
                events.insert(at, draw(invented | values | st.just({"type": "response.hologram.delta"})))
            case "cut":
                del events[at + 1 :]
            case "twice" if events:
                events.insert(draw(st.integers(0, len(events))), deepcopy(events[at]))
            case "move" if events:
                events.insert(draw(st.integers(0, len(events) - 1)), events.pop(at))
            case change if events and (places := list(_places(events[at]))):
                holder, key = draw(st.sampled_from(places))
                if change == "drop":
                    del holder[key]
                elif change == "rename":
                    names = [events[at].get("item_id"), "msg_x", "gAAA=+/" * 40 + "=="]
                    holder[key] = draw(st.sampled_from(names))
                else:
                    holder[key] = draw(values)
    return events


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Return every place inside a value where another value can be put."""
    inside: Any = (
        value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
    )
    for key, each in inside:
        yield value, key
        yield from _places(each)


# --- the reader ---------------------------------------------------------------------------------------


def read_all(events: list[Any]) -> tuple[list[Event], CompletedResponse | None]:
    """Return the reader's events, and the answer if the response ended well, or raise our own errors."""
    yielded: list[Event] = []
    reading = read(iter(events))
    try:
        while True:
            yielded.append(next(reading))
    except StopIteration as end:
        return yielded, end.value
    except (StreamError, Incomplete, MissingFinalEvent):
        return yielded, None


def sensible(yielded: list[Event], response: CompletedResponse | None) -> None:
    """Assert what holds for all events of the reader."""
    ended = [event for event in yielded if isinstance(event, RoundEnded)]
    tool_calls = [event for event in yielded if isinstance(event, ToolCall)]
    for event in yielded:
        for value in astuple(event):
            if isinstance(value, str):
                value.encode()  # it can be drawn, stored and sent
    for each in tool_calls:
        assert [type(value) for value in astuple(each)] == [str, str, str, str, bool, str]
    if response is None:
        assert (ended, tool_calls) == ([], [])
    else:
        assert ended == [yielded[-1]]
        assert tool_calls == response.calls
        assert len({each.call_id for each in tool_calls}) == len(tool_calls), "a call is run once"
        json.dumps(response.items, allow_nan=False, ensure_ascii=False).encode()
        call_items = [item for item in response.items if item.get("type") == "function_call"]
        assert [(item["call_id"], item["arguments"]) for item in call_items] == [
            (each.call_id, valid_arguments(each.arguments)) for each in tool_calls
        ]


@examples(100)
@given(st.lists(anything, max_size=4))
def test_events_of_any_json_are_read_or_refused(events: list[Any]) -> None:
    sensible(*read_all([*events, {"type": "response.completed"}]))


@examples(200)
@given(st.lists(invented, max_size=5))
def test_events_with_the_right_names_and_anything_in_them_are_read_or_refused(events: list[Any]) -> None:
    sensible(*read_all([*events, {"type": "response.completed"}]))


@examples(300)
@given(distorted())
def test_a_real_response_with_things_wrong_is_read_or_refused(events: list[Any]) -> None:
    yielded, response = read_all(events)
    sensible(yielded, response)
    deltas = _deltas(events)
    texts = iter([event.text for event in yielded if isinstance(event, TextDelta)])
    if response is not None and "".join(deltas).isascii():
        assert all(delta in texts for delta in deltas), "every delta is said, in their order"


@examples(100)
@given(distorted())
def test_the_text_is_its_joined_deltas(events: list[Any]) -> None:
    kinds = ("response.output_text.delta", "response.function_call_arguments.delta")
    streamed = [event for event in events if isinstance(event, dict) and event.get("type") in kinds]
    yielded, response = read_all([*streamed, {"type": "response.completed"}])
    assert response == CompletedResponse()
    words = "".join(event.text for event in yielded if isinstance(event, TextDelta))
    joined = "".join(_deltas(streamed))
    assert words == joined or not joined.isascii()


def _deltas(events: list[Any]) -> list[str]:
    """Return the deltas of text before the response's end."""
    found = []
    for event in events:
        kind = event.get("type") if isinstance(event, dict) else None
        if kind in ("response.completed", "response.done"):
            break
        if kind == "response.output_text.delta" and isinstance(event.get("delta"), str) and event["delta"]:
            found.append(event["delta"])
    return found


# --- the whole way, from bytes on a socket to a message -----------------------------------------------

NOISE = [
    b": a comment\n\n",
    b"data: [DONE]\n\n",
    b'data: {"type": "response.outp',
    b"data: \xff\xfe\n\n",
    b"\xe2\x82",
    b"data: Internal Server Error\n\n",
    b"data:\n\n",
    b"event: response.completed\ndata: null\n\n",
    b"data: 7\n\ndata: []\n\n",
    b'data: {"type": "response.output_text.delta", "delta": 1e999, "output_index": -1e999}\n\n',
    b'data: {"type": "response.output_text.delta", "delta": NaN}\n\n',
    b'data: {"type": "response.output_text.delta", "delta": "\\ud83d"}\n\n',
    b'data: {"type": "response.output_item.done", "item": {"type": "message", "x": [NaN, "\\udc00"]}}\n\n',
    b'data: {"type": "response.completed", "response": {"usage": {"input_tokens": 1e999}}}\n\n',
    b"data: " + b"9" * 5000 + b"\n\n",
    b"data: " + b"[" * 100_000 + b"\n\n",
    b"\x00",
    b"\r\n",
    b"\n\n",
    b"data: " + b'"' + b"x" * 1_000_000 + b'"\n\n',
]


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, ...]:
    """Generate the bytes of a stream in the pieces in which they arrive."""
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"]))
    named = draw(st.booleans())
    lines = []
    for event in draw(st.sampled_from(REAL) | distorted()):
        name = event.get("type") if isinstance(event, dict) else None
        head = b"event: " + name.encode("utf-8", "replace") + end if named and isinstance(name, str) else b""
        lines.append(head + b"data: " + json.dumps(event).encode() + end + end)
    for noise in draw(st.lists(st.sampled_from(NOISE), max_size=2)):
        lines.insert(draw(st.integers(0, len(lines))), noise)
    stream = b"".join(lines) or b"\n"
    if draw(st.booleans()):
        stream = stream[: draw(st.integers(1, len(stream)))]
    lengths = draw(st.lists(st.integers(1, 400), max_size=8))
    cuts = [0, *(cut for cut in accumulate(lengths) if cut < len(stream)), len(stream)]
    return tuple(stream[start:stop] for start, stop in pairwise(cuts))


class Babbler(ModelServer):
    """Sends a stream once, then always "Fine.", and refuses nothing."""

    first: Play | None = None

    def __enter__(self) -> "Babbler":
        super().__enter__()
        return self

    def next_play(self, request: Json) -> tuple[Play, Conversation | None]:
        play, self.first = self.first or text("Fine."), None
        return play, None


@pytest.mark.parametrize("conversations", [True, False], ids=["conversations", "stateless"])
def test_whatever_bytes_a_server_sends_a_run_ends_once_and_the_next_message_works(
    connect_to: Connect, conversations: bool
) -> None:
    with Babbler(conversations=conversations) as babbler:
        assistant = connect_to(babbler.url, add)

        @examples(40)
        @given(streams())
        def holds(stream: tuple[bytes, ...]) -> None:
            babbler.first = Play(events=stream)
            thread = Thread()
            events = list(assistant.run(thread, "Hi"))
            assert [event for event in events if isinstance(event, get_args(Ending))] == events[-1:]
            assert not isinstance(events[-1], RunFailed) or events[-1].code != "internal", events[-1]
            folded = Message("assistant")
            for event in events:
                folded.add(event)
            assert thread.messages == [Message.from_user("Hi"), folded]
            assert list(assistant.run(thread, "And now?"))[-1] == RunCompleted()
            assert thread.messages[-1].text == "Fine."

        holds()
