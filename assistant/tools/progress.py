"""How far a function is, in its own words: for those that take a while.

    from assistant.tools.progress import progress

    for number, hotel in enumerate(hotels):
        progress(f"{number} of {len(hotels)} hotels", number / len(hotels))

Not here: what becomes of it (``execute.py`` makes events of it, ``ui/chat.py`` shows them).

The one rule: it never fails and never waits, so that a function is no slower and no weaker for it.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LENGTH = 100
"""Characters that are shown of it."""

Listener = Callable[[str, float | None], None]

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def progress(text: object, share: float | None = None) -> None:
    """Say to the person how far the function is that calls this: ``progress("3 of 10 hotels", 0.3)``.

    ``share`` is how much of all is done, 0 to 1; with it the page shows a bar. It may be called as often as
    one likes, on the function's own thread; outside of a run nobody hears it.
    """
    if (listener := _listener.get()) is None:
        return
    words = " ".join(_UNPRINTABLE.sub(" ", str(text)).split())
    words = words if len(words) <= LENGTH else words[: LENGTH - 1] + "…"
    # What is no number is no share, either: this is about the comfort of a person, and worth no error.
    known = isinstance(share, int | float) and share == share
    listener(words, float(min(max(share, 0), 1)) if known and share is not None else None)


@contextmanager
def progress_listener(listener: Listener) -> Iterator[None]:
    """Within this block, on this thread, ``listener`` is told of progress."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
