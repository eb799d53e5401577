"""Background calls: each runs on a thread of its own as soon as the call is complete, while the model continues.

The jobs belong to their thread and outlive the run that started them: a later run collects their results.
"""

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from weakref import WeakKeyDictionary

from assistant.events import Delta, Event, RoundEnded, RunStopped, ToolCall, ToolProgress, ToolResult
from assistant.threads import Thread
from assistant.tools.execution import PROGRESS_INTERVAL_SECONDS, start_call
from assistant.tools.results import error_output, lost_result, stopped_result, timeout_result
from assistant.tools.task_handles import find_tasks, handle_of, parse_handles, wait_result
from assistant.tools.toolbox import BACKGROUND_SECONDS, Toolbox

MAX_JOBS_PER_THREAD = 20
"""Maximum number of background calls that run in one thread at once."""

MAX_JOBS = 200
"""Maximum number of background functions that run in this process at once, abandoned ones included."""

Reports = list[ToolProgress | ToolResult]


@dataclass(slots=True, eq=False)
class _Job:
    """A background call on its way to its result."""

    call: ToolCall
    limit: float
    deadline: float
    result: ToolResult | None = None
    progress: ToolProgress | None = None
    shown: float = 0.0  # when the progress was last reported


class BackgroundJobs:
    """The background calls of one thread whose results were not collected yet.

    ``news`` names the functions whose results were collected since it was last cleared.
    """

    _slots = threading.BoundedSemaphore(MAX_JOBS)

    def __init__(self) -> None:
        self.news: list[str] = []
        self._jobs: dict[str, _Job] = {}  # by call id
        self._changed = threading.Condition()
        self._is_waiting = self._is_released = False

    def __contains__(self, call_id: object) -> bool:
        """Return whether the call runs, or its result waits to be collected."""
        return call_id in self._jobs

    @property
    def has_results(self) -> bool:
        """Whether ``collect`` would return a result."""
        now = time.monotonic()
        with self._changed:
            return any(job.result or now >= job.deadline for job in self._jobs.values())

    def _start(self, call: ToolCall, thread: Thread, toolbox: Toolbox) -> Iterator[ToolResult]:
        """Start a call of the thread's last message; yield its result at once if it cannot be started."""
        problem, handle = "", handle_of(call.arguments)
        if handle and find_tasks(thread)[handle] != call.call_id:
            problem = (
                f"the task_handle '{handle}' is already used in this chat. Call it again with another one"
            )
        elif len(self._jobs) >= MAX_JOBS_PER_THREAD:
            problem = f"at most {MAX_JOBS_PER_THREAD} background functions run in one chat at once"
        elif not self._slots.acquire(blocking=False):
            problem = "too many background functions are running in this application"
        if problem:
            self.news.append(call.name)
            yield ToolResult(call.call_id, error_output(f"Not run: {problem}."), "failed")
            return
        tool = toolbox.get(call.name)
        limit = BACKGROUND_SECONDS if tool is None or tool.timeout is None else tool.timeout
        job = self._jobs[call.call_id] = _Job(call, limit, time.monotonic() + limit)
        start_call(call, toolbox, self._slots, partial(setattr, job, "progress"), partial(self._finish, job))

    def collect(self) -> Reports:
        """Return the results that are there, and the latest progress of the other calls, each once."""
        if not self._jobs:
            return []
        reports: Reports = []
        now = time.monotonic()
        with self._changed:
            for call_id, job in list(self._jobs.items()):
                if job.result is None and now >= job.deadline:
                    job.result = timeout_result(call_id, job.limit)
                if job.result:
                    del self._jobs[call_id]
                    self.news.append(job.call.name)
                    reports.append(job.result)
                elif job.progress and now - job.shown >= PROGRESS_INTERVAL_SECONDS:
                    reports.append(job.progress)
                    job.progress, job.shown = None, now
        return reports

    def interleave(
        self,
        response: Generator[Event, None, list[ToolCall]],
        thread: Thread,
        toolbox: Toolbox,
        needs_approval: Callable[[str], bool],
    ) -> Generator[Event, None, list[ToolCall]]:
        """Yield a response's events with the jobs' reports in between, and return its ordinary calls.

        The request carries the results that are there, so ``news`` names only what comes after it.
        A background call is started when it arrives, unless the message has it already: a response that is
        read again repeats its calls. One that needs approval becomes an ordinary call.
        """
        started = {call.call_id for call in thread.messages[-1].calls if call.background}
        undecided = list[ToolCall]()
        yield from self.collect()
        self.news.clear()
        with closing(response):
            while True:
                try:
                    event = next(response)
                except StopIteration as end:
                    calls: list[ToolCall] = end.value
                    return undecided + calls
                if isinstance(event, ToolCall) and event.background:
                    if event.call_id in started:
                        continue
                    started.add(event.call_id)
                    if needs_approval(event.name):
                        event = replace(event, background=False)
                        undecided.append(event)
                yield event
                if isinstance(event, ToolCall) and event.background:
                    yield from self._start(event, thread, toolbox)
                # Not after other events: their requests were not sent yet, and would carry the results.
                if isinstance(event, Delta | ToolCall | RoundEnded):
                    yield from self.collect()

    def wait(
        self, call_ids: Iterable[str] = (), *, can_be_released: bool = True
    ) -> Generator[ToolProgress | ToolResult, None, bool]:
        """Yield reports until a job, or each of these calls, has its result.

        Return False if there is nothing to wait for, or if ``release`` or ``stop`` ended the wait.
        """
        awaited = set(call_ids)
        self._is_waiting, self._is_released = can_be_released and bool(self._jobs), False
        try:
            while True:
                reports = self.collect()
                yield from reports
                has_result = any(isinstance(report, ToolResult) for report in reports)
                with self._changed:
                    if self._is_released:
                        return False
                    if not awaited & self._jobs.keys() if awaited else has_result:
                        self._is_waiting = False
                        return True
                    if not self._jobs:
                        return False
                    if not any(job.result for job in self._jobs.values()):
                        due = min(job.deadline for job in self._jobs.values()) - time.monotonic()
                        self._changed.wait(min(max(0.0, due), PROGRESS_INTERVAL_SECONDS))
        finally:
            self._is_waiting = False

    def wait_for_all(self) -> Iterator[ToolProgress | ToolResult]:
        """Yield reports until every job has its result, for a server that takes none in a later request."""
        if self._jobs:
            yield from self.wait(list(self._jobs), can_be_released=False)
            self.news.clear()

    def answer_waits(self, calls: Iterable[ToolCall], thread: Thread) -> Generator[Event, None, bool]:
        """Yield reports until the tasks that these calls of ``wait_for_tasks`` name have results, then theirs.

        Return whether ``release`` ended a wait.
        """
        is_released = False
        for call in calls:
            tasks, handles = find_tasks(thread), parse_handles(call.arguments)
            running = [tasks[handle] for handle in handles if tasks.get(handle) in self]
            if running and not is_released:
                is_released = not (yield from self.wait(running))
            yield wait_result(call, tasks, self)
        return is_released

    def release(self) -> bool:
        """End the run's wait; the jobs continue. Return False if it does not wait."""
        with self._changed:
            self._is_released = self._is_released or self._is_waiting
            self._changed.notify_all()
            return self._is_waiting

    def stop(self, call_ids: Iterable[str]) -> list[str]:
        """Abandon the calls that are running, and return their ids; Python cannot stop a thread."""
        with self._changed:
            stopped = [call_id for call_id in call_ids if self._jobs.pop(call_id, None)]
            self._is_released = self._is_released or self._is_waiting
            self._changed.notify_all()
        return stopped

    def _finish(self, job: _Job, result: ToolResult) -> None:
        with self._changed:
            job.result = job.result or result
            self._changed.notify_all()


_jobs: WeakKeyDictionary[Thread, BackgroundJobs] = WeakKeyDictionary()
_lock = threading.Lock()


def background_jobs(thread: Thread) -> BackgroundJobs:
    """Return the jobs of a thread; all runs of this process share them."""
    with _lock:
        return _jobs.setdefault(thread, BackgroundJobs())


def stop_background_calls(thread: Thread, position: int = 0) -> None:
    """Stop the background calls of the messages from this position on; each gets a result."""
    calls = [call.call_id for message in thread.messages[position:] for call in message.open_calls]
    for call_id in background_jobs(thread).stop(calls):
        thread.add_result(stopped_result(call_id))


def lost_results(thread: Thread) -> Iterator[ToolResult]:
    """Yield a result for each open background call that no longer runs."""
    jobs = background_jobs(thread)
    for message in thread.messages:
        for call in message.open_calls:
            if call.background and call.call_id not in jobs:
                was_stopped = isinstance(message.ending, RunStopped)
                yield (stopped_result if was_stopped else lost_result)(call.call_id)
