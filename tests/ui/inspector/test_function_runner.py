"""The function runner: the arguments of its form, and the result that a model would get."""

import json
import re
import time
from datetime import date, datetime
from datetime import time as time_of_day
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from streamlit.testing.v1 import AppTest

from assistant import Tool, Toolbox, ToolError, functions, tool
from assistant.tools.results import MAX_OUTPUT_CHARS
from assistant.ui import keys
from assistant.ui.inspector.function_runner import RunnerState
from tests.conftest import add


class Guest(BaseModel):
    name: str
    age: int = 30


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def draw(toolbox: "Toolbox", time_limit: float) -> None:
    from assistant.ui.inspector.function_runner import draw_function_runner

    draw_function_runner(toolbox, time_limit)


def open_runner(*tools: Tool[..., Any], time_limit: float = 30.0) -> AppTest:
    return run(AppTest.from_function(draw, default_timeout=20, args=(Toolbox(*tools), time_limit)))


def run(changed: Any) -> AppTest:
    """Runs the page, or the page that this element is on."""
    runner: AppTest = changed.run()
    assert not runner.exception
    return runner


def result(runner: AppTest) -> list[str]:
    """Press Run, and return the outcome without its time, and the texts below it."""
    run(runner.button(key="runner_run").click())
    outcomes = [each.value for each in runner.markdown if each.value.startswith((":green", ":red"))]
    texts = [each.value for each in runner.code if each.language != "json"]
    return [*(re.sub(r"^.*\] |( in| after)? [\d.]+ m?s.*| · .*", "", each) for each in outcomes), *texts]


def arguments_of(runner: AppTest) -> Any:
    state = runner.session_state[keys.PAGE].states[RunnerState]
    return json.loads(state.arguments[runner.selectbox(key="runner_function").value])


@tool
def everything(
    text: str,
    whole: int,
    number: float,
    yes: bool,
    colour: Colour,
    day: date,
    moment: datetime,
    guest: Guest,
    guests: list[Guest],
    words: list[str],
    sizes: list[int],
    colours: list[Colour],
    either: int | str,
    stars: Annotated[int, Field(ge=2, le=5)],
) -> str:
    """Take one of each."""
    return f"{text!r} {whole} {number} {yes} {colour.name} {day} {words} {sizes} {colours} {guest} {stars}"


@tool
def nothing_given(
    text: str = "t",
    whole: int | None = 7,
    number: float = 0.5,
    yes: bool = True,
    colour: Literal["red", "blue"] = "blue",
    day: date | None = None,
    guest: Guest | None = None,
    words: list[str] | None = None,
    sizes: dict[str, int] | None = None,
) -> dict[str, Any]:
    """Take what there is."""
    return {"text": text, "whole": whole, "yes": yes, "colour": colour, "words": words, "sizes": sizes}


@tool
def grumble(how: str) -> str:
    """Go wrong.

    Args:
        how: In which way.
    """
    if how == "refused":
        raise ToolError("There is no such city.")
    if how == "broken":
        raise RuntimeError("the password is canary")
    if how == "slow":
        time.sleep(30)
    return "x" * (MAX_OUTPUT_CHARS + 1)


@tool(approval=True)
def buy(what: list[dict[str, int]]) -> str:
    """Buy *it*."""
    return "bought"


NO_NUMBER = "a: Input should be a valid integer, unable to parse string as an integer."


# --- running ----------------------------------------------------------------------------------------


def test_a_function_runs_with_the_arguments_of_the_form_and_shows_what_a_model_gets() -> None:
    runner = open_runner(add)
    runner.number_input(key="runner_add_a").set_value(20)
    runner.number_input(key="runner_add_b").set_value(3)
    assert result(runner) == ["Returned", "23"]
    assert arguments_of(runner) == {"a": 20, "b": 3}
    assert "Result sent to the model · 2 characters" in [e.value for e in runner.caption]


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("refused", ["Failed", '{"error": "There is no such city."}']),
        (
            "broken",
            [
                "Failed",
                '{"error": "The function \'grumble\' failed. '
                'It may work with other arguments, or not at all."}',
                "RuntimeError: the password is canary",
            ],
        ),
        ("slow", ["Timed out", '{"error": "The function did not return within 0.2 seconds."}']),
        (
            "long",
            ["Returned", "x" * 40_000 + "\n[truncated: the first 40,000 of 40,001 characters]", "x" * 20_000],
        ),
    ],
)
def test_a_failure_is_shown_as_the_model_gets_it_and_with_details_for_the_user(
    how: str, shown: list[str]
) -> None:
    runner = open_runner(grumble, time_limit=0.2)
    runner.text_input(key="runner_grumble_how").set_value(how)
    assert result(runner) == shown


def test_invalid_arguments_can_be_entered_as_json() -> None:
    runner = open_runner(add)
    runner.number_input(key="runner_add_a").set_value(4)
    run(runner)
    run(runner.toggle(key="runner_as_json").set_value(True))
    written = runner.text_area(key="runner_json_add")
    assert written.value == '{"a": 4, "b": 0}'
    for arguments, error in [
        ("{", "The arguments are not valid JSON: EOF while parsing an object at line 1 column 1."),
        ("[]", "The arguments do not match the function's parameters. arguments: Input should be an object."),
        ('{"a": "x", "b": 1}', "The arguments do not match the function's parameters. " + NO_NUMBER),
    ]:
        runner.text_area(key="runner_json_add").set_value(arguments)
        assert result(runner) == ["Invalid arguments, not run", json.dumps({"error": error})]
    runner.text_area(key="runner_json_add").set_value('{"a": 1, "b": 2}')
    assert result(runner) == ["Returned", "3"]


def test_a_function_that_needs_approval_runs_at_once_and_the_runner_says_so() -> None:
    runner = open_runner(buy)
    notice = "A model's calls of this function need approval. Here it runs at once."
    assert notice in [each.value for each in runner.caption]
    runner.text_area(key="runner_buy_what").set_value('[{"milk": 2}]')
    assert result(runner) == ["Returned", "bought"]


def test_the_result_belongs_to_the_selected_function() -> None:
    runner = open_runner(add, grumble)
    assert result(runner) == ["Returned", "0"]
    run(runner.selectbox(key="runner_function").set_value("grumble"))
    assert [each.language for each in runner.code] == ["json"]
    run(runner.selectbox(key="runner_function").set_value("add"))
    assert [each.value for each in runner.code if each.language != "json"] == ["0"]


# --- the form ---------------------------------------------------------------------------------------


def test_every_type_has_an_input() -> None:
    runner = open_runner(everything)
    runner.text_input(key="runner_everything_text").set_value("京都 '")
    runner.number_input(key="runner_everything_whole").set_value(-5)
    runner.number_input(key="runner_everything_number").set_value(1.5)
    runner.checkbox(key="runner_everything_yes").set_value(True)
    runner.selectbox(key="runner_everything_colour").set_value("blue")
    runner.date_input(key="runner_everything_day").set_value(date(2026, 12, 24))
    runner.datetime_input(key="runner_everything_moment").set_value(datetime(2026, 12, 24, 18, 30))
    runner.text_area(key="runner_everything_words").set_value("one\n\n two ")
    runner.text_area(key="runner_everything_sizes").set_value("1\n2")
    runner.multiselect(key="runner_everything_colours").set_value(["red"])
    assert runner.text_area(key="runner_everything_guest").value == '{\n  "name": "",\n  "age": null\n}'
    runner.text_area(key="runner_everything_guests").set_value('[{"name": "B", "age": null}]')
    runner.text_area(key="runner_everything_either").set_value('"7"')
    shown = result(runner)
    assert arguments_of(runner) == {
        "text": "京都 '",
        "whole": -5,
        "number": 1.5,
        "yes": True,
        "colour": "blue",
        "day": "2026-12-24",
        "moment": "2026-12-24T18:30:00",
        "guest": {"name": "", "age": None},
        "guests": [{"name": "B", "age": None}],
        "words": ["one", "two"],
        "sizes": [1, 2],
        "colours": ["red"],
        "either": "7",
        "stars": 2,
    }
    assert shown == [
        "Returned",
        "\"京都 '\" -5 1.5 True BLUE 2026-12-24 ['one', 'two'] [1, 2] [<Colour.RED: 'red'>] name='' age=30 2",
    ]


def test_an_empty_input_leaves_an_argument_out_as_a_model_does() -> None:
    runner = open_runner(nothing_given)
    assert result(runner) == [
        "Returned",
        '{"text":"t","whole":7,"yes":true,"colour":"blue","words":null,"sizes":null}',
    ]
    assert arguments_of(runner) == {}
    runner.selectbox(key="runner_nothing_given_yes").set_value(False)
    runner.text_area(key="runner_nothing_given_sizes").set_value('{"a": 1}')
    assert json.loads(result(runner)[1]) | {"sizes": {"a": 1}, "yes": False} == json.loads(result(runner)[1])


def test_unusual_parameters_have_an_input() -> None:
    class Tree(BaseModel):
        children: list["Tree"]
        twin: "Tree | None" = None

    def odd(
        tree: Tree,
        anything: Any,
        pair: tuple[int, str],
        table: dict[str, list[int]],
        cold: Annotated[float, Field(lt=-10.5)],
        huge: Annotated[int, Field(ge=10**30)],
        one: Literal["only"],
        mixed: Literal[1, "a", True] | None,
        when: time_of_day | None = None,
        flags: list[bool] | None = None,
    ) -> str:
        return f"{cold} {one} {mixed} {when} {flags}"

    Tree.model_rebuild(_types_namespace={"Tree": Tree})
    runner = open_runner(tool(odd))
    assert runner.button(key="runner_run").disabled is False
    assert arguments_of(runner) == {
        "tree": {"children": [], "twin": None},
        "anything": None,
        "pair": [],
        "table": {},
        "cold": -10.5,
        "huge": 0,
        "one": "only",
        "mixed": None,
    }


def test_an_invalid_value_is_reported_and_cannot_be_run() -> None:
    runner = open_runner(everything)
    runner.text_area(key="runner_everything_sizes").set_value("1\n2.5")
    runner.text_area(key="runner_everything_guest").set_value("{")
    run(runner)
    assert [each.value.replace("\\", "") for each in runner.error] == [
        "guest: not valid JSON. Expecting property name enclosed in double quotes: line 1 column 2 (char 1).",
        "sizes: '2.5' is not a whole number.",
    ]
    assert runner.button(key="runner_run").disabled


@pytest.mark.parametrize("name", list(Toolbox.from_package(functions)))
def test_every_example_function_has_a_valid_form(name: str) -> None:
    runner = open_runner(*Toolbox.from_package(functions).values())
    run(runner.selectbox(key="runner_function").set_value(name))
    assert not runner.error
    assert not runner.button(key="runner_run").disabled


# --- schemas and warnings -------------------------------------------------------------------


def test_the_schema_is_shown_as_it_is_sent_with_its_size() -> None:
    runner = open_runner(add)
    [schema] = [each.value for each in runner.code if each.language == "json"]
    assert json.loads(schema) == add.as_param()
    assert runner.caption[-1].value == ("Adds about 77 tokens per request (77 for all 1)")


def test_warnings_are_shown_with_the_function_and_counted_in_the_list() -> None:
    runner = open_runner(add, buy)
    assert runner.selectbox(key="runner_function").options == ["add", "buy · 2 warnings"]
    assert not [each for each in runner.markdown if "lightbulb" in each.value]
    run(runner.selectbox(key="runner_function").set_value("buy"))
    assert [each.value.replace("\\", "") for each in runner.markdown] == [
        "Buy *it*.",
        ":orange[:material/lightbulb:] :small[No description: what. "
        "Add a line per parameter under Args: in the docstring.]",
        ":orange[:material/lightbulb:] :small[Not strict: what is a dictionary with arbitrary "
        "keys. Use a class with a field for each key.]",
    ]


def test_without_functions_the_runner_says_where_to_add_them() -> None:
    [notice] = open_runner().info
    assert notice.value == "No functions yet. Add one to a file in assistant/functions and reload the page."
