"""The newest recordings of a process, in memory."""

import threading
from collections.abc import Collection

from assistant.transports.live_recording import LiveRecording

MAX_BYTES = 32_000_000  # maximum size of all recordings together; the oldest are dropped first


class RecordingStore:
    """Recordings by thread; any thread of the process may use it."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._recordings: list[tuple[str, LiveRecording]] = []
        self._lock = threading.Lock()

    def start(self, key: str, hidden: Collection[str] = ()) -> LiveRecording:
        """Return a new recording for a thread; ``key`` is its id, or any unique name until it has one.

        The texts in ``hidden`` are removed from it, as secrets are.
        """
        with self._lock:
            sizes = [recording.size() for _, recording in self._recordings]
            while sum(sizes) > self._max_bytes:
                del self._recordings[0], sizes[0]
            self._recordings.append((key, recording := LiveRecording(key, hidden)))
            return recording

    def forget(self, key: str) -> None:
        """Drop the recordings of a thread."""
        forgotten = self.for_thread(key)
        with self._lock:
            self._recordings = [each for each in self._recordings if each[1] not in forgotten]

    def forget_before(self, moment: float) -> None:
        """Drop the recordings that began before this moment, in seconds since 1970."""
        with self._lock:
            self._recordings = [each for each in self._recordings if each[1].began >= moment]

    def for_thread(self, key: str) -> list[LiveRecording]:
        """Return a thread's recordings, oldest first, by its id or by the key they were started with."""
        with self._lock:
            return [
                recording for name, recording in self._recordings if key and key in (name, recording.thread)
            ]
