"""What a server refuses of a request: it is left out once a refusal names it, and so is a chat's option from then on."""

import json
import re
from collections.abc import Callable
from typing import Any

from assistant.backends.json_access import JsonObject
from assistant.errors import RequestRefused, ServerFailed
from assistant.events import Note
from assistant.locale import N_
from assistant.tools.task_handles import without_background

_PATTERNS = {
    "reasoning_effort": r"\breasoning_effort(\b|_)",
    "reasoning": r"\breasoning(\b|_)",  # a gateway says reasoning_effort
    "stream_options": r"\bstream_options(\b|_)",
    "truncation": r"\btruncation(\b|_)",
    "background": r"\bbackground(\b|_)",
    "parallel_tool_calls": r"\bparallel_tool_calls(\b|_)",
    "temperature": r"\btemperature(\b|_)",
    "text.verbosity": r"\bverbosity\b|'text'",
    "verbosity": r"\bverbosity\b",
    "text.format": r"\btext\.format\b|\bresponse_format\b|\bjson_(schema|object)\b|'text'",
    "response_format": r"\bresponse_format\b|\bjson_(schema|object)\b",
    "tool_choice": r"\btool_choice\b|\ballowed_tools\b",
    "service_tier": r"\bservice[_ ]tier\b",
    "prompt_cache_options": r"\bprompt_cache_options\b|\bcomparison_response_id\b",
    "max_output_tokens": r"\bmax_output_tokens\b",
    "max_tokens": r"\bmax_tokens\b",
}
"""The fields of a request that a server may do without, each with the words that name it in a refusal."""

_OPTIONS = {
    "reasoning.effort": "effort",
    "reasoning_effort": "effort",
    "reasoning.summary": "summary",
    "text.verbosity": "verbosity",
    "verbosity": "verbosity",
    "text.format": "text_format",
    "response_format": "text_format",
    "tool_choice": "tool_choice",
    "parallel_tool_calls": "parallel_calls",
    "service_tier": "service_tier",
    "prompt_cache_options": "cache_diagnostics",
    "max_output_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "max_completion_tokens": "max_output_tokens",
}
"""The fields of a request that are options of a chat, with the names of the options."""

_REFUSED = (400, 422)

Body = Callable[[], JsonObject]
"""Returns the body of a request as the settings alone would have it."""


class RefusedOptions:
    """What one server has refused of the options of its chats, by model, field and value."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[str, str, str], str] = {}

    def leave_out(self, body: JsonObject, settings: Body) -> JsonObject:
        """Return the body without what was refused before."""
        for path in _OPTIONS:
            while self._reason(body, path):
                body = _with(body, path, _other_value(body, path, settings()))
        return body

    def reasons(self, body: JsonObject) -> dict[str, str]:
        """Return why the server has refused parts of this body, by the names of the options."""
        found = ((option, self._reason(body, path)) for path, option in _OPTIONS.items())
        return {option: reason for option, reason in found if reason}

    def without_parameter(
        self, body: JsonObject, settings: Body, refusal: RequestRefused
    ) -> tuple[JsonObject, Note] | None:
        """Return the request's body without the refused parameter, and a note; None if the refusal names none."""
        if refusal.details is None or refusal.details.status not in _REFUSED:
            return None
        message = refusal_words(refusal)
        # OpenAI's newest models accept functions in Chat Completions only without reasoning.
        if re.search(r"function tools? with reasoning", message, re.IGNORECASE):
            if body.get("reasoning_effort") == "none":
                return None
            return body | {"reasoning_effort": "none"}, _note("reasoning", None)
        if (limit := "max_completion_tokens") in body and limit in message:
            others = {key: value for key, value in body.items() if key != limit}
            return others | {"max_tokens": body[limit]}, _note(limit, None)  # the limit's older name
        for path, pattern in _PATTERNS.items():
            if (value := _value(body, path)) is not None and re.search(pattern, message):
                if path.startswith("max_") and _limit(settings()) == value:
                    return None  # it is the owner's limit
                is_remembered = self._remember(body, path, refusal)
                fallback = self._fallback(body, path, settings)
                note = _note(path, fallback) if is_remembered else _note_once(path, refusal)
                return _with(body, path, fallback), note
        if re.search(r"\bstrict\b", message) and any(tool.get("strict") for tool in body.get("tools", [])):
            tools = [{**tool, "strict": False} for tool in body["tools"]]
            return body | {"tools": tools}, _note("strict", None)
        return None

    def without_summary(
        self, body: JsonObject, settings: Body, refusal: RequestRefused | ServerFailed
    ) -> tuple[JsonObject, Note] | None:
        """Return the request's body without its reasoning summary, and a note; None if the refusal is about another.

        OpenAI has none for an organization that is not verified, and some servers fail at a field that they do not
        know.
        """
        path = "reasoning.summary"
        if _value(body, path) is None or not re.search(
            r"\breasoning(?!\.effort)|summar", refusal_words(refusal)
        ):
            return None
        self._remember(body, path, refusal)
        message = refusal.details.message if refusal.details else ""
        text = N_("The server does not summarize the model's reasoning: {why}", why=message)
        return _with(body, path, self._fallback(body, path, settings)), Note(text)

    def _remember(self, body: JsonObject, path: str, refusal: RequestRefused | ServerFailed) -> bool:
        """Remember what was refused, unless only the words of this message rule it out; return whether it was."""
        # Such as JSON mode without the word "json".
        if getattr(refusal.__cause__, "param", None) == "input":
            return False
        path = "reasoning.effort" if path == "reasoning" else path
        reason = refusal.details.message if refusal.details else ""
        self._reasons[_key(body, path)] = reason or refusal.text
        return True

    def _fallback(self, body: JsonObject, path: str, settings: Body) -> Any:
        """Return what the settings send in place of a refused value; None for nothing."""
        if path == "reasoning" and _value(body, "reasoning.effort") == _value(settings(), "reasoning.effort"):
            return None
        return _other_value(body, path, self.leave_out(settings(), settings))

    def _reason(self, body: JsonObject, path: str) -> str:
        return self._reasons.get(_key(body, path), "") if _value(body, path) is not None else ""


def without_refused_async(body: JsonObject, refusal: RequestRefused) -> tuple[JsonObject, Note] | None:
    """Return the request's body with ordinary functions only, and a note; None if the refusal is about another."""
    is_offered = any(tool.get("async") for tool in body["tools"])
    is_refusal = refusal.details is not None and refusal.details.status in _REFUSED
    if not (is_offered and is_refusal and re.search(r"\basync\b", refusal_words(refusal))):
        return None
    note = Note(N_("The model cannot go on while a function runs, so it waits for each result."))
    return body | {"tools": without_background(body["tools"])}, note


def _key(body: JsonObject, path: str) -> tuple[str, str, str]:
    value = _value(body, path)
    if path == "prompt_cache_options":
        value = None  # another response each time
    # A summary that the server chooses by itself is refused for the whole account.
    model = "" if (path, value) == ("reasoning.summary", "auto") else str(body.get("model"))
    return model, path, json.dumps(value, sort_keys=True)


def _other_value(body: JsonObject, path: str, settings: JsonObject) -> Any:
    """Return the settings' value at a path; None if it is the same or there is none."""
    other = _limit(settings) if path.startswith("max_") else _value(settings, path)
    return None if other == _value(body, path) else other


def _limit(settings: JsonObject) -> Any:
    return settings.get("max_output_tokens") or settings.get("max_completion_tokens")


def _value(body: JsonObject, path: str) -> Any:
    holder, _, name = path.rpartition(".")
    fields = body.get(holder, {}) if holder else body
    return fields.get(name)


def _with(body: JsonObject, path: str, value: Any) -> JsonObject:
    """Return the body with another value at a path, or without the field for None."""
    holder, _, name = path.rpartition(".")
    fields = {key: each for key, each in (body.get(holder, {}) if holder else body).items() if key != name}
    if value is not None:
        fields[name] = value
    if not holder:
        return fields
    return _with(body, holder, fields or None)


def refusal_words(refusal: RequestRefused | ServerFailed) -> str:
    """Return the parameter that a refusal names and its message, without the types of items ("reasoning")."""
    message = refusal.details.message if refusal.details else ""
    return re.sub(r"\bof type '\w+'", "", f"{getattr(refusal.__cause__, 'param', '')} {message}")


def _note_once(name: str, refusal: RequestRefused) -> Note:
    why = refusal.details.message if refusal.details else ""
    return Note(N_("The server did not accept {name} for this message: {why}", name=name, why=why))


def _note(name: str, value: object) -> Note:
    if value is not None:
        return Note(
            N_("The model rejected the parameter {name}. The request was sent as in the settings.", name=name)
        )
    return Note(N_("The model rejected the parameter {name}. The request was sent without it.", name=name))
