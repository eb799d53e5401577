"""How functions are offered to a model: free text, grammars, programs, and functions that are loaded when needed."""

import re

import pytest

from assistant import Toolbox, tool
from assistant.backends.chat_completions.items import chat_tools
from assistant.backends.responses.features import request_tools
from assistant.errors import FunctionError
from assistant.events import ToolCall
from assistant.tools.execution import run_tool
from assistant.tools.lint import estimate_tool_tokens, lint
from assistant.tools.offer import FEATURES


@tool(free_text=True)
def run_code(python: str) -> str:
    """Run a program.

    Args:
        python: The program.
    """
    return python.upper()


@tool(grammar=re.compile(r"[0-9+*]+"))
def add_up(expression: str) -> str:
    """Add up numbers."""
    return expression


@tool(grammar='start: "a"+', programs=True, load_when_needed=True, namespace="letters")
def count_letters(text: str) -> dict[str, int]:
    """Count the letters of a text.

    Args:
        text: The text.
    """
    return {"count": len(text)}


@tool(programs=True, load_when_needed=True, namespace="letters")
def list_letters(first: str = "a") -> list[str]:
    """List the letters.

    Args:
        first: The first one.
    """
    return [first]


ALL = Toolbox(run_code, add_up, count_letters, list_letters)


def test_a_function_that_takes_free_text_is_a_custom_tool() -> None:
    assert run_code.as_param() == {
        "type": "custom",
        "name": "run_code",
        "description": "Run a program.\n\nThe program.",
        "format": {"type": "text"},
    }
    assert add_up.as_param()["format"] == {
        "type": "grammar",
        "syntax": "regex",
        "definition": "[0-9+*]+",
    }
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "a"+'}
    assert count_letters.as_param()["format"] == grammar


def test_a_server_that_lacks_a_feature_is_offered_an_ordinary_function() -> None:
    without = run_code.as_param(["custom"])
    assert (without["type"], list(without["parameters"]["properties"])) == ("function", ["python"])
    assert {param["type"] for param in request_tools(ALL, FEATURES)} == {"function"}
    assert not any("defer_loading" in param for param in request_tools(ALL, FEATURES))


def test_other_protocols_get_a_function_with_one_string() -> None:
    [tool] = chat_tools(Toolbox(run_code))
    assert tool["type"] == "function"
    assert list(tool["function"]["parameters"]["properties"]) == ["python"]


def test_functions_of_a_namespace_are_offered_together_with_a_search() -> None:
    *_, namespace, programs, search = request_tools(ALL)
    assert (programs, search) == ({"type": "programmatic_tool_calling"}, {"type": "tool_search"})
    assert (namespace["name"], namespace["description"]) == (
        "letters",
        "Count the letters of a text. List the letters.",
    )
    assert [param["name"] for param in namespace["tools"]] == ["count_letters", "list_letters"]
    assert all(param["defer_loading"] for param in namespace["tools"])
    assert request_tools(Toolbox(run_code)) == [run_code.as_param()]


def test_a_function_for_programs_tells_what_it_returns() -> None:
    param = list_letters.as_param()
    assert param["allowed_callers"] == ["direct", "programmatic"]
    assert param["output_schema"] == {"type": "array", "items": {"type": "string"}}
    assert "output_schema" not in count_letters.as_param()  # a custom tool has none


@pytest.mark.parametrize("arguments", ['{"python": "a"}', '{"input": "a"}'])
def test_free_text_is_an_argument_by_its_name_or_as_input(arguments: str) -> None:
    assert run_code.text_of(arguments) == "a"
    assert run_tool(ToolCall("c", "run_code", arguments), ALL).output == "A"
    assert run_code.text_of(run_code.with_text('say "hi"')) == 'say "hi"'


@pytest.mark.parametrize("arguments", ["", "[]", "a", '{"python": 1}', '{"python": "a", "x": "b"}'])
def test_other_arguments_are_no_free_text(arguments: str) -> None:
    assert run_code.text_of(arguments) is None
    assert list_letters.text_of('{"first": "a"}') is None


def two(first: str, second: str) -> str:
    """Take two texts."""
    return first + second


def number(value: int) -> int:
    """Take a number."""
    return value


def one(text: str) -> str:
    """Take a text."""
    return text


def test_what_cannot_be_offered_so_is_refused_at_import() -> None:
    for function in (two, number):
        with pytest.raises(FunctionError, match="takes free text has one parameter, a string"):
            tool(free_text=True)(function)
    with pytest.raises(FunctionError, match="has no rule 'start:'"):
        tool(grammar="[0-9]+")(one)
    with pytest.raises(FunctionError, match="has flags"):
        tool(grammar=re.compile("a", re.IGNORECASE))(one)
    with pytest.raises(FunctionError, match="do not run in the background"):
        tool(programs=True, background=True)(one)
    with pytest.raises(FunctionError, match="namespace 'a b'"):
        tool(namespace="a b")(one)


@tool(programs=True, approval=True)
def send_letter(text: str) -> str:
    """Send a letter.

    Args:
        text: The letter.
    """
    return text


@tool(namespace="letters")
def open_letter(text: str) -> str:
    """Open a letter.

    Args:
        text: The letter.
    """
    return text


def test_lint_warns_about_offers_that_do_not_fit() -> None:
    problems = [str(warning.problem) for warning in lint(Toolbox(send_letter, open_letter, list_letters))]
    assert problems == [
        "Programs may call it, but they do not know what it returns.",
        "A program that calls it waits for the user's approval.",
        "It is in a namespace, but it is sent with every request.",
    ]


def test_a_function_that_is_loaded_when_needed_costs_less() -> None:
    ordinary = tool(list_letters.function)
    assert estimate_tool_tokens(list_letters) < estimate_tool_tokens(ordinary)
