"""A recording: everything that happened in one run, in order and with times, and its file format.

A file has the ending ``FILE_ENDING`` and is JSON Lines. The first line is the header,
``{"recording": 1, "began": "2026-11-23T18:00:00Z", "thread": "…"}``; every other line is one entry, such as
``{"at": 0.012, "kind": "event", "exchange": 1, "event": "…", "data": {…}}``.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from assistant.json_values import is_too_deep, parse_json
from assistant.locale import N_
from assistant.recordings.entries import (
    BodyEntry,
    EndEntry,
    Entry,
    EntryError,
    EventEntry,
    RecordedEvent,
    RequestEntry,
    ResponseEntry,
    RunEntry,
    entry_as_json,
    entry_from_json,
)

VERSION = 1

FILE_ENDING = ".recording.jsonl"

NOT_LIVE = N_("Recording · not live")
"""What a replay says of itself."""


class RecordingError(ValueError):
    """A text is not a recording; the message names the line."""


@dataclass(slots=True)
class Exchange:
    """A request with everything that came back for it so far."""

    number: int
    request: RequestEntry
    response: ResponseEntry | None = None
    events: list[EventEntry] = field(default_factory=list)
    body: BodyEntry | None = None
    end: EndEntry | None = None


class Recording:
    """The entries of one run; ``began`` is a Unix time, ``thread`` the thread's id or ""."""

    is_live = False
    """Whether a server answered in this process; not if it comes from a file or is a replay."""

    def __init__(self, thread: str = "", entries: Iterable[Entry] = (), began: float | None = None) -> None:
        self.thread = thread
        self.began = time.time() if began is None else began
        self._entries = list(entries)
        self._size = 0

    def entries(self) -> list[Entry]:
        """Return all entries up to now, in order."""
        return self._entries.copy()

    def exchanges(self) -> list[Exchange]:
        """Return the entries grouped by request, in the order of sending, without the run's own events."""
        found: dict[int, Exchange] = {}
        for entry in self.entries():
            if isinstance(entry, RequestEntry):
                found.setdefault(entry.exchange, Exchange(entry.exchange, entry))
            elif exchange := found.get(entry.exchange):
                match entry:
                    case EventEntry():
                        exchange.events.append(entry)
                    case ResponseEntry():
                        exchange.response = entry
                    case BodyEntry():
                        exchange.body = entry
                    case EndEntry():
                        exchange.end = entry
                    case RunEntry():
                        pass
        return list(found.values())

    def run_events(self) -> list[RecordedEvent]:
        """Return the run's own events, in order."""
        return [entry.event for entry in self.entries() if isinstance(entry, RunEntry)]

    def size(self) -> int:
        """Return the number of recorded bytes."""
        return self._size

    def as_lines(self) -> str:
        """Return the recording as JSON Lines, each ending with a newline."""
        began = datetime.fromtimestamp(self.began, UTC).isoformat().replace("+00:00", "Z")
        header = _line({"recording": VERSION, "began": began, "thread": self.thread})
        return header + "".join(_line(entry_as_json(entry)) for entry in self.entries())

    @classmethod
    def from_lines(cls, lines: str) -> "Recording":
        """Return the recording that ``as_lines`` wrote.

        Raises:
            RecordingError: A line is not part of a recording of this version.
        """
        first, *others = lines.removeprefix("\ufeff").split("\n")
        header = _object(first, 1)
        if header.get("recording") != VERSION:
            raise RecordingError(
                N_(
                    "This is not a recording of version {version}: its first line is another one.",
                    version=VERSION,
                )
            )
        try:
            began = datetime.fromisoformat(str(header.get("began"))).timestamp()
        except (ValueError, OverflowError, OSError):
            raise RecordingError(
                N_("The first line of the recording has no date and time as “began”.")
            ) from None
        entries = [_entry(line, number) for number, line in enumerate(others, 2) if line.strip()]
        recording = cls(str(header.get("thread", "")), entries, began)
        recording._size = len(lines)
        return recording


def sample_files() -> dict[str, Path]:
    """Return the files of the recordings that ship with the project, by name."""
    paths = sorted((Path(__file__).parent / "samples").glob(f"*{FILE_ENDING}"))
    return {path.name.removesuffix(FILE_ENDING): path for path in paths}


def sample_title(name: str) -> str:
    """Return the title of such a recording in English, to be translated."""
    return name[:1].upper() + name[1:].replace("_", " ")


def parse_content(data: str | bytes) -> Any:
    """Return the JSON object or array in a text; the text itself where there is none."""
    content = data.decode("utf-8", "replace") if isinstance(data, bytes) else data
    value = parse_json(content)
    return value if isinstance(value, (dict, list)) else content


def _line(value: dict[str, Any]) -> str:
    line = json.dumps(value, ensure_ascii=False, default=str) + "\n"
    if line.isascii() or line == line.encode("utf-8", "replace").decode():
        return line
    return json.dumps(value, default=str) + "\n"  # a lone surrogate, which UTF-8 cannot encode


def _entry(line: str, number: int) -> Entry:
    try:
        return entry_from_json(_object(line, number))
    except EntryError as error:
        raise RecordingError(
            N_("Line {line} of the recording cannot be read. {reason}", line=number, reason=error.args[0])
        ) from None


def _object(line: str, number: int) -> dict[str, Any]:
    value = parse_json(line)
    if not isinstance(value, dict):
        raise RecordingError(N_("Line {line} of the recording is not a JSON object.", line=number))
    if is_too_deep(value):
        raise RecordingError(N_("Line {line} of the recording is nested too deeply.", line=number))
    return value
