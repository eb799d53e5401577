"""The replies of the built-in demo: written calls, questions and small talk."""

import json
import re
import time
from collections.abc import Mapping

import pytest

from assistant.demo.answers import Reply, next_reply
from assistant.demo.calls import Call
from tests.demo.trip import HOTELS, MAYBE_TEXT, NOTE, TEXT, TRIP, WEATHER, WHOLE, Json, function


def chain(
    question: str, outputs: Mapping[str, object], tools: list[Json] = TRIP
) -> tuple[list[list[Call]], str]:
    """Return all rounds of calls for a question and the final text; ``outputs`` are by name and city."""
    rounds: list[list[Call]] = []
    done: list[tuple[Call, str]] = []
    while True:
        reply = next_reply(question, done, False, tools)
        if not reply.calls:
            return rounds, reply.text
        rounds.append(list(reply.calls))
        for call in reply.calls:
            key = f"{call.name} {call.arguments.get('city', '')}".strip()
            done.append((call, json.dumps(outputs.get(key, {"error": "out of order"}))))


def weather(city: str, unit: str | None = None) -> Call:
    return Call("get_weather", {"city": city, "unit": unit})


def hotels(city: str, max_price: int | None = None, min_stars: int | None = None) -> Call:
    return Call("find_hotels", {"city": city, "max_price": max_price, "min_stars": min_stars})


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
def test_a_written_call_is_made_with_its_arguments(text: str, arguments: Json) -> None:
    text = text.replace("１", "1")
    tool = function("f", a={"type": ["integer"]}, b=MAYBE_TEXT)
    assert next_reply(text, [], False, [tool]) == Reply("", (Call("f", arguments),))


def test_missing_arguments_are_left_out_unless_the_schema_is_strict() -> None:
    lenient = function("f", strict=False, a=TEXT, b=MAYBE_TEXT)
    assert next_reply("f('x')", [], False, [lenient]).calls == (Call("f", {"a": "x"}),)


@pytest.mark.parametrize(
    "text", ["f(1)\nf(2)\nthen\ng(3)", "f(1); f(2) then g(3)", "f(1) and f(2) → g(3)", "f(1)とf(2)、次にg(3)"]
)
def test_written_calls_are_parallel_until_a_then(text: str) -> None:
    tools = [function("f", a=WHOLE), function("g", a=WHOLE)]
    rounds, _ = chain(text, {"f": 1, "g": 2}, tools)
    assert rounds == [[Call("f", {"a": 1}), Call("f", {"a": 2})], [Call("g", {"a": 3})]]


def test_a_written_call_of_an_unknown_function_is_reported() -> None:
    assert next_reply("nope(1)", [], False, [WEATHER]).text == (
        "There is no function named `nope`. These functions are available:\n\n"
        "- `get_weather`: Get the weather in a city."
    )


@pytest.mark.parametrize("arguments", ["Oslo", "b'x'", "{1, 2}", "open('x')", "1e999", "*[1]", "lambda: 0"])
def test_arguments_that_are_not_literals_are_not_guessed(arguments: str) -> None:
    assert next_reply(f"get_weather({arguments})", [], False, [WEATHER]) == Reply(
        'I cannot read the arguments of `get_weather`. Write them like this: `get_weather(city="…")`'
    )


# What comes back


def test_outputs_become_short_markdown() -> None:
    def answer_for(output: object) -> str:
        done = [(Call("f", {"a": "x|y"}), json.dumps(output))]
        return next_reply("f('x|y')", done, False, [function("f", a=TEXT)]).text.partition("\n\n")[2]

    assert answer_for({"a": 1, "b": ["x", 2], "c": None}) == "- **a**: 1\n- **b**: x, 2\n- **c**: –"
    assert answer_for([{"a": "x|y", "b": 1}, {"a": "z\nz", "c": {"d": 2}}]) == (
        '| a | b | c |\n| --- | --- | --- |\n| x\\|y | 1 | – |\n| z z | – | {"d": 2} |'
    )
    assert answer_for([{str(n): n for n in range(9)}] * 9) == (
        "| 0 | 1 | 2 | 3 | 4 | 5 |\n| --- | --- | --- | --- | --- | --- |\n"
        + "| 0 | 1 | 2 | 3 | 4 | 5 |\n" * 8
        + "\n… and 1 more."
    )
    assert answer_for({"city": "Oslo", "hotels": [{"id": 1}]}) == (
        "- **city**: Oslo\n\n| id |\n| --- |\n| 1 |"
    )
    assert answer_for({"error": "There is no such city."}) == "Failed: There is no such city."
    assert answer_for("plain text") == "plain text"
    assert answer_for([]) == "Nothing found."
    assert answer_for(87) == "87"
    assert len(answer_for("x" * 50_000)) == 1_000


def test_only_the_first_sentence_of_an_error_is_shown() -> None:
    output = json.dumps({"error": "There is no hotel 9. Use a hotel_id from find_hotels."})
    assert next_reply("f(1)", [(Call("f", {"a": 1}), output)], False, [function("f", a=WHOLE)]).text == (
        "`f(a=1)`\n\nFailed: There is no hotel 9."
    )


# Plain questions


def test_a_hotel_is_searched_in_the_warmer_city() -> None:
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
        "Paris is warmer (Tokyo 14.5°, Paris 21°).\n\n"
        "**Weather in Tokyo**\n\n- **temperature**: 14.5\n\n"
        "**Weather in Paris**\n\n- **temperature**: 21\n\n"
        "**Hotels in Paris**\n\n| hotel_id | name |\n| --- | --- |\n| 3 | Lutèce |"
    )


def test_a_japanese_question_is_answered_in_japanese() -> None:
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
def test_the_colder_city_can_be_chosen(question: str) -> None:
    outputs = {"get_weather Tokyo": {"temperature": 10}, "get_weather Paris": {"temperature": 2}}
    assert chain(question, outputs)[0] == [[weather("Tokyo"), weather("Paris")], [hotels("Paris")]]


def test_without_temperatures_the_first_city_is_chosen_and_the_answer_says_why() -> None:
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
        "The temperatures (Paris 21°) do not decide, so I chose Tokyo, which you named first.\n\n"
        "**Weather in Tokyo**\n\nFailed: The weather service cannot be reached right now.\n\n"
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
def test_a_question_leads_to_calls(question: str, calls: list[Call]) -> None:
    language = "調べてみます。" if re.search("[ぁ-龠]", question) else "Let me look that up."
    assert next_reply(question, [], True, TRIP) == Reply(language, tuple(calls))


def test_the_demo_asks_for_a_missing_city() -> None:
    assert next_reply("How is the weather?", [], False, TRIP) == Reply(
        "Which city do you mean? For example: “What's the weather in Oslo?”"
    )


def test_only_functions_of_the_request_are_called() -> None:
    question = "What's the weather in Tokyo and Paris, then a hotel in the warmer one"
    assert next_reply(question, [], False, []).calls == ()
    assert next_reply("get_weather('Oslo')", [], False, [{"type": "web_search"}]).calls == ()
    assert [call.name for call in next_reply("forecast for Oslo", [], False, [WEATHER]).calls] == [
        "get_weather"
    ]


# Everything else


def test_a_greeting_explains_the_demo_and_what_to_ask() -> None:
    assert next_reply("Hello", [], True, [WEATHER, HOTELS]).text == (
        "Hello! I can call functions for you and show what they return.\n\n"
        "These functions are available:\n\n"
        "- `get_weather`: Get the weather in a city.\n"
        "- `find_hotels`: Find hotels.\n\n"
        "For example:\n\n"
        "- `What's the weather in Tokyo and Paris? Then find me a hotel in the warmer one.`\n"
        '- `get_weather(city="Oslo")`\n\n'
        f"{NOTE}"
    )


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("こんにちは", "こんにちは！ 関数を呼び出して"),
        ("ありがとう", "どういたしまして。"),
        ("あなたは誰ですか", "これはデモです。"),
        ("Who are you?", "I am a demo: no model answers here"),
        ("What can you do?", "I can call functions for you"),
        ("Tell me a story about dragons", "I am a scripted demo without a model"),
    ],
)
def test_small_talk_is_answered_in_the_language_of_the_question(text: str, begins: str) -> None:
    reply = next_reply(text, [], False, TRIP)
    assert reply.calls == ()
    assert reply.text.startswith(begins)


def test_every_example_of_the_demo_works_unchanged() -> None:
    for language in ("hello", "こんにちは"):
        examples = re.findall("^- `(.{20,})`$", next_reply(language, [], False, TRIP).text, re.MULTILINE)
        assert len(examples) == 2 if language == "hello" else examples
        assert all(next_reply(example, [], False, TRIP).calls for example in examples)


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
def test_no_text_takes_too_long(text: str) -> None:
    began = time.perf_counter()
    calls = next_reply(text, [], True, TRIP).calls
    assert len(calls) <= 20
    json.dumps([call.arguments for call in calls], allow_nan=False).encode()
    assert time.perf_counter() - began < 5  # far more than it takes, far less than a square of its length


@pytest.mark.parametrize(
    "output",
    ["", "null", "NaN", "[" * 100_000, "{" * 50, "9" * 5_000, '{"error": {}}', "[[1], {}]", "x" * 10**6],
)
def test_no_output_makes_the_answer_too_long(output: str) -> None:
    for question in ("get_weather('Oslo')", "weather in Oslo and Paris, then a hotel in the warmer one"):
        done = [(call, output) for call in (weather("Oslo"), weather("Paris"), hotels("Oslo"))]
        for count in range(1, 4):
            assert len(next_reply(question, done[:count], True, TRIP).text) < 5_000
