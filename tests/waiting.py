"""Wait for what happens on another thread or in another process."""

import time
from collections.abc import Callable


def until(happens: Callable[[], object], what: str = "nothing happens", seconds: float = 20.0) -> None:
    """Wait until this is true. Fail with ``what`` after so many seconds, which no test needs."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)
