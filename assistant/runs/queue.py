"""What a person says while an answer is being written: it waits its turn.

Not here: the answer that goes on (``live.py``), or the input itself (``streamlit_app.py``).

The one rule: what waits is sent once, by whichever page sees first that the answer ended well; after anything
else it goes back to the person, for they may mean something else now.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import streamlit as st

from assistant.events import RunCompleted, RunFailed, RunStopped
from assistant.locale.words import say
from assistant.threads import Thread

MOST = 20
"""How many may wait in one thread."""


class _Line:
    """What waits in one thread; the lock is held by whoever looks at it, or sends it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.texts: list[str] = []


class Queue:
    """What waits in each thread of a process, the first first; may be used on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: WeakKeyDictionary[Thread, _Line] = WeakKeyDictionary()

    def of(self, thread: Thread) -> list[str]:
        """What waits in a thread."""
        with self._of(thread) as waiting:
            return waiting[:]

    def put(self, thread: Thread, text: str) -> bool:
        """Let a text wait; whether there was room for it."""
        with self._of(thread) as waiting:
            if len(waiting) >= MOST:
                return False
            waiting.append(text)
            return True

    def take(self, thread: Thread, text: str) -> str:
        """Take a text out, as the one who had it wait; empty if it does not wait any more."""
        with self._of(thread) as waiting:
            if text not in waiting:
                return ""
            waiting.remove(text)
            return text

    def send(self, thread: Thread, start: Callable[[str], None]) -> bool:
        """Have ``start`` send what is to be said next, now that nobody writes in the thread; whether it did.

        Another page waits meanwhile: when it gets to look, the answer goes on already. What ``start`` raises
        is raised, and the text waits on.
        """
        with self._of(thread) as waiting:
            if not waiting or not _ended(thread, RunCompleted):
                return False
            start(waiting[0])
            del waiting[0]
            return True

    def give_back(self, thread: Thread) -> str:
        """Take out all that waits, if the answer it waited for was stopped or failed; or nothing.

        While that waits for a person's decision, so does all of this.
        """
        with self._of(thread) as waiting:
            return _all_of(waiting) if _ended(thread, RunStopped | RunFailed) else ""

    def clear(self, thread: Thread) -> str:
        """Take out all that waits, as one text."""
        with self._of(thread) as waiting:
            return _all_of(waiting)

    @contextmanager
    def _of(self, thread: Thread) -> Iterator[list[str]]:
        """What waits in a thread, for as long as nobody else looks at it."""
        with self._lock:
            line = self._lines.setdefault(thread, _Line())
        with line.lock:
            yield line.texts


def _all_of(waiting: list[str]) -> str:
    text = "\n\n".join(waiting)
    waiting.clear()
    return text


def _ended(thread: Thread, how: Any) -> bool:
    return bool(thread.messages) and isinstance(thread.messages[-1].ending, how)


def draw_queue(queue: Queue, thread: Thread, take_back: Callable[[str], None]) -> None:
    """Draw what waits; ``take_back`` is called with a text that a person takes out again."""
    for number, text in enumerate(queue.of(thread)):
        with st.container(horizontal=True, vertical_alignment="center", key=f"waiting-{number}"):
            st.caption(f":material/schedule: {say('Next')}", width="content")
            st.text(text if len(text) <= 200 else text[:199] + "…", width="stretch")
            st.button(
                "",
                key=f"take_back_{number}",
                icon=":material/undo:",
                type="tertiary",
                help=say("Take it back into the input"),
                on_click=take_back,
                args=[text],
            )
