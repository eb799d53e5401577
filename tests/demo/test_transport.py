"""The built-in demo as a server, driven through the real SDK."""

import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.conversations import Conversation, ConversationItem
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from assistant.demo import DemoTransport
from assistant.demo import transport as server
from tests.demo.trip import TEXT, TRIP, WEATHER, WHOLE, Json, function

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)


def stream(client: OpenAI, **request: Any) -> list[Json]:
    """Return the events of a response from the wire, checked against the SDK's models."""
    with client.responses.with_streaming_response.create(model="demo", stream=True, **request) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-request-id"].startswith("req_")
        blocks = response.text().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    events: list[Json] = []
    for number, block in enumerate(blocks[:-2]):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        if not events or event["type"] != events[-1]["type"]:  # of many deltas one is enough
            EVENT.validate_python(event)
        events.append(event)
    return events


def types(events: list[Json]) -> list[str]:
    """Return the event types in order, with repeated deltas as one."""
    every = [event["type"].removeprefix("response.") for event in events]
    return [kind for index, kind in enumerate(every) if index == 0 or kind != every[index - 1]]


def calls_of(events: list[Json]) -> list[Json]:
    return [item for item in events[-1]["response"]["output"] if item["type"] == "function_call"]


def output_for(call: Json, output: object) -> Json:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": json.dumps(output)}


def parse_items(client: OpenAI, conversation: str) -> list[tuple[str, str]]:
    """Return a conversation's items as (type, text), oldest first."""
    found = []
    for item in client.conversations.items.list(conversation, order="asc", limit=100):
        plain = item.to_dict()
        ITEM.validate_python(plain)
        content = plain.get("content") or [{"text": plain.get("arguments") or plain.get("output")}]
        found.append((str(plain["type"]), content[0]["text"]))  # type: ignore[index]
    return found


def refusal(error: pytest.ExceptionInfo[openai.APIStatusError]) -> tuple[int, str, str | None, str | None]:
    assert isinstance(error.value.body, dict)
    assert error.value.body.keys() == {"message", "type", "param", "code"}
    return error.value.status_code, error.value.body["message"], error.value.param, error.value.code


# The wire


def test_a_text_streams_in_the_documented_order(client: OpenAI) -> None:
    events = stream(client, input="thanks")
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    text = "You're welcome. Ask me anything else you like."
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == text
    assert len(deltas) == 10
    ended = events[-1]["response"]
    assert ended["output"][0]["content"] == [
        {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    ]
    assert ended["model"] == "Demo", "whichever model was requested"
    assert events[0]["response"]["output"] == []
    assert events[0]["response"]["status"] == "in_progress"
    assert ended["usage"]["output_tokens"] == len(deltas)
    assert Response.model_validate(ended).output_text == text


def test_a_call_streams_in_the_documented_order_with_its_arguments_in_pieces(client: OpenAI) -> None:
    events = stream(client, input='get_weather(city="Reykjavik")', tools=[WEATHER])
    assert types(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    (call,) = calls_of(events)
    assert re.fullmatch(r"fc_[0-9a-f]{48} call_[0-9a-f]{48}", f"{call['id']} {call['call_id']}")
    assert json.loads(call["arguments"]) == {"city": "Reykjavik", "unit": None}
    assert events[2]["item"] == {**call, "arguments": "", "status": "in_progress"}
    deltas = [event["delta"] for event in events if event["type"].endswith("arguments.delta")]
    assert "".join(deltas) == call["arguments"]
    assert not any("Reykjavik" in delta for delta in deltas)


def test_parallel_calls_and_a_preface_come_in_one_response(client: OpenAI) -> None:
    events = stream(client, input="weather in Tokyo and Paris", tools=TRIP)
    output = events[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    assert output[0]["content"][0]["text"] == "Let me look that up."
    assert output[0]["phase"] == "commentary"
    assert [json.loads(call["arguments"])["city"] for call in output[1:]] == ["Tokyo", "Paris"]
    assert [event["output_index"] for event in events if event["type"] == "response.output_item.done"] == [
        0,
        1,
        2,
    ]


def test_without_parallel_calls_each_response_has_one_call(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    request: Json = {"conversation": conversation, "tools": TRIP, "parallel_tool_calls": False}
    (first,) = calls_of(stream(client, input="weather in Tokyo and Paris", **request))
    (second,) = calls_of(stream(client, input=[output_for(first, {"temperature": 1})], **request))
    assert [json.loads(call["arguments"])["city"] for call in (first, second)] == ["Tokyo", "Paris"]
    last = stream(client, input=[output_for(second, {"temperature": 2})], **request)
    assert calls_of(last) == []


def test_a_response_that_is_not_streamed_is_the_same_object(client: OpenAI) -> None:
    raw = client.responses.with_raw_response.create(model="demo", input="thanks")
    response = raw.parse()
    assert Response.model_validate(response.to_dict()).status == "completed"
    assert raw.request_id is not None
    assert client.responses.retrieve(response.id) == response
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_store_false_stores_no_response(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="thanks", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_the_pace_is_read_at_each_request_and_closing_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = httpx2.Client(transport=DemoTransport())
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        monkeypatch.setattr(
            server, "SECONDS_PER_TOKEN", 600
        )  # seconds: without the closing this test never ends
        with client.responses.create(model="demo", input="thanks", stream=True) as events:
            types = []
            for event in events:
                types.append(event.type)
                if event.type == "response.content_part.added":
                    threading.Timer(0.01, events.close).start()
        assert types[0] == "response.created"
        assert types[-1] == "response.content_part.added"
        monkeypatch.setattr(server, "SECONDS_PER_TOKEN", 0)
        assert stream(client, input="thanks")[-1]["type"] == "response.completed"


def test_there_is_one_model(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["Demo"]
    assert client.models.retrieve("Demo").object == "model"


# Conversations


def test_a_completed_response_adds_input_and_output_to_the_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"title": "a trip"})
    Conversation.model_validate(conversation.to_dict())
    with client.responses.create(
        model="demo", input="thanks", conversation=conversation.id, stream=True
    ) as events:
        for event in events:
            if event.type == "response.completed":
                break
            assert parse_items(client, conversation.id) == []
        assert len(parse_items(client, conversation.id)) == 2  # already while the stream is open
    stream(client, input="thanks", conversation={"id": conversation.id})
    thanks = "You're welcome. Ask me anything else you like."
    assert parse_items(client, conversation.id) == [
        ("message", "thanks"),
        ("message", thanks),
        ("message", "thanks"),
        ("message", thanks),
    ]


def test_a_stream_closed_early_stores_nothing_and_unlocks_the_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    create: Any = client.responses.create
    events = create(model="demo", conversation=conversation, input="hi", stream=True)
    first = next(events)
    assert first.type == "response.created"
    events.close()
    assert parse_items(client, conversation) == []
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.response.id)
    stream(client, input="thanks", conversation=conversation)
    assert len(parse_items(client, conversation)) == 2


def test_a_conversation_is_locked_while_a_response_streams(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    with client.responses.create(model="demo", input="hi", conversation=conversation, stream=True) as events:
        next(iter(events))
        with pytest.raises(openai.BadRequestError) as error:
            client.responses.create(model="demo", input="hi", conversation=conversation)
    assert refusal(error) == (
        400,
        "Another process is currently operating on this conversation. Please retry in a few seconds.",
        "conversation",
        "conversation_locked",
    )


def test_a_conversation_is_created_read_updated_and_deleted(client: OpenAI) -> None:
    conversation = client.conversations.create(items=[{"role": "user", "content": "hi"}])
    assert client.conversations.retrieve(conversation.id) == conversation
    assert client.conversations.update(conversation.id, metadata={"a": "b"}).metadata == {"a": "b"}
    (item,) = client.conversations.items.list(conversation.id)
    assert client.conversations.items.retrieve(str(item.id), conversation_id=conversation.id) == item
    client.conversations.items.delete(str(item.id), conversation_id=conversation.id)
    assert parse_items(client, conversation.id) == []
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError) as error:
        client.conversations.items.list(conversation.id)
    assert refusal(error) == (404, f"Conversation with id '{conversation.id}' not found.", None, None)


def test_items_are_listed_in_pages_newest_first(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    for begin in (0, 20):
        messages: Any = [{"role": "user", "content": str(n)} for n in range(begin, begin + 20)]
        client.conversations.items.create(conversation, items=messages)
    page = client.conversations.items.list(conversation)
    assert [item.content[0].text for item in page.data] == [str(n) for n in range(39, 19, -1)]  # type: ignore
    assert page.has_more
    assert page.last_id == page.data[-1].id
    assert [item.content[0].text for item in page] == [str(n) for n in range(39, -1, -1)]  # type: ignore
    with pytest.raises(openai.BadRequestError):
        client.conversations.items.list(conversation, limit=101)


def test_only_the_newest_conversations_are_stored(client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_STORED", 2)
    oldest, *newest = [client.conversations.create().id for _ in range(3)]
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(oldest)
    assert [client.conversations.retrieve(each).id for each in newest] == newest


@pytest.mark.exhaustive
def test_many_conversations_at_once_do_not_mix(client: OpenAI) -> None:
    def turn(number: int) -> list[tuple[str, str]]:
        conversation = client.conversations.create().id
        events = stream(client, input=f'f(n={number}, s="東京")', conversation=conversation, tools=[tool])
        stream(client, input=[output_for(calls_of(events)[0], number)], conversation=conversation)
        return parse_items(client, conversation)

    tool = function("f", n=WHOLE, s=TEXT)
    with ThreadPoolExecutor(8) as threads:
        every = list(threads.map(turn, range(12)))
    for number, items in enumerate(every):
        assert items[:3] == [
            ("message", f'f(n={number}, s="東京")'),
            ("function_call", json.dumps({"n": number, "s": "東京"}, ensure_ascii=False)),
            ("function_call_output", str(number)),
        ]
        assert [kind for kind, _ in items] == ["message", "function_call", "function_call_output", "message"]


# What is refused


def test_an_output_without_its_call_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.responses.create(model="demo", input=[output_for({"call_id": "call_x"}, 1)])  # type: ignore
    message = "No tool call found for function call output with call_id call_x."
    assert refusal(error) == (400, message, "input", None)


def test_a_call_without_an_output_is_refused(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    (call,) = calls_of(stream(client, input="weather in Oslo", conversation=conversation, tools=TRIP))
    with pytest.raises(openai.BadRequestError) as error:
        stream(client, input="thanks", conversation=conversation)
    message = f"No tool output found for function call {call['call_id']}."
    assert refusal(error) == (400, message, "input", None)
    stopped = output_for(call, {"error": "stopped"})
    stream(client, input=[stopped, {"role": "user", "content": "thanks"}], conversation=conversation)
    assert parse_items(client, conversation)[-1] == (
        "message",
        "You're welcome. Ask me anything else you like.",
    )


@pytest.mark.parametrize(
    ("request_body", "status", "code", "param"),
    [
        ({"model": "demo"}, 400, "missing_required_parameter", "input"),
        ({"input": "hi"}, 400, "missing_required_parameter", "model"),
        ({"model": "demo", "input": 5}, 400, "invalid_value", "input"),
        ({"model": "demo", "input": [5]}, 400, "invalid_value", "input[0]"),
        ({"model": "demo", "input": [{"type": "x"}]}, 400, "invalid_value", "input[0].type"),
        (
            {"model": "demo", "input": [{"role": "user"}]},
            400,
            "missing_required_parameter",
            "input[0].content",
        ),
        (
            {"model": "demo", "input": [{"type": "function_call", "call_id": "c", "name": "f"}]},
            400,
            "missing_required_parameter",
            "input[0].arguments",
        ),
        (
            {"model": "demo", "input": "hi", "tools": [{"type": "function", "function": {"name": "f"}}]},
            400,
            "missing_required_parameter",
            "tools[0].name",
        ),
        ({"model": "demo", "input": "hi", "conversation": "conv_x"}, 404, None, None),
        (
            {"model": "demo", "input": "hi", "previous_response_id": "resp_x"},
            400,
            "previous_response_not_found",
            "previous_response_id",
        ),
        (
            {"model": "demo", "input": "hi", "conversation": "a", "previous_response_id": "b"},
            400,
            "mutually_exclusive_parameters",
            "previous_response_id",
        ),
    ],
)
def test_a_request_that_the_api_refuses_is_refused(
    client: OpenAI, request_body: Json, status: int, code: str | None, param: str | None
) -> None:
    with pytest.raises(openai.APIStatusError) as error:
        client.post("/responses", body=request_body, cast_to=object)
    answered, _, its_param, its_code = refusal(error)
    assert (answered, its_code, its_param) == (status, code, param)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_a_json_object_is_refused(content: bytes) -> None:
    with httpx2.Client(transport=DemoTransport()) as http:
        answered = http.post("http://demo.invalid/v1/responses", content=content)
    message = "We could not parse the JSON body of your request. It must be a JSON object."
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert (answered.status_code, answered.json()) == (400, {"error": error})


@pytest.mark.parametrize("path", ["/", "/v1/chat/completions", "/v1/responses/a/b", "/v1/conversations"])
def test_any_other_address_is_not_found(path: str) -> None:
    with httpx2.Client(transport=DemoTransport()) as http:
        answered = http.get(f"http://demo.invalid{path}")
    message = f"Invalid URL (GET {path})"
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert (answered.status_code, answered.json()) == (404, {"error": error})


def test_more_than_twenty_items_and_duplicate_items_are_refused(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    one: Any = {"id": "msg_1", "type": "message", "role": "user", "content": "hi"}
    with pytest.raises(openai.BadRequestError) as error:
        client.conversations.items.create(conversation, items=[one] * 21)
    assert refusal(error)[2:] == ("items", "array_above_max_length")
    client.conversations.items.create(conversation, items=[one])
    with pytest.raises(openai.BadRequestError, match="Duplicate item found with id msg_1"):
        client.responses.create(model="demo", input=[one], conversation=conversation)


# Without a conversation


def test_previous_response_id_continues_a_response(client: OpenAI) -> None:
    first = client.responses.create(model="demo", input="weather in Oslo", tools=TRIP)  # type: ignore
    (call,) = [item.to_dict() for item in first.output if item.type == "function_call"]
    second = client.responses.create(
        model="demo",
        input=[output_for(call, {"temperature": 4})],  # type: ignore[list-item]
        previous_response_id=first.id,
    )
    assert second.output_text == "**Weather in Oslo**: 4 °C"


def test_the_full_history_can_be_sent_each_time(client: OpenAI) -> None:
    history: list[Json] = [
        {"role": "system", "content": "Be brief."},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hello!", "annotations": []}]},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "…"},
        {"role": "user", "content": "weather in Oslo"},
    ]
    output = stream(client, input=history, tools=TRIP)[-1]["response"]["output"]
    history += [*output, output_for(output[1], {"temperature": 4})]
    ended = stream(client, input=history, tools=TRIP)[-1]["response"]
    assert Response.model_validate(ended).output_text == "**Weather in Oslo**: 4 °C"


def test_outputs_in_parts_are_read(client: OpenAI) -> None:
    (call,) = calls_of(events := stream(client, input="get_weather('Oslo')", tools=[WEATHER]))
    parts = [{"type": "input_text", "text": '{"temperature": 4}'}]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": parts}
    ended = stream(client, input=[output], previous_response_id=events[-1]["response"]["id"])[-1]["response"]
    assert Response.model_validate(ended).output_text.startswith("**Weather in Oslo**: 4 °C")


def test_tool_choice_none_calls_nothing(client: OpenAI) -> None:
    assert calls_of(stream(client, input="weather in Oslo", tools=TRIP, tool_choice="none")) == []


@pytest.mark.parametrize("text", ["", "\x00\x1b[31m\u202e", "get_weather('\\ud800')", "東" * 100_000])
def test_any_text_survives_the_round_trip(client: OpenAI, text: str) -> None:
    assert stream(client, input=text, tools=TRIP)[-1]["response"]["status"] == "completed"
