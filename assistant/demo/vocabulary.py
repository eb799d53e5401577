"""What the demo listens for, in English and Japanese.

Not here: what follows from it (``questions.py``, ``answers.py``), or what is said (``phrases.py``).
The one rule: every pattern takes a time in proportion to the text, whatever the text.
"""

import re


def _words(pattern: str) -> re.Pattern[str]:
    # ASCII, so that an English word ends where a Japanese one begins.
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")
TO_ASCII = str.maketrans("０１２３４５６７８９（）＋－＊／×÷−", "0123456789()+-*/*/-")

# English name: Japanese name, time zone.
CITIES = {
    "Tokyo": ("東京", "Asia/Tokyo"),
    "Kyoto": ("京都", "Asia/Tokyo"),
    "Osaka": ("大阪", "Asia/Tokyo"),
    "Paris": ("パリ", "Europe/Paris"),
    "London": ("ロンドン", "Europe/London"),
    "Oslo": ("オスロ", "Europe/Oslo"),
    "New York": ("ニューヨーク", "America/New_York"),
    "Lisbon": ("リスボン", "Europe/Lisbon"),
    "Berlin": ("ベルリン", "Europe/Berlin"),
    "Sydney": ("シドニー", "Australia/Sydney"),
}
IN_ENGLISH = {japanese: name for name, (japanese, _) in CITIES.items()}
KNOWN_CITY = _words(rf"\b({'|'.join(CITIES)})\b|({'|'.join(IN_ENGLISH)})")

# Which words ask for which function.
INTENTS = {
    "get_weather": _words(r"\bweather\b|\btemperatures?\b|\bwarm\b|\bcold\b|\bforecast|天気|気温|天候|予報"),
    "get_current_time": _words(r"\btime\b|o'clock|時間|時刻|何時"),
    "find_hotels": _words(r"\bhotels?\b|\brooms?\b|\bplace to stay\b|ホテル|宿|旅館"),
    "find_events": _words(r"\bevents?\b|\bconcerts?\b|\bthings to do\b|\bwhat's on\b|イベント|催し"),
    "book_hotel": _words(r"\bbook\b|\breserve\b|予約"),
    "calculate": _words(
        r"\bcalculate\b|\bcompute\b|\bwhat(?: is|'s)\b|\bhow much is\b|計算|いくつ|^[ \d.()+*/%=-]+$"
    ),
}
DAYS_AHEAD = _words(r"\bforecast|\bdays?\b|\btomorrow\b|\bweek\b|予報|明日|日間|週間")
THEN = _words(r"\b(?:then|after that|afterwards)\b|それから|その後|そのあと|次に|→|->")
CLAUSE_END = _words(r"[;!?。、！？\n]|[,.:](?=\s|$)|\b(?:and|or|plus)\b")
FILLERS = _words(r"(?:[^\w\u3040-\u9fff]|\b(?:and|in|what|how|about)\b|では|[はもとやか]|どう|です)*")
WARMER = _words(r"\b(?:warm|hott)(?:er|est)\b|(?:暖か|温か|あたたか|暑)い(?:方|ほう|都市|街)")
COLDER = _words(r"\b(?:cold|cool)(?:er|est)\b|(?:涼し|寒)い(?:方|ほう|都市|街)")
SUM = _words(r"[\d.()+\-*/% ]{3,}")
IS_SUM = _words(r"\d[ )]{0,9}[+\-*/%]{1,2} {0,9}[(\d.-]")
IS_DATE = _words(r"\d{4}-\d\d?-\d\d?")

# The words that give an argument, and its value where that is not the words' first group.
_DATE = r"(\d{4}-\d\d-\d\d)"
DETAILS = (
    ("unit", _words(r"摂氏|°C"), "celsius"),
    ("unit", _words(r"華氏|°F"), "fahrenheit"),
    ("days", _words(r"(\d{1,2})(?:[ -]?days?\b| ?日間)"), ""),
    ("days", _words(r"\bweek\b|[1一]週間"), "7"),
    ("days", _words(r"\btomorrow\b|明日"), "2"),
    ("max_price", _words(r"(?:under|below|up to|at most|less than|max) [€$£]?(\d{1,6})"), ""),
    ("max_price", _words(r"(\d{1,6}) ?(?:ユーロ|円|ドル|€)?(?:以下|以内|まで|未満)"), ""),
    ("min_stars", _words(r"(\d)(?:[ -]?stars?\b|つ星)"), ""),
    ("nights", _words(r"(\d{1,3})(?:[ -]?nights?\b| ?泊)"), ""),
    ("check_in", _words(_DATE), ""),
    ("first_day", _words(_DATE), ""),
    ("hotel_id", _words(r"(?:hotel|ホテル) ?(?:id|no\.?|number|番号)? ?#?(\d{1,9})"), ""),
    ("hotel_id", _words(r"\bbook #?(\d{1,9}) for\b"), ""),
    ("guest", re.compile(r"\bfor ([A-Z][\w'’-]*(?: [A-Z][\w'’-]*){0,4})"), ""),
    ("guest", re.compile(r"([^\s、。の]{1,20}?)(?:様|さん)"), ""),
    ("time_zone", re.compile(r"\b([A-Z][a-z]+/[A-Z][A-Za-z_]+)\b"), ""),
    ("nights", _words(""), "1"),
    ("time_zone", _words(""), "UTC"),
)

# Cities that are not in the table: after "in" or a comma, or before a Japanese particle.
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’-]*"
PLACE = re.compile(rf"(?:\b(?:[Ii]n|[Ff]or|[Nn]ear)|,) ({_NAME}(?: {_NAME}){{0,3}})")
JAPANESE_PLACE = re.compile("([ァ-ヴー]{2,12}|[一-龠]{2,4})(?=[のはでとや、])")
SMALL_PLACE = re.compile(r"\bin ([a-z]{3,30})\b")
PLACES = (KNOWN_CITY, PLACE, JAPANESE_PLACE, SMALL_PLACE)
NO_PLACE = _words(
    "i|celsius|fahrenheit|the|this|that|these|those|any|all|one|both|each|english|japanese|markdown|please|"
    "thanks|what|how|which|is|find|give|show|tell|total|advance|general|detail|short|euros|dollars|january|"
    "february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|"
    "thursday|friday|saturday|sunday|今日|明日|現在|週末|来週|今週|来月|世界|日本語|旅行|以下|以内|未満|部屋|料金|格安|都市"
)

# What the tools of the server's own are asked for; a group holds what it is about.
SEARCH = _words(
    r"\bsearch the (?:web|internet)(?: (?:for|about))?([^.?!\n]{0,80})"
    r"|([^。、？！\n]{1,40}?)(?:について|を)?ウェブで検索"
)
DRAW = _words(r"\b(?:draw|paint)\b|絵を描|描いて")
ASK_LIBRARY = _words(
    r"\bask the library(?: (?:about|for))?([^.?!\n]{0,80})"
    r"|図書館[でに]([^。、？！\n]{1,40}?)(?:の本|について|を)"
    r"|([^。、？！\n]{1,40}?)について図書館[でに]"
)

# Small talk, by the sentence that answers it.
TALK = {
    "thanks": _words(r"\bthanks\b|\bthank you\b|\bthx\b|\bcheers\b|ありがと|感謝"),
    "who": _words(r"\bwho are you\b|\bwhat are you\b|\bare you (?:an? )?(?:ai|real|model)\b|誰|だれ"),
    "help": _words(r"\bwhat can (?:you|i)\b|\bhelp\b|何ができ|なにができ|使い方|ヘルプ"),
    "hello": _words(
        r"^\s*(?:hi|hello|hey|good (?:morning|evening|day))\b|こんにちは|こんばんは|おはよう|はじめまして"
    ),
}
