"""Put the results of calls into words: sentences and tables for the trip planner, Markdown for any other function.

Results may have any shape: one that is not as expected is shown as that of any other function.
"""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from assistant.demo.replies import phrases, vocabulary
from assistant.demo.replies.calls import Call
from assistant.demo.replies.markdown import MAX_TEXT_CHARS, cell, is_table, markdown, short, table

CallOutputs = Sequence[tuple[Call, str]]
"""The calls since the last message, in order, each with its output."""

_CHANGED = re.compile(r"The user changed the arguments to .*?\}\.\s+", re.DOTALL)
_DENIED = "The user did not allow this call"
_SHOWN = "Shown to the user: "


def summarize(question: str, done: CallOutputs, warmer: bool | None = None) -> str:
    """Return the answer to a question from the outputs of all calls; ``warmer`` as in ``Plan``."""
    language = vocabulary.language_of(question)
    results = [(call, parse_output(output)) for call, output in done]
    names = [call.name for call, _ in results]
    sections: list[str] = []
    if warmer is not None and names.count("get_weather") > 1:
        sections.append(_comparison(done, language, warmer))
    for call, value in results:
        if call.name != "find_hotels" or "book_hotel" not in names:  # these were found to book one of them
            sections.append(_section(question, call, value, language))
    rows = [row for _, value in results for row in (value if isinstance(value, list) else [value])]
    sources = [row["source"] for row in rows if isinstance(row, dict) and isinstance(row.get("source"), str)]
    return "\n\n".join([*sections, *(_source(cell(source), language) for source in dict.fromkeys(sources))])


def choose_city(done: CallOutputs, warmer: bool) -> tuple[str, str]:
    """Return the warmest or coldest city of the weather calls, and the key of the sentence with the reason."""
    temperatures = _temperatures(done)
    known = {city: number for city, (number, _) in temperatures.items() if number is not None}
    if not known or len(known) < len(temperatures):
        return next(iter(temperatures), ""), "unclear"
    if len(known) > 1 and len(set(known.values())) == 1:
        return next(iter(temperatures)), "equal"
    return (max if warmer else min)(known, key=lambda city: known[city]), "warmer" if warmer else "colder"


def _temperatures(done: CallOutputs) -> dict[str, tuple[float | None, object]]:
    """Return the temperature of each city from the weather calls, None if it is unknown, and its unit."""
    temperatures: dict[str, tuple[float | None, object]] = {}
    for call, output in done:
        if call.name == "get_weather":
            value = parse_output(output)
            fields = value if isinstance(value, dict) else {}
            city = str(call.arguments.get("city"))
            temperatures[city] = _number(fields.get("temperature")), fields.get("unit")
    return temperatures


def parse_output(output: str) -> Any:
    """Return the value of a JSON output, else the output itself, without a note on changed arguments."""
    output = _CHANGED.sub("", output, count=1) if output.startswith("The user changed") else output
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return output


# --- weather ----------------------------------------------------------------------------------------


def _comparison(done: CallOutputs, language: str, warmer: bool) -> str:
    sentences = phrases.SENTENCES[language]
    chosen, reason = choose_city(done, warmer)
    name = phrases.localize_city(language, chosen)
    if reason not in ("warmer", "colder"):
        return sentences[reason].format(city=name)
    degrees = {
        city: _temperature(number, unit, language)
        for city, (number, unit) in _temperatures(done).items()
        if number is not None
    }
    others = sentences["and"].join(
        sentences["temperature"].format(city=phrases.localize_city(language, city), degrees=text)
        for city, text in degrees.items()
        if city != chosen
    )
    return sentences[reason].format(city=name, degrees=degrees[chosen], others=others)


def _weather(question: str, call: Call, value: Any, language: str) -> str:
    """Return for example "**Weather in Oslo**: 13.7 °C, overcast, 54% humidity, wind 8 km/h"."""
    sentences = phrases.SENTENCES[language]
    if (degrees := _number(value["temperature"])) is None:
        return ""
    parts = [_temperature(degrees, value.get("unit"), language)]
    if isinstance(condition := value.get("condition"), str):
        parts.append(_localize(cell(condition), language))
    for name, key in (("humidity_percent", "humidity"), ("wind_kmh", "wind")):
        if (number := _number(value.get(name))) is not None:
            parts.append(sentences[key].format(value=f"{number:.0f}"))
    return sentences["result"].format(title=_title(call, language), result=sentences["comma"].join(parts))


def _temperature(number: float, unit: object, language: str) -> str:
    letter = "F" if unit == "fahrenheit" else "C"
    degrees = f"{number:g}".replace("-", "−")
    return f"{degrees}{'℉' if letter == 'F' else '℃'}" if language == "ja" else f"{degrees} °{letter}"


def _source(source: str, language: str) -> str:
    """Return the remark that the weather is not live."""
    found = re.search(r"\d{1,2} [A-Z][a-z]{2} \d{4}", source)
    if language == "ja" and found:
        try:
            day = datetime.strptime(found[0], "%d %b %Y")
            source = f"ネットワークに接続できないため、天気は{day.year}年{day.month}月{day.day}日のサンプルデータです"
        except ValueError:
            pass
    return phrases.SENTENCES[language]["source"].format(source=source)


# --- the other functions of the trip planner --------------------------------------------------------


def _section(question: str, call: Call, value: Any, language: str) -> str:
    """Return the result of one call under a title."""
    sentences = phrases.SENTENCES[language]
    title = _title(call, language)
    if isinstance(value, dict) and list(value) == ["error"]:
        error = _CHANGED.sub("", str(value["error"]), count=1)
        if error.startswith(_DENIED):
            return sentences["denied"].format(title=title)
        return sentences["failed"].format(title=title, error=_error(error, language))
    try:
        text = _SENTENCES[call.name](question, call, value, language)
    except (KeyError, TypeError, ValueError, IndexError):
        text = ""  # another function, or another shape
    if text:
        return text
    if call.name in phrases.COLUMNS and is_table(value):
        return f"{title}\n\n{_known_table(call, value, language)}"
    texts = value if isinstance(value, list) else [value]
    if any(isinstance(text, str) and text.startswith(_SHOWN) for text in texts):
        return f"{title}\n\n{sentences['shown']}"
    return f"{title}\n\n{markdown(value, sentences['more']).strip() or sentences['empty']}"


def _title(call: Call, language: str) -> str:
    """Return a title for a trip planner's function, and the call for any other."""
    arguments = {name: value for name, value in call.arguments.items() if value is not None}
    try:
        values = {name: phrases.localize_city(language, value) for name, value in arguments.items()}
        return f"**{phrases.TITLES[call.name][language].format_map(values)}**"
    except KeyError:  # another function, or the title's argument is missing
        written = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in arguments.items())
        return "`" + cell(f"{call.name}({', '.join(written)})").replace("`", "'") + "`"


def _error(error: str, language: str) -> str:
    """Return the first sentence, because the others address the model, and the cities that there are."""
    first = re.split(r"(?<=[.!?])(?<! [A-Z][a-z]\.) |(?<=。)", " ".join(error.split()), maxsplit=1)[0]
    text = short(_localize(first, language), MAX_TEXT_CHARS)
    if not (found := re.search(r"Available cities: ([^.]{1,400})", error)):
        return text
    cities = [phrases.localize_city(language, city) for city in found[1].split(", ")]
    sentences = phrases.SENTENCES[language]
    return sentences["cities"].format(error=text, cities=sentences["comma"].join(cities))


def _time(question: str, call: Call, value: Any, language: str) -> str:
    now = datetime.fromisoformat(value["local_time"])
    zone = str(value["time_zone"])
    named = [
        (japanese if language == "ja" else city)
        for city, (japanese, its_zone) in vocabulary.CITIES.items()
        if its_zone == zone and (city.casefold() in question.casefold() or japanese in question)
    ]
    city = " / ".join(named) or cell(zone.rpartition("/")[2].replace("_", " "))
    day = _day(now.date(), language)
    return phrases.SENTENCES[language]["time"].format(time=f"{now:%H:%M}", day=day, city=city)


def _booking(question: str, call: Call, value: Any, language: str) -> str:
    sentences = phrases.SENTENCES[language]
    days = {
        name: _day(date.fromisoformat(value[name]), language, year=True) for name in ("check_in", "check_out")
    }
    names = {name: cell(value[name]) for name in ("hotel", "guest", "confirmation")}
    city = phrases.localize_city(language, value["city"])
    price = f"€{value['total_price_eur']}"
    return sentences["booked"].format(city=city, price=price, **days, **names)


def _prices(question: str, call: Call, value: Any, language: str) -> str:
    """Return the range of the prices, read from the table for the model."""
    sentences = phrases.SENTENCES[language]
    text = value if isinstance(value, str) else "\n\n".join(value)
    data = text.partition("All rows as CSV:\n")[2].partition("\n\n")[0]
    rows = list(csv.DictReader(data.splitlines()))
    cheapest, dearest = rows[0], rows[-1]
    city = call.arguments.get("city")
    return sentences["prices"].format(
        city=phrases.localize_city(language, city) if city else sentences["everywhere"],
        low=f"€{int(cheapest['EUR per night'])}",
        high=f"€{int(dearest['EUR per night'])}",
        cheapest=cell(cheapest["Hotel"]),
        dearest=cell(dearest["Hotel"]),
    )


def _sum(question: str, call: Call, value: Any, language: str) -> str:
    return f"`{call.arguments['expression']}` = **{value:,}**" if isinstance(value, int | float) else ""


def _conversion(question: str, call: Call, value: Any, language: str) -> str:
    rates = str(value["rates"])
    if language == "ja":
        rates = "サンプルのレート"
    return phrases.SENTENCES[language]["converted"].format(
        amount=_amount(call.arguments["amount"]),
        unit=call.arguments["from_currency"],
        result=_amount(value["amount"]),
        target=cell(value["currency"]),
        rates=cell(rates),
    )


def _amount(value: float) -> str:
    return f"{value:,.2f}".removesuffix(".00")


_SENTENCES: Mapping[str, Callable[[str, Call, Any, str], str]] = {
    "get_weather": _weather,
    "get_current_time": _time,
    "book_hotel": _booking,
    "hotel_prices": _prices,
    "calculate": _sum,
    "convert_currency": _conversion,
}


def _known_table(call: Call, rows: Sequence[Mapping[str, Any]], language: str) -> str:
    """Return the rows with headings and units; a column that they lack is left out."""
    columns = {
        name: heading[language]
        for name, heading in phrases.COLUMNS[call.name].items()
        if any(name in row for row in rows)
    }
    known = [{heading: _value(name, row, language) for name, heading in columns.items()} for row in rows]
    return table(known, phrases.SENTENCES[language]["more"])


def _value(name: str, row: Mapping[str, Any], language: str) -> object:
    """Return a value of a row with its unit."""
    value = row.get(name)
    number = _number(value)
    match name:
        case "date":
            try:
                return _day(date.fromisoformat(str(value)), language)
            except ValueError:
                return value
        case "condition":
            return _localize(str(value), language)
        case "stars" if number is not None and 0 < number <= 5:
            return "★" * int(number)
        case "min" | "max" if number is not None:
            return _temperature(number, row.get("unit"), language)
        case "precipitation_mm" if number is not None:
            return f"{number:g} mm"
        case "price_eur" if number == 0:
            return phrases.SENTENCES[language]["free"]
        case "price_eur" | "price_per_night_eur" if number is not None:
            return f"€{value}"
    return value


def _day(day: date, language: str, year: bool = False) -> str:
    if language == "ja":
        text = f"{day.month}月{day.day}日({'月火水木金土日'[day.weekday()]})"
        return f"{day.year}年{text}" if year else text
    return f"{day:%a} {day.day} {day:%b}" + (f" {day.year}" if year else "")


def _localize(text: str, language: str) -> str:
    return phrases.IN_JAPANESE.get(text, text) if language == "ja" else text


def _number(value: Any) -> float | None:
    number = re.match(r"-?\d{1,9}(?:\.\d{1,9})?", str(value)[:30])
    return float(number[0]) if number else None
