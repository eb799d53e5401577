"""The assistant: what a user can ask of it, each as a run that answers a thread."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from assistant.backends.base import Backend
from assistant.events import CallApproved, Decision, Event, RunPaused, ToolCall
from assistant.messages import Message
from assistant.parts import Attachment
from assistant.runs.loop import Loop
from assistant.runs.run import INTERRUPTED, STOPPED, Events, Run
from assistant.threads import Thread
from assistant.tools.arguments import changed_arguments
from assistant.tools.background import lost_results, stop_background_calls
from assistant.tools.results import skipped_result, stopped_result
from assistant.tools.task_handles import WAIT_NAME
from assistant.tools.toolbox import Toolbox


class Assistant:
    """A model behind a backend, and the functions that it may call.

    A run pauses for the user's decision on calls of functions with ``approval``; with ``approve_all`` it
    pauses on every call, including calls of functions that do not exist. ``fixed_options`` are the names of
    the ``RequestOptions`` that a thread may not change. A run ends after ``max_rounds`` responses; a function
    may take ``tool_timeout`` seconds, unless it has a limit of its own.

    Between two rounds, a run ends with ``STEERED`` if ``is_steered(thread)`` says that a message of the user waits
    to be sent with the results.
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
        return _run(thread, Loop(self, thread, resumed=resumed).events())

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
        return _run(thread, Loop(self, thread, decided=decided).events())

    def mark_interrupted(self, thread: Thread) -> Run:
        """Return the run that only ends an answer whose process is gone."""
        return _run(thread, _events(*lost_results(thread), INTERRUPTED))

    def cancel(self, thread: Thread) -> None:
        """Close the thread's open request at once, even while the run waits for it, and stop its jobs."""
        self.backend.cancel(thread)
        stop_background_calls(thread)

    def needs_approval(self, name: str) -> bool:
        """Return whether the user decides on calls of the function with this name."""
        if name == WAIT_NAME:
            return False
        return self.approve_all or (name in self.toolbox and self.toolbox[name].approval)


def _run(thread: Thread, events: Events) -> Run:
    return Run(thread, thread.messages[-1], events)


def _ended_run(thread: Thread) -> Run:
    """Return the run of an answer that has ended: its ending alone."""
    message = thread.messages[-1] if thread.messages else Message("assistant")
    return Run(thread, message, _events(message.ending or INTERRUPTED))


def _events(*events: Event) -> Events:
    yield from events


def _close_calls(thread: Thread) -> None:
    """Give every open call a result, because the user continues without it; background calls stay open."""
    for message in thread.messages:
        if isinstance(message.ending, RunPaused):
            message.ending = STOPPED
            for call in message.undecided_calls:
                message.add_result(skipped_result(call.call_id))
    for call in thread.open_calls():
        if not call.background:
            thread.add_result(stopped_result(call.call_id))


def _branch(thread: Thread, position: int) -> None:
    """Start a branch at this position; the old one stays complete, and its background calls are stopped."""
    stop_background_calls(thread, position)
    _close_calls(thread)
    if thread.is_unfinished:  # its process is gone
        thread.messages[-1].add(INTERRUPTED)
    thread.branch(position)


def _has_message(thread: Thread, position: int, role: str) -> bool:
    return 0 <= position < len(thread.messages) and thread.messages[position].role == role
