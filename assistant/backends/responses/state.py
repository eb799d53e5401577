"""What a server that implements the Responses API knows of a thread. Pure: no requests."""

from collections.abc import Iterable, Mapping

from assistant.backends.attachments import (
    name_refused_attachments,
    responses_content,
    restore_files,
    strip_files,
)
from assistant.backends.context import items_to_leave_out
from assistant.backends.json_access import JsonObject, objects_at
from assistant.backends.responses.client_calls import client_output, is_client_call
from assistant.backends.responses.hosted import is_approval_request
from assistant.backends.responses.items import (
    answered_id,
    approval_item,
    call_in,
    content_text,
    dedupe_call_ids,
    is_call,
    is_output,
    message_items,
    output_item,
    parse_messages,
    pending_id,
    pending_ids,
)
from assistant.backends.responses.stream import CompletedResponse
from assistant.backends.responses.written_calls import joint_result, wrapped_calls
from assistant.backends.sync_state import Stored, SyncState
from assistant.errors import BackendError
from assistant.events import Note, ToolResult, ended_well
from assistant.messages import Message
from assistant.parts import Commentary, Text
from assistant.tools.results import stopped_result


class ResponsesState(SyncState):
    """What one server knows of one thread."""

    protocol = "responses"

    conversation = Stored[str | None](lambda: None)  # the id of the server's conversation
    # Without a conversation, a request continues from the previous response, or carries the full history.
    stateless = Stored[bool](bool)
    previous_response = Stored[str](str)  # the id of the response that the next one continues from
    items = Stored[list[JsonObject]](list)  # all that was sent and received, without the bytes of files
    running = Stored[str | None](lambda: None)  # the id of a background response that is still running
    last_response = Stored[str](str)  # the id of the newest response that ended well
    running_question = Stored[int](int)  # ``question_count`` when the running response was requested
    named_only = Stored[list[str]](list)  # the digests of the attachments that are sent by name only
    # How many of the oldest items are no longer sent; with a conversation 1: the server chooses which.
    left_out = Stored[int](int)
    vector_store = Stored[str | None](lambda: None)  # the id of the store with the thread's attachments
    # The ids of uploaded attachments by their digests; "" for one that cannot be searched.
    file_ids = Stored[dict[str, str]](dict)
    stored_files = Stored[list[str]](list)  # the digests of the attachments in the vector store
    indexed_files = Stored[list[str]](list)  # the digests of the attachments that file search finds
    # The digests of the attachments that the model finds by file search in this request.
    searchable: tuple[str, ...] | list[str] = ()

    @property
    def is_new(self) -> bool:
        """Whether nothing was sent yet, so that it is unknown whether the server has conversations."""
        return not (self.conversation or self.items or self.stateless)

    @property
    def needs_reconciling(self) -> bool:
        """Whether the server may keep something of a request that did not end well."""
        later = self.thread.messages[max(0, self.cursor[0] - 1) :]
        failed = any(message.ending and not ended_well(message.ending) for message in later)
        return self.uncertain or failed

    @property
    def is_superseded(self) -> bool:
        """Whether the running response answers an earlier message than the user's last."""
        return self.running is not None and self.running_question != self.question_count

    def pending_input(self) -> list[JsonObject]:
        """Return what the server lacks: the results it waits for, then what was said since."""
        known_calls = {item["call_id"] for item in self.items if is_call(item)}
        later: list[JsonObject] = []
        for _, message, parts in self.pending_parts():
            later += message_items(message.role, parts, known_calls, self.named_only, self.searchable)
        return self._pending_results() + dedupe_call_ids(later)

    def _pending_results(self) -> list[JsonObject]:
        running = {call.call_id for call in self.thread.open_calls() if call.background}
        due = [call_id for call_id in self.pending_calls if call_id not in running]
        if not due:
            return []
        items = {pending_id(item): item for item in self.items}
        results = self.results()
        return [_answer(call_id, items.get(call_id, {}), results) for call_id in due]

    def names_file(self, container_id: str, file_id: str) -> bool:
        """Return whether a response named this file. What is sent has no annotations, so it names none."""
        ids = {"container_id": container_id, "file_id": file_id}
        parts = (part for item in self.items for part in objects_at(item, "content"))
        return any(
            annotation.get("type") == "container_file_citation" and ids.items() <= annotation.items()
            for part in parts
            for annotation in objects_at(part, "annotations")
        )

    def full_history(self) -> list[JsonObject]:
        """Return all items so far, as a server without conversations is sent them again."""
        return restore_files(self.items, self.thread, self.named_only)

    def compacted(self, sent: list[JsonObject]) -> int:
        """Return how many of the oldest items the newest compaction stands for; 0 if a later output needs one."""
        starts = [index for index, item in enumerate(self.items) if item.get("type") == "compaction"]
        start = starts[-1] if starts else 0
        answered = {answered_id(item) for item in self.items[start:] + sent} - {None}
        return 0 if answered & set(map(pending_id, self.items[:start])) else start

    def set_running(self, response_id: str) -> None:
        """Record that this background response answers the user's last message."""
        self.running, self.running_question = response_id, self.question_count

    def commit_response(
        self, sent: list[JsonObject], response: CompletedResponse, *, chained: bool = False
    ) -> None:
        """Record that a response ended well, and what was sent for it; ``chained``: the next continues from it."""
        pending = self._pending_after(sent) + pending_ids(response.items)
        self.items += strip_files(sent + response.items)
        self.running, self.last_response = None, response.id
        self.previous_response = response.id if chained else ""
        self.commit(response.calls)
        self.pending_calls = pending  # with those in the background; and a call may stand for several

    def name_attachments(self, refusal: BackendError, can_rewrite: bool) -> Note | None:
        """Send the refused attachments by name from now on; return a note, or None if there are none.

        ``can_rewrite``: the conversation can be written anew.
        """
        resends_history = can_rewrite or self.conversation is None
        note = name_refused_attachments(
            self.thread, self.named_only, refusal, resends_history=resends_history
        )
        if note:
            self.previous_response = ""
        return note

    def shorten(self, sent: list[JsonObject], max_tokens: int | None = None) -> bool:
        """Leave out the oldest turns from now on; return whether that was possible."""
        before = self.left_out
        if not self.conversation:
            self.left_out = items_to_leave_out(self.items + sent, before, max_tokens)
        elif self.items and max_tokens is None:
            self.left_out = 1
        if self.left_out > before:
            self.previous_response = ""
        return self.left_out > before

    def new_items(self, newest_first: Iterable[JsonObject]) -> list[JsonObject]:
        """Return the items of the server's conversation that are not known yet, oldest first."""
        found: list[JsonObject] = []
        for item in newest_first:
            if self.knows(item):
                return found[::-1]
            found.append(item)
        # Nothing was recognised, and some servers give items new ids: skip as many questions as are known.
        known = sum(item.get("role") == "user" for item in self.items)
        while found and known:
            known -= found.pop().get("role") == "user"
        while found and known == 0 and self.items and found[-1].get("role") != "user":
            found.pop()
        return found[::-1]

    def knows(self, item: JsonObject) -> bool:
        """Return whether an item of the server's conversation is known."""
        return any(
            known.get("type") == item.get("type") and known.get("call_id") == item.get("call_id")
            if "call_id" in known
            else known.get("id", "") == item.get("id")
            for known in self.items
        )

    def add_items(self, items: list[JsonObject]) -> None:
        """Record items that were found at the end of the server's conversation."""
        self.pending_calls = self._pending_after(items)
        self.items += strip_files(items)
        self.cursor = self._cursor_after(items)

    def _pending_after(self, items: list[JsonObject]) -> list[str]:
        """Return the ids of the calls that wait for results after these items."""
        answered = {"", *map(answered_id, items)}
        pending = self.pending_calls + [pending_id(item) for item in items]
        return [call_id for call_id in pending if call_id not in answered]

    def load(self, conversation: str, items: list[JsonObject]) -> None:
        """Fill the thread and the state from a conversation of the server."""
        self.conversation, self.items = conversation, strip_files(items)
        self.pending_calls = pending_ids(items)
        self.thread.messages[:] = parse_messages(items)
        self.cursor = self.thread.cursor

    def adopt_running(self, response_id: str, sent: list[JsonObject]) -> None:
        """Continue a running response that another process requested with these items."""
        messages = parse_messages(self.full_history() + sent)
        if not messages or messages[-1].role == "user":
            messages.append(Message("assistant"))
        messages[-1].ending = None
        self.thread.messages[:] = messages
        self.set_running(response_id)

    def restart_items(self) -> list[JsonObject]:
        """Forget the server's copy, and return the items that a new conversation must begin with."""
        items = [
            item
            for message in self.restart()
            for item in message_items(message.role, message.parts, (), self.named_only, self.searchable)
        ]
        self.items, self.left_out, self.running = [], 0, None
        self.previous_response = ""
        items = dedupe_call_ids(items)
        self.pending_calls = pending_ids(items)  # those in the background that still run
        return items

    def last_answer(self) -> list[Text | Commentary]:
        """Return the texts that the server has sent since its last input."""
        texts: list[Text | Commentary] = []
        for item in reversed(self.items):
            if item.get("role") == "user" or is_output(item):
                break
            if item.get("role") == "assistant":
                kind = Commentary if item.get("phase") == "commentary" else Text
                texts.append(kind(content_text(item.get("content"))))
        return texts[::-1]

    def _cursor_after(self, items: list[JsonObject]) -> list[int]:
        """Return the cursor after those messages of the transcript that are among these items."""
        cursor = self.cursor
        for item in items:
            role = item.get("role")
            for index in range(cursor[0], len(self.thread.messages)):
                message = self.thread.messages[index]
                if message.ending is None:
                    continue  # the answer that is being requested now
                same = role == "assistant" or self._text_at_server(message) == content_text(
                    item.get("content")
                )
                if message.role == role and same:
                    cursor = [index + 1, len(message.parts)]
                    break
        return cursor

    def _text_at_server(self, message: Message) -> str:
        """Return the text of a user's message as the server has it: with the attached text files."""
        return content_text(responses_content(message.parts, self.named_only, self.searchable))


def _answer(call_id: str, item: JsonObject, results: Mapping[str, ToolResult | None]) -> JsonObject:
    """Return the item that answers the call in an item."""
    result = results.get(call_id) or stopped_result(call_id)
    if is_client_call(item):
        return client_output(item, result)
    if is_approval_request(item):
        return approval_item(result)
    if is_call(item) and call_id not in results and (wrapped := wrapped_calls(call_in(item))):
        outputs = [results.get(call.call_id) or stopped_result(call.call_id) for call in wrapped]
        return output_item(joint_result(call_in(item), outputs), item)
    return output_item(result, item)
