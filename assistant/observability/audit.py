"""The audit log: who logged in, was refused, exported, deleted, and so on; when and from where, but no content.

    {"time": "2026-11-30T10:12:13.123Z", "level": "audit", "event": "chat_exported", "user": "ada@example.org",
     "user_id": "9f86d081…", "client": "203.0.113.7", "thread": "9ad1c0de", "format": "json"}

An entry is always one line of ASCII. It is written after the event, or after its refusal.
"""

import errno
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

log = logging.getLogger(__name__)

AuditEvent = Literal[
    "access_configured",
    "login_succeeded",
    "login_failed",
    "login_refused",
    "logged_out",
    "session_ended",
    "sessions_ended",
    "chat_exported",
    "recording_exported",
    "chat_imported",
    "chat_deleted",
    "chat_expired",
    "chat_not_found",
    "limit_reached",
]
"""``docs/sessions.md`` has a table of them with their fields."""

REPEATABLE: frozenset[AuditEvent] = frozenset(
    {"login_failed", "login_refused", "recording_exported", "chat_not_found", "limit_reached"}
)
"""What any visitor can cause any number of times; of these, only some are written."""

MAX_REPEATED = 100
"""How many of these a process writes in a row; after that, one more per second."""

MAX_CHARS = 320
"""Maximum length of a text in an entry; e-mail addresses have at most 320 characters."""

STDERR = "stderr"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who did something: the e-mail address and the id of a signed-in user, and the network of the browser."""

    user: str = ""
    user_id: str = ""
    client: str = ""


class AuditLog:
    """Appends entries to a file, or writes them to standard error; for use from many threads and processes.

    The file is opened for each entry, so it can be moved away at any time. An entry that cannot be written is reported
    in the ordinary log, and stops nothing: a full disk does not lock everyone out.
    """

    def __init__(self, target: str = "", clock: Callable[[], float] = time.time) -> None:
        """``target`` is a path, ``stderr``, or empty for no log.

        Raises:
            OSError: The file cannot be opened for writing.
        """
        self._target, self._clock = target, clock
        self._lock = threading.Lock()
        self._left, self._refilled_at = float(MAX_REPEATED), clock()
        self._omitted = 0
        self._is_failing = False
        self._is_cut = False  # the disk was full in the middle of the last line
        if target and target != STDERR:
            os.close(self._open())

    def write(self, event: AuditEvent, visitor: Visitor, **facts: str | int | list[str]) -> None:
        """Write an entry, with facts in fields of their own."""
        if not self._target:
            return
        moment = self._clock()
        with self._lock:
            if event in REPEATABLE and not self._admits(moment):
                self._omitted += 1
                return
            omitted, self._omitted = self._omitted, 0
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
        entry = {
            "time": f"{seconds}.{int(moment % 1 * 1000):03}Z",
            "level": "audit",
            "event": event,
            "user": visitor.user,
            "user_id": visitor.user_id,
            "client": visitor.client,
            **facts,
            **({"omitted": omitted} if omitted else {}),
        }
        shortened = {
            name: value[:MAX_CHARS] if isinstance(value, str) else value for name, value in entry.items()
        }
        self._append(json.dumps(shortened) + "\n")

    def _admits(self, moment: float) -> bool:
        self._left = min(float(MAX_REPEATED), self._left + max(0.0, moment - self._refilled_at))
        self._refilled_at = moment
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _append(self, line: str) -> None:
        try:
            if self._target == STDERR:
                sys.stderr.write(line)
                sys.stderr.flush()
            else:
                self._append_to_file(line.encode("ascii"))
            self._is_failing = False
        except (OSError, ValueError) as error:  # ValueError: standard error is closed
            if not self._is_failing:
                log.warning("the audit log cannot be written: %s", getattr(error, "strerror", None) or error)
            self._is_failing = True

    def _append_to_file(self, line: bytes) -> None:
        """Write the line at once, so that lines of other processes are not mixed with it."""
        data = b"\n" * self._is_cut + line
        file = self._open()
        try:
            written = os.write(file, data)
        finally:
            os.close(file)
        self._is_cut = 0 < written < len(data)
        if written < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self) -> int:
        """Open the file for one entry; one that is new can be read by its owner only."""
        return os.open(Path(self._target).expanduser(), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
