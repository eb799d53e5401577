"""What the demo says next: calls, or an answer made of their outputs.

Not here: how a message becomes a plan (``written.py``, ``questions.py``), the words (``phrases.py``).
The one rule: a pure function of the last message, what was called since, and the functions offered.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.demo import phrases
from assistant.demo import vocabulary as words
from assistant.demo.calls import CHOSEN, Call, Function, Plan
from assistant.demo.outputs import in_words, json_or_text, title
from assistant.demo.questions import plain_plan
from assistant.demo.written_calls import written_plan

Done = Sequence[tuple[Call, str]]
"""The calls made since the message, in their order, each with its output."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What to say, and what to call; without calls the text is the final answer."""

    text: str
    calls: tuple[Call, ...] = ()


def answer(message: str, done: Done, first: bool, tools: Sequence[Mapping[str, Any]]) -> Reply:
    """The next round of calls, or the final answer.

    Args:
        message: What the person said last.
        done: The calls made since.
        first: Whether this is the first answer of the conversation.
        tools: The request's tools; only functions among them are ever called.
    """
    language = "ja" if words.JAPANESE.search(message) else "en"
    functions = {tool["name"]: Function.of(tool) for tool in tools if tool.get("type") == "function"}
    found = written_plan(message, functions, language) or plain_plan(message, functions, language)
    plan = found if isinstance(found, Plan) else Plan()
    planned = 0
    for step in plan.rounds:
        planned += len(step)
        if len(done) < planned:
            calls = (_settled(call, plan, done) for call in step[len(done) - planned :])
            return Reply("" if done else plan.preface, tuple(calls))
    if done:
        text = _results(plan, done, language)
    elif isinstance(found, str):
        text = found
    else:
        text = _talk(message, functions, language)
    return Reply(f"{text}\n\n{phrases.SENTENCES[language]['note']}" if first else text)


def _settled(call: Call, plan: Plan, done: Done) -> Call:
    """The call with its city, where that had to be found out first."""
    if call.arguments.get("city") != CHOSEN:
        return call
    city, _ = _choose(_readings(done), plan.warmer is not False)
    return Call(call.name, call.arguments | {"city": city})


def _results(plan: Plan, done: Done, language: str) -> str:
    """What was chosen, then every output under its heading."""
    sections = []
    readings = _readings(done)
    if plan.warmer is not None and readings:
        city, verdict = _choose(readings, plan.warmer)
        known = [(name, reading) for name, reading in readings.items() if reading is not None]
        shown = ", ".join(f"{phrases.city_in(language, name)} {reading:g}°" for name, reading in known)
        sentence = phrases.SENTENCES[language][verdict]
        sections.append(sentence.format(city=phrases.city_in(language, city), readings=shown or "–"))
    for call, output in done:
        sections.append(f"{title(call, language)}\n\n{in_words(output, language)}")
    return "\n\n".join(sections)


def _readings(done: Done) -> dict[str, float | None]:
    """The temperature of each city that the weather was asked for, None where it is not known."""
    readings: dict[str, float | None] = {}
    for call, output in done:
        if call.name == "get_weather":
            value = json_or_text(output)
            value = value.get("temperature") if isinstance(value, dict) else None
            found = re.match(r"-?\d{1,4}(?:\.\d{1,4})?", str(value))
            readings[str(call.arguments.get("city"))] = float(found[0]) if found else None
    return readings


def _choose(readings: Mapping[str, float | None], warmer: bool) -> tuple[str, str]:
    """The city wanted, and the name of the sentence that says why."""
    known = {city: reading for city, reading in readings.items() if reading is not None}
    all_alike = len(known) > 1 and len(set(known.values())) == 1
    if not known or len(known) < len(readings) or all_alike:
        return next(iter(readings), ""), "unclear"
    best = (max if warmer else min)(known, key=lambda city: known[city])
    return best, "warmer" if warmer else "colder"


def _talk(message: str, functions: Mapping[str, Function], language: str) -> str:
    """An answer to what asks for no function: what can be asked here."""
    say = phrases.SENTENCES[language]
    topic = next((topic for topic, pattern in words.TALK.items() if pattern.search(message)), "else")
    if topic == "thanks":
        return say[topic]
    if not functions:
        return f"{say[topic]}\n\n{say['nothing']}"
    examples = [text for needed, text in phrases.EXAMPLES[language] if needed <= functions.keys()]
    examples = examples or [function.example() for function in functions.values()]
    lines = "\n".join(f"- `{text}`" for text in examples[:2])
    return f"{say[topic]}\n\n{phrases.offer(functions, language)}\n\n{say['try']}\n\n{lines}"
