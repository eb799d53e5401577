"""How a function is offered to a model beyond an ordinary function with JSON arguments.

Only some servers of the Responses API have these features; everywhere else the same function is offered as an
ordinary one.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError

from assistant.errors import FunctionError
from assistant.json_values import Json

Feature = Literal["custom", "programs", "tool_search"]
"""What a server may lack: functions that take free text, programs that call functions, and functions that are
loaded when needed."""

FEATURES: tuple[Feature, ...] = get_args(Feature)

_NAMESPACE = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_START_RULE = re.compile(r"^\s*[?!]?start\s*(\.\d+)?\s*:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a model may do with a function.

    Attributes:
        free_text: The model writes the only argument as free text instead of JSON.
        grammar: The grammar of that text: a Lark grammar, or a compiled regular expression.
        programs: Programs that the model writes may call the function, too.
        load_when_needed: The model reads the function's parameters only after it has searched for them.
        namespace: The name of the group in which the model finds the function; "" for none.
    """

    free_text: bool = False
    grammar: str | re.Pattern[str] = ""
    programs: bool = False
    load_when_needed: bool = False
    namespace: str = ""

    @property
    def takes_text(self) -> bool:
        """Whether the model writes free text."""
        return self.free_text or bool(self.grammar)

    def check(self, where: str, parameters: Json, *, background: bool) -> None:
        """Raise ``FunctionError`` if a function with these parameters cannot be offered so."""
        if background and (self.takes_text or self.programs):
            raise FunctionError(f"{where}: free text and calls from programs do not run in the background.")
        properties: Json = parameters.get("properties", {})
        if self.takes_text and [value.get("type") for value in properties.values()] != ["string"]:
            raise FunctionError(f"{where}: a function that takes free text has one parameter, a string.")
        if isinstance(self.grammar, re.Pattern):
            if not isinstance(self.grammar.pattern, str) or self.grammar.flags != re.UNICODE:
                raise FunctionError(f"{where}: the regular expression is of bytes or has flags.")
        elif self.grammar and not _START_RULE.search(self.grammar):
            raise FunctionError(
                f"{where}: the grammar has no rule 'start:'; write a Lark grammar, or re.compile(…) for a "
                "regular expression."
            )
        if self.namespace and not _NAMESPACE.fullmatch(self.namespace):
            raise FunctionError(
                f"{where}: the namespace {self.namespace!r} may have up to 64 letters a-z, digits, _ and -."
            )

    def text_format(self) -> Json:
        """Return the format of the free text as the Responses API names it."""
        if isinstance(self.grammar, re.Pattern):
            return {"type": "grammar", "syntax": "regex", "definition": self.grammar.pattern}
        if self.grammar:
            return {"type": "grammar", "syntax": "lark", "definition": self.grammar}
        return {"type": "text"}


def output_schema(function: Any) -> Json | None:
    """Return the JSON schema of what a function returns; None if it returns text, or its type has no schema."""
    try:
        hint = get_type_hints(function, include_extras=True).get("return", str)
        if hint is str:
            return None  # text is sent as it is, not as JSON
        schema: Json = TypeAdapter(hint).json_schema(mode="serialization")
    except (NameError, TypeError, PydanticUserError, PydanticSchemaGenerationError):
        return None
    return schema
