"""The loop: ask the model, run the functions it calls, send their results, until the model is done.

A run is a generator of events with exactly one ending; closing it cancels it. There are no threads and no
clocks here: ``worker`` drains a run, ``assistant.tools`` runs functions, and a backend speaks to a server.
"""

import logging
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from assistant.backends.base import Backend
from assistant.errors import BackendError, Incomplete
from assistant.events import (
    CallApproved,
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
    ToolResult,
)
from assistant.locale import N_
from assistant.messages import Message
from assistant.parts import Attachment
from assistant.request_options import RequestOptions
from assistant.runs.rounds import Rounds
from assistant.threads import Thread
from assistant.tools.arguments import changed_arguments
from assistant.tools.background import background_jobs
from assistant.tools.execution import apply_decisions, execute
from assistant.tools.results import lost_result, skipped_result, stopped_result
from assistant.tools.task_handles import WAIT_NAME
from assistant.tools.toolbox import Toolbox

log = logging.getLogger(__name__)

Events = Generator[Event, None, None]

STOPPED = RunStopped("user", N_("Stopped."))  # the ending of a run that the user stopped

STEERED = RunStopped("steered", N_("Continued below, with your message."))
"""The ending of a run whose last results go to the model with the user's next message."""

INTERRUPTED = RunFailed(
    "interrupted", N_("This answer was interrupted because the application stopped."), retry=True
)
"""The ending of a run whose process is gone."""


def stop_background_calls(thread: Thread, position: int = 0) -> None:
    """Stop the background calls of the messages from this position on; each gets a result."""
    calls = [call.call_id for message in thread.messages[position:] for call in message.open_calls]
    for call_id in background_jobs(thread).stop(calls):
        thread.add_result(stopped_result(call_id))


class Run(Iterator[Event]):
    """The events of one answer. Iterating folds each into the thread; closing cancels the run.

    ``events`` is the generator without the folding, for a consumer that folds by itself (``RunLog``).
    """

    def __init__(self, thread: Thread, message: Message, events: Events) -> None:
        self.thread, self.message, self.events = thread, message, events
        self._started = False

    def __next__(self) -> Event:
        self._started = True
        event = next(self.events)
        self.fold(event)
        return event

    def __del__(self) -> None:
        if self._started:  # a run that is dropped halfway is cancelled, as a generator is
            self.close()

    def fold(self, event: Event) -> None:
        """Fold an event into the thread; after the message's ending, events are ignored."""
        if self.message.ending is None and isinstance(event, ThreadOpened):
            self.thread.id = event.thread_id
        self.message.add(event)
        if isinstance(event, ToolResult):
            self.thread.add_result(event)  # of a background call in an earlier message

    def through(self, wrap: Callable[[Events], Events]) -> "Run":
        """Pass the events through ``wrap``, a generator function, and return the run."""
        self.events = wrap(self.events)
        return self

    def close(self) -> None:
        """Cancel the run; an answer without an ending gets ``STOPPED``."""
        self.events.close()
        self.message.add(STOPPED)


class Assistant:
    """A model behind a backend, and the functions that it may call.

    A run pauses for the user's decision on calls of functions with ``approval``; with ``approve_all`` it
    pauses on every call, including calls of functions that do not exist. ``fixed_options`` are the names of
    the ``RequestOptions`` that a thread may not change.

    Between two rounds, a run ends with ``STEERED`` if ``is_steered`` tells of its thread that a message of the
    user waits to be sent with the results.
    """

    def __init__(
        self,
        backend: Backend,
        toolbox: Toolbox,
        *,
        max_rounds: int = 10,
        tool_timeout: float = 30.0,
        approve_all: bool = False,
        fixed_options: Collection[str] = (),
        is_steered: Callable[[Thread], bool] = lambda thread: False,
    ) -> None:
        self.backend = backend
        self.toolbox = toolbox
        self.max_rounds = max_rounds
        self.tool_timeout = tool_timeout
        self.approve_all = approve_all
        self.fixed_options = fixed_options
        self.is_steered = is_steered

    def run(self, thread: Thread, text: str, attachments: Iterable[Attachment] = ()) -> Run:
        """Append the user's message to the thread and return the run that answers it."""
        thread.messages.append(Message.from_user(text, attachments))
        return self.resume(thread)

    def resume(self, thread: Thread) -> Run:
        """Return the run that answers the thread as it stands, or continues an unfinished answer."""
        _close_calls(thread)
        resumed = thread.is_unfinished
        if not resumed:
            if thread.messages and thread.messages[-1].is_empty:
                thread.messages.pop()  # a failed attempt without content is replaced
            thread.messages.append(Message("assistant"))
        return self._new_run(thread, resumed)

    def edit(self, thread: Thread, position: int, text: str) -> Run:
        """Replace the user's message at this position, in a new branch, and return the run that answers it.

        Attachments stay. If there is no user message at this position, nothing changes.
        """
        if not _has_message(thread, position, "user"):
            return _ended_run(thread)
        attachments = thread.messages[position].attachments
        _branch(thread, position)
        return self.run(thread, text, attachments)

    def regenerate(self, thread: Thread, position: int) -> Run:
        """Return the run that answers again in place of the answer at this position, in a new branch.

        If there is no answer at this position, nothing changes.
        """
        if not _has_message(thread, position, "assistant"):
            return _ended_run(thread)
        if not thread.messages[-1].is_empty or position < len(thread.messages) - 1:
            _branch(thread, position)  # an empty last answer is replaced by ``resume``
        return self.resume(thread)

    def decide(self, thread: Thread, decisions: Iterable[Decision]) -> Run:
        """Return the run that applies the user's decisions on open calls and continues the paused answer.

        It pauses again while calls are left without a decision. Decisions on calls that are no longer open
        are ignored.
        """
        if thread.is_unfinished:
            return self.mark_interrupted(thread)  # the process that applied earlier decisions is gone
        if not thread.is_paused:
            return _ended_run(thread)
        message = thread.messages[-1]
        by_id: dict[str, Decision] = {}
        for decision in decisions:
            by_id.setdefault(decision.call_id, decision)
        decided: list[tuple[ToolCall, Decision]] = []
        for call in message.undecided_calls:
            if call.call_id in by_id:
                decision = by_id[call.call_id]
                if isinstance(decision, CallApproved) and decision.arguments:
                    decision = replace(
                        decision, arguments=changed_arguments(call.arguments, decision.arguments)
                    )
                decided.append((ToolCall(call.call_id, call.name, call.arguments, call.server), decision))
        message.ending = None
        return self._new_run(thread, False, decided)

    def mark_interrupted(self, thread: Thread) -> Run:
        """Return the run that only ends an answer whose process is gone."""
        return Run(thread, thread.messages[-1], _events(*_lost_results(thread), INTERRUPTED))

    def cancel(self, thread: Thread) -> None:
        """Close the thread's open request at once, even while the run waits for it, and stop its jobs."""
        self.backend.cancel(thread)
        stop_background_calls(thread)

    def needs_approval(self, name: str) -> bool:
        """Return whether the user decides on calls of the function with this name."""
        if name == WAIT_NAME:
            return False
        return self.approve_all or (name in self.toolbox and self.toolbox[name].approval)

    def _new_run(
        self, thread: Thread, resumed: bool, decided: Sequence[tuple[ToolCall, Decision]] = ()
    ) -> Run:
        message = thread.messages[-1]
        rounds = self._rounds(thread, message, resumed, decided)
        return Run(thread, message, self._with_ending(thread, message, rounds))

    def _with_ending(self, thread: Thread, message: Message, rounds: Events) -> Events:
        """Yield the rounds' events; an error of theirs becomes the run's ending."""
        with closing(rounds):
            try:
                for event in rounds:
                    if not (isinstance(event, ThreadOpened) and thread.id):  # a thread keeps its first id
                        yield event
            except GeneratorExit:
                if message.ending is None:  # cancelled, not just done
                    background_jobs(thread).stop([call.call_id for call in message.open_calls])
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

    def _rounds(
        self, thread: Thread, message: Message, resumed: bool, decided: Sequence[tuple[ToolCall, Decision]]
    ) -> Events:
        jobs = background_jobs(thread)
        yield from _lost_results(thread)
        yield from (decision for _, decision in decided)
        yield from apply_decisions(decided, self.toolbox, self.tool_timeout)
        if ending := self._ending_between_rounds(thread, message):
            yield ending
            return
        rounds = Rounds(message, resumed)
        for number in range(rounds.first, self.max_rounds + 1):
            yield RoundStarted(number, resumed and number == rounds.first)
            calls = yield from self._respond(thread, message)
            if not calls and (jobs.news or (yield from jobs.wait())) and not self.is_steered(thread):
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
            was_released = yield from self._run_calls(calls, thread)
            if ending := self._ending_between_rounds(thread, message, was_released):
                yield ending
                return
        text = N_("Stopped after {count} rounds of function calls.", count=self.max_rounds)
        yield RunStopped("max_rounds", text)

    def _ending_between_rounds(
        self, thread: Thread, message: Message, was_released: bool = False
    ) -> Ending | None:
        """Return the ending of a run that does not send the results of its calls by itself."""
        if message.undecided_calls:
            return RunPaused()
        if message.calls and self.is_steered(thread):
            return STEERED
        return RunCompleted() if was_released else None

    def _respond(self, thread: Thread, message: Message) -> Generator[Event, None, list[ToolCall]]:
        """Request one response, run its background calls beside it, and return its other calls."""
        options = thread.options.without(self.fixed_options)
        if (wanted := _requested_format(options)) and wanted != message.format:
            yield wanted
        response = self.backend.stream(thread, self.toolbox, options)
        jobs = background_jobs(thread)
        return (yield from jobs.interleave(response, thread, self._allowed(thread), self.needs_approval))

    def _run_calls(self, calls: Sequence[ToolCall], thread: Thread) -> Generator[Event, None, bool]:
        """Run the calls that need no decision; return whether the user ended a wait for background calls."""
        automatic = [call for call in calls if not (call.server or self.needs_approval(call.name))]
        waits = [call for call in automatic if call.name == WAIT_NAME and WAIT_NAME not in self.toolbox]
        others = [call for call in automatic if call not in waits]
        yield from execute(others, self._allowed(thread), self.tool_timeout)
        return (yield from background_jobs(thread).answer_waits(waits, thread))

    def _allowed(self, thread: Thread) -> Toolbox:
        """Return the functions that this thread's requests allow; not every server keeps to them."""
        return self.toolbox.only(thread.options.without(self.fixed_options).functions)


def _requested_format(options: RequestOptions) -> FormatRequested | None:
    """Return the format of the answer that these options request; None for text, also while the schema is missing."""
    match options.text_format:
        case "json_object":
            return FormatRequested()
        case "json_schema" if options.schema:
            return FormatRequested(options.schema)
    return None


def _close_calls(thread: Thread) -> None:
    """Give every open call a result, because the user continues without it; background calls stay open."""
    for message in thread.messages:
        if isinstance(message.ending, RunPaused):
            message.ending = STOPPED
            for call in message.undecided_calls:
                message.add_result(skipped_result(call.call_id))
    thread.close_open_calls(stopped_result, {call.call_id for call in thread.open_calls() if call.background})


def _lost_results(thread: Thread) -> Iterator[ToolResult]:
    """Yield a result for each open background call that no longer runs."""
    jobs = background_jobs(thread)
    for message in thread.messages:
        for call in message.open_calls:
            if call.background and call.call_id not in jobs:
                was_stopped = isinstance(message.ending, RunStopped)
                yield (stopped_result if was_stopped else lost_result)(call.call_id)


def _continued_with(functions: Sequence[str]) -> Note:
    """Return the note above what the model says to results that came after its answer."""
    names = ", ".join(dict.fromkeys(functions))
    return Note(N_("Continued with the result of {functions}.", functions=names))


def _branch(thread: Thread, position: int) -> None:
    """Start a branch at this position; the old one stays complete, and its background calls are stopped."""
    stop_background_calls(thread, position)
    _close_calls(thread)
    if thread.is_unfinished:  # its process is gone
        thread.messages[-1].add(INTERRUPTED)
    thread.branch(position)


def _has_message(thread: Thread, position: int, role: str) -> bool:
    return 0 <= position < len(thread.messages) and thread.messages[position].role == role


def _ended_run(thread: Thread) -> Run:
    """Return the run of an answer that has ended: its ending alone."""
    message = thread.messages[-1] if thread.messages else Message("assistant")
    return Run(thread, message, _events(message.ending or INTERRUPTED))


def _events(*events: Event) -> Events:
    yield from events
