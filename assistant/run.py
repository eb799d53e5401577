"""A run: ask the model, run the functions it asks for, give it the results, until it is done.

Not here: threads and clocks (``live.py``, ``execute.py``), a protocol (``backends/``), Streamlit.

The one rule: a run is a generator of events with exactly one ending, and closing it cancels it.
"""

import logging
from collections import Counter
from collections.abc import Generator
from contextlib import closing
from typing import Protocol

from .errors import BackendError, Incomplete
from .events import (
    Event,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    ThreadOpened,
    ToolCall,
)
from .execute import execute, stopped
from .messages import Message
from .threads import Thread
from .tools import Toolbox

log = logging.getLogger(__name__)

MOST_REPEATS = 3
"""In how many rounds of a run the very same call may be asked for."""

STOPPED = RunStopped("person", "Stopped.")
"""How a run ends that a person stopped."""

LEFT = RunFailed("interrupted", "The application ended in the middle of this answer.", retry=True)
"""How a run ended whose process is gone."""


class Backend(Protocol):
    """A way to ask a model: one protocol, one method."""

    def stream(self, thread: Thread, toolbox: Toolbox) -> Generator[Event, None, list[ToolCall]]:
        """Ask for one response to the thread as it stands, say it as events, return its calls.

        The backend finds in ``thread.messages`` what the server has not heard yet. It changes
        ``thread.raw`` only after a response ended well, and right after saying an event.

        Raises:
            BackendError: The response did not end well; nothing of it may be run.
            Incomplete: The server ended the response early, at a limit.
        """

    def cancel(self, thread: Thread) -> None:
        """Hang up on the server if it is answering this thread; called from another thread."""


class Assistant:
    """A model behind a backend, together with the functions it may call."""

    def __init__(
        self,
        backend: Backend,
        toolbox: Toolbox,
        *,
        max_rounds: int = 10,
        tool_timeout: float = 30.0,
    ) -> None:
        self.backend = backend
        self.toolbox = toolbox
        self.max_rounds = max_rounds
        self.tool_timeout = tool_timeout

    def run(self, thread: Thread, text: str) -> Generator[Event, None, None]:
        """Put a person's message into the thread, at once, and return the run that answers it."""
        thread.messages.append(Message.from_person(text))
        return self.resume(thread)

    def resume(self, thread: Thread) -> Generator[Event, None, None]:
        """Answer the thread as it stands: the run for a message that has no whole answer yet.

        An answer that was going on in a process that is gone is gone on with.
        """
        thread.close_open_calls(stopped)
        resumed = thread.is_going_on
        if not resumed:
            if thread.messages and thread.messages[-1].is_empty:
                thread.messages.pop()  # an attempt that said nothing leaves nothing
            thread.messages.append(Message("assistant"))
        return self._answer(thread, thread.messages[-1], resumed)

    def give_up(self, thread: Thread) -> Generator[Event, None, None]:
        """The run that ends an answer whose process is gone: nobody goes on with it."""
        thread.messages[-1].add(LEFT)
        yield LEFT

    def cancel(self, thread: Thread) -> None:
        """Let go of the server at once, although the run itself is blocked in waiting for it."""
        self.backend.cancel(thread)

    def _answer(self, thread: Thread, message: Message, resumed: bool) -> Generator[Event, None, None]:
        with closing(self._rounds(thread, resumed)) as events:
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

    def _rounds(self, thread: Thread, resumed: bool) -> Generator[Event, None, None]:
        try:
            asked: Counter[tuple[str, str]] = Counter()
            before = max((call.round for call in thread.messages[-1].calls), default=0)
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
                yield from execute(calls, self.toolbox, self.tool_timeout)
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
