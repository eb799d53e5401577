"""The sentences of the demo in English and Japanese. An answer has the language of the question."""

from assistant.demo.replies import vocabulary
from assistant.demo.replies.markdown import cell

SENTENCES = {
    "en": {
        "preface": "Let me look that up.",
        "hello": "Hello! I'm a demo without a model: my replies are scripted, but the functions I call are real.",
        "thanks": "You're welcome. Ask me anything else you like.",
        "who": "I'm a demo without a model: my replies are scripted, but the functions I call are real.",
        "help": "I call functions and show what they return.",
        "name": "Your name is {name}.",
        "no name": "You haven't told me your name yet.",
        "else": "I'm a demo without a model, so I can't answer that. I can call functions, though.",
        "try": "Try one of these:",
        "write": "You can also write a call yourself, such as `{example}`. The functions are {names}.",
        "nothing": "This request has no functions.",
        "city": "Which city do you mean? For example: “What's the weather in Oslo?”",
        "unknown": "There is no function named `{name}`. The functions are {names}.",
        "unreadable": "I can't read the arguments of `{name}`. Write them like this: `{example}`",
        "result": "{title}: {result}",
        "failed": "{title}: failed. {error}",
        "cities": "{error} Available cities: {cities}.",
        "denied": "{title}: not run, because you denied it.",
        "empty": "Nothing found.",
        "shown": "The result is shown above.",
        "more": "… and {count} more.",
        "warmer": "**{city} is warmer**: {degrees}, compared with {others}.",
        "colder": "**{city} is cooler**: {degrees}, compared with {others}.",
        "equal": "The temperatures are the same, so I chose {city}, which you named first.",
        "unclear": "Not all temperatures are known, so I chose {city}, which you named first.",
        "temperature": "{degrees} in {city}",
        "and": " and ",
        "comma": ", ",
        "humidity": "{value}% humidity",
        "wind": "wind {value} km/h",
        "source": "The weather is {source}.",
        "time": "It's {time} on {day} in {city}.",
        "free": "free",
        "choice": "The cheapest is **{name}**, {price} a night.",
        "booked": "Booked: **{hotel}** in {city} for {guest}, from {check_in} to {check_out}, {price} in total. "
        "Your confirmation number is **{confirmation}**.",
        "prices": "Hotels in {city} cost from {low} ({cheapest}) to {high} ({dearest}) a night. The chart and the "
        "table are above.",
        "everywhere": "all cities",
        "reasoning": "**Reading the question**\n\nThe user asks: “{question}” I look for cities, dates and numbers in it, "
        "and for words that belong to one of the {count} tools of this request. What I find decides which functions I "
        "call, and in which order.",
        "refusal": "I'm sorry, but I can't help with that. I can help you plan a trip.",
        "converted": "{amount} {unit} are **{result} {target}** ({rates}).",
        "program": "The program looked in {count} cities. The cheapest hotel is **{hotel}** in {city}, {price} a night.",
        "no program result": "The program found no hotel.",
        "functions": "These functions are loaded now: {names}.",
        "no function": "There is no function for that.",
        "meanwhile": "I'm searching, which takes about ten seconds. Ask me something else meanwhile, or wait.",
        "long": "You asked for a long answer. So the demo adds that it has no model: it chooses its calls by rules, "
        "runs your functions for real, and puts what they return into sentences that were written in advance.",
    },
    "ja": {
        "preface": "調べてみます。",
        "hello": "こんにちは！ モデルを使わないデモです。返答は台本どおりですが、関数は実際に呼び出します。",
        "thanks": "どういたしまして。ほかにも何でもどうぞ。",
        "who": "モデルを使わないデモです。返答は台本どおりですが、関数は実際に呼び出します。",
        "help": "関数を呼び出して、結果をお見せします。",
        "name": "{name}さんですね。",
        "no name": "まだお名前を伺っていません。",
        "else": "モデルを使わないデモなので、それにはお答えできません。関数を呼び出すことならできます。",
        "try": "たとえば、こう聞いてみてください：",
        "write": "`{example}` のように、呼び出しを直接書くこともできます。使える関数は {names} です。",
        "nothing": "このリクエストには関数がありません。",
        "city": "どの都市ですか？ たとえば「オスロの天気を教えて」と書いてください。",
        "unknown": "`{name}` という関数はありません。使える関数は {names} です。",
        "unreadable": "`{name}` の引数を読み取れませんでした。次のように書いてください： `{example}`",
        "result": "{title}：{result}",
        "failed": "{title}：失敗しました。{error}",
        "cities": "{error}利用できる都市：{cities}。",
        "denied": "{title}：許可されなかったため、実行していません。",
        "empty": "見つかりませんでした。",
        "shown": "結果は上に表示されています。",
        "more": "… ほかに {count} 件。",
        "warmer": "**{city}の方が暖かいです**（{city} {degrees}、{others}）。",
        "colder": "**{city}の方が涼しいです**（{city} {degrees}、{others}）。",
        "equal": "気温が同じなので、最初に挙げられた{city}にしました。",
        "unclear": "気温がすべては分からないので、最初に挙げられた{city}にしました。",
        "temperature": "{city} {degrees}",
        "and": "、",
        "comma": "、",
        "humidity": "湿度{value}%",
        "wind": "風速{value} km/h",
        "source": "{source}。",
        "time": "{city}は現在、{day} {time}です。",
        "free": "無料",
        "choice": "いちばん安いのは **{name}**、1泊{price}です。",
        "booked": "予約しました：{city}の **{hotel}**、{guest}様、{check_in}から{check_out}まで、合計{price}。"
        "確認番号は **{confirmation}** です。",
        "prices": "{city}のホテルの料金は、1泊{low}（{cheapest}）から{high}（{dearest}）までです。グラフと表は上に"
        "表示されています。",
        "everywhere": "全都市",
        "reasoning": "**質問を読む**\n\n質問は「{question}」です。都市、日付、数を探し、このリクエストの"
        "{count}個のツールに関わる言葉を探します。見つかったものによって、どの関数をどの順に呼び出すかを決めます。",
        "refusal": "申し訳ありませんが、それはお手伝いできません。旅行の計画ならお手伝いできます。",
        "converted": "{amount} {unit}は **{result} {target}** です（{rates}）。",
        "program": "プログラムで{count}都市を調べました。いちばん安いのは{city}の **{hotel}**、1泊{price}です。",
        "no program result": "プログラムでホテルは見つかりませんでした。",
        "functions": "次の関数を読み込みました：{names}。",
        "no function": "該当する関数はありません。",
        "meanwhile": "検索しています。10秒ほどかかりますので、その間に別の質問をしてもかまいません。",
        "long": "長めの回答をご希望なので補足します。このデモはモデルを使わず、規則に従って呼び出す関数を選び、"
        "実際に関数を実行して、その結果をあらかじめ用意した文にまとめています。",
    },
}

PACKING_LIST = {
    "en": """\
While the fares are being searched, here is your packing list.

**To wear**

- A rain jacket, and a sweater for cool evenings
- Shoes that have already walked a long way
- One outfit for every two days, and socks for each
- Something smart for a dinner or a concert

**To carry**

- Passport, insurance card, and a copy of both
- A payment card that works abroad, and some cash
- Charger, plug adapter, and a power bank for long days
- A water bottle, a pen, and a bag that folds

**Small things that are missed most**

- Medicine for a week, plasters, sunscreen
- Toothbrush, and a comb
- Earplugs and an eye mask for the night train
- A book, for when the battery is empty

Leave a third of the bag empty: you will bring something back.""",
    "ja": """\
航空券を検索している間に、持ち物リストをまとめました。

**着るもの**

- レインジャケット、肌寒い夜のためのセーター
- 履き慣れた歩きやすい靴
- 2日に1組の着替えと、日数分の靴下
- 食事やコンサートに着ていける一着

**手元に置くもの**

- パスポート、保険証券、それぞれのコピー
- 海外で使えるカードと少しの現金
- 充電器、変換プラグ、モバイルバッテリー
- 水筒、ペン、折りたたみバッグ

**忘れがちなもの**

- 1週間分の薬、絆創膏、日焼け止め
- 歯ブラシ、くし
- 夜行列車のための耳栓とアイマスク
- 電池が切れたときのための本

帰りの荷物のために、かばんの3分の1は空けておきましょう。""",
}

# What each function of the trip planner is about.
TITLES = {
    "get_weather": {"en": "Weather in {city}", "ja": "{city}の天気"},
    "get_forecast": {"en": "Forecast for {city}", "ja": "{city}の予報"},
    "get_current_time": {"en": "Time in {time_zone}", "ja": "{time_zone} の時刻"},
    "find_hotels": {"en": "Hotels in {city}", "ja": "{city}のホテル"},
    "search_fares": {"en": "Fares to {city}", "ja": "{city}行きの航空券"},
    "find_events": {"en": "Events in {city}", "ja": "{city}のイベント"},
    "hotel_prices": {"en": "Hotel prices", "ja": "ホテルの料金"},
    "book_hotel": {"en": "Booking for {guest}", "ja": "{guest}様の予約"},
    "calculate": {"en": "`{expression}`", "ja": "`{expression}`"},
    "query_trips": {"en": "Query result", "ja": "検索結果"},
    "convert_currency": {"en": "Conversion", "ja": "換算"},
}

# The columns of the tables: the key in the result, and the heading.
COLUMNS = {
    "get_forecast": {
        "date": {"en": "Day", "ja": "日付"},
        "condition": {"en": "Weather", "ja": "天気"},
        "min": {"en": "Low", "ja": "最低"},
        "max": {"en": "High", "ja": "最高"},
        "precipitation_mm": {"en": "Rain", "ja": "降水量"},
    },
    "find_hotels": {
        "name": {"en": "Hotel", "ja": "ホテル"},
        "stars": {"en": "Stars", "ja": "星"},
        "price_per_night_eur": {"en": "Per night", "ja": "1泊"},
        "hotel_id": {"en": "No.", "ja": "番号"},
    },
    "search_fares": {
        "agency": {"en": "Agency", "ja": "代理店"},
        "airline": {"en": "Airline", "ja": "航空会社"},
        "stops": {"en": "Stops", "ja": "乗り継ぎ"},
        "price_eur": {"en": "Return", "ja": "往復"},
    },
    "find_events": {
        "date": {"en": "Day", "ja": "日付"},
        "starts_at": {"en": "Time", "ja": "時刻"},
        "name": {"en": "Event", "ja": "イベント"},
        "venue": {"en": "Place", "ja": "会場"},
        "price_eur": {"en": "Price", "ja": "料金"},
    },
}

# What the functions return in English.
IN_JAPANESE = {
    "clear sky": "快晴",
    "mainly clear": "晴れ",
    "partly cloudy": "晴れ時々曇り",
    "overcast": "曇り",
    "fog": "霧",
    "freezing fog": "着氷性の霧",
    "light drizzle": "弱い霧雨",
    "drizzle": "霧雨",
    "dense drizzle": "強い霧雨",
    "light freezing drizzle": "弱い着氷性の霧雨",
    "freezing drizzle": "着氷性の霧雨",
    "light rain": "小雨",
    "rain": "雨",
    "heavy rain": "大雨",
    "light freezing rain": "弱い着氷性の雨",
    "freezing rain": "着氷性の雨",
    "light snow": "小雪",
    "snow": "雪",
    "heavy snow": "大雪",
    "snow grains": "霧雪",
    "light rain showers": "弱いにわか雨",
    "rain showers": "にわか雨",
    "violent rain showers": "激しいにわか雨",
    "light snow showers": "弱いにわか雪",
    "heavy snow showers": "激しいにわか雪",
    "thunderstorm": "雷雨",
    "thunderstorm with light hail": "弱いひょうを伴う雷雨",
    "thunderstorm with heavy hail": "激しいひょうを伴う雷雨",
    "unknown": "不明",
    "The sample database does not have this city.": "サンプルデータベースにこの都市はありません。",
    "There is no network, and the sample weather does not have this city.": "ネットワークに接続できず、"
    "サンプルの天気データにもこの都市はありません。",
    "There is no city with this name.": "この名前の都市は見つかりません。",
    "There is no such time zone.": "このタイムゾーンはありません。",
    "Division by zero has no result.": "0で割ることはできません。",
    "This is not an arithmetic expression.": "計算式として読み取れません。",
}

# Example messages, each with the functions that it needs.
_CHAIN = {"get_weather", "find_hotels"}
EXAMPLES = {
    "en": (
        (_CHAIN, "What's the weather in Tokyo and Paris? Then find me a hotel in the warmer one."),
        ({"search_fares"}, "Search fares to Oslo and write me a packing list meanwhile"),
        ({"get_forecast"}, "Forecast for Kyoto for 5 days"),
        ({"find_events"}, "What's on in Lisbon?"),
        ({"calculate"}, "What is 12*7+3?"),
        ({"query_trips"}, "Query the database with SQL"),
        ({"query_trips", "find_hotels"}, "With a program, find the cheapest hotel in Paris, Oslo and Tokyo"),
        ({"convert_currency"}, "Convert 100 euros to yen"),
        ({"query_trips", "get_weather"}, "Think: is it warmer in Oslo or Paris?"),
    ),
    "ja": (
        (_CHAIN, "東京とパリの天気を教えて。それから暖かい方のホテルを探して"),
        ({"search_fares"}, "オスロ行きの航空券を探して、その間に持ち物リストを書いて"),
        ({"get_forecast"}, "京都の5日間の予報"),
        ({"find_events"}, "リスボンのイベントは？"),
        ({"calculate"}, "12*7+3 を計算して"),
        ({"query_trips"}, "データベースをSQLで検索して"),
        ({"query_trips", "find_hotels"}, "パリとオスロと東京の安いホテルをプログラムで探して"),
        ({"convert_currency"}, "100ユーロを円に換算して"),
        ({"query_trips", "get_weather"}, "オスロとパリの天気をよく考えて教えて"),
    ),
}


def localize_city(language: str, city: object) -> str:
    """Return a city's name for a table, in this language if it is known."""
    name = cell(city)
    return vocabulary.CITIES[name][0] if language == "ja" and name in vocabulary.CITIES else name
