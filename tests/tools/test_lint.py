"""Lint warns about what a model is likely to misunderstand, and about nothing else."""

from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import AnyUrl, BaseModel, ConfigDict

from assistant import Tool, Toolbox, functions, tool
from assistant.tools.lint import LintWarning, estimate_toolbox_tokens, lint
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


KEYS = ("is a dictionary with arbitrary keys", "Use a class with a field for each key.")


def described(hint: Any) -> Tool[..., Any]:
    """Return a fully described function with one parameter of this type."""

    def find_it(what: Any) -> None:
        """Find it.

        Args:
            what: What to find.
        """

    find_it.__annotations__["what"] = hint
    return tool(find_it)


def test_the_example_functions_have_no_warnings() -> None:
    assert lint(Toolbox.from_package(functions)) == []


@pytest.mark.parametrize("hint", [str, list[Guest], Guest | None, Colour, Literal["a", "b"], int | str])
def test_types_that_strict_mode_can_express_have_no_warnings(hint: Any) -> None:
    assert lint(Toolbox(described(hint))) == []


@pytest.mark.parametrize(
    ("hint", "reason", "suggestion"),
    [
        (dict[str, int], *KEYS),
        (list[dict[str, Guest]], *KEYS),
        (Party, *KEYS),
        (Open, "is a class that allows extra fields", "Forbid extra fields in its configuration."),
        (set[str], "is a set", "Use a list."),
        (tuple[int, str], "is a tuple", "Use a list, or a class with a field for each item."),
        (AnyUrl, "has the format “uri”", "Use str, and check it in the function."),
        (Path | None, "has the format “path”", "Use str, and check it in the function."),
        (Literal[1, "one"], "has values of several types", "Make all values strings, or all numbers."),
        (Any, "can be almost anything", "Use a narrower type."),
        (list, "can be almost anything", "Use a narrower type."),
    ],
    ids=str,
)
def test_a_warning_says_why_a_parameter_is_not_strict(hint: Any, reason: str, suggestion: str) -> None:
    assert lint(Toolbox(described(hint))) == [
        LintWarning("find_it", f"Not strict: what {reason}.", suggestion)
    ]


def test_only_the_parameters_that_are_not_strict_are_named() -> None:
    @tool
    def find_rooms(guests: list[Guest], extras: dict[str, int], place: Open) -> None:
        """Find rooms.

        Args:
            guests: The guests.
            extras: The extras.
            place: The place.
        """

    assert [warning.problem for warning in lint(Toolbox(find_rooms))] == [
        "Not strict: extras is a dictionary with arbitrary keys.",
        "Not strict: place is a class that allows extra fields.",
    ]


def test_missing_descriptions_and_vague_names_have_warnings() -> None:
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

    name = ("The name does not say what the function does.", "Use a verb and an object, such as find_hotels.")
    line = "Add a line per parameter under Args: in the docstring."
    assert lint(Toolbox(do, x, find_it)) == [
        LintWarning("do", *name),
        LintWarning("do", "There is no description.", "Begin the docstring with what the function does."),
        LintWarning("do", "No description: a, b, c.", line),
        LintWarning("x", *name),
        LintWarning("find_it", "No description: b.", line),
    ]


def test_a_description_that_is_too_long_for_some_servers_has_a_warning() -> None:
    def warnings(length: int) -> list[LintWarning]:
        def find_it() -> None: ...

        find_it.__doc__ = "a" * length
        return lint(Toolbox(tool(find_it)))

    assert warnings(1024) == []
    assert warnings(1025) == [
        LintWarning(
            "find_it",
            "The description has 1,025 characters; some servers accept at most 1,024.",
            "Shorten it, or move details to the parameters.",
        )
    ]


def test_too_many_functions_have_one_warning() -> None:
    def numbered(count: int) -> Toolbox:
        def one(number: int) -> Tool[..., Any]:
            def find() -> None:
                """Find it."""

            find.__name__ = f"find_{number}"
            return tool(find)

        return Toolbox(*map(one, range(count)))

    assert lint(numbered(19)) == []
    assert lint(numbered(20)) == [
        LintWarning(
            "",
            "There are 20 functions; a model chooses better among fewer than 20.",
            "Merge functions that are used together, or offer fewer.",
        )
    ]


def test_the_size_of_all_schemas_grows_with_each_function() -> None:
    toolbox = Toolbox.from_package(functions)
    assert estimate_toolbox_tokens(Toolbox()) == 0
    assert estimate_toolbox_tokens(toolbox) == sum(
        estimate_toolbox_tokens(Toolbox(each)) for each in toolbox.values()
    )
    assert 40 < estimate_toolbox_tokens(Toolbox(add)) < 80
