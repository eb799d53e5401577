"""The tape: what happened in one run, in order, each thing with its time, taken at the wire.

Not here: the recording itself (``record.py``), or what a tape means (``check.py``, ``measure.py``). A tape is
written as JSON Lines: the first line is ``{"tape": 1, "began": "2026-11-23T18:00:00Z", "thread": "…"}``, each
other one an entry: ``{"at": 0.012, "kind": "event", "exchange": 1, "event": "…", "data": {…}}``.

The one rule: while an answer streams, its bytes are only appended. They are taken apart when somebody reads
the tape, and what is secret in them is gone before anybody can.
"""

import json
import math
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from assistant.recordings.redaction import cleaned, secrets_of, without_secrets
from assistant.transports.response_body import Answer

Kind = Literal["request", "response", "event", "body", "end", "run"]
"""A request; its answer's head; a server-sent event; the body of an answer that is no stream; the end of an
answer; or what our own loop said."""

How = Literal["complete", "hung up", "lost"]
"""How an answer ended: all of it came; we let go of it, as one does after its last event; or the network or
the server did, before its end."""

VERSION = 1

DEEP = "[nested too deeply]"

MOST_BYTES = 32_000_000
"""What one tape holds. After that it keeps nothing, and says so by an entry of the run, ``TapeFull``."""


class RecordingError(ValueError):
    """A text is no tape; the sentence says which line is at fault."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: ``at`` so many seconds after the tape began, in which exchange (0: none)."""

    at: float
    kind: Kind
    exchange: int
    what: dict[str, Any]


@dataclass(slots=True)
class Exchange:
    """A request with all that came back for it, as far as it came."""

    number: int
    request: Entry
    response: Entry | None = None
    events: list[Entry] = field(default_factory=list)
    body: Entry | None = None
    end: Entry | None = None


class Recording:
    """An append-only list of what happened in one run; may be read on any thread while it is written."""

    def __init__(self, thread: str = "", entries: Iterable[Entry] = (), began: float | None = None) -> None:
        self.thread = thread
        self.began = time.time() if began is None else began
        self._zero = time.monotonic()
        self._entries = list(entries)
        self._raw: deque[tuple[float, str, int, Any]] = deque()  # what has not been taken apart yet
        self._answers: dict[int, Answer] = {}
        self._secrets: set[str] = set()
        self._requests = max((entry.exchange for entry in self._entries), default=0)
        self._size = 0
        self._full = False
        self._reading = threading.Lock()

    def entries(self) -> list[Entry]:
        """Everything that has happened up to now, in order."""
        with self._reading:
            while self._raw:
                self._take_apart(*self._raw.popleft())
            return self._entries.copy()

    def exchanges(self) -> list[Exchange]:
        """The same by request, in the order of sending, without what the run said."""
        found: dict[int, Exchange] = {}
        for entry in self.entries():
            if entry.kind == "request":
                found.setdefault(entry.exchange, Exchange(entry.exchange, entry))
            elif exchange := found.get(entry.exchange):
                match entry.kind:
                    case "event":
                        exchange.events.append(entry)
                    case "response":
                        exchange.response = entry
                    case "body":
                        exchange.body = entry
                    case "end":
                        exchange.end = entry
        return list(found.values())

    def size(self) -> int:
        """How many bytes were recorded."""
        return self._size

    def as_lines(self) -> str:
        """The tape as JSON Lines, each of them ended."""
        began = datetime.fromtimestamp(self.began, UTC).isoformat().replace("+00:00", "Z")
        lines = [_line({"tape": VERSION, "began": began, "thread": self.thread})]
        lines += [
            _line({"at": entry.at, "kind": entry.kind, "exchange": entry.exchange, **entry.what})
            for entry in self.entries()
        ]
        return "".join(lines)

    @classmethod
    def from_lines(cls, text: str) -> "Recording":
        """The tape that was written so.

        Raises:
            TapeError: A line is none of a tape's.
        """
        first, *lines = text.removeprefix("\ufeff").split("\n")
        head = _object(first, 1)
        if head.get("tape") != VERSION:
            raise RecordingError(
                f'Line 1 is not the beginning of a tape: it must be like {{"tape": {VERSION}, "began": …}}.'
            )
        try:
            began = datetime.fromisoformat(str(head.get("began"))).timestamp()
        except (ValueError, OverflowError, OSError):
            raise RecordingError(
                "Line 1 of the tape does not say by a date and time when it began."
            ) from None
        numbered = enumerate(lines, 2)
        entries = [_entry(_object(line, number), number) for number, line in numbered if line.strip()]
        recording = cls(str(head.get("thread", "")), entries, began)
        recording._size = len(text)
        return recording

    # What follows is for whoever records. Of the hot path is ``chunk``.

    def request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """A request is sent; gives the number of its exchange."""
        self._secrets |= secrets_of(url, headers)
        self._requests += 1
        self._keep("request", self._requests, (method, url, body), len(url) + len(body))
        return self._requests

    def response(self, exchange: int, status: int, headers: Mapping[str, str]) -> None:
        """The head of its answer is here."""
        self._keep("response", exchange, (status, dict(headers)), 0)

    def chunk(self, exchange: int, data: bytes) -> None:
        """The next bytes of its body."""
        self._keep("chunk", exchange, data, len(data))

    def end(self, exchange: int, how: How, text: str = "") -> None:
        """Nothing more comes; ``text`` is what the network said."""
        self._keep("end", exchange, (how, text), len(text))

    def say(self, event: object) -> None:
        """Our own loop said this: a dataclass, kept by its name and its fields, but those not ``recorded``."""
        said = {}
        if is_dataclass(event) and not isinstance(event, type):
            kept = [each.name for each in fields(event) if each.metadata.get("recorded", True)]
            said = {name: value for name, value in asdict(event).items() if name in kept}
        self._keep("run", 0, {"event": type(event).__name__, **said}, len(str(said)))

    def _keep(self, kind: str, exchange: int, what: Any, size: int) -> None:
        if self._full:
            return
        if self._size + size > MOST_BYTES:
            self._full = True
            kind, exchange, what, size = "run", 0, {"event": "TapeFull"}, 0
        self._size += size
        self._raw.append((time.monotonic() - self._zero, kind, exchange, what))

    def _take_apart(self, at: float, kind: str, exchange: int, what: Any) -> None:
        answer = self._answers.setdefault(exchange, Answer())
        match kind, what:
            case "request", (method, url, body):
                url = without_secrets(url)
                self._add(at, kind, exchange, {"method": method, "url": url, "body": _value(body) or None})
            case "response", (status, headers):
                told = {name: headers[name] for name in sorted(headers) if _TELLING.search(name)}
                answer.begin(headers)
                what = {"status": status, "type": answer.type, "headers": told}
                self._add(at, kind, exchange, what)
            case "chunk", _:
                for name, data in answer.feed(what):
                    self._add(at, "event", exchange, {"event": name, "data": _value(data)})
            case "end", (how, text):
                events, body = answer.end(whole=how == "complete")
                for name, data in events:
                    self._add(at, "event", exchange, {"event": name, "data": _value(data)})
                if body:
                    self._add(at, "body", exchange, {"body": _value(body)})
                self._add(at, kind, exchange, {"how": how, "text": text})
            case _:
                self._add(at, kind, exchange, what)

    def _add(self, at: float, kind: str, exchange: int, what: dict[str, Any]) -> None:
        secrets = sorted(self._secrets, key=len, reverse=True)
        try:
            what = cleaned(what, secrets)
        except RecursionError:  # nobody could write it again
            deep = {name: DEEP for name, value in what.items() if isinstance(value, (dict, list))}
            what = cleaned(what | deep, secrets)
        self._entries.append(Entry(round(at, 6), cast(Kind, kind), exchange, what))


_TELLING = re.compile("^(retry-after.*|x-request-id|openai-processing-ms|x-should-retry)$")


def _value(text: str | bytes) -> Any:
    """The JSON object or array that a text is; else the text itself, so that none is changed."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, (dict, list)) else text


def _line(value: dict[str, Any]) -> str:
    line = json.dumps(value, ensure_ascii=False, default=str) + "\n"
    if line.isascii() or line == line.encode("utf-8", "replace").decode():
        return line
    return json.dumps(value, default=str) + "\n"  # half a character, which no file can hold as it is


def _object(line: str, number: int) -> dict[str, Any]:
    value = _value(line)
    if not isinstance(value, dict):
        raise RecordingError(f"Line {number} of the tape is no JSON object.")
    return value


_FIELDS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "request": {"method": str, "url": str, "body": object},
    "response": {"status": int, "type": str, "headers": dict},
    "event": {"event": str, "data": object},
    "body": {"body": object},
    "end": {"how": str, "text": str},
    "run": {"event": str},
}


def _entry(value: dict[str, Any], number: int) -> Entry:
    at, kind, exchange = value.pop("at", None), value.pop("kind", None), value.pop("exchange", None)
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise RecordingError(f"Line {number} of the tape is of a kind that this version does not know.")
    if not isinstance(at, (int, float)) or not math.isfinite(at) or type(exchange) is not int:
        raise RecordingError(f"Line {number} of the tape does not say when it was, or in which exchange.")
    for name, wanted in _FIELDS[kind].items():
        if not isinstance(value.get(name, _MISSING), wanted) or name not in value:
            raise RecordingError(
                f'Line {number} of the tape, of kind "{kind}", lacks "{name}", or it is wrong.'
            )
    return Entry(float(at), cast(Kind, kind), exchange, value)


_MISSING = object()
