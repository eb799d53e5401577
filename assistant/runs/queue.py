"""The queue of messages that the user sends while an answer is being written."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary, WeakSet

from assistant.events import RunFailed, RunStopped
from assistant.threads import Thread

MAX_MESSAGES = 20  # maximum number of messages that may wait in one thread
MAX_CHARS = 200_000  # maximum length of all of them together


@dataclass(slots=True)
class _Waiting:
    """The messages of one thread, each group oldest first."""

    steering: list[str] = field(default_factory=list)  # to be sent with the next results of functions
    queued: list[str] = field(default_factory=list)  # to be sent one by one after complete answers
    sent: set[str] = field(default_factory=set)  # those to be sent now that the server has already

    @property
    def texts(self) -> list[str]:
        return self.steering + self.queued


class MessageQueue:
    """The waiting messages of each thread, in the order of sending; safe to use from any worker thread.

    A message is sent once, by the first page that sees that the answer ended well. After any other ending,
    all of them return to the input, because the user may want to change them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: WeakKeyDictionary[Thread, _Waiting] = WeakKeyDictionary()
        self._sending: WeakSet[Thread] = WeakSet()  # a page is starting the run for its next message

    def waiting(self, thread: Thread) -> list[str]:
        """Return the waiting messages; those to be sent now come first."""
        with self._lock:
            return self._entry(thread).texts

    def steering(self, thread: Thread) -> list[str]:
        """Return the messages to be sent now: together, with the next results of functions."""
        with self._lock:
            return self._entry(thread).steering.copy()

    def add(self, thread: Thread, text: str) -> bool:
        """Append a message. Return False if the queue is full."""
        with self._lock:
            waiting = self._entry(thread)
            chars = sum(map(len, waiting.texts)) + len(text)
            if len(waiting.texts) >= MAX_MESSAGES or chars > MAX_CHARS:
                return False
            waiting.queued.append(text)
            return True

    def send_now(self, thread: Thread, text: str) -> None:
        """Move a queued message to the end of those that are sent now."""
        with self._lock:
            waiting = self._entry(thread)
            if text in waiting.queued:
                waiting.queued.remove(text)
                waiting.steering.append(text)

    def sent(self, thread: Thread) -> set[str]:
        """Return the messages to be sent now that the server already has; they cannot be removed."""
        with self._lock:
            return self._entry(thread).sent & set(self._entry(thread).steering)

    def set_sent(self, thread: Thread, text: str, is_sent: bool) -> None:
        """Note whether the server has a message to be sent now."""
        with self._lock:
            sent = self._entry(thread).sent
            if is_sent:
                sent.add(text)
            else:
                sent.discard(text)

    def remove(self, thread: Thread, text: str) -> str:
        """Remove a message and return it; return an empty text if it no longer waits."""
        with self._lock:
            waiting = self._entry(thread)
            for group in (waiting.queued, waiting.steering):
                if text in group and not (group is waiting.steering and text in waiting.sent):
                    group.remove(text)
                    return text
            return ""

    def send_next(self, thread: Thread, start: Callable[[str], object]) -> bool:
        """Call ``start`` with the next message if the newest answer ended well. Return whether it was called.

        Messages to be sent now are one message, in their order. If ``start`` raises an exception, all return to
        their places.
        """
        with self._lock:
            waiting = self._entry(thread)
            if not waiting.texts or thread in self._sending or not thread.has_ended_well:
                return False
            self._sending.add(thread)
            steering, waiting.steering, waiting.sent = waiting.steering, [], set()
            queued = [] if steering else [waiting.queued.pop(0)]
        try:
            start(_joined(steering + queued))
            return True
        except BaseException:
            with self._lock:
                waiting = self._entry(thread)
                waiting.steering[:0], waiting.queued[:0] = steering, queued
            raise
        finally:
            with self._lock:
                self._sending.discard(thread)

    def clear_after_failure(self, thread: Thread) -> str:
        """Remove all messages and return them as one text if the newest answer was stopped or failed."""
        failed = isinstance(thread.ending, RunStopped | RunFailed) and not thread.has_ended_well
        return self.clear(thread) if failed else ""

    def clear(self, thread: Thread) -> str:
        """Remove all messages and return them as one text."""
        with self._lock:
            return _joined(self._waiting.pop(thread, _Waiting()).texts)

    def _entry(self, thread: Thread) -> _Waiting:
        return self._waiting.setdefault(thread, _Waiting())


def _joined(texts: list[str]) -> str:
    return "\n\n".join(texts)
