"""A run: ask the model, run the functions it asks for, give it the results, until it is done.

Not here: threads and clocks (``live.py``, ``execute.py``), a protocol (``backends/``), Streamlit.

The one rule: a run is a generator of events with exactly one ending, and closing it cancels it.
"""

import logging
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import replace

from assistant.backends.base import Backend
from assistant.errors import BackendError, Incomplete
from assistant.events import (
    CallApproved,
    Decision,
    Event,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    ThreadOpened,
    ToolCall,
)
from assistant.messages import Attachment, Message
from assistant.threads import Thread
from assistant.tools.arguments import changed_arguments
from assistant.tools.execution import apply_decisions, execute
from assistant.tools.results import skipped_result, stopped_result
from assistant.tools.toolbox import Toolbox

log = logging.getLogger(__name__)

MOST_REPEATS = 3
"""In how many rounds of a run the very same call may be asked for."""

STOPPED = RunStopped("person", "Stopped.")
"""How a run ends that a person stopped."""

INTERRUPTED = RunFailed("interrupted", "The application ended in the middle of this answer.", retry=True)
"""How a run ended whose process is gone."""


class Assistant:
    """A model behind a backend, together with the functions it may call.

    A run pauses for a person's decision on calls of functions with ``approval``; with ``approve_all`` on
    all calls, also of functions that are not written yet.
    """

    def __init__(
        self,
        backend: Backend,
        toolbox: Toolbox,
        *,
        max_rounds: int = 10,
        tool_timeout: float = 30.0,
        approve_all: bool = False,
    ) -> None:
        self.backend = backend
        self.toolbox = toolbox
        self.max_rounds = max_rounds
        self.tool_timeout = tool_timeout
        self.approve_all = approve_all

    def run(
        self, thread: Thread, text: str, attachments: Iterable[Attachment] = ()
    ) -> Generator[Event, None, None]:
        """Put a person's message into the thread, at once, and return the run that answers it."""
        thread.messages.append(Message.from_user(text, attachments))
        return self.resume(thread)

    def resume(self, thread: Thread) -> Generator[Event, None, None]:
        """Answer the thread as it stands: the run for a message that has no whole answer yet.

        An answer that was going on in a process that is gone is gone on with.
        """
        _close(thread)
        resumed = thread.is_unfinished
        if not resumed:
            if thread.messages and thread.messages[-1].is_empty:
                thread.messages.pop()  # an attempt that said nothing leaves nothing
            thread.messages.append(Message("assistant"))
        return self._answer(thread, thread.messages[-1], resumed)

    def edit(self, thread: Thread, position: int, text: str) -> Generator[Event, None, None]:
        """Put another text in the place of a person's message, at once, and return the run that answers it.

        That begins a branch; what was attached stays. Where there is no message of a person at this position
        (any more), nothing happens.
        """
        if not _is_by(thread, position, "user"):
            return _as_it_stands(thread)
        attachments = thread.messages[position].attachments
        _leave(thread, position)
        return self.run(thread, text, attachments)

    def regenerate(self, thread: Thread, position: int) -> Generator[Event, None, None]:
        """Put the answer at this position aside, at once, and return the run that answers again.

        That begins a branch. Where there is no answer at this position (any more), nothing happens.
        """
        if not _is_by(thread, position, "assistant"):
            return _as_it_stands(thread)
        if not thread.messages[-1].is_empty or position < len(thread.messages) - 1:
            _leave(thread, position)  # else ``resume`` takes away what said nothing
        return self.resume(thread)

    def decide(self, thread: Thread, decisions: Iterable[Decision]) -> Generator[Event, None, None]:
        """Take a person's decisions on open calls of a paused run, at once, and return the run that goes on.

        It carries them out. If calls are left that nobody decided on, it pauses again; else the model is
        asked for the next round of the same answer. A decision on a call that is not open is passed over:
        somebody was first.
        """
        if thread.is_unfinished:
            return self.mark_interrupted(thread)  # who decided before is gone
        if not thread.is_paused:
            return _as_it_stands(thread)
        message = thread.messages[-1]
        first: dict[str, Decision] = {}
        for decision in decisions:
            first.setdefault(decision.call_id, decision)
        decided: list[tuple[ToolCall, Decision]] = []
        for call in message.open_calls:
            if call.call_id in first:
                taken = first[call.call_id]
                if isinstance(taken, CallApproved) and taken.arguments:
                    taken = replace(taken, arguments=changed_arguments(call.arguments, taken.arguments))
                decided.append((ToolCall(call.call_id, call.name, call.arguments, call.server), taken))
        message.ending = None
        return self._answer(thread, message, False, decided)

    def mark_interrupted(self, thread: Thread) -> Generator[Event, None, None]:
        """The run that ends an answer whose process is gone: nobody goes on with it."""
        thread.messages[-1].add(INTERRUPTED)
        yield INTERRUPTED

    def cancel(self, thread: Thread) -> None:
        """Let go of the server at once, although the run itself is blocked in waiting for it."""
        self.backend.cancel(thread)

    def needs_approval(self, name: str) -> bool:
        """Whether a person decides on calls of the function by this name."""
        return self.approve_all or (name in self.toolbox and self.toolbox[name].approval)

    def _answer(
        self,
        thread: Thread,
        message: Message,
        resumed: bool,
        decided: Sequence[tuple[ToolCall, Decision]] = (),
    ) -> Generator[Event, None, None]:
        with closing(self._rounds(thread, message, resumed, decided)) as events:
            try:
                for event in events:
                    if isinstance(event, ThreadOpened):
                        if thread.id:
                            continue  # a thread keeps its first name
                        thread.id = event.thread_id
                    message.add(event)
                    yield event
            except GeneratorExit:
                message.add(STOPPED)
                raise

    def _rounds(
        self, thread: Thread, message: Message, resumed: bool, decided: Sequence[tuple[ToolCall, Decision]]
    ) -> Generator[Event, None, None]:
        try:
            yield from (decision for _, decision in decided)
            yield from apply_decisions(decided, self.toolbox, self.tool_timeout)
            if message.open_calls:
                yield RunPaused()
                return
            earlier = {(call.round, call.name, call.arguments) for call in message.calls}
            asked = Counter((name, arguments) for _, name, arguments in earlier)
            before = max((number for number, _, _ in earlier), default=0)
            for number in range(before + 1, self.max_rounds + 1):
                yield RoundStarted(number, resumed and number == before + 1)
                calls = yield from self.backend.stream(thread, self.toolbox)
                if not calls:
                    yield RunCompleted()
                    return
                asked.update({(call.name, call.arguments) for call in calls})
                (name, _), times = asked.most_common(1)[0]
                if times > MOST_REPEATS:
                    yield RunStopped(
                        "repeated_call", f"Stopped: the same call of {name} came again and again."
                    )
                    return
                free = [call for call in calls if not (call.server or self.needs_approval(call.name))]
                yield from execute(free, self.toolbox, self.tool_timeout)
                if message.open_calls:
                    yield RunPaused()
                    return
            yield RunStopped("max_rounds", f"Stopped after {self.max_rounds} rounds of function calls.")
        except Incomplete as limit:
            yield RunStopped(limit.reason, str(limit))
        except BackendError as error:
            yield RunFailed(error.code, str(error), error.retry, error.retry_after)
        except Exception as error:
            log.exception("a run failed in a way nobody thought of")
            yield RunFailed(
                "internal",
                f"The application itself failed ({type(error).__name__}). Its log has more.",
            )


def _close(thread: Thread) -> None:
    """Give every call a result that still waits for one, for the person goes on without it."""
    for message in thread.messages:
        if isinstance(message.ending, RunPaused):
            message.ending = STOPPED
            for call in message.open_calls:
                message.answer(skipped_result(call.call_id))
    thread.close_open_calls(stopped_result)


def _leave(thread: Thread, position: int) -> None:
    """Begin a branch at this position; what is left there can be gone on with later."""
    _close(thread)
    if thread.is_unfinished:  # in a process that is gone
        thread.messages[-1].add(INTERRUPTED)
    thread.branch(position)


def _is_by(thread: Thread, position: int, role: str) -> bool:
    return 0 <= position < len(thread.messages) and thread.messages[position].role == role


def _as_it_stands(thread: Thread) -> Generator[Event, None, None]:
    """The run of an answer that has ended: there is nothing left to do."""
    yield (thread.messages[-1].ending if thread.messages else None) or INTERRUPTED
