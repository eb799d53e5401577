"""Wait for what happens on other threads or in another process."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def at_once(number: int, function: Callable[[int], Result]) -> list[Result]:
    """Call a function on so many threads, with the number of each, all together; return the results in order."""
    together = threading.Barrier(number, timeout=20.0)

    def call(index: int) -> Result:
        together.wait()
        return function(index)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(call, range(number)))


def until(happens: Callable[[], object], what: str = "nothing happens", seconds: float = 20.0) -> None:
    """Wait until this is true. Fail with ``what`` after so many seconds, which no test needs."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, what
        time.sleep(0.002)
