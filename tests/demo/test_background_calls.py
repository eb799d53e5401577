"""The demo calls a function in the background, writes on, and answers with its output when that comes."""

import json
from typing import Any

import pytest
from openai import OpenAI

from tests.demo.trip import TEXT, TRIP, Json, function

FARES = [{"agency": "Kite Travel", "airline": "Heron Air", "stops": 0, "city": "Oslo", "price_eur": 90}]
TOOLS = [*TRIP, function("search_fares", city=TEXT, task_handle=TEXT) | {"async": True}]


def respond(client: OpenAI, items: list[Json]) -> list[Json]:
    """Add the output of a response to the items, and return it."""
    tools: Any = TOOLS
    history: Any = items
    response = client.responses.create(model="demo", input=history, tools=tools)
    output = [item.model_dump(by_alias=True, exclude_none=True) for item in response.output]
    items += output
    return output


def texts(output: list[Json]) -> list[str]:
    return [item["content"][0]["text"] for item in output if item["type"] == "message"]


def output_of(call: Json) -> Json:
    return {"type": "function_call_output", "call_id": call["call_id"], "output": json.dumps(FARES)}


@pytest.mark.parametrize(
    ("question", "title", "city"),
    [
        ("Search fares to Oslo and write me a packing list meanwhile", "Fares to Oslo", "Oslo"),
        ("オスロ行きの航空券を探して、その間に持ち物リストを書いて", "オスロ行きの航空券", "Oslo"),
    ],
)
def test_it_writes_a_packing_list_and_then_the_fares(
    client: OpenAI, question: str, title: str, city: str
) -> None:
    items: list[Json] = [{"role": "user", "content": question}]
    call, message = respond(client, items)
    assert (call["name"], call["async"]) == ("search_fares", True)
    assert json.loads(call["arguments"]) == {"city": city, "task_handle": "search_fares_1"}
    assert len(message["content"][0]["text"]) > 200
    items.append(output_of(call))
    [text] = texts(respond(client, items))
    assert title in text
    assert "Kite Travel" in text


def test_it_answers_a_question_in_between(client: OpenAI) -> None:
    items: list[Json] = [{"role": "user", "content": "Search fares to Oslo"}]
    call, _ = respond(client, items)
    items.append({"role": "user", "content": "Thanks!"})
    assert "Fares" not in texts(respond(client, items))[0]
    items.append(output_of(call))
    assert "Fares to Oslo" in texts(respond(client, items))[0]


def test_it_says_an_output_that_comes_with_a_question(client: OpenAI) -> None:
    items: list[Json] = [{"role": "user", "content": "Search fares to Oslo"}]
    call, _ = respond(client, items)
    items += [output_of(call), {"role": "user", "content": "Thanks!"}]
    [text] = texts(respond(client, items))
    assert "Fares to Oslo" in text
    assert text.endswith("Ask me anything else you like.")
