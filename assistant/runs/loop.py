"""The loop: ask the model, run the functions it calls, send their results, until the model is done.

There are no threads and no clocks here: ``worker`` drains a run, ``assistant.tools`` runs functions, and a backend
speaks to a server.
"""

import logging
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from typing import Protocol

from assistant.backends.base import Backend
from assistant.errors import BackendError, Incomplete
from assistant.events import (
    Decision,
    Ending,
    Event,
    FormatRequested,
    Note,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    ThreadOpened,
    ToolCall,
)
from assistant.locale import N_
from assistant.request_options import RequestOptions
from assistant.runs.rounds import Rounds
from assistant.runs.run import STEERED, Events
from assistant.threads import Thread
from assistant.tools.background import background_jobs, lost_results
from assistant.tools.execution import apply_decisions, execute
from assistant.tools.task_handles import WAIT_NAME
from assistant.tools.toolbox import Toolbox

log = logging.getLogger(__name__)


class Setup(Protocol):
    """What the loop reads of an ``Assistant``, which says what each is."""

    backend: Backend
    toolbox: Toolbox
    max_rounds: int
    tool_timeout: float
    fixed_options: Collection[str]
    is_steered: Callable[[Thread], bool]

    def needs_approval(self, name: str) -> bool: ...


class Loop:
    """Answers a thread once; the answer is its last message.

    ``resumed`` says that the first response continues one that another process has started. ``decided`` are the
    open calls that the user has decided on.
    """

    def __init__(
        self,
        assistant: Setup,
        thread: Thread,
        *,
        resumed: bool = False,
        decided: Sequence[tuple[ToolCall, Decision]] = (),
    ) -> None:
        self._assistant, self._thread, self._message = assistant, thread, thread.messages[-1]
        self._resumed, self._decided = resumed, decided
        self._jobs = background_jobs(thread)

    def events(self) -> Events:
        """Yield the events of the run; an error becomes its ending."""
        with closing(self._rounds()) as rounds:
            try:
                for event in rounds:
                    if isinstance(event, ThreadOpened) and self._thread.id:
                        continue  # a thread keeps its first id
                    yield event
            except GeneratorExit:
                if self._message.ending is None:  # cancelled, not just done
                    self._jobs.stop([call.call_id for call in self._message.open_calls])
                raise
            except Incomplete as limit:
                yield RunStopped(limit.reason, limit.text)
            except BackendError as error:
                yield RunFailed(error.code, error.text, error.retry, error.retry_after, error.details)
            except Exception as error:
                log.exception("a run failed unexpectedly")
                text = N_(
                    "Something went wrong in this application ({reason}). See its log for details.",
                    reason=type(error).__name__,
                )
                yield RunFailed("internal", text)

    def _rounds(self) -> Events:
        assistant, jobs = self._assistant, self._jobs
        yield from lost_results(self._thread)
        yield from (decision for _, decision in self._decided)
        yield from apply_decisions(self._decided, assistant.toolbox, assistant.tool_timeout)
        if ending := self._ending_between_rounds():
            yield ending
            return
        rounds = Rounds(self._message, self._resumed)
        for number in range(rounds.first, assistant.max_rounds + 1):
            yield RoundStarted(number, self._resumed and number == rounds.first)
            calls = yield from self._respond()
            if not calls and (jobs.news or (yield from jobs.wait())) and not self._is_steered:
                yield _continued_with(jobs.news)
                continue
            if not calls:
                yield RunCompleted()
                return
            if name := rounds.repeated_function(calls):
                text = N_(
                    "Stopped: {function} was called again and again with the same arguments.", function=name
                )
                yield RunStopped("repeated_call", text)
                return
            was_released = yield from self._run_calls(calls)
            if ending := self._ending_between_rounds(was_released):
                yield ending
                return
        text = N_("Stopped after {count} rounds of function calls.", count=assistant.max_rounds)
        yield RunStopped("max_rounds", text)

    def _ending_between_rounds(self, was_released: bool = False) -> Ending | None:
        """Return the ending of a run that does not send the results of its calls by itself."""
        if self._message.undecided_calls:
            return RunPaused()
        if self._message.calls and self._is_steered:
            return STEERED
        return RunCompleted() if was_released else None

    def _respond(self) -> Generator[Event, None, list[ToolCall]]:
        """Request one response, run its background calls beside it, and return its other calls."""
        assistant, thread, options = self._assistant, self._thread, self._options
        if (wanted := _requested_format(options)) and wanted != self._message.format:
            yield wanted
        response = assistant.backend.stream(thread, assistant.toolbox, options)
        return (yield from self._jobs.interleave(response, thread, self._allowed, assistant.needs_approval))

    def _run_calls(self, calls: Sequence[ToolCall]) -> Generator[Event, None, bool]:
        """Run the calls that need no decision; return whether the user ended a wait for background calls."""
        assistant = self._assistant
        automatic = [call for call in calls if not (call.server or assistant.needs_approval(call.name))]
        waits = [call for call in automatic if call.name == WAIT_NAME and WAIT_NAME not in assistant.toolbox]
        others = [call for call in automatic if call not in waits]
        yield from execute(others, self._allowed, assistant.tool_timeout)
        return (yield from self._jobs.answer_waits(waits, self._thread))

    @property
    def _is_steered(self) -> bool:
        return self._assistant.is_steered(self._thread)

    @property
    def _options(self) -> RequestOptions:
        """What the thread's next request changes; the user can change it while a run is going on."""
        return self._thread.options.without(self._assistant.fixed_options)

    @property
    def _allowed(self) -> Toolbox:
        """The functions that this thread's requests allow; not every server keeps to them."""
        return self._assistant.toolbox.only(self._options.functions)


def _requested_format(options: RequestOptions) -> FormatRequested | None:
    """Return the format of the answer that these options request; None for text, also while the schema is missing."""
    match options.text_format:
        case "json_object":
            return FormatRequested()
        case "json_schema" if options.schema:
            return FormatRequested(options.schema)
    return None


def _continued_with(functions: Sequence[str]) -> Note:
    """Return the note above the model's reply to results that came after its answer."""
    names = ", ".join(dict.fromkeys(functions))
    return Note(N_("Continued with the result of {functions}.", functions=names))
