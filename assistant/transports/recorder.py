"""Record a run at the wire: a transport that adds what passes through it to the recording of the current run.

The run is found by its thread, so one client serves every run, and a request outside of any run is not
recorded. Requests, responses and errors pass unchanged.
"""

import re
from collections.abc import Generator, Iterator
from contextvars import ContextVar
from typing import Any

import httpx2

from assistant.events import Delta, Ending, Event, EventStream, ThreadOpened
from assistant.recordings.entries import How, RunClosed
from assistant.transports.cancellation import is_cancelled
from assistant.transports.live_recording import LiveRecording

_FILE = re.compile(rb"(data:[\w/+.-]+;base64,)[A-Za-z0-9+/=]{100,}")
"""A file inside a request (RFC 2397), which would fill the recording if it is sent in each round."""

_current: ContextVar[LiveRecording | None] = ContextVar("recording", default=None)


def record_run(events: EventStream, recording: LiveRecording) -> Generator[Event, None, None]:
    """Yield the events of a run and record its requests and events; closing this closes the run.

    A run that is closed before its ending is recorded with ``RunClosed``.
    """
    has_ended = False
    try:
        while True:
            # Reset before each ``yield``: the consumer may be another run with a recording of its own.
            token = _current.set(recording)
            try:
                event = next(events, None)
            finally:
                _current.reset(token)
            if event is None:
                return
            if not isinstance(event, Delta):  # the wire's events have the pieces of text
                recording.add_event(event)
            if isinstance(event, ThreadOpened):
                recording.thread = event.thread_id
            has_ended = has_ended or isinstance(event, Ending)
            yield event
    finally:
        token = _current.set(recording)
        try:
            events.close()
        finally:
            _current.reset(token)
        if not has_ended:
            recording.add_event(RunClosed())


class RecordTransport(httpx2.BaseTransport):
    """Wraps a transport and records the exchanges of the current run."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        recording = _current.get()
        if recording is None:
            return self.inner.handle_request(request)
        # A body that is not in memory is an upload.
        body = b"".join(request.stream) if isinstance(request.stream, httpx2.ByteStream) else b"[a file]"
        body = _FILE.sub(rb"\1[a file]", body)
        exchange = recording.add_request(request.method, str(request.url), request.headers, body)
        try:
            response = self.inner.handle_request(request)
        except BaseException as error:
            recording.add_end(exchange, "hung up" if is_cancelled() else "lost", _describe(error))
            raise
        recording.add_response(exchange, response.status_code, response.headers)
        stream = _RecordedStream(response.stream, recording, exchange)
        if isinstance(response.stream, httpx2.ByteStream):
            for _ in stream:  # the body is in memory, and its stream will not be read again
                pass
        else:
            response.stream = stream
        return response

    def close(self) -> None:
        self.inner.close()


class _RecordedStream(httpx2.SyncByteStream):
    """The bytes of a response, recorded as they pass."""

    def __init__(self, inner: Any, recording: LiveRecording, exchange: int) -> None:
        self._inner = inner
        self._recording = recording
        self._exchange = exchange
        self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._inner:
                self._recording.add_chunk(self._exchange, chunk)
                yield chunk
        except GeneratorExit:
            raise  # the consumer will call ``close``
        except BaseException as error:
            self._end("lost", _describe(error))
            raise
        self._end("complete")

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            self._end("hung up")

    def _end(self, how: How, text: str = "") -> None:
        if not self._has_ended:
            self._has_ended = True
            self._recording.add_end(self._exchange, "hung up" if is_cancelled() else how, text)


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")
