"""The sentences of the demo in English and Japanese. An answer has the language of the question."""

import re
from collections.abc import Mapping

from assistant.demo import vocabulary
from assistant.demo.calls import Function

SENTENCES = {
    "en": {
        "note": "This is demo mode: scripted replies, no model. To connect a model, set "
        "`OPENAI_API_KEY` (or `OPENAI_BASE_URL` for a local server) in `.env`.",
        "preface": "Let me look that up.",
        "hello": "Hello! I can call functions for you and show what they return.",
        "thanks": "You're welcome. Ask me anything else you like.",
        "who": "I am a demo: no model answers here, just rules that call functions.",
        "help": "I can call functions for you and show what they return.",
        "else": "I am a scripted demo without a model, so I can't answer that. I can call functions.",
        "functions": "These functions are available:",
        "nothing": "This request has no functions.",
        "try": "For example:",
        "city": "Which city do you mean? For example: “What's the weather in Oslo?”",
        "unknown": "There is no function named `{name}`.",
        "unreadable": "I cannot read the arguments of `{name}`. Write them like this: `{example}`",
        "failed": "Failed: {error}",
        "empty": "Nothing found.",
        "more": "… and {count} more.",
        "warmer": "{city} is warmer ({readings}).",
        "colder": "{city} is cooler ({readings}).",
        "unclear": "The temperatures ({readings}) do not decide, so I chose {city}, which you named first.",
    },
    "ja": {
        "note": "これはモデルを使わない内蔵デモです。モデルに接続するには、`.env` に "
        "`OPENAI_API_KEY`(ローカルサーバーなら `OPENAI_BASE_URL`)を設定してください。",
        "preface": "調べてみます。",
        "hello": "こんにちは！ 関数を呼び出して、結果をお見せできます。",
        "thanks": "どういたしまして。ほかにも何でもどうぞ。",
        "who": "これはデモです。ここで答えるのはモデルではなく、関数を呼び出すいくつかのルールです。",
        "help": "関数を呼び出して、結果をお見せできます。",
        "else": "モデルを使わないデモなので、それには答えられません。関数を呼び出すことならできます。",
        "functions": "使える関数はこちらです：",
        "nothing": "このリクエストには関数がありません。",
        "try": "たとえば：",
        "city": "どの都市ですか？ たとえば「オスロの天気を教えて」と書いてください。",
        "unknown": "`{name}` という関数はありません。",
        "unreadable": "`{name}` の引数を読み取れませんでした。次のように書いてください： `{example}`",
        "failed": "失敗しました：{error}",
        "empty": "見つかりませんでした。",
        "more": "… ほかに {count} 件。",
        "warmer": "{city}の方が暖かいです({readings})。",
        "colder": "{city}の方が涼しいです({readings})。",
        "unclear": "気温では決められないので({readings})、最初に挙げられた{city}にしました。",
    },
}

# The headings of the trip planner's outputs.
TITLES = {
    "get_weather": {"en": "Weather in {city}", "ja": "{city}の天気"},
    "get_forecast": {"en": "Forecast for {city}", "ja": "{city}の予報"},
    "get_current_time": {"en": "Time in {time_zone}", "ja": "{time_zone} の時刻"},
    "find_hotels": {"en": "Hotels in {city}", "ja": "{city}のホテル"},
    "find_events": {"en": "Events in {city}", "ja": "{city}のイベント"},
}

# Example messages, each with the functions that it needs.
_CHAIN = {"get_weather", "find_hotels"}
EXAMPLES = {
    "en": (
        (_CHAIN, "What's the weather in Tokyo and Paris? Then find me a hotel in the warmer one."),
        ({"get_forecast"}, "Forecast for Kyoto for 5 days"),
        ({"get_weather"}, 'get_weather(city="Oslo")'),
        ({"calculate"}, "What is 12*7+3?"),
    ),
    "ja": (
        (_CHAIN, "東京とパリの天気を教えて。それから暖かい方のホテルを探して"),
        ({"get_forecast"}, "京都の5日間の予報"),
        ({"get_weather"}, 'get_weather(city="オスロ")'),
        ({"calculate"}, "12*7+3 を計算して"),
    ),
}


def list_functions(functions: Mapping[str, Function], language: str) -> str:
    """Return a list of the available functions with their descriptions."""
    sentences = SENTENCES[language]
    lines = [f"- `{item.name}`: {first_sentence(item.description)}" for item in functions.values()]
    return "\n".join([sentences["functions"], "", *lines]) if lines else sentences["nothing"]


def first_sentence(text: str) -> str:
    """Return the first sentence; those after it are details for the model."""
    return re.split(r"(?<=[.!?])(?<! [A-Z][a-z]\.) |(?<=。)", " ".join(text.split()), maxsplit=1)[0]


def localize_city(language: str, city: str) -> str:
    """Return a city's name in this language, if it is known."""
    return vocabulary.CITIES[city][0] if language == "ja" and city in vocabulary.CITIES else city
