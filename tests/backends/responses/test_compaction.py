"""A server that compacts long conversations: requested where turns would be left out, and sent back as it came."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from assistant import Assistant, Thread, Toolbox
from assistant.backends import open_backend
from assistant.backends.client import connect
from assistant.backends.responses.backend import Responses
from assistant.demo import DemoTransport
from assistant.events import Note, RunCompleted
from assistant.parts import Remark
from assistant.settings import Settings
from tests.conftest import add
from tests.servers.responses import Json, ModelServer, Play, call, calls, message, new_id, text

Ask = Callable[..., Assistant]
COMPACTED = "The server shortened the earlier conversation for the model."


@pytest.fixture
def ask(server: ModelServer) -> Iterator[Ask]:
    """Create assistants for a server that can compact conversations."""
    with ExitStack() as clients:

        def create(**options: Any) -> Assistant:
            client = clients.enter_context(connect(Settings(api_key="sk-test", base_url=server.url)))
            return Assistant(Responses(client, model="test-model", lacks=(), **options), Toolbox(add))

        yield create


def compacted() -> Json:
    return {"id": new_id("cmp"), "type": "compaction", "encrypted_content": "c2VjcmV0"}


def notes(events: list[Any]) -> list[str]:
    return [str(event.text) for event in events if isinstance(event, Note)]


def test_a_compaction_stands_for_what_was_before_it(server: ModelServer, ask: Ask) -> None:
    server.has_conversations = False
    item = compacted()
    server.plays(text("One."), calls(item, message("Two.")), text("Three."))
    assistant, thread = ask(context=4_000), Thread()
    list(assistant.run(thread, "1"))
    events = list(assistant.run(thread, "2"))
    assert (notes(events), events[-1]) == ([COMPACTED], RunCompleted())
    assert list(assistant.run(thread, "3"))[-1] == RunCompleted()
    assert server.requests[0]["context_management"] == [{"type": "compaction", "compact_threshold": 3_000}]
    first, *others = server.requests[2]["input"]
    assert first == item  # as it came
    assert [each.get("role") for each in others] == ["assistant", "user"]


def test_a_call_before_a_compaction_is_sent_with_its_output(server: ModelServer, ask: Ask) -> None:
    server.has_conversations = False
    server.plays(calls(call("add", a=1, b=2), compacted()), text("Three."), text("Yes."))
    assistant, thread = ask(context=4_000), Thread()
    assert list(assistant.run(thread, "1 + 2?"))[-1] == RunCompleted()
    assert "function_call" in [item.get("type") for item in server.requests[1]["input"]]
    assert list(assistant.run(thread, "Sure?"))[-1] == RunCompleted()
    assert server.refused == []


def test_a_model_that_does_not_compact_gets_the_newest_part(server: ModelServer, ask: Ask) -> None:
    server.has_conversations = False
    body = {"message": "Unsupported parameter: 'context_management'.", "param": "context_management"}
    refused = Play(status=400, body={"error": body | {"type": "invalid_request_error", "code": None}})
    server.plays(refused, text("x" * 5_000), text("Two."))
    assistant, thread = ask(context=1_500), Thread()
    [note] = notes(list(assistant.run(thread, "1")))
    assert note.startswith("The model does not compact long chats")
    events = list(assistant.run(thread, "2"))
    assert notes(events) == ["The conversation is too long for the model. Only its newest part was sent."]
    assert "context_management" not in server.requests[2]


def test_nothing_is_requested_without_a_window_or_of_an_unknown_server(server: ModelServer, ask: Ask) -> None:
    server.plays(text("One."), text("Two."))
    list(ask().run(Thread(), "1"))
    with connect(Settings(api_key="sk-test", base_url=server.url)) as client:
        backend = Responses(client, model="test-model", context=4_000)
        list(Assistant(backend, Toolbox()).run(Thread(), "2"))
    assert ["context_management" in request for request in server.requests] == [False, False]


def test_the_demo_compacts_and_still_knows_what_was_before() -> None:
    demo = Assistant(open_backend(Settings(context=200), DemoTransport(pace=0)), Toolbox(add))
    thread = Thread()
    assert COMPACTED in notes(list(demo.run(thread, "My name is Ada. " + "I like to travel. " * 60)))
    list(demo.run(thread, "What's my name?"))
    remarks = [str(part.text) for part in thread.messages[1].parts if isinstance(part, Remark)]
    assert remarks == [COMPACTED]
    assert thread.messages[-1].text == "Your name is Ada."
    assert list(demo.run(thread, "And now?"))[-1] == RunCompleted()
