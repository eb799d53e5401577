"""The next reply of the demo: calls, or an answer from their outputs.

A reply depends only on the last message, the calls since and the functions of the request.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.demo import phrases, vocabulary
from assistant.demo.calls import CHOSEN_CITY, Call, Function, Plan
from assistant.demo.outputs import describe_output, heading, parse_output
from assistant.demo.questions import plan_question
from assistant.demo.written_calls import plan_written_calls

CallOutputs = Sequence[tuple[Call, str]]
"""The calls since the last message, in order, each with its output."""


@dataclass(frozen=True, slots=True)
class Reply:
    """Text and calls; without calls the text is the final answer."""

    text: str
    calls: tuple[Call, ...] = ()


def next_reply(message: str, done: CallOutputs, first: bool, tools: Sequence[Mapping[str, Any]]) -> Reply:
    """Return the next round of calls, or the final answer.

    Args:
        message: The user's last message.
        done: The calls since the message.
        first: Whether this is the first answer of the conversation.
        tools: The request's tools; the demo calls only functions among them.
    """
    language = "ja" if vocabulary.JAPANESE.search(message) else "en"
    functions = {tool["name"]: Function.from_tool(tool) for tool in tools if tool.get("type") == "function"}
    result = plan_written_calls(message, functions, language) or plan_question(message, functions, language)
    plan = result if isinstance(result, Plan) else Plan()
    planned = 0
    for step in plan.rounds:
        planned += len(step)
        if len(done) < planned:
            calls = (_with_city(call, plan, done) for call in step[len(done) - planned :])
            return Reply("" if done else plan.preface, tuple(calls))
    if done:
        text = _summarize(plan, done, language)
    elif isinstance(result, str):
        text = result
    else:
        text = _small_talk(message, functions, language)
    return Reply(f"{text}\n\n{phrases.SENTENCES[language]['note']}" if first else text)


def _with_city(call: Call, plan: Plan, done: CallOutputs) -> Call:
    """Return the call with the city that the weather decides, if it needs one."""
    if call.arguments.get("city") != CHOSEN_CITY:
        return call
    city, _ = _choose_city(_temperatures(done), plan.warmer is not False)
    return Call(call.name, call.arguments | {"city": city})


def _summarize(plan: Plan, done: CallOutputs, language: str) -> str:
    """Return the choice of a city, if any, and every output under a heading."""
    sections = []
    temperatures = _temperatures(done)
    if plan.warmer is not None and temperatures:
        city, reason = _choose_city(temperatures, plan.warmer)
        known = [(name, degrees) for name, degrees in temperatures.items() if degrees is not None]
        listed = ", ".join(f"{phrases.localize_city(language, name)} {degrees:g}°" for name, degrees in known)
        sentence = phrases.SENTENCES[language][reason]
        sections.append(sentence.format(city=phrases.localize_city(language, city), readings=listed or "–"))
    for call, output in done:
        sections.append(f"{heading(call, language)}\n\n{describe_output(output, language)}")
    return "\n\n".join(sections)


def _temperatures(done: CallOutputs) -> dict[str, float | None]:
    """Return the temperature of each city from the weather calls, None if it is unknown."""
    temperatures: dict[str, float | None] = {}
    for call, output in done:
        if call.name == "get_weather":
            value = parse_output(output)
            value = value.get("temperature") if isinstance(value, dict) else None
            number = re.match(r"-?\d{1,4}(?:\.\d{1,4})?", str(value))
            temperatures[str(call.arguments.get("city"))] = float(number[0]) if number else None
    return temperatures


def _choose_city(temperatures: Mapping[str, float | None], warmer: bool) -> tuple[str, str]:
    """Return the chosen city and the key of the sentence with the reason."""
    known = {city: degrees for city, degrees in temperatures.items() if degrees is not None}
    all_equal = len(known) > 1 and len(set(known.values())) == 1
    if not known or len(known) < len(temperatures) or all_equal:
        return next(iter(temperatures), ""), "unclear"
    best = (max if warmer else min)(known, key=lambda city: known[city])
    return best, "warmer" if warmer else "colder"


def _small_talk(message: str, functions: Mapping[str, Function], language: str) -> str:
    """Return an answer to a message that needs no function, with examples of what to ask."""
    sentences = phrases.SENTENCES[language]
    topics = (topic for topic, pattern in vocabulary.SMALL_TALK.items() if pattern.search(message))
    topic = next(topics, "else")
    if topic == "thanks":
        return sentences[topic]
    if not functions:
        return f"{sentences[topic]}\n\n{sentences['nothing']}"
    examples = [text for names, text in phrases.EXAMPLES[language] if names <= functions.keys()]
    examples = examples or [function.example() for function in functions.values()]
    lines = "\n".join(f"- `{text}`" for text in examples[:2])
    listed = phrases.list_functions(functions, language)
    return f"{sentences[topic]}\n\n{listed}\n\n{sentences['try']}\n\n{lines}"
