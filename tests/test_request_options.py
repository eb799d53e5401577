"""What a chat changes of its requests: how it is merged with the settings, and what cannot be sent."""

import json

import pytest

from assistant.request_options import MAX_INSTRUCTIONS_CHARS, RequestOptions, check_options, parse_schema


def test_what_a_chat_does_not_change_is_as_in_the_settings() -> None:
    settings = RequestOptions(model="m", effort="low", instructions="Be brief.", max_output_tokens=99)
    assert RequestOptions().over(settings) == settings
    options = RequestOptions(model="other", instructions="", parallel_calls=False)
    assert options.changed == ("model", "parallel_calls", "instructions")
    assert options.over(settings) == RequestOptions(
        model="other", effort="low", max_output_tokens=99, parallel_calls=False, instructions=""
    )
    assert options.without({"model", "instructions"}) == RequestOptions(parallel_calls=False)


@pytest.mark.parametrize(
    ("own", "limit", "sent"), [(0, 0, 0), (50, 0, 50), (0, 99, 99), (50, 99, 50), (500, 99, 99)]
)
def test_a_chat_never_exceeds_the_settings_output_limit(own: int, limit: int, sent: int) -> None:
    options, settings = RequestOptions(max_output_tokens=own), RequestOptions(max_output_tokens=limit)
    assert options.over(settings).max_output_tokens == sent


def test_a_schema_is_an_object_of_json() -> None:
    assert parse_schema('{"type": "object"}') == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ('{"type": object}', "The schema is not JSON. Line 1, column 10: Expecting value."),
        ("", "The schema is not JSON. Line 1, column 1: Expecting value."),
        ('{"minimum": NaN}', "The schema is not JSON."),
        ("[" * 100_000, "The schema has 100,000 characters. It may have up to 50,000."),
        ("[" * 20_000, "The schema is not JSON."),
        ("[" * 200 + "]" * 200, "The schema is nested too deeply."),
        ("[]", 'The schema is not a JSON object, such as {"type": "object"}.'),
        ('{"title": "\\ud800"}', "The schema has characters that cannot be sent."),
    ],
    ids=["not JSON", "empty", "NaN", "huge", "brackets", "deep", "a list", "half a character"],
)
def test_a_schema_that_cannot_be_sent_is_refused_with_one_sentence(schema: str, problem: str) -> None:
    with pytest.raises(ValueError, match="The schema") as raised:
        parse_schema(schema)
    assert str(raised.value) == problem


@pytest.mark.parametrize(
    "options",
    [
        RequestOptions(instructions="x" * (MAX_INSTRUCTIONS_CHARS + 1)),
        RequestOptions(instructions="\ud800"),
        RequestOptions(model="m" * 1_000),
        RequestOptions(verbosity="loud"),
        RequestOptions(max_output_tokens=1),
        RequestOptions(max_output_tokens=-20),
        RequestOptions(text_format="json_schema", schema="{"),
    ],
    ids=["1 MB", "half a character", "long model", "unknown value", "too few tokens", "negative", "schema"],
)
def test_options_that_cannot_be_sent_are_refused(options: RequestOptions) -> None:
    with pytest.raises(ValueError, match=r"\."):
        check_options(options)


def test_good_options_can_be_sent() -> None:
    check_options(RequestOptions())
    schema = json.dumps({"type": "object"})
    check_options(RequestOptions(model="m", max_output_tokens=16, text_format="json_schema", schema=schema))
