"""Questions in plain words: "What's the weather in Tokyo and Paris, and then a hotel in the warmer one".

Not here: calls written out (``written.py``), the words that are listened for (``words.py``).
The one rule: only what is said is filled in; a city that is missing is asked for, not made up.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.demo import phrases
from assistant.demo import vocabulary as words
from assistant.demo.calls import CHOSEN, MOST_CALLS, Call, Function, Plan

LENGTH = 2_000
"""Characters of a message in which a question is looked for."""

Functions = Mapping[str, Function]


@dataclass(slots=True)
class Ask:
    """What a clause wants of one function, and of which cities."""

    name: str
    cities: Sequence[str]
    clause: str


def plain_plan(text: str, functions: Functions, language: str) -> Plan | str | None:
    """The plan for a question; a question back where a city is missing."""
    text = text[:LENGTH].translate(words.TO_ASCII)
    say = phrases.SENTENCES[language]
    rounds: list[list[Call]] = []
    earlier: Sequence[str] = ()
    for part in words.THEN.split(text):
        asks = _asks(part, functions, language, earlier)
        now: list[Call] = []
        later: list[Call] = []
        for ask in asks:
            city = functions[ask.name].parameters.get("city")
            if city and city.needed and not ask.cities:
                return say["city"]
            step = later if CHOSEN in ask.cities else now
            for call in _calls(ask, functions[ask.name]):
                if call not in step:
                    step.append(call)
        rounds += [step[:MOST_CALLS] for step in (now, later) if step]
        if later and not any(call.name == "get_weather" for step in rounds for call in step):
            return say["city"]  # there is nothing to compare
        earlier = next((ask.cities for ask in reversed(asks) if _are_known(ask.cities)), earlier)
    warmer = True if words.WARMER.search(text) else False if words.COLDER.search(text) else None
    return Plan(rounds, say["preface"], warmer) if rounds else None


def _asks(part: str, functions: Functions, language: str, earlier: Sequence[str]) -> list[Ask]:
    """What one part of a question asks for, in its order."""
    asks: list[Ask] = []
    for clause in _clauses(part, functions, language):
        intents, cities = _intents(clause, functions), _cities(clause)
        compares = words.WARMER.search(clause) or words.COLDER.search(clause)
        only_cities = words.FILLERS.fullmatch(words.KNOWN_CITY.sub("", clause))
        if not intents and "get_weather" in functions and cities and (compares or only_cities):
            intents = [(0, "get_weather")]  # "Which is warmer, Oslo or Paris?", "And in Paris?"
        of: dict[str, list[str]] = {name: [] for _, name in intents}
        for place, city in cities if intents else ():
            # "hotels in Paris" and パリのホテル: a city stands after its word in English, before in Japanese.
            if language == "ja":
                near = next((name for at, name in intents if at > place), intents[-1][1])
            else:
                near = next((name for at, name in reversed(intents) if at < place), intents[0][1])
            of[near].append(city)
        for name, own in of.items():
            if compares and name != "get_weather" and len(own) != 1:
                if own and "get_weather" in functions:
                    asks.append(Ask("get_weather", own, clause))
                own = [CHOSEN]
            asks.append(Ask(name, own, clause))
    # "time and weather in Oslo", "weather in Oslo and hotels": the same cities for both.
    every = [earlier, *(ask.cities for ask in asks)]
    for index, ask in enumerate(asks):
        others = [*reversed(every[: index + 1]), *every[index + 2 :]]
        ask.cities = ask.cities or next(filter(_are_known, others), ())
    return asks


def _are_known(cities: Sequence[str]) -> bool:
    return bool(cities) and CHOSEN not in cities


def _clauses(part: str, functions: Functions, language: str) -> list[str]:
    """A part of a question in clauses, those that ask for nothing joined to one that does."""
    clauses: list[str] = []
    waiting: list[str] = []
    for clause in filter(None, map(str.strip, words.CLAUSE_END.split(part))):
        if _intents(clause, functions):
            clauses.append(", ".join([*waiting, clause]))
            waiting = []
        elif clauses and language == "en":
            clauses[-1] += f", {clause}"
        else:
            waiting.append(clause)
    return [*clauses[:-1], ", ".join([*clauses[-1:], *waiting])]


def _intents(text: str, functions: Functions) -> list[tuple[int, str]]:
    """Where a text asks for a function, and for which."""
    at = {name: found.start() for name, pattern in words.INTENTS.items() if (found := pattern.search(text))}
    if "get_weather" in at and "get_forecast" in functions and words.DAYS_AHEAD.search(text):
        at["get_forecast"] = at.pop("get_weather")
    if not _sums(text):
        at.pop("calculate", None)
    if "book_hotel" in at:
        # Without a number there is nothing to book yet; the person has to see the hotels first.
        at.pop("find_hotels" if re.search(r"\d", text) else "book_hotel", None)
        at = at or {"find_hotels": 0}
    return sorted((place, name) for name, place in at.items() if name in functions)


def _calls(ask: Ask, function: Function) -> list[Call]:
    """One call for each city or sum, or one where the function needs none."""
    given = _details(ask.clause, function)
    zones = [words.CITIES[city][1] if city in words.CITIES else city for city in ask.cities]
    for name, values in (("city", ask.cities), ("time_zone", zones), ("expression", _sums(ask.clause))):
        if name in function.parameters and values:
            return [function.call(given | {name: value}) for value in values]
    return [function.call(given)]


def _details(text: str, function: Function) -> dict[str, Any]:
    """The arguments that a text gives besides city and sum, as far as the function has them."""
    given: dict[str, Any] = {}
    for name, pattern, constant in words.DETAILS:
        if name in function.parameters and name not in given and (found := pattern.search(text)):
            value = constant or found[1]
            given[name] = int(value) if value.isdigit() else value
    for name, parameter in function.parameters.items():
        for choice in parameter.choices:
            if name not in given and re.search(rf"\b{re.escape(str(choice))}\b", text, re.I | re.A):
                given[name] = choice
    return given


def _sums(text: str) -> list[str]:
    """The arithmetic in a text."""
    sums = [run.strip(" .") for run in words.SUM.findall(text) if words.IS_SUM.search(run)]
    return [each for each in sums if not words.IS_DATE.fullmatch(each)]


def _cities(text: str) -> list[tuple[int, str]]:
    """The cities that a text names, with where it does."""
    found: dict[int, str] = {}
    taken: set[int] = set()
    for pattern in words.PLACES:
        if found and pattern is words.SMALL_PLACE:
            break
        for each in pattern.finditer(text):
            name, span = each[each.lastindex or 0], range(*each.span(each.lastindex or 0))
            is_word = words.NO_PLACE.fullmatch(name.split()[0]) or any(
                intent.search(name) for intent in words.INTENTS.values()
            )
            if not is_word and taken.isdisjoint(span):
                taken.update(span)
                is_lower = name.islower() or name.title() in words.CITIES
                found[span.start] = words.IN_ENGLISH.get(name) or (name.title() if is_lower else name)
    return sorted(found.items())
