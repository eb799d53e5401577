"""A recording that grows during its run.

While a response streams, its bytes are only appended. They are parsed when the recording is read, and secrets
are removed before anyone can read them.
"""

import re
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from assistant.json_values import is_too_deep
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    EventEntry,
    How,
    RecordedEvent,
    RecordingFull,
    RequestEntry,
    ResponseEntry,
    RunEntry,
    as_recorded,
    event_fields,
)
from assistant.recordings.recording import Recording, parse_content
from assistant.recordings.redaction import redact, redact_url, secrets_of
from assistant.transports.response_body import ResponseBody

MAX_BYTES = 32_000_000
"""Maximum size of one recording; a ``RecordingFull`` event takes the place of what does not fit."""

NESTED_TOO_DEEPLY = "[nested too deeply]"

_RECORDED_HEADER = re.compile("^(retry-after.*|x-request-id|openai-processing-ms|x-should-retry|upgrade)$")


@dataclass(slots=True)  # not frozen: it is created for every chunk
class _Chunk:
    at: float
    exchange: int
    data: bytes


_Unparsed = RequestEntry | ResponseEntry | _Chunk | EndEntry | RunEntry


class LiveRecording(Recording):
    """An append-only recording; any thread may read it while another writes."""

    is_live = True

    def __init__(self, thread: str = "", hidden: Collection[str] = ()) -> None:
        super().__init__(thread)
        self._start = time.monotonic()
        self._unparsed: deque[_Unparsed] = deque()
        self._bodies: dict[int, ResponseBody] = {}
        self._secrets = set(hidden)
        self._requests = 0
        self._is_full = False
        self._parsing = threading.Lock()

    def entries(self) -> list[Entry]:
        """Return all entries up to now, in order."""
        with self._parsing:
            while self._unparsed:
                self._parse(self._unparsed.popleft())
            return self._entries.copy()

    def add_request(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Record a request and return the number of its exchange."""
        self._secrets |= secrets_of(url, headers)
        self._requests += 1
        self._append(RequestEntry(self._now(), self._requests, method, url, body), len(url) + len(body))
        return self._requests

    def add_response(self, exchange: int, status: int, headers: Mapping[str, str]) -> None:
        """Record the head of a response."""
        self._append(ResponseEntry(self._now(), exchange, status, "", dict(headers)), 0)

    def add_chunk(self, exchange: int, data: bytes) -> None:
        """Record the next bytes of a response's body."""
        self._append(_Chunk(time.monotonic() - self._start, exchange, data), len(data))

    def add_end(self, exchange: int, how: How, text: str = "") -> None:
        """Record the end of a response; ``text`` is the network's error message."""
        self._append(EndEntry(self._now(), exchange, how, text), len(text))

    def add_event(self, event: RecordedEvent) -> None:
        """Record an event of the run."""
        self._append(RunEntry(self._now(), as_recorded(event)), len(str(event_fields(event))))

    def _now(self) -> float:
        return round(time.monotonic() - self._start, 6)

    def _append(self, entry: _Unparsed, size: int) -> None:
        if self._is_full:
            return
        if self._size + size > MAX_BYTES:
            self._is_full = True
            entry, size = RunEntry(entry.at, RecordingFull()), 0
        self._size += size
        self._unparsed.append(entry)

    def _parse(self, entry: _Unparsed) -> None:
        body = self._bodies.setdefault(entry.exchange, ResponseBody())
        match entry:
            case RequestEntry(url=url, body=sent):
                self._add(replace(entry, url=redact_url(url), body=parse_content(sent) or None))
            case ResponseEntry(headers=headers):
                body.start(headers)
                recorded = {name: headers[name] for name in sorted(headers) if _RECORDED_HEADER.search(name)}
                self._add(replace(entry, type=body.type, headers=recorded))
            case _Chunk():
                self._add_events(entry, body.feed(entry.data))
            case EndEntry():
                events, content = body.end(is_complete=entry.how == "complete")
                self._add_events(entry, events)
                if content:
                    self._add(BodyEntry(entry.at, entry.exchange, parse_content(content)))
                self._add(entry)
            case RunEntry():
                self._add(entry)

    def _add_events(self, source: _Chunk | EndEntry, events: list[tuple[str, str]]) -> None:
        for name, data in events:
            self._add(EventEntry(round(source.at, 6), source.exchange, name, parse_content(data)))

    def _add(self, entry: Entry) -> None:
        secrets = sorted(self._secrets, key=len, reverse=True)
        redacted: Entry = redact(_without_nesting(entry), secrets)
        self._entries.append(redacted)


def _without_nesting(entry: Entry) -> Entry:
    """Return the entry without what could not be read again from a file."""
    match entry:
        case RequestEntry(body=content) | BodyEntry(body=content) if is_too_deep([content]):
            return replace(entry, body=NESTED_TOO_DEEPLY)
        case EventEntry(data=content) if is_too_deep([content]):
            return replace(entry, data=NESTED_TOO_DEEPLY)
    return entry
