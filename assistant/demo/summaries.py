"""Put the results of calls into words: sentences and tables for the trip planner, Markdown for any other function.

Results may have any shape: one that is not as expected is shown as that of any other function.
"""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from assistant.demo import phrases, vocabulary
from assistant.demo.calls import Call
from assistant.demo.markdown import MAX_ROWS, MAX_TEXT_CHARS, cell, is_table, markdown, short, table

CallOutputs = Sequence[tuple[Call, str]]
"""The calls since the last message, in order, each with its output."""

_CHANGED = re.compile(r"The user changed the arguments to .*?\}\.\s+", re.DOTALL)
_DENIED = "The user did not allow this call"
_SHOWN = "Shown to the user: "


def summarize(question: str, done: CallOutputs, language: str, warmer: bool | None) -> str:
    """Return the answer to a question from the outputs of all calls; ``warmer`` as in ``Plan``."""
    sections: list[str] = []
    current = [(call, parse_output(output)) for call, output in done if call.name == "get_weather"]
    if warmer is not None and len(current) > 1:
        sections.append(_comparison(done, language, warmer))
    lines: list[str] = []
    sources: dict[str, None] = {}
    if any(call.name == "book_hotel" for call, _ in done):  # the hotels were found to book one
        done = [(call, output) for call, output in done if call.name != "find_hotels"]
    for call, output in done:
        value = parse_output(output)
        for row in value if isinstance(value, list) else [value]:
            if isinstance(source := _field(row, "source"), str):
                sources[_source(cell(source), language)] = None
        if not (weather := _weather(call, value, language)):
            sections.append(_section(question, call, value, language))
        elif len(current) == 1:
            result = phrases.SENTENCES[language]["result"]
            sections.append(result.format(title=_title(call, language), result=weather))
        else:  # the lines of all cities stand together, at the place of the first one
            if not lines:
                place = len(sections)
                sections.append("")
            city = phrases.localize_city(language, cell(call.arguments.get("city")))
            line = phrases.SENTENCES[language]["result"].format(title=f"- **{city}**", result=weather)
            lines.append(line)
            sections[place] = "\n".join(lines)
    return "\n\n".join([*sections, *sources])


def choose_city(done: CallOutputs, warmer: bool) -> tuple[str, str]:
    """Return the warmest or coldest city of the weather calls, and the key of the sentence with the reason."""
    temperatures = {
        str(call.arguments.get("city")): _number(_field(parse_output(output), "temperature"))
        for call, output in done
        if call.name == "get_weather"
    }
    known = {city: degrees for city, degrees in temperatures.items() if degrees is not None}
    if not known or len(known) < len(temperatures):
        return next(iter(temperatures), ""), "unclear"
    if len(known) > 1 and len(set(known.values())) == 1:
        return next(iter(temperatures)), "equal"
    return (max if warmer else min)(known, key=lambda city: known[city]), "warmer" if warmer else "colder"


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
    city, reason = choose_city(done, warmer)
    degrees = {
        str(call.arguments.get("city")): _degrees(call, parse_output(output), language)
        for call, output in done
        if call.name == "get_weather"
    }
    others = sentences["and"].join(
        sentences["temperature"].format(city=phrases.localize_city(language, cell(name)), degrees=text)
        for name, text in degrees.items()
        if name != city
    )
    name = phrases.localize_city(language, cell(city))
    return sentences[reason].format(city=name, degrees=degrees.get(city), others=others)


def _weather(call: Call, value: Any, language: str) -> str:
    """Return for example "13.7 °C, overcast, 54% humidity, wind 8 km/h", or "" if there is no temperature."""
    if call.name != "get_weather" or not (degrees := _degrees(call, value, language)):
        return ""
    sentences = phrases.SENTENCES[language]
    parts = [degrees]
    if isinstance(condition := value.get("condition"), str):
        parts.append(_localize(cell(condition), language))
    for name, key in (("humidity_percent", "humidity"), ("wind_kmh", "wind")):
        if (number := _number(value.get(name))) is not None:
            parts.append(sentences[key].format(value=f"{number:.0f}"))
    return ("、" if language == "ja" else ", ").join(parts)


def _degrees(call: Call, value: Any, language: str) -> str:
    number = _number(_field(value, "temperature"))
    unit = _field(value, "unit") or call.arguments.get("unit") or "celsius"
    return "" if number is None else _temperature(number, unit, language)


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
    except (KeyError, TypeError, ValueError, IndexError, StopIteration):
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
        values = {name: phrases.localize_city(language, cell(value)) for name, value in arguments.items()}
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
    listed = ("、" if language == "ja" else ", ").join(cities)
    return phrases.SENTENCES[language]["cities"].format(error=text, cities=listed)


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
    city = phrases.localize_city(language, cell(value["city"]))
    price = sentences["price"].format(price=value["total_price_eur"])
    return sentences["booked"].format(city=city, price=price, **days, **names)


def _prices(question: str, call: Call, value: Any, language: str) -> str:
    """Return the range of the prices, read from the table for the model."""
    sentences = phrases.SENTENCES[language]
    data = next(text.partition("All rows as CSV:\n")[2] for text in value if "All rows as CSV:" in text)
    rows = list(csv.DictReader(data.splitlines()))
    cheapest, dearest = rows[0], rows[-1]
    city = call.arguments.get("city")
    return sentences["prices"].format(
        city=phrases.localize_city(language, cell(city)) if city else sentences["everywhere"],
        low=sentences["price"].format(price=int(cheapest["EUR per night"])),
        high=sentences["price"].format(price=int(dearest["EUR per night"])),
        cheapest=cell(cheapest["Hotel"]),
        dearest=cell(dearest["Hotel"]),
    )


def _sum(question: str, call: Call, value: Any, language: str) -> str:
    return f"`{call.arguments['expression']}` = **{value:,}**" if isinstance(value, int | float) else ""


_SENTENCES: Mapping[str, Callable[[str, Call, Any, str], str]] = {
    "get_current_time": _time,
    "book_hotel": _booking,
    "hotel_prices": _prices,
    "calculate": _sum,
}


def _known_table(call: Call, rows: Sequence[Mapping[str, Any]], language: str) -> str:
    """Return the rows with headings and units; a column that they lack is left out."""
    columns = {
        name: heading[language]
        for name, heading in phrases.COLUMNS[call.name].items()
        if any(name in row for row in rows)
    }
    known = [
        {heading: _value(name, row, language) for name, heading in columns.items()} for row in rows[:MAX_ROWS]
    ]
    text = table(known)
    more = len(rows) - MAX_ROWS
    return f"{text}\n\n{phrases.SENTENCES[language]['more'].format(count=more)}" if more > 0 else text


def _value(name: str, row: Mapping[str, Any], language: str) -> object:
    """Return a value of a row with its unit."""
    value, sentences = row.get(name), phrases.SENTENCES[language]
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
            return sentences["free"]
        case "price_eur" | "price_per_night_eur" if number is not None:
            return sentences["price"].format(price=value)
    return value


def _day(day: date, language: str, year: bool = False) -> str:
    if language == "ja":
        text = f"{day.month}月{day.day}日({'月火水木金土日'[day.weekday()]})"
        return f"{day.year}年{text}" if year else text
    return f"{day:%a} {day.day} {day:%b}" + (f" {day.year}" if year else "")


def _localize(text: str, language: str) -> str:
    return phrases.IN_JAPANESE.get(text, text) if language == "ja" else text


def _field(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _number(value: Any) -> float | None:
    number = re.match(r"-?\d{1,9}(?:\.\d{1,9})?", str(value)[:30])
    return float(number[0]) if number else None
