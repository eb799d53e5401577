"""Functions that a model may call.

    from assistant import tool

    @tool
    def add(a: int, b: int) -> int:
        \"\"\"Add two whole numbers.

        Args:
            a: The first number.
            b: The second number.
        \"\"\"
        return a + b

Not here: running calls a model asked for (``execute.py``) or a protocol's spelling of a tool.

The one rule: a toolbox is made by its constructor; no function registers itself anywhere.
"""

import asyncio
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from functools import update_wrapper
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from pydantic import BaseModel

from assistant.errors import FunctionError
from assistant.tools.schema import Json, arguments_model, json_schema, strict_schema, summary, without_nulls

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # the shortest limit of all: that of Chat Completions
_PLACE = re.compile(r"\{(\w+)\}")  # for an argument, in words
_PLACE_LENGTH = 40
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Tool(Generic[P, R]):
    """A function together with what a model is told about it; calling it calls the function.

    Attributes:
        name: What the model calls it by.
        description: The docstring's text before ``Args:``.
        parameters: The JSON schema of its arguments, in strict form when ``strict`` is true.
        strict: Whether a server may hold the model to the schema exactly.
        timeout: Seconds it may run, or None for the assistant's own limit.
        approval: Whether a person is asked before each of its calls.
        doing: What a person reads while it runs, such as "Reading the forecast for {city}".
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        timeout: float | None = None,
        approval: bool = False,
        doing: str = "",
    ) -> None:
        if inspect.isclass(function) or not hasattr(function, "__name__"):
            raise FunctionError(f"{function!r} is not a function; write one with 'def'.")
        self.function = function
        self.name = function.__name__
        if not _NAME.fullmatch(self.name):
            raise FunctionError(
                f"{function.__module__}.{self.name}: a function's name may have the letters a-z, digits "
                "and _, 64 at most; models are given it as it is."
            )
        where = f"{function.__module__}.{function.__qualname__}"
        if inspect.isasyncgenfunction(function):
            raise FunctionError(f"{where}: an async generator has no result; return a list instead.")
        if timeout is not None and not timeout > 0:
            raise FunctionError(f"{where}: the timeout is {timeout!r}; set seconds, more than 0.")
        self.description = summary(function.__doc__ or "")
        self.timeout = timeout
        self.approval = approval
        self.doing = doing
        self._model: type[BaseModel] = arguments_model(function)
        self._schema: Json = json_schema(self._model)
        for name in _PLACE.findall(doing):
            if name not in self._schema.get("properties", {}):
                raise FunctionError(f"{where}: there is no parameter '{name}' for {{{name}}} in 'doing'.")
        strict = strict_schema(self._schema)
        self.strict = strict is not None
        self.parameters: Json = strict if strict is not None else self._schema
        update_wrapper(self, function, updated=())

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.name}{inspect.signature(self.function)}>"

    def bind(self, arguments: Any) -> dict[str, Any]:
        """Keyword arguments for the function, from the JSON value that a model wrote.

        Raises:
            pydantic.ValidationError: The value does not fit the parameters.
        """
        # As JSON, where a date is a text also for types that are strict about it.
        model = self._model.model_validate_json(json.dumps(without_nulls(arguments, self._schema)))
        return {
            field.alias or name: getattr(model, name)
            for name, field in self._model.model_fields.items()
            if name in model.model_fields_set
        }

    def in_words(self, arguments: str) -> str:
        """What a call with these arguments, JSON text, does: ``doing`` with the arguments in their places.

        Where one of them is missing or no simple value, or there is no ``doing``, it is "Running" and the
        name.
        """
        try:
            given = json.loads(arguments)
        except (ValueError, RecursionError):
            given = None
        values = given if isinstance(given, dict) else {}
        words = {name: _short(values.get(name)) for name in _PLACE.findall(self.doing)}
        if not self.doing or not all(words.values()):
            return f"Running {self.name}"
        return _PLACE.sub(lambda place: words[place[1]], self.doing)

    def run(self, arguments: Mapping[str, Any]) -> Any:
        """Call the function and wait for what it returns, also when it is ``async``."""
        value: Any = self.function(**arguments)  # type: ignore[call-arg]
        return asyncio.run(_result_of(value)) if inspect.isawaitable(value) else value


def _short(value: Any) -> str:
    """An argument in a sentence: one line, and not a long one; nothing, if it is no text or number."""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    if not isinstance(value, str | int | float):
        return ""
    line = " ".join(_UNPRINTABLE.sub(" ", str(value)).split())
    return line if len(line) <= _PLACE_LENGTH else line[: _PLACE_LENGTH - 1] + "…"


async def _result_of(awaitable: Any) -> Any:
    return await awaitable


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *, timeout: float | None = None, approval: bool = False, doing: str = ""
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    timeout: float | None = None,
    approval: bool = False,
    doing: str = "",
) -> Any:
    """Make a function callable by a model: ``@tool``, or ``@tool(timeout=120)``.

    With ``approval=True``, for functions that change something, a person is asked before each call.
    ``doing`` is what a person reads while it runs: ``doing="Reading the forecast for {city}"``.

    Raises:
        FunctionError: The signature cannot be offered to a model; the text names the parameter.
    """
    if function is None:
        return lambda decorated: Tool(decorated, timeout=timeout, approval=approval, doing=doing)
    return Tool(function, timeout=timeout, approval=approval, doing=doing)


class Toolbox(Mapping[str, Tool[..., Any]]):
    """The functions an assistant has, by name, in the order given."""

    def __init__(self, *tools: Tool[..., Any]) -> None:
        self._tools: dict[str, Tool[..., Any]] = {}
        for each in tools:
            if each.name in self._tools:
                raise FunctionError(f"Two functions are called '{each.name}'; rename one of them.")
            self._tools[each.name] = each

    @classmethod
    def from_package(cls, package: ModuleType) -> "Toolbox":
        """All tools written in the package's modules, in the modules' alphabetical order.

        Raises:
            FunctionError: A module cannot be imported, or holds a function that cannot be offered.
        """
        found: list[Tool[..., Any]] = []
        for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda info: info.name):
            name = f"{package.__name__}.{info.name}"
            try:
                module = importlib.import_module(name)
            except FunctionError:
                raise
            except Exception as error:
                raise FunctionError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
            found += [
                value
                for value in vars(module).values()
                # A tool imported from a neighbour belongs to the neighbour.
                if isinstance(value, Tool) and value.function.__module__ == module.__name__
            ]
        return cls(*dict.fromkeys(found))  # a second name for the same tool is no second tool

    def __getitem__(self, name: str) -> Tool[..., Any]:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)
