"""Run the calls of one round, side by side, or do with them what a person decided.

Not here: deciding whether there is another round (``run.py``) or sending results (``backends/``).

The one rule: everything a call does ends in a result. Only a ``ToolError``'s own text reaches the model;
what any other exception says is kept for the person.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from queue import Empty, SimpleQueue
from traceback import format_exception_only
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json, to_jsonable_python

from assistant.errors import ToolError
from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Decision,
    Outcome,
    ToolCall,
    ToolProgress,
    ToolResult,
)
from assistant.tools.progress import heard_by
from assistant.tools.toolbox import Tool, Toolbox
from assistant.tools.views import taken_apart

log = logging.getLogger(__name__)

OUTPUT_LIMIT = 40_000
"""Characters of an output that the model is given; about 10,000 tokens."""

ALLOWED = "allowed"
"""The output of a call of a remote server's tool that may be run there."""

PROGRESS_EVERY = 0.1
"""Seconds between two looks at how far the functions are that say so."""


def execute(
    calls: Sequence[ToolCall], toolbox: Toolbox, time_limit: float
) -> Iterator[ToolProgress | ToolResult]:
    """Run the calls on a thread each and yield their results in the order in which they land.

    In between it yields what running functions say of how far they are, the newest of each.

    A function that is not back after its time limit (its own, or ``time_limit``; in seconds) gets the
    outcome ``timeout`` and is left behind on its thread: Python cannot end it. Closing this generator
    leaves all of them behind.
    """
    landed: SimpleQueue[tuple[int, ToolResult]] = SimpleQueue()
    limits: list[float] = []
    deadlines: dict[int, float] = {}  # by position: a careless server gives two calls the same id
    said: dict[int, ToolProgress] = {}

    def work(index: int, call: ToolCall) -> None:
        def hear(text: str, share: float | None) -> None:
            said[index] = ToolProgress(call.call_id, text, share)

        with heard_by(hear):
            landed.put((index, answer(call, toolbox)))

    for index, call in enumerate(calls):
        found = toolbox.get(call.name)
        limits.append(time_limit if found is None or found.timeout is None else found.timeout)
        deadlines[index] = time.monotonic() + limits[index]
        # Daemon threads: one that never comes back must not keep the application from ending.
        threading.Thread(
            target=work,
            args=[index, call],
            name=f"function {call.name}",
            daemon=True,
        ).start()
    while deadlines:
        patience = min(deadlines.values()) - time.monotonic()
        try:
            index, result = landed.get(timeout=min(max(0.0, patience), PROGRESS_EVERY))
        except Empty:
            yield from (said.pop(index) for index in list(said) if index in deadlines)
            if patience > PROGRESS_EVERY:
                continue
            index = min(deadlines, key=lambda index: deadlines[index])
            result = timed_out(calls[index].call_id, limits[index])
        if deadlines.pop(index, None) is not None:
            yield result


def apply_decisions(
    decided: Sequence[tuple[ToolCall, Decision]], toolbox: Toolbox, time_limit: float
) -> Iterator[ToolProgress | ToolResult]:
    """Do with each call what a person decided, and yield the results; ``execute`` runs those approved.

    In the server's history a call keeps the arguments that the model wrote, so where a person changed
    them the output says so.
    """
    approved: list[ToolCall] = []
    changed: dict[str, str] = {}
    for call, decision in decided:
        match decision:
            case CallApproved(call_id) if call.server:
                yield ToolResult(call_id, ALLOWED)
            case CallAnswered(call_id, output) if call.server:  # there is no way to tell the server
                yield denied(call_id, output)
            case CallApproved(call_id, arguments):
                approved.append(replace(call, arguments=arguments or call.arguments))
                changed[call_id] = arguments
            case CallDenied(call_id, reason):
                yield denied(call_id, reason)
            case CallAnswered(call_id, output):
                shown, whole = shorten(replace_surrogates(output))
                yield ToolResult(call_id, shown, "done", whole)
    for event in execute(approved, toolbox, time_limit):
        arguments = changed[event.call_id]
        yield _told_of_change(event, arguments) if arguments and isinstance(event, ToolResult) else event


def answer(call: ToolCall, toolbox: Toolbox) -> ToolResult:
    """Run one call here and now; whatever happens, there is a result."""
    began = time.perf_counter()

    def failed(outcome: Outcome, text: str, detail: str = "") -> ToolResult:
        shown, whole = shorten(replace_surrogates(text))
        seconds = time.perf_counter() - began
        return ToolResult(
            call.call_id, error_output(shown), outcome, replace_surrogates(detail) or whole, seconds
        )

    found = toolbox.get(call.name)
    if found is None:
        names = ", ".join(toolbox) or "none"
        return failed("unknown", f"There is no function '{call.name}'. There are: {names}.")
    try:
        value = found.run(fit(found, call.arguments))
        if isinstance(value, ToolResult):  # a function of a tape knows how its call ended
            return replace(value, call_id=call.call_id, seconds=time.perf_counter() - began)
        told, views = taken_apart(value)
        output = "\n\n".join(map(as_text, told))
    except InvalidArguments as error:
        return failed("invalid", str(error))
    except ToolError as error:
        return failed("failed", str(error))
    except BaseException as error:  # SystemExit from a function must not vanish with its thread
        log.exception("the function %s failed", call.name)
        return failed(
            "failed",
            f"The function '{call.name}' failed. It may work with other arguments, or not at all.",
            "".join(format_exception_only(error)).strip(),
        )
    shown, detail = shorten(output)
    return ToolResult(call.call_id, shown, "done", detail, time.perf_counter() - began, views)


class InvalidArguments(Exception):
    """Arguments that a function does not take; its text says why, in words for the model or the person."""


def fit(tool: Tool[..., Any], arguments: str) -> dict[str, Any]:
    """The keyword arguments for a function that this JSON text holds.

    Raises:
        Misfit: It is no JSON, or does not fit the function's parameters.
    """
    try:
        value = parse_arguments(arguments)
    except ValueError as error:
        raise InvalidArguments(f"The arguments are not valid JSON: {error}.") from error
    try:
        return tool.bind(value)
    except ValidationError as error:
        raise InvalidArguments(_in_words(error)) from error


def edited(written: str, text: str) -> str:
    """The arguments that a person put into ``text``; nothing if they say the same as those ``written``."""
    if text.strip() == written.strip():
        return ""
    try:
        value = parse_arguments(text)
    except ValueError:
        return text
    try:
        if _canonical(parse_arguments(written)) == _canonical(value):
            return ""
    except ValueError:
        pass
    return json.dumps(value, ensure_ascii=False)


def parse_arguments(text: str) -> Any:
    """The JSON value of a call's arguments; nothing at all, and ``null``, mean no arguments."""
    value = from_json(replace_surrogates(text)) if text.strip() else {}
    return {} if value is None else value


def as_text(value: Any) -> str:
    """What the model reads of a function's return value: text as it is, everything else as JSON."""
    if isinstance(value, str):
        return replace_surrogates(value)
    plain = to_jsonable_python(value, fallback=str)
    try:
        return to_json(plain, inf_nan_mode="strings").decode()
    except PydanticSerializationError:  # half a surrogate pair somewhere inside: escaped, it can be sent
        return json.dumps(plain)


def replace_surrogates(text: str) -> str:
    """The text without halves of surrogate pairs, which no connection carries."""
    return text.encode("utf-8", "replace").decode()


def valid_arguments(arguments: str) -> str:
    """The arguments of a call as they can be told again: what is no JSON object becomes an empty one.

    Some servers read them, and fail for as long as they are told something else (llama.cpp).
    """
    try:
        is_object = isinstance(from_json(replace_surrogates(arguments)), dict)
    except (ValueError, RecursionError):
        is_object = False
    return replace_surrogates(arguments) if is_object else "{}"


def shorten(output: str) -> tuple[str, str]:
    """The output for the model, and the whole of it for the person where that is more."""
    if len(output) <= OUTPUT_LIMIT:
        return output, ""
    note = f"\n[cut here: the output has {len(output):,} characters, these are the first {OUTPUT_LIMIT:,}]"
    return output[:OUTPUT_LIMIT] + note, output


def error_output(text: str) -> str:
    """How the model is told of an error; ``is_error_output`` recognises it in a recalled thread."""
    return json.dumps({"error": text}, ensure_ascii=False)


def is_error_output(output: str) -> bool:
    """Whether this text came from ``error_output``."""
    try:
        value = json.loads(output)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and list(value) == ["error"] and isinstance(value["error"], str)


def stopped(call_id: str) -> ToolResult:
    """The result of a call that nobody waits for any more."""
    return ToolResult(
        call_id,
        error_output("The answer was stopped or interrupted before this function gave a result."),
        "stopped",
    )


def denied(call_id: str, reason: str = "") -> ToolResult:
    """The result of a call that a person did not let run."""
    shown, whole = shorten(replace_surrogates(reason.strip()))
    why = f" They say: {shown}" if shown else ""
    output = error_output(f"The person did not allow this call, so the function was not run.{why}")
    return ToolResult(call_id, output, "denied", whole)


def undecided(call_id: str) -> ToolResult:
    """The result of a call that waited for a person who went on without it."""
    text = "The person was asked to allow this call, and wrote something else instead. It was not run."
    return ToolResult(call_id, error_output(text), "denied")


def timed_out(call_id: str, seconds: float) -> ToolResult:
    """The result of a call that took too long."""
    return ToolResult(
        call_id,
        error_output(f"The function gave no result within {seconds:g} seconds and was given up."),
        "timeout",
        seconds=seconds,
    )


def _told_of_change(result: ToolResult, arguments: str) -> ToolResult:
    note = f"The person changed the arguments to {shorten(arguments)[0]}."
    if is_error_output(result.output):
        return replace(result, output=error_output(f"{note} {json.loads(result.output)['error']}"))
    return replace(result, output=f"{note}\n\n{result.output}")


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _in_words(error: ValidationError) -> str:
    """A validation error in words that a model can act on."""
    lines = []
    for each in error.errors(include_url=False, include_context=False):
        place = ".".join(str(step) for step in each["loc"]) or "arguments"
        lines.append(f"{place}: {each['msg']}")
    return "The arguments do not fit the function. " + "; ".join(lines) + "."
