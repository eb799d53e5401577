"""What a person says while an answer is being written: it waits its turn.

Not here: the answer that goes on (``live.py``), or the input itself (``streamlit_app.py``).

The one rule: what waits is sent once, by whichever page sees first that the answer ended well; after anything
else it goes back to the person, for they may mean something else now.
"""

import threading
from collections.abc import Callable
from weakref import WeakKeyDictionary

import streamlit as st

from ..events import RunCompleted, RunPaused
from ..threads import Thread

MOST = 20
"""How many may wait in one thread."""


class Queue:
    """What waits in each thread of a process, the first first; may be used on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: WeakKeyDictionary[Thread, list[str]] = WeakKeyDictionary()

    def of(self, thread: Thread) -> list[str]:
        """What waits in a thread."""
        with self._lock:
            return self._waiting.get(thread, [])[:]

    def put(self, thread: Thread, text: str) -> bool:
        """Let a text wait; whether there was room for it."""
        with self._lock:
            waiting = self._waiting.setdefault(thread, [])
            if len(waiting) >= MOST:
                return False
            waiting.append(text)
            return True

    def take(self, thread: Thread, text: str) -> str:
        """Take a text out, as the one who had it wait; empty if it does not wait any more."""
        with self._lock:
            waiting = self._waiting.get(thread, [])
            if text not in waiting:
                return ""
            waiting.remove(text)
            return text

    def due(self, thread: Thread) -> tuple[str, str]:
        """What to do now that nobody writes in the thread: what to send, and what to give back.

        While the thread waits for a person's decision, so does all of this.
        """
        ending = thread.messages[-1].ending if thread.messages else None
        with self._lock:
            waiting = self._waiting.get(thread, [])
            if not waiting or isinstance(ending, RunPaused):
                return "", ""
            if isinstance(ending, RunCompleted):
                return waiting.pop(0), ""
            back = "\n\n".join(waiting)
            waiting.clear()
            return "", back


def draw_queue(queue: Queue, thread: Thread, take_back: Callable[[str], None]) -> None:
    """Draw what waits; ``take_back`` is called with a text that a person takes out again."""
    for number, text in enumerate(queue.of(thread)):
        with st.container(horizontal=True, vertical_alignment="center", key=f"waiting-{number}"):
            st.caption(":material/schedule: Next")
            st.text(text if len(text) <= 200 else text[:199] + "…", width="stretch")
            st.button(
                "",
                key=f"take_back_{number}",
                icon=":material/undo:",
                type="tertiary",
                help="Take it back into the input",
                on_click=take_back,
                args=[text],
            )
