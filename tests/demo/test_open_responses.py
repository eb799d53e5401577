"""The demo conforms to Open Responses (https://www.openresponses.org/compliance), over HTTP and WebSocket.

The cases are those of the specification's compliance suite, by their names there; the suite itself is on no package
registry. The judge is the package of models that is generated from the specification.
"""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx2
import pytest
from websockets.sync.client import ClientConnection, connect

from assistant.demo.replies.hosted import picture
from tests.demo.trip import Json
from tests.downloads import wheel
from tests.servers import demo

pytestmark = pytest.mark.exhaustive

WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "The city, such as San Francisco, CA"}},
        "required": ["location"],
    },
}


def message(content: Any, role: str = "user", **fields: Any) -> Json:
    return {"type": "message", "role": role, "content": content, **fields}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with demo.running() as url:
        yield url


@pytest.fixture(scope="module")
def types() -> Iterator[ModuleType]:
    path = str(wheel("openresponses-types", "2.4.0"))
    sys.path.insert(0, path)
    yield importlib.import_module("openresponses_types.types")
    sys.path.remove(path)


class Judge:
    """Validates what the demo sends against the specification."""

    def __init__(self, url: str, types: ModuleType) -> None:
        self._url, self._types = url, types

    def _check(self, kind: str, value: Any) -> Json:
        getattr(self._types, kind).model_validate_json(json.dumps(value))
        checked: Json = value
        return checked

    def _check_event(self, event: Json) -> Json:
        name = "".join(part.capitalize() for part in re.split("[._]", event["type"]))
        return self._check(f"{name}StreamingEvent", event)

    def respond(self, *items: Json, **request: Any) -> Json:
        """Return the response to these items."""
        answer = httpx2.post(f"{self._url}/responses", json={"model": "m", "input": items, **request})
        assert answer.status_code == 200, answer.text
        return self._check("ResponseResource", answer.json())

    def stream(self, *items: Json, **request: Any) -> list[Json]:
        """Return the events of the response to these items."""
        body = {"model": "m", "input": items, "stream": True, **request}
        blocks = httpx2.post(f"{self._url}/responses", json=body).text.split("\n\n")
        assert blocks[-2:] == ["data: [DONE]", ""]
        events = [json.loads(block.partition("\ndata: ")[2]) for block in blocks[:-2]]
        return [self._check_event(event) for event in events]

    def compact(self, *items: Json) -> Json:
        """Return the compacted form of these items."""
        answer = httpx2.post(f"{self._url}/responses/compact", json={"model": "m", "input": items})
        return self._check("CompactResource", answer.json())

    def connect(self) -> ClientConnection:
        """Return a new WebSocket connection."""
        return connect(f"{self._url.replace('http', 'ws')}/responses")

    def turn(self, connection: ClientConnection, content: Any, **request: Any) -> Json:
        """Return the last event of a turn over a WebSocket: the completed response or an error."""
        request = self._check(
            "WebSocketResponseCreateEvent",
            {"type": "response.create", "model": "m", "input": content, **request},
        )
        connection.send(json.dumps(request))
        while True:
            event: Json = json.loads(connection.recv(timeout=10))
            if event["type"] == "error":
                return self._check("WebSocketErrorEvent", event)
            if self._check_event(event)["type"] == "response.completed":
                return event


@pytest.fixture
def judge(url: str, types: ModuleType) -> Judge:
    return Judge(url, types)


def test_basic_response(judge: Judge) -> None:
    response = judge.respond(message("Say hello in exactly 3 words."))
    assert (response["status"], bool(response["output"])) == ("completed", True)


def test_assistant_phase(judge: Judge) -> None:
    response = judge.respond(
        message("I should answer with the saved number.", "assistant", phase="commentary"),
        message("The number is four.", "assistant", phase="final_answer"),
        message("Repeat only the number."),
    )
    assert response["output"][0]["phase"] == "final_answer"


def test_streaming_response(judge: Judge) -> None:
    assert judge.stream(message("Count from 1 to 5."))[-1]["type"] == "response.completed"


def test_system_prompt(judge: Judge) -> None:
    response = judge.respond(message("You are a pirate.", "system"), message("Say hello."))
    assert (response["status"], bool(response["output"])) == ("completed", True)


def test_tool_calling(judge: Judge) -> None:
    question = message("What's the weather like in San Francisco?")
    response = judge.respond(question, tools=[WEATHER])
    assert "function_call" in [item["type"] for item in response["output"]]
    kinds = [event["type"] for event in judge.stream(question, tools=[WEATHER])]
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= {*kinds}


def test_function_call_round_trip(judge: Judge) -> None:
    choice = {"type": "function", "name": "get_weather"}
    first = judge.respond(message("Use the weather tool."), tools=[WEATHER], tool_choice=choice)
    call = first["output"][-1]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": '{"temperature": 18}'}
    second = judge.respond(output, previous_response_id=first["id"], tools=[WEATHER])
    assert (second["status"], second["output"][0]["type"]) == ("completed", "message")


def test_image_and_file_input(judge: Judge) -> None:
    data = picture("sea")
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{data}"}
    file = {"type": "input_file", "filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}
    for part in (image, file):
        response = judge.respond(message([{"type": "input_text", "text": "What is this?"}, part]))
        assert (response["status"], bool(response["output"])) == ("completed", True)


def test_multi_turn(judge: Judge) -> None:
    response = judge.respond(
        message("My name is Alice."), message("Hello Alice!", "assistant"), message("What is my name?")
    )
    assert response["output"][0]["content"][0]["text"] == "Your name is Alice."


def test_compact_response(judge: Judge) -> None:
    compacted = judge.compact(message("We agreed to launch on Tuesday."), message("Understood.", "assistant"))
    assert [item["type"] for item in compacted["output"]] == ["message", "compaction"]


def test_compact_missing_model(url: str) -> None:
    assert (
        httpx2.post(f"{url}/responses/compact", json={"input": [message("Compact this.")]}).status_code == 400
    )


def test_websocket_sequential_responses(judge: Judge) -> None:
    with judge.connect() as connection:
        for text in ("Reply with exactly: first", [message("Reply with exactly: second")]):
            assert judge.turn(connection, text, store=False)["type"] == "response.completed"


def test_websocket_continuation_and_recovery_after_a_reconnect(judge: Judge) -> None:
    with judge.connect() as connection:
        first = judge.turn(connection, "My name is Ada.", store=False)["response"]["id"]
        second = judge.turn(connection, "What is my name?", store=False, previous_response_id=first)
        assert "Ada" in second["response"]["output"][0]["content"][0]["text"]
    with judge.connect() as connection:
        third = judge.turn(connection, "What is my name?", store=False, previous_response_id=first)
        assert third["error"]["code"] == "previous_response_not_found"
        assert judge.turn(connection, "Start again", store=False)["type"] == "response.completed"


def test_websocket_failed_continuation_evicts_cache(judge: Judge) -> None:
    output = {"type": "function_call_output", "call_id": "call_missing", "output": "No matching call exists."}
    with judge.connect() as connection:
        first = judge.turn(connection, "Remember ember.", store=False)["response"]["id"]
        assert judge.turn(connection, [output], store=False, previous_response_id=first)["type"] == "error"
        retry = judge.turn(connection, "Go on.", store=False, previous_response_id=first)
        assert retry["error"]["code"] == "previous_response_not_found"


def test_websocket_compact_new_chain(judge: Judge) -> None:
    compacted = judge.compact(message("My name is Ada."), message("OK.", "assistant"))
    with judge.connect() as connection:
        items = [*compacted["output"], message("What is my name?")]
        completed = judge.turn(connection, items, store=False, tools=[])
    assert "Ada" in completed["response"]["output"][0]["content"][0]["text"]
