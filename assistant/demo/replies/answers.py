"""The next reply of the demo: calls, or an answer from their outputs.

A reply depends only on the last message, the calls since and the functions of the request. Of the messages before,
the demo recalls the user's name.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistant.demo.replies import phrases, vocabulary
from assistant.demo.replies.calls import CHOSEN, Call, Function, Plan, list_names, plan_written_calls
from assistant.demo.replies.markdown import cell
from assistant.demo.replies.questions import plan_question
from assistant.demo.replies.summaries import CallOutputs, choose_city, parse_output, summarize


@dataclass(frozen=True, slots=True)
class Reply:
    """Text and calls; without calls the text is the final answer."""

    text: str
    calls: tuple[Call, ...] = ()
    background: tuple[Call, ...] = ()
    """Calls before the text, which goes on while they run."""


def next_reply(
    message: str,
    done: CallOutputs,
    tools: Sequence[Mapping[str, Any]],
    earlier: Sequence[str] = (),
    started: Collection[str] = (),
) -> Reply:
    """Return the next round of calls, or the final answer.

    Args:
        message: The user's last message.
        done: The calls since the message that have outputs.
        tools: The request's tools; the demo calls only functions among them.
        earlier: The user's messages before.
        started: The functions that were called in the background since the message.
    """
    language = vocabulary.language_of(message)
    callable_tools = (tool for tool in tools if tool.get("type") in ("function", "custom"))
    functions = {tool["name"]: Function.from_tool(tool) for tool in callable_tools}
    result = plan_written_calls(message, functions) or plan_question(message, functions, language)
    plan = result if isinstance(result, Plan) else Plan()
    slow = [call for step in plan.rounds for call in step if functions[call.name].background]
    if slow and not started:
        return _begin_slow(message, plan, slow, language)
    rounds = [[call for call in step if call not in slow] for step in plan.rounds]
    plan = replace(plan, rounds=rounds)
    calls = _next_calls(plan, done)
    needs_hotel = any(call.arguments.get("hotel_id") == CHOSEN for call in calls)
    if calls and not needs_hotel:
        return Reply("" if done else plan.preface, calls)
    if needs_hotel and (hotel := _cheapest_hotel(done)):
        return _with_hotel(calls, hotel, language)
    if done:
        return Reply(summarize(message, done, plan.warmer))
    if isinstance(result, str):
        return Reply(result)
    if vocabulary.PACK.search(message):
        return Reply(phrases.PACKING_LIST[language].partition("\n\n")[2])
    if vocabulary.ASK_NAME.search(message):
        return Reply(_recall_name(earlier, language))
    return Reply(_small_talk(message, functions, language))


def _begin_slow(message: str, plan: Plan, slow: Sequence[Call], language: str) -> Reply:
    """Return the calls in the background, with the other calls of the first round or what to read meanwhile."""
    others = [call for step in plan.rounds[:1] for call in step if call not in slow]
    wants_list = vocabulary.PACK.search(message)
    text = phrases.PACKING_LIST[language] if wants_list else phrases.SENTENCES[language]["meanwhile"]
    return Reply("" if others else text, tuple(others), tuple(slow))


def _next_calls(plan: Plan, done: CallOutputs) -> tuple[Call, ...]:
    """Return the calls of the first round that is not done, without those that are done."""
    planned = 0
    for step in plan.rounds:
        planned += len(step)
        if len(done) < planned:
            return tuple(_with_city(call, plan, done) for call in step[len(done) - planned :])
    return ()


def _with_city(call: Call, plan: Plan, done: CallOutputs) -> Call:
    """Return the call with the city that the weather decides, if it needs one."""
    if call.arguments.get("city") != CHOSEN:
        return call
    city, _ = choose_city(done, plan.warmer is not False)
    return Call(call.name, call.arguments | {"city": city})


def _with_hotel(calls: Sequence[Call], hotel: Mapping[str, Any], language: str) -> Reply:
    """Return the calls with the hotel that was found, and a sentence about it."""
    text = ""
    if {"name", "price_per_night_eur"} <= hotel.keys():
        price = f"€{hotel['price_per_night_eur']}"
        text = phrases.SENTENCES[language]["choice"].format(name=cell(hotel["name"]), price=price)
    chosen = {"hotel_id": hotel["hotel_id"]}
    return Reply(text, tuple(Call(call.name, call.arguments | chosen) for call in calls))


def _cheapest_hotel(done: CallOutputs) -> Mapping[str, Any] | None:
    """Return the first hotel that was found; the cheapest comes first."""
    found = (parse_output(output) for call, output in done if call.name == "find_hotels")
    hotels = (row for rows in found if isinstance(rows, list) for row in rows)
    return next((row for row in hotels if isinstance(row, dict) and "hotel_id" in row), None)


def _recall_name(earlier: Sequence[str], language: str) -> str:
    """Return the name that the user gave last."""
    beginnings = (message[: vocabulary.MAX_QUESTION_CHARS] for message in earlier)
    names = [found for text in beginnings for found in vocabulary.TELL_NAME.findall(text)]
    if not names:
        return phrases.SENTENCES[language]["no name"]
    return phrases.SENTENCES[language]["name"].format(name="".join(names[-1]))


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
    lines = [f"- {text}" for text in (examples if topic == "help" else examples[:3])]
    function = functions.get("get_weather") or next(iter(functions.values()))
    write = sentences["write"].format(example=function.example(), names=list_names(functions))
    return "\n\n".join([sentences[topic], *([sentences["try"], "\n".join(lines)] if lines else []), write])
