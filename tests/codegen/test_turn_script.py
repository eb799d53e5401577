"""The script of a turn runs as it is, in a process without this project."""

import ast
import asyncio
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from assistant import Tool, Toolbox, ToolError, functions, tool
from assistant.codegen.curl import curl_command
from assistant.codegen.script import turn_script
from assistant.settings import Settings
from tests.codegen.conftest import HOSTILE, run_script
from tests.conftest import add
from tests.servers.responses import ModelServer, call, calls, refusal, text

# --- functions, with all that they may need of their module -------------------------------------------

DAY: timedelta = timedelta(days=1)
Nights = Annotated[int, Field(ge=1)]
first, (second, *others) = 1, (2, 3)
count = 0
count += 1


class Guest(BaseModel):
    name: str
    born: date | None = None


@cache
def _leap(day: date) -> date:
    return day + second * DAY  # a comment stays


@tool
def leave(arrival: date, nights: Nights = 1, guests: "list[Guest] | None" = None) -> dict[str, Any]:
    """Tell the day of departure.

    Args:
        arrival: The day of arrival.
        nights: For how long.
        guests: Who comes.
    """
    if nights > 100:
        raise ToolError("Nobody stays for so long.")
    return {"day": _leap(arrival) + (nights - 2) * DAY, "guests": guests}


@tool(timeout=5)
async def wait(seconds: float = 0.0) -> str:
    """Wait, and say so."""
    await asyncio.sleep(seconds)
    return "waited: 京都"


@tool
def repeat(word: str | None, times: int = 2) -> str:
    """Tell what came."""
    return f"{word!r} {times}"


@tool
def counted() -> int:
    """Count."""
    return count


@tool
def served() -> str:
    """Use a name of another file."""
    return ModelServer.__name__


@tool
def inside() -> str:
    """Import another file when it runs."""
    from assistant.settings import OPENAI_URL

    return OPENAI_URL


@tool
def here() -> str:
    """Use its own file."""
    return __file__


@tool
def print() -> str:
    """Have the name of a builtin that the script uses."""
    return "printed"


def _dynamic_tool() -> Tool[..., Any]:
    @tool
    def inner() -> int:
        """Stand within another function."""
        return 1

    return inner


Script = Callable[..., tuple[str, str]]


@pytest.fixture
def run(model: ModelServer, protocol: str, tmp_path: Path) -> Script:
    """Run the script for these functions outside the project; return its standard output and error."""

    def ran(*tools: Tool[..., Any], prompt: str = "Go", **settings: Any) -> tuple[str, str]:
        chosen = Settings(model="test-model", instructions="Be brief.")
        chosen = replace(chosen, protocol=protocol)  # type: ignore[arg-type]
        return run_script(turn_script(chosen, Toolbox(*tools), prompt), model, tmp_path)

    return ran


def outputs(model: ModelServer) -> list[Any]:
    """Return the outputs of the functions in the last request."""
    request = model.requests[-1]
    items = [
        each.get("output") for each in request.get("input", []) if each.get("type") == "function_call_output"
    ]
    return items or [each["content"] for each in request.get("messages", []) if each["role"] == "tool"]


# --- the script ---------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_a_turn_without_functions_sends_one_request(run: Script, model: ModelServer, protocol: str) -> None:
    model.plays(text("京都 is in Japan."))
    assert run(prompt="Where is 京都?\n'''") == ("京都 is in Japan.\n", "")
    question = {"role": "user", "content": "Where is 京都?\n'''"}
    if protocol == "chat":
        messages = [{"role": "system", "content": "Be brief."}, question]
        assert model.requests == [{"model": "test-model", "messages": messages, "stream": True}]
    else:
        request = {"model": "test-model", "instructions": "Be brief.", "input": [question], "stream": True}
        assert model.requests == [request]


@pytest.mark.exhaustive
def test_single_parallel_and_chained_calls_run(run: Script, model: ModelServer, protocol: str) -> None:
    model.plays(
        calls(call("add", a=1, b=2)),
        calls(*text("So far.").items, call("add", a=3, b=4), call("add", a=5, b=6)),
        text("That is all."),
    )
    assert run(add) == (
        '[add({"a": 1, "b": 2}) -> 3]\n'
        "So far.\n"
        '[add({"a": 3, "b": 4}) -> 7]\n'
        '[add({"a": 5, "b": 6}) -> 11]\n'
        "That is all.\n",
        "",
    )
    assert outputs(model) == ["3", "7", "11"]
    assert model.refused == []
    [definition] = model.requests[0]["tools"]
    if protocol == "chat":
        function = {name: getattr(add, name) for name in ("name", "description", "parameters")}
        assert definition == {"type": "function", "function": function}
    else:
        parts = {name: getattr(add, name) for name in ("name", "description", "parameters", "strict")}
        assert definition == {"type": "function", **parts}


@pytest.mark.exhaustive
def test_functions_are_copied_with_everything_they_use(run: Script, model: ModelServer) -> None:
    model.plays(
        calls(
            call("leave", arrival="2026-12-30", nights=3, guests=[{"name": "Ōe", "born": "1990-01-02"}]),
            call("leave", arrival="2026-12-30", nights=None, guests=None),
            call("leave", arrival="2026-12-30", nights=101, guests=None),
            call("wait", seconds=0.01),
            call("repeat", word=None, times=None),
            call("repeat", word="x", times=1),
        ),
        text("Done."),
    )
    printed, errors = run(leave, wait, repeat)
    assert (printed.splitlines()[-1], errors) == ("Done.", "")
    assert outputs(model) == [
        '{"day":"2027-01-02","guests":[{"name":"Ōe","born":"1990-01-02"}]}',
        '{"day":"2026-12-31","guests":null}',
        '{"error": "ToolError: Nobody stays for so long."}',
        "waited: 京都",
        "None 2",
        "'x' 1",
    ]


@pytest.mark.exhaustive
def test_every_failure_of_a_call_reaches_the_model(run: Script, model: ModelServer) -> None:
    model.plays(
        calls(call("add", "{"), call("add", "[]"), call("nowhere"), call("add", a="x", b=1), call("served")),
        text("Sorry."),
    )
    _, errors = run(add, served)
    assert errors == ""
    broken, wrong, unknown, unfit, missing = [json.loads(each)["error"] for each in outputs(model)]
    assert broken.startswith("JSONDecodeError: ")
    assert wrong == "AttributeError: 'list' object has no attribute 'items'"
    assert unknown == "KeyError: 'nowhere'"
    assert unfit.startswith("ValidationError: 1 validation error for add")
    assert missing == "NotImplementedError: served is not included in this script"


@pytest.mark.exhaustive
def test_an_answer_that_ends_early_is_reported_and_runs_nothing(run: Script, model: ModelServer) -> None:
    limit = {"incomplete_details": {"reason": "max_output_tokens"}}
    for play in (
        text("So", ending="incomplete", details=limit),
        calls(call("add", a=1, b=2), ending="incomplete", details=limit),
        calls(call("add", a=1, b=2), ending=""),
    ):
        model.plays(play)
        printed, errors = run(add)
        assert (printed in ("", "So\n"), errors.startswith("The answer ")) == (True, True), errors
        assert not re.search("Traceback|->", printed + errors)


@pytest.mark.exhaustive
def test_the_number_of_rounds_is_limited(run: Script, model: ModelServer) -> None:
    model.plays(*(calls(call("add", a=1, b=2)) for _ in range(10)))
    printed, errors = run(add)
    assert printed.count("-> 3]") == 10
    assert errors == "The model keeps calling functions.\n"


@pytest.mark.exhaustive
def test_a_refusal_is_printed(run: Script, model: ModelServer) -> None:
    model.plays(refusal("I will not."))
    assert run(add) == ("I will not.\n", "")
    model.plays(refusal("I will not."))
    assert run() == ("I will not.\n", "")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (counted, "it needs count, which several statements of its module change"),
        (served, "it needs tests.servers.responses of this project"),
        (inside, "it needs assistant.settings of this project"),
        (here, "it needs __file__, which no statement of its module defines"),
        (print, "the name print has another meaning in this script"),
        (_dynamic_tool(), "it is not a plain function at the top level of a module"),
        (tool(os.getcwd), "its source is not available"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_function_that_is_not_self_contained_becomes_a_stub_with_the_reason(
    function: Tool[..., Any], reason: str
) -> None:
    script = turn_script(Settings(), Toolbox(add, function), "Go")
    ast.parse(script)
    assert f"    # The source of {function.name} is not included: {reason}.\n" in script
    assert f'    raise NotImplementedError("{function.name} is not included in this script")\n' in script
    assert "def add(a: int, b: int) -> int:" in script


def test_self_contained_example_functions_are_copied() -> None:
    script = turn_script(Settings(), Toolbox.from_package(functions), "Go")
    compile(script, "turn.py", "exec")
    stubs = re.findall(r"# The source of (\w+) is not", script)
    hotels = ["find_hotels", "book_hotel", "hotel_prices"]
    assert stubs == ["find_events", "search_fares", *hotels, "query_trips", "get_weather", "get_forecast"]


@pytest.mark.parametrize("tools", [(), (add,)], ids=["text", "functions"])
def test_settings_and_prompt_are_only_literals_in_the_script(
    tools: tuple[Tool[..., Any], ...], protocol: str
) -> None:
    def written(words: str) -> str:
        settings = Settings(model=words, instructions=words, protocol=protocol)  # type: ignore[arg-type]
        return turn_script(settings, Toolbox(*tools), words)

    def without_literals(script: str) -> str:
        tree = ast.parse(script)
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                node.value = ast.Constant(None)
        return ast.dump(tree)

    script = written(HOSTILE)
    assert without_literals(script) == without_literals(written("x"))
    assert script.encode().decode() == script
    assert not re.search("[\x00\x1b\u202e]", script)


@pytest.mark.parametrize(
    ("settings", "client"),
    [
        (Settings(), "client = OpenAI()\n"),
        (Settings(api_key="sk-canary"), "client = OpenAI()\n"),
        (
            Settings(base_url="http://localhost:11434/v1"),
            "client = OpenAI(base_url='http://localhost:11434/v1', api_key=\"none\")\n",
        ),
        (
            Settings(api_key="sk-canary", base_url="https://me:canary@host:1/v1/?api-key=canary"),
            "client = OpenAI(base_url='https://host:1/v1')\n",
        ),
    ],
    ids=["demo", "key", "local", "both"],
)
def test_the_script_contains_the_address_but_no_key(settings: Settings, client: str) -> None:
    script = turn_script(settings, Toolbox(add), "Go")
    assert client in script
    assert "canary" not in script + curl_command({}, settings.base_url)
    needs_key = bool(settings.api_key or not settings.base_url)
    assert ("OPENAI_API_KEY" in script) is needs_key


def test_the_reasoning_effort_is_sent_as_the_protocol_defines_it() -> None:
    script = turn_script(Settings(effort="low"), Toolbox(), "Go")
    assert 'input=messages, reasoning={"effort": "low"}, stream=True' in script
    script = turn_script(Settings(effort="low", protocol="chat"), Toolbox(), "Go")
    assert 'messages=messages, reasoning_effort="low", stream=True' in script
