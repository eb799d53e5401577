"""What a Chat Completions server is sent of a thread: these servers store nothing, so all of it, each time.

The state holds only how the history is reduced: the messages that no longer fit, and the attachments that the
model does not accept.
"""

from typing import Any, TypedDict, cast

from assistant.backends.chat_completions.items import chat_messages
from assistant.backends.context import shortened
from assistant.backends.files import told_by_name
from assistant.backends.json_access import Object
from assistant.errors import BackendError
from assistant.events import Note
from assistant.threads import Thread


class ChatNotes(TypedDict):
    """The JSON value under ``thread.backend_state["chat"]``."""

    left_out: int  # number of the oldest messages that are no longer sent
    named_for: str  # the server and model that ``named_only`` applies to
    named_only: list[str]  # digests of the attachments that are sent by name only


class ChatState:
    """How the history of one thread is reduced for one model of one server."""

    def __init__(self, thread: Thread, server: str, model: str) -> None:
        self._thread = thread
        empty: dict[str, Any] = {**ChatNotes(left_out=0, named_for="", named_only=[])}
        self.notes = cast("ChatNotes", thread.backend_state.setdefault("chat", empty))
        if self.notes["named_for"] != f"{server} {model}":
            self.notes["named_for"], self.notes["named_only"] = f"{server} {model}", []
        self._messages = chat_messages(thread.messages, self.notes["named_only"])

    def messages(self) -> list[Object]:
        """Return the messages to send."""
        return self._messages[self.notes["left_out"] :]

    def shorten(self, max_bytes: int | None = None) -> bool:
        """Leave out the oldest turns from now on; return whether there was anything to leave out.

        With ``max_bytes``, only as much as necessary; otherwise about half of the history.
        """
        before = self.notes["left_out"]
        self.notes["left_out"] = shortened(self._messages, before, max_bytes)
        return self.notes["left_out"] > before

    def name_attachments(self, refusal: BackendError) -> Note | None:
        """Send the attachments that were refused by name from now on; return a note, or None if there are none."""
        note = told_by_name(self._thread, self.notes["named_only"], refusal, all_told=True)
        if note:
            self._messages = chat_messages(self._thread.messages, self.notes["named_only"])
        return note
