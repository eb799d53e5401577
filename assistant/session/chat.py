"""One user's open chat, without Streamlit: its actions, and the values that the page draws."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from functools import partial
from typing import Any, TypeVar

from assistant.access.auth import User
from assistant.access.metering import Meter
from assistant.access.sessions import Login, stop_when_ended
from assistant.application import Application
from assistant.errors import (
    AssistantError,
    BackendError,
    QuotaError,
    SessionEnded,
    StoreError,
    ThreadBusy,
    TooManyAnswers,
    UnknownThread,
)
from assistant.events import CallAnswered, Decision, Note, ToolResult, Usage
from assistant.locale import N_
from assistant.messages import Feedback, Message
from assistant.observability.audit import AuditEvent, Visitor
from assistant.observability.logs import hash_thread
from assistant.parts import Attachment
from assistant.recordings.recording import NOT_LIVE, Recording
from assistant.recordings.requests import prompt_of
from assistant.request_options import RequestOptions, check_options
from assistant.runs.loop import Events, Run, stop_background_calls
from assistant.runs.replay import replay_assistant
from assistant.runs.worker import LiveRun
from assistant.session.composer import Composer
from assistant.session.connection import Connection
from assistant.storage.store import Store
from assistant.texts import replace_unsendable
from assistant.threads import Thread, unguessable_id
from assistant.tools.background import background_jobs
from assistant.transports.live_recording import LiveRecording
from assistant.transports.recorder import record_run

T = TypeVar("T")

SHOWN_MESSAGES = 8
"""Number of messages of a long thread that are drawn at first; the others come on demand."""

EARLIER_MESSAGES = 50
"""Number of messages that one click on "Show earlier messages" adds."""


class ChatSession:
    """The chat that one user has open in one browser session.

    Attributes:
        connection: What answers: settings, backend, functions and limits.
        thread: The open thread: its id, and its messages as the history.
        composer: The next message: its attachments, and text that returns to the input.

        open_error: Why the thread in the address cannot be opened.
        thread_missing: Whether there is no thread with the id in the address.
        runs_elsewhere: Whether another process is answering the thread.
        recording: The recording of the newest run.
        replayed: The recording that the open thread is a replay of, with its functions run again.
        limit: A usage limit that stopped the last message.
        notices: Sentences to show once.
        shown: The number of messages of a long thread that are drawn before the newest ones.
        user_turns: How often the user has asked for an answer in this session; the page scrolls to each.
        follower: The page script that follows the live run; another script of this session replaces it.
        url_thread_id: The id that the page's address had when it was last written or read.
        login: How the session was opened; None where nothing ends it.
        leave: Called when the session has ended, instead of an action of the user.
    """

    def __init__(self, app: Application, user: User | None = None, visitor: Visitor | None = None) -> None:
        """``visitor`` is whom the audit log names."""
        self.app = app
        self.user = user or User()
        self.visitor = visitor or Visitor()
        self.login: Login | None = None
        self.leave: Callable[[], None] = _leave
        self.connection = Connection(app, self.user, self.visitor)
        self.thread = Thread(owner=self.user.id)
        self.composer = Composer()
        self.open_error: AssistantError | None = None
        self.thread_missing = False
        self.runs_elsewhere = False
        self.recording: LiveRecording | None = None
        self.replayed: Recording | None = None
        self._replay: LiveRun | None = None
        self.limit: QuotaError | None = None
        self.notices: list[str] = []
        self.shown = SHOWN_MESSAGES
        self.user_turns = 0
        self.follower: object | None = None
        self.url_thread_id = ""

    def require_open(self) -> None:
        """Leave the page if the session has ended."""
        if self.app.end_reason(self.login):
            self.leave()

    def audit(self, event: AuditEvent, thread_id: str, **facts: str | int) -> None:
        """Write an entry about a thread to the audit log, which does not contain the id itself."""
        self.app.audit.write(event, self.visitor, thread=hash_thread(thread_id), **facts)

    def export(self, event: AuditEvent, thread_id: str, format: str, content: Callable[[], T]) -> T:
        """Return what ``content`` returns, for a file that the user saves; raises ``SessionEnded``."""
        if self.app.end_reason(self.login):
            _leave()
        self.audit(event, thread_id, format=format)
        return content()

    @property
    def store(self) -> Store | None:
        """The user's threads; None while the database cannot be used."""
        self.require_open()
        store = self.app.autosaver.store
        return store.for_owner(self.user.id) if store else None

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

    @property
    def waiting(self) -> list[str]:
        """The messages that wait until the answer has ended."""
        return self.app.queue.waiting(self.thread)

    @property
    def steering(self) -> list[str]:
        """Those of the waiting messages, the first ones, that go with the next results of functions."""
        return self.app.queue.steering(self.thread)

    @property
    def sent(self) -> set[str]:
        """Those of the waiting messages that the model's server has already."""
        return self.app.queue.sent(self.thread)

    def take_limit(self) -> QuotaError | None:
        """Return the limit that stopped the last message, once."""
        limit, self.limit = self.limit, None
        return limit

    # --- the open thread -----------------------------------------------------------------------------

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
                self.audit("chat_not_found", thread_id)
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
        """Return the user's thread with this id, from this process or the database.

        On localhost the id may also be that of a conversation on the server, which is loaded from there if it is not
        stored. Elsewhere such an id opens nothing: whose conversation it names is unknown, and each lookup is a
        request with the owner's key.
        """
        thread = self._find_stored(thread_id)
        if thread is None and self.connection.is_localhost:
            thread = self._find_on_server(thread_id)
        if thread is None:
            raise _unknown_thread()
        return self.app.runs.register(thread)

    def _find_on_server(self, server_id: str) -> Thread | None:
        if self.store and (known := self.store.known_on_server([server_id])):
            return self._find_stored(known[server_id])  # None for the thread of another user
        return None if self.user.id else self.connection.backend.load_thread(server_id)

    def _find_stored(self, thread_id: str) -> Thread | None:
        found = self.app.runs.find(thread_id, self.user.id)
        return found or (self.store.load(thread_id) if self.store else None)

    def _catch_up(self) -> None:
        """Load changes of other processes, and continue or end an answer whose process is gone."""
        self.runs_elsewhere = False
        if self.live_run:
            return
        with suppress(StoreError):
            if self.store and self.store.is_deleted(self.thread):
                self._leave_deleted()
                return
            if self.store and (newer := self.store.load_newer(self.thread)):
                self.app.runs.update(self.thread, newer)
            if self.store and self.store.leases.is_held_elsewhere(self.thread):
                self.runs_elsewhere = True
                return
        if self.thread.is_unfinished:
            assistant = self.connection.assistant
            can_resume = self.connection.backend.can_resume(self.thread)
            with suppress(ThreadBusy):
                self._start(assistant.resume if can_resume else assistant.mark_interrupted)

    def _leave_deleted(self) -> None:
        """Open a new thread in place of one that was deleted elsewhere."""
        self.app.forget(self.thread)
        self.recording = None
        self.new()
        self.thread_missing = True

    @property
    def is_outdated(self) -> bool:
        """Whether the thread was deleted, or another process has saved more of it."""
        with suppress(StoreError):
            store, thread = self.store, self.thread
            return bool(store and (store.is_deleted(thread) or store.load_newer(thread)))
        return False

    def changed_elsewhere(self) -> bool:
        """Return whether another process has saved more of the thread, or no longer answers it."""
        with suppress(StoreError):
            return self.is_outdated or bool(
                self.store and not self.store.leases.is_held_elsewhere(self.thread)
            )
        return False

    # --- the conversation -----------------------------------------------------------------------------

    def submit(self, text: str, attachments: Sequence[Attachment] = ()) -> None:
        """Send a message, or queue it while an answer is being written.

        A run that only waits for background calls ends, and they go on.
        """
        self.user_turns += 1
        self.limit = None
        if (run := self.live_run) and not run.end_wait():
            self._enqueue(text, attachments)
            return
        try:
            message = Message.from_user(text, attachments)
            self._start_within_limits(self.connection.assistant.run, text, attachments, message=message)
            self.composer.clear()
        except ThreadBusy as error:
            reason = N_("{why} Your message is back in the input.", why=error.text)
            self.composer.restore(text, reason, attachments)
        except QuotaError as error:
            self._restore(text, error, attachments)

    def send_next(self) -> None:
        """Send the next waiting message if the answer before it ended well."""

        def start(text: str) -> None:
            self._start_within_limits(self.connection.assistant.run, text, message=Message.from_user(text))

        try:
            self.app.queue.send_next(self.thread, start)
        except ThreadBusy:
            pass  # it keeps waiting
        except QuotaError as error:
            self._restore(self.app.queue.clear(self.thread), error)

    def send_waiting(self) -> None:
        """End a run that only waits for background calls if a message waits; the page then sends it."""
        if self.waiting and (run := self.live_run):
            run.end_wait()

    def collect_results(self) -> bool:
        """Add results of background calls that came while no run could take them; return whether there are any."""
        jobs = background_jobs(self.thread)
        if self.live_run or not jobs.has_results:
            return False

        def collect() -> None:
            for report in jobs.collect():
                if isinstance(report, ToolResult):
                    self.thread.add_result(report)

        since = next((at for at, message in enumerate(self.history) if message.open_calls), None)
        with suppress(ThreadBusy):
            self.app.runs.change(self.thread, collect, self.app.autosaver, since=since)
            return True
        return False

    def return_queued(self) -> None:
        """Return the waiting messages to the input if the answer before them was stopped or failed."""
        if self.live_run or self.runs_elsewhere:
            return
        if text := self.app.queue.clear_after_failure(self.thread):
            reason = N_("The answer did not finish. Your queued message is back in the input.")
            self.composer.restore(text, reason)

    def send_now(self, text: str) -> None:
        """Let a waiting message go with the next results of functions, instead of after the answer.

        Where the response can be steered, the server gets it at once.
        """
        queue, thread = self.app.queue, self.thread
        queue.send_now(thread, text)
        queue.set_sent(thread, text, True)  # before the server can refuse it
        sendable = replace_unsendable(text)
        if not self.connection.backend.steer(thread, sendable, partial(queue.set_sent, thread, text, False)):
            queue.set_sent(thread, text, False)

    def unqueue(self, text: str) -> None:
        """Return a waiting message to the input."""
        if text := self.app.queue.remove(self.thread, text):
            self.composer.restore(text)

    def edit(self, position: int, text: str) -> None:
        """Replace a message of the user and answer it in a new branch.

        Raises:
            ThreadBusy, QuotaError: It cannot be sent now.
        """
        self.user_turns += 1
        message = Message.from_user(text)
        self._start_within_limits(self.connection.assistant.edit, position, text, message=message)

    def regenerate(self, position: int) -> None:
        """Answer again, in a new branch; raises as ``edit`` does."""
        self.user_turns += 1
        self._start_within_limits(self.connection.assistant.regenerate, position)

    def switch(self, position: int, number: int) -> None:
        """Open another branch at this position; raises ``ThreadBusy``."""
        self.require_open()

        def change() -> None:
            stop_background_calls(self.thread, position)
            self.thread.switch(position, number)

        self.app.runs.change(self.thread, change, self.app.autosaver)

    def retry(self) -> None:
        """Answer the thread as it stands, after a failure."""
        self._continue(self.connection.assistant.resume)

    def decide(self, decisions: Sequence[Decision]) -> None:
        """Apply the user's decisions on open calls and continue the answer."""
        results = [each.output for each in decisions if isinstance(each, CallAnswered)]
        self._continue(
            self.connection.assistant.decide, decisions, message=Message.from_user("\n".join(results))
        )

    def stop(self) -> None:
        """End the answer that is being written, here or in another process."""
        self.require_open()
        if run := self.live_run:
            run.stop()
        elif self.runs_elsewhere and self.store:
            with suppress(StoreError):
                self.store.leases.request_stop(self.thread)

    def rate(self, message: Message, feedback: Feedback | None) -> None:
        """Save the user's rating of an answer, or remove it."""
        self.require_open()
        message.feedback = feedback
        for position, other in enumerate(self.thread.messages):
            if other is message:
                self.app.autosaver.save(self.thread, position, backend_state=False)

    def change_options(self, options: RequestOptions) -> None:
        """Change the parameters of this chat's requests, from the next request on.

        Raises:
            ValueError: They cannot be sent; nothing changes.
        """
        check_options(options)
        self.thread.options = options
        if self.thread.version:  # it is saved with its first message; a replay never is
            self.app.autosaver.save(self.thread, len(self.thread.messages), backend_state=False)

    def fetch_file(self, container_id: str, file_id: str) -> bytes:
        """Return a file that the server's code created in the open thread. It counts as a message.

        Raises:
            BackendError: The file is not available, or no response in this thread named it.
            QuotaError: A limit is reached.
        """
        self.require_open()
        if self.connection.quota:
            self.connection.quota.reserve(Usage(), messages=1)
        return self.connection.backend.fetch_file(self.thread, container_id, file_id)

    def _enqueue(self, text: str, attachments: Sequence[Attachment]) -> None:
        if attachments:
            reason = N_("Files can't be queued. Send them when the answer has finished.")
            self.composer.restore(text, reason, attachments)
        elif text.strip() and not self.app.queue.add(self.thread, text):
            self.composer.restore(text, N_("The queue is full. Your message is back in the input."))

    def _continue(self, action: Callable[..., Run], *arguments: Any, message: Message | None = None) -> None:
        """Continue the answer, unless another page has already continued it."""
        self.user_turns += 1
        try:
            self._start_within_limits(action, *arguments, message=message)
        except QuotaError as error:
            self.limit = error
        except TooManyAnswers as error:
            self.notices.append(error.text)
        except ThreadBusy:
            pass

    def _restore(self, text: str, error: QuotaError, attachments: Sequence[Attachment] = ()) -> None:
        self.limit = error
        self.composer.restore(text, N_("Not sent. Your message is back in the input."), attachments)

    def _start_within_limits(
        self, action: Callable[..., Run], *arguments: Any, message: Message | None = None
    ) -> None:
        """Start a run and count it against the user's limits; ``message`` is what it adds to the thread."""
        meter = self.connection.meter(self.thread)
        if meter is None:
            self._start(action, *arguments)
            return
        if self.live_run:
            raise ThreadBusy(N_("An answer is still being written. Wait for it, or stop it."))
        meter.admit(message)
        try:
            self._start(action, *arguments, meter=meter)
        except BaseException:
            meter.withdraw()
            raise

    def _start(self, action: Callable[..., Run], *arguments: Any, meter: Meter | None = None) -> None:
        """Start a run. The thread has its id, and is saved, before the first request is sent."""
        self.require_open()
        if not self.thread.id:
            self.thread.id = unguessable_id()
            self.app.runs.register(self.thread)
        connection, prepare = self.connection, partial(action, self.thread, *arguments)
        try:
            self.recording = self.app.start_run(
                self.thread,
                prepare,
                connection.assistant.cancel,
                connection.toolbox,
                meter or connection.meter(self.thread),
                user_id=connection.user_id,
                login=self.login,
                hidden=connection.hidden_texts,
            )
        except TooManyAnswers as error:
            self.app.audit.write("limit_reached", self.visitor, scope=error.scope, limit="answers")
            raise

    # --- threads --------------------------------------------------------------------------------------

    def rename(self, thread_id: str, title: str) -> None:
        """Give a thread a title; raises ``StoreError``."""
        if self.store:
            self.store.rename(thread_id, title)

    def delete(self, thread_id: str) -> None:
        """Delete a thread with all its branches, here and on the server; open a new one in its place."""
        try:
            if self.store is None:
                return
            thread = self.app.runs.find(thread_id, self.user.id) or self.store.load(thread_id)
            if thread is None:
                return
            if run := self.app.runs.get(thread):
                run.stop()
                run.join(1)
            stop_background_calls(thread)
            self.store.delete(thread_id)
            self.audit("chat_deleted", thread_id)
        except (ThreadBusy, StoreError) as error:
            self.notices.append(N_("The chat was not deleted. {why}", why=self.connection.error_text(error)))
            return
        branches = [copy(branch) for branch in thread.all_branches()]
        self.app.forget(thread)
        for branch in branches:
            try:
                self.connection.backend.delete_thread(branch)
            except BackendError as error:
                self.notices.append(
                    N_("The chat was deleted here, but not on the server. {why}", why=error.text)
                )
        if thread_id == self.thread.id:
            self.recording = None
            self.new()

    def import_thread(self, thread: Thread) -> None:
        """Save an imported thread under a new id and open it; raises ``StoreError``."""
        if self.store is None:
            return
        thread.id, thread.owner = unguessable_id(), self.user.id
        if thread.is_unfinished:
            list(self.connection.assistant.mark_interrupted(thread))
        self.store.save(thread)
        self.audit("chat_imported", thread.id, messages=len(thread.messages))
        self._show(self.app.runs.register(thread))

    def replay(self, recording: Recording, speed: float = 1.0, *, run_functions: bool = False) -> None:
        """Replay a recording in a new thread, which is not saved. It ends the replay before it."""
        self.require_open()
        replayer = replay_assistant(
            recording, self.connection.toolbox, speed=speed, run_functions=run_functions
        )
        thread = Thread(unguessable_id(), owner=self.user.id)
        # Only the messages are shared. What the backend notes of the recorded server, such as the id of a
        # conversation, never gets into a thread that a real server answers later, however the replay ends.
        replayed = Thread(thread.id, thread.messages)
        copy = self.app.recordings.start(thread.id)
        copy.is_live = False

        def observe(events: Events) -> Events:
            yield Note(NOT_LIVE)
            allowed = stop_when_ended(events, lambda: self.app.end_reason(self.login))
            yield from record_run(allowed, copy)

        def prepare() -> Run:
            run = replayer.run(replayed, prompt_of(recording)).through(observe)
            return Run(thread, run.message, run.events)

        if self._replay:
            self._replay.stop()
        self._replay = self.app.runs.start(thread, prepare, lambda _: replayer.cancel(replayed))
        self.app.add_replay(self.user.id or self.visitor.client or self.connection.user_id, self._replay)
        self._show(self.app.runs.register(thread))
        self.recording, self.replayed = copy, recording if run_functions else None


def _unknown_thread() -> UnknownThread:
    return UnknownThread(N_("That chat doesn't exist."), code="unknown_thread")


def _leave() -> None:
    raise SessionEnded(N_("Your session has ended. Log in again."))
