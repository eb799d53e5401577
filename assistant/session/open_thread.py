"""The thread that a browser session has open: where it comes from, and the run that answers it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from assistant.access.auth import User
from assistant.access.metering import with_metering
from assistant.application import Application
from assistant.errors import AssistantError, BackendError, StoreError, ThreadBusy, UnknownThread
from assistant.locale import N_
from assistant.messages import Message
from assistant.observability.logs import observe_run
from assistant.recordings.recording import Recording
from assistant.runs.loop import Events, Run
from assistant.runs.worker import LiveRun
from assistant.session.connection import SessionConnection
from assistant.storage.search import Hit
from assistant.threads import Thread, unguessable_id
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

SHOWN_MESSAGES = 8
"""Number of messages of a long thread that are drawn at first; the others come on demand."""

EARLIER_MESSAGES = 50
"""Number of messages that one click on "Show earlier messages" adds."""


class OpenThread(SessionConnection):
    """The open thread of one browser session.

    Attributes:
        thread: The open thread: its id, and its messages as the history.
        recording: The recording of the newest run.
        replayed: The recording that the open thread is a replay of, with its functions run again.
        shown: The number of messages of a long thread that are drawn before the newest ones.
        url_thread_id: The id that the page's address had when it was last written or read.
        follower: The page script that follows the live run; another script of this session replaces it.
        open_error: Why the thread in the address cannot be opened.
        thread_missing: Whether there is no thread with the id in the address.
        runs_elsewhere: Whether another process is answering the thread.
        found: What a search found in the thread, for the page to show it next.
    """

    def __init__(self, app: Application, user: User | None = None) -> None:
        super().__init__(app, user)
        self.thread = Thread(owner=self.user.id)
        self.recording: LiveRecording | None = None
        self.replayed: Recording | None = None
        self.shown = SHOWN_MESSAGES
        self.url_thread_id = ""
        self.follower: object | None = None
        self.open_error: AssistantError | None = None
        self.thread_missing = False
        self.runs_elsewhere = False
        self.found: Hit | None = None

    @property
    def thread_id(self) -> str:
        """The id of the open thread; empty until its first message."""
        return self.thread.id

    @property
    def history(self) -> Sequence[Message]:
        """The messages of the open thread, oldest first."""
        return self.thread.messages

    @property
    def live_run(self) -> LiveRun | None:
        """The run that is answering the open thread in this process."""
        return self.app.runs.get(self.thread)

    @property
    def recordings(self) -> Sequence[LiveRecording]:
        """The recordings of the open thread, oldest first."""
        return self.app.recordings.for_thread(self.thread.id)

    def open(self, thread_id: str = "") -> None:
        """Open the thread that the page's address names; without a new name, keep the open one.

        A thread that does not exist sets ``thread_missing`` and opens a new one. An unavailable server or
        database sets ``open_error``.
        """
        self.follower, self.open_error, self.thread_missing = None, None, False
        if thread_id and thread_id not in (self.thread.id, self.url_thread_id):
            self._show(Thread(owner=self.user.id))
            try:
                self._show(self._find(thread_id))
            except UnknownThread:
                self.thread_missing = True
            except (BackendError, StoreError) as error:
                self.open_error = error
                return
        elif self.thread.id:
            self.thread = self.app.runs.register(self.thread)
        self.url_thread_id = self.thread.id
        self._catch_up()

    def new(self) -> None:
        """Open a new thread."""
        self._show(Thread(owner=self.user.id))

    def show_earlier(self) -> None:
        """Show more of a long thread."""
        self.shown += EARLIER_MESSAGES

    def _show(self, thread: Thread) -> None:
        self.thread, self.shown, self.replayed = thread, SHOWN_MESSAGES, None

    def _find(self, thread_id: str) -> Thread:
        """Return the user's thread from this process, the database or the server."""
        thread = self.app.runs.find(thread_id, self.user.id)
        if thread is None and self.store:
            thread = self.store.load(thread_id)
        # The owner of a thread that only the server has is unknown.
        if thread is None and (self.user.id or (self.store and self.store.exists(thread_id))):
            raise UnknownThread(N_("That chat doesn't exist."), code="unknown_thread")
        return self.app.runs.register(thread or self.backend.load_thread(thread_id))

    def _catch_up(self) -> None:
        """Load changes of other processes, and continue or end an answer whose process is gone."""
        self.runs_elsewhere = False
        if self.live_run:
            return
        with suppress(StoreError):
            if self.store and (newer := self.store.load_newer(self.thread)):
                self.app.runs.update(self.thread, newer)
            if self.store and self.store.leases.is_held_elsewhere(self.thread):
                self.runs_elsewhere = True
                return
        if self.thread.is_unfinished:
            can_resume = self.backend.can_resume(self.thread)
            prepare = self.assistant.resume if can_resume else self.assistant.mark_interrupted
            with suppress(ThreadBusy):
                self._start(partial(prepare, self.thread))

    @property
    def is_outdated(self) -> bool:
        """Whether another process has saved more of the thread."""
        with suppress(StoreError):
            return bool(self.store and self.store.load_newer(self.thread))
        return False

    def changed_elsewhere(self) -> bool:
        """Return whether another process has saved more of the thread, or no longer answers it."""
        with suppress(StoreError):
            return self.is_outdated or bool(
                self.store and not self.store.leases.is_held_elsewhere(self.thread)
            )
        return False

    def _start(self, prepare: Callable[[], Run]) -> None:
        """Start a run. The thread has its id, and is saved, before the first request is sent."""
        if not self.thread.id:
            self.thread.id = unguessable_id()
            self.app.runs.register(self.thread)
        thread, quota, toolbox = self.thread, self.quota, self.toolbox
        newest = self.app.recordings.for_thread(thread.id)[-1:] if thread.is_paused else []
        recording = newest[0] if newest else self.app.recordings.start(thread.id)  # a paused run continues
        self.recording = recording

        def observe(events: Events) -> Events:
            charged = with_metering(events, thread, quota.charge) if quota else events
            return observe_run(record_run(charged, recording), thread, self.app.metrics, toolbox)

        self.app.runs.start(
            thread, lambda: prepare().through(observe), self.assistant.cancel, self.app.autosaver
        )
