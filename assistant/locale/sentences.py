"""A sentence that can be translated later: English text with its template and parameters.

Stored sentences may come from a file that a visitor imports, so their templates are checked before they are
formatted.
"""

import string
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

Param: TypeAlias = str | int | float
"""The value of a placeholder. A ``Sentence`` is translated with the sentence around it."""

MAX_SENTENCE_CHARS = 20_000
MAX_NESTING = 5


class Sentence(str):
    """An English sentence that remembers its template, that of its plural if there is one, and its params.

    As a string it is the finished English text. The plural is used unless ``params["count"]`` is 1.
    """

    template: str
    plural: str
    params: dict[str, Param]

    def __new__(
        cls, template: str, params: Mapping[str, Param] | None = None, plural: str = ""
    ) -> "Sentence":
        template, params = str(template), dict(params or {})
        chosen = plural if plural and params["count"] != 1 else template
        sentence = super().__new__(cls, chosen.format(**params) if params else chosen)
        sentence.template, sentence.plural, sentence.params = template, plural, params
        return sentence

    def with_params(self, **params: Param) -> "Sentence":
        """Return the sentence with some parameters replaced."""
        return Sentence(self.template, {**self.params, **params}, self.plural)

    def __reduce__(self) -> tuple[type["Sentence"], tuple[str, dict[str, Param], str]]:
        return Sentence, (self.template, self.params, self.plural)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Return a schema that stores a sentence with parameters as an object, any other as a string."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _load, serialization=core_schema.plain_serializer_function_ser_schema(_dump)
        )


UserText = Annotated[str, Sentence]
"""The type of a field that holds text for the user: a plain string or a ``Sentence``."""


def N_(template: str, /, **params: Param) -> Sentence:
    """Return a sentence; ``{name}`` in the template is replaced by the parameter of that name."""
    return Sentence(template, params)


def N_plural(singular: str, plural: str, count: int, /, **params: Param) -> Sentence:
    """Return the sentence for this many; ``{count}`` is a parameter as well."""
    return Sentence(singular, {"count": count, **params}, plural)


def _dump(text: str) -> Any:
    """Return a string where it says everything: without parameters, the template is the text."""
    if not isinstance(text, Sentence) or not text.params or len(text) > MAX_SENTENCE_CHARS:
        return str(text)
    params = {
        name: _dump(value) if isinstance(value, Sentence) and value.params else _dump_param(value)
        for name, value in text.params.items()
    }
    stored = {"template": text.template, "params": params}
    return {**stored, "plural": text.plural} if text.plural else stored


def _dump_param(value: Param) -> Any:
    return {"template": value.template} if isinstance(value, Sentence) else value


def _load(value: Any, depth: int = 0) -> str:
    match value:
        case str():
            return value
        case {"template": str(template), **rest} if depth < MAX_NESTING:
            stored, plural = rest.get("params", {}), rest.get("plural", "")
            if not isinstance(stored, dict) or not isinstance(plural, str):
                raise ValueError("the parameters of a sentence are an object")
            params = {str(name): _load_param(param, depth) for name, param in stored.items()}
            if plural and not isinstance(params.get("count"), int):
                raise ValueError("the plural of a sentence needs a count")
            for each in (template, plural):
                _check_template(each, params)
            return Sentence(template, params, plural)
    raise ValueError("neither a string nor a sentence with its parameters")


def _load_param(value: Any, depth: int) -> Param:
    return value if isinstance(value, int | float) else _load(value, depth + 1)


def _check_template(template: str, params: Mapping[str, Param]) -> None:
    """Raise ``ValueError`` unless the template has plain placeholders only and the result is not too long."""
    length = len(template)
    for _, name, spec, conversion in string.Formatter().parse(template) if params else ():
        if name is None:
            continue
        if not name.isidentifier() or name not in params or conversion or spec not in ("", ","):
            raise ValueError(f"no such placeholder: {name}")
        if spec and isinstance(params[name], str):
            raise ValueError(f"not a number: {name}")
        length += len(str(params[name])) + len(str(params[name])) // 3
    if length > 2 * MAX_SENTENCE_CHARS:
        raise ValueError("the sentence is too long")
