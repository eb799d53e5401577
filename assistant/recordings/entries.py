"""The entries of a recording, one class for each kind of thing that happens, and their JSON form."""

import math
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar, Literal, cast, get_args

from pydantic import TypeAdapter, ValidationError

from assistant.events import Milestone
from assistant.locale import N_, Sentence

How = Literal["complete", "hung up", "lost"]
"""How a response ended: it arrived whole; we closed the connection; the network or the server did."""


@dataclass(frozen=True, slots=True)
class RunClosed:
    """The run was closed before its ending."""


@dataclass(frozen=True, slots=True)
class RecordingFull:
    """The recording reached its maximum size; later entries are missing."""


RecordedEvent = Milestone | RunClosed | RecordingFull
"""The events of a run that are recorded; the pieces of text are in the wire's events."""


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """A request as it was sent; ``body`` is None where it has none."""

    kind: ClassVar[str] = "request"
    at: float
    exchange: int
    method: str
    url: str
    body: Any = None


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """The head of a response; ``headers`` holds those about waiting and the request's id."""

    kind: ClassVar[str] = "response"
    at: float
    exchange: int
    status: int
    type: str
    headers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class EventEntry:
    """A server-sent event: its name, which may be empty, and its data, parsed where it is JSON."""

    kind: ClassVar[str] = "event"
    at: float
    exchange: int
    event: str
    data: Any


@dataclass(frozen=True, slots=True)
class BodyEntry:
    """The body of a response that is not a stream, parsed where it is JSON."""

    kind: ClassVar[str] = "body"
    at: float
    exchange: int
    body: Any


@dataclass(frozen=True, slots=True)
class EndEntry:
    """The end of a response; ``text`` is the network's error message where it was lost."""

    kind: ClassVar[str] = "end"
    at: float
    exchange: int
    how: How
    text: str = ""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """An event of our own run."""

    kind: ClassVar[str] = "run"
    at: float
    event: RecordedEvent
    exchange: int = 0


WireEntry = RequestEntry | ResponseEntry | EventEntry | BodyEntry | EndEntry
Entry = WireEntry | RunEntry
"""``at`` is in seconds since the recording began; ``exchange`` counts requests from 1, and is 0 for none."""


class EntryError(ValueError):
    """A JSON object is not an entry."""


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """Return the entry as a JSON object; a run's event is written by its class name and its fields."""
    head = {"at": entry.at, "kind": entry.kind, "exchange": entry.exchange}
    if isinstance(entry, RunEntry):
        return head | {"event": type(entry.event).__name__, "data": event_fields(entry.event)}
    names = [field.name for field in fields(entry) if field.name not in head]
    return head | {name: getattr(entry, name) for name in names}


def entry_from_json(value: Mapping[str, Any]) -> Entry:
    """Return the entry that ``entry_as_json`` wrote.

    Raises:
        EntryError: The object is not an entry of this version.
    """
    kind, at, exchange = value.get("kind"), value.get("at"), value.get("exchange")
    if not isinstance(kind, str) or kind not in FIELD_TYPES:
        raise EntryError(N_("This version does not know its kind."))
    if not isinstance(at, (int, float)) or not math.isfinite(at) or type(exchange) is not int:
        raise EntryError(N_("“at” or “exchange” is missing or is not a number."))
    for name, expected in FIELD_TYPES[kind].items():
        if name not in value or not isinstance(value[name], expected):
            raise EntryError(_wrong_field(name))
    if kind == "end" and value["how"] not in get_args(How):
        raise EntryError(_wrong_field("how"))
    if kind == "run":
        return RunEntry(float(at), _event_from_json(value["event"], value["data"]), exchange)
    return _CLASSES[kind](float(at), exchange, *(value[name] for name in FIELD_TYPES[kind]))


def _wrong_field(name: str) -> Sentence:
    return N_("“{name}” is missing or has the wrong type.", name=name)


def event_fields(event: RecordedEvent) -> dict[str, Any]:
    """Return an event's recorded fields by name."""
    values = asdict(event)
    return {field.name: values[field.name] for field in fields(event) if _is_recorded(field)}


def as_recorded(event: RecordedEvent) -> RecordedEvent:
    """Return the event without what is not recorded, such as a result's views."""
    defaults = {field.name: field.default for field in fields(event) if not _is_recorded(field)}
    recorded: RecordedEvent = replace(cast(Any, event), **defaults) if defaults else event
    return recorded


def _is_recorded(field: Field[Any]) -> bool:
    return bool(field.metadata.get("recorded", True))


def _event_from_json(name: str, data: Mapping[str, Any]) -> RecordedEvent:
    event_class = _EVENTS.get(name)
    if event_class is None:
        raise EntryError(N_("This version does not know its event."))
    recorded = {field.name for field in fields(event_class) if _is_recorded(field)}
    try:
        return _adapter(name).validate_python({key: data[key] for key in recorded & data.keys()})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise EntryError(N_("{event} is not valid: {problem}.", event=name, problem=problem)) from None


@cache
def _adapter(event: str) -> TypeAdapter[RecordedEvent]:
    return TypeAdapter(_EVENTS[event])


_EVENTS: dict[str, type[Any]] = {event.__name__: event for event in get_args(RecordedEvent)}

_CLASSES: dict[str, type[WireEntry]] = {entry.kind: entry for entry in get_args(WireEntry)}

FIELD_TYPES: dict[str, dict[str, type]] = {
    "request": {"method": str, "url": str, "body": object},
    "response": {"status": int, "type": str, "headers": dict},
    "event": {"event": str, "data": object},
    "body": {"body": object},
    "end": {"how": str, "text": str},
    "run": {"event": str, "data": dict},
}
"""The fields of each kind of entry beside ``at``, ``kind`` and ``exchange``."""
