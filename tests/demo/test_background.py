"""Background mode of the demo: a response that goes on at the server without a reader."""

import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from assistant.demo import DemoTransport
from tests.waiting import until


@pytest.fixture
def slow() -> Iterator[OpenAI]:
    """A client for a demo whose responses end only when they are cancelled."""
    transport = httpx2.Client(transport=DemoTransport(pace=600))
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        yield client


def begin(client: OpenAI, **request: Any) -> Response:
    response = client.responses.create(model="demo", input="thanks", background=True, **request)
    assert isinstance(response, Response)
    assert (response.status, response.output) == ("queued", [])
    return response


def test_a_response_completes_in_the_background(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    response = begin(client, conversation=conversation)
    assert client.responses.retrieve(response.id).status == "completed"
    assert len(client.conversations.items.list(conversation).data) == 2


def test_a_running_response_locks_its_conversation_until_it_is_cancelled(slow: OpenAI) -> None:
    conversation = slow.conversations.create().id
    response = begin(slow, conversation=conversation)
    assert slow.responses.retrieve(response.id).status == "in_progress"
    with pytest.raises(openai.BadRequestError, match="Another process"):
        begin(slow, conversation=conversation)
    with pytest.raises(openai.BadRequestError, match="not found"):
        begin(slow, previous_response_id=response.id)
    for _ in range(2):
        assert slow.responses.cancel(response.id).status == "cancelled"
    assert slow.responses.retrieve(response.id).status == "cancelled"
    assert slow.conversations.items.list(conversation).data == []
    begin(slow, conversation=conversation)


def test_only_a_background_response_can_be_cancelled(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="thanks")
    with pytest.raises(openai.BadRequestError, match="synchronous"):
        client.responses.cancel(response.id)


def test_a_stream_that_is_closed_goes_on_and_can_be_followed_from_where_it_was() -> None:
    transport = httpx2.Client(transport=DemoTransport(pace=0.02))
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        with client.responses.create(model="demo", input="thanks", background=True, stream=True) as events:
            seen = [next(iter(events)) for _ in range(6)]
        assert seen[0].type == "response.created"
        response_id = seen[0].response.id
        last = seen[-1].sequence_number
        seen += list(client.responses.retrieve(response_id, stream=True, starting_after=last))
        kinds = ["response.created", "response.queued", "response.in_progress"]
        assert [event.type for event in seen[:3]] == kinds
        assert [event.sequence_number for event in seen] == list(range(len(seen)))
        assert seen[-1].type == "response.completed"
        text = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
        assert text == client.responses.retrieve(response_id).output_text


def test_a_response_without_a_follower_completes_when_its_time_has_come() -> None:
    transport = httpx2.Client(transport=DemoTransport(pace=0.01))
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        response = begin(client)
        until(lambda: client.responses.retrieve(response.id).status == "completed")


def test_cancelling_ends_the_stream(slow: OpenAI) -> None:
    with slow.responses.create(model="demo", input="thanks", background=True, stream=True) as events:
        first = next(iter(events))
        assert first.type == "response.created"
        timer = threading.Timer(0.01, slow.responses.cancel, [first.response.id])
        timer.start()
        assert "response.completed" not in [event.type for event in events]
        timer.join()
