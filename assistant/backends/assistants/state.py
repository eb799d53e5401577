"""What the server's thread and its last run know of a thread."""

from collections.abc import Iterable

from assistant.backends.assistants.items import answers_of, item_text, message_text, transcript_of
from assistant.backends.assistants.stream import RunProgress
from assistant.backends.json_access import JsonObject, text_at
from assistant.backends.sync_state import Stored, SyncState
from assistant.events import ToolCall
from assistant.messages import Message
from assistant.parts import Part, Text
from assistant.texts import replace_unsendable
from assistant.threads import Thread


class AssistantsState(SyncState):
    """What the server knows of one thread."""

    protocol = "assistants"

    server_thread = Stored[str](str)  # the id of the server's thread; empty while there is none
    newest_item = Stored[str](str)  # the id of the newest message there that is in the transcript
    waiting_run = Stored[str](str)  # the id of the run that waits for the outputs of ``pending_calls``
    finished_run = Stored[str](str)  # the id of the last run whose end was received
    missing_functions = Stored[list[str]](list)  # the functions that were noted as not defined here

    def __init__(self, thread: Thread, server: str) -> None:
        super().__init__(thread, server)
        self.is_new = False  # whether the server's thread was created for this request

    @property
    def is_in_sync(self) -> bool:
        """Whether nothing can have happened at the server that is not in the transcript."""
        return self.is_waiting_for_results or (self.is_new and not self.uncertain)

    def has_question(self, new_items: Iterable[JsonObject] = ()) -> bool:
        """Return whether the server lacks a message of the user, even with these new messages."""
        later = self.thread.messages[self._cursor_after(new_items)[0] :]
        return any(message.role == "user" for message in later)

    def pending_items(self) -> list[tuple[JsonObject, list[int]]]:
        """Return the messages that the server lacks, each with the cursor once it has been posted."""
        items: list[tuple[JsonObject, list[int]]] = []
        for index in range(max(0, self.cursor[0] - 1), len(self.thread.messages)):
            message = self.thread.messages[index]
            if text := self._pending_text(index, self.cursor):
                items.append(({"role": message.role, "content": text}, [index + 1, len(message.parts)]))
        return items

    def record_posted(self, item_id: str, cursor: list[int]) -> None:
        """Record that the server has this message, and thereby the thread up to the cursor."""
        self.newest_item = item_id or self.newest_item
        self.cursor, self.pending_calls = cursor, []

    def record_new_items(self, new_items: list[JsonObject]) -> None:
        """Record new messages of the server's thread, oldest first."""
        cursor = self._cursor_after(new_items)
        if cursor != self.cursor:
            self.cursor, self.pending_calls = cursor, []
        if new_items:
            self.newest_item = text_at(new_items[-1], "id") or self.newest_item

    def record_run(self, progress: RunProgress) -> None:
        """Record that a round of a run ended well: the server knows the whole thread."""
        self.commit(progress.calls)
        self.newest_item = progress.newest_item or self.newest_item
        if progress.calls:
            self.waiting_run = progress.run_id
        else:
            self.waiting_run, self.finished_run = "", progress.run_id or self.finished_run

    def record_loaded(
        self, thread_id: str, items: list[JsonObject], run: JsonObject, is_running: bool
    ) -> None:
        """Fill the transcript with the messages of a server's thread and its last run."""
        self.thread.messages[:] = transcript_of(items)
        self.server_thread, self.cursor = thread_id, self.thread.cursor
        self.newest_item = text_at(items[-1], "id") if items else ""
        if is_running:
            self.thread.messages.append(Message("assistant"))
        else:
            self.finished_run = text_at(run, "id")

    def restart(self) -> list[Message]:
        """Forget the server's thread, and return the messages that a new one must begin with."""
        self.newest_item = self.waiting_run = self.finished_run = ""
        self.is_new = True
        return super().restart()

    def missed_answers(self, run: JsonObject, new_items: list[JsonObject]) -> list[JsonObject]:
        """Return the new messages of a run without the text that the transcript already has."""
        known = "\n\n".join(part.text for part in self.newest_parts() if isinstance(part, Text))
        missed: list[JsonObject] = []
        for item in answers_of(run, new_items):
            text = item_text(item)
            if known.startswith(text):
                known = known.removeprefix(text).lstrip("\n")
                continue
            if known and text.startswith(known):
                item, known = {**item, "content": text.removeprefix(known)}, ""
            missed.append(item)
        return missed

    def tool_outputs(self, call_ids: list[str]) -> list[JsonObject]:
        """Return the outputs of these calls, in this order."""
        results = self.results()
        found = ((call_id, results.get(call_id)) for call_id in call_ids)
        return [
            {"tool_call_id": call_id, "output": replace_unsendable(result.output)}
            for call_id, result in found
            if result is not None
        ]

    def answered_calls(self, calls: list[ToolCall]) -> list[ToolCall]:
        """Return those of the calls that have results since the user's last message."""
        answered: set[str] = set()
        for message in reversed(self.thread.messages):
            if message.role == "user":
                break
            answered |= {call.call_id for call in message.calls if call.result is not None}
        return [call for call in calls if call.call_id in answered]

    def _pending_text(self, index: int, cursor: list[int]) -> str:
        """Return the text of a message after a cursor, with the pending calls if their run is lost."""
        message = self.thread.messages[index]
        if index >= cursor[0]:
            return message_text(message.parts)
        calls: list[Part] = []
        if cursor == self.cursor:
            calls = [call for call in message.calls if call.call_id in self.pending_calls]
        return message_text([*calls, *message.parts[cursor[1] :]])

    def _cursor_after(self, new_items: Iterable[JsonObject]) -> list[int]:
        """Return the cursor after those messages of the transcript that are among the new_items."""
        cursor = self.cursor
        for item in new_items:
            role = item.get("role")
            for index in range(max(0, cursor[0] - 1), len(self.thread.messages)):
                message = self.thread.messages[index]
                text = self._pending_text(index, cursor)
                if role == "assistant" and message.role == "user" and index >= cursor[0]:
                    break  # it answers an earlier message
                # An answer matches with any text: the server may have kept more or less of it than was shown.
                is_same = role == "assistant" or text == message_text([Text(item_text(item))])
                if message.role == role and text and is_same and message.ending is not None:
                    cursor = [index + 1, len(message.parts)]
                    break
        return cursor
