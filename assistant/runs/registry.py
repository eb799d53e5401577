"""The threads that are open in this process, and the one run that each of them may have."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from weakref import WeakSet, WeakValueDictionary

from assistant.errors import ThreadBusy, TooManyAnswers
from assistant.locale import N_
from assistant.messages import Message
from assistant.runs.autosave import Autosaver, Saver
from assistant.runs.run import Run
from assistant.runs.worker import LiveRun
from assistant.threads import Thread

MAX_RUNS_PER_USER = 10
"""Maximum number of runs that one user may have at once."""

LARGE_CHARS = 10_000
"""Length from which on a message has to fit beside all open chats."""

MAX_OPEN_CHARS = 40_000_000
"""Maximum length of all open chats of this process; of files, which are not drawn, a quarter counts."""


class RunRegistry:
    """Starts runs, one per thread at a time, and finds threads and runs again by id.

    Where threads are saved, one run per thread holds across all processes with the same database. A thread is
    found only by its owner.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._runs: list[LiveRun] = []
        self._reserved: WeakSet[Thread] = WeakSet()  # a run is starting, or the thread is being changed
        self._threads: WeakValueDictionary[tuple[str, str], Thread] = WeakValueDictionary()  # by owner and id

    def start(
        self,
        thread: Thread,
        prepare: Callable[[], Run],
        cancel: Callable[[Thread], None] = lambda thread: None,
        autosaver: Autosaver | None = None,
        *,
        user_id: str = "",
        max_runs: int = 0,
    ) -> LiveRun:
        """Call ``prepare`` and start the run that it returns on a thread of its own.

        ``cancel`` is called when the run is stopped, to close its open request. The ``autosaver`` saves the
        answer as it grows, and the two messages before it. With a ``user_id``, the run counts as this user's,
        and as one of at most ``max_runs``.

        Raises:
            ThreadBusy: The thread has a run that has not ended; ``prepare`` was not called.
            TooManyAnswers: There are as many runs as there may be at once.
        """
        with self._exclusive(thread, autosaver), self._lock:
            if user_id:
                self._check_number(user_id, max_runs)
            run = prepare()
            live = LiveRun(run, cancel, _saver(run, autosaver) if autosaver else None, user_id)
            live.start()
            self._runs.append(live)
            return live

    def _check_number(self, user_id: str, max_runs: int) -> None:
        users = [run.user_id for run in self._runs if run.user_id and not run.ended]
        if users.count(user_id) >= MAX_RUNS_PER_USER:
            text = N_("You have too many answers in progress. Wait for one, or stop one.")
            raise TooManyAnswers(text, scope="user")
        if len(users) >= max_runs:
            text = N_("This page is answering too many users. Try again in a minute.")
            raise TooManyAnswers(text, scope="everyone")

    def check_room(self, message: Message) -> None:
        """Raise ``TooManyAnswers`` if a large message does not fit beside all open chats."""
        chars = _chars([message])
        if chars > LARGE_CHARS:
            with self._lock:
                threads = list(self._threads.values())
            if chars + sum(_chars(branch.messages) for each in threads for branch in each.all_branches()) > (
                MAX_OPEN_CHARS
            ):
                text = N_("This page has too much in its open chats. Send less at once.")
                raise TooManyAnswers(text, scope="everyone")

    def change(
        self,
        thread: Thread,
        change: Callable[[], None],
        autosaver: Autosaver | None = None,
        *,
        since: int | None = None,
    ) -> None:
        """Call ``change`` while the thread has no run and can get none, and save the result.

        It changes branches, or the messages from position ``since`` on.

        Raises:
            ThreadBusy: The thread has a run that has not ended; ``change`` was not called.
        """
        with self._exclusive(thread, autosaver):
            with self._lock:
                change()
            if autosaver:
                first = len(thread.messages) if since is None else since
                autosaver.save(thread, first, backend_state=True)
                autosaver.release(thread)

    @contextmanager
    def _exclusive(self, thread: Thread, autosaver: Autosaver | None) -> Iterator[None]:
        """Reserve the thread, brought up to date, for this block; its lease stays if the block ends well."""
        with self._lock:
            if self.get(thread) is not None or thread in self._reserved:
                raise ThreadBusy(N_("An answer is still being written. Wait for it, or stop it."))
            self._reserved.add(thread)
        try:
            newer = autosaver.acquire(thread, lambda: self._stop(thread)) if autosaver else None
            if newer is not None:
                with self._lock:
                    _update(thread, newer)
            yield
        except BaseException:
            if autosaver:
                autosaver.release(thread)
            raise
        finally:
            with self._lock:
                self._reserved.discard(thread)

    def update(self, thread: Thread, newer: Thread) -> None:
        """Bring a thread up to date with what another process saved, unless it has a run here."""
        with self._lock:
            if self.get(thread) is None and thread not in self._reserved:
                _update(thread, newer)

    def get(self, thread: Thread) -> LiveRun | None:
        """Return the thread's run that has not ended, if there is one."""
        with self._lock:
            self._runs = [run for run in self._runs if not run.ended]
            return next((run for run in self._runs if run.thread is thread), None)

    @property
    def running(self) -> set[str]:
        """The ids of the threads that are being answered."""
        with self._lock:
            return {run.thread.id for run in self._runs if not run.ended}

    def find(self, thread_id: str, owner: str = "") -> Thread | None:
        """Return the owner's thread with this id if it is open or being answered in this process."""
        with self._lock:
            running = (run.thread for run in self._runs if run.thread.id == thread_id)
            own = next((thread for thread in running if thread.owner == owner), None)
            return own or self._threads.get((owner, thread_id))

    def register(self, thread: Thread) -> Thread:
        """Register a thread that has an id. Return the one that was first registered under this id."""
        with self._lock:
            found = self.find(thread.id, thread.owner)
            return self._threads.setdefault((thread.owner, thread.id), found or thread)

    def forget(self, thread: Thread) -> None:
        """Empty a deleted thread for all pages that have it open, and remove it from the registry."""
        with self._lock:
            # New objects: a page may be drawing the old ones.
            thread.messages, thread.branches, thread.backend_state = [], {}, {}
            thread.title, thread.dirty_from = "", None
            self._threads.pop((thread.owner, thread.id), None)

    def _stop(self, thread: Thread) -> None:
        if (run := self.get(thread)) is not None:
            run.stop()


def _saver(run: Run, autosaver: Autosaver) -> Saver:
    thread = run.thread
    # The two messages before the answer may change as well: open calls of the answer before it were closed.
    # So may one with a background call, which gets its result.
    since = max(0, len(thread.messages) - 3)
    since = next((at for at in range(since) if thread.messages[at].open_calls), since)

    def write(backend_state: bool, last: bool) -> None:
        autosaver.save(thread, since, backend_state=backend_state)
        if last:
            autosaver.release(thread)

    return Saver(write, thread.id)


def _chars(messages: Sequence[Message]) -> int:
    texts = sum(len(getattr(part, "text", "")) for message in messages for part in message.parts)
    return texts + sum(len(file.data) for message in messages for file in message.attachments) // 4


def _update(thread: Thread, newer: Thread) -> None:
    if newer.version > thread.version:
        thread.messages[:], thread.backend_state = newer.messages, newer.backend_state
        thread.branches, thread.dirty_from = newer.branches, None
        thread.title, thread.version = newer.title, newer.version
        thread.options = newer.options
