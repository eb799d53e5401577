"""Breaks answers on purpose: a transport that wraps another and spoils what asks for an answer.

Not here: how faults are written and told of (``fault.py``), or of functions (``tools/fault_injection.py``).

The one rule: only requests that ask for an answer are touched, and of an answer only what the fault names.
"""

import json
import threading
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import httpx2

from assistant.transports import sse
from assistant.transports.connection_handle import ConnectionHandle
from assistant.transports.fault_spec import Fault
from assistant.transports.replay import protocol_at

WORDS = "This was broken on purpose."
LONGEST_STALL = 600.0
"""Seconds of silence, where the request sets no limit of its own."""

_PAGE = "<!doctype html><title>Welcome</title><h1>It works!</h1>"


class FaultTransport(httpx2.BaseTransport):
    """Another transport with faults; ``faults`` may be changed at any time, for the next request."""

    def __init__(self, inner: httpx2.BaseTransport, faults: Iterable[Fault] = ()) -> None:
        self.inner = inner
        self.faults = tuple(faults)
        self._here = threading.local()  # a run asks on one thread: the number of its round

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read()
        protocol = protocol_at(request.method, request.url.path, bool(body.strip(b"{} ")))
        if not protocol:
            return self.inner.handle_request(request)
        number = self._round(request.url.path, body)
        faults = [each for each in self.faults if each.round in (0, number)]
        for fault in faults:
            if fault.kind in ("429", "500", "html"):
                return _in_place_of_the_server(fault)
        response = self.inner.handle_request(request)
        if not faults or response.status_code != 200 or "json" in response.headers.get("content-type", ""):
            return response
        spoilt = _Spoilt(response, faults, protocol, request)
        headers = {
            name: value
            for name, value in response.headers.items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        }
        extensions = response.extensions | {"network_stream": spoilt.line}
        return httpx2.Response(200, headers=headers, stream=spoilt, extensions=extensions)

    def close(self) -> None:
        self.inner.close()

    def _round(self, path: str, body: bytes) -> int:
        """Which round of its run a request asks for; one that is tried again is of the same round."""
        before, number = getattr(self._here, "last", (b"", 0))
        if (path, body) != before:
            number = 1 if _asks_first(path, body) else number + 1
        self._here.last = (path, body), number
        return number


class _Spoilt(httpx2.SyncByteStream):
    """The events of one answer, with its faults."""

    def __init__(
        self, response: httpx2.Response, faults: list[Fault], protocol: str, request: httpx2.Request
    ) -> None:
        self._response, self._faults, self._request = response, faults, request
        self._ends = _Ends(protocol)
        self.line = ConnectionHandle(response.extensions.get("network_stream"))

    def __iter__(self) -> Iterator[bytes]:
        pause = sum(fault.at for fault in self._faults if fault.kind == "slow") / 1000
        at_start: list[tuple[str, str] | None] = [None]
        for number, event in enumerate(chain(at_start, sse.events(self._response.iter_bytes()))):
            here = [fault.kind for fault in self._faults if fault.kind != "slow" and fault.at == number]
            if event is not None:
                if not self.line.wait(pause):
                    raise self._lost()
                data = _sse(*event)
                self._ends.learn(event[1])
                if "half" in here:
                    yield data[: len(data) // 2]
                    raise self._lost()
                yield data
                if "twice" in here:
                    yield data
            for kind in here:
                match kind:
                    case "unknown":
                        yield self._ends.unknown()
                    case "failed" | "incomplete":
                        yield self._ends.of(kind)
                        return
                    case "cut":
                        raise self._lost()
                    case "stall":
                        self._stall()

    def close(self) -> None:
        self._response.close()
        self.line.close()

    def _stall(self) -> None:
        limits = self._request.extensions.get("timeout") or {}
        if self.line.wait(limits.get("read") or LONGEST_STALL):
            raise httpx2.ReadTimeout("The answer stood still, on purpose.", request=self._request)
        raise self._lost()

    def _lost(self) -> httpx2.ReadError:
        return httpx2.ReadError("The connection was cut, on purpose.", request=self._request)


class _Ends:
    """How an answer ends before its time, in the words of its protocol."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._sequence: int | None = None
        self._begun: dict[str, Any] = {}  # the response or run, as it was last told
        self._turn: Any = None

    def learn(self, data: str) -> None:
        """Take note of an event that has passed."""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        if not isinstance(event, dict):
            return
        if isinstance(event.get("sequence_number"), int):
            self._sequence = event["sequence_number"]
        self._turn = event.get("turn_id") or self._turn
        for told in (event.get("response"), event if event.get("object") == "thread.run" else None):
            self._begun = told if isinstance(told, dict) else self._begun

    def unknown(self) -> bytes:
        """An event that no protocol has."""
        names = {"responses": "response.hologram", "agents": "agent.session.hologram"}
        name = names.get(self._protocol, "thread.hologram")
        return self._event("" if self._protocol == "chat" else name, {"type": name, "object": name})

    def of(self, kind: str) -> bytes:
        """The last event of an answer that ``failed`` or is ``incomplete``."""
        error = {"code": "server_error", "message": WORDS}
        has_failed = kind == "failed"
        match self._protocol:
            case "chat" if has_failed:
                return self._event("", {"error": error})
            case "chat":
                return self._event("", {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
            case "assistants":
                reason = {"incomplete_details": {"reason": "max_completion_tokens"}}
                run = {**self._begun, "status": kind, **({"last_error": error} if has_failed else reason)}
                return self._event(f"thread.run.{kind}", run)
            case "agents":
                code = error if has_failed else {"code": "max_output_tokens", "message": WORDS}
                name, turn = "agent.session.turn.failed", {"id": self._turn, "error": code}
                return self._event(name, {"type": name, "turn_id": self._turn, "turn": turn})
            case _:
                reason = {"incomplete_details": {"reason": "max_output_tokens"}}
                response = {**self._begun, "status": kind, **({"error": error} if has_failed else reason)}
                return self._event(f"response.{kind}", {"type": f"response.{kind}", "response": response})

    def _event(self, name: str, data: dict[str, Any]) -> bytes:
        if self._sequence is not None:
            self._sequence += 1
            data["sequence_number"] = self._sequence
        return _sse(name, json.dumps(data))


def _in_place_of_the_server(fault: Fault) -> httpx2.Response:
    if fault.kind == "html":
        return httpx2.Response(200, html=_PAGE)
    if fault.kind == "429":
        error = {"message": WORDS, "type": "requests", "param": None, "code": "rate_limit_exceeded"}
        return httpx2.Response(429, headers={"retry-after": f"{fault.at:g}"}, json={"error": error})
    error = {"message": WORDS, "type": "server_error", "param": None, "code": "server_error"}
    return httpx2.Response(500, json={"error": error})


def _asks_first(path: str, body: bytes) -> bool:
    """Whether a request is the first of its run: what it tells last is a person's message."""
    if path.endswith(("/runs", "/agents/sessions")):
        return True
    try:
        asked = json.loads(body or b"null")
    except (ValueError, RecursionError):
        return False
    if not isinstance(asked, dict):
        return False
    told = asked.get("input") or asked.get("messages")
    last = told[-1] if isinstance(told, list) and told else told
    return isinstance(last, str) or (isinstance(last, dict) and last.get("role") == "user")


def _sse(name: str, data: str) -> bytes:
    lines = [f"event: {name}"] if name else []
    lines += [f"data: {line}" for line in data.split("\n")]
    return ("\n".join(lines) + "\n\n").encode()
