"""What one process shares: settings, functions, storage, runs, recordings, metrics and backends."""

import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from assistant import functions
from assistant.access.auth import ANYONE
from assistant.access.local import OFF
from assistant.access.metering import Meter
from assistant.access.quotas import QuotaGuard
from assistant.access.sessions import (
    CHECK_SECONDS,
    EndReason,
    Login,
    Rules,
    SessionEnds,
    current_moment,
    stop_when_ended,
)
from assistant.access.usage_store import UsageStore
from assistant.backends import load_sdk
from assistant.backends.shared import SharedBackends
from assistant.errors import FunctionError, LimitExceeded, SettingsError
from assistant.locale import N_
from assistant.observability.audit import AuditLog, Visitor
from assistant.observability.logs import configure_logging, hash_thread, observe_run
from assistant.recordings.opened import OpenedRecordings
from assistant.runs.autosave import Autosaver
from assistant.runs.queue import MessageQueue
from assistant.runs.registry import RunRegistry
from assistant.runs.replay_limit import ReplayLimit
from assistant.runs.retention import Retention
from assistant.runs.run import Events, Run
from assistant.settings import Settings
from assistant.storage.database import Database, default_url
from assistant.storage.store import Store
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run
from assistant.transports.recording_store import RecordingStore

if TYPE_CHECKING:
    from assistant.observability.metrics import Metrics

log = logging.getLogger(__name__)

FREEZE_SECONDS = 60.0
"""Minimum interval between two calls of ``gc.freeze``."""


class Application:
    """One object that all sessions of a process share. ``folder`` holds ``.env`` and the default database."""

    settings: Settings
    """The owner's settings, from the environment, Streamlit's secrets or ``.env``."""

    toolbox: Toolbox
    """The functions in ``assistant/functions/``."""

    autosaver: Autosaver
    """Saves threads in the configured database."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._database_url = ""
        self._configured: Settings | None = None
        self._freeze_at = 0.0
        self._sdk_requested = False
        self._refresh_at = 0.0
        self._ends = SessionEnds()
        self.audit = AuditLog()
        self._audited_facts: dict[str, str | int] = {}
        self.secrets: Mapping[str, Any] = {}
        self.runs = RunRegistry()
        self.queue = MessageQueue()
        self.recordings = RecordingStore()
        self.opened_recordings = OpenedRecordings()
        self.replay_limit = ReplayLimit()
        self.backends = SharedBackends()
        self._retention: Retention | None = None
        self.metrics: Metrics | None = None

    def configure(self, secrets: Mapping[str, Any]) -> None:
        """Read settings and functions again, so that changes take effect with the next reload of the page.

        Raises:
            SettingsError: A setting has a value that cannot be used.
            FunctionError: A function cannot be offered to a model.
        """
        settings = Settings.load(os.environ, secrets, dotenv_values(self._folder / ".env"))
        self.toolbox = Toolbox.from_package(functions)
        self.secrets = secrets
        if settings != self._configured:
            self._apply(settings)
        if (facts := _access_facts(settings, self.rules.method)) != self._audited_facts:
            self._audited_facts = facts
            self.audit.write("access_configured", Visitor(), **facts)

    def _apply(self, settings: Settings) -> None:
        with self._lock:
            if settings == self._configured:
                return
            before = self._configured or Settings()
            configure_logging(settings.log, settings.secrets)
            if settings.audit_log != before.audit_log:
                self._open_audit_log(settings.audit_log)
            if settings.metrics_port != before.metrics_port:
                self._serve_metrics(settings.metrics_port)
            url = settings.database_url or default_url(self._folder)
            if url != self._database_url:
                if self._database_url:
                    self.autosaver.close()
                self.autosaver, self._database_url = Autosaver(url), url
            self.settings = self._configured = settings
            if settings.retention != before.retention:
                self._start_retention(settings.retention)

    def _start_retention(self, seconds: float) -> None:
        """Start deleting chats that have not changed for this long; with 0, no chat is deleted."""
        if self._retention:
            self._retention.stop()
        self._retention = None
        if seconds:
            self._retention = Retention(
                seconds,
                lambda: self.autosaver.store,
                lambda: self.backends.shared(self.settings),
                self._forget_expired,
                self._clean_up,
            )
            self._retention.start()

    def _clean_up(self, store: Store, seconds: float) -> None:
        """Delete older recordings and usage counts."""
        self.recordings.forget_before(time.time() - seconds)
        UsageStore(store.database).delete_users(seconds)

    def _forget_expired(self, thread: Thread) -> None:
        self.forget(thread)
        self.audit.write("chat_expired", Visitor(), thread=hash_thread(thread.id))

    def forget(self, thread: Thread) -> None:
        """Remove a thread that was deleted from the memory of this process, also from the pages that have it open."""
        self.queue.clear(thread)
        self.recordings.forget(thread.id)
        self.runs.forget(self.runs.find(thread.id, thread.owner) or thread)

    def refresh(self, secrets: Callable[[], Mapping[str, Any]]) -> None:
        """Read settings again as ``configure`` does, at most once per ``CHECK_SECONDS``; ignore invalid ones."""
        with self._lock:
            is_due = time.monotonic() >= self._refresh_at
            if is_due:
                self._refresh_at = time.monotonic() + CHECK_SECONDS
        if is_due:
            with suppress(SettingsError, FunctionError):  # the page shows the error when it runs next
                self.configure(secrets())

    @property
    def rules(self) -> Rules:
        """The settings that decide who may use the page."""
        auth = self.secrets.get("auth")
        secret = str(auth.get("cookie_secret") or "") if isinstance(auth, Mapping) else ""
        return Rules(self.settings.password, self.settings.allowed, secret)

    def end_reason(self, login: Login | None) -> EndReason | None:
        """Return why a session has ended, or None; at most ``CHECK_SECONDS`` late. Without a login, none ends."""
        return login.end_reason(self.rules, lambda: self._ends.read(self._database)) if login else None

    def now(self) -> float:
        """Return the time by the clock that all processes share."""
        return current_moment(self._database)

    @property
    def _database(self) -> Database | None:
        store = self.autosaver.store
        return store.database if store else None

    def quota(
        self, settings: Settings, user_id: str, on_limit: Callable[[LimitExceeded], None]
    ) -> QuotaGuard | None:
        """Return the guard of a connection; None unless it is the owner's and has limits.

        The budget applies to the owner's key, even at another address.
        """
        owner = self.settings
        is_owners_server = (settings.base_url, settings.api_key) == (owner.base_url, owner.api_key)
        is_owners = is_owners_server or (owner.budget and settings.api_key == owner.api_key != "")
        if settings.demo or not is_owners or not (owner.limit_user or owner.limit_all or owner.budget):
            return None
        model = owner.model if owner.has_price else ""
        if owner.budget:
            model = settings.model if is_owners_server and settings.has_price else ""
        usage = UsageStore(self._database) if self._database else None
        limits = owner.limit_user, owner.limit_all + owner.budget
        return QuotaGuard(user_id, *limits, model, usage, owner.output_limit, on_limit)

    def start_run(
        self,
        thread: Thread,
        prepare: Callable[[], Run],
        cancel: Callable[[Thread], None],
        toolbox: Toolbox,
        meter: Meter | None,
        *,
        user_id: str,
        login: Login | None = None,
        hidden: Collection[str] = (),
    ) -> LiveRecording:
        """Start a run of a user that is recorded, logged, saved and metered; return its recording.

        It stops when the session of ``login`` has ended. The recording is without the texts in ``hidden``. See
        ``RunRegistry.start`` for the other arguments. A paused run continues in its recording.
        """
        newest = self.recordings.for_thread(thread.id)[-1:] if thread.is_paused else []
        recording = newest[0] if newest else self.recordings.start(thread.id, hidden)

        def observe(events: Events) -> Events:
            counted = meter.measure(events) if meter else events
            allowed = stop_when_ended(counted, lambda: self.end_reason(login))
            return observe_run(record_run(allowed, recording), thread, self.metrics, toolbox)

        self.runs.start(
            thread,
            lambda: prepare().through(observe),
            cancel,
            self.autosaver,
            user_id=user_id,
            max_runs=self.settings.max_answers,
        )
        return recording

    def is_steered(self, thread: Thread) -> bool:
        """Return whether a message waits to be sent now, and a page is there to send it."""
        run = self.runs.get(thread)
        return run is not None and run.is_followed and bool(self.queue.steering(thread))

    def load_sdk(self) -> None:
        """Load the SDK in the background, once: the first answer needs it and the first page does not."""

        def load() -> None:
            load_sdk()
            self._freeze_at = 0.0  # with the next run of a page

        with self._lock:
            is_first, self._sdk_requested = not self._sdk_requested, True
        if is_first:
            threading.Thread(target=load, name="load sdk", daemon=True).start()

    def freeze_gc(self) -> None:
        """Exclude everything loaded so far from garbage collection, at most once a minute.

        A collection that scans all imported modules stops every session for a tenth of a second.
        """
        now = time.monotonic()
        if now >= self._freeze_at:
            self._freeze_at = now + FREEZE_SECONDS
            gc.unfreeze()
            gc.collect()
            gc.freeze()

    def close(self) -> None:
        """Close connections to servers and to the database."""
        self.backends.close()
        self._serve_metrics(0)
        self._start_retention(0.0)
        if self._database_url:
            self.autosaver.close()

    def _open_audit_log(self, target: str) -> None:
        """Open the log that the settings name; the page does not run without it."""
        try:
            self.audit, self._audited_facts = AuditLog(target), {}
        except OSError as error:  # the path itself is not shown to visitors
            raise SettingsError(
                N_("ASSISTANT_AUDIT_LOG cannot be written: {reason}.", reason=error.strerror or "")
            ) from error

    def _serve_metrics(self, port: int) -> None:
        """Count runs and serve the numbers on this port; with port 0 or after a failure, the page works without."""
        if self.metrics:
            self.metrics.close()
        self.metrics = None
        if port:
            try:
                from assistant.observability.metrics import Metrics  # loads prometheus-client

                metrics = Metrics()
                metrics.serve(port)
                self.metrics = metrics
            except (ImportError, OSError):
                log.warning("The metrics are not served.", exc_info=True)


def _access_facts(settings: Settings, method: str) -> dict[str, str | int]:
    """Return who can use the page and the owner's key, for the audit log."""
    key = "none"
    if settings.has_key:
        is_open = settings.limit_all and method == "none"
        key = "everyone_within_limits" if is_open else "local" if method == "none" else "logged_in"
    return {
        "login": method,
        "allowed": "everyone" if ANYONE in settings.allowed else len(settings.allowed),
        "owner_key": key,
        "inspector": settings.inspector or "local",
        "local_access": "off" if settings.local_token == OFF else "token",
    }
