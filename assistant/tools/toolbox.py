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

``@tool`` does not register a function anywhere: a toolbox holds the tools that its constructor was given.
"""

import asyncio
import importlib
import inspect
import json
import pkgutil
import re
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from functools import update_wrapper
from types import ModuleType
from typing import Any, Generic, ParamSpec, TypeVar, overload

from pydantic import BaseModel

from assistant.errors import FunctionError
from assistant.json_values import Json, get, parse_json
from assistant.locale import N_, Sentence
from assistant.texts import one_line
from assistant.tools.offer import Feature, Offer, output_schema
from assistant.tools.schema import arguments_model, json_schema, strict_schema, summary, without_nulls

P = ParamSpec("P")
R = TypeVar("R")

TASK_HANDLE = "task_handle"
"""The argument of a background call by which the model names it; the function does not get it."""

BACKGROUND_SECONDS = 600.0
"""Time limit of a background function that sets none."""

MAX_STATUS_ARGUMENT_CHARS = 40  # maximum length of one argument in a status text

TEXT_ARGUMENT = "input"
"""The name of the argument with free text where the name of the parameter is not known."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # Chat Completions have the shortest limit of all protocols
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


class Tool(Generic[P, R]):
    """A function with its description and schema for a model; calling the tool calls the function.

    Attributes:
        name: The function's name.
        description: The docstring up to ``Args:``.
        parameters: The JSON schema of the arguments, in strict form if ``strict`` is true.
        strict: Whether a server can enforce the schema (strict mode).
        timeout: Time limit in seconds, or None for the assistant's default. In the background it is
            ``BACKGROUND_SECONDS`` by default.
        approval: Whether the user has to allow each call.
        background: Whether the model goes on while the function runs, where the server can do that.
        status: The text shown while the function runs, such as "Checking the forecast for {city}".
        offer: How the function is offered to a model.
        text_parameter: The parameter that takes free text; "" for a function that takes JSON arguments.
        output_schema: The JSON schema of the result, for programs; None if there is none.
    """

    offer = Offer()
    text_parameter = ""
    output_schema: Json | None = None

    def __init__(
        self,
        function: Callable[P, R],
        *,
        timeout: float | None = None,
        approval: bool = False,
        background: bool = False,
        status: str = "",
        offer: Offer = offer,
    ) -> None:
        if inspect.isclass(function) or not hasattr(function, "__name__"):
            raise FunctionError(f"{function!r} is not a function; write one with 'def'.")
        self.function = function
        self.name = function.__name__
        if not _NAME.fullmatch(self.name):
            raise FunctionError(
                f"{function.__module__}.{self.name}: the name of a function may consist of up to 64 letters "
                "a-z, digits and _, because models receive it unchanged."
            )
        where = f"{function.__module__}.{function.__qualname__}"
        if inspect.isasyncgenfunction(function):
            raise FunctionError(f"{where}: an async generator has no result; return a list.")
        if timeout is not None and not timeout > 0:
            raise FunctionError(f"{where}: the timeout is {timeout!r}; set seconds, more than 0.")
        self.description = summary(function.__doc__ or "")
        self.timeout = BACKGROUND_SECONDS if background and timeout is None else timeout
        self.approval = approval
        self.background = background
        self.status = status
        self._model: type[BaseModel] = arguments_model(function)
        self._schema: Json = json_schema(self._model)
        if background and TASK_HANDLE in self._schema.get("properties", {}):
            raise FunctionError(f"{where}: rename the parameter '{TASK_HANDLE}'; background calls have one.")
        for name in _PLACEHOLDER.findall(status):
            if name not in self._schema.get("properties", {}):
                raise FunctionError(f"{where}: there is no parameter '{name}' for {{{name}}} in 'status'.")
        offer.check(where, self._schema, background=background)
        self.offer = offer
        self.text_parameter = next(iter(self._schema["properties"])) if offer.takes_text else ""
        self.output_schema = output_schema(function) if offer.programs else None
        strict = strict_schema(self._schema)
        self.strict = strict is not None
        self.parameters: Json = strict if strict is not None else self._schema
        update_wrapper(self, function, updated=())

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<Tool {self.name}{inspect.signature(self.function)}>"

    def as_param(self, without: Collection[Feature] = ()) -> Json:
        """Return the function as a tool of a request to the Responses API.

        For a server that lacks the features ``without``, the function is offered without them.
        """
        param: Json = {"type": "function", "name": self.name, "description": self.description}
        if self.text_parameter and "custom" not in without:
            text: str = self.parameters["properties"][self.text_parameter].get("description", "")
            param |= {"type": "custom", "format": self.offer.text_format()}
            param["description"] = "\n\n".join(filter(None, [self.description, text]))
        else:
            param |= {"parameters": self.parameters, "strict": self.strict}
        if self.offer.programs and "programs" not in without:
            param["allowed_callers"] = ["direct", "programmatic"]
            if self.output_schema and param["type"] == "function":
                param["output_schema"] = self.output_schema
        if self.offer.load_when_needed and "tool_search" not in without:
            param["defer_loading"] = True
        return param

    def text_of(self, arguments: str) -> str | None:
        """Return the free text in a call's arguments (JSON text); None if the function does not take any."""
        value = parse_json(arguments) if self.text_parameter else None
        if not isinstance(value, dict) or len(value) != 1:
            return None
        text = value.get(self.text_parameter, value.get(TEXT_ARGUMENT))
        return text if isinstance(text, str) else None

    def with_text(self, text: str) -> str:
        """Return the arguments (JSON text) of a call with this free text."""
        return json.dumps({self.text_parameter: text}, ensure_ascii=False)

    def bind(self, arguments: Any) -> dict[str, Any]:
        """Return the keyword arguments for the function from the JSON value that a model wrote.

        Raises:
            pydantic.ValidationError: The value does not match the parameters.
        """
        if self.background and isinstance(arguments, dict):
            arguments = {name: value for name, value in arguments.items() if name != TASK_HANDLE}
        if self.text_parameter and isinstance(arguments, dict) and list(arguments) == [TEXT_ARGUMENT]:
            arguments = {self.text_parameter: arguments[TEXT_ARGUMENT]}
        # Validate JSON rather than Python values: a strict ``date`` accepts a string in JSON only.
        model = self._model.model_validate_json(json.dumps(without_nulls(arguments, self._schema)))
        return {
            field.alias or name: getattr(model, name)
            for name, field in self._model.model_fields.items()
            if name in model.model_fields_set
        }

    def status_text(self, arguments: str) -> str:
        """Return ``status`` with the arguments (JSON text) filled in.

        Without a ``status``, or if one of its arguments is missing or not a simple value, it is "Running"
        and the function's name.
        """
        values = parse_json(arguments)
        texts = {name: _inline(get(values, name)) for name in _PLACEHOLDER.findall(self.status)}
        if not self.status or not all(texts.values()):
            return N_("Running {function}", function=self.name)
        return Sentence(self.status, texts)

    def run(self, arguments: Mapping[str, Any]) -> Any:
        """Call the function and return its value; an ``async`` function is awaited."""
        value: Any = self.function(**arguments)  # type: ignore[call-arg]
        return asyncio.run(_wait_for(value)) if inspect.isawaitable(value) else value


def _inline(value: Any) -> str:
    """Return an argument as one line of text, or "" if it is not a string, number or list of strings."""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = ", ".join(value)
    return one_line(value, MAX_STATUS_ARGUMENT_CHARS) if isinstance(value, str | int | float) else ""


async def _wait_for(awaitable: Any) -> Any:
    return await awaitable


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *,
    timeout: float | None = None,
    approval: bool = False,
    background: bool = False,
    status: str = "",
    free_text: bool = False,
    grammar: str | re.Pattern[str] = "",
    programs: bool = False,
    load_when_needed: bool = False,
    namespace: str = "",
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    function: Callable[P, R] | None = None,
    /,
    *,
    timeout: float | None = None,
    approval: bool = False,
    background: bool = False,
    status: str = "",
    free_text: bool = False,
    grammar: str | re.Pattern[str] = "",
    programs: bool = False,
    load_when_needed: bool = False,
    namespace: str = "",
) -> Any:
    """Turn a function into a ``Tool`` that a model can call: ``@tool``, or ``@tool(timeout=120)``.

    Args:
        timeout: Time limit in seconds; the assistant's default if not given, and ten minutes in the
            background.
        approval: Whether the user has to allow each call; for functions that change something.
        background: Whether the model goes on while the function runs; for slow functions. A server or model
            that cannot do that waits for the result, as for any function.
        status: The text shown while the function runs, such as "Checking the forecast for {city}".
        free_text: The model writes the only argument, a string, as free text: code, a query, a document.
        grammar: The grammar that this text keeps to: a Lark grammar, or ``re.compile(…)``.
        programs: Programs that the model writes may call the function, too.
        load_when_needed: The model searches for the function before it reads its parameters.
        namespace: The group in which the model finds the function.

    Raises:
        FunctionError: The signature has no JSON schema; the text names the parameter. Or the function cannot be
            offered in the way that the arguments ask for.
    """
    options: dict[str, Any] = {
        "timeout": timeout,
        "approval": approval,
        "background": background,
        "status": status,
        "offer": Offer(free_text, grammar, programs, load_when_needed, namespace),
    }
    return Tool(function, **options) if function else lambda decorated: Tool(decorated, **options)


class Toolbox(Mapping[str, Tool[..., Any]]):
    """The functions of an assistant by name, in the given order."""

    def __init__(self, *tools: Tool[..., Any]) -> None:
        self._tools: dict[str, Tool[..., Any]] = {}
        for tool in tools:
            if tool.name in self._tools:
                raise FunctionError(f"Two functions are called '{tool.name}'; rename one of them.")
            self._tools[tool.name] = tool

    @classmethod
    def from_package(cls, package: ModuleType) -> "Toolbox":
        """Return all tools defined in the package's modules, in the modules' alphabetical order.

        Raises:
            FunctionError: A module cannot be imported, or ``@tool`` refuses one of its functions.
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
                # A tool imported from another module belongs to that module.
                if isinstance(value, Tool) and value.function.__module__ == module.__name__
            ]
        return cls(*dict.fromkeys(found))  # a tool can have two names in a module

    def only(self, names: Container[str] | None) -> "Toolbox":
        """Return the functions with these names; all of them for None."""
        return self if names is None else Toolbox(*(self[name] for name in self if name in names))

    def __getitem__(self, name: str) -> Tool[..., Any]:
        return self._tools[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)
