"""The replies of the built-in demo: written calls, questions and small talk."""

import json
import re
import time
from collections.abc import Mapping
from datetime import date, timedelta

import pytest

from assistant import Toolbox, functions
from assistant.demo.replies.answers import Reply, next_reply
from assistant.demo.replies.calls import Call
from assistant.events import ToolCall
from assistant.tools.execution import run_tool
from tests.demo.trip import HOTELS, MAYBE_TEXT, TEXT, TRIP, WEATHER, WHOLE, Json, function


def chain(
    question: str, outputs: Mapping[str, object], tools: list[Json] = TRIP
) -> tuple[list[list[Call]], str]:
    """Return all rounds of calls for a question and the final text; ``outputs`` are by name and city."""
    rounds: list[list[Call]] = []
    done: list[tuple[Call, str]] = []
    while True:
        reply = next_reply(question, done, tools)
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
    assert next_reply(text, [], [tool]) == Reply("", (Call("f", arguments),))


def test_missing_arguments_are_left_out_unless_the_schema_is_strict() -> None:
    lenient = function("f", strict=False, a=TEXT, b=MAYBE_TEXT)
    assert next_reply("f('x')", [], [lenient]).calls == (Call("f", {"a": "x"}),)


@pytest.mark.parametrize(
    "text", ["f(1)\nf(2)\nthen\ng(3)", "f(1); f(2) then g(3)", "f(1) and f(2) → g(3)", "f(1)とf(2)、次にg(3)"]
)
def test_written_calls_are_parallel_until_a_then(text: str) -> None:
    tools = [function("f", a=WHOLE), function("g", a=WHOLE)]
    rounds, _ = chain(text, {"f": 1, "g": 2}, tools)
    assert rounds == [[Call("f", {"a": 1}), Call("f", {"a": 2})], [Call("g", {"a": 3})]]


def test_a_written_call_of_an_unknown_function_is_reported() -> None:
    assert next_reply("nope(1)", [], [WEATHER]).text == (
        "There is no function named `nope`. The functions are `get_weather`."
    )


@pytest.mark.parametrize("arguments", ["Oslo", "b'x'", "{1, 2}", "open('x')", "1e999", "*[1]", "lambda: 0"])
def test_arguments_that_are_not_literals_are_not_guessed(arguments: str) -> None:
    assert next_reply(f"get_weather({arguments})", [], [WEATHER]) == Reply(
        'I can\'t read the arguments of `get_weather`. Write them like this: `get_weather(city="Oslo")`'
    )


# What comes back


def test_outputs_become_short_markdown() -> None:
    def answer_for(output: object) -> str:
        done = [(Call("f", {"a": "x|y"}), json.dumps(output))]
        return next_reply("f('x|y')", done, [function("f", a=TEXT)]).text.partition("\n\n")[2]

    assert answer_for({"a": 1, "b": ["x", 2], "c": None}) == "- **A**: 1\n- **B**: x, 2\n- **C**: –"
    assert answer_for([{"a": "x|y", "b": 1}, {"a": "z\nz", "c": {"d": 2}}]) == (
        '| A | B | C |\n| --- | --- | --- |\n| x\\|y | 1 | – |\n| z z | – | {"d": 2} |'
    )
    assert answer_for([{str(n): n for n in range(9)}] * 9) == (
        "| 0 | 1 | 2 | 3 | 4 | 5 |\n| --- | --- | --- | --- | --- | --- |\n"
        + "| 0 | 1 | 2 | 3 | 4 | 5 |\n" * 8
        + "\n… and 1 more."
    )
    assert answer_for({"check_in": 1}) == "- **Check in**: 1"
    assert answer_for({"city": "Oslo", "hotels": [{"id": 1}]}) == (
        "- **City**: Oslo\n\n| Id |\n| --- |\n| 1 |"
    )
    assert answer_for("plain text") == "plain text"
    assert answer_for([]) == "Nothing found."
    assert answer_for(87) == "87"
    assert len(answer_for("x" * 50_000)) == 1_000


def test_only_the_first_sentence_of_an_error_is_shown() -> None:
    output = json.dumps({"error": "There is no hotel 9. Use a hotel_id from find_hotels."})
    assert next_reply("f(1)", [(Call("f", {"a": 1}), output)], [function("f", a=WHOLE)]).text == (
        "`f(a=1)`: failed. There is no hotel 9."
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
        "**Paris is warmer**: 21 °C, compared with 14.5 °C in Tokyo.\n\n"
        "**Weather in Tokyo**: 14.5 °C\n\n**Weather in Paris**: 21 °C\n\n"
        "**Hotels in Paris**\n\n| Hotel | No. |\n| --- | --- |\n| Lutèce | 3 |"
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
        "**東京の方が暖かいです**（東京 22℃、パリ −1.5℃）。\n\n"
        "**東京の天気**：22℃\n\n**パリの天気**：−1.5℃\n\n"
        "**東京のホテル**\n\n見つかりませんでした。"
    )


PRICES = function("hotel_prices", city=MAYBE_TEXT)
NOW = {
    "temperature": 13.7,
    "unit": "celsius",
    "condition": "light rain",
    "wind_kmh": 8.3,
    "humidity_percent": 54,
}
SAMPLE = {"source": "sample data for 24 Nov 2026, because there is no network"}


def test_the_weather_has_units_and_names_its_source() -> None:
    _, text = chain("weather in Oslo", {"get_weather Oslo": NOW | SAMPLE})
    assert text == (
        "**Weather in Oslo**: 13.7 °C, light rain, 54% humidity, wind 8 km/h\n\n"
        "The weather is sample data for 24 Nov 2026, because there is no network."
    )
    _, text = chain("オスロの天気", {"get_weather Oslo": NOW | SAMPLE})
    assert text == (
        "**オスロの天気**：13.7℃、小雨、湿度54%、風速8 km/h\n\n"
        "ネットワークに接続できないため、天気は2026年11月24日のサンプルデータです。"
    )


def test_a_forecast_is_a_table_with_units() -> None:
    day = {"date": "2026-11-24", "condition": "overcast", "min": 1, "max": -2.5, "unit": "fahrenheit"}
    _, text = chain("forecast for Oslo", {"get_forecast Oslo": [day | {"precipitation_mm": None}]})
    assert text == (
        "**Forecast for Oslo**\n\n| Day | Weather | Low | High | Rain |\n| --- | --- | --- | --- | --- |\n"
        "| Tue 24 Nov | overcast | 1 °F | −2.5 °F | – |"
    )


def test_the_time_and_events_read_like_an_answer() -> None:
    time = {"time_zone": "Asia/Tokyo", "local_time": "2026-11-30T21:05:00+09:00", "weekday": "Monday"}
    event = {
        "date": "2026-12-05",
        "starts_at": "09:00",
        "name": "Flea Market",
        "price_eur": 0,
        "city": "Kyoto",
    }
    outputs = {"get_current_time": time, "find_events Kyoto": [event]}
    assert chain("What time is it in Kyoto, and what's on?", outputs)[1] == (
        "It's 21:05 on Mon 30 Nov in Kyoto.\n\n"
        "**Events in Kyoto**\n\n| Day | Time | Event | Price |\n| --- | --- | --- | --- |\n"
        "| Sat 5 Dec | 09:00 | Flea Market | free |"
    )
    assert chain("京都の今の時間と、イベントを教えて", outputs)[1] == (
        "京都は現在、11月30日(月) 21:05です。\n\n"
        "**京都のイベント**\n\n| 日付 | 時刻 | イベント | 料金 |\n| --- | --- | --- | --- |\n"
        "| 12月5日(土) | 09:00 | Flea Market | 無料 |"
    )


def test_a_sum_is_an_equation() -> None:
    assert chain("what is 12*7+3", {"calculate": 87})[1] == "`12*7+3` = **87**"


def test_the_cheapest_hotel_is_found_and_then_booked() -> None:
    question = "Book the cheapest hotel in Kyoto for Ada Lovelace, 2 nights from 2026-12-24"
    japanese = "京都でいちばん安いホテルを、2026-12-24から2泊、山田花子の名前で予約して"
    hotel = {"hotel_id": 22, "name": "Mossgate", "price_per_night_eur": 64}
    booked = {
        "confirmation": "TRIP-0001",
        "hotel": "Mossgate",
        "city": "Kyoto",
        "guest": "Ada Lovelace",
        "check_in": "2026-12-24",
        "check_out": "2026-12-26",
        "total_price_eur": 128,
    }
    stay = {"hotel_id": 22, "guest": "Ada Lovelace", "check_in": "2026-12-24", "nights": 2}
    outputs = {"find_hotels Kyoto": [hotel, hotel | {"hotel_id": 23}], "book_hotel": booked}
    rounds, text = chain(question, outputs)
    assert rounds == [[hotels("Kyoto")], [Call("book_hotel", stay)]]
    assert text == (
        "Booked: **Mossgate** in Kyoto for Ada Lovelace, from Thu 24 Dec 2026 to Sat 26 Dec 2026, €128 in "
        "total. Your confirmation number is **TRIP-0001**."
    )
    rounds, text = chain(japanese, outputs)
    assert rounds == [[hotels("Kyoto")], [Call("book_hotel", stay | {"guest": "山田花子"})]]
    assert "合計€128" in text
    found = [(hotels("Kyoto"), json.dumps([hotel]))]
    assert next_reply(question, found, TRIP).text == "The cheapest is **Mossgate**, €64 a night."
    rounds, text = chain(question, {"find_hotels Kyoto": []})
    assert (rounds, text) == ([[hotels("Kyoto")]], "**Hotels in Kyoto**\n\nNothing found.")


def test_tomorrow_is_a_date() -> None:
    (call,) = next_reply("Book hotel 12 for Ada from tomorrow", [], TRIP).calls
    tomorrow = (date.today() + timedelta(1)).isoformat()
    assert call == Call("book_hotel", {"hotel_id": 12, "guest": "Ada", "check_in": tomorrow, "nights": 1})


def test_a_denied_call_is_not_a_failure() -> None:
    denied = {"error": "The user did not allow this call, so the function was not run. Reason: too dear"}
    _, text = chain("Book hotel 12 for Ada on 2026-12-24", {"book_hotel": denied})
    assert text == "**Booking for Ada**: not run, because you denied it."


def test_a_note_on_changed_arguments_is_not_shown() -> None:
    note = 'The user changed the arguments to {"city": "Rome"}.'
    done = [(weather("Oslo"), f"{note}\n\n{json.dumps({'temperature': 15})}")]
    assert next_reply("weather in Oslo", done, TRIP).text == "**Weather in Oslo**: 15 °C"
    done = [(weather("Oslo"), json.dumps({"error": f"{note} It failed. Try again."}))]
    assert next_reply("weather in Oslo", done, TRIP).text == "**Weather in Oslo**: failed. It failed."


def test_an_error_is_put_into_the_language_of_the_question_with_the_cities_that_there_are() -> None:
    error = {"error": "The sample database does not have this city. Available cities: Oslo, Paris."}
    outputs = {"find_hotels Atlantis": error, "find_hotels アトランティス": error}
    assert chain("Find hotels in Atlantis", outputs)[1] == (
        "**Hotels in Atlantis**: failed. The sample database does not have this city. "
        "Available cities: Oslo, Paris."
    )
    assert chain("アトランティスのホテルを探して", outputs)[1] == (
        "**アトランティスのホテル**：失敗しました。サンプルデータベースにこの都市はありません。"
        "利用できる都市：オスロ、パリ。"
    )


def test_a_chart_is_described_without_the_text_for_the_model() -> None:
    question, tools = "Show me a chart of the hotel prices in Lisbon", [*TRIP, PRICES]
    prices = ToolCall("c1", "hotel_prices", '{"city": "Lisbon"}')
    shown = run_tool(prices, Toolbox.from_package(functions)).output
    done = [(Call("hotel_prices", {"city": "Lisbon"}), shown)]
    assert next_reply(question, [], tools).calls == (done[0][0],)
    assert next_reply(question, done, tools).text == (
        "Hotels in Lisbon cost from €55 (Casa do Elétrico Azul) to €340 (Palácio da Sardinha) a night. "
        "The chart and the table are above."
    )
    assert chain(question, {"hotel_prices Lisbon": "Shown to the user: a chart."}, tools)[1] == (
        "**Hotel prices**\n\nThe result is shown above."
    )
    assert chain("f()", {"f": shown}, [function("f")])[1] == "`f()`\n\nThe result is shown above."


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
        "Not all temperatures are known, so I chose Tokyo, which you named first.\n\n"
        "**Weather in Tokyo**: failed. The weather service cannot be reached right now.\n\n"
        "**Weather in Paris**: 21 °C\n\n"
        "**Hotels in Tokyo**\n\n| No. |\n| --- |\n| 1 |"
    )


@pytest.mark.parametrize(
    ("question", "calls"),
    [
        ("What time is it in Oslo?", [Call("get_current_time", {"time_zone": "Europe/Oslo"})]),
        ("京都の今の時間は？", [Call("get_current_time", {"time_zone": "Asia/Tokyo"})]),
        ("forecast for Kyoto for 5 days", [Call("get_forecast", {"city": "Kyoto", "days": 5, "unit": None})]),
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
    assert next_reply(question, [], TRIP) == Reply(language, tuple(calls))


def test_the_demo_asks_for_a_missing_city() -> None:
    assert next_reply("How is the weather?", [], TRIP) == Reply(
        "Which city do you mean? For example: “What's the weather in Oslo?”"
    )


def test_only_functions_of_the_request_are_called() -> None:
    question = "What's the weather in Tokyo and Paris, then a hotel in the warmer one"
    assert next_reply(question, [], []).calls == ()
    assert next_reply("get_weather('Oslo')", [], [{"type": "web_search"}]).calls == ()
    assert [call.name for call in next_reply("forecast for Oslo", [], [WEATHER]).calls] == ["get_weather"]


# Everything else


def test_a_greeting_explains_the_demo_and_what_to_ask() -> None:
    assert next_reply("Hello", [], [WEATHER, HOTELS]).text == (
        "Hello! I'm a demo without a model: my replies are scripted, but the functions I call are real.\n\n"
        "Try one of these:\n\n"
        "- What's the weather in Tokyo and Paris? Then find me a hotel in the warmer one.\n\n"
        'You can also write a call yourself, such as `get_weather(city="Oslo")`. '
        "The functions are `get_weather`, `find_hotels`."
    )


@pytest.mark.parametrize(
    ("text", "begins"),
    [
        ("こんにちは", "こんにちは！ モデルを使わないデモです。"),
        ("ありがとう", "どういたしまして。"),
        ("あなたは誰ですか", "モデルを使わないデモです。"),
        ("Who are you?", "I'm a demo without a model: "),
        ("What can you do?", "I call functions and show what they return."),
        ("Tell me a story about dragons", "I'm a demo without a model, so I can't answer that."),
    ],
)
def test_small_talk_is_answered_in_the_language_of_the_question(text: str, begins: str) -> None:
    reply = next_reply(text, [], TRIP)
    assert reply.calls == ()
    assert reply.text.startswith(begins)


def test_every_example_of_the_demo_works_unchanged() -> None:
    for language in ("hello", "こんにちは"):
        examples = re.findall("^- (.+)$", next_reply(language, [], TRIP).text, re.MULTILINE)
        assert len(examples) == 3
        assert all(next_reply(example, [], TRIP).calls for example in examples)


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


@pytest.mark.exhaustive
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_takes_too_long(text: str) -> None:
    began = time.perf_counter()
    calls = next_reply(text, [], TRIP).calls
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
            assert len(next_reply(question, done[:count], TRIP).text) < 5_000
