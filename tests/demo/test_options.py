"""The options of a request: limits, formats, and which function has to be called."""

import json
from typing import Any

import openai
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openai import OpenAI
from openai.types.responses import Response, ResponseFunctionToolCall

from assistant.demo.replies.samples import sample_value
from tests.demo.trip import TEXT, TRIP, WEATHER, WHOLE, Json, function
from tests.variants import quick_first_row

BOOK = function("book_table", restaurant=TEXT, party_size=WHOLE, outdoor={"type": "boolean"})


def respond(client: OpenAI, words: str, **request: Any) -> Response:
    response = client.responses.create(model="demo", input=words, **request)
    assert isinstance(response, Response)
    return response


def calls(response: Response) -> list[tuple[str, Json]]:
    found = [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]
    return [(call.name, json.loads(call.arguments)) for call in found]


def test_a_response_repeats_its_options_and_the_defaults(client: OpenAI) -> None:
    response = respond(client, "hi", temperature=0.5, reasoning={"effort": "low"}, tools=[WEATHER])
    fields = response.to_dict()
    assert fields["reasoning"] == {"effort": "low", "summary": None}
    assert fields["text"] == {"format": {"type": "text"}, "verbosity": "medium"}
    expected = {
        "temperature": 0.5,
        "top_p": 1.0,
        "truncation": "disabled",
        "background": False,
        "tools": [WEATHER],
    }
    assert {name: fields[name] for name in expected} == expected


@pytest.mark.parametrize(
    "option",
    [
        {"temperature": "hot"},
        {"max_output_tokens": 0},
        {"max_output_tokens": True},
        {"text": 5},
        {"text": {"format": {"type": "xml"}}},
        {"text": {"format": {"type": "json_schema", "name": "a"}}},
        {"text": {"format": {"type": "json_object"}}},
        {"truncation": "none"},
        {"tool_choice": "always"},
        {"tool_choice": {"type": "function", "name": "nothing"}},
        {"background": True, "store": False},
    ],
    ids=str,
)
def test_an_option_that_the_api_refuses_is_refused(client: OpenAI, option: Json) -> None:
    with pytest.raises(openai.BadRequestError):
        client.post("/responses", body={"model": "demo", "input": "hi", **option}, cast_to=object)


@pytest.mark.parametrize("limit", [1, 3, 8, 500])
def test_the_limit_of_output_tokens_cuts_the_text_off(client: OpenAI, limit: int) -> None:
    whole = respond(client, "hello")
    response = respond(client, "hello", max_output_tokens=limit)
    assert response.usage
    assert whole.usage
    assert response.usage.output_tokens == min(limit, whole.usage.output_tokens)
    assert whole.output_text.startswith(response.output_text)
    is_cut_off = limit < whole.usage.output_tokens
    assert response.status == ("incomplete" if is_cut_off else "completed")
    assert (response.incomplete_details is not None) == is_cut_off
    events = list(client.responses.create(model="demo", input="hello", max_output_tokens=limit, stream=True))
    assert events[-1].type == f"response.{response.status}"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == response.output_text


def test_a_conversation_goes_on_after_a_call_that_was_cut_off(client: OpenAI) -> None:
    conversation = client.conversations.create().id
    request: Json = {"conversation": conversation, "tools": TRIP}
    response = respond(client, "get_weather('Oslo')", max_output_tokens=2, **request)
    assert (response.status, response.output[0].to_dict()["status"]) == ("incomplete", "incomplete")
    assert respond(client, "thanks", **request).status == "completed"


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "book_table"}])
def test_a_required_call_comes_with_arguments_of_the_right_types(client: OpenAI, choice: Any) -> None:
    response = respond(client, "Chez Nous, for 4", tools=[BOOK, WEATHER], tool_choice=choice)
    assert calls(response) == [("book_table", {"restaurant": "sample", "party_size": 1, "outdoor": True})]


def test_only_allowed_functions_are_called(client: OpenAI) -> None:
    choice = {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "get_forecast"}],
    }
    assert calls(respond(client, "weather in Oslo", tools=TRIP, tool_choice=choice)) == []
    choice["mode"] = "required"
    [(name, _)] = calls(respond(client, "thanks", tools=TRIP, tool_choice=choice))
    assert name == "get_forecast"


def test_json_mode_answers_with_json(client: OpenAI) -> None:
    response = respond(client, "thanks, as JSON", text={"format": {"type": "json_object"}})
    assert json.loads(response.output_text) == {"answer": "You're welcome. Ask me anything else you like."}


TREE: Json = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "children": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/node"}},
    },
    "required": ["name", "children"],
    "additionalProperties": False,
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "kind": {"enum": ["leaf", "branch"]},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["kind", "next"],
        }
    },
}


def test_a_schema_is_answered_with_json_that_matches_it(client: OpenAI) -> None:
    text_format = {"type": "json_schema", "name": "tree", "schema": TREE, "strict": True}
    response = respond(client, "Invent a tree.", text={"format": text_format})
    Draft202012Validator(TREE).validate(json.loads(response.output_text))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 3},
        {"type": "integer", "maximum": -4},
        {"type": "number", "minimum": 0.25, "exclusiveMaximum": 0.5},
        {"type": "number", "exclusiveMaximum": 0.5},
        {"type": "string", "minLength": 20},
        {"type": "string", "maxLength": 3},
        {"type": ["null", "array"], "minItems": 3, "items": {"type": "boolean"}},
        {"oneOf": [{"type": "null"}, {"const": 7}]},
        {"type": "string", "format": "date"},
        {"properties": {"a": {"type": "string"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"enum": ["x"]}}},
        {},
    ],
    ids=str,
)
def test_a_sample_matches_its_schema(schema: Json) -> None:
    Draft202012Validator(schema).validate(sample_value(schema))


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/nowhere"}, {"$ref": "#"}, {"$ref": "#/$ref/x"}, True, 5], ids=str
)
def test_a_schema_without_a_meaning_has_no_sample(schema: Any) -> None:
    assert sample_value(schema) is None


def test_the_users_name_is_recalled(client: OpenAI) -> None:
    first = respond(client, "My name is Ada. Remember it.")
    second = respond(client, "What is my name?", previous_response_id=first.id)
    assert second.output_text == "Your name is Ada."
    assert respond(client, "What's my name?").output_text == "You haven't told me your name yet."
    first = respond(client, "私の名前は花子です。")
    assert (
        respond(client, "私の名前は何ですか？", previous_response_id=first.id).output_text
        == "花子さんですね。"
    )


def test_a_prompt_that_was_read_before_is_counted_as_cached(client: OpenAI) -> None:
    usages = [respond(client, "x" * 2_000 + end).usage for end in ("a", "b", "")]
    assert [usage.input_tokens_details.cached_tokens for usage in usages if usage] == [0, 384, 384]


def test_compaction_keeps_the_users_messages(client: OpenAI) -> None:
    first = respond(client, "My name is Ada.")
    compacted = client.responses.compact(model="demo", previous_response_id=first.id)
    assert [item.type for item in compacted.output] == ["message", "compaction"]
    items: Any = compacted.to_dict(warnings=False)["output"]
    again = client.responses.create(
        model="demo", input=[*items, {"role": "user", "content": "What is my name?"}]
    )
    assert again.output_text == "Your name is Ada."


def test_input_tokens_and_input_items_can_be_asked_for(client: OpenAI) -> None:
    response = respond(client, "hello there")
    assert response.usage
    count = client.responses.input_tokens.count(model="demo", input="hello there")
    assert count.input_tokens == response.usage.input_tokens
    [item] = client.responses.input_items.list(response.id)
    assert item.to_dict()["content"] == [{"type": "input_text", "text": "hello there"}]


# --- what the request panel shows ---------------------------------------------------------------------


def test_a_text_is_as_long_as_the_verbosity_says(client: OpenAI) -> None:
    low, medium, high = (
        respond(client, "hi", text={"verbosity": verbosity}, tools=[WEATHER]).output_text
        for verbosity in ("low", "medium", "high")
    )
    assert medium.startswith(low + "\n\n")
    assert high.startswith(medium + "\n\nYou asked for a long answer.")


@pytest.mark.parametrize(("requested", "used"), [("auto", "default"), ("flex", "flex"), ("fast", "priority")])
def test_a_response_says_which_tier_answered(client: OpenAI, requested: str, used: str) -> None:
    assert respond(client, "hi", service_tier=requested).service_tier == used


def test_the_fastest_tier_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        respond(client, "hi", service_tier="ultrafast")
    assert refused.value.param == "service_tier"


@pytest.mark.parametrize(
    ("option", "param"),
    [
        ({"reasoning": {"effort": "low"}}, "reasoning.effort"),
        ({"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"service_tier": "flex"}, "service_tier"),
    ],
)
def test_the_plain_model_refuses_what_it_does_not_have(client: OpenAI, option: Json, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        create_with(client, model="Demo mini", input="hi", **option)
    assert refused.value.param == param
    assert client.responses.create(model="Demo mini", input="hi").model == "Demo mini"


def create_with(client: OpenAI, **request: Any) -> Response:
    create: Any = client.responses.create
    response: Response = create(**request)
    return response


LONG = "All about Oslo. " * 100


def test_what_is_written_to_the_cache_is_counted(client: OpenAI) -> None:
    first, second = (respond(client, LONG).usage for _ in range(2))
    assert first
    assert second
    details = [each.input_tokens_details for each in (first, second)]
    assert [(each.cached_tokens, each.cache_write_tokens) for each in details] == [(0, 384), (384, 0)]


@pytest.mark.parametrize(
    ("change", "reason"),
    quick_first_row(
        ({"tools": []}, "tools_changed"),
        ({"text": {"verbosity": "low"}}, "verbosity_changed"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": {}}}}, "text_format_changed"),
        ({"reasoning": {"effort": "high"}}, "reasoning_effort_changed"),
        ({"service_tier": "flex"}, "service_tier_changed"),
        ({"model": "Demo mini"}, "model_changed"),
        ({"instructions": "Be rude."}, "input_changed"),
    ),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_missed_cache_has_a_reason(client: OpenAI, change: Json, reason: str) -> None:
    request: Json = {"model": "Demo", "instructions": "Be brief.", "input": LONG, "tools": [WEATHER]}
    first = create_with(client, **request)
    compared = {"prompt_cache_options": {"comparison_response_id": first.id}}
    second = create_with(client, **request, **compared)
    assert second.to_dict()["prompt_cache_diagnostics"] == {"type": "cache_hit"}
    changed = create_with(client, **{**request, **compared, **change})
    diagnostics: Any = changed.to_dict()["prompt_cache_diagnostics"]
    assert (diagnostics["type"], diagnostics["reason"]) == ("cache_miss", reason)
    assert changed.usage is not None
    assert changed.usage.input_tokens_details.cached_tokens == 0


def test_a_comparison_with_an_unknown_response_says_so(client: OpenAI) -> None:
    options = {"comparison_response_id": "resp_0"}
    response = respond(client, "hi", prompt_cache_options=options)
    assert response.to_dict()["prompt_cache_diagnostics"] == {"type": "comparison_response_not_found"}


def test_an_invalid_grammar_is_refused(client: OpenAI) -> None:
    tool = {
        "type": "custom",
        "name": "x",
        "format": {"type": "grammar", "syntax": "regex", "definition": "("},
    }
    with pytest.raises(Exception, match="Invalid grammar"):
        client.responses.create(model="m", input="Hi", tools=[tool])  # type: ignore[list-item]
