"""Do slow work on another thread while Streamlit can still end the script."""

from collections.abc import Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from assistant.ui.streamlit_private import yield_to_streamlit

T = TypeVar("T")

POLL_SECONDS = 0.1
"""Interval at which Streamlit can end the script."""


def in_background(items: Iterable[T]) -> Iterator[T]:
    """Iterate on a daemon thread and yield its items here.

    A script that is ended meanwhile leaves the thread behind; it runs on to its end.

    Raises:
        Exception: What the iteration raises.
    """
    results: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()  # an item, the error, or the end

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                results.put((item,))
        except BaseException as raised:
            error = raised
        results.put(error)

    Thread(target=work, daemon=True).start()
    while True:
        try:
            result = results.get(timeout=POLL_SECONDS)
        except Empty:
            yield_to_streamlit()
            continue
        match result:
            case (item,):
                yield item
            case BaseException():
                raise result
            case None:
                return
