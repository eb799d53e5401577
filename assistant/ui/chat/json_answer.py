"""An answer that was requested as JSON: a tree, with a mark that says whether it fits the schema."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from assistant.events import Event, TextDelta
from assistant.json_values import count_values, is_too_deep, parse_json
from assistant.markdown.escape import escape_markdown
from assistant.markdown.sanitizer import MarkdownSanitizer
from assistant.request_options import MAX_SCHEMA_CHARS
from assistant.texts import shorten
from assistant.tools.schema import strict_schema, without_nulls
from assistant.ui.chat.calls.output import draw_text, format_json, latest_part
from assistant.ui.language import _

log = logging.getLogger(__name__)

MAX_TREE_VALUES = 5_000
"""Maximum number of values in a tree; a larger answer is shown as text."""

MAX_PROBLEM_CHARS = 300

MAX_CHECKED_CHARS = 1_000_000
"""Maximum length of an answer that is compared with its schema."""

MAX_SECONDS = 1.0
"""Time of the processor that this may take: a few references in a schema can lead to millions of comparisons."""

MAX_UNIQUE_ITEMS = 1_000
"""Maximum length of an array whose items are compared with each other."""


class JsonAnswer:
    """The texts of one answer, each drawn in the current container: while it grows as code, then as a tree."""

    def __init__(self, schema: str, key: str) -> None:
        self._schema, self._key = schema, key
        self._count = 0
        self._text = ""
        self._place: DeltaGenerator | None = None

    def add(self, pieces: Iterable[Event]) -> None:
        """Draw more of the text."""
        self._place = self._place or st.empty()
        self._text += "".join(piece.text for piece in pieces if isinstance(piece, TextDelta))
        self._place.code(latest_part(self._text), language="json", wrap_lines=True)

    def end(self) -> None:
        """Draw the text that has ended, if there is one."""
        if self._place is None:
            return
        place, text = self._place, self._text
        self._count += 1
        self._place, self._text = None, ""
        with place.container():
            value = parse_json(text)
            if not isinstance(value, dict | list):
                st.markdown(_sanitize(text))
                _draw_mark(False, _("This answer is not JSON, although JSON was requested."))
                return
            if count_values(text) > MAX_TREE_VALUES or is_too_deep(value):
                draw_text(format_json(value), "answer", f"{self._key}-{self._count}", "json")
            else:
                st.json(value, expanded=2)
            _draw_verdict(value, text, self._schema)


def _sanitize(text: str) -> str:
    sanitizer = MarkdownSanitizer()
    return sanitizer.feed(text) + sanitizer.flush()


def _draw_verdict(value: Any, text: str, schema: str) -> None:
    if not schema:
        _draw_mark(True, _("Valid JSON"))
        return
    if len(text) > MAX_CHECKED_CHARS or len(schema) > MAX_SCHEMA_CHARS:
        _draw_mark(True, _("Valid JSON. It is too long to be compared with the schema."))
        return
    problem = find_problem(value, parse_json(schema))
    if problem is None:
        _draw_mark(True, _("Fits the schema"))
    else:
        _draw_mark(False, _("Does not fit the schema: {problem}", problem=problem))


def _draw_mark(fits: bool, text: str) -> None:
    icon = ":green[:material/check_circle:]" if fits else ":red[:material/error:]"
    st.markdown(f"{icon} :small[{escape_markdown(text)}]")


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
        is_plain = (
            "patternProperties" not in schema
        )  # else which are additional depends on regular expressions
        return every["additionalProperties"](validator, keyword, value, schema) if is_plain else ()

    def unique_items(validator: Any, keyword: Any, value: Any, schema: Any) -> Any:
        is_quick = isinstance(value, list) and len(value) <= MAX_UNIQUE_ITEMS  # each is compared with each
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
