"""The built-in demo's brain: rules that choose function calls and put their outputs into words.

Not here: the wire, ids, time or memory (``demo.py``), the words themselves (``phrases.py``).

The one rule: a pure function of the last question, what was called since, and the functions offered. A
question becomes a plan, always the same; the calls already made say how far the plan has come.
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import phrases

Tool = Mapping[str, Any]

MOST_CALLS = 20
"""Calls that one question may lead to."""

PLAIN_LENGTH = 2_000
"""Characters of a question in which plain words are looked for."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function to call."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """A call made since the question, with its output."""

    call: Call
    output: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say, and what to call; without calls the text is the final answer."""

    text: str
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True)
class Later:
    """A call whose city is known only when the weather is."""

    name: str
    words: str
    """The words of the question that give its other arguments."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds of calls, one after the other; those of one round are made side by side."""

    rounds: tuple[tuple[Call | Later, ...], ...]
    preface: str = ""
    warmer: bool | None = None
    """Whether the warmer (True) or the colder city is wanted (False), or nothing is compared."""


def answer(question: str, done: Sequence[Done], first: bool, tools: Sequence[Tool]) -> Reply:
    """The next round of calls, or the final answer.

    Args:
        question: The person's last message.
        done: The calls made since, in their order, with their outputs.
        first: Whether this is the first answer of the conversation.
        tools: The request's tools; only functions among them are ever called.
    """
    language = "ja" if phrases.JAPANESE.search(question) else "en"
    functions = {tool["name"]: tool for tool in tools if tool.get("type") == "function"}
    found = written_calls(question, functions, language) or plain_question(question, functions, language)
    plan = found if isinstance(found, Plan) else Plan(())
    made = 0
    for steps in plan.rounds:
        if len(done) < made + len(steps):
            missing = steps[max(0, len(done) - made) :]
            calls = tuple(_call(step, plan, done, functions) for step in missing)
            return Reply("" if done else plan.preface, calls)
        made += len(steps)
    if done:
        text = results_in_words(plan, done, language)
    else:
        text = found if isinstance(found, str) else small_talk(question, functions, language)
    return Reply(f"{text}\n\n{phrases.SENTENCES[language]['note']}" if first else text)


def results_in_words(plan: Plan, done: Sequence[Done], language: str) -> str:
    """The final answer: what was chosen, then every output under its heading."""
    say = phrases.SENTENCES[language]
    sections = []
    readings = _readings(done)
    if plan.warmer is not None and readings:
        city, verdict = _choose(readings, plan.warmer)
        city = phrases.city_in(language, city)
        known = [(name, reading) for name, reading in readings.items() if reading is not None]
        shown = ", ".join(f"{phrases.city_in(language, name)} {reading:g}°" for name, reading in known)
        sentence = say[verdict].format(city=city, readings=shown)
        by_name = verdict in ("incomparable", "equal") and any(
            isinstance(step, Later) for steps in plan.rounds for step in steps
        )
        sections.append(sentence + (say["went_on"].format(city=city) if by_name else ""))
    for each in done:
        heading = phrases.title(each.call.name, each.call.arguments, language)
        sections.append(f"{heading}\n\n{phrases.output_in_words(each.output, language)}")
    return "\n\n".join(sections)


def small_talk(question: str, functions: Mapping[str, Tool], language: str) -> str:
    """An answer to what asks for no function: what can be asked here."""
    if phrases.MARKDOWN.search(question):
        return phrases.SAMPLE[language]
    say = phrases.SENTENCES[language]
    if phrases.THANKS.search(question):
        return say["thanks"]
    if phrases.WHO.search(question):
        opening = say["who"]
    elif phrases.HELP.search(question):
        opening = say["help"]
    elif phrases.GREETING.match(question):
        opening = f"{say['hello']} {say['help']}"
    else:
        opening = say["else"]
    examples = [text for needed, text in phrases.EXAMPLES[language] if needed <= functions.keys()][:2]
    examples = examples or [example_call(tool) for tool in functions.values()][:2]
    if not examples:
        return f"{opening}\n\n{say['nothing']}"
    lines = "\n".join(f"- `{text}`" for text in examples)
    return f"{opening}\n\n{offer(functions, language)}\n\n{say['try']}\n\n{lines}"


def offer(functions: Mapping[str, Tool], language: str) -> str:
    """The functions that there are, each with the first sentence of its description."""
    say = phrases.SENTENCES[language]
    if not functions:
        return say["nothing"]
    lines = [say["offer"], ""]
    for name, tool in functions.items():
        words = " ".join(str(tool.get("description") or "").split())
        sentence = re.split(r"(?<=[.!?])\s|(?<=。)", words, maxsplit=1)[0]
        lines.append(f"- `{name}`: {sentence}" if sentence else f"- `{name}`")
    return "\n".join(lines)


def example_call(tool: Tool) -> str:
    """How a call of this function may be written."""
    given = []
    for name, schema in properties(tool).items():
        if name in (tool.get("parameters") or {}).get("required", ()) and "null" not in types(schema):
            value = next((_SAMPLES[kind] for kind in types(schema) if kind in _SAMPLES), "…")
            given.append(f"{name}={json.dumps((choices(schema) or [value])[0], ensure_ascii=False)}")
    return f"{tool['name']}({', '.join(given)})"


_SAMPLES: dict[str, Any] = {"integer": 2, "number": 1.5, "boolean": True, "array": [], "object": {}}


# Calls written out: get_weather(city="Oslo")

_TOKEN = re.compile(r"\\.|[A-Za-z0-9_-]+|.", re.DOTALL)
_ASCII = str.maketrans("（），、＝：［］｛｝　", "(),,=:[]{} ")
_QUOTES = {'"': '"', "'": "'", "“": "”", "”": "”", "‘": "’", "「": "」", "『": "』", "＂": "＂"}
_ESCAPES = {"\\/": "/", '"': '\\"', "\n": "\\n", "\r": "\\r"}
_JSON_NAMES = {"true": True, "false": False, "null": None}


def written_calls(text: str, functions: Mapping[str, Tool], language: str) -> Plan | str | None:
    """The calls that are written out in a text; a sentence where they cannot be made."""
    say = phrases.SENTENCES[language]
    rounds: list[list[Call]] = [[]]
    end = 0
    for name, arguments, begin, after in _scan(text)[:MOST_CALLS]:
        tool = functions.get(name)
        if tool is None:
            line = text[text.rfind("\n", 0, begin) + 1 :].partition("\n")[0]
            if line.strip(" \t\r`;.。") == text[begin:after] and _read(arguments) is not None:
                return f"{say['unknown'].format(name=name)} {offer(functions, language)}"
            continue  # prose that happens to look like a call
        read = _read(arguments)
        if read is None:
            return say["unreadable"].format(name=name, example=example_call(tool))
        if rounds[-1] and phrases.THEN.search(text, end, begin):
            rounds.append([])
        rounds[-1].append(Call(name, fill(tool, _named(tool, *read))))
        end = after
    return Plan(tuple(map(tuple, rounds))) if rounds[0] else None


def _scan(text: str) -> list[tuple[str, str, int, int]]:
    """Every ``name(…)`` that is not inside another: name, arguments in ASCII signs, begin, end.

    One pass over the text, so that a huge one costs no more than its length.
    """
    calls: list[tuple[str, str, int, int]] = []
    if "(" not in text and "（" not in text:
        return calls
    inside: list[str] = []
    depth, closing, word, before = 0, "", None, None
    for token in _TOKEN.finditer(text):
        raw = token[0]
        sign = raw.translate(_ASCII)
        if not depth:
            if sign == "(" and before is not None:
                depth, inside, word = 1, [], before
            before = token if raw[0].isascii() and (raw[0].isalnum() or raw[0] in "_-") else None
        elif closing:
            if raw == closing:
                closing, raw = "", '"'
            elif raw[0] == "\\" and raw[1:] not in {*"\\'\"nrtbfu/"}:
                raw = "\\" + raw  # no escape that Python and JSON share: a plain backslash
            else:
                raw = _ESCAPES.get(raw, raw)
            inside.append(raw)
        elif raw in _QUOTES:
            closing = _QUOTES[raw]
            inside.append('"')
        else:
            depth += (sign in "([{") - (sign in ")]}")
            if depth:
                inside.append(sign)
            elif word is not None:
                calls.append((word[0], "".join(inside), word.start(), token.end()))
    return calls


def _read(arguments: str) -> tuple[list[Any], dict[str, Any]] | None:
    """Positional and keyword arguments; None where they are anything but literals that JSON has."""
    try:
        call = _JsonNames().visit(ast.parse(f"call({arguments}\n)", mode="eval")).body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            return None
        positional = [ast.literal_eval(node) for node in call.args]
        keywords = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}
        written = json.dumps([positional, keywords], allow_nan=False, ensure_ascii=False)
        # Through UTF-8, because half of a surrogate pair could not be sent.
        positional, keywords = json.loads(written.encode("utf-8", "replace"))
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None
    return positional, keywords


class _JsonNames(ast.NodeTransformer):
    def visit_Name(self, node: ast.Name) -> ast.expr:
        return ast.Constant(_JSON_NAMES[node.id]) if node.id in _JSON_NAMES else node


def _named(tool: Tool, positional: list[Any], keywords: dict[str, Any]) -> dict[str, Any]:
    """All arguments by name, the positional ones in the order of the schema."""
    names = list(properties(tool))
    if len(positional) == 1 and isinstance(positional[0], dict) and positional[0].keys() <= {*names}:
        return positional[0] | keywords  # all arguments as one object
    names += [f"argument_{index + 1}" for index in range(len(names), len(positional))]
    return dict(zip(names, positional, strict=False)) | keywords


# Schemas


def properties(tool: Tool) -> dict[str, Any]:
    """The parameters of a function with their schemas."""
    found = (tool.get("parameters") or {}).get("properties")
    return found if isinstance(found, dict) else {}


def types(schema: Any) -> set[str]:
    """The JSON types that a parameter may have."""
    return {kind for each in _variants(schema) for kind in _listed(each.get("type"))}


def choices(schema: Any) -> list[Any]:
    """The values that a parameter may have, where they are listed."""
    return [value for each in _variants(schema) for value in _listed(each.get("enum")) if value is not None]


def fill(tool: Tool, given: Mapping[str, Any], defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The arguments in the schema's order, completed as a model in strict mode has to.

    There, what is not given but may be null is null; in any mode, what is required comes from ``defaults``.
    """
    required = (tool.get("parameters") or {}).get("required") or ()
    arguments: dict[str, Any] = {}
    for name, schema in properties(tool).items():
        if name in given:
            arguments[name] = given[name]
        elif "null" in types(schema):
            if tool.get("strict"):
                arguments[name] = None
        elif name in required and name in (defaults or {}):
            arguments[name] = (defaults or {})[name]
    return arguments | dict(given)


def _variants(schema: Any) -> list[dict[str, Any]]:
    if not isinstance(schema, dict):
        return []
    return [schema, *(each for each in _listed(schema.get("anyOf")) if isinstance(each, dict))]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


# Plain questions: "What's the weather in Tokyo and Paris, and then a hotel in the warmer one"


@dataclass(frozen=True, slots=True)
class _Ask:
    name: str
    cities: tuple[str, ...]
    words: str
    pending: bool = False
    """Whether the city is the warmer or colder one, to be found out first."""


def plain_question(text: str, functions: Mapping[str, Tool], language: str) -> Plan | str | None:
    """The plan for a question in plain words; a question back where a city is missing."""
    rounds: list[tuple[Call | Later, ...]] = []
    text = text[:PLAIN_LENGTH]
    earlier: tuple[str, ...] = ()
    known = False  # whether a round asks for the weather, so that there is something to compare
    for part in phrases.THEN.split(text):
        asks = _asks(part, functions, language, earlier)
        now = [call for ask in asks if not ask.pending for call in _calls(ask, functions)]
        known = known or any(call.name == "get_weather" for call in now)
        if any(not ask.cities and not ask.pending and _needs_city(functions[ask.name]) for ask in asks):
            return phrases.SENTENCES[language]["city"]
        after = [Later(ask.name, ask.words) for ask in asks if ask.pending]
        if after and not known:
            return phrases.SENTENCES[language]["city"]
        unique = [call for index, call in enumerate(now) if call not in now[:index]]
        rounds += [tuple(steps[:MOST_CALLS]) for steps in (unique, after) if steps]
        earlier = next((ask.cities for ask in reversed(asks) if ask.cities), earlier)
    warmer = True if phrases.WARMER.search(text) else False if phrases.COLDER.search(text) else None
    return Plan(tuple(rounds), phrases.SENTENCES[language]["preface"], warmer) if rounds else None


def _asks(part: str, functions: Mapping[str, Tool], language: str, earlier: tuple[str, ...]) -> list[_Ask]:
    """What one part of a question asks for, in its order, each with its cities."""
    asks: list[_Ask] = []
    for group in _groups(part, functions, language):
        intents, cities = _intents(group, functions), cities_in(group)
        compares = bool(phrases.WARMER.search(group) or phrases.COLDER.search(group))
        only_cities = phrases.FILLERS.fullmatch(phrases.KNOWN_CITY.sub("", group))
        if not intents and "get_weather" in functions and cities and (compares or only_cities):
            intents = [(0, "get_weather")]  # "Which is warmer, Oslo or Paris?", "And in Paris?"
        of: dict[str, list[str]] = {name: [] for _, name in intents}
        for place, city in cities if intents else ():
            # "hotels in Paris" and パリのホテル: a city stands after its word in English, before in Japanese.
            before = [name for at, name in intents if at < place]
            after = [name for at, name in intents if at > place]
            near = (after[:1] or before[-1:]) if language == "ja" else (before[-1:] or after[:1])
            if city not in of[near[0] if near else intents[0][1]]:
                of[near[0] if near else intents[0][1]].append(city)
        for name, own in of.items():
            pending = compares and name != "get_weather" and len(own) != 1
            if pending and len(own) > 1 and "get_weather" in functions:
                asks.append(_Ask("get_weather", tuple(own), group))
            asks.append(_Ask(name, () if pending else tuple(own), group, pending))
    # "time and weather in Oslo", "weather in Oslo and hotels": the same cities for both.
    for index, ask in enumerate(asks):
        if not ask.cities and not ask.pending:
            others = [each.cities for each in asks[:index][::-1] if each.cities] + [earlier]
            others += [each.cities for each in asks[index + 1 :] if each.cities]
            asks[index] = _Ask(ask.name, next(filter(None, others), ()), ask.words)
    return asks


def _groups(part: str, functions: Mapping[str, Tool], language: str) -> list[str]:
    """A part of a question in clauses, those that ask for nothing joined to one that does."""
    groups: list[str] = []
    leading: list[str] = []
    for clause in filter(None, (each.strip() for each in phrases.CLAUSE_END.split(part))):
        if _intents(clause, functions):
            groups.append(", ".join([*leading, clause]))
            leading = []
        elif groups and language == "en":
            groups[-1] += f", {clause}"
        else:
            leading.append(clause)
    if leading and groups:
        groups[-1] += ", " + ", ".join(leading)
    return groups or ([", ".join(leading)] if leading else [])


def _intents(text: str, functions: Mapping[str, Tool]) -> list[tuple[int, str]]:
    """The functions that a text asks for, with where it does, in its order."""
    at = {
        name: found.start()
        for name, words in phrases.INTENTS.items()
        if (found := words.search(text)) and name in functions
    }
    if "get_forecast" in functions and "get_weather" in at and phrases.DAYS_AHEAD.search(text):
        at.setdefault("get_forecast", at["get_weather"])
    if "get_forecast" in at:
        at.pop("get_weather", None)
    elif "get_weather" in functions and (found := phrases.INTENTS["get_forecast"].search(text)):
        at.setdefault("get_weather", found.start())
    if "book_hotel" in at:
        # Without a number there is nothing to book yet; the person has to see the hotels first.
        at.pop("find_hotels" if re.search(r"\d", text) else "book_hotel", None)
        if not at and "find_hotels" in functions:
            at["find_hotels"] = 0
    total = sum_in(text)
    if not total:
        at.pop("calculate", None)
    elif not at and "calculate" in functions and total == text.translate(phrases.ARITHMETIC).strip(" ="):
        at["calculate"] = 0
    return sorted(((place, name) for name, place in at.items()), key=lambda intent: intent[0])


def _calls(ask: _Ask, functions: Mapping[str, Tool]) -> list[Call]:
    """One call for each city, or one where the function needs none."""
    tool = functions[ask.name]
    given = details_in(ask.words, tool)
    takes_city = not properties(tool).keys().isdisjoint(("city", "time_zone"))
    calls = []
    for city in (ask.cities if takes_city else ()) or ("",):
        place = {"city": city, "time_zone": phrases.ZONES.get(city, city)} if city else {}
        place = {name: value for name, value in place.items() if name in properties(tool)}
        calls.append(Call(ask.name, fill(tool, given | place, phrases.DEFAULTS)))
    return calls


def _call(step: Call | Later, plan: Plan, done: Sequence[Done], functions: Mapping[str, Tool]) -> Call:
    if isinstance(step, Call):
        return step
    city, _ = _choose(_readings(done), plan.warmer is not False)
    return _calls(_Ask(step.name, (city,), step.words), functions)[0]


def _needs_city(tool: Tool) -> bool:
    return "city" in properties(tool) and "null" not in types(properties(tool)["city"])


def details_in(text: str, tool: Tool) -> dict[str, Any]:
    """The arguments other than the city that a text gives, as far as the function has them."""
    given: dict[str, Any] = {}
    for name, schema in properties(tool).items():
        for words, constant in phrases.DETAILS.get(name, ()):
            if name not in given and (found := words.search(text)):
                value = next(filter(None, found.groups()), "") if constant is None else constant
                is_number = types(schema) & {"integer", "number"} and str(value).isdigit()
                given[name] = int(value) if is_number else value
        for choice in choices(schema):
            if name not in given and re.search(rf"\b{re.escape(str(choice))}\b", text, re.I | re.A):
                given[name] = choice
    if "expression" in properties(tool) and (total := sum_in(text)):
        given["expression"] = total
    return given


def sum_in(text: str) -> str:
    """The arithmetic in a text, or nothing."""
    runs = phrases.SUM.findall(text.translate(phrases.ARITHMETIC))
    sums = (run.strip(" .") for run in runs if phrases.IS_SUM.search(run))
    return next((each for each in sums if not phrases.IS_DATE.fullmatch(each)), "")


def cities_in(text: str) -> list[tuple[int, str]]:
    """The cities that a text names, known ones and others, with where it does."""
    known = list(phrases.KNOWN_CITY.finditer(text))
    found = {each.start(): phrases.canonical_city(each[0]) for each in known}
    others = [
        (places.start(1) + place.start(), place[0])
        for places in phrases.PLACES.finditer(text)
        for place in phrases.PLACE.finditer(places[1])
    ]
    others += [(each.start(1), each[1]) for each in phrases.JAPANESE_PLACE.finditer(text)]
    if not known and not others:
        others = [(each.start(1), each[1].title()) for each in phrases.SMALL_PLACE.finditer(text)]
    for begin, name in others:
        is_known = any(begin < each.end() and each.start() < begin + len(name) for each in known)
        is_word = any(words.search(name) for words in phrases.INTENTS.values())
        if not (is_known or is_word or phrases.NO_PLACE.fullmatch(name.split()[0])):
            found[begin] = name
    return sorted(found.items())


def _readings(done: Sequence[Done]) -> dict[str, float | None]:
    """The temperature of each city that the weather was asked for, None where it is not known."""
    return {
        str(each.call.arguments.get("city")): _temperature(phrases.json_or_text(each.output))
        for each in done
        if each.call.name == "get_weather"
    }


def _temperature(output: Any) -> float | None:
    value = output.get("temperature") if isinstance(output, dict) else None
    found = re.match(r"-?\d{1,4}(?:\.\d{1,4})?", str(value))
    return float(found[0]) if found else None


def _choose(readings: Mapping[str, float | None], warmer: bool) -> tuple[str, str]:
    """The city wanted, and the name of the sentence that says why."""
    known = {city: reading for city, reading in readings.items() if reading is not None}
    first = next(iter(readings), "")
    if len(known) < len(readings) or not known:
        return first, "incomparable"
    if len(known) > 1 and len(set(known.values())) == 1:
        return first, "equal"
    best = (max if warmer else min)(known, key=lambda city: known[city])
    return best, "warmer" if warmer else "colder"
