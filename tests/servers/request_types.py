"""Check requests against the SDK's types of their parameters."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParams
from openai.types.responses.response_create_params import ResponseCreateParams
from pydantic import TypeAdapter, ValidationError

RESPONSE, COMPLETION = ResponseCreateParams, CompletionCreateParams


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def problem_with(body: Any, kind: Any) -> str:
    """Return what the SDK's type does not allow in the body of a request, or "" if it is valid."""
    try:
        valid = _unfolded(_adapter(kind).validate_python(body))
    except ValidationError as error:
        return f"{error} in {str(body)[:1_000]}"
    return "" if valid == body else f"The type knows only {valid}, and not all of {body}."


def _unfolded(value: Any) -> Any:
    """Return a validated value with its iterables, which pydantic validates only while it reads them."""
    if isinstance(value, Mapping):
        return {name: _unfolded(each) for name, each in value.items()}
    if isinstance(value, str | bytes | int | float | None):
        return value
    return [_unfolded(each) for each in value]
