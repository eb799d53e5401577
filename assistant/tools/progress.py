"""Progress of a running function, for functions that take a while.

    from assistant import progress

    for number, hotel in enumerate(hotels):
        progress(f"{number} of {len(hotels)} hotels", number / len(hotels))

Reporting progress never fails and never waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from assistant.texts import one_line

MAX_PROGRESS_CHARS = 100  # maximum length of a progress text; longer texts are cut

Listener = Callable[[str, float | None], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def progress(text: object, share: float | None = None) -> None:
    """Show the user how far the calling function is: ``progress("3 of 10 hotels", 0.3)``.

    ``share`` is the completed part, 0 to 1; the page shows it as a bar. Call it as often as you like, on the
    function's own thread; outside a run it does nothing.
    """
    if (listener := _listener.get()) is None:
        return
    # An invalid share is ignored: a progress bar is not worth an error.
    is_number = isinstance(share, int | float) and share == share
    line = one_line(text, MAX_PROGRESS_CHARS)
    listener(line, float(min(max(share, 0), 1)) if is_number and share is not None else None)


@contextmanager
def progress_listener(listener: Listener) -> Iterator[None]:
    """Send progress of this thread to ``listener`` within the block."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
