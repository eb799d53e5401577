"""Run the calls of one round in parallel, or apply a user's decisions to them.

Every call ends in a result. The model reads the text of a ``ToolError``; the text of any other exception is
kept for the log and the user.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from traceback import format_exception_only

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
from assistant.texts import replace_surrogates
from assistant.tools.arguments import InvalidArguments, validate_arguments
from assistant.tools.progress import progress_listener
from assistant.tools.results import (
    ALLOWED_OUTPUT,
    denied_result,
    error_output,
    timeout_result,
    to_output,
    truncate_output,
    with_changed_arguments,
)
from assistant.tools.toolbox import Toolbox
from assistant.tools.views import split_result

log = logging.getLogger(__name__)

MAX_CALLS = 200  # maximum number of functions that one round runs, each on a thread
MAX_FUNCTIONS = 600  # maximum number of functions that run in this process at once, abandoned ones included
PROGRESS_INTERVAL_SECONDS = 0.1  # minimum time between two progress events of one call

_slots = threading.BoundedSemaphore(MAX_FUNCTIONS)


def execute(
    calls: Sequence[ToolCall], toolbox: Toolbox, timeout: float
) -> Iterator[ToolProgress | ToolResult]:
    """Run each call on its own thread; yield results as they complete, and the latest progress in between.

    A function that exceeds its time limit (its own, or ``timeout``; in seconds) gets the outcome
    ``timeout`` and is abandoned on its thread, because Python cannot stop a thread. Closing the generator
    abandons all of them. Calls after the first ``MAX_CALLS`` are not run, and none while ``MAX_FUNCTIONS`` run.
    """
    for call in calls[MAX_CALLS:]:
        text = f"Not run: at most {MAX_CALLS} functions run at once. Call it again in the next round."
        yield ToolResult(call.call_id, error_output(text), "failed")
    calls = calls[:MAX_CALLS]
    completed: SimpleQueue[tuple[int, ToolResult]] = SimpleQueue()
    limits: dict[int, float] = {}
    deadlines: dict[int, float] = {}  # by position: a faulty server can send the same id twice
    latest: dict[int, ToolProgress] = {}

    def on_result(index: int, result: ToolResult) -> None:
        completed.put((index, result))

    for index, call in enumerate(calls):
        if not _slots.acquire(blocking=False):
            text = "Not run: too many functions are running in this application. Call it again later."
            yield ToolResult(call.call_id, error_output(text), "failed")
            continue
        tool = toolbox.get(call.name)
        limits[index] = timeout if tool is None or tool.timeout is None else tool.timeout
        deadlines[index] = time.monotonic() + limits[index]
        on_progress = partial(latest.__setitem__, index)
        start_call(call, toolbox, _slots, on_progress, partial(on_result, index))
    while deadlines:
        remaining = min(deadlines.values()) - time.monotonic()
        try:
            index, result = completed.get(timeout=min(max(0.0, remaining), PROGRESS_INTERVAL_SECONDS))
        except Empty:
            yield from (latest.pop(index) for index in list(latest) if index in deadlines)
            if remaining > PROGRESS_INTERVAL_SECONDS:
                continue
            index = min(deadlines, key=lambda index: deadlines[index])
            result = timeout_result(calls[index].call_id, limits[index])
        if deadlines.pop(index, None) is not None:
            yield result


def start_call(
    call: ToolCall,
    toolbox: Toolbox,
    slots: threading.Semaphore,
    on_progress: Callable[[ToolProgress], None],
    on_result: Callable[[ToolResult], None],
) -> None:
    """Run a call on a thread of its own, and then release the slot that the caller has acquired for it."""

    def report(text: str, share: float | None) -> None:
        on_progress(ToolProgress(call.call_id, text, share))

    def run() -> None:
        try:
            with progress_listener(report):
                on_result(run_tool(call, toolbox))
        finally:
            slots.release()

    # A daemon: a function that never returns must not keep the process alive.
    threading.Thread(target=run, name=f"function {call.name}", daemon=True).start()


def apply_decisions(
    decided: Sequence[tuple[ToolCall, Decision]], toolbox: Toolbox, timeout: float
) -> Iterator[ToolProgress | ToolResult]:
    """Apply the user's decision to each call and yield the results; ``execute`` runs the approved ones.

    The server's history keeps the arguments that the model wrote, so the output mentions changed ones.
    """
    approved: list[ToolCall] = []
    changed: dict[str, str] = {}
    for call, decision in decided:
        match decision:
            case CallApproved(call_id) if call.server:
                yield ToolResult(call_id, ALLOWED_OUTPUT)
            case CallAnswered(call_id, output) if call.server:  # an MCP approval has no output field
                yield denied_result(call_id, output)
            case CallApproved(call_id, arguments):
                approved.append(replace(call, arguments=arguments or call.arguments))
                changed[call_id] = arguments
            case CallDenied(call_id, reason):
                yield denied_result(call_id, reason)
            case CallAnswered(call_id, output):
                shown, whole = truncate_output(replace_surrogates(output))
                yield ToolResult(call_id, shown, "done", whole)
    for event in execute(approved, toolbox, timeout):
        arguments = changed[event.call_id]
        if arguments and isinstance(event, ToolResult):
            yield with_changed_arguments(event, arguments)
        else:
            yield event


def run_tool(call: ToolCall, toolbox: Toolbox) -> ToolResult:
    """Run one call on this thread and return its result; no exception leaves this function."""
    started = time.perf_counter()

    def failed(outcome: Outcome, text: str, detail: str = "") -> ToolResult:
        shown, whole = truncate_output(replace_surrogates(text))
        detail = replace_surrogates(detail) or whole
        return ToolResult(call.call_id, error_output(shown), outcome, detail, time.perf_counter() - started)

    tool = toolbox.get(call.name)
    if tool is None:
        names = ", ".join(toolbox) or "none"
        return failed("unknown", f"There is no function '{call.name}'. Available functions: {names}.")
    try:
        value = tool.run(validate_arguments(tool, call.arguments))
        if isinstance(value, ToolResult):  # a replayed function returns its recorded result
            return replace(value, call_id=call.call_id, seconds=time.perf_counter() - started)
        parts, views = split_result(value)
        output = "\n\n".join(map(to_output, parts))
    except InvalidArguments as error:
        return failed("invalid", str(error))
    except ToolError as error:
        return failed("failed", str(error))
    except BaseException as error:  # also SystemExit, which would otherwise end the thread without a result
        log.exception("The function %s failed", call.name)
        text = f"The function '{call.name}' failed. It may work with other arguments, or not at all."
        return failed("failed", text, "".join(format_exception_only(error)).strip())
    shown, detail = truncate_output(output)
    return ToolResult(call.call_id, shown, "done", detail, time.perf_counter() - started, views)
