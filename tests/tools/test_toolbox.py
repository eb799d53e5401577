"""Tools, toolboxes and packages of tools."""

import asyncio
import functools
import importlib
import inspect
import math
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import assistant.functions
from assistant import Tool, Toolbox, tool
from assistant.errors import AssistantError, FunctionError


def add(a: int, b: int = 1) -> int:
    """Add two whole numbers.

    The second is 1 unless told otherwise.

    Args:
        a: The first number.
        b: The second number.

    Returns:
        Their sum.
    """
    return a + b


def say(text: str) -> str:
    return text


# --- one function -----------------------------------------------------------------------------------


def test_a_decorated_function_is_still_that_function() -> None:
    decorated = tool(add)
    assert isinstance(decorated, Tool)
    assert decorated(2, 3) == decorated(a=2, b=3) == 5
    assert decorated(2) == 3
    assert inspect.getattr_static(decorated, "__name__") == "add"
    assert inspect.getattr_static(decorated, "__qualname__") == "add"
    assert decorated.__doc__ == add.__doc__
    assert decorated.__module__ == add.__module__
    assert inspect.signature(decorated) == inspect.signature(add)
    assert inspect.unwrap(decorated) is add
    assert repr(decorated) == "<Tool add(a: int, b: int = 1) -> int>"


def test_a_tool_has_the_functions_name_summary_and_parameters() -> None:
    decorated = tool(add)
    assert decorated.name == "add"
    assert decorated.description == ("Add two whole numbers.\n\nThe second is 1 unless told otherwise.")
    assert decorated.strict
    assert decorated.parameters == {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "description": "The first number."},
            "b": {"type": ["integer", "null"], "description": "The second number."},
        },
        "required": ["a", "b"],
        "additionalProperties": False,
    }


def test_a_function_without_a_docstring_has_an_empty_description() -> None:
    assert tool(say).description == ""


@pytest.mark.parametrize(
    ("decorate", "timeout"),
    [
        (tool, None),
        (tool(), None),
        (tool(timeout=None), None),
        (tool(timeout=120), 120),
        (tool(timeout=0.5), 0.5),
        (tool(timeout=math.inf), math.inf),
    ],
)
def test_the_decorator_works_with_and_without_arguments(
    decorate: Callable[[Callable[..., Any]], Tool[..., Any]], timeout: float | None
) -> None:
    decorated = decorate(add)
    assert decorated(1, 2) == 3
    assert decorated.timeout == timeout


def test_approval_is_off_by_default() -> None:
    def book(room: int) -> None:
        """Book a room."""

    decorated = [tool(book), tool(timeout=1)(book), tool(approval=True)(book)]
    assert [each.approval for each in decorated] == [False, False, True]


@pytest.mark.parametrize("timeout", [0, -1, -0.5, math.nan, -math.inf])
def test_a_timeout_that_is_not_positive_is_refused(timeout: float) -> None:
    with pytest.raises(FunctionError) as caught:
        tool(timeout=timeout)(add)
    assert str(caught.value) == f"{__name__}.add: the timeout is {timeout!r}; set seconds, more than 0."


def test_attributes_of_the_function_do_not_change_the_tool() -> None:
    def look(city: str) -> str:
        return city

    vars(look).update(name="other", timeout=-1, strict=False, parameters=None, function=None)
    decorated = tool(timeout=3)(look)
    assert (decorated.name, decorated.timeout, decorated.strict) == ("look", 3, True)
    assert decorated("Oslo") == "Oslo"


def test_a_wrapped_function_keeps_its_signature() -> None:
    @functools.wraps(add)
    def loud(*args: Any, **kwargs: Any) -> int:
        return add(*args, **kwargs) * 10

    decorated: Tool[..., int] = tool(loud)
    assert decorated.parameters == tool(add).parameters
    assert decorated.run(decorated.bind({"a": 1, "b": None})) == 20


def test_a_bound_method_is_a_tool_without_self() -> None:
    class Clock:
        zone = "Oslo"

        def now(self, precise: bool) -> str:
            return f"{self.zone} {precise}"

    decorated = tool(Clock().now)
    assert list(decorated.parameters["properties"]) == ["precise"]
    assert decorated.run({"precise": True}) == "Oslo True"


def test_run_awaits_an_async_function_and_a_call_returns_a_coroutine() -> None:
    @tool
    async def wait(text: str) -> str:
        await asyncio.sleep(0)
        return text.upper()

    assert wait.run(wait.bind({"text": "done"})) == "DONE"
    assert asyncio.run(wait("now")) == "NOW"


def test_run_raises_the_exception_of_an_async_function() -> None:
    @tool
    async def fail() -> None:
        raise LookupError("nowhere")

    with pytest.raises(LookupError, match="nowhere"):
        fail.run({})


# --- what is no tool --------------------------------------------------------------------------------


class Callable_:
    def __call__(self, city: str) -> str:
        return city

    def __repr__(self) -> str:
        return "<callable>"


async def stream(city: str) -> AsyncIterator[str]:
    yield city


def named(name: str) -> Callable[..., Any]:
    def function() -> None: ...

    function.__name__ = name
    return function


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (3, "3 is not a function; write one with 'def'."),
        (Callable_(), "<callable> is not a function; write one with 'def'."),
        (Callable_, f"{Callable_} is not a function; write one with 'def'."),
        (functools.partial(len), f"{functools.partial(len)} is not a function; write one with 'def'."),
        (stream, f"{__name__}.stream: an async generator has no result; return a list."),
        (len, "builtins.len: parameter 'obj' is positional-only; drop the '/'."),
    ],
)  # fmt: skip
def test_anything_but_a_plain_function_is_refused(function: Any, sentence: str) -> None:
    with pytest.raises(FunctionError) as caught:
        tool(function)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("name", ["<lambda>", "天気", "get weather", "a" * 65, "naïve", "a.b", "a\n", ""])
def test_a_name_that_one_protocol_forbids_is_refused(name: str) -> None:
    with pytest.raises(FunctionError) as caught:
        tool(named(name))
    assert str(caught.value) == (
        f"{__name__}.{name}: the name of a function may consist of up to 64 letters a-z, digits "
        "and _, because models receive it unchanged."
    )


@pytest.mark.parametrize("name", ["a", "a" * 64, "get_weather", "_private", "x2", "ALL"])
def test_a_name_that_all_protocols_allow_is_accepted(name: str) -> None:
    assert tool(named(name)).name == name


def test_a_function_error_is_a_type_error_and_an_assistant_error() -> None:
    assert issubclass(FunctionError, TypeError)
    assert issubclass(FunctionError, AssistantError)


# --- the box ----------------------------------------------------------------------------------------


def test_a_toolbox_maps_names_to_tools_in_the_given_order() -> None:
    first, second = tool(say), tool(add)
    box = Toolbox(first, second)
    assert list(box.items()) == [("say", first), ("add", second)]
    assert len(box) == 2
    assert "say" in box
    assert box["add"] is second
    assert box.get("nothing") is None
    assert list(Toolbox()) == []
    with pytest.raises(KeyError):
        box["nothing"]


def test_two_functions_with_the_same_name_are_refused() -> None:
    with pytest.raises(FunctionError) as caught:
        Toolbox(tool(add), tool(say), tool(add))
    assert str(caught.value) == "Two functions are called 'add'; rename one of them."


# --- a folder of them -------------------------------------------------------------------------------

TOOL = '''
from assistant import tool

@tool
def {name}(city: str) -> str:
    """Look."""
    return city
'''

Package = Callable[..., ModuleType]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Write a package and import it; it is removed from ``sys.modules`` afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(**modules: str) -> ModuleType:
        folder = tmp_path / "found_tools"
        folder.mkdir()
        for name, text in modules.items():
            (folder / f"{name}.py").write_text(text)
        (folder / "__init__.py").touch()
        return importlib.import_module("found_tools")

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("found_tools"):
            del sys.modules[name]


def test_tools_are_ordered_by_module_and_then_as_written(package: Package) -> None:
    found = Toolbox.from_package(
        package(
            b=TOOL.format(name="third"),
            a=TOOL.format(name="second") + TOOL.format(name="first"),
            _c=TOOL.format(name="private_module"),
        )
    )
    assert list(found) == ["private_module", "second", "first", "third"]
    assert found["third"].run({"city": "Oslo"}) == "Oslo"


def test_other_names_in_a_module_are_ignored(package: Package) -> None:
    text = (
        "import json\nfrom assistant import Tool\nLIMIT = 3\ndef helper(): ...\nclass Row: ...\nalso = Tool\n"
    )
    assert list(Toolbox.from_package(package(a=text + TOOL.format(name="look"), b=text))) == ["look"]


def test_an_imported_tool_belongs_to_its_own_module(package: Package) -> None:
    found = Toolbox.from_package(
        package(
            a="from .b import look\nfrom . import b\n" + TOOL.format(name="near"), b=TOOL.format(name="look")
        )
    )
    assert list(found) == ["near", "look"]


def test_a_second_name_for_a_tool_is_ignored(package: Package) -> None:
    found = Toolbox.from_package(package(a=TOOL.format(name="look") + "\nfind = look\n"))
    assert list(found) == ["look"]


def test_the_same_name_in_two_modules_is_refused(package: Package) -> None:
    with pytest.raises(FunctionError, match=r"^Two functions are called 'look'; rename one of them\.$"):
        Toolbox.from_package(package(a=TOOL.format(name="look"), b=TOOL.format(name="look")))


def test_an_empty_package_has_no_tools(package: Package) -> None:
    assert list(Toolbox.from_package(package())) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1 / 0", "found_tools.bad cannot be imported: ZeroDivisionError: division by zero"),
        (
            "import no_such_module",
            "found_tools.bad cannot be imported: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        ("def broken(:", "found_tools.bad cannot be imported: SyntaxError: invalid syntax (bad.py, line 1)"),
        (
            "from assistant import tool\n@tool\ndef look(city): ...",
            "found_tools.bad.look: parameter 'city' has no type hint, such as 'city: str'.",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_reason(
    package: Package, text: str, sentence: str
) -> None:
    with pytest.raises(FunctionError) as caught:
        Toolbox.from_package(package(bad=text, good=TOOL.format(name="look")))
    assert str(caught.value) == sentence


def test_a_repaired_module_is_imported(package: Package, tmp_path: Path) -> None:
    folder = package(bad="1 / 0")
    with pytest.raises(FunctionError):
        Toolbox.from_package(folder)
    (tmp_path / "found_tools" / "bad.py").write_text(TOOL.format(name="look"))
    importlib.invalidate_caches()
    assert list(Toolbox.from_package(folder)) == ["look"]


def test_the_example_functions_can_be_loaded() -> None:
    found = Toolbox.from_package(assistant.functions)
    assert found
    assert all(each.name == name for name, each in found.items())
