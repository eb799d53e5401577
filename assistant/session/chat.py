"""One user's open chat, without Streamlit: its actions, and the values that the page draws.

Text is not lost when an error occurs: a message that cannot be sent returns to the input as a ``Draft``.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from assistant.access.auth import User
from assistant.application import Application
from assistant.errors import BackendError, QuotaError, StoreError, ThreadBusy
from assistant.events import Decision, Note
from assistant.locale import N_
from assistant.messages import Feedback, Message
from assistant.parts import Attachment
from assistant.recordings.recording import NOT_LIVE, Recording
from assistant.recordings.requests import prompt_of
from assistant.runs.loop import Events, Run
from assistant.runs.replay import replay_assistant
from assistant.session.open_thread import OpenThread
from assistant.threads import Thread, unguessable_id
from assistant.transports.recorder import record_run


@dataclass(frozen=True, slots=True)
class Draft:
    """Text that returns to the input, and why."""

    text: str
    reason: str


class ChatSession(OpenThread):
    """The chat that one user has open in one browser session.

    Attributes:
        inspector_open: Whether the inspector is shown beside the chat.
        draft: Text that returns to the input.
        limit: A usage limit that stopped the last message.
        notices: Sentences to show once.
        opened_recordings: Recordings from files.
        boundary: The position of the first message that the conversation fragment draws.
        drawn_protocol: The protocol that the page has drawn around the fragment.
        page_outdated: Whether something outside the fragment has changed, so that the page has to run.
        user_turns: How often the user has asked for an answer in this session; the page scrolls to each.
        editing: The thread id and position of the message that is being edited.
        inspected_call: The id of a call whose events the inspector shows next.
        attachments, attachment_problems: Files for the next message, and why others were refused.
        audio, transcript: Audio that could not be transcribed yet, and text that does not fit the input.
    """

    def __init__(self, app: Application, user: User | None = None) -> None:
        super().__init__(app, user)
        self.inspector_open = False
        self.attachments: list[Attachment] = []
        self.draft: Draft | None = None
        self.limit: QuotaError | None = None
        self.notices: list[str] = []
        self.opened_recordings: list[Recording] = []
        self.boundary = 0
        self.editing: tuple[str, int] | None = None
        self.user_turns = 0
        self.page_outdated = False
        self.drawn_protocol = ""
        self.inspected_call = ""
        self.attachment_problems: list[str] = []
        self.audio: bytes | None = None
        self.transcript = ""

    # --- what the page draws --------------------------------------------------------------------------

    @property
    def waiting(self) -> list[str]:
        """The messages that wait until the answer has ended."""
        return self.app.queue.waiting(self.thread)

    def take_limit(self) -> QuotaError | None:
        """Return the limit that stopped the last message, once."""
        limit, self.limit = self.limit, None
        return limit

    def take_draft(self) -> Draft | None:
        """Return the text that goes back into the input, once."""
        draft, self.draft = self.draft, None
        return draft

    # --- the conversation -----------------------------------------------------------------------------

    def submit(self, text: str, attachments: Sequence[Attachment] = ()) -> None:
        """Send a message, or queue it while an answer is being written."""
        self.user_turns += 1
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

    def detach(self, number: int) -> None:
        """Remove an attachment of the next message."""
        del self.attachments[number]
        self.attachment_problems = []

    def edit(self, position: int, text: str) -> None:
        """Replace a message of the user and answer it in a new branch.

        Raises:
            ThreadBusy, QuotaError: It cannot be sent now.
        """
        self.user_turns += 1
        self._start_within_limits(partial(self.assistant.edit, self.thread, position, text))

    def regenerate(self, position: int) -> None:
        """Answer again, in a new branch; raises as ``edit`` does."""
        self.user_turns += 1
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
        self.user_turns += 1
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
        if thread_id == self.thread.id:
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
        copy.is_live = False

        def observe(events: Events) -> Events:
            try:
                yield Note(NOT_LIVE)
                yield from record_run(events, copy)
            finally:
                thread.backend_state.clear()  # the server does not have this thread

        prepare = partial(replayer.run, thread, prompt_of(recording))
        self.app.runs.start(thread, lambda: prepare().through(observe), replayer.cancel)
        self._show(self.app.runs.register(thread))
        self.recording, self.replayed = copy, recording if run_functions else None
