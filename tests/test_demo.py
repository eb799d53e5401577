"""The built-in demo, driven through the real SDK: its wire, what it refuses, and what it understands."""

import gc
import json
import re
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from openai import OpenAI
from openai.types.conversations import Conversation, ConversationItem
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from assistant.wire import demo
from assistant.wire.answers import Call, Done, Reply, answer
from assistant.wire.demo import DemoTransport

Json = dict[str, Any]

EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ITEM: TypeAdapter[Any] = TypeAdapter(ConversationItem)

NOTE = (
    "This is the built-in demo, a stand-in without a model; to connect a real one, set `OPENAI_API_KEY` "
    "(or `OPENAI_BASE_URL` for a local server) in `.env`."
)


def function(name: str, description: str = "", strict: bool = True, **parameters: Json) -> Json:
    schema: Json = {"type": "object", "properties": parameters, "required": list(parameters)}
    schema["additionalProperties"] = False
    if not strict:
        schema["required"] = [key for key in parameters if "null" not in parameters[key]["type"]]
    return {
        "type": "function",
        "name": name,
        "description": description,
        "strict": strict,
        "parameters": schema,
    }


TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
MAYBE_TEXT: Json = {"type": ["string", "null"]}
MAYBE_WHOLE: Json = {"type": ["integer", "null"]}
UNIT: Json = {"type": ["string", "null"], "enum": ["celsius", "fahrenheit", None]}

WEATHER = function("get_weather", "Get the weather in a city. It is fresh.", city=TEXT, unit=UNIT)
HOTELS = function("find_hotels", "Find hotels.", city=TEXT, max_price=MAYBE_WHOLE, min_stars=MAYBE_WHOLE)
TRIP = [
    function("get_current_time", "Tell the time.", time_zone=TEXT),
    WEATHER,
    function("get_forecast", "Get a forecast.", city=TEXT, days=MAYBE_WHOLE, unit=UNIT),
    HOTELS,
    function("find_events", "Find events.", city=TEXT, first_day=MAYBE_TEXT),
    function("book_hotel", "Book a room.", hotel_id=WHOLE, guest=TEXT, check_in=TEXT, nights=WHOLE),
    function("calculate", "Calculate.", expression=TEXT),
]


@pytest.fixture
def client() -> Iterator[OpenAI]:
    transport = httpx2.Client(transport=DemoTransport(pace=0))
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        yield client


def stream(client: OpenAI, **request: Any) -> list[Json]:
    """The events of a response, as they are on the wire; every one is held against the SDK's models."""
    with client.responses.with_streaming_response.create(model="demo", stream=True, **request) as response:
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-request-id"].startswith("req_")
        blocks = response.text().split("\n\n")
    assert blocks.pop() == ""
    events = []
    for number, block in enumerate(blocks):
        name, data = block.split("\n")
        event = json.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        assert event["sequence_number"] == number
        EVENT.validate_python(event)
        events.append(event)
    return events


def types(events: list[Json]) -> list[str]:
    """The types of events in their order, repeated deltas as one."""
    every = [event["type"].removeprefix("response.") for event in events]
    return [kind for index, kind in enumerate(every) if index == 0 or kind != every[index - 1]]


def calls_of(events: list[Json]) -> list[Json]:
    return [item for item in events[-1]["response"]["output"] if item["type"] == "function_call"]


def output_for(call: Json, output: object) -> Json:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": json.dumps(output)}


def items_of(client: OpenAI, conversation: str) -> list[tuple[str, str]]:
    """A conversation's items, oldest first, as (type, text)."""
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


def chain(
    question: str, outputs: Mapping[str, object], tools: list[Json] = TRIP
) -> tuple[list[list[Call]], str]:
    """All rounds of calls that a question leads to, and the final text; outputs by name and city."""
    rounds: list[list[Call]] = []
    done: list[Done] = []
    while True:
        reply = answer(question, done, False, tools)
        if not reply.calls:
            return rounds, reply.text
        rounds.append(list(reply.calls))
        for call in reply.calls:
            key = f"{call.name} {call.arguments.get('city', '')}".strip()
            done.append(Done(call, json.dumps(outputs.get(key, {"error": "out of order"}))))


def weather(city: str, unit: str | None = None) -> Call:
    return Call("get_weather", {"city": city, "unit": unit})


def hotels(city: str, max_price: int | None = None, min_stars: int | None = None) -> Call:
    return Call("find_hotels", {"city": city, "max_price": max_price, "min_stars": min_stars})


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
    text = f"You're welcome. Ask me anything else you like.\n\n{NOTE}"
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == text
    assert len(deltas) > 20
    ended = events[-1]["response"]
    assert ended["output"][0]["content"] == [
        {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    ]
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


def test_parallel_calls_come_with_a_word_before_them_in_one_response(client: OpenAI) -> None:
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


def test_without_parallel_calls_they_come_one_by_one(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    request: Json = {"conversation": conversation, "tools": TRIP, "parallel_tool_calls": False}
    (first,) = calls_of(stream(client, input="weather in Tokyo and Paris", **request))
    (second,) = calls_of(stream(client, input=[output_for(first, {"temperature": 1})], **request))
    assert [json.loads(call["arguments"])["city"] for call in (first, second)] == ["Tokyo", "Paris"]
    last = stream(client, input=[output_for(second, {"temperature": 2})], **request)
    assert calls_of(last) == []


def test_a_response_that_is_not_streamed_is_the_same_object(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="thanks")
    assert Response.model_validate(response.to_dict()).status == "completed"
    assert response._request_id is not None
    assert client.responses.retrieve(response.id) == response
    client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_store_false_keeps_no_response(client: OpenAI) -> None:
    response = client.responses.create(model="demo", input="thanks", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(response.id)


def test_the_pace_is_read_at_each_request_and_closing_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = httpx2.Client(transport=DemoTransport())
    with OpenAI(api_key="demo", base_url="http://demo.invalid/v1", http_client=transport) as client:
        monkeypatch.setattr(demo, "PACE", 600)  # seconds: without the closing this test never ends
        with client.responses.create(model="demo", input="thanks", stream=True) as events:
            types = []
            for event in events:
                types.append(event.type)
                if event.type == "response.content_part.added":
                    threading.Timer(0.01, events.close).start()
        assert types[0] == "response.created"
        assert types[-1] == "response.content_part.added"
        monkeypatch.setattr(demo, "PACE", 0)
        assert stream(client, input="thanks")[-1]["type"] == "response.completed"


def test_there_is_one_model(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["demo"]
    assert client.models.retrieve("demo").object == "model"


# Conversations


def test_a_conversation_keeps_input_and_output_once_the_response_has_completed(client: OpenAI) -> None:
    conversation = client.conversations.create(metadata={"title": "a trip"})
    Conversation.model_validate(conversation.to_dict())
    with client.responses.create(
        model="demo", input="thanks", conversation=conversation.id, stream=True
    ) as events:
        for event in events:
            if event.type == "response.completed":
                break
            assert items_of(client, conversation.id) == []
        assert len(items_of(client, conversation.id)) == 2  # already while the stream is open
    stream(client, input="thanks", conversation={"id": conversation.id})
    thanks = "You're welcome. Ask me anything else you like."
    assert items_of(client, conversation.id) == [
        ("message", "thanks"),
        ("message", f"{thanks}\n\n{NOTE}"),
        ("message", "thanks"),
        ("message", thanks),
    ]


def test_a_stream_closed_early_leaves_nothing_and_frees_the_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    create: Any = client.responses.create
    events = create(model="demo", conversation=conversation, input="hi", stream=True)
    first = next(events)
    assert first.type == "response.created"
    events.close()
    assert items_of(client, conversation) == []
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.response.id)
    stream(client, input="thanks", conversation=conversation)
    assert len(items_of(client, conversation)) == 2


def test_a_stream_that_was_dropped_unread_does_not_lock_its_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    client.responses.create(model="demo", conversation=conversation, input="hi", stream=True)
    gc.collect()
    stream(client, input="thanks", conversation=conversation)
    assert len(items_of(client, conversation)) == 2


def test_a_second_response_on_a_conversation_is_refused_while_one_is_written(client: OpenAI) -> None:
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


def test_a_conversation_is_made_read_changed_and_deleted(client: OpenAI) -> None:
    conversation = client.conversations.create(items=[{"role": "user", "content": "hi"}])
    assert client.conversations.retrieve(conversation.id) == conversation
    assert client.conversations.update(conversation.id, metadata={"a": "b"}).metadata == {"a": "b"}
    (item,) = client.conversations.items.list(conversation.id)
    assert client.conversations.items.retrieve(str(item.id), conversation_id=conversation.id) == item
    client.conversations.items.delete(str(item.id), conversation_id=conversation.id)
    assert items_of(client, conversation.id) == []
    assert client.conversations.delete(conversation.id).deleted
    with pytest.raises(openai.NotFoundError) as error:
        client.conversations.items.list(conversation.id)
    assert refusal(error) == (404, f"Conversation with id '{conversation.id}' not found.", None, None)


def test_items_are_listed_in_pages_the_newest_first(client: OpenAI) -> None:
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


def test_only_the_newest_conversations_are_kept(client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "MOST_KEPT", 2)
    oldest, *newest = [client.conversations.create().id for _ in range(3)]
    with pytest.raises(openai.NotFoundError):
        client.conversations.retrieve(oldest)
    assert [client.conversations.retrieve(each).id for each in newest] == newest


def test_many_conversations_at_once_do_not_mix(client: OpenAI) -> None:
    def turn(number: int) -> list[tuple[str, str]]:
        conversation = client.conversations.create().id
        events = stream(client, input=f'f(n={number}, s="東京")', conversation=conversation, tools=[tool])
        stream(client, input=[output_for(calls_of(events)[0], number)], conversation=conversation)
        return items_of(client, conversation)

    tool = function("f", n=WHOLE, s=TEXT)
    with ThreadPoolExecutor(8) as threads:
        every = list(threads.map(turn, range(24)))
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


def test_a_call_left_without_output_is_refused_until_it_has_one(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    (call,) = calls_of(stream(client, input="weather in Oslo", conversation=conversation, tools=TRIP))
    with pytest.raises(openai.BadRequestError) as error:
        stream(client, input="thanks", conversation=conversation)
    message = f"No tool output found for function call {call['call_id']}."
    assert refusal(error) == (400, message, "input", None)
    stopped = output_for(call, {"error": "stopped"})
    stream(client, input=[stopped, {"role": "user", "content": "thanks"}], conversation=conversation)
    assert items_of(client, conversation)[-1] == (
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


def test_more_than_twenty_items_and_an_item_twice_are_refused(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    one: Any = {"id": "msg_1", "type": "message", "role": "user", "content": "hi"}
    with pytest.raises(openai.BadRequestError) as error:
        client.conversations.items.create(conversation, items=[one] * 21)
    assert refusal(error)[2:] == ("items", "array_above_max_length")
    client.conversations.items.create(conversation, items=[one])
    with pytest.raises(openai.BadRequestError, match="Duplicate item found with id msg_1"):
        client.responses.create(model="demo", input=[one], conversation=conversation)


# Without a conversation


def test_a_previous_response_is_gone_on_from(client: OpenAI) -> None:
    first = client.responses.create(model="demo", input="weather in Oslo", tools=TRIP)  # type: ignore
    (call,) = [item.to_dict() for item in first.output if item.type == "function_call"]
    second = client.responses.create(
        model="demo",
        input=[output_for(call, {"temperature": 4})],  # type: ignore[list-item]
        previous_response_id=first.id,
    )
    assert second.output_text == f"**Weather in Oslo**\n\n- **temperature**: 4\n\n{NOTE}"


def test_the_whole_history_may_be_sent_each_time(client: OpenAI) -> None:
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
    assert Response.model_validate(ended).output_text == "**Weather in Oslo**\n\n- **temperature**: 4"


# Calls that are written out


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('f(a=1, b="two")', {"a": 1, "b": "two"}),
        ("f(1, 'two')", {"a": 1, "b": "two"}),
        ('f({"a": 1, "b": "two"})', {"a": 1, "b": "two"}),
        ('Please call `f(a=true, b=null)`, "quickly".', {"a": True, "b": None}),
        ("```python\nf(a=None, b=[1, {'x': -2.5}])\n```", {"a": None, "b": [1, {"x": -2.5}]}),
        ("f（a=１，b=「東京（都）」）。", {"a": 1, "b": "東京（都）"}),
        ("f(a=“x”, b='say \"hi\"')", {"a": "x", "b": 'say "hi"'}),
        (r'f(a="C:\dir", b="x\ny\/z")', {"a": r"C:\dir", "b": "x\ny/z"}),
        ("f(a=1, unknown=2)", {"a": 1, "b": None, "unknown": 2}),
        ("f(1, 2, 3)", {"a": 1, "b": 2, "argument_3": 3}),
        ("f()", {"b": None}),
        (":( f(a=1)", {"a": 1, "b": None}),
        ("天気はf(1)で", {"a": 1, "b": None}),
    ],
)
def test_a_written_call_is_made_as_written(text: str, arguments: Json) -> None:
    text = text.replace("１", "1")
    tool = function("f", a={"type": ["integer"]}, b=MAYBE_TEXT)
    assert answer(text, [], False, [tool]) == Reply("", (Call("f", arguments),))


def test_what_is_not_given_is_left_out_unless_the_schema_is_strict() -> None:
    lenient = function("f", strict=False, a=TEXT, b=MAYBE_TEXT)
    assert answer("f('x')", [], False, [lenient]).calls == (Call("f", {"a": "x"}),)


@pytest.mark.parametrize(
    "text", ["f(1)\nf(2)\nthen\ng(3)", "f(1); f(2) then g(3)", "f(1) and f(2) → g(3)", "f(1)とf(2)、次にg(3)"]
)
def test_written_calls_run_side_by_side_and_then_begins_the_next_round(text: str) -> None:
    tools = [function("f", a=WHOLE), function("g", a=WHOLE)]
    rounds, _ = chain(text, {"f": 1, "g": 2}, tools)
    assert rounds == [[Call("f", {"a": 1}), Call("f", {"a": 2})], [Call("g", {"a": 3})]]


def test_a_function_that_does_not_exist_is_said_to_be_missing() -> None:
    assert answer("nope(1)", [], False, [WEATHER]).text == (
        "There is no function by the name of `nope`. There are these:\n\n"
        "- `get_weather`: Get the weather in a city."
    )


@pytest.mark.parametrize("arguments", ["Oslo", "b'x'", "{1, 2}", "open('x')", "1e999", "*[1]", "lambda: 0"])
def test_arguments_that_are_no_literals_are_not_guessed_at(arguments: str) -> None:
    assert answer(f"get_weather({arguments})", [], False, [WEATHER]) == Reply(
        'I could not read the arguments of `get_weather`. Write them like this: `get_weather(city="…")`'
    )


# What comes back


def test_outputs_become_short_markdown() -> None:
    def said(output: object) -> str:
        done = [Done(Call("f", {"a": "x|y"}), json.dumps(output))]
        return answer("f('x|y')", done, False, [function("f", a=TEXT)]).text.partition("\n\n")[2]

    assert said({"a": 1, "b": ["x", 2], "c": None}) == "- **a**: 1\n- **b**: x, 2\n- **c**: –"
    assert said([{"a": "x|y", "b": 1}, {"a": "z\nz", "c": {"d": 2}}]) == (
        '| a | b | c |\n| --- | --- | --- |\n| x\\|y | 1 | – |\n| z z | – | {"d": 2} |'
    )
    assert said([{str(n): n for n in range(9)}] * 9) == (
        "| 0 | 1 | 2 | 3 | 4 | 5 |\n| --- | --- | --- | --- | --- | --- |\n"
        + "| 0 | 1 | 2 | 3 | 4 | 5 |\n" * 8
        + "\n… and 1 more."
    )
    assert said({"city": "Oslo", "hotels": [{"id": 1}]}) == ("- **city**: Oslo\n\n| id |\n| --- |\n| 1 |")
    assert said({"error": "There is no such city."}) == "This did not work: There is no such city."
    assert said("plain text") == "plain text"
    assert said([]) == "Nothing was found."
    assert said(87) == "87"
    assert len(said("x" * 50_000)) == 1_000


def test_outputs_in_parts_are_read(client: OpenAI) -> None:
    (call,) = calls_of(events := stream(client, input="get_weather('Oslo')", tools=[WEATHER]))
    parts = [{"type": "input_text", "text": '{"temperature": 4}'}]
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": parts}
    ended = stream(client, input=[output], previous_response_id=events[-1]["response"]["id"])[-1]["response"]
    assert Response.model_validate(ended).output_text.startswith(
        "**Weather in Oslo**\n\n- **temperature**: 4"
    )


# Plain questions


def test_a_hotel_is_looked_for_in_the_warmer_city() -> None:
    rounds, text = chain(
        "What's the weather in Tokyo and Paris, and then find me a hotel in the warmer one",
        {
            "get_weather Tokyo": {"temperature": 14.5},
            "get_weather Paris": {"temperature": 21},
            "find_hotels Paris": [{"hotel_id": 3, "name": "Lutèce"}],
        },
    )
    assert rounds == [[weather("Tokyo"), weather("Paris")], [hotels("Paris")]]
    assert text == (
        "Paris is the warmer choice (Tokyo 14.5°, Paris 21°).\n\n"
        "**Weather in Tokyo**\n\n- **temperature**: 14.5\n\n"
        "**Weather in Paris**\n\n- **temperature**: 21\n\n"
        "**Hotels in Paris**\n\n| hotel_id | name |\n| --- | --- |\n| 3 | Lutèce |"
    )


def test_the_same_in_japanese_is_answered_in_japanese() -> None:
    rounds, text = chain(
        "東京とパリの天気を教えて。それから暖かい方のホテルを探して",
        {
            "get_weather Tokyo": {"temperature": "22 °C"},
            "get_weather Paris": {"temperature": "-1.5 °C"},
            "find_hotels Tokyo": [],
        },
    )
    assert rounds == [[weather("Tokyo"), weather("Paris")], [hotels("Tokyo")]]
    assert text == (
        "東京の方が暖かいです(東京 22°, パリ -1.5°)。\n\n"
        "**東京の天気**\n\n- **temperature**: 22 °C\n\n"
        "**パリの天気**\n\n- **temperature**: -1.5 °C\n\n"
        "**東京のホテル**\n\n見つかりませんでした。"
    )


@pytest.mark.parametrize(
    "question",
    [
        "Weather in Tokyo and Paris? Then hotels in the colder one.",
        "find me a hotel in the cooler of Tokyo and Paris",
        "weather in Tokyo and Paris and a hotel in the colder city",
        "東京とパリの天気を教えて、その後、涼しい方のホテルを探して",
        "東京とパリの天気と、涼しいほうのホテル",
    ],
)
def test_the_colder_city_can_be_asked_for(question: str) -> None:
    outputs = {"get_weather Tokyo": {"temperature": 10}, "get_weather Paris": {"temperature": 2}}
    assert chain(question, outputs)[0] == [[weather("Tokyo"), weather("Paris")], [hotels("Paris")]]


def test_without_the_weather_the_first_city_is_taken_and_it_is_said_why() -> None:
    error = {"error": "The weather service cannot be reached right now."}
    rounds, text = chain(
        "weather in Tokyo and Paris, then a hotel in the warmer one",
        {
            "get_weather Tokyo": error,
            "get_weather Paris": {"temperature": 21},
            "find_hotels Tokyo": [{"hotel_id": 1}],
        },
    )
    assert rounds[1] == [hotels("Tokyo")]
    assert text == (
        "I could not compare the temperatures, because the weather is not known for every city. "
        "So I went on with Tokyo, which you named first.\n\n"
        "**Weather in Tokyo**\n\nThis did not work: The weather service cannot be reached right now.\n\n"
        "**Weather in Paris**\n\n- **temperature**: 21\n\n"
        "**Hotels in Tokyo**\n\n| hotel_id |\n| --- |\n| 1 |"
    )


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("What time is it in Oslo?", [Call("get_current_time", {"time_zone": "Europe/Oslo"})]),
        ("京都の今の時間は？", [Call("get_current_time", {"time_zone": "Asia/Tokyo"})]),
        (
            "forecast for Kyoto for 5 days",
            [Call("get_forecast", {"city": "Kyoto", "days": 5, "unit": None})],
        ),
        ("what is 12*7+3", [Call("calculate", {"expression": "12*7+3"})]),
        ("１２×７を計算して", [Call("calculate", {"expression": "12*7"})]),
        ("events in Lisbon", [Call("find_events", {"city": "Lisbon", "first_day": None})]),
        ("hotels in Paris under 150 euros, 4 stars", [hotels("Paris", 150, 4)]),
        ("パリの150ユーロ以下のホテル", [hotels("Paris", 150)]),
        ("weather in fahrenheit for New York", [weather("New York", "fahrenheit")]),
        ("What's the weather in São Paulo, Rome and Tokyo?", [*map(weather, ["São Paulo", "Rome", "Tokyo"])]),
        ("weather in rome", [weather("Rome")]),
        ("札幌の天気は？", [weather("札幌")]),
        ("And in Paris?", [weather("Paris")]),
        ("book a room in Berlin", [hotels("Berlin")]),
        ("What's the weather in Oslo and hotels there", [weather("Oslo"), hotels("Oslo")]),
        (
            "Book hotel 12 for Ada Lovelace on 2026-12-01 for 2 nights",
            [
                Call(
                    "book_hotel",
                    {"hotel_id": 12, "guest": "Ada Lovelace", "check_in": "2026-12-01", "nights": 2},
                )
            ],
        ),
        (
            "time in Tokyo, weather in Oslo and hotels in Paris",
            [Call("get_current_time", {"time_zone": "Asia/Tokyo"}), weather("Oslo"), hotels("Paris")],
        ),
    ],
)
def test_a_plain_question_is_answered_by_functions(question: str, calls: list[Call]) -> None:
    language = "調べてみます。" if re.search("[ぁ-龠]", question) else "Let me look that up."
    assert answer(question, [], True, TRIP) == Reply(language, tuple(calls))


def test_a_city_that_is_missing_is_asked_for() -> None:
    assert answer("How is the weather?", [], False, TRIP) == Reply(
        "Which city do you mean? For example: “What's the weather in Oslo?”"
    )


def test_only_functions_of_the_request_are_called(client: OpenAI) -> None:
    question = "What's the weather in Tokyo and Paris, then a hotel in the warmer one"
    assert answer(question, [], False, []).calls == ()
    assert answer("get_weather('Oslo')", [], False, [{"type": "web_search"}]).calls == ()
    assert [call.name for call in answer("forecast for Oslo", [], False, [WEATHER]).calls] == ["get_weather"]
    assert calls_of(stream(client, input="weather in Oslo", tools=TRIP, tool_choice="none")) == []


# Everything else


def test_a_greeting_says_what_can_be_asked_and_what_this_is() -> None:
    assert answer("Hello", [], True, [WEATHER, HOTELS]).text == (
        "Hello! Good to see you. I can call functions for you and tell you what they gave.\n\n"
        "There are these:\n\n"
        "- `get_weather`: Get the weather in a city.\n"
        "- `find_hotels`: Find hotels.\n\n"
        "For example, try:\n\n"
        "- `What's the weather in Tokyo and Paris? Then find me a hotel in the warmer one.`\n"
        '- `get_weather(city="Oslo")`\n\n'
        f"{NOTE}"
    )


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("こんにちは", "こんにちは！ 関数を呼び出して"),
        ("ありがとう", "どういたしまして。"),
        ("あなたは誰ですか", "私は代役です。"),
        ("Who are you?", "I am a stand-in: no model answers here"),
        ("What can you do?", "I can call functions for you"),
        ("Tell me a story about dragons", "I am only a stand-in without a model"),
        ("show me markdown", "## A sample of Markdown\n"),
        ("長い答えを見せて", "## Markdown の見本\n"),
    ],
)
def test_small_talk_is_answered_in_the_language_of_the_question(text: str, begins: str) -> None:
    reply = answer(text, [], False, TRIP)
    assert reply.calls == ()
    assert reply.text.startswith(begins)


def test_every_example_that_the_demo_gives_works_as_it_is() -> None:
    for language in ("hello", "こんにちは"):
        examples = re.findall("^- `(.{20,})`$", answer(language, [], False, TRIP).text, re.MULTILINE)
        assert len(examples) == 2 if language == "hello" else examples
        assert all(answer(example, [], False, TRIP).calls for example in examples)


HOSTILE = {
    "empty": "",
    "blank": " \n\t",
    "control characters": "\x00\x07\x1b[31m\u202e\ufeff",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈",
    "html": "<script>alert(1)</script>",
    "json": '{"get_weather": {"city": [1, 2]}}',
    "half a surrogate pair": "get_weather('\\ud800')",
    "a null byte in a call": "get_weather('\x00')",
    "an unclosed call": "get_weather('Oslo'",
    "an unclosed quotation": "get_weather('Oslo)",
    "wrong brackets": "get_weather('Oslo'] (",
    "a bomb": "get_weather(9**9**9**9)",
    "a long number": f"get_weather({'9' * 100_000})",
    "words": "weather in Oslo " * 6_000,
    "capitals": "in " + "Aa " * 33_000,
    "parentheses": "(" * 100_000,
    "openings": "get_weather(" * 8_000,
    "nested lists": "get_weather(" + "[" * 50_000 + "]" * 50_000 + ")",
    "signs": "get_weather(" + "-" * 100_000 + "1)",
    "a long sum": "get_weather(" + "1+" * 50_000 + "1)",
    "digits": "what is " + "1" * 100_000,
    "arithmetic": "what is " + "1+(" * 30_000,
    "calls": "get_weather('Oslo')\n" * 5_000,
    "quotations": "get_weather('" + "\\'" * 10_000 + "')",
    "spaces": " " * 100_000,
    "kanji": "東" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_is_too_much(client: OpenAI, text: str) -> None:
    began = time.perf_counter()
    events = stream(client, input=text, tools=TRIP)
    for call in calls_of(events):
        json.loads(call["arguments"])
        call["arguments"].encode()
    assert len(calls_of(events)) <= 20
    assert time.perf_counter() - began < 5  # far more than it takes, far less than a square of its length


@pytest.mark.parametrize(
    "output",
    ["", "null", "NaN", "[" * 100_000, "{" * 50, "9" * 5_000, '{"error": {}}', "[[1], {}]", "x" * 10**6],
)
def test_no_output_is_too_much(output: str) -> None:
    for question in ("get_weather('Oslo')", "weather in Oslo and Paris, then a hotel in the warmer one"):
        done = [Done(weather("Oslo"), output), Done(weather("Paris"), output), Done(hotels("Oslo"), output)]
        for count in range(1, 4):
            assert len(answer(question, done[:count], True, TRIP).text) < 5_000
