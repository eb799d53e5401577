"""The queue of messages that the user sends while an answer is being written."""

import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary, WeakSet

from assistant.events import RunCompleted, RunFailed, RunStopped
from assistant.threads import Thread

MAX_MESSAGES = 20  # maximum number of messages that may wait in one thread


class MessageQueue:
    """The waiting messages of each thread, oldest first; safe to use from any worker thread.

    A message is sent once, by the first page that sees that the answer ended well. After any other ending,
    all of them return to the input, because the user may want to change them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: WeakKeyDictionary[Thread, list[str]] = WeakKeyDictionary()
        self._sending: WeakSet[Thread] = WeakSet()  # a page is starting the run for its next message

    def waiting(self, thread: Thread) -> list[str]:
        with self._lock:
            return list(self._waiting.get(thread, ()))

    def add(self, thread: Thread, text: str) -> bool:
        """Append a message. Return False if the queue is full."""
        with self._lock:
            texts = self._waiting.setdefault(thread, [])
            if len(texts) >= MAX_MESSAGES:
                return False
            texts.append(text)
            return True

    def remove(self, thread: Thread, text: str) -> str:
        """Remove a message and return it; return an empty text if it no longer waits."""
        with self._lock:
            texts = self._waiting.get(thread, [])
            if text not in texts:
                return ""
            texts.remove(text)
            return text

    def send_next(self, thread: Thread, start: Callable[[str], object]) -> bool:
        """Call ``start`` with the next message if the newest answer ended well. Return whether it was called.

        If ``start`` raises an exception, the message returns to the head of the queue.
        """
        with self._lock:
            texts = self._waiting.get(thread, [])
            if not texts or thread in self._sending or not isinstance(thread.ending, RunCompleted):
                return False
            self._sending.add(thread)
            text = texts.pop(0)
        try:
            start(text)
            return True
        except BaseException:
            with self._lock:
                self._waiting.setdefault(thread, []).insert(0, text)
            raise
        finally:
            with self._lock:
                self._sending.discard(thread)

    def clear_after_failure(self, thread: Thread) -> str:
        """Remove all messages and return them as one text if the newest answer was stopped or failed."""
        return self.clear(thread) if isinstance(thread.ending, RunStopped | RunFailed) else ""

    def clear(self, thread: Thread) -> str:
        """Remove all messages and return them as one text."""
        with self._lock:
            return "\n\n".join(self._waiting.pop(thread, []))
