"""Plays a tape: an httpx2 transport that answers each request as the tape's server did, at its own pace.

Not here: the functions of a tape (``assistant/runs/replay.py``), or whether a tape is sound (``check.py``).

The one rule: a request is given the tape's next answer to a request of the same method and path, or is told
plainly that there is none. Nothing is made up, but for the address of a thread that was open before the tape
began.
"""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from assistant.recordings.recording import Entry, Exchange, Recording
from assistant.transports.connection_handle import ConnectionHandle

_PATH = re.compile(r".*(/(responses|chat/completions|conversations|threads|agents|models)(?=/|$).*)")
_ASKS = re.compile(
    r"/(?P<responses>responses)|/(?P<chat>chat/completions)|/(?P<agents>agents/sessions)(/[^/]+/events)?"
    r"|/(?P<assistants>threads)/([^/]+/)?runs(/[^/]+/submit_tool_outputs)?"
)
_TELLING = re.compile("(retry-after|x|openai)[a-z-]*$")
_RETRIED = (408, 409, 429)


class ReplayTransport(httpx2.BaseTransport):
    """Answers requests from a tape; safe to use on threads."""

    def __init__(self, recording: Recording, speed: float = 1.0) -> None:
        """``speed`` 1 is the tape's own pace, 10 is ten times as fast, and ``math.inf`` is at once.

        Raises:
            ValueError: The speed is not above 0.
        """
        if not speed > 0:
            raise ValueError(f"The speed is {speed:g}. Set a number above 0, such as 1, 10 or inf.")
        self._exchanges = recording.exchanges()
        self._left = list(self._exchanges)
        self._speed = speed
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        asked = _key(request.method, request.url.path, request.read())
        with self._lock:
            exchange = next((each for each in self._left if _key_of(each) == asked), None)
            if exchange is None:
                return self._without_the_tape(asked)
            self._left.remove(exchange)
            again = next((each for each in self._left if _key_of(each) == asked), None)
        head, end = exchange.response, exchange.end
        began = exchange.request.at
        if head is None:
            self._pause(end.at - began if end else 0)
            raise _network_error(end, request)
        self._pause(head.at - began)
        told = {name: value for name, value in head.what["headers"].items() if _TELLING.match(name)}
        told["content-type"] = head.what["type"]
        headers = {name: str(value).encode("ascii", "replace").decode() for name, value in told.items()}
        status = head.what["status"]
        if status in _RETRIED or status >= 500:
            # The SDK tries again what was tried again on the tape, after the wait that was there.
            wait = (again.request.at - end.at) / self._speed if again and end else 0
            headers |= (
                {"retry-after-ms": f"{max(1, wait * 1000):.0f}"} if again else {"x-should-retry": "false"}
            )
        played = _Played(exchange, head.at, self._speed, request)
        return httpx2.Response(
            status, headers=headers, stream=played, extensions={"network_stream": played.line}
        )

    def close(self) -> None:
        self._closed.set()

    def _pause(self, seconds: float) -> None:
        self._closed.wait(min(max(0.0, seconds / self._speed), threading.TIMEOUT_MAX))

    def _without_the_tape(self, asked: tuple[str, str, bool]) -> httpx2.Response:
        """The answer to a request that is not on the tape, or not so often."""
        method, path, _ = asked
        made = self._opened_before(path) if method == "POST" else None
        if made:
            return httpx2.Response(200, json={"id": made, "object": path.strip("/")[:-1], "metadata": {}})
        times = sum(_key_of(each) == asked for each in self._exchanges)
        text = f"The tape has no {method} {path} here"
        text += f": it has {times} of them, and this is one more." if times else "."
        error = {"message": text, "type": "invalid_request_error", "param": None, "code": "not_on_the_tape"}
        # A server without conversations says so by a 404, and is then told everything each time.
        status = 404 if (method, path) == ("POST", "/conversations") else 409
        return httpx2.Response(status, headers={"x-should-retry": "false"}, json={"error": error})

    def _opened_before(self, path: str) -> str | None:
        """The thread that the tape's run went on in: whoever plays the tape has yet to open it."""
        for exchange in self._exchanges:
            body = exchange.request.what["body"]
            named = body.get("conversation") if isinstance(body, dict) else None
            if path == "/conversations" and named:
                return str(named.get("id") if isinstance(named, dict) else named)
            inside = re.match("/threads/([^/]+)/", _path(exchange.request.what["url"]))
            if path == "/threads" and inside:
                return inside[1]
        return None


class _Played(httpx2.SyncByteStream):
    """The body of one answer, as it came."""

    def __init__(self, exchange: Exchange, began: float, speed: float, request: httpx2.Request) -> None:
        self.line = ConnectionHandle()
        self._exchange, self._began, self._speed, self._request = exchange, began, speed, request

    def __iter__(self) -> Iterator[bytes]:
        exchange, clock = self._exchange, _Clock(self._began, self._speed)
        for entry in [*exchange.events, *([exchange.body] if exchange.body else [])]:
            self._wait(clock.until(entry.at))
            yield (
                _sse(entry) if entry.kind == "event" else _text(entry.what["body"]).encode("utf-8", "replace")
            )
        end = exchange.end
        if end is not None:
            self._wait(clock.until(end.at))
        if end is None or end.what["how"] != "complete":
            raise _network_error(end, self._request)

    def close(self) -> None:
        self.line.close()

    def _wait(self, seconds: float) -> None:
        if not self.line.wait(seconds):
            raise httpx2.ReadError("The connection was closed.", request=self._request)


class _Clock:
    """Says how long it is until a moment of the tape; who reads slowly is not made to wait on top."""

    def __init__(self, began: float, speed: float) -> None:
        self._zero, self._began, self._speed = time.monotonic(), began, speed

    def until(self, at: float) -> float:
        return self._zero + max(0.0, at - self._began) / self._speed - time.monotonic()


# --- what a tape is about -----------------------------------------------------------------------------


def prompt_of(recording: Recording) -> str:
    """What the person had said: the last text of theirs up to the first request for an answer.

    Nothing, where the tape has none: an answer that was gone on with was not asked for anew.
    """
    said = ""
    for exchange in recording.exchanges():
        texts = list(_said_by_the_person(exchange.request.what["body"]))
        said = texts[-1] if texts else said
        if said and protocol_of_request(exchange.request):
            break
    return said


def protocol_of(recording: Recording) -> str:
    """The protocol, as ``ASSISTANT_PROTOCOL`` names it: responses, chat, agents, assistants; or nothing."""
    return next(filter(None, (protocol_of_request(each.request) for each in recording.exchanges())), "")


def address_of(recording: Recording) -> str:
    """The base URL of the server that the tape was recorded from; nothing, where it asked for nothing."""
    for exchange in recording.exchanges():
        url = str(exchange.request.what["url"])
        return url.partition("?")[0].removesuffix(_path(url))
    return ""


def request_of(recording: Recording) -> dict[str, Any]:
    """The body of the first request for an answer; an empty one where there is none."""
    for exchange in recording.exchanges():
        body = exchange.request.what["body"]
        if protocol_of_request(exchange.request) and isinstance(body, dict):
            return body
    return {}


def protocol_of_request(request: Entry) -> str:
    """The protocol of a request that asks for an answer; nothing for any other."""
    return protocol_at(request.what["method"], _path(request.what["url"]), bool(request.what["body"]))


def protocol_at(method: str, path: str, has_body: bool) -> str:
    """The protocol in which a request to this path asks for an answer; nothing where it does not."""
    found = _ASKS.fullmatch(_path(path))
    listens = path.endswith("/events")
    if not found or (method, has_body) != (("GET", False) if listens else ("POST", True)):
        return ""
    return next(name for name, value in found.groupdict().items() if value)


def shipped() -> dict[str, Path]:
    """The tapes that come with the project, by the name of each."""
    folder = Path(__file__).parent.parent / "recordings" / "samples"
    return {path.stem: path for path in sorted(folder.glob("*.jsonl"))}


def _said_by_the_person(body: Any) -> Iterator[str]:
    """The texts of a person in a request's body, wherever its protocol puts them."""
    if not isinstance(body, dict):
        return
    if isinstance(body.get("input"), str):
        yield body["input"]
    if body.get("role") == "user":
        content = body.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        yield "".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text"))
    for name in ("input", "messages", "events"):
        for each in body[name] if isinstance(body.get(name), list) else []:
            yield from _said_by_the_person(each)


def _path(url: str) -> str:
    """A URL's path, from where it is the protocol's and no longer a server's own."""
    path = url.partition("?")[0]
    found = _PATH.search(path.rpartition("://")[2])
    return found[1] if found else path


def _key(method: str, path: str, body: bytes) -> tuple[str, str, bool]:
    return method, _path(path), bool(body.strip(b"{} "))


def _key_of(exchange: Exchange) -> tuple[str, str, bool]:
    asked = exchange.request.what
    return asked["method"], _path(asked["url"]), bool(asked["body"])


def _sse(entry: Entry) -> bytes:
    name = f"event: {entry.what['event']}\n" if entry.what["event"] else ""
    data = "".join(f"data: {line}\n" for line in _text(entry.what["data"]).split("\n"))
    return f"{name}{data}\n".encode("utf-8", "replace")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _network_error(end: Entry | None, request: httpx2.Request) -> httpx2.TransportError:
    """What the network said where the tape was lost; also where nobody listened on."""
    said = str(end.what["text"]) if end else ""
    name, _, words = said.partition(": ")
    kind = getattr(httpx2, name, None)
    if not (isinstance(kind, type) and issubclass(kind, httpx2.TransportError)):
        kind, words = httpx2.ReadError, said or "The tape ends here, before the answer did."
    return kind(words, request=request)
