"""What a run does, for whoever looks after the application: a line of the log each, and the numbers.

    {"time": "…", "level": "info", "event": "run ended", "run": "5f0c61b2", "thread": "9ad1c0de", "ending":
     "completed", "seconds": 2.31, "first_text": 0.42, "rounds": 2, "input": 812, "output": 96}

Not here: the numbers (``metrics.py``), or what a person is told.

The one rule: nothing that was said is in a line, no arguments, and no thread's id, which is its only key: a
thread is known by a few digits of its hash.
"""

import hashlib
import json
import logging
import secrets
import sys
import time
from collections.abc import Container, Generator, Iterable
from typing import Any, Literal, TextIO

from assistant.events import (
    Event,
    EventStream,
    RoundEnded,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextDelta,
    ToolResult,
)
from assistant.observability.metrics import Metrics, label
from assistant.threads import Thread

log = logging.getLogger(__name__)

Kind = Literal["", "text", "json"]

_NAME = "assistant"


# --- a run ------------------------------------------------------------------------------------------


def measured(
    events: EventStream, thread: Thread, metrics: Metrics, functions: Container[str]
) -> Generator[Event, None, None]:
    """The same run, logged and counted; closing it closes the run.

    A run that is closed before its ending was stopped. Only these ``functions`` are told by their names: a
    name that is none of them, a model or a person has made up.
    """
    run = _Run(thread, metrics, functions)
    try:
        for event in events:
            run.take(event)
            yield event
    finally:
        try:
            events.close()
        finally:
            run.end()


class _Run:
    """What is known of a run while it goes on."""

    def __init__(self, thread: Thread, metrics: Metrics, functions: Container[str]) -> None:
        self._thread, self._metrics, self._functions = thread, metrics, functions
        self._id = secrets.token_hex(4)
        self._began = time.monotonic()
        self._first_text: float | None = None
        self._rounds = 0
        self._tokens = {"input": 0, "output": 0}
        self._ending, self._why = "stopped", "closed"
        metrics.begin()
        self._say("run begun")

    def take(self, event: Event) -> None:
        match event:
            case TextDelta() if self._first_text is None:
                self._first_text = self._seconds()
            case RoundEnded(_, usage):
                self._rounds += 1
                if usage:
                    self._tokens["input"] += usage.input
                    self._tokens["output"] += usage.output
            case ToolResult(call_id, _, outcome, seconds=seconds):
                name = self._function(call_id)
                self._metrics.function(name, outcome, seconds or 0.0)
                self._say("function ended", function=name, outcome=outcome, seconds=_rounded(seconds))
            case RunCompleted():
                self._ending, self._why = "completed", ""
            case RunPaused():
                self._ending, self._why = "paused", ""
            case RunStopped(reason):
                self._ending, self._why = "stopped", reason
            case RunFailed(code):
                self._ending, self._why = "failed", label(code)

    def end(self) -> None:
        failure = self._why if self._ending == "failed" else ""
        self._metrics.end(self._ending, failure, self._first_text, self._tokens)
        self._say(
            "run ended",
            ending=self._ending,
            why=self._why or None,
            seconds=_rounded(self._seconds()),
            first_text=_rounded(self._first_text),
            rounds=self._rounds,
            **self._tokens,
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _function(self, call_id: str) -> str:
        calls = self._thread.messages[-1].calls if self._thread.messages else ()
        name = next((call.name for call in calls if call.call_id == call_id and not call.server), "")
        return label(name) if name in self._functions else "unknown"

    def _say(self, event: str, **fields: object) -> None:
        known = {name: value for name, value in fields.items() if value is not None}
        about = {"run": self._id, "thread": _hashed(self._thread.id)} | known
        log.info(event, extra={"fields": about})


def _hashed(thread_id: str) -> str:
    return hashlib.sha256(thread_id.encode("utf-8", "replace")).hexdigest()[:8] if thread_id else ""


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


# --- the log ----------------------------------------------------------------------------------------


def begin_logging(kind: Kind, hidden: Iterable[str] = ()) -> None:
    """Have all that this package logs written to standard error, without the texts that are ``hidden``.

    As ``text`` or ``json`` everything is, a line for each run and function among it; else warnings alone, as
    text. May be called again, and then the last call counts.
    """
    ours = logging.getLogger(_NAME)
    for handler in [each for each in ours.handlers if each.get_name() == _NAME]:
        ours.removeHandler(handler)
    handler = _ToStandardError()
    handler.set_name(_NAME)
    handler.setFormatter((_Json if kind == "json" else _Text)(hidden))
    ours.addHandler(handler)
    ours.setLevel(logging.INFO if kind else logging.WARNING)


class _ToStandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error now, not to what it was at the start."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Text(logging.Formatter):
    """``2026-11-23 21:04:05,678 INFO run ended run=5f0c61b2 …``"""

    def __init__(self, hidden: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._hidden = sorted({text for text in hidden if text}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return super().formatMessage(record) + fields

    def _clean(self, line: str) -> str:
        for text in self._hidden:
            line = line.replace(text, "[removed]")
        return line


class _Json(_Text):
    """An object in each line; of an exception its traceback as one text."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, Any] = {
            "time": f"{moment}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(
            {name: self._clean(each) if isinstance(each, str) else each for name, each in line.items()}
        )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields
