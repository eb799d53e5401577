"""Parameters that a model refuses: left out by default, and taken back when a server names one.

Not here: sending. Pure.

The one rule: a request is changed only by what its refusal names, and what was changed is said.
"""

import re
from typing import Any

import openai

from assistant.errors import RequestRefused
from assistant.events import Note
from assistant.locale import N_

Request = dict[str, Any]

_OPTIONAL = (
    "reasoning_effort",
    "reasoning",
    "stream_options",
    "truncation",
    "background",
    "parallel_tool_calls",
    "temperature",
)
_REFUSED = (400, 422)


def without_refused(request: Request, refusal: RequestRefused) -> tuple[Request, Note] | None:
    """The request without the parameter that was refused, and what to say of it; None if none was named."""
    cause = refusal.__cause__
    if not isinstance(cause, openai.APIStatusError) or cause.status_code not in _REFUSED:
        return None
    words = f"{cause.param or ''} {cause.message}"
    # OpenAI's newest models take functions in Chat Completions only where they do not reason.
    if re.search(r"function tools? with reasoning", words, re.IGNORECASE):
        if request.get("reasoning_effort") == "none":
            return None
        return request | {"reasoning_effort": "none"}, _note("reasoning")
    for name in _OPTIONAL:
        if name in request and re.search(rf"\b{name}\b", words):
            return {key: value for key, value in request.items() if key != name}, _note(name)
    if re.search(r"\bstrict\b", words) and any(_strict(tool) for tool in request.get("tools", [])):
        return request | {"tools": [_lenient(tool) for tool in request["tools"]]}, _note("strict")
    return None


def _note(name: str) -> Note:
    return Note(N_("The model does not take the parameter {name}; it was asked without it.", name=name))


def _strict(tool: Request) -> bool:
    return bool(tool.get("strict"))


def _lenient(tool: Request) -> Request:
    return {**tool, "strict": False}
