"""The function bench, run in process: what a form sends, and what a model would get."""

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
from assistant.tools.lint import function_param
from assistant.tools.results import MAX_OUTPUT_CHARS
from tests.conftest import add


class Guest(BaseModel):
    name: str
    age: int = 30


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


def draw(toolbox: "Toolbox", time_limit: float) -> None:
    from assistant.ui.sandbox.function_runner import draw_workbench

    draw_workbench(toolbox, time_limit)


def open_bench(*tools: Tool[..., Any], time_limit: float = 30.0) -> AppTest:
    return run(AppTest.from_function(draw, default_timeout=20, args=(Toolbox(*tools), time_limit)))


def run(changed: Any) -> AppTest:
    """Runs the page, or the page that this element is on."""
    bench: AppTest = changed.run()
    assert not bench.exception
    return bench


def result(bench: AppTest) -> list[str]:
    """What the bench shows after Run was pressed: the outcome without its time, and the texts."""
    run(bench.button(key="bench_run").click())
    said = [each.value for each in bench.markdown if each.value.startswith((":green", ":red"))]
    texts = [each.value for each in bench.code if each.language != "json"]
    return [*(re.sub(r"^.*\] |, after .*", "", each) for each in said), *texts]


def arguments_of(bench: AppTest) -> Any:
    return json.loads(bench.session_state[f"bench_written_{bench.selectbox(key='bench_function').value}"])


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
    if how == "told":
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


def test_a_function_is_run_with_the_arguments_of_the_form_and_shows_what_a_model_gets() -> None:
    bench = open_bench(add)
    bench.number_input(key="bench_add_a").set_value(20)
    bench.number_input(key="bench_add_b").set_value(3)
    assert result(bench) == ["It gave its result", "23"]
    assert arguments_of(bench) == {"a": 20, "b": 3}
    assert "What the model gets: 2 characters, about 1 tokens (estimated)" in [e.value for e in bench.caption]


@pytest.mark.parametrize(
    ("how", "shown"),
    [
        ("told", ["It failed", '{"error": "There is no such city."}']),
        (
            "broken",
            [
                "It failed",
                '{"error": "The function \'grumble\' failed. '
                'It may work with other arguments, or not at all."}',
                "RuntimeError: the password is canary",
            ],
        ),
        (
            "slow",
            [
                "It took too long and was left behind",
                '{"error": "The function did not return within 0.2 seconds."}',
            ],
        ),
        (
            "long",
            [
                "It gave its result",
                "x" * 40_000 + "\n[truncated: the first 40,000 of 40,001 characters]",
                "x" * 20_000,
            ],
        ),
    ],
)
def test_what_goes_wrong_is_shown_as_a_model_gets_it_and_as_a_person_does(how: str, shown: list[str]) -> None:
    bench = open_bench(grumble, time_limit=0.2)
    bench.text_input(key="bench_grumble_how").set_value(how)
    assert result(bench) == shown


def test_bad_arguments_can_be_tried_as_json() -> None:
    bench = open_bench(add)
    bench.number_input(key="bench_add_a").set_value(4)
    run(bench)
    run(bench.toggle(key="bench_raw").set_value(True))
    written = bench.text_area(key="bench_json_add")
    assert written.value == '{"a": 4, "b": 0}'
    for arguments, error in [
        ("{", "The arguments are not valid JSON: EOF while parsing an object at line 1 column 1."),
        ("[]", "The arguments do not match the function's parameters. arguments: Input should be an object."),
        ('{"a": "x", "b": 1}', "The arguments do not match the function's parameters. " + NO_NUMBER),
    ]:
        bench.text_area(key="bench_json_add").set_value(arguments)
        assert result(bench) == [
            "It does not take these arguments, and was not run",
            json.dumps({"error": error}),
        ]
    bench.text_area(key="bench_json_add").set_value('{"a": 1, "b": 2}')
    assert result(bench) == ["It gave its result", "3"]


def test_a_function_that_waits_for_approval_is_run_at_once_and_the_bench_says_so() -> None:
    bench = open_bench(buy)
    said = "A model's call of it waits for a person's approval. From here it is run at once."
    assert said in [each.value for each in bench.caption]
    bench.text_area(key="bench_buy_what").set_value('[{"milk": 2}]')
    assert result(bench) == ["It gave its result", "bought"]


def test_the_result_is_that_of_the_function_that_is_chosen() -> None:
    bench = open_bench(add, grumble)
    assert result(bench) == ["It gave its result", "0"]
    run(bench.selectbox(key="bench_function").set_value("grumble"))
    assert [each.language for each in bench.code] == ["json"]
    run(bench.selectbox(key="bench_function").set_value("add"))
    assert [each.value for each in bench.code if each.language != "json"] == ["0"]


# --- the form ---------------------------------------------------------------------------------------


def test_there_is_an_input_for_every_type() -> None:
    bench = open_bench(everything)
    bench.text_input(key="bench_everything_text").set_value("京都 '")
    bench.number_input(key="bench_everything_whole").set_value(-5)
    bench.number_input(key="bench_everything_number").set_value(1.5)
    bench.checkbox(key="bench_everything_yes").set_value(True)
    bench.selectbox(key="bench_everything_colour").set_value("blue")
    bench.date_input(key="bench_everything_day").set_value(date(2026, 12, 24))
    bench.datetime_input(key="bench_everything_moment").set_value(datetime(2026, 12, 24, 18, 30))
    bench.text_area(key="bench_everything_words").set_value("one\n\n two ")
    bench.text_area(key="bench_everything_sizes").set_value("1\n2")
    bench.multiselect(key="bench_everything_colours").set_value(["red"])
    assert bench.text_area(key="bench_everything_guest").value == '{\n  "name": "",\n  "age": null\n}'
    bench.text_area(key="bench_everything_guests").set_value('[{"name": "B", "age": null}]')
    bench.text_area(key="bench_everything_either").set_value('"7"')
    shown = result(bench)
    assert arguments_of(bench) == {
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
        "It gave its result",
        "\"京都 '\" -5 1.5 True BLUE 2026-12-24 ['one', 'two'] [1, 2] [<Colour.RED: 'red'>] name='' age=30 2",
    ]


def test_an_empty_input_leaves_an_argument_out_as_a_model_does() -> None:
    bench = open_bench(nothing_given)
    assert result(bench) == [
        "It gave its result",
        '{"text":"t","whole":7,"yes":true,"colour":"blue","words":null,"sizes":null}',
    ]
    assert arguments_of(bench) == {}
    bench.selectbox(key="bench_nothing_given_yes").set_value(False)
    bench.text_area(key="bench_nothing_given_sizes").set_value('{"a": 1}')
    assert json.loads(result(bench)[1]) | {"sizes": {"a": 1}, "yes": False} == json.loads(result(bench)[1])


def test_odd_parameters_have_an_input_as_well() -> None:
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
    bench = open_bench(tool(odd))
    assert bench.button(key="bench_run").disabled is False
    assert arguments_of(bench) == {
        "tree": {"children": [], "twin": None},
        "anything": None,
        "pair": [],
        "table": {},
        "cold": -10.5,
        "huge": 0,
        "one": "only",
        "mixed": None,
    }


def test_what_is_no_value_is_said_and_is_not_run() -> None:
    bench = open_bench(everything)
    bench.text_area(key="bench_everything_sizes").set_value("1\n2.5")
    bench.text_area(key="bench_everything_guest").set_value("{")
    run(bench)
    assert [each.value.replace("\\", "") for each in bench.error] == [
        "guest: this is not JSON. "
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1).",
        "sizes: '2.5' is not a whole number.",
    ]
    assert bench.button(key="bench_run").disabled


@pytest.mark.parametrize("name", list(Toolbox.from_package(functions)))
def test_the_example_functions_have_forms_that_can_be_filled_in(name: str) -> None:
    bench = open_bench(*Toolbox.from_package(functions).values())
    run(bench.selectbox(key="bench_function").set_value(name))
    assert not bench.error
    assert not bench.button(key="bench_run").disabled


# --- what is said about functions -------------------------------------------------------------------


def test_the_schema_is_shown_as_it_is_sent_with_its_size() -> None:
    bench = open_bench(add)
    [schema] = [each.value for each in bench.code if each.language == "json"]
    assert json.loads(schema) == function_param(add)
    assert bench.caption[-1].value == (
        "Every request spends about 77 tokens on this function, and about 77 on all 1 (estimated)."
    )


def test_remarks_are_shown_with_the_function_and_their_number_in_the_list() -> None:
    bench = open_bench(add, buy)
    assert bench.selectbox(key="bench_function").options == ["add", "buy · 2 remarks"]
    assert not [each for each in bench.markdown if "lightbulb" in each.value]
    run(bench.selectbox(key="bench_function").set_value("buy"))
    assert [each.value.replace("\\", "") for each in bench.markdown] == [
        "Buy *it*.",
        ":orange[:material/lightbulb:] :small[No description: what. "
        "Add a line per parameter under Args: in the docstring.]",
        ":orange[:material/lightbulb:] :small[Not strict: what is a dictionary with arbitrary "
        "keys. Use a class with a field for each key.]",
    ]


def test_without_functions_the_bench_says_where_they_go() -> None:
    [said] = open_bench().info
    assert (
        said.value
        == "There are no functions. Put one into a file in assistant/functions, and reload the page."
    )
