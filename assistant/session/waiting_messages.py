"""The messages that the user sends while an answer is being written."""

from collections.abc import Callable, Sequence
from functools import partial

from assistant.errors import QuotaError, ThreadBusy
from assistant.locale import N_
from assistant.parts import Attachment
from assistant.runs.queue import MessageQueue
from assistant.session.composer import Composer
from assistant.session.connection import Connection
from assistant.texts import replace_unsendable
from assistant.threads import Thread

NOT_SENT = N_("Not sent. Your message is back in the input.")
"""The reason that the user reads when a limit stopped a message."""


class WaitingMessages:
    """Queues messages of a thread and sends them; a message that cannot be queued returns to the composer."""

    def __init__(self, queue: MessageQueue, connection: Connection, composer: Composer) -> None:
        self._queue, self._connection, self._composer = queue, connection, composer

    def add(self, thread: Thread, text: str, attachments: Sequence[Attachment]) -> None:
        """Queue a message until the answer has ended."""
        if attachments:
            reason = N_("Files can't be queued. Send them when the answer has finished.")
            self._composer.restore(text, reason, attachments)
        elif text.strip() and not self._queue.add(thread, text):
            self._composer.restore(text, N_("The queue is full. Your message is back in the input."))

    def send_next(self, thread: Thread, start: Callable[[str], object]) -> None:
        """Call ``start`` with the next message if the answer before it ended well; raises ``QuotaError``.

        After a ``QuotaError``, all messages are back in the input.
        """
        try:
            self._queue.send_next(thread, start)
        except ThreadBusy:
            pass  # it keeps waiting
        except QuotaError:
            self._composer.restore(self._queue.clear(thread), NOT_SENT)
            raise

    def send_now(self, thread: Thread, text: str) -> None:
        """Send a message with the next results of functions, instead of after the answer.

        Where the response can be steered, the server gets it at once.
        """
        self._queue.send_now(thread, text)
        self._queue.set_sent(thread, text, True)  # before the server can refuse it
        refused = partial(self._queue.set_sent, thread, text, False)
        if not self._connection.backend.steer(thread, replace_unsendable(text), refused):
            refused()

    def remove(self, thread: Thread, text: str) -> None:
        """Return a message to the input."""
        if text := self._queue.remove(thread, text):
            self._composer.restore(text)

    def return_after_failure(self, thread: Thread) -> None:
        """Return the messages to the input if the answer before them was stopped or failed."""
        if text := self._queue.clear_after_failure(thread):
            reason = N_("The answer did not finish. Your queued message is back in the input.")
            self._composer.restore(text, reason)
