"""Replay a recording: a transport that answers each request as the recorded server did, at its pace.

A request gets the next recorded response to a request with the same method and path, or an error that says
there is none. Only the creation of a thread that is older than the recording is made up.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2

from assistant.json_values import get
from assistant.recordings.entries import EndEntry
from assistant.recordings.recording import Exchange, Recording
from assistant.recordings.requests import api_path
from assistant.transports import sse
from assistant.transports.cancellation import pause

_REPLAYED_HEADER = re.compile("(retry-after|x|openai)[a-z-]*$")
_RETRIED_STATUSES = (408, 409, 429)

_Key = tuple[str, str, bool]  # the method of a request, its path, and whether it has a body


class ReplayTransport(httpx2.BaseTransport):
    """Answers requests from a recording; any thread may use it."""

    def __init__(self, recording: Recording, speed: float = 1.0) -> None:
        """``speed`` 1 is the recorded pace, 10 is ten times as fast, and ``math.inf`` is without waits.

        Raises:
            ValueError: The speed is not above 0.
        """
        if not speed > 0:
            raise ValueError(f"The speed is {speed:g}. Set a number above 0, such as 1, 10 or inf.")
        self._exchanges = recording.exchanges()
        self._unused = list(self._exchanges)
        self._speed = speed
        self._lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        key = request.method, api_path(request.url.path), bool(request.read().strip(b"{} "))
        with self._lock:
            exchange = next((other for other in self._unused if _key_of(other) == key), None)
            if exchange is None:
                return self._not_recorded(key)
            self._unused.remove(exchange)
            retry = next((other for other in self._unused if _key_of(other) == key), None)
        head, end = exchange.response, exchange.end
        sent_at = exchange.request.at
        if head is None:
            pause((end.at - sent_at if end else 0) / self._speed)
            raise _network_error(end, request)
        pause((head.at - sent_at) / self._speed)
        recorded = {name: value for name, value in head.headers.items() if _REPLAYED_HEADER.match(name)}
        recorded["content-type"] = head.type
        headers = {name: str(value).encode("ascii", "replace").decode() for name, value in recorded.items()}
        if head.status in _RETRIED_STATUSES or head.status >= 500:
            # What was retried in the recording is retried here, after the recorded wait.
            headers |= self._retry_headers(
                retry.request.at - end.at if retry and end else 0, retry is not None
            )
        stream = _ReplayedStream(exchange, head.at, self._speed, request)
        return httpx2.Response(head.status, headers=headers, stream=stream)

    def _retry_headers(self, seconds: float, is_retried: bool) -> dict[str, str]:
        if not is_retried:
            return {"x-should-retry": "false"}
        return {"retry-after-ms": f"{max(1, seconds / self._speed * 1000):.0f}"}

    def _not_recorded(self, key: _Key) -> httpx2.Response:
        """Return the response to a request that is not in the recording, or not this often."""
        method, path, _ = key
        thread_id = self._earlier_thread(path) if method == "POST" else None
        if thread_id:
            created = {"id": thread_id, "object": path.strip("/")[:-1], "metadata": {}}
            return httpx2.Response(200, json=created)
        times = sum(_key_of(other) == key for other in self._exchanges)
        message = f"The recording has no {method} {path} here"
        message += f": it has {times} of them, and this is one more." if times else "."
        error = {
            "message": message,
            "type": "invalid_request_error",
            "param": None,
            "code": "not_in_the_recording",
        }
        # 404 means a server without conversations; it is then sent the whole history each time.
        status = 404 if (method, path) == ("POST", "/conversations") else 409
        return httpx2.Response(status, headers={"x-should-retry": "false"}, json={"error": error})

    def _earlier_thread(self, path: str) -> str | None:
        """Return the id of the thread that existed before the recording; the replay has to create it."""
        for exchange in self._exchanges:
            conversation = get(exchange.request.body, "conversation")
            if path == "/conversations" and conversation:
                return str(conversation.get("id") if isinstance(conversation, dict) else conversation)
            found = re.match("/threads/([^/]+)/", api_path(exchange.request.url))
            if path == "/threads" and found:
                return found[1]
        return None


class _ReplayedStream(httpx2.SyncByteStream):
    """The body of one response, as it arrived."""

    def __init__(self, exchange: Exchange, started_at: float, speed: float, request: httpx2.Request) -> None:
        self._exchange, self._started_at, self._speed = exchange, started_at, speed
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        exchange, end, started = self._exchange, self._exchange.end, time.monotonic()
        for event in exchange.events:
            self._wait_until(event.at, started)
            yield sse.encode(event.event, _as_text(event.data))
        if exchange.body:
            self._wait_until(exchange.body.at, started)
            yield _as_text(exchange.body.body).encode("utf-8", "replace")
        if end is not None:
            self._wait_until(end.at, started)
        if end is None or end.how != "complete":
            raise _network_error(end, self._request)

    def _wait_until(self, at: float, started: float) -> None:
        """Wait until this moment of the recording; a slow reader does not wait on top."""
        due = started + max(0.0, at - self._started_at) / self._speed
        if pause(due - time.monotonic()):
            raise httpx2.ReadError("The request was cancelled.", request=self._request)


def _key_of(exchange: Exchange) -> _Key:
    request = exchange.request
    return request.method, api_path(request.url), bool(request.body)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _network_error(end: EndEntry | None, request: httpx2.Request) -> httpx2.TransportError:
    """Return the recorded network error; a read error where the recording simply ends."""
    recorded = end.text if end else ""
    name, _, message = recorded.partition(": ")
    error_class = getattr(httpx2, name, None)
    if not (isinstance(error_class, type) and issubclass(error_class, httpx2.TransportError)):
        error_class, message = httpx2.ReadError, recorded or "The recording ends before the response."
    return error_class(message, request=request)
