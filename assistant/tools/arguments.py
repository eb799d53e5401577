"""Parse and validate the arguments that a model wrote for a call."""

import json
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from assistant.locale import N_, UserText
from assistant.texts import replace_surrogates
from assistant.tools.toolbox import Tool


class InvalidArguments(Exception):
    """Arguments do not match a function's parameters.

    As text it is for the model, and names each mismatch; ``text`` is for the user.
    """

    def __init__(self, message: str, text: UserText) -> None:
        super().__init__(message)
        self.text: UserText = text


def validate_arguments(tool: Tool[..., Any], arguments: str) -> dict[str, Any]:
    """Return the keyword arguments for a function from their JSON text.

    Raises:
        InvalidArguments: The text is not JSON or does not match the function's parameters.
    """
    try:
        value = parse_arguments(arguments)
    except ValueError as error:
        text = N_("The arguments are not valid JSON: {reason}.", reason=str(error))
        raise InvalidArguments(str(text), text) from error
    try:
        return tool.bind(value)
    except ValidationError as error:
        raise InvalidArguments(_describe(error), _describe_to_user(error)) from error


def parse_arguments(text: str) -> Any:
    """Return the JSON value of a call's arguments; an empty text and ``null`` mean ``{}``.

    Raises:
        ValueError: The text is not JSON.
    """
    value = from_json(replace_surrogates(text)) if text.strip() else {}
    return {} if value is None else value


def canonical_arguments(text: str) -> str:
    """Return arguments in a form in which equal ones are equal texts; a text that is not JSON stays as it is."""
    try:
        return json.dumps(parse_arguments(text), sort_keys=True)
    except ValueError:
        return text.strip()


def changed_arguments(original: str, edited: str) -> str:
    """Return the arguments as the user edited them, or "" if they are equal to the original ones."""
    if canonical_arguments(edited) == canonical_arguments(original):
        return ""
    try:
        return json.dumps(parse_arguments(edited), ensure_ascii=False)
    except ValueError:
        return edited


def valid_arguments(arguments: str) -> str:
    """Return the arguments if they are a JSON object, else ``{}``.

    Some servers (llama.cpp) parse the calls in a history and reject every request that has a broken one.
    """
    try:
        is_object = isinstance(from_json(replace_surrogates(arguments)), dict)
    except (ValueError, RecursionError):
        is_object = False
    return replace_surrogates(arguments) if is_object else "{}"


def _describe(error: ValidationError) -> str:
    """Return a validation error as one line that a model can act on."""
    return f"The arguments do not match the function's parameters. {_problems(_details(error))}."


def _describe_to_user(error: ValidationError) -> UserText:
    details = _details(error)
    if all(detail["type"] == "missing" for detail in details):
        return N_("Missing: {names}.", names=", ".join(map(_path, details)))
    return N_(
        "The arguments do not match the function's parameters. {problems}.", problems=_problems(details)
    )


def _details(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False)


def _problems(details: list[ErrorDetails]) -> str:
    return "; ".join(f"{_path(detail)}: {detail['msg']}" for detail in details)


def _path(detail: ErrorDetails) -> str:
    return ".".join(map(str, detail["loc"])) or "arguments"
