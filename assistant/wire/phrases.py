"""What the built-in demo understands and says: word tables, and outputs put into words.

Not here: which functions are called when; that is ``answers.py``.

The one rule: English or Japanese throughout, as the question was; every sentence exists in both.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")

# English name, Japanese name, time zone.
CITIES = (
    ("Tokyo", "東京", "Asia/Tokyo"),
    ("Kyoto", "京都", "Asia/Tokyo"),
    ("Osaka", "大阪", "Asia/Tokyo"),
    ("Paris", "パリ", "Europe/Paris"),
    ("London", "ロンドン", "Europe/London"),
    ("Oslo", "オスロ", "Europe/Oslo"),
    ("New York", "ニューヨーク", "America/New_York"),
    ("Lisbon", "リスボン", "Europe/Lisbon"),
    ("Berlin", "ベルリン", "Europe/Berlin"),
    ("Sydney", "シドニー", "Australia/Sydney"),
)
ZONES = {name: zone for name, _, zone in CITIES}
IN_JAPANESE = {name: japanese for name, japanese, _ in CITIES}
IN_ENGLISH = {japanese: name for name, japanese in IN_JAPANESE.items()}
KNOWN_CITY = re.compile(
    r"\b(" + "|".join(IN_JAPANESE) + r")\b|(" + "|".join(IN_ENGLISH) + ")", re.IGNORECASE | re.ASCII
)


def _words(pattern: str) -> re.Pattern[str]:
    # ASCII, so that an English word ends where a Japanese one begins.
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


# Which words ask for which function.
INTENTS = {
    "get_forecast": _words(r"\bforecast|予報"),
    "get_weather": _words(r"\bweather\b|\btemperatures?\b|\bwarm\b|\bcold\b|天気|気温|天候"),
    "get_current_time": _words(r"\btime\b|o'clock|時間|時刻|何時"),
    "find_hotels": _words(r"\bhotels?\b|\brooms?\b|\bplace to stay\b|ホテル|宿|旅館"),
    "find_events": _words(r"\bevents?\b|\bconcerts?\b|\bthings to do\b|\bwhat's on\b|イベント|催し"),
    "book_hotel": _words(r"\bbook\b|\breserve\b|予約"),
    "calculate": _words(r"\bcalculate\b|\bcompute\b|\bwhat(?: is|'s)\b|\bhow much is\b|計算|いくつ"),
}
DAYS_AHEAD = _words(r"\bdays?\b|\btomorrow\b|\bweek\b|明日|日間|週間")
THEN = _words(r"\b(?:then|after that|afterwards)\b|それから|その後|そのあと|次に|→|->")
CLAUSE_END = _words(r"[;!?。、！？\n]|[,.:](?=\s|$)|\b(?:and|or|plus)\b")
FILLERS = _words(r"(?:[^\w\u3040-\u9fff]|\b(?:and|in|what|how|about)\b|では|[はもとやか]|どう|です)*")
WARMER = _words(r"\b(?:warm|hott)(?:er|est)\b|(?:暖か|温か|あたたか|暑)い(?:方|ほう|都市|街)")
COLDER = _words(r"\b(?:cold|cool)(?:er|est)\b|(?:涼し|寒)い(?:方|ほう|都市|街)")

ARITHMETIC = str.maketrans("０１２３４５６７８９（）＋－＊／×÷−", "0123456789()+-*/*/-")
SUM = _words(r"[\d.()+\-*/% ]{3,}")
IS_SUM = _words(r"\d[ )]{0,9}[+\-*/%]{1,2} {0,9}[(\d.-]")
IS_DATE = _words(r"\d{4}-\d\d?-\d\d?")

# By argument: the words that give it, and its value where that is not the words' first group.
DETAILS: dict[str, tuple[tuple[re.Pattern[str], Any], ...]] = {
    "unit": ((_words("摂氏|°C"), "celsius"), (_words("華氏|°F"), "fahrenheit")),
    "days": (
        (_words(r"(\d{1,2})[ -]?days?\b|(\d{1,2}) ?日間"), None),
        (_words(r"\bweek\b|[1一]週間"), 7),
        (_words(r"\btomorrow\b|明日"), 2),
    ),
    "max_price": (
        (_words(r"(?:under|below|up to|at most|less than|max) [€$£]?(\d{1,6})"), None),
        (_words(r"(\d{1,6}) ?(?:ユーロ|円|ドル|€)?(?:以下|以内|まで|未満)"), None),
    ),
    "min_stars": ((_words(r"(\d)[ -]?stars?\b|(\d)つ星|星(\d)"), None),),
    "nights": ((_words(r"(\d{1,3})[ -]?nights?\b|(\d{1,3}) ?泊"), None),),
    "check_in": ((_words(r"(\d{4}-\d\d-\d\d)"), None),),
    "first_day": ((_words(r"(\d{4}-\d\d-\d\d)"), None),),
    "hotel_id": (
        (_words(r"(?:hotel|ホテル) ?(?:id|no\.?|number|番号)? ?#?(\d{1,9})"), None),
        (_words(r"\bbook #?(\d{1,9}) for\b"), None),
    ),
    "guest": (
        (re.compile(r"\bfor ([A-Z][\w'’-]*(?: [A-Z][\w'’-]*){0,4})"), None),
        (re.compile(r"([^\s、。の]{1,20}?)(?:様|さん)"), None),
    ),
    "time_zone": ((re.compile(r"\b([A-Z][a-z]+/[A-Z][A-Za-z_]+)\b"), None),),
}
DEFAULTS = {"days": 3, "nights": 1, "time_zone": "UTC"}

_PLACE = r"[A-ZÀ-ÖØ-Þ][\w'’-]*(?: [A-ZÀ-ÖØ-Þ][\w'’-]*){0,3}"
PLACE = re.compile(_PLACE)
PLACES = re.compile(rf"\b(?:[Ii]n|[Ff]or|[Nn]ear) ({_PLACE}(?:, (?:in )?{_PLACE}){{0,9}})")
SMALL_PLACE = re.compile(r"\bin ([a-z]{3,30})\b")
JAPANESE_PLACE = re.compile("([ァ-ヴー]{2,12}|[一-龠]{2,4})(?=[のはでとや、])")
NO_PLACE = _words(
    "i|celsius|fahrenheit|the|this|that|these|those|any|all|one|both|each|english|japanese|markdown|"
    "total|advance|general|detail|short|euros|dollars|january|february|march|april|may|june|july|"
    "august|september|october|november|december|monday|tuesday|wednesday|thursday|friday|saturday|"
    "sunday|christmas|今日|明日|現在|週末|来週|今週|来月|世界|日本語|旅行|以下|以内|未満|部屋|料金|格安"
)

GREETING = re.compile(
    r"\s*(?:hi|hello|hey|good (?:morning|evening|day))\b|こんにちは|こんばんは|おはよう|はじめまして",
    re.I,
)
THANKS = re.compile(r"\b(?:thanks|thank you|thx|cheers)\b|ありがと|感謝", re.I)
WHO = re.compile(r"\bwho are you\b|\bwhat are you\b|\bare you (?:an? )?(?:ai|real|model)\b|誰|だれ", re.I)
HELP = re.compile(r"\bwhat can (?:you|i)\b|\bhelp\b|何ができ|なにができ|使い方|ヘルプ", re.I)
MARKDOWN = re.compile(r"\bmarkdown\b|\blong (?:answer|text|reply)\b|マークダウン|長い", re.I)

SENTENCES = {
    "en": {
        "note": "This is the built-in demo, a stand-in without a model; to connect a real one, set "
        "`OPENAI_API_KEY` (or `OPENAI_BASE_URL` for a local server) in `.env`.",
        "preface": "Let me look that up.",
        "hello": "Hello! Good to see you.",
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
        "equal": "They are equally warm ({readings}).",
        "incomparable": "I could not compare the temperatures, because the weather is not known for "
        "every city.",
        "went_on": " So I went on with {city}, which you named first.",
    },
    "ja": {
        "note": "これは内蔵のデモで、モデルのない代役です。本物のモデルにつなぐには、`.env` に "
        "`OPENAI_API_KEY`(ローカルサーバーなら `OPENAI_BASE_URL`)を設定してください。",
        "preface": "調べてみます。",
        "hello": "こんにちは！",
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
        "equal": "気温は同じです({readings})。",
        "incomparable": "天気が分からない都市があり、気温を比べられませんでした。",
        "went_on": "そのため、最初に挙げられた{city}で続けました。",
    },
}

# What the results of the trip planner's functions are headed with.
TITLES = {
    "en": {
        "get_weather": "Weather in {city}",
        "get_forecast": "Forecast for {city}",
        "get_current_time": "Time in {time_zone}",
        "find_hotels": "Hotels in {city}",
        "find_events": "Events in {city}",
    },
    "ja": {
        "get_weather": "{city}の天気",
        "get_forecast": "{city}の予報",
        "get_current_time": "{time_zone} の時刻",
        "find_hotels": "{city}のホテル",
        "find_events": "{city}のイベント",
    },
}

# The functions an example needs, and the example.
EXAMPLES = {
    "en": (
        (
            {"get_weather", "find_hotels"},
            "What's the weather in Tokyo and Paris? Then find me a hotel in the warmer one.",
        ),
        ({"get_forecast"}, "Forecast for Kyoto for 5 days"),
        ({"get_weather"}, 'get_weather(city="Oslo")'),
        ({"calculate"}, "What is 12*7+3?"),
    ),
    "ja": (
        (
            {"get_weather", "find_hotels"},
            "東京とパリの天気を教えて。それから暖かい方のホテルを探して",
        ),
        ({"get_forecast"}, "京都の5日間の予報"),
        ({"get_weather"}, 'get_weather(city="オスロ")'),
        ({"calculate"}, "12*7+3 を計算して"),
    ),
}

SAMPLE = {
    "en": """## A sample of Markdown

A longer answer, so that you can watch it stream. It has **bold** and *italic* text and `code`.

1. A numbered list
2. with a second entry
   - and a nested one

| City | Country | Known for |
|---|---|---|
| Kyoto | Japan | temples and gardens |
| Lisbon | Portugal | trams and tiles |
| Oslo | Norway | the fjord |

```python
def greet(name: str) -> str:
    return f"Hello, {name}!"
```

> A quotation, and after it the end.""",
    "ja": """## Markdown の見本

流れてくる様子を見るための、少し長めの答えです。**太字**、*斜体*、`コード` もあります。

1. 番号つきの一覧
2. 二つ目の項目
   - 入れ子の項目

| 都市 | 国 | 名物 |
|---|---|---|
| 京都 | 日本 | 寺と庭園 |
| リスボン | ポルトガル | 路面電車とタイル |
| オスロ | ノルウェー | フィヨルド |

```python
def greet(name: str) -> str:
    return f"こんにちは、{name}さん！"
```

> 引用が一つ、これで終わりです。""",
}

ROWS, COLUMNS, TABLES, LINES = 8, 6, 3, 10
TEXT_LIMIT, CELL_LIMIT = 1_000, 120


def canonical_city(name: str) -> str:
    """The English name of a known city, from any spelling of it."""
    return IN_ENGLISH.get(name, name.title())


def city_in(language: str, city: str) -> str:
    """A city's name in the language of the answer, as far as it is known."""
    return IN_JAPANESE.get(city, city) if language == "ja" else city


def title(name: str, arguments: Mapping[str, Any], language: str) -> str:
    """What a result is headed with: words for the trip planner's functions, the call for all others."""
    given = {key: value for key, value in arguments.items() if value is not None}
    spoken = {key: city_in(language, cell(value)) for key, value in given.items()}
    try:
        return "**" + TITLES[language][name].format_map(spoken) + "**"
    except KeyError:  # another function, or a call without the argument that the title names
        written = (f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items())
        return "`" + cell(f"{name}({', '.join(written)})").replace("`", "'") + "`"


def output_in_words(output: str, language: str) -> str:
    """A function's output as short Markdown."""
    say = SENTENCES[language]
    value = json_or_text(output)
    if is_error(value):
        return say["failed"].format(error=str(value["error"])[:TEXT_LIMIT])
    try:
        return _in_words(value, say["more"]).strip() or say["empty"]
    except RecursionError:  # nested deeper than can be written again
        return cell(output)


def is_error(value: Any) -> bool:
    """Whether an output says that its function failed."""
    return isinstance(value, dict) and list(value) == ["error"]


def json_or_text(output: str) -> Any:
    """An output's value, where it is JSON, otherwise the output as it is."""
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return output


def cell(value: Any) -> str:
    """A value on one line, fit for a table."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
        text = ", ".join("–" if each is None else str(each) for each in value)
    else:
        text = "–" if value is None else json.dumps(value, ensure_ascii=False)
    text = " ".join(text.split())
    text = text if len(text) <= CELL_LIMIT else text[: CELL_LIMIT - 1] + "…"
    return text.replace("|", "\\|")


def _in_words(value: Any, more: str) -> str:
    if isinstance(value, dict):
        tables = [_table(each, more) for each in value.values() if _is_table(each)]
        lines = [f"**{cell(key)}**: {cell(each)}" for key, each in value.items() if not _is_table(each)]
        return "\n\n".join([_bullets(lines, more), *tables[:TABLES]])
    if _is_table(value):
        return _table(value, more)
    if isinstance(value, list):
        return _bullets([cell(each) for each in value], more)
    text = value if isinstance(value, str) else cell(value)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _table(rows: Sequence[Mapping[str, Any]], more: str) -> str:
    shown = rows[:ROWS]
    columns = list(dict.fromkeys(key for row in shown for key in row))[:COLUMNS]
    lines = [[cell(column) for column in columns], ["---"] * len(columns)]
    lines += [[cell(row.get(column)) for column in columns] for row in shown]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return table if len(rows) <= ROWS else f"{table}\n\n{more.format(count=len(rows) - ROWS)}"


def _bullets(lines: Sequence[str], more: str) -> str:
    shown = list(lines[:LINES])
    if len(lines) > LINES:
        shown.append(more.format(count=len(lines) - LINES))
    return "\n".join(f"- {line}" for line in shown)
