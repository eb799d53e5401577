"""What a model could stumble over in a function is named, and nothing else is."""

from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict

from assistant import Tool, Toolbox, functions, tool
from assistant.tools.lint import Remark, estimate_tokens, estimate_toolbox_tokens, lint
from tests.conftest import add


class Guest(BaseModel):
    name: str
    nights: int = 1


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Party(BaseModel):
    guests: list[Guest]
    extras: dict[str, int]


class Colour(Enum):
    RED = "red"


KEYS = ("is a dictionary whose keys the model chooses", "Write a class with a field for each key.")


def described(hint: Any) -> Tool[..., Any]:
    """A function with one parameter of this type, about which all is said."""

    def find_it(what: Any) -> None:
        """Find it.

        Args:
            what: What to find.
        """

    find_it.__annotations__["what"] = hint
    return tool(find_it)


def test_there_is_nothing_to_say_about_the_example_functions() -> None:
    assert lint(Toolbox.from_package(functions)) == []


@pytest.mark.parametrize("hint", [str, list[Guest], Guest | None, Colour, Literal["a", "b"], int | str])
def test_there_is_nothing_to_say_about_what_strict_mode_has_words_for(hint: Any) -> None:
    assert lint(Toolbox(described(hint))) == []


@pytest.mark.parametrize(
    ("hint", "reason", "remedy"),
    [
        (dict[str, int], *KEYS),
        (list[dict[str, Guest]], *KEYS),
        (Party, *KEYS),
        (Open, "is a class that takes any other fields too", "Forbid them in its configuration."),
        (set[str], "is a set", "Write a list instead."),
        (tuple[int, str], "is a tuple", "Write a list, or a class with a field for each."),
        (AnyUrl, "has the format 'uri'", "Write str, and check it in the function."),
        (Path | None, "has the format 'path'", "Write str, and check it in the function."),
        (Literal[1, "one"], "has values of several types", "Write all of them as texts, or all as numbers."),
        (Any, "has a type that can be nearly anything", "Write a narrower type."),
        (list, "has a type that can be nearly anything", "Write a narrower type."),
    ],
    ids=str,
)
def test_why_a_function_is_not_strict_is_said_by_parameter(hint: Any, reason: str, remedy: str) -> None:
    assert lint(Toolbox(described(hint))) == [Remark("find_it", f"It is not strict: what {reason}.", remedy)]


def test_only_the_parameters_that_are_at_fault_are_named() -> None:
    @tool
    def find_rooms(guests: list[Guest], extras: dict[str, int], place: Open) -> None:
        """Find rooms.

        Args:
            guests: Who comes.
            extras: What else.
            place: Where.
        """

    assert [remark.what for remark in lint(Toolbox(find_rooms))] == [
        "It is not strict: extras is a dictionary whose keys the model chooses.",
        "It is not strict: place is a class that takes any other fields too.",
    ]


def test_missing_descriptions_and_names_that_say_nothing_are_named() -> None:
    @tool
    def do(a: int, b: int, c: int) -> None:
        pass

    @tool
    def x(a: int) -> None:
        """Add one.

        Args:
            a: The number.
        """

    @tool
    def find_it(b: int) -> None:
        """Find it."""

    name = (
        "The name does not say what the function does.",
        "Use a verb and what it is about, such as find_hotels.",
    )
    line = "Add a line for each under Args: in its docstring."
    assert lint(Toolbox(do, x, find_it)) == [
        Remark("do", *name),
        Remark("do", "There is no description.", "Begin its docstring with what it does."),
        Remark("do", "There is no description of a, b and c.", line),
        Remark("x", *name),
        Remark("find_it", "There is no description of b.", line),
    ]


def test_a_description_that_some_servers_refuse_is_named() -> None:
    def told(length: int) -> list[Remark]:
        def find_it() -> None: ...

        find_it.__doc__ = "a" * length
        return lint(Toolbox(tool(find_it)))

    assert told(1024) == []
    assert told(1025) == [
        Remark(
            "find_it",
            "The description has 1,025 characters; some servers take 1,024 at most.",
            "Say less, or say it at the parameters.",
        )
    ]


def test_too_many_functions_are_named_once() -> None:
    def numbered(count: int) -> Toolbox:
        def one(number: int) -> Tool[..., Any]:
            def find() -> None:
                """Find it."""

            find.__name__ = f"find_{number}"
            return tool(find)

        return Toolbox(*map(one, range(count)))

    assert lint(numbered(19)) == []
    assert lint(numbered(20)) == [
        Remark(
            "",
            "There are 20 functions; a model chooses better among fewer than 20.",
            "Put together what is always used together, or offer fewer.",
        )
    ]


def test_the_size_of_all_schemas_grows_with_each_function() -> None:
    toolbox = Toolbox.from_package(functions)
    assert estimate_toolbox_tokens(Toolbox()) == 0
    assert estimate_toolbox_tokens(toolbox) == sum(
        estimate_toolbox_tokens(Toolbox(each)) for each in toolbox.values()
    )
    assert 40 < estimate_toolbox_tokens(Toolbox(add)) < 80


def test_tokens_are_estimated() -> None:
    assert [estimate_tokens(each) for each in ("", "a", "four", "fours", "京都へ", "京 都")] == [
        0,
        1,
        1,
        2,
        3,
        3,
    ]
