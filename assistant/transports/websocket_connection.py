"""One WebSocket connection to a server of the Responses API, over the network of the HTTP requests.

While a response arrives, the user can steer it: messages for it are sent on the same connection, and the server
answers them with a response of its own, or prepends them to the next request (OpenAI's guide to steering).
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpcore2
import httpx2

from assistant.json_values import get, parse_json

MAX_AGE_SECONDS = 55 * 60.0
"""Age at which a connection is no longer used; the service closes it after 60 minutes."""

MAX_IDLE_SECONDS = 5 * 60.0
"""Time between two responses after which a connection is no longer used."""

MAX_STEERED_SECONDS = 30.0
"""Time in which the request for a steered message follows; until then, the connection serves nothing else."""

MAX_MESSAGE_BYTES = 32_000_000
"""Maximum size of a message; images are the largest."""

MAX_DATA_OPCODE = 7  # frames above it are closes, pings and pongs (RFC 6455, section 5.2)


class Outdated(Exception):
    """The server has messages that are not in the request; only another connection forgets them."""


@dataclass(slots=True, eq=False)
class Steer:
    """A message for a response that arrives; ``on_failed`` is called if the server will not answer it."""

    text: str
    on_failed: Callable[[], None]
    id: str = ""  # once the server has accepted it
    is_sent: bool = False


class WebSocketConnection:
    """One open WebSocket connection."""

    def __init__(self, url: httpx2.URL, opened: httpx2.Response) -> None:
        # Part of Streamlit. Loaded late, because most pages use no WebSocket to the model's server.
        from websockets.protocol import Protocol, Side

        self.url = url
        self.response_id: object = None  # of the newest response, which the server has in its memory
        self.steers: list[Steer] = []  # messages for that response which the server did not refuse
        self.opened_at = self.used_at = time.monotonic()
        self.stream = opened.extensions["network_stream"]
        self._opened = opened  # holds the connection
        self._protocol = Protocol(Side.CLIENT, max_size=MAX_MESSAGE_BYTES)
        self._frames: deque[Any] = deque()
        self._request: httpx2.Request | None = None
        self._timeouts: dict[str, float | None] = {}
        self._lock = threading.RLock()  # of what the thread that steers uses, too: all but reading
        self._is_receiving = False
        self._ahead: deque[bytes] = deque()  # messages that were looked at, and are to be received

    def request(self, request: httpx2.Request, body: dict[str, Any]) -> bytes:
        """Send a request for a response, and return the first message of the response.

        What the server has of its input, because it was steered, is not sent again. If that is all, the server
        has begun its response already.

        Raises:
            Outdated: The server has steered messages that are not in the input.
            httpx2.TransportError: The connection ended, or nothing came until the time limit.
        """
        self._request, self._timeouts = request, request.extensions.get("timeout") or {}
        self._settle_steers()
        missing = _input_without(self.steers, body.get("input"))
        if missing or not self.steers:
            self._send({"type": "response.create", **body, **({"input": missing} if self.steers else {})})
        first = self._first_message()
        if first is None:  # what was accepted was refused after all
            self._send({"type": "response.create", **body})
            first = self.receive()
        with self._lock:
            self.steers, self.response_id, self._is_receiving = [], None, True
            self.observe(parse_json(first))
        return first

    def steer(self, text: str, on_failed: Callable[[], None]) -> bool:
        """Send a message for the response that arrives, from any thread; return False if none does."""
        steer = Steer(text, on_failed)
        with self._lock:
            if not self._is_receiving:
                return False
            self.steers.append(steer)
            try:
                self._send_steers()
            except httpx2.TransportError:
                self.steers.remove(steer)
                return False
        return True

    def observe(self, event: Any) -> None:
        """Note what an event of the response says about the response and its steered messages."""
        kind = get(event, "type")
        with self._lock:
            if kind == "response.created":
                self.response_id = get(get(event, "response"), "id")
                self._send_steers()
            elif kind == "response.steer.accepted":
                accepted = next((steer for steer in self.steers if not steer.id), None)
                if accepted:
                    accepted.id = str(get(get(event, "steer"), "id"))
            elif kind == "response.steer.failed":
                steer_id = str(get(get(event, "steer"), "id") or "")
                failed = next((steer for steer in self.steers if steer.id == steer_id), None)
                if failed:
                    self.steers.remove(failed)
                    failed.on_failed()

    def end_response(self) -> None:
        """Note that the response has arrived; it can no longer be steered."""
        with self._lock:
            self._is_receiving = False
            self.used_at = time.monotonic()
            while unsent := next((steer for steer in self.steers if not steer.is_sent), None):
                self.steers.remove(unsent)
                unsent.on_failed()

    def receive(self) -> bytes:
        """Return the next message.

        Raises:
            httpx2.TransportError: The connection ended, or nothing came until the time limit.
        """
        return self._ahead.popleft() if self._ahead else self._receive_new()

    def _receive_new(self) -> bytes:
        parts = []
        while True:
            while self._frames:
                frame = self._frames.popleft()
                parts.append(frame.data)
                if frame.fin:
                    return b"".join(parts)
            self._read()

    def is_usable(self) -> bool:
        """Return whether the connection can serve another response."""
        now, limit = time.monotonic(), MAX_STEERED_SECONDS if self.steers else MAX_IDLE_SECONDS
        if now - self.opened_at > MAX_AGE_SECONDS or now - self.used_at > limit:
            return False
        try:
            while self.stream.get_extra_info("is_readable"):
                self._read()  # a ping, or the end
        except httpx2.TransportError:
            return False
        return bool(self.steers) or not self._frames

    def close(self) -> None:
        """Hang up, which ends the response; the server forgets the steered messages."""
        with suppress(Exception):  # it may be closed already
            self._opened.close()
        with self._lock:
            steers, self.steers, self._is_receiving = self.steers, [], False
        for steer in steers:
            steer.on_failed()

    def _settle_steers(self) -> None:
        """Read on until the server has accepted or refused each steered message."""
        while not all(steer.id for steer in self.steers):
            message = self._receive_new()
            self.observe(parse_json(message))
            if not _is_about_steering(message):
                self._ahead.append(message)

    def _first_message(self) -> bytes | None:
        """Return the first message of a response; None if the server gave the steered messages back instead."""
        had_steers = bool(self.steers)
        while True:
            message = self.receive()
            if not _is_about_steering(message):
                return message
            self.observe(parse_json(message))
            if had_steers and not self.steers:
                return None

    def _send(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._protocol.send_text(json.dumps(message).encode())
            self._flush()

    def _send_steers(self) -> None:
        """Send the messages for the response, once its id is known."""
        for steer in self.steers if self.response_id else []:
            if not steer.is_sent:
                steer.is_sent = True
                self._send(
                    {
                        "type": "response.steer",
                        "previous_response_id": self.response_id,
                        "input": steer.text,
                    }
                )

    def _read(self) -> None:
        with self._translated_errors():
            data = self.stream.read(65_536, self._timeouts.get("read"))
        if data:
            with self._lock:
                self._protocol.receive_data(data)
                frames: list[Any] = self._protocol.events_received()
                self._frames += [frame for frame in frames if frame.opcode <= MAX_DATA_OPCODE]
                self._flush()  # answers to pings
        if not data or (self._protocol.state.name != "OPEN" and not self._frames):
            code, reason = self._protocol.close_code, self._protocol.close_reason or "no reason"
            raise httpx2.ReadError(
                f"The WebSocket connection ended ({code}, {reason}).", request=self._request
            )

    def _flush(self) -> None:
        with self._translated_errors():
            for data in self._protocol.data_to_send():
                if data:
                    self.stream.write(data, self._timeouts.get("write"))

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except httpcore2.ReadTimeout as error:
            raise httpx2.ReadTimeout(str(error), request=self._request) from error
        except httpcore2.TimeoutException as error:
            raise httpx2.WriteTimeout(str(error), request=self._request) from error
        except httpcore2.WriteError as error:
            raise httpx2.WriteError(str(error), request=self._request) from error
        except httpcore2.NetworkError as error:
            raise httpx2.ReadError(str(error), request=self._request) from error


def _is_about_steering(message: bytes) -> bool:
    return str(get(parse_json(message), "type")).startswith("response.steer.")


def _input_without(steers: list[Steer], items: Any) -> list[Any]:
    """Return the items of a request that the server lacks, if it has these steered messages.

    Raises:
        Outdated: They are not the last message among the items.
    """
    if not steers:
        return []
    last = items[-1] if isinstance(items, list) and items else None
    if get(last, "role") != "user" or get(last, "content") != "\n\n".join(steer.text for steer in steers):
        raise Outdated
    missing: list[Any] = items[:-1]
    return missing
