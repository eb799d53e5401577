"""Programs that call functions, and searches for functions: what a server does between the model's messages.

The demo runs no program. It always shows the one that compares hotels, makes the calls that the program would make,
and computes its result here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from assistant.demo.items import Json, item_text, new_call, new_id, new_item, new_text
from assistant.demo.replies import phrases, vocabulary
from assistant.demo.replies.calls import MAX_CALLS
from assistant.demo.replies.markdown import cell
from assistant.demo.replies.summaries import parse_output

FUNCTION = "find_hotels"
"""The function that the program calls."""

DEFAULT_CITIES = ("Kyoto", "Lisbon", "Oslo")

CODE = """\
const cities = {cities};
const found = await Promise.all(cities.map((city) => tools.find_hotels({{ city }})));
const cheapest = found
  .filter((hotels) => hotels.length)
  .map((hotels) => hotels[0])
  .sort((a, b) => a.price_per_night_eur - b.price_per_night_eur);
text(JSON.stringify(cheapest));
"""


def flatten_tools(tools: Sequence[Json]) -> list[Json]:
    """Return the tools with those of namespaces one by one; each of these has the key ``namespace``."""
    flat: list[Json] = []
    for tool in tools:
        if tool.get("type") == "namespace":
            flat += [each | {"namespace": tool["name"]} for each in tool["tools"]]
        else:
            flat.append(tool)
    return flat


# --- a program --------------------------------------------------------------------------------------


def program_items(question: str, since: Sequence[Json], tools: Sequence[Json]) -> list[Json]:
    """Return the items of a program's next step; [] if the question asks for none, or there can be none.

    Args:
        question: The user's last message.
        since: The items after it.
        tools: The request's tools, flattened.
    """
    is_available = any(tool.get("type") == "programmatic_tool_calling" for tool in tools)
    function = next((tool for tool in tools if tool.get("name") == FUNCTION), {})
    if not is_available or "programmatic" not in (function.get("allowed_callers") or ()):
        return []
    if not vocabulary.PROGRAM.search(question):
        return []
    program = next((item for item in since if item["type"] == "program"), None)
    if program is None:
        return _start(question, function)
    outputs = {item["call_id"]: item_text(item) for item in since if item["type"] == "function_call_output"}
    calls = [item for item in since if item["type"] == "function_call" and item["call_id"] in outputs]
    return _finish(program, [outputs[call["call_id"]] for call in calls], question)


def _start(question: str, function: Json) -> list[Json]:
    names = [name.title() for name, _ in vocabulary.KNOWN_CITY.findall(question) if name]
    names += [vocabulary.ENGLISH_NAMES[name] for _, name in vocabulary.KNOWN_CITY.findall(question) if name]
    cities = list(dict.fromkeys(names))[:MAX_CALLS] or list(DEFAULT_CITIES)
    call_id, code = new_id("call"), CODE.format(cities=json.dumps(cities))
    items = [new_item("program", call_id=call_id, code=code, fingerprint=new_id("fp"))]
    nullable = [name for name in (function["parameters"] or {}).get("properties", {}) if name != "city"]
    for city in cities:
        arguments = {"city": city} | (dict.fromkeys(nullable) if function.get("strict") else {})
        call = new_call("function_call", FUNCTION, json.dumps(arguments))
        items.append(call | {"caller": {"type": "program", "caller_id": call_id}})
    return items


def _finish(program: Json, outputs: Sequence[str], question: str) -> list[Json]:
    language = vocabulary.language_of(question)
    sentences = phrases.SENTENCES[language]
    found = [value for value in map(parse_output, outputs) if isinstance(value, list) and value]
    cheapest = [row[0] for row in found if isinstance(row[0], dict) and "price_per_night_eur" in row[0]]
    cheapest.sort(key=lambda row: row["price_per_night_eur"])
    result = json.dumps(cheapest, ensure_ascii=False)
    ended = new_item("program_output", call_id=program["call_id"], result=result, status="completed")
    text = sentences["no program result"]
    if cheapest and {"name", "city"} <= cheapest[0].keys():
        price = f"€{cheapest[0]['price_per_night_eur']}"
        city = phrases.localize_city(language, cheapest[0]["city"])
        hotel = cell(cheapest[0]["name"])
        text = sentences["program"].format(count=len(outputs), hotel=hotel, city=city, price=price)
    return [ended, new_text(text)]


# --- a search for functions -------------------------------------------------------------------------


def search_items(question: str, tools: Sequence[Json]) -> list[Json]:
    """Return the items of a search for a function that the user asks for; [] if there is none."""
    found = vocabulary.FIND_FUNCTION.search(question)
    if not found or not any(tool.get("type") == "tool_search" for tool in tools):
        return []
    topic = next(group for group in found.groups() if group).strip()[:60]
    words = re.findall(r"\w{3,}", topic.casefold())
    matching = [
        tool
        for tool in tools
        if tool.get("defer_loading")
        and any(word in f"{tool['name']} {tool.get('description')}".casefold() for word in words)
    ]
    sentences = phrases.SENTENCES[vocabulary.language_of(question)]
    names = ", ".join(f"`{tool['name']}`" for tool in matching)
    text = sentences["functions"].format(names=names) if matching else sentences["no function"]
    return [*_search({"query": topic}, matching), new_text(text)]


def loading_items(names: Sequence[str], tools: Sequence[Json], items: Sequence[Json]) -> list[Json]:
    """Return the items of the searches that load these functions, as far as they are not loaded yet."""
    loaded = {
        tool.get("name")
        for item in items
        if item["type"] == "tool_search_output"
        for tool in flatten_tools(item["tools"])
    }
    needed = [
        tool
        for tool in tools
        if tool.get("name") in names and tool.get("defer_loading") and tool["name"] not in loaded
    ]
    paths = [tool.get("namespace") or tool["name"] for tool in needed]
    return _search({"paths": list(dict.fromkeys(paths))}, needed) if needed else []


def _search(arguments: Mapping[str, Any], found: Sequence[Json]) -> list[Json]:
    common: Json = {"execution": "server", "call_id": None, "status": "completed"}
    loaded: list[Json] = []
    for tool in found:
        namespace = tool.get("namespace")
        function = {key: value for key, value in tool.items() if key != "namespace"}
        if namespace:
            function = {"type": "namespace", "name": namespace, "description": namespace, "tools": [function]}
        loaded.append(function)
    return [
        new_item("tool_search_call", **common, arguments=dict(arguments)),
        new_item("tool_search_output", **common, tools=loaded),
    ]
