"""Recording: a transport that puts what passes through it on the tape of the run that is asking.

Not here: the tape itself (``recording.py``). A run's requests are known by the thread that makes them, so one
client serves every run, and what is asked outside of any run is not recorded.

The one rule: whoever is recorded notices nothing; requests, answers and errors pass as they are.
"""

import re
import threading
from collections.abc import Generator, Iterator
from contextvars import ContextVar
from typing import Any

import httpx2

from assistant.events import Event, EventStream
from assistant.recordings.recording import How, Recording

MOST_BYTES = 32_000_000
"""What all tapes of a process hold together; the oldest go first."""

_FILE = re.compile(rb"(data:[\w/+.-]+;base64,)[A-Za-z0-9+/=]{100,}")
"""A file inside of a request (RFC 2397): it would fill the tape, above all where it is sent in each round."""

_PIECES = ("TextDelta", "RefusalDelta", "ReasoningDelta", "ToolCallDelta")
"""What a run says that the wire has said already."""

_ENDINGS = ("RunCompleted", "RunPaused", "RunStopped", "RunFailed")

_tape: ContextVar[Recording | None] = ContextVar("tape", default=None)


def record_run(events: EventStream, recording: Recording) -> Generator[Event, None, None]:
    """The same run, with what it asks and what it says recorded; closing it closes the run.

    Of a run that is closed before its ending the tape says ``RunClosed``.
    """
    ended = False
    try:
        while True:
            # Not across a ``yield``: whoever takes the next event may have a tape of their own in between.
            token = _tape.set(recording)
            try:
                event = next(events, None)
            finally:
                _tape.reset(token)
            if event is None:
                return
            name = type(event).__name__
            if name not in _PIECES:
                recording.say(event)
                ended = ended or name in _ENDINGS
                recording.thread = getattr(event, "thread_id", recording.thread)
            yield event
    finally:
        token = _tape.set(recording)
        try:
            events.close()
        finally:
            _tape.reset(token)
        if not ended:
            recording.say(RunClosed())


class RunClosed:
    """What a tape says at the end of a run whose rest nobody wanted."""


class RecordTransport(httpx2.BaseTransport):
    """Another transport, whose exchanges go on the tape of the run that makes them."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        recording = _tape.get()
        if recording is None:
            return self.inner.handle_request(request)
        # A body that is not in memory is a file on its way up.
        body = b"".join(request.stream) if isinstance(request.stream, httpx2.ByteStream) else b"[a file]"
        body = _FILE.sub(rb"\1[a file]", body)
        number = recording.request(request.method, str(request.url), request.headers, body)
        try:
            response = self.inner.handle_request(request)
        except BaseException as error:
            recording.end(number, "lost", _words(error))
            raise
        recording.response(number, response.status_code, response.headers)
        line = _Line(response.extensions.get("network_stream"))
        if line.inner is not None:
            response.extensions["network_stream"] = line
        stream = _Recorded(response.stream, line, recording, number)
        if isinstance(response.stream, httpx2.ByteStream):
            for _ in stream:  # it is here already, and nobody will read the stream
                pass
        else:
            response.stream = stream
        return response

    def close(self) -> None:
        self.inner.close()


class _Recorded(httpx2.SyncByteStream):
    """The bytes of an answer, each put on the tape as it passes."""

    def __init__(self, inner: Any, line: "_Line", recording: Recording, number: int) -> None:
        self._inner = inner
        self._line = line
        self._tape = recording
        self._number = number
        self._ended = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._inner:
                self._tape.chunk(self._number, chunk)
                yield chunk
        except GeneratorExit:
            raise  # who reads no further closes it, too
        except BaseException as error:
            self._end("lost", _words(error))
            raise
        self._end("complete")

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._end("hung up")

    def _end(self, how: How, text: str = "") -> None:
        if not self._ended:
            self._ended = True
            self._tape.end(self._number, "hung up" if self._line.taken else how, text)


class _Line:
    """An answer's connection; knows whether somebody took its socket, to hang up on who waits on it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.taken = False

    def get_extra_info(self, info: str) -> Any:
        self.taken |= info == "socket"
        return self.inner.get_extra_info(info)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class RecordingStore:
    """The newest tapes of a process, by thread; may be used on any thread."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._tapes: list[tuple[str, Recording]] = []
        self._lock = threading.Lock()

    def begin(self, key: str) -> Recording:
        """A new tape for a thread, known by its id or, while it has none, by any name of its own."""
        with self._lock:
            sizes = [recording.size() for _, recording in self._tapes]
            while sum(sizes) > self._most:
                del self._tapes[0], sizes[0]
            self._tapes.append((key, recording := Recording(key)))
            return recording

    def of(self, key: str) -> list[Recording]:
        """The tapes of a thread, the oldest first; by its id, or by the name under which they began."""
        with self._lock:
            return [recording for name, recording in self._tapes if key and key in (name, recording.thread)]
