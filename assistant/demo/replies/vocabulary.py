"""The patterns by which the demo understands a message, in English and Japanese.

Every pattern runs in linear time on any text.
"""

import re

MAX_QUESTION_CHARS = 2_000
"""The part of a message that is searched for what the user asks."""


def _pattern(pattern: str) -> re.Pattern[str]:
    # With ASCII, an English word ends where a Japanese one begins.
    return re.compile(pattern, re.IGNORECASE | re.ASCII)


_JAPANESE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")
TO_ASCII = str.maketrans("０１２３４５６７８９（）＋－＊／×÷−", "0123456789()+-*/*/-")

# The Japanese name and time zone of each city.
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
ENGLISH_NAMES = {japanese: name for name, (japanese, _) in CITIES.items()}
KNOWN_CITY = _pattern(rf"\b({'|'.join(CITIES)})\b|({'|'.join(ENGLISH_NAMES)})")

# The words that ask for each function.
INTENTS = {
    "get_weather": _pattern(
        r"\bweather\b|\btemperatures?\b|\bwarm\b|\bcold\b|\bforecast|天気|気温|天候|予報"
    ),
    "get_current_time": _pattern(r"\btime\b|o'clock|時間|時刻|何時"),
    "search_fares": _pattern(r"\bflights?\b|\bfares?\b|\bfly\b|航空券|フライト|飛行機"),
    "find_hotels": _pattern(r"\bhotels?\b|\brooms?\b|\bplace to stay\b|ホテル|宿|旅館"),
    "hotel_prices": _pattern(r"\bprices\b|\bcharts?\b|\bgraph\b|料金|値段|価格|グラフ"),
    "find_events": _pattern(r"\bevents?\b|\bconcerts?\b|\bthings to do\b|\bwhat's on\b|イベント|催し"),
    "book_hotel": _pattern(r"\bbook\b|\breserve\b|予約"),
    "convert_currency": _pattern(r"\bconvert\b|\bexchange rate\b|\bcurrency\b|両替|換算|為替"),
    "calculate": _pattern(
        r"\bcalculate\b|\bcompute\b|\bwhat(?: is|'s)\b|\bhow much is\b|計算|いくつ|^[ \d.()+*/%=-]+$"
    ),
}
THINK = _pattern(r"\bthink\b|\breason\b|よく考えて|考えて")
REFUSED = _pattern(
    r"\b(?:fake|forge) (?:an? )?(?:passport|id|visa)\b|\bpick (?:a|the) lock\b|パスポートを偽造|鍵をこじ開け"
)
QUERY = _pattern(r"\bsql\b|\bquery the database\b|\bselect .{1,400}? from\b|データベース")
SELECT = _pattern(r"\bselect .{1,400}? from\b[^;`。？！]{1,400}")
PROGRAM = _pattern(r"\b(?:with|use|write|run|in) a program\b|プログラム[でを]")
FIND_FUNCTION = _pattern(
    r"\b(?:find|search for|look for) (?:a )?functions? (?:for|to|that) ([^.?!\n]{1,80})"
    r"|([^。、？！\n]{1,40}?)(?:の|する|できる)関数を(?:探|検索)"
)
CURRENCIES = {
    "EUR": "euros?|EUR|ユーロ",
    "USD": "(?:US )?dollars?|USD|ドル",
    "JPY": "yen|JPY|円",
    "GBP": "pounds?|GBP|ポンド",
    "NOK": "Norwegian kroner?|NOK|クローネ",
    "AUD": "Australian dollars?|AUD|豪ドル",
}
DAYS_AHEAD = _pattern(r"\bforecast|\bdays?\b|\btomorrow\b|\bweek\b|予報|明日|日間|週間")
THEN = _pattern(r"\b(?:then|after that|afterwards)\b|それから|その後|そのあと|次に|→|->")
CLAUSE_END = _pattern(r"[;!?。、！？\n]|[,.:](?=\s|$)|\b(?:and|or|plus)\b")
FILLERS = _pattern(r"(?:[^\w\u3040-\u9fff]|\b(?:and|in|what|how|about)\b|では|[はもとやか]|どう|です)*")
WARMER = _pattern(r"\b(?:warm|hott)(?:er|est)\b|(?:暖か|温か|あたたか|暑)い(?:方|ほう|都市|街)")
COLDER = _pattern(r"\b(?:cold|cool)(?:er|est)\b|(?:涼し|寒)い(?:方|ほう|都市|街)")
ARITHMETIC = _pattern(r"[\d.()+\-*/% ]{3,}")
HAS_OPERATOR = _pattern(r"\d[ )]{0,9}[+\-*/%]{1,2} {0,9}[(\d.-]")
DATE = _pattern(r"\d{4}-\d\d?-\d\d?")

# The parameter, the words for it, and its value if it is not the first group of the pattern.
_DATE = r"(\d{4}-\d\d-\d\d)"
DETAILS = (
    ("unit", _pattern(r"摂氏|°C"), "celsius"),
    ("unit", _pattern(r"華氏|°F"), "fahrenheit"),
    ("days", _pattern(r"(\d{1,2})(?:[ -]?days?\b| ?日間)"), ""),
    ("days", _pattern(r"\bweek\b|[1一]週間"), "7"),
    ("days", _pattern(r"\btomorrow\b|明日"), "2"),
    ("max_price", _pattern(r"(?:under|below|up to|at most|less than|max) [€$£]?(\d{1,6})"), ""),
    ("max_price", _pattern(r"(\d{1,6}) ?(?:ユーロ|円|ドル|€)?(?:以下|以内|まで|未満)"), ""),
    ("min_stars", _pattern(r"(\d)(?:[ -]?stars?\b|つ星)"), ""),
    ("nights", _pattern(r"(\d{1,3})(?:[ -]?nights?\b| ?泊)"), ""),
    ("check_in", _pattern(_DATE), ""),
    ("check_in", _pattern(r"\btoday\b|\btonight\b|今日|今夜|本日"), "today"),
    ("first_day", _pattern(_DATE), ""),
    ("hotel_id", _pattern(r"(?:hotel|ホテル) ?(?:id|no\.?|number|番号)? ?#?(\d{1,9})"), ""),
    ("hotel_id", _pattern(r"\bbook #?(\d{1,9}) for\b"), ""),
    ("guest", re.compile(r"\bfor ([A-Z][\w'’-]*(?: [A-Z][\w'’-]*){0,4})"), ""),
    ("guest", re.compile(r"([^\s、。の]{1,20}?)(?:様|さん|の名前)"), ""),
    ("amount", _pattern(r"(\d{1,9})"), ""),
    *(("from_currency", _pattern(rf"\d ?(?:{words})"), code) for code, words in CURRENCIES.items()),
    *(
        ("to_currency", _pattern(rf"\b(?:to|in|into) (?:{words})|(?:{words})[にでへ]"), code)
        for code, words in CURRENCIES.items()
    ),
    ("from_currency", _pattern(""), "EUR"),
    ("to_currency", _pattern(""), "USD"),
    ("time_zone", re.compile(r"\b([A-Z][a-z]+/[A-Z][A-Za-z_]+)\b"), ""),
    ("check_in", _pattern(""), "tomorrow"),
    ("nights", _pattern(""), "1"),
    ("time_zone", _pattern(""), "UTC"),
)

# Other cities: after "in" or a comma, or before a Japanese particle.
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'’-]*"
PLACE = re.compile(
    rf"(?:\b(?:[Ii]n|[Ff]or|[Nn]ear|[Ff]ares? to|[Ff]lights? to|[Ff]ly to)|,) ({_NAME}(?: {_NAME}){{0,3}})"
)
JAPANESE_PLACE = re.compile("([ァ-ヴー]{2,12}|[一-龠]{2,4})(?=[のはでとや、])")
LOWERCASE_PLACE = re.compile(r"\bin ([a-z]{3,30})\b")
PLACES = (KNOWN_CITY, PLACE, JAPANESE_PLACE, LOWERCASE_PLACE)
NOT_A_PLACE = _pattern(
    "i|celsius|fahrenheit|the|this|that|these|those|any|all|one|both|each|english|japanese|markdown|please|"
    "thanks|what|how|which|is|find|give|show|tell|total|advance|general|detail|short|euros|dollars|january|"
    "february|march|april|may|june|july|august|september|october|november|december|monday|tuesday|wednesday|"
    "thursday|friday|saturday|sunday|今日|明日|現在|週末|来週|今週|来月|世界|日本語|旅行|名前|日間|週間|以下|以内|未満|部屋|料金|格安|都市"
)

# Requests for hosted tools; a group contains the topic.
SEARCH = _pattern(
    r"\bsearch the (?:web|internet)(?: (?:for|about))?([^.?!\n]{0,80})"
    r"|([^。、？！\n]{1,40}?)(?:について|を)?ウェブで検索"
)
DRAW = _pattern(r"\b(?:draw|paint)\b|絵を描|描いて")
RUN_CODE = _pattern(
    r"\b(?:with|in|using|use) python\b|\b(?:run|write) (?:some )?code\b|Python ?[でを]|コードを(?:実行|書)"
)
ASK_LIBRARY = _pattern(
    r"\bask the library(?: (?:about|for))?([^.?!\n]{0,80})"
    r"|図書館[でに]([^。、？！\n]{1,40}?)(?:の本|について|を)"
    r"|([^。、？！\n]{1,40}?)について図書館[でに]"
)

PACK = _pattern(r"\bpack(?:ing)?\b|持ち物|荷物")

# The user's name: who asks for it, and who tells it.
ASK_NAME = _pattern(r"\bwhat(?:'s|’s| is) my name\b|(?:私|僕|わたし)の名前(?:は何|は[?？]|を覚え|が分か)")
TELL_NAME = re.compile(
    r"\b(?:[Mm]y name is|I am called|[Cc]all me) ([A-ZÀ-ÖØ-Þ][\w'’-]{0,30})"
    r"|(?:私|僕|わたし)の名前は([^\s、。？?]{1,20}?)(?:です|といい|だ|、|。|$)"
)

# Small talk, by the key of the sentence that answers it.
SMALL_TALK = {
    "thanks": _pattern(r"\bthanks\b|\bthank you\b|\bthx\b|\bcheers\b|ありがと|感謝"),
    "who": _pattern(r"\bwho are you\b|\bwhat are you\b|\bare you (?:an? )?(?:ai|real|model)\b|誰|だれ"),
    "help": _pattern(r"\bwhat can (?:you|i)\b|\bhelp\b|何ができ|なにができ|使い方|ヘルプ"),
    "hello": _pattern(
        r"^\s*(?:hi|hello|hey|good (?:morning|evening|day))\b|こんにちは|こんばんは|おはよう|はじめまして"
    ),
}


def language_of(message: str) -> str:
    """Return the language of an answer to a message."""
    return "ja" if _JAPANESE.search(message) else "en"
