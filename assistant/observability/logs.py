"""Log runs and count them in the metrics.

    {"time": "…", "level": "info", "event": "run ended", "run": "5f0c61b2", "thread": "9ad1c0de", "ending":
     "completed", "seconds": 2.31, "first_text": 0.42, "rounds": 2, "input": 812, "output": 96}

A line contains no text of the conversation and no arguments. A thread's id is the only key to it, so lines
identify a thread by the first digits of a hash.
"""

import hashlib
import json
import logging
import re
import secrets
import sys
import time
from collections.abc import Container, Generator, Iterable
from typing import TYPE_CHECKING, Any, Literal, TextIO

from assistant.events import (
    CommentaryDelta,
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
from assistant.threads import Thread

if TYPE_CHECKING:
    from assistant.observability.metrics import Metrics

log = logging.getLogger(__name__)

Kind = Literal["", "text", "json"]

_NAME = "assistant"


# --- a run ------------------------------------------------------------------------------------------


def observe_run(
    events: EventStream, thread: Thread, metrics: "Metrics | None", functions: Container[str]
) -> Generator[Event, None, None]:
    """Pass on the events of a run, and log and count it. Closing the result closes the run.

    A run that is closed before its ending counts as stopped. Only names in ``functions`` are logged; any
    other was invented by a model or a user, and is logged as ``unknown``.
    """
    observer = _RunObserver(thread, metrics, functions)
    try:
        for event in events:
            observer.observe(event)
            yield event
    finally:
        try:
            events.close()
        finally:
            observer.finish()


class _RunObserver:
    """Collects the facts of a run while it is in progress."""

    def __init__(self, thread: Thread, metrics: "Metrics | None", functions: Container[str]) -> None:
        self._thread, self._metrics, self._functions = thread, metrics, functions
        self._id = secrets.token_hex(4)
        self._started_at = time.monotonic()
        self._first_text: float | None = None
        self._rounds = 0
        self._tokens = {"input": 0, "output": 0}
        self._ending, self._reason = "stopped", "closed"
        if metrics:
            metrics.run_started()
        self._log("run started")

    def observe(self, event: Event) -> None:
        match event:
            case TextDelta() | CommentaryDelta() if self._first_text is None:
                self._first_text = self._seconds()
            case RoundEnded(_, usage):
                self._rounds += 1
                if usage:
                    self._tokens["input"] += usage.input
                    self._tokens["output"] += usage.output
            case ToolResult(call_id, _, outcome, seconds=seconds):
                name = self._function(call_id)
                if self._metrics:
                    self._metrics.function_ended(name, outcome, seconds or 0.0)
                self._log("function ended", function=name, outcome=outcome, seconds=_rounded(seconds))
            case RunCompleted():
                self._ending, self._reason = "completed", ""
            case RunPaused():
                self._ending, self._reason = "paused", ""
            case RunStopped(reason):
                self._ending, self._reason = "completed" if event.is_steered else "stopped", reason
            case RunFailed(code):
                self._ending, self._reason = "failed", _label(code)

    def finish(self) -> None:
        failure = self._reason if self._ending == "failed" else ""
        if self._metrics:
            self._metrics.run_ended(self._ending, failure, self._first_text, self._tokens)
        self._log(
            "run ended",
            ending=self._ending,
            reason=self._reason or None,
            seconds=_rounded(self._seconds()),
            first_text=_rounded(self._first_text),
            rounds=self._rounds,
            **self._tokens,
        )

    def _seconds(self) -> float:
        return time.monotonic() - self._started_at

    def _function(self, call_id: str) -> str:
        calls = self._thread.messages[-1].calls if self._thread.messages else ()
        name = next((call.name for call in calls if call.call_id == call_id and not call.server), "")
        return _label(name) if name in self._functions else "unknown"

    def _log(self, event: str, **fields: object) -> None:
        known = {name: value for name, value in fields.items() if value is not None}
        log.info(event, extra={"fields": {"run": self._id, "thread": hash_thread(self._thread.id)} | known})


def hash_thread(thread_id: str) -> str:
    """Return what identifies a thread in a log: its id would give access to it."""
    return hashlib.sha256(thread_id.encode("utf-8", "replace")).hexdigest()[:8] if thread_id else ""


def _label(text: str) -> str:
    """Return a name as a label, or ``other`` if it may be free text."""
    return text if re.fullmatch("[A-Za-z0-9_.-]{1,64}", text) else "other"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


# --- the log ----------------------------------------------------------------------------------------


def configure_logging(kind: Kind, hidden: Iterable[str] = ()) -> None:
    """Write the log of this package to standard error, without the texts in ``hidden``.

    ``text`` and ``json`` write everything, including a line per run and per function call; otherwise only
    warnings are written, as text. A later call replaces the configuration.
    """
    logger = logging.getLogger(_NAME)
    for handler in list(logger.handlers):
        if handler.get_name() == _NAME:
            logger.removeHandler(handler)
    handler = _StderrHandler()
    handler.set_name(_NAME)
    handler.setFormatter((_JsonFormatter if kind == "json" else _TextFormatter)(hidden))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO if kind else logging.WARNING)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the current ``sys.stderr``, which may have been replaced."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


_LINE_ENDS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")  # a terminal would obey them


def _escape(control: re.Match[str]) -> str:
    return f"\\x{ord(control[0]):02x}"


class _TextFormatter(logging.Formatter):
    """``2026-11-23 21:04:05,678 INFO run ended run=5f0c61b2 …``

    Only the first line of a message or an exception begins with a time; further lines are indented.
    """

    def __init__(self, hidden: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._hidden = sorted({text for text in hidden if text}, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        text = self._redact(super().format(record))
        first, *others = (_CONTROL.sub(_escape, line) for line in _LINE_ENDS.split(text))
        return "\n".join([first, *(f"    {line}" for line in others)])

    def formatMessage(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in _fields(record).items())
        return super().formatMessage(record) + fields

    def _redact(self, line: str) -> str:
        for text in self._hidden:
            line = line.replace(text, "[removed]")
        return line


class _JsonFormatter(_TextFormatter):
    """One JSON object per line; an exception is its traceback as a string."""

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
            {name: self._redact(value) if isinstance(value, str) else value for name, value in line.items()}
        )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields
