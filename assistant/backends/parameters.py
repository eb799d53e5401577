"""Drop a parameter that the model does not accept, once a refusal names it."""

import re

from assistant.backends.json_access import JsonObject
from assistant.errors import RequestRefused, ServerFailed
from assistant.events import Note
from assistant.locale import N_
from assistant.tools.task_handles import without_background

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


def without_refused_parameter(body: JsonObject, refusal: RequestRefused) -> tuple[JsonObject, Note] | None:
    """Return the request's body without the refused parameter, and a note; None if the refusal names none."""
    if refusal.details is None or refusal.details.status not in _REFUSED:
        return None
    message = _words(refusal)
    # OpenAI's newest models accept functions in Chat Completions only without reasoning.
    if re.search(r"function tools? with reasoning", message, re.IGNORECASE):
        if body.get("reasoning_effort") == "none":
            return None
        return body | {"reasoning_effort": "none"}, _note("reasoning")
    if "max_completion_tokens" in body and "max_completion_tokens" in message:  # the older name of the limit
        others = {key: value for key, value in body.items() if key != "max_completion_tokens"}
        return others | {"max_tokens": body["max_completion_tokens"]}, _note("max_completion_tokens")
    for name in _OPTIONAL:
        if name in body and re.search(rf"\b{name}(\b|_)", message):  # a gateway says reasoning_effort
            return {key: value for key, value in body.items() if key != name}, _note(name)
    if re.search(r"\bstrict\b", message) and any(tool.get("strict") for tool in body.get("tools", [])):
        return body | {"tools": [{**tool, "strict": False} for tool in body["tools"]]}, _note("strict")
    return None


def without_refused_summary(
    body: JsonObject, refusal: RequestRefused | ServerFailed
) -> tuple[JsonObject, Note] | None:
    """Return the request's body without its reasoning summary, and a note; None if the refusal is about another.

    OpenAI has none for an organization that is not verified, and some servers fail at a field that they do not know.
    """
    reasoning = body.get("reasoning", {})
    if "summary" not in reasoning or not re.search(r"\breasoning(?!\.effort)|summar", _words(refusal)):
        return None
    effort = {name: value for name, value in reasoning.items() if name != "summary"}
    others = {name: value for name, value in body.items() if name != "reasoning"}
    message = refusal.details.message if refusal.details else ""
    text = N_("The server does not summarize the model's reasoning: {why}", why=message)
    return others | ({"reasoning": effort} if effort else {}), Note(text)


def without_refused_async(body: JsonObject, refusal: RequestRefused) -> tuple[JsonObject, Note] | None:
    """Return the request's body with ordinary functions only, and a note; None if the refusal is about another."""
    is_offered = any(tool.get("async") for tool in body["tools"])
    is_refusal = refusal.details is not None and refusal.details.status in _REFUSED
    if not (is_offered and is_refusal and re.search(r"\basync\b", _words(refusal))):
        return None
    note = Note(N_("The model cannot go on while a function runs, so it waits for each result."))
    return body | {"tools": without_background(body["tools"])}, note


def _words(refusal: RequestRefused | ServerFailed) -> str:
    """Return the parameter that a refusal names and its message, without the types of items ("reasoning")."""
    message = refusal.details.message if refusal.details else ""
    return re.sub(r"\bof type '\w+'", "", f"{getattr(refusal.__cause__, 'param', '')} {message}")


def _note(name: str) -> Note:
    return Note(N_("The model rejected the parameter {name}. The request was sent without it.", name=name))
