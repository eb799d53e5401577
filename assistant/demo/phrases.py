"""What the demo says, in English and Japanese.

Not here: what it listens for (``words.py``), how outputs are set out (``outputs.py``).
The one rule: an answer is in the language of the question throughout; every sentence exists in both.
"""

import re
from collections.abc import Mapping

from assistant.demo import vocabulary as words
from assistant.demo.calls import Function

SENTENCES = {
    "en": {
        "note": "This is the built-in demo, a stand-in without a model; to connect a real one, set "
        "`OPENAI_API_KEY` (or `OPENAI_BASE_URL` for a local server) in `.env`.",
        "preface": "Let me look that up.",
        "hello": "Hello! Good to see you. I can call functions for you and tell you what they gave.",
        "thanks": "You're welcome. Ask me anything else you like.",
        "who": "I am a stand-in: no model answers here, only a few rules that call functions.",
        "help": "I can call functions for you and tell you what they gave.",
        "else": "I am only a stand-in without a model, so I cannot answer that. I can call functions.",
        "offer": "There are these:",
        "nothing": "This request came without any functions.",
        "try": "For example, try:",
        "city": "Which city do you mean? For example: “What's the weather in Oslo?”",
        "unknown": "There is no function by the name of `{name}`.",
        "unreadable": "I could not read the arguments of `{name}`. Write them like this: `{example}`",
        "failed": "This did not work: {error}",
        "empty": "Nothing was found.",
        "more": "… and {count} more.",
        "warmer": "{city} is the warmer choice ({readings}).",
        "colder": "{city} is the cooler choice ({readings}).",
        "unclear": "The temperatures do not decide it ({readings}), so I took {city}, which you named first.",
    },
    "ja": {
        "note": "これは内蔵のデモで、モデルのない代役です。本物のモデルにつなぐには、`.env` に "
        "`OPENAI_API_KEY`(ローカルサーバーなら `OPENAI_BASE_URL`)を設定してください。",
        "preface": "調べてみます。",
        "hello": "こんにちは！ 関数を呼び出して、その結果をお伝えできます。",
        "thanks": "どういたしまして。ほかにも何でもどうぞ。",
        "who": "私は代役です。ここで答えるのはモデルではなく、関数を呼び出すいくつかの規則です。",
        "help": "関数を呼び出して、その結果をお伝えできます。",
        "else": "私はモデルのない代役なので、それには答えられません。関数を呼び出すことならできます。",
        "offer": "使える関数はこちらです：",
        "nothing": "このリクエストには関数がありません。",
        "try": "たとえば、こう書いてみてください：",
        "city": "どの都市ですか？ たとえば「オスロの天気を教えて」と書いてください。",
        "unknown": "`{name}` という関数はありません。",
        "unreadable": "`{name}` の引数を読み取れませんでした。次のように書いてください： `{example}`",
        "failed": "うまくいきませんでした：{error}",
        "empty": "見つかりませんでした。",
        "more": "… ほかに {count} 件。",
        "warmer": "{city}の方が暖かいです({readings})。",
        "colder": "{city}の方が涼しいです({readings})。",
        "unclear": "気温では決められないので({readings})、最初に挙げられた{city}にしました。",
    },
}

# What the outputs of the trip planner's functions are headed with.
TITLES = {
    "get_weather": {"en": "Weather in {city}", "ja": "{city}の天気"},
    "get_forecast": {"en": "Forecast for {city}", "ja": "{city}の予報"},
    "get_current_time": {"en": "Time in {time_zone}", "ja": "{time_zone} の時刻"},
    "find_hotels": {"en": "Hotels in {city}", "ja": "{city}のホテル"},
    "find_events": {"en": "Events in {city}", "ja": "{city}のイベント"},
}

# The functions an example needs, and the example.
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


def offer(functions: Mapping[str, Function], language: str) -> str:
    """The functions that there are, each with what it does."""
    say = SENTENCES[language]
    lines = [f"- `{each.name}`: {first_sentence(each.description)}" for each in functions.values()]
    return "\n".join([say["offer"], "", *lines]) if lines else say["nothing"]


def first_sentence(text: str) -> str:
    """What a text says before it goes into details, or tells a model what to do."""
    return re.split(r"(?<=[.!?])(?<! [A-Z][a-z]\.) |(?<=。)", " ".join(text.split()), maxsplit=1)[0]


def city_in(language: str, city: str) -> str:
    """A city's name in the language of the answer, as far as it is known."""
    return words.CITIES[city][0] if language == "ja" and city in words.CITIES else city
