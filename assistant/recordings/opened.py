"""Bounds the recordings from files that all sessions of a process have open."""

import threading
from weakref import WeakSet

from assistant.locale import N_
from assistant.recordings.recording import Recording, RecordingError

MAX_OPENED_BYTES = 10_000_000
"""Maximum size of all recordings from files that the sessions have open; in memory they are up to 25 times as large."""


class OpenedRecordings:
    """The recordings from files that are open; any thread of the process may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recordings: WeakSet[Recording] = WeakSet()

    def add(self, recording: Recording) -> None:
        """Count a recording from a file for as long as a session has it open.

        Raises:
            RecordingError: The sessions have too many open.
        """
        with self._lock:
            if sum(each.size() for each in self._recordings) + recording.size() > MAX_OPENED_BYTES:
                raise RecordingError(
                    N_("Too many recordings are open on this page. Try again in a few minutes.")
                )
            self._recordings.add(recording)
