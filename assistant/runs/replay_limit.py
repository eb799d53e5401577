"""Limit the replays that run at once in a process."""

import threading
from collections import Counter

from assistant.runs.worker import LiveRun

MAX_REPLAYS = 10
"""Maximum number of replays that run at once; each occupies threads for as long as the recorded run took."""


class ReplayLimit:
    """The replays that run; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._replays: list[tuple[str, LiveRun]] = []

    def add(self, visitor: str, replay: LiveRun) -> None:
        """Count a replay that a visitor has started; with too many, the oldest of the visitor with the most ends."""
        with self._lock:
            started = (*self._replays, (visitor, replay))
            self._replays = replays = [(name, run) for name, run in started if not run.ended]
        if len(replays) > MAX_REPLAYS:
            [(most, _)] = Counter(name for name, _ in replays).most_common(1)
            next(run for name, run in replays if name == most).stop()
