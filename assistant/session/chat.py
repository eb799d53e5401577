"""One user's open chat, without Streamlit: its actions, and the values that the page draws."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from assistant.access.auth import User
from assistant.application import Application
from assistant.errors import (
    AssistantError,
    BackendError,
    QuotaError,
    StoreError,
    ThreadBusy,
    TooManyAnswers,
    UnknownThread,
)
from assistant.events import CallAnswered, Decision
from assistant.locale import N_
from assistant.messages import Feedback, Message
from assistant.observability.audit import Visitor
from assistant.parts import Attachment
from assistant.recordings.recording import Recording
from assistant.request_options import RequestOptions
from assistant.runs.run import Run
from assistant.runs.worker import LiveRun
from assistant.session.composer import Composer
from assistant.session.connection import Connection
from assistant.session.replays import Replays
from assistant.session.run_starter import RunStarter
from assistant.session.thread_changes import ThreadChanges
from assistant.session.user_threads import UserThreads
from assistant.session.visit import Visit
from assistant.session.waiting_messages import NOT_SENT, WaitingMessages
from assistant.storage.store import Store
from assistant.threads import Thread
from assistant.transports.live_recording import LiveRecording

SHOWN_MESSAGES = 8
"""Number of messages of a long thread that are drawn at first; the others come on demand."""

EARLIER_MESSAGES = 50
"""Number of messages that one click on "Show earlier messages" adds."""


class ChatSession:
    """The chat that one user has open in one browser session.

    Attributes:
        visit: The user, and whether the session has ended.
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
    """

    def __init__(self, app: Application, user: User | None = None, visitor: Visitor | None = None) -> None:
        """``visitor`` identifies the user in the audit log."""
        self.app = app
        self.visit = Visit(app, user or User(), visitor or Visitor())
        self.connection = Connection(app, self.visit.user, self.visit.visitor)
        self.thread = self._new_thread()
        self.composer = Composer()
        self._threads = UserThreads(self.visit, self.connection)
        self._starter = RunStarter(self.visit, self.connection)
        self._queue = WaitingMessages(app.queue, self.connection, self.composer)
        self._changes = ThreadChanges(self.visit)
        self._replays = Replays(self.visit, self.connection)
        self.open_error: AssistantError | None = None
        self.thread_missing = False
        self.runs_elsewhere = False
        self.recording: LiveRecording | None = None
        self.replayed: Recording | None = None
        self.limit: QuotaError | None = None
        self.notices: list[str] = []
        self.shown = SHOWN_MESSAGES
        self.user_turns = 0
        self.follower: object | None = None
        self.url_thread_id = ""

    @property
    def store(self) -> Store | None:
        """The user's threads; None while the database cannot be used."""
        return self.visit.store

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
        """The first of the waiting messages: those that are sent with the next results of functions."""
        return self.app.queue.steering(self.thread)

    @property
    def sent(self) -> set[str]:
        """The waiting messages that the model's server already has."""
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
            self._show(self._new_thread())
            try:
                self._show(self._threads.find(thread_id))
            except UnknownThread:
                self.thread_missing = True
                self.visit.audit("chat_not_found", thread_id)
            except (BackendError, StoreError) as error:
                self.open_error = error
                return
        elif self.thread.id:
            self.thread = self.app.runs.register(self.thread)
        self.url_thread_id = self.thread.id
        self._catch_up()

    def new(self) -> None:
        """Open a new thread."""
        self._show(self._new_thread())

    def show_earlier(self) -> None:
        """Show more of a long thread."""
        self.shown += EARLIER_MESSAGES

    def _show(self, thread: Thread) -> None:
        self.thread, self.shown, self.replayed = thread, SHOWN_MESSAGES, None

    def _new_thread(self) -> Thread:
        return Thread(owner=self.visit.user.id)

    def _catch_up(self) -> None:
        """Load changes of other processes, and continue or end an answer whose process is gone."""
        self.runs_elsewhere = False
        if self.live_run:
            return
        status = self._threads.refresh(self.thread)
        if status == "deleted":
            self._leave_deleted()
            return
        if status == "answered elsewhere":
            self.runs_elsewhere = True
            return
        if self.thread.is_unfinished:
            assistant = self.connection.assistant
            can_resume = self.connection.backend.can_resume(self.thread)
            action = assistant.resume if can_resume else assistant.mark_interrupted
            with suppress(ThreadBusy):
                self.recording = self._starter.start(self.thread, action)

    def _leave_deleted(self) -> None:
        """Open a new thread in place of one that was deleted elsewhere."""
        self.app.forget(self.thread)
        self.recording = None
        self.new()
        self.thread_missing = True

    @property
    def is_outdated(self) -> bool:
        """Whether the thread was deleted, or another process has saved more of it."""
        return self._threads.is_outdated(self.thread)

    def changed_elsewhere(self) -> bool:
        """Return whether another process has saved more of the thread, or no longer answers it."""
        return self._threads.changed_elsewhere(self.thread)

    # --- the conversation -----------------------------------------------------------------------------

    def submit(self, text: str, attachments: Sequence[Attachment] = ()) -> None:
        """Send a message, or queue it while an answer is being written.

        A run that only waits for background calls ends; the calls continue.
        """
        self.user_turns += 1
        self.limit = None
        if (run := self.live_run) and not run.end_wait():
            self._queue.add(self.thread, text, attachments)
            return
        try:
            message = Message.from_user(text, attachments)
            self._start(self.connection.assistant.run, text, attachments, message=message)
            self.composer.clear()
        except ThreadBusy as error:
            reason = N_("{why} Your message is back in the input.", why=error.text)
            self.composer.restore(text, reason, attachments)
        except QuotaError as error:
            self.limit = error
            self.composer.restore(text, NOT_SENT, attachments)

    def send_next(self) -> None:
        """Send the next waiting message if the answer before it ended well."""

        def start(text: str) -> None:
            self._start(self.connection.assistant.run, text, message=Message.from_user(text))

        try:
            self._queue.send_next(self.thread, start)
        except QuotaError as error:
            self.limit = error

    def send_waiting(self) -> None:
        """End a run that only waits for background calls if a message waits; the page then sends it."""
        if self.waiting and (run := self.live_run):
            run.end_wait()

    def collect_results(self) -> bool:
        """Add results of background calls that came while no run could take them; return whether there are any."""
        return self._changes.collect_results(self.thread)

    def return_queued(self) -> None:
        """Return the waiting messages to the input if the answer before them was stopped or failed."""
        if not (self.live_run or self.runs_elsewhere):
            self._queue.return_after_failure(self.thread)

    def send_now(self, text: str) -> None:
        """Send a waiting message with the next results of functions, instead of after the answer.

        Where the response can be steered, the server gets it at once.
        """
        self.visit.require_open()
        self._queue.send_now(self.thread, text)

    def unqueue(self, text: str) -> None:
        """Return a waiting message to the input."""
        self._queue.remove(self.thread, text)

    def edit(self, position: int, text: str) -> None:
        """Replace a message of the user and answer it in a new branch.

        Raises:
            ThreadBusy, QuotaError: It cannot be sent now.
        """
        self.user_turns += 1
        message = Message.from_user(text)
        self._start(self.connection.assistant.edit, position, text, message=message)

    def regenerate(self, position: int) -> None:
        """Answer again, in a new branch; raises as ``edit`` does."""
        self.user_turns += 1
        self._start(self.connection.assistant.regenerate, position)

    def switch(self, position: int, number: int) -> None:
        """Open another branch at this position; raises ``ThreadBusy``."""
        self._changes.switch(self.thread, position, number)

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
        self.visit.require_open()
        if run := self.live_run:
            run.stop()
        elif self.runs_elsewhere and self.store:
            with suppress(StoreError):
                self.store.leases.request_stop(self.thread)

    def rate(self, message: Message, feedback: Feedback | None) -> None:
        """Save the user's rating of an answer, or remove it."""
        self._changes.rate(self.thread, message, feedback)

    def change_options(self, options: RequestOptions) -> None:
        """Change the parameters of this chat's requests, from the next request on.

        ``ValueError`` says that they cannot be sent; then nothing changes.
        """
        self._changes.set_options(self.thread, options)

    def fetch_file(self, container_id: str, file_id: str) -> bytes:
        """Return a file that the server's code created in the open thread; see ``Connection.fetch_file``."""
        self.visit.require_open()
        return self.connection.fetch_file(self.thread, container_id, file_id)

    def _continue(self, action: Callable[..., Run], *arguments: Any, message: Message | None = None) -> None:
        """Continue the answer, unless another page has already continued it."""
        self.user_turns += 1
        try:
            self._start(action, *arguments, message=message)
        except QuotaError as error:
            self.limit = error
        except TooManyAnswers as error:
            self.notices.append(error.text)
        except ThreadBusy:
            pass

    def _start(self, action: Callable[..., Run], *arguments: Any, message: Message | None = None) -> None:
        self.recording = self._starter.start_within_limits(self.thread, action, *arguments, message=message)

    # --- threads --------------------------------------------------------------------------------------

    def rename(self, thread_id: str, title: str) -> None:
        """Give a thread a title; raises ``StoreError``."""
        self._threads.rename(thread_id, title)

    def delete(self, thread_id: str) -> None:
        """Delete a thread with all its branches, here and on the server; open a new one in its place."""
        try:
            branches = self._threads.delete(thread_id)
        except (ThreadBusy, StoreError) as error:
            self.notices.append(N_("The chat was not deleted. {why}", why=self.connection.error_text(error)))
            return
        self.notices += self._threads.delete_on_server(branches)
        if branches and thread_id == self.thread.id:
            self.recording = None
            self.new()

    def import_thread(self, thread: Thread) -> None:
        """Save an imported thread under a new id and open it; raises ``StoreError``."""
        if imported := self._threads.import_thread(thread):
            self._show(imported)

    def replay(self, recording: Recording, speed: float = 1.0, *, run_functions: bool = False) -> None:
        """Replay a recording in a new thread, which is not saved. It ends the replay before it."""
        thread, copy = self._replays.start(recording, speed, run_functions=run_functions)
        self._show(thread)
        self.recording, self.replayed = copy, recording if run_functions else None
