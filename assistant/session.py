"""One user's open chat, without Streamlit: its actions, and the values that the page draws.

Text is not lost when an error occurs: a message that cannot be sent returns to the input as a ``Draft``.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from assistant.access.auth import User
from assistant.access.metering import with_metering
from assistant.access.quotas import QuotaGuard
from assistant.application import Application
from assistant.backends import LazyBackend
from assistant.backends.base import PROTOCOL_LABELS
from assistant.backends.connection.hosted_tools import connection_tools, default_tools
from assistant.backends.connection.override import ConnectionOverride
from assistant.backends.transcription import transcribe, transcription_model
from assistant.errors import AssistantError, BackendError, QuotaError, StoreError, ThreadBusy, UnknownThread
from assistant.events import Decision
from assistant.locale import N_
from assistant.messages import Feedback, Message
from assistant.observability.logs import observe_run
from assistant.parts import Attachment
from assistant.recordings.recording import Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.loop import Assistant, Events, Run
from assistant.runs.replay import replay_assistant
from assistant.runs.worker import LiveRun
from assistant.settings import Settings
from assistant.storage.store import Store
from assistant.threads import Thread, unguessable_id
from assistant.tools.fault_injection import with_faults
from assistant.tools.hosted import HostedTool, format_hosted_tools
from assistant.tools.toolbox import Toolbox
from assistant.transports.fault_spec import parse_faults
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

SHOWN_MESSAGES = 8
"""Number of messages of a long thread that are drawn at first; the others come on demand."""

EARLIER_MESSAGES = 50
"""Number of messages that one click on "Show earlier messages" adds."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Text that returns to the input, and why."""

    text: str
    reason: str


class ChatSession:
    """The chat that one user has open in one browser session.

    Attributes:
        thread: The open thread: its id, and its messages as the history.
        override: The connection that the user chose for this session instead of the configured one.
        faults: The faults to inject in this session, as text; None for the configured ones.
        tool_choices: The server's own tools that the user switched on or off, by the tool as text.
        approve_all: Whether the user decides on every call.
        inspector_open: Whether the inspector is shown beside the chat.
        draft: Text that returns to the input.
        limit: A usage limit that stopped the last message.
        recording: The recording of the newest run.
        opened_recordings: Recordings from files.
        replayed: The recording that the open thread is a replay of, with its functions run again.
        boundary: The position of the first message that the conversation fragment draws.
        outside: What the page drew around the fragment: the protocol, and the newest thread in the list.
        page_outdated: Whether something outside the fragment has changed, so that the page has to run.
        follower: The page script that follows the live run; another script of this session replaces it.
        editing: The thread id and position of the message that is being edited.
        inspected_call: The id of a call whose events the inspector shows next.
        attachments, attachment_problems: Files for the next message, and why others were refused.
        audio, transcript: Audio that could not be transcribed yet, and text that does not fit the input.
    """

    def __init__(self, app: Application, user: User | None = None) -> None:
        self.app = app
        self.user = user or User()
        self.thread = Thread(owner=self.user.id)
        self.override: ConnectionOverride | None = None
        self.faults: str | None = None
        self.tool_choices: dict[str, bool] = {}
        self.approve_all = False
        self.inspector_open = False
        self.attachments: list[Attachment] = []
        self.draft: Draft | None = None
        self.limit: QuotaError | None = None
        self.notices: list[str] = []
        self.recording: LiveRecording | None = None
        self.opened_recordings: list[Recording] = []
        self.replayed: Recording | None = None
        self.shown = SHOWN_MESSAGES
        self.boundary = 0
        self.editing: tuple[str, int] | None = None
        self.url_thread_id = ""
        self.page_outdated = False
        self.outside = ("", "")
        self.inspected_call = ""
        self.attachment_problems: list[str] = []
        self.audio: bytes | None = None
        self.transcript = ""
        self.follower: object | None = None
        self.open_error: AssistantError | None = None
        self.thread_missing = False
        self.runs_elsewhere = False
        self.is_localhost = False
        self._visitor_id = unguessable_id("visitor")
        self._private: tuple[Settings, LazyBackend] | None = None
        self.configure()

    def configure(self, *, is_localhost: bool = False) -> None:
        """Update everything that depends on settings; called whenever the page runs."""
        self.is_localhost = is_localhost
        self.configured = self.app.settings.restricted(is_localhost)
        faults = self.configured.faults if self.faults is None else self.faults
        toolbox = self.app.toolbox
        with suppress(ValueError):  # a fault that is being typed
            toolbox = with_faults(toolbox, parse_faults(faults))
            self.configured = replace(self.configured, faults=faults)
        self.connected = self.override.settings(self.configured) if self.override else self.configured
        enabled = self.enabled_tools
        self.settings: Settings = replace(self.connected, hosted_tools=format_hosted_tools(enabled))
        self.toolbox: Toolbox = toolbox
        is_private = self.override or self.settings.faults or enabled != default_tools(self.connected)
        self.backend = self._private_backend() if is_private else self.app.backend(self.settings)
        self.assistant = Assistant(
            self.backend,
            toolbox,
            max_rounds=self.settings.max_rounds,
            tool_timeout=self.settings.tool_timeout,
            approve_all=self.approve_all,
        )
        store = self.app.autosaver.store
        self.store: Store | None = store.for_owner(self.user.id) if store else None
        user_id = self.user.id or self._visitor_id
        self.quota: QuotaGuard | None = self.app.quota(self.settings, user_id, self.store)

    # --- what the page draws --------------------------------------------------------------------------

    @property
    def thread_id(self) -> str:
        """The id of the open thread; empty until the server has given one."""
        return self.thread.id

    @property
    def history(self) -> Sequence[Message]:
        """The messages of the open thread, oldest first."""
        return self.thread.messages

    @property
    def current_outside(self) -> tuple[str, str]:
        """The value of ``outside`` if the page around the fragment is up to date."""
        return self.backend.protocol, self.thread.id

    @property
    def protocol_label(self) -> str:
        """The name of the connection's protocol for the page; empty until it is detected."""
        return PROTOCOL_LABELS[self.backend.protocol]

    @property
    def live_run(self) -> LiveRun | None:
        """The run that is answering the open thread in this process."""
        return self.app.runs.get(self.thread)

    @property
    def waiting(self) -> list[str]:
        """The messages that wait until the answer has ended."""
        return self.app.queue.waiting(self.thread)

    @property
    def recordings(self) -> Sequence[LiveRecording]:
        """The recordings of the open thread, oldest first."""
        found = self.app.recordings.for_thread(self.thread.id)
        return found or ([self.recording] if self.recording and self.live_run else [])

    @property
    def can_transcribe(self) -> bool:
        """Whether this connection turns audio into text."""
        return bool(transcription_model(self.settings))

    @property
    def enabled_tools(self) -> tuple[HostedTool, ...]:
        """The server's own tools that requests offer."""
        defaults = default_tools(self.connected)
        return tuple(
            tool
            for tool in connection_tools(self.connected)
            if self.tool_choices.get(str(tool), tool in defaults)
        )

    def take_limit(self) -> QuotaError | None:
        """Return the limit that stopped the last message, once."""
        limit, self.limit = self.limit, None
        return limit

    def take_draft(self) -> Draft | None:
        """Return the text that goes back into the input, once."""
        draft, self.draft = self.draft, None
        return draft

    # --- opening --------------------------------------------------------------------------------------

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

    def changed_elsewhere(self) -> bool:
        """Return whether another process has saved more of the thread, or no longer answers it."""
        with suppress(StoreError):
            if self.store:
                newer = self.store.load_newer(self.thread) is not None
                return newer or not self.store.leases.is_held_elsewhere(self.thread)
        return False

    # --- the conversation -----------------------------------------------------------------------------

    def submit(self, text: str, attachments: Sequence[Attachment] = ()) -> None:
        """Send a message, or queue it while an answer is being written."""
        self.limit = None
        if self.live_run:
            self._enqueue(text, attachments)
            return
        try:
            self._start_within_limits(partial(self.assistant.run, self.thread, text, attachments))
            self.clear_draft()
        except ThreadBusy as error:
            self.attachments = list(attachments)
            self.draft = Draft(text, N_("{why} Your message is back in the input.", why=error.text))
        except QuotaError as error:
            self.attachments = list(attachments)
            self._return_to_input(error, text)

    def send_next(self) -> None:
        """Send the next waiting message if the answer before it ended well."""
        try:
            self.app.queue.send_next(self.thread, lambda text: self._start_within_limits(self._run(text)))
        except ThreadBusy:
            pass  # it keeps waiting
        except QuotaError as error:
            self._return_to_input(error, self.app.queue.clear(self.thread))

    def return_queued(self) -> None:
        """Return the waiting messages to the input if the answer before them was stopped or failed."""
        if self.live_run or self.runs_elsewhere:
            return
        if text := self.app.queue.clear_after_failure(self.thread):
            reason = N_("The answer did not finish. Your queued message is back in the input.")
            self.draft = Draft(text, reason)

    def unqueue(self, text: str) -> None:
        """Return a waiting message to the input."""
        if text := self.app.queue.remove(self.thread, text):
            self.draft = Draft(text, "")

    def clear_draft(self) -> None:
        """Remove attachments and transcript after sending; audio without a transcript stays."""
        self.attachments, self.attachment_problems, self.transcript = [], [], ""

    def transcribe(self, audio: bytes) -> str:
        """Return the text of an audio file; raises ``BackendError`` or ``QuotaError``."""
        if self.quota:
            self.quota.reserve_audio(audio)
        return transcribe(self.settings, audio)

    def detach(self, number: int) -> None:
        """Remove an attachment of the next message."""
        del self.attachments[number]
        self.attachment_problems = []

    def edit(self, position: int, text: str) -> None:
        """Replace a message of the user and answer it in a new branch.

        Raises:
            ThreadBusy, QuotaError: It cannot be sent now.
        """
        self._start_within_limits(partial(self.assistant.edit, self.thread, position, text))

    def regenerate(self, position: int) -> None:
        """Answer again, in a new branch; raises as ``edit`` does."""
        self._start_within_limits(partial(self.assistant.regenerate, self.thread, position))

    def switch(self, position: int, number: int) -> None:
        """Open another branch at this position; raises ``ThreadBusy``."""
        change = partial(self.thread.switch, position, number)
        self.app.runs.change(self.thread, change, self.app.autosaver)

    def retry(self) -> None:
        """Answer the thread as it stands, after a failure."""
        self._continue(partial(self.assistant.resume, self.thread))

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Apply the user's decisions on open calls and continue the answer."""
        self._continue(partial(self.assistant.decide, self.thread, decisions))

    def stop(self) -> None:
        """End the answer that is being written, here or in another process."""
        if run := self.live_run:
            run.stop()
        elif self.runs_elsewhere and self.store:
            with suppress(StoreError):
                self.store.leases.request_stop(self.thread)

    def rate(self, message: Message, feedback: Feedback | None) -> None:
        """Save the user's rating of an answer, or remove it."""
        message.feedback = feedback
        for position, other in enumerate(self.thread.messages):
            if other is message:
                self.app.autosaver.save(self.thread, position, backend_state=False)

    def _run(self, text: str) -> Callable[[], Run]:
        return partial(self.assistant.run, self.thread, text)

    def _enqueue(self, text: str, attachments: Sequence[Attachment]) -> None:
        if attachments:
            self.attachments = list(attachments)
            self.draft = Draft(text, N_("Files can't be queued. Send them when the answer has finished."))
        elif text.strip() and not self.app.queue.add(self.thread, text):
            self.draft = Draft(text, N_("The queue is full. Your message is back in the input."))

    def _continue(self, prepare: Callable[[], Run]) -> None:
        """Continue the answer, unless another page has already continued it."""
        try:
            self._start_within_limits(prepare)
        except QuotaError as error:
            self.limit = error
        except ThreadBusy:
            pass

    def _return_to_input(self, error: QuotaError, text: str) -> None:
        self.limit = error
        self.draft = Draft(text, N_("Not sent. Your message is back in the input."))

    def _start_within_limits(self, prepare: Callable[[], Run]) -> None:
        """Start a run and count it against the user's limits."""
        if self.quota:
            if self.live_run:  # it may have ended by the time this one starts, and would be free
                raise ThreadBusy(N_("An answer is still being written. Wait for it, or stop it."))
            self.quota.reserve()
        self._start(prepare)

    def _start(self, prepare: Callable[[], Run]) -> None:
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

    # --- threads --------------------------------------------------------------------------------------

    def rename(self, thread_id: str, title: str) -> None:
        """Give a thread a title; raises ``StoreError``."""
        if self.store:
            self.store.rename(thread_id, title)

    def delete(self, thread_id: str) -> None:
        """Delete a thread with all its branches, here and on the server, and open a new one."""
        try:
            if self.store is None:
                return
            thread = self.app.runs.find(thread_id, self.user.id) or self.store.load(thread_id)
            if thread is None:
                return
            if run := self.app.runs.get(thread):
                run.stop()
                run.join(1)
            self.store.delete(thread_id)
            self.app.runs.unregister(thread)
        except (ThreadBusy, StoreError) as error:
            self.notices.append(N_("The chat was not deleted. {why}", why=error.text))
            return
        for branch in thread.all_branches():
            try:
                self.backend.delete_thread(branch)
            except BackendError as error:
                self.notices.append(
                    N_("The chat was deleted here, but not on the server. {why}", why=error.text)
                )
        self.new()

    def import_thread(self, thread: Thread) -> None:
        """Save an imported thread under a new id and open it; raises ``StoreError``."""
        if self.store is None:
            return
        thread.id, thread.owner = unguessable_id(), self.user.id
        if thread.is_unfinished:
            list(self.assistant.mark_interrupted(thread))
        self.store.save(thread)
        self._show(self.app.runs.register(thread))

    def replay(self, recording: Recording, speed: float = 1.0, *, run_functions: bool = False) -> None:
        """Replay a recording in a new thread, which is not saved."""
        replayer = replay_assistant(recording, self.toolbox, speed=speed, run_functions=run_functions)
        thread = Thread(unguessable_id(), owner=self.user.id)
        copy = self.app.recordings.start(thread.id)

        def observe(events: Events) -> Events:
            try:
                yield from record_run(events, copy)
            finally:
                thread.backend_state.clear()  # the server does not have this thread

        prepare = partial(replayer.run, thread, prompt_of(recording))
        self.app.runs.start(thread, lambda: prepare().through(observe), replayer.cancel)
        self._show(self.app.runs.register(thread))
        self.recording, self.replayed = copy, recording if run_functions else None

    def _private_backend(self) -> LazyBackend:
        """Return this session's own backend; an earlier one may still answer, and closes itself later."""
        if self._private is None or self._private[0] != self.settings:
            self._private = self.settings, self.app.private_backend(self.settings)
        return self._private[1]
