"""Turn a question into a plan: "What's the weather in Tokyo and Paris, and then a hotel in the warmer one".

Arguments come only from the question; the demo asks for a missing city.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from assistant.demo.replies import phrases, vocabulary
from assistant.demo.replies.calls import CHOSEN, MAX_CALLS, Call, Function, Plan

SAMPLE_QUERY = (
    "SELECT city.name, COUNT(*) AS hotels, MIN(price_per_night_eur) AS cheapest FROM hotel "
    "JOIN city ON city.id = hotel.city_id GROUP BY city.name ORDER BY cheapest LIMIT 5"
)
"""What the demo asks the database if the user writes no SQL."""

Functions = Mapping[str, Function]

_DAYS = {"today": 0, "tomorrow": 1}


@dataclass(slots=True)
class Intent:
    """A function that a clause asks for, and the cities."""

    name: str
    cities: Sequence[str]
    clause: str


def plan_question(text: str, functions: Functions, language: str) -> Plan | str | None:
    """Return the plan for a question, a question about a missing city, or None."""
    text = text[: vocabulary.MAX_QUESTION_CHARS].translate(vocabulary.TO_ASCII)
    sentences = phrases.SENTENCES[language]
    query = functions.get("query_trips")
    if query and vocabulary.QUERY.search(text):
        written = vocabulary.SELECT.search(text)
        sql = written[0].strip() if written else SAMPLE_QUERY
        return Plan([[query.call(dict.fromkeys(query.parameters, sql))]], sentences["preface"])
    rounds: list[list[Call]] = []
    earlier: Sequence[str] = ()
    for part in vocabulary.THEN.split(text):
        intents = _intents(part, functions, language, earlier)
        now: list[Call] = []
        later: list[Call] = []  # in the city that the weather decides
        last: list[Call] = []  # of the hotel that was found
        for intent in intents:
            city = functions[intent.name].parameters.get("city")
            if city and city.required and not intent.cities:
                return sentences["city"]
            for call in _calls(intent, functions[intent.name]):
                is_open = call.arguments.get("hotel_id") == CHOSEN
                step = last if is_open else later if CHOSEN in intent.cities else now
                if call not in step:
                    step.append(call)
        rounds += [step[:MAX_CALLS] for step in (now, later, last) if step]
        if any(call.arguments.get("city") == CHOSEN for call in later) and not any(
            call.name == "get_weather" for step in rounds for call in step
        ):
            return sentences["city"]  # nothing to compare
        earlier = next((item.cities for item in reversed(intents) if _are_known(item.cities)), earlier)
    warmer = True if vocabulary.WARMER.search(text) else False if vocabulary.COLDER.search(text) else None
    return Plan(rounds, sentences["preface"], warmer) if rounds else None


def _intents(part: str, functions: Functions, language: str, earlier: Sequence[str]) -> list[Intent]:
    """Return what a part of a question asks for, in its order; ``earlier`` are the cities before it."""
    intents: list[Intent] = []
    for clause in _clauses(part, functions, language):
        found = _find_functions(clause, functions)
        cities = _find_cities(clause)
        if "book_hotel" in (name for _, name in found):  # "for Ada" names no city
            guest = _details(clause, functions["book_hotel"]).get("guest")
            cities = [(position, city) for position, city in cities if city != guest]
        compares = vocabulary.WARMER.search(clause) or vocabulary.COLDER.search(clause)
        only_cities = vocabulary.FILLERS.fullmatch(vocabulary.KNOWN_CITY.sub("", clause))
        if not found and "get_weather" in functions and cities and (compares or only_cities):
            found = [(0, "get_weather")]  # "Which is warmer, Oslo or Paris?", "And in Paris?"
        cities_by_name: dict[str, list[str]] = {name: [] for _, name in found}
        for position, city in cities if found else ():
            # "hotels in Paris" and パリのホテル: the city follows the word in English and precedes it in Japanese.
            if language == "ja":
                nearest = next((name for start, name in found if start > position), found[-1][1])
            else:
                nearest = next((name for start, name in reversed(found) if start < position), found[0][1])
            cities_by_name[nearest].append(city)
        for name, own in cities_by_name.items():
            if compares and name != "get_weather" and len(own) != 1:
                if own and "get_weather" in functions:
                    intents.append(Intent("get_weather", own, clause))
                own = [CHOSEN]
            intents.append(Intent(name, own, clause))
    # "time and weather in Oslo", "weather in Oslo and hotels": the same cities for both.
    known = [earlier, *(intent.cities for intent in intents)]
    for index, intent in enumerate(intents):
        others = [*reversed(known[: index + 1]), *known[index + 2 :]]
        intent.cities = intent.cities or next(filter(_are_known, others), ())
    return intents


def _are_known(cities: Sequence[str]) -> bool:
    return bool(cities) and CHOSEN not in cities


def _clauses(part: str, functions: Functions, language: str) -> list[str]:
    """Split a part of a question into clauses; one that asks for nothing is joined to one that does."""
    clauses: list[str] = []
    pending: list[str] = []
    for clause in filter(None, map(str.strip, vocabulary.CLAUSE_END.split(part))):
        if _find_functions(clause, functions):
            clauses.append(", ".join([*pending, clause]))
            pending = []
        elif clauses and language == "en":
            clauses[-1] += f", {clause}"
        else:
            pending.append(clause)
    return [*clauses[:-1], ", ".join([*clauses[-1:], *pending])]


def _find_functions(text: str, functions: Functions) -> list[tuple[int, str]]:
    """Return the functions that a text asks for, with their positions."""
    positions = {
        name: match.start() for name, pattern in vocabulary.INTENTS.items() if (match := pattern.search(text))
    }
    if "get_weather" in positions and "get_forecast" in functions and vocabulary.DAYS_AHEAD.search(text):
        positions["get_forecast"] = positions.pop("get_weather")
    if not _expressions(text):
        positions.pop("calculate", None)
    if "hotel_prices" in positions and "find_hotels" in positions and "hotel_prices" in functions:
        positions.pop("find_hotels")
    else:
        positions.pop("hotel_prices", None)  # prices of something else
    if "book_hotel" in positions:
        booking = functions.get("book_hotel")
        details = _details(text, booking) if booking else {}
        if "hotel_id" in details:
            positions.pop("find_hotels", None)
        else:  # find a hotel first, and book the cheapest one if the guest is known
            start = positions["book_hotel"] if "guest" in details else positions.pop("book_hotel")
            positions.setdefault("find_hotels", start)
    return sorted((position, name) for name, position in positions.items() if name in functions)


def _calls(intent: Intent, function: Function) -> list[Call]:
    """Return a call for each city or expression, or one call if the function needs neither."""
    arguments = _details(intent.clause, function)
    if intent.name == "book_hotel":
        return [function.call({"hotel_id": CHOSEN} | arguments)]
    zones = [vocabulary.CITIES[city][1] if city in vocabulary.CITIES else city for city in intent.cities]
    expressions = _expressions(intent.clause)
    for name, values in (("city", intent.cities), ("time_zone", zones), ("expression", expressions)):
        if name in function.parameters and values:
            return [function.call(arguments | {name: value}) for value in values]
    return [function.call(arguments)]


def _details(text: str, function: Function) -> dict[str, Any]:
    """Return the function's other arguments that the text contains."""
    arguments: dict[str, Any] = {}
    for name, pattern, constant in vocabulary.DETAILS:
        if name in function.parameters and name not in arguments and (match := pattern.search(text)):
            value = constant or match[1]
            if value in _DAYS:
                value = (date.today() + timedelta(_DAYS[value])).isoformat()
            arguments[name] = int(value) if value.isdigit() else value
    for name, parameter in function.parameters.items():
        for choice in parameter.choices:
            if name not in arguments and re.search(rf"\b{re.escape(str(choice))}\b", text, re.I | re.A):
                arguments[name] = choice
    return arguments


def _expressions(text: str) -> list[str]:
    """Return the arithmetic expressions in a text."""
    candidates = [
        match.strip(" .")
        for match in vocabulary.ARITHMETIC.findall(text)
        if vocabulary.HAS_OPERATOR.search(match)
    ]
    return [candidate for candidate in candidates if not vocabulary.DATE.fullmatch(candidate)]


def _find_cities(text: str) -> list[tuple[int, str]]:
    """Return the cities in a text, with their positions."""
    cities: dict[int, str] = {}
    used: set[int] = set()
    for pattern in vocabulary.PLACES:
        if cities and pattern is vocabulary.LOWERCASE_PLACE:
            break
        for match in pattern.finditer(text):
            group = match.lastindex or 0
            name, span = match[group], range(*match.span(group))
            is_word = vocabulary.NOT_A_PLACE.fullmatch(name.split()[0]) or any(
                intent.search(name) for intent in vocabulary.INTENTS.values()
            )
            if not is_word and used.isdisjoint(span):
                used.update(span)
                is_lower = name.islower() or name.title() in vocabulary.CITIES
                cities[span.start] = vocabulary.ENGLISH_NAMES.get(name) or (
                    name.title() if is_lower else name
                )
    return sorted(cities.items())
