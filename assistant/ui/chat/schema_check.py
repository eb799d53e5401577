"""Compares an answer with the JSON schema that was requested, within bounds: both may come from a stranger."""

import logging
import time
from collections.abc import Callable
from typing import Any

from assistant.texts import shorten
from assistant.tools.schema import strict_schema, without_nulls
from assistant.ui.language import _

log = logging.getLogger(__name__)

MAX_PROBLEM_CHARS = 300

MAX_SECONDS = 1.0
"""Time of the processor that this may take: a few references in a schema can lead to millions of comparisons."""

MAX_UNIQUE_ITEMS = 1_000
"""Maximum length of an array whose items are compared with each other."""


def find_problem(value: Any, schema: Any) -> str | None:
    """Return what in a value does not fit a JSON schema; None if all of it does.

    Nothing is loaded from a URL, and regular expressions are not tried: one from a stranger may never end.
    """
    from jsonschema.exceptions import best_match  # type: ignore[import-untyped] # comes with Streamlit
    from referencing import Registry

    if not isinstance(schema, dict):
        return _("the schema is not a JSON object")
    try:
        if strict_schema(schema) is not None:  # a model in strict mode writes null for what it leaves out
            value = without_nulls(value, schema)
        validator = _bounded_validator()(_without_dialects(schema), registry=Registry())
        error = best_match(validator.iter_errors(value))
    except Exception as failure:  # an invalid schema, or one that refers to another
        log.info("The schema of an answer cannot be used", exc_info=failure)
        return _("the schema cannot be used ({reason})", reason=type(failure).__name__)
    if error is None:
        return None
    place = ".".join(map(str, error.absolute_path))
    words = shorten(error.message, MAX_PROBLEM_CHARS)
    return f"{place}: {words}" if place else words


def _bounded_validator() -> Any:
    """Return a class of validators of which each gives up after ``MAX_SECONDS``, and tries no regular expression."""
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
    from jsonschema.validators import extend  # type: ignore[import-untyped]

    end = time.thread_time() + MAX_SECONDS

    def bounded(check: Callable[..., Any]) -> Callable[..., Any]:
        def checked(validator: Any, keyword: Any, value: Any, schema: Any) -> Any:
            if time.thread_time() > end:
                raise TimeoutError
            return check(validator, keyword, value, schema)

        return checked

    def additional_properties(validator: Any, keyword: Any, value: Any, schema: Any) -> Any:
        # Beside patterns, which properties are additional depends on regular expressions.
        is_plain = "patternProperties" not in schema
        return every["additionalProperties"](validator, keyword, value, schema) if is_plain else ()

    def unique_items(validator: Any, keyword: Any, value: Any, schema: Any) -> Any:
        is_quick = isinstance(value, list) and len(value) <= MAX_UNIQUE_ITEMS
        return every["uniqueItems"](validator, keyword, value, schema) if is_quick else ()

    every = Draft202012Validator.VALIDATORS
    own = {"additionalProperties": additional_properties, "uniqueItems": unique_items}
    left_out = ("pattern", "patternProperties", "unevaluatedProperties")
    checks = {name: bounded(check) for name, check in {**every, **own}.items()}
    return extend(Draft202012Validator, checks | dict.fromkeys(left_out))


def _without_dialects(part: Any) -> Any:
    """Return a part of a schema without ``$schema``, with which it would be checked by another class of validators."""
    if isinstance(part, dict):
        is_dialect = isinstance(part.get("$schema"), str)
        return {
            name: _without_dialects(each)
            for name, each in part.items()
            if not (name == "$schema" and is_dialect)
        }
    return [_without_dialects(each) for each in part] if isinstance(part, list) else part
