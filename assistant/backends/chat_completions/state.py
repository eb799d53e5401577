"""What a Chat Completions server is sent of a thread: these servers store nothing, so all of it, each time.

The state holds only how the history is reduced: the messages that no longer fit, and the attachments that the
model does not accept.
"""

from assistant.backends.attachments import name_refused_attachments
from assistant.backends.chat_completions.items import chat_messages
from assistant.backends.context import items_to_leave_out
from assistant.backends.json_access import JsonObject
from assistant.backends.sync_state import Stored, SyncState
from assistant.errors import BackendError
from assistant.events import Note
from assistant.threads import Thread


class ChatState(SyncState):
    """How the history of one thread is reduced for one model of one server."""

    protocol = "chat"

    left_out = Stored[int](int)  # the number of the oldest messages that are no longer sent
    named_only = Stored[list[str]](list)  # the digests of the attachments that are sent by name only

    def __init__(self, thread: Thread, server: str) -> None:
        super().__init__(thread, server)
        self._messages = chat_messages(thread.messages, self.named_only)

    def messages(self) -> list[JsonObject]:
        """Return the messages to send."""
        return self._messages[self.left_out :]

    def shorten(self, max_tokens: int | None = None) -> bool:
        """Leave out the oldest turns from now on; return whether there was anything to leave out.

        With ``max_tokens``, only as much as necessary; otherwise about half of the history.
        """
        before = self.left_out
        self.left_out = items_to_leave_out(self._messages, before, max_tokens)
        return self.left_out > before

    def name_attachments(self, refusal: BackendError) -> Note | None:
        """Send refused attachments by name from now on; return a note, or None if none were refused."""
        note = name_refused_attachments(self.thread, self.named_only, refusal, resends_history=True)
        if note:
            self._messages = chat_messages(self.thread.messages, self.named_only)
        return note
