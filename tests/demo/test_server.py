"""The demo over HTTP and WebSocket, on a real socket."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.responses import (
    ResponseSteerAcceptedEvent,
    ResponseSteerFailedEvent,
    ResponseSteerPendingEvent,
)
from websockets.sync.client import ClientConnection, connect

from assistant.demo import server
from tests.demo.trip import Json
from tests.paths import ROOT
from tests.servers import demo
from tests.waiting import until


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with demo.running() as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[OpenAI]:
    with OpenAI(api_key="any", base_url=url, max_retries=0) as client:
        yield client


@pytest.fixture
def websocket(url: str) -> Iterator[ClientConnection]:
    with connect(f"{url.replace('http', 'ws')}/responses") as connection:
        yield connection


def answers(websocket: ClientConnection, **request: Any) -> list[Json]:
    """Return the events that answer a request, up to its last one."""
    websocket.send(json.dumps({"type": "response.create", "model": "demo", **request}))
    events: list[Json] = []
    while not events or events[-1]["type"] not in ("response.completed", "error"):
        events.append(json.loads(websocket.recv(timeout=10)))
    return events


def test_a_response_is_one_object_or_a_stream_that_ends_with_done(client: OpenAI) -> None:
    whole = client.responses.create(model="demo", input="thanks")
    with client.responses.with_streaming_response.create(model="demo", input="thanks", stream=True) as stream:
        lines = list(stream.iter_lines())
    assert stream.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert lines[-2:] == ["data: [DONE]", ""]
    final = json.loads(lines[-4].removeprefix("data: "))
    assert final["type"] == "response.completed"
    assert final["response"]["output"][0]["content"][0]["text"] == whole.output_text


@pytest.mark.exhaustive
def test_a_client_that_hangs_up_ends_its_response() -> None:
    with demo.running(pace=0.05) as url, OpenAI(api_key="any", base_url=url, max_retries=0) as client:
        conversation = client.conversations.create().id
        with client.responses.create(
            model="demo", input="hi", conversation=conversation, stream=True
        ) as events:
            assert next(iter(events)).type == "response.created"

        def is_unlocked() -> bool:
            try:
                return bool(client.responses.create(model="demo", input="hi", conversation=conversation))
            except openai.BadRequestError:
                return False

        until(is_unlocked)
        assert len(client.conversations.items.list(conversation).data) == 2


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_an_unknown_address_is_refused_as_the_api_does(url: str, method: str) -> None:
    answer = httpx2.request(method, f"{url}/%zz%ff")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")


def test_a_large_request_and_a_foreign_host_are_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_BODY_BYTES", 1_000)
    assert httpx2.post(f"{url}/responses", content=b" " * 2_000).status_code == 413
    assert httpx2.get(f"{url}/models", headers={"host": "example.com"}).status_code == 400


def test_each_message_on_a_websocket_is_one_event(websocket: ClientConnection) -> None:
    for text in ("thanks", "hi"):
        events = answers(websocket, input=text)
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        assert (events[0]["type"], events[-1]["response"]["status"]) == ("response.created", "completed")


def test_a_response_that_is_not_stored_continues_only_on_its_connection(
    url: str, websocket: ClientConnection
) -> None:
    first = answers(websocket, input="My name is Ada.", store=False)[-1]["response"]["id"]
    question: Json = {"input": "What is my name?", "previous_response_id": first, "store": False}
    second = answers(websocket, **question)[-1]["response"]
    assert second["output"][0]["content"][0]["text"] == "Your name is Ada."
    with connect(f"{url.replace('http', 'ws')}/responses") as other:
        assert answers(other, **question)[-1]["error"]["code"] == "previous_response_not_found"


def test_a_request_that_generates_nothing_prepares_the_next_one(websocket: ClientConnection) -> None:
    first = answers(websocket, input="My name is Ada.", generate=False, store=False)[-1]["response"]
    assert first["output"] == []
    request: Json = {"input": "What is my name?", "previous_response_id": first["id"]}
    second = answers(websocket, **request)[-1]["response"]
    assert second["output"][0]["content"][0]["text"] == "Your name is Ada."


@pytest.mark.parametrize(
    "message", ["", "[]", "{", '{"type": "response.steer"}', '{"type": "response.create"}', '"x"']
)
def test_a_message_that_is_no_request_is_answered_with_an_error(
    websocket: ClientConnection, message: str
) -> None:
    websocket.send(message)
    event = json.loads(websocket.recv(timeout=10))
    assert (event["type"], event["status"], event["error"]["type"]) == ("error", 400, "invalid_request_error")
    assert answers(websocket, input="hi")[-1]["type"] == "response.completed"


STEERING: Any = {
    "response.steer.accepted": ResponseSteerAcceptedEvent,
    "response.steer.pending": ResponseSteerPendingEvent,
    "response.steer.failed": ResponseSteerFailedEvent,
}
"""The SDK's types of the events about steering."""


@pytest.fixture
def slow_websocket() -> Iterator[ClientConnection]:
    with demo.running(pace=0.01) as url, connect(f"{url.replace('http', 'ws')}/responses") as connection:
        yield connection


def events_of(websocket: ClientConnection) -> Iterator[Json]:
    while True:
        event = json.loads(websocket.recv(timeout=10))
        if event["type"] in STEERING:
            STEERING[event["type"]].model_validate(event, strict=True)
        yield event


def steer(websocket: ClientConnection, response: Json, words: Any = "My name is Ada.") -> None:
    event = {"type": "response.steer", "previous_response_id": response["id"], "input": words}
    websocket.send(json.dumps(event))


def steered(websocket: ClientConnection, **request: Any) -> Iterator[Json]:
    """Request a response, steer it when it has begun, and yield the events."""
    websocket.send(json.dumps({"type": "response.create", "model": "demo", **request}))
    is_steered = False
    for event in events_of(websocket):
        if event["type"] == "response.created" and not is_steered:
            is_steered = True
            steer(websocket, event["response"])
        yield event


def first(events: Iterator[Json], kind: str) -> Json:
    return next(event for event in events if event["type"] == kind)


def test_a_steered_response_is_continued_with_the_message(slow_websocket: ClientConnection) -> None:
    events = steered(slow_websocket, input="thanks")
    accepted = first(events, "response.steer.accepted")
    response = first(events, "response.completed")["response"]
    assert accepted["steer"]["previous_response_id"] == response["id"]
    assert next(events)["sequence_number"] == 0
    successor = first(events, "response.completed")["response"]
    assert successor["previous_response_id"] == response["id"]


@pytest.mark.exhaustive
def test_a_response_with_several_items_ends_early_when_it_is_steered(
    slow_websocket: ClientConnection,
) -> None:
    tools = [{"type": "web_search"}]
    events = steered(slow_websocket, input="Search the web for Kyoto", tools=tools)
    interrupted = first(events, "response.incomplete")["response"]
    assert interrupted["incomplete_details"] == {"reason": "steered"}
    assert [item["type"] for item in interrupted["output"]] == ["web_search_call"]
    successor = first(events, "response.completed")["response"]
    assert successor["previous_response_id"] == interrupted["id"]


@pytest.mark.exhaustive
def test_a_steered_message_waits_for_outputs_and_goes_with_them(slow_websocket: ClientConnection) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}}
    tool = {"type": "function", "name": "add", "parameters": parameters, "strict": False}
    events = steered(slow_websocket, input="Add", tools=[tool], tool_choice="required")
    response = first(events, "response.completed")["response"]
    pending = first(events, "response.steer.pending")
    [required] = pending["required_input"]
    output = {"type": required["type"], "call_id": required["call_id"], "output": "3"}
    again = {"previous_response_id": response["id"], "input": [output]}
    request = {"type": "response.create", "model": "demo", "tools": [tool], "tool_choice": "none"}
    slow_websocket.send(json.dumps(request | again))
    successor = first(events, "response.completed")["response"]
    assert (required["name"], successor["previous_response_id"]) == ("add", response["id"])


@pytest.mark.exhaustive
@pytest.mark.parametrize("how", ["another", "empty", "late"])
def test_input_that_cannot_steer_is_given_back(slow_websocket: ClientConnection, how: str) -> None:
    slow_websocket.send(json.dumps({"type": "response.create", "model": "demo", "input": "hi"}))
    events = events_of(slow_websocket)
    response = first(events, "response.completed" if how == "late" else "response.created")["response"]
    target = {"id": "resp_other"} if how == "another" else response
    steer(slow_websocket, target, [] if how == "empty" else "Stop")
    failed = first(events, "response.steer.failed")
    codes = {"another": ["response_not_found"], "empty": ["invalid_input"]}
    assert failed["error"]["code"] in codes.get(how, ["response_not_active", "response_already_completed"])
    assert failed["steer"]["input"] == ([] if how == "empty" else "Stop")


@pytest.mark.exhaustive
def test_the_command_line_serves_the_demo_until_it_is_interrupted() -> None:
    command = [sys.executable, "-m", "assistant", "demo", "--port", "0", "--pace", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().split()[4].rstrip(".")
        with OpenAI(api_key="any", base_url=address) as client:
            assert client.responses.create(model="demo", input="hi").status == "completed"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


def test_a_port_that_is_in_use_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((server.HOST, 0)) as other:
        port = other.getsockname()[1]
        assert server.main(["--port", str(port)]) == 2
    assert capsys.readouterr().err == f"Port {port} cannot be used: Address already in use.\n"
