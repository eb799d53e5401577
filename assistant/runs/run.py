"""A run: the events of one answer, and the endings that the application gives it."""

from collections.abc import Callable, Generator, Iterator

from assistant.events import Event, RunFailed, RunStopped, ThreadOpened, ToolResult
from assistant.locale import N_
from assistant.messages import Message
from assistant.threads import Thread

Events = Generator[Event, None, None]

STOPPED = RunStopped("user", N_("Stopped."))
"""The ending of a run that the user stopped."""

STEERED = RunStopped("steered", N_("Continued below, with your message."))
"""The ending of a run whose last results go to the model with the user's next message."""

INTERRUPTED = RunFailed(
    "interrupted", N_("This answer was interrupted because the application stopped."), retry=True
)
"""The ending of a run whose process is gone."""


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
