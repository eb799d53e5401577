"""Conversations that are too long for the model: the oldest turns are left out, with a note."""

import json
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends.client import connect
from assistant.backends.context import SHORTENED
from assistant.backends.responses.backend import Responses
from assistant.events import Event, Note, RunCompleted, RunFailed
from assistant.settings import Settings
from tests.conftest import Connect, add
from tests.servers.responses import Json, ModelServer, call, calls, error, reasoning, text

# What servers say, word for word where their source or their users tell.
REFUSALS = [
    error(400, "context_length_exceeded", "Your input exceeds the context window of this model."),
    error(400, None, "This model's maximum context length is 4096 tokens. However, you requested 9000."),
    error(400, "400", "request (9412 tokens) exceeds the available context size (8192 tokens)"),
    error(400, None, "prompt too long; exceeded max context length by 4 tokens"),
    error(500, None, "The model is loaded with context length of only 4096 tokens."),
]


def talk(server: ModelServer, assistant: Assistant, turns: int) -> Thread:
    """Return a conversation of this many turns, each with a call."""
    thread = Thread()
    for number in range(turns):
        server.plays(calls(reasoning("Hm."), call("add", a=number, b=1)), text(f"Sum {number}."))
        assert list(assistant.run(thread, f"Question {number}"))[-1] == RunCompleted()
    return thread


def last_input(server: ModelServer) -> list[str]:
    """Return a short form of the history in the last request."""
    return [short(item) for item in server.requests[-1]["input"]]


def short(item: Json) -> str:
    content = item.get("content")
    if isinstance(content, list):
        content = content[0].get("text")
    return str(content) if item["type"] == "message" else str(item["type"])


def notes(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, Note)]


@pytest.fixture
def server() -> Any:
    with ModelServer(conversations=False) as server:
        yield server


TURN = ["reasoning", "function_call", "function_call_output"]


@pytest.mark.exhaustive
@pytest.mark.parametrize("refusal", REFUSALS)
def test_after_a_refusal_only_the_newest_turns_are_sent(
    server: ModelServer, connect_to: Connect, refusal: Any
) -> None:
    assistant = connect_to(server.url, add)
    thread = talk(server, assistant, 4)
    server.plays(refusal, text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert last_input(server) == ["Question 3", *TURN, "Sum 3.", "And now?"], "no more than half of it"
    assert (notes(events), events[-1]) == ([SHORTENED], RunCompleted())
    server.plays(text("Fine too."))
    events = list(assistant.run(thread, "And then?"))
    assert last_input(server)[0] == "Question 3", "what was left out stays out"
    assert notes(events) == []
    assert len(thread.messages) == 12, "nothing is lost here"


def test_each_refusal_halves_the_history_down_to_the_last_turn(
    server: ModelServer, connect_to: Connect
) -> None:
    assistant = connect_to(server.url, add)
    thread = talk(server, assistant, 8)
    server.plays(*[REFUSALS[0]] * 3, text("Fine."))
    events = list(assistant.run(thread, "And now?"))
    assert [request["input"][0]["content"] for request in server.requests[-4:]] == [
        *("Question 0", "Question 5", "Question 7", "And now?")
    ]
    assert (notes(events), events[-1]) == ([SHORTENED], RunCompleted())


def test_a_single_turn_that_is_too_long_fails(server: ModelServer, connect_to: Connect) -> None:
    assistant, thread = connect_to(server.url, add), Thread()
    server.plays(REFUSALS[0])
    ending = list(assistant.run(thread, "x" * 1000))[-1]
    assert isinstance(ending, RunFailed)
    assert (ending.code, ending.retry) == ("context_length_exceeded", False)
    assert thread.messages[0].text == "x" * 1000


def test_long_results_displace_older_turns(server: ModelServer, connect_to: Connect) -> None:
    assistant = connect_to(server.url, add)
    thread = talk(server, assistant, 2)
    server.plays(calls(call("add", a=1, b=2)), REFUSALS[0], text("Fine."))
    assert list(assistant.run(thread, "Again"))[-1] == RunCompleted()
    assert last_input(server) == ["Again", "function_call", "function_call_output"]


def test_with_a_known_context_size_no_more_than_fits_is_sent(server: ModelServer) -> None:
    settings = Settings(base_url=server.url, context=1000)
    with connect(settings) as client:
        backend = Responses(client, model="m", instructions="Be brief.", context=settings.context)
        assistant, thread = Assistant(backend, Toolbox(add)), Thread()
        seen = []
        for number in range(30):
            server.plays(text(f"Answer {number} " + "x" * 100))
            seen += list(assistant.run(thread, f"Question {number} 日本語"))
            length = len(json.dumps(server.requests[-1], ensure_ascii=False).encode())
            assert length < 3 * 1000 + 200
        assert last_input(server)[0].startswith("Question ")
        assert 2 <= len(notes(seen)) <= 10, "once for many turns, not at each of them"


def test_a_server_with_conversations_truncates_by_itself(connect_to: Connect) -> None:
    with ModelServer() as server:
        assistant = connect_to(server.url, add)
        thread = talk(server, assistant, 2)
        server.plays(REFUSALS[0], text("Fine."), text("Fine too."))
        events = list(assistant.run(thread, "And now?"))
        assert (notes(events), events[-1]) == ([SHORTENED], RunCompleted())
        assert list(assistant.run(thread, "And then?"))[-1] == RunCompleted()
        assert [request.get("truncation") for request in server.requests[-4:]] == [None, None, "auto", "auto"]
        server.plays(REFUSALS[0])
        assert isinstance(list(assistant.run(thread, "Once more?"))[-1], RunFailed)
