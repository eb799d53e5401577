"""Inject faults into responses: a transport that wraps another one.

Only requests for an answer are affected, and of their responses only what the faults name.
"""

import json
import threading
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import httpx2

from assistant.json_values import get, parse_json
from assistant.recordings.requests import Protocol, protocol_at
from assistant.transports import sse
from assistant.transports.cancellation import pause
from assistant.transports.fault_spec import Fault

ERROR_MESSAGE = "This was broken on purpose."
MAX_STALL_SECONDS = 600.0  # duration of a stall where the request has no timeout

_PAGE = "<!doctype html><title>Welcome</title><h1>It works!</h1>"


class FaultTransport(httpx2.BaseTransport):
    """Wraps a transport; ``faults`` may be changed at any time, for the next request."""

    def __init__(self, inner: httpx2.BaseTransport, faults: Iterable[Fault] = ()) -> None:
        self.inner = inner
        self.faults = tuple(faults)
        self._thread = threading.local()  # a run sends its requests on one thread: its round

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        protocol = protocol_at(request.method, request.url.path, bool(body.strip(b"{} ")))
        if not protocol:
            return self.inner.handle_request(request)
        number = self._round(request.url.path, body)
        faults = [fault for fault in self.faults if fault.round in (0, number)]
        for fault in faults:
            if fault.kind in ("429", "500", "html"):
                return _error_response(fault)
        response = self.inner.handle_request(request)
        if not faults or response.status_code != 200 or "json" in response.headers.get("content-type", ""):
            return response
        stream = _FaultyStream(response, faults, protocol, request)
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        }
        return httpx2.Response(200, headers=headers, stream=stream, extensions=response.extensions)

    def close(self) -> None:
        self.inner.close()

    def _round(self, path: str, body: bytes) -> int:
        """Return the round of its run that a request belongs to; a retry belongs to the same round."""
        previous, number = getattr(self._thread, "last", (b"", 0))
        if (path, body) != previous:
            number = 1 if _starts_run(path, body) else number + 1
        self._thread.last = (path, body), number
        return number


class _FaultyStream(httpx2.SyncByteStream):
    """The events of one response, with its faults."""

    def __init__(
        self, response: httpx2.Response, faults: list[Fault], protocol: Protocol, request: httpx2.Request
    ) -> None:
        self._response, self._faults, self._request = response, faults, request
        self._endings = _Endings(protocol)

    def __iter__(self) -> Iterator[bytes]:
        delay = sum(fault.at for fault in self._faults if fault.kind == "slow") / 1000
        before_first: list[tuple[str, str] | None] = [None]
        for number, event in enumerate(chain(before_first, sse.events(self._response.iter_bytes()))):
            kinds = [fault.kind for fault in self._faults if fault.kind != "slow" and fault.at == number]
            if event is not None:
                if pause(delay):
                    raise self._lost()
                data = sse.encode(*event)
                self._endings.add(event[1])
                if "half" in kinds:
                    yield data[: len(data) // 2]
                    raise self._lost()
                yield data
                if "twice" in kinds:
                    yield data
            for kind in kinds:
                match kind:
                    case "unknown":
                        yield self._endings.unknown_event()
                    case "failed" | "incomplete":
                        yield self._endings.last_event(kind)
                        return
                    case "cut":
                        raise self._lost()
                    case "stall":
                        self._stall()

    def close(self) -> None:
        self._response.close()

    def _stall(self) -> None:
        timeouts = self._request.extensions.get("timeout") or {}
        if pause(timeouts.get("read") or MAX_STALL_SECONDS):
            raise self._lost()
        raise httpx2.ReadTimeout("The answer stalled on purpose.", request=self._request)

    def _lost(self) -> httpx2.ReadError:
        return httpx2.ReadError("The connection was cut on purpose.", request=self._request)


class _Endings:
    """Builds the events that end an answer early in its protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._sequence: int | None = None
        self._response: dict[str, Any] = {}  # the response or run, as the server last sent it
        self._turn: Any = None

    def add(self, data: str) -> None:
        """Remember what the ending has to repeat of an event."""
        event = parse_json(data)
        if not isinstance(event, dict):
            return
        if isinstance(event.get("sequence_number"), int):
            self._sequence = event["sequence_number"]
        self._turn = event.get("turn_id") or self._turn
        for response in (event.get("response"), event if event.get("object") == "thread.run" else None):
            self._response = response if isinstance(response, dict) else self._response

    def unknown_event(self) -> bytes:
        """Return an event of a type that does not exist."""
        names = {"responses": "response.hologram", "agents": "agent.session.hologram"}
        name = names.get(self._protocol, "thread.hologram")
        return self._event("" if self._protocol == "chat" else name, {"type": name, "object": name})

    def last_event(self, kind: str) -> bytes:
        """Return the last event of an answer that ``failed`` or is ``incomplete``."""
        error = {"code": "server_error", "message": ERROR_MESSAGE}
        has_failed = kind == "failed"
        match self._protocol:
            case "chat" if has_failed:
                return self._event("", {"error": error})
            case "chat":
                return self._event("", {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
            case "assistants":
                reason = {"incomplete_details": {"reason": "max_completion_tokens"}}
                run = {**self._response, "status": kind, **({"last_error": error} if has_failed else reason)}
                return self._event(f"thread.run.{kind}", run)
            case "agents":
                cause = error if has_failed else {"code": "max_output_tokens", "message": ERROR_MESSAGE}
                name, turn = "agent.session.turn.failed", {"id": self._turn, "error": cause}
                return self._event(name, {"type": name, "turn_id": self._turn, "turn": turn})
            case _:
                reason = {"incomplete_details": {"reason": "max_output_tokens"}}
                response = {**self._response, "status": kind, **({"error": error} if has_failed else reason)}
                return self._event(f"response.{kind}", {"type": f"response.{kind}", "response": response})

    def _event(self, name: str, data: dict[str, Any]) -> bytes:
        if self._sequence is not None:
            self._sequence += 1
            data["sequence_number"] = self._sequence
        return sse.encode(name, json.dumps(data))


def _error_response(fault: Fault) -> httpx2.Response:
    if fault.kind == "html":
        return httpx2.Response(200, html=_PAGE)
    if fault.kind == "429":
        error = {"message": ERROR_MESSAGE, "type": "requests", "param": None, "code": "rate_limit_exceeded"}
        return httpx2.Response(429, headers={"retry-after": f"{fault.at:g}"}, json={"error": error})
    error = {"message": ERROR_MESSAGE, "type": "server_error", "param": None, "code": "server_error"}
    return httpx2.Response(500, json={"error": error})


def _starts_run(path: str, body: bytes) -> bool:
    """Return whether a request is the first of its run: its last item is a message of the user."""
    if path.endswith(("/runs", "/agents/sessions")):
        return True
    value = parse_json(body)
    items = get(value, "input") or get(value, "messages")
    last = items[-1] if isinstance(items, list) and items else items
    return isinstance(last, str) or (isinstance(last, dict) and last.get("role") == "user")
