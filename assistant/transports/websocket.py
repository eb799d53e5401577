"""Request responses over WebSocket connections that stay open: a transport that wraps the network.

To everything above it, this is HTTP: a request for a streamed response goes out as one ``response.create``
message, and each message of the server comes back as one server-sent event. So it is recorded, broken, retried
and translated in the same places (OpenAI's guide to WebSocket mode). Other requests pass unchanged.

The SDK's ``responses.connect`` would go around all this: it opens connections of its own, without this
application's recorder, faults and Stop, waits for a silent server without a limit, and supports no version of
``websockets`` (17, with Streamlit) above 15. Here only that library's parser is used.
"""

import base64
import hashlib
import secrets
import threading
from collections.abc import Iterator
from typing import Any

import httpx2

from assistant.json_values import get, parse_json
from assistant.recordings.requests import api_path
from assistant.transports import sse
from assistant.transports.websocket_connection import Outdated, WebSocketConnection

MAX_IDLE = 20
"""Maximum number of connections that stay open between two responses."""

NO_WEBSOCKET = "no_websocket"
"""The code of the error for a server that opens no WebSocket connection."""

TOO_OLD = "websocket_connection_limit_reached"
"""The code of the server's error for a connection that is too old; the request goes to a new one."""

_FINAL_TYPES = ("response.completed", "response.incomplete", "response.failed", "error")
_KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_OMITTED_HEADERS = ("accept", "accept-encoding", "connection", "content-length", "content-type")


class _NotOpened(Exception):
    """The server did not open a connection; ``response`` is what it answered."""

    def __init__(self, response: httpx2.Response) -> None:
        super().__init__(response.status_code)
        self.response = response


class WebSocketTransport(httpx2.BaseTransport):
    """Wraps the network. A connection serves one response at a time, and then the next one."""

    def __init__(self, inner: httpx2.BaseTransport) -> None:
        self.inner = inner
        self._lock = threading.Lock()
        self._idle: list[WebSocketConnection] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST" or api_path(request.url.path) != "/responses":
            return self.inner.handle_request(request)
        body = parse_json(request.read())
        if not isinstance(body, dict) or not body.pop("stream", False) or body.get("background"):
            return self.inner.handle_request(request)
        try:
            connection = self._acquire(request, body.get("previous_response_id"))
            try:
                first = self._exchange(connection, request, body)
            except Outdated:
                first = None
            if first is None or _error_code(first) == TOO_OLD:
                connection.close()
                connection = self._open(request)
                first = self._exchange(connection, request, body)
        except _NotOpened as refused:
            return refused.response
        if (status := _error_status(first)) is not None:
            self._release(connection)
            return _error_response(status, parse_json(first))
        return httpx2.Response(
            200,
            headers={"content-type": "text/event-stream", "upgrade": "websocket"},
            stream=_EventStream(self, connection, first),
            extensions={"network_stream": connection.stream, "steer": connection.steer},
        )

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()
        self.inner.close()

    def _exchange(
        self, connection: WebSocketConnection, request: httpx2.Request, body: dict[str, Any]
    ) -> bytes:
        """Send a request and return the first message of its response."""
        try:
            return connection.request(request, body)
        except BaseException:
            connection.close()
            raise

    def _acquire(self, request: httpx2.Request, previous: object) -> WebSocketConnection:
        """Return an open connection, if possible the one that has the previous response in its memory.

        One with a steered message serves only the request that continues the steered response.
        """
        while True:
            with self._lock:
                usable = [
                    each
                    for each in self._idle
                    if each.url == request.url and (each.response_id == previous or not each.steers)
                ]
                if not usable:
                    break
                connection = next((each for each in usable if each.response_id == previous), usable[-1])
                self._idle.remove(connection)
            if connection.is_usable():
                return connection
            connection.close()
        return self._open(request)

    def _release(self, connection: WebSocketConnection) -> None:
        """Keep a connection for the next response."""
        connection.end_response()
        with self._lock:
            self._idle.append(connection)
            oldest = self._idle.pop(0) if len(self._idle) > MAX_IDLE else None
        if oldest:
            oldest.close()

    def end(self, connection: WebSocketConnection, *, is_complete: bool) -> None:
        """Keep the connection of a complete response; hanging up ends any other."""
        if is_complete:
            self._release(connection)
        else:
            connection.close()

    def _open(self, request: httpx2.Request) -> WebSocketConnection:
        """Open a connection with the headers of a request, through the network that it would take."""
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        headers = [item for item in request.headers.multi_items() if item[0].lower() not in _OMITTED_HEADERS]
        upgrade = {"connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        headers += [*upgrade.items(), ("sec-websocket-key", key)]
        answer = self.inner.handle_request(
            httpx2.Request("GET", request.url, headers=headers, extensions=request.extensions)
        )
        digest = hashlib.sha1(f"{key}{_KEY_SUFFIX}".encode(), usedforsecurity=False).digest()
        is_accepted = answer.headers.get("sec-websocket-accept") == base64.b64encode(digest).decode()
        if answer.status_code == 101 and is_accepted:
            return WebSocketConnection(request.url, answer)
        if answer.status_code in (401, 403, 429) or (answer.status_code >= 500 and answer.status_code != 501):
            raise _NotOpened(answer)  # what is wrong is not that it is a WebSocket
        answer.close()
        error = {"message": f"HTTP status {answer.status_code}", "code": NO_WEBSOCKET}
        raise _NotOpened(httpx2.Response(426, json={"error": error}))


class _EventStream(httpx2.SyncByteStream):
    """The messages of one response as server-sent events."""

    def __init__(self, transport: WebSocketTransport, connection: WebSocketConnection, first: bytes) -> None:
        self._transport, self._connection, self._first = transport, connection, first
        self._is_complete = self._has_ended = False

    def __iter__(self) -> Iterator[bytes]:
        message = self._first
        while True:
            event = parse_json(message)
            kind = get(event, "type")
            self._is_complete = kind in _FINAL_TYPES
            if message is not self._first:
                self._connection.observe(event)
            yield sse.encode(kind if isinstance(kind, str) else "", message.decode("utf-8", "replace"))
            if self._is_complete:
                return
            message = self._connection.receive()

    def close(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self._transport.end(self._connection, is_complete=self._is_complete)


def _error_code(message: bytes) -> object:
    return get(get(parse_json(message), "error"), "code")


def _error_status(message: bytes) -> int | None:
    """Return the HTTP status of an error that came in place of a response; None for any other message."""
    event = parse_json(message)
    status = get(event, "status") if get(event, "type") == "error" else None
    return status if isinstance(status, int) and 400 <= status < 600 else None


def _error_response(status: int, event: Any) -> httpx2.Response:
    headers = get(event, "headers")
    named = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    return httpx2.Response(status, headers=named, json={"error": get(event, "error")})
