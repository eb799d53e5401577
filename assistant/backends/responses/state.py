"""What a server that speaks the Responses API has heard of a thread, and what it has said.

Not here: asking the server anything (``responses.py``).

The one rule: what the server has not heard is found in the transcript, and is noted as heard only after a
response ended well. So an attempt that failed needs no undoing: the next one finds the same again.
"""

from collections.abc import Iterable
from typing import TypedDict, cast

from assistant.backends.context import shortened
from assistant.backends.files import content_of, light, told_by_name, whole
from assistant.backends.responses.hosted import is_approval
from assistant.backends.responses.items import (
    Item,
    answers,
    asks,
    decision_on,
    dedupe_call_ids,
    is_call,
    is_output,
    items_of,
    messages_of,
    output_of,
    text_of,
)
from assistant.backends.responses.stream import Answer
from assistant.backends.sync_state import notes_about
from assistant.errors import BackendError
from assistant.events import Note, RunCompleted
from assistant.messages import Message
from assistant.threads import Thread
from assistant.tools.results import stopped_result


class Notes(TypedDict):
    """The notes about one thread, as they stand in ``thread.backend_state["responses"]``; JSON-able."""

    server: str  # the address of the server that all this is about
    conversation: str | None  # the server's conversation; None while there is none, or can be none
    stateless: bool  # the server has no conversations: it is told everything each time
    items: list[Item]  # all the server has heard and said, verbatim, in order
    owed: list[str]  # the ids of the calls whose outputs it waits for
    heard: list[int]  # how many messages it knows, and how many parts of the last of them
    uncertain: bool  # something was asked and did not end well: who knows what the server kept of it
    running: str | None  # a response that runs at the server by itself (background mode)
    asked: int  # how many messages of the person it answers
    by_name: list[str]  # the digests of the attachments that it does not take, and is told the names of
    left_out: (
        int  # how many items, the oldest, it is not told any more; or 1: a conversation's server chooses
    )


class Memory:
    """The notes about one thread, and what follows from them."""

    def __init__(self, thread: Thread, server: str) -> None:
        """The notes about what this server, named by its address, knows of the thread."""
        self._thread = thread
        self.put_in: list[str] = []  # the digests of the attachments that it can search
        blank = Notes(
            server=server,
            conversation=None,
            stateless=False,
            items=[],
            owed=[],
            heard=[0, 0],
            uncertain=False,
            running=None,
            asked=0,
            by_name=[],
            left_out=0,
        )
        self.notes = cast("Notes", notes_about(thread, "responses", server, {**blank}))

    @property
    def is_blank(self) -> bool:
        """Whether nothing was said yet, and what the server can keep is not known."""
        return not (self.notes["conversation"] or self.notes["items"] or self.notes["stateless"])

    @property
    def is_uncertain(self) -> bool:
        """Whether the server may keep something of what was asked and did not end well."""
        later = self._thread.messages[max(0, self.notes["heard"][0] - 1) :]
        failed = any(not isinstance(message.ending, RunCompleted | None) for message in later)
        return self.notes["uncertain"] or failed

    @property
    def is_overtaken(self) -> bool:
        """Whether a response is still running that the person does not wait for: they said more since."""
        return self.notes["running"] is not None and self.notes["asked"] != self._questions()

    def unheard(self) -> list[Item]:
        """What the server must be told: the outputs it waits for, then what was said since."""
        items = self._owed()
        known_calls = {item["call_id"] for item in self.notes["items"] if is_call(item)}
        messages, parts = self.notes["heard"]
        first, later = max(0, messages - 1), []
        for index, message in enumerate(self._thread.messages[first:], first):
            rest = message.parts[parts:] if index < messages else message.parts
            later += items_of(message.role, rest, known_calls, self.notes["by_name"], self.put_in)
        return items + dedupe_call_ids(later)

    def _owed(self) -> list[Item]:
        """The outputs and decisions that the server waits for."""
        if not self.notes["owed"]:
            return []
        results = {call.call_id: call.result for message in self._thread.messages for call in message.calls}
        leave = {item["id"] for item in self.notes["items"] if is_approval(item)}
        return [
            (decision_on if call_id in leave else output_of)(results.get(call_id) or stopped_result(call_id))
            for call_id in self.notes["owed"]
        ]

    def runs(self, response_id: str) -> None:
        """Note that this response answers the person's last message, whoever listens."""
        self.notes["running"], self.notes["asked"] = response_id, self._questions()

    def commit(self, told: list[Item], answer: Answer) -> None:
        """Note that the server has heard these items and that its answer ended well."""
        self.notes["items"] += light(told + answer.items)
        self.notes["owed"] = [call.call_id for call in answer.calls]
        self.notes["heard"] = self._thread.cursor
        self.notes["uncertain"], self.notes["running"] = False, None

    def told_again(self) -> list[Item]:
        """All that a server without conversations has heard and said, as it is told once more."""
        return whole(self.notes["items"], self._thread, self.notes["by_name"])

    def tell_by_name(self, refusal: BackendError) -> Note | None:
        """Tell attachments that the server refused by their names from now on; what to say of it."""
        all_told = self.notes["conversation"] is None
        return told_by_name(self._thread, self.notes["by_name"], refusal, all_told=all_told)

    def truncate_output(self, told: list[Item], most: int | None = None) -> bool:
        """Leave the oldest turns out of what the model is told from now on; whether that was possible.

        See ``context.shortened``. A server with conversations chooses by itself what to leave out.
        """
        before = self.notes["left_out"]
        if self.notes["conversation"]:
            self.notes["left_out"] = 1 if self.notes["items"] and most is None else before
            return self.notes["left_out"] > before
        self.notes["left_out"] = shortened(self.notes["items"] + told, before, most)
        return self.notes["left_out"] > before

    def learn(self, news: list[Item]) -> None:
        """Note items that turned up in the server's conversation after those known of."""
        answered = {answers(item) for item in news}
        owed = self.notes["owed"] + [asks(item) for item in news if asks(item)]
        self.notes["items"] += light(news)
        self.notes["owed"] = [call_id for call_id in owed if call_id not in answered]
        self.notes["heard"] = self._heard_with(news)

    def news(self, newest_first: Iterable[Item]) -> list[Item]:
        """Those items of the server's conversation that were not known of, oldest first."""
        news: list[Item] = []
        for item in newest_first:
            if self.knows(item):
                return news[::-1]
            news.append(item)
        # None was recognised, and some servers give items new ids: leave out as many questions as are known.
        known = sum(item.get("role") == "user" for item in self.notes["items"])
        while news and known:
            known -= news.pop().get("role") == "user"
        while news and known == 0 and self.notes["items"] and news[-1].get("role") != "user":
            news.pop()
        return news[::-1]

    def knows(self, item: Item) -> bool:
        """Whether an item of the server's conversation was known of before."""
        return any(
            known.get("type") == item.get("type") and known.get("call_id") == item.get("call_id")
            if "call_id" in known
            else known.get("id", "") == item.get("id")
            for known in self.notes["items"]
        )

    def recall(self, conversation: str, items: list[Item]) -> None:
        """Note a conversation of the server, whose items the thread's messages are made of."""
        answered = {answers(item) for item in items}
        owed = [asks(item) for item in items if asks(item) and asks(item) not in answered]
        self.notes["conversation"], self.notes["items"], self.notes["owed"] = conversation, light(items), owed
        self._thread.messages[:] = messages_of(items)
        self.notes["heard"] = self._thread.cursor

    def go_on_with(self, response_id: str, told: list[Item]) -> None:
        """Note that these items were told by somebody who is gone, and that the response to them runs."""
        messages = messages_of(self.told_again() + told)
        if not messages or messages[-1].role == "user":
            messages.append(Message("assistant"))
        messages[-1].ending = None
        self._thread.messages[:] = messages
        self.runs(response_id)

    def begin_again(self) -> list[Item]:
        """Forget what the server had; gives what a new conversation must hold.

        That is the transcript before the person's last message; what comes after is unheard again.
        """
        last = max(index for index, each in enumerate(self._thread.messages) if each.role == "user")
        before = self._thread.messages[:last]
        self.notes["heard"] = [last, len(before[-1].parts) if before else 0]
        self.notes["items"], self.notes["owed"], self.notes["left_out"] = [], [], 0
        self.notes["uncertain"], self.notes["running"] = False, None
        told = [items_of(each.role, each.parts, (), self.notes["by_name"], self.put_in) for each in before]
        return dedupe_call_ids([item for items in told for item in items])

    def last_said(self) -> list[str]:
        """The texts that the server has said since it was last told anything."""
        texts: list[str] = []
        for item in reversed(self.notes["items"]):
            if item.get("role") == "user" or is_output(item):
                break
            if item.get("role") == "assistant":
                texts.append(text_of(item.get("content")))
        return texts[::-1]

    def _questions(self) -> int:
        return sum(message.role == "user" for message in self._thread.messages)

    def _words(self, message: Message) -> str:
        """The text of a person's message as the server has it: text files are a part of it."""
        return text_of(content_of(message.parts, self.notes["by_name"], self.put_in))

    def _heard_with(self, news: list[Item]) -> list[int]:
        """The mark after those messages of the transcript that turn up among the news."""
        heard = self.notes["heard"]
        for item in news:
            role = item.get("role")
            for index in range(heard[0], len(self._thread.messages)):
                message = self._thread.messages[index]
                if message.ending is None:
                    continue  # the answer that is being asked for now
                same = role == "assistant" or self._words(message) == text_of(item.get("content"))
                if message.role == role and same:
                    heard = [index + 1, len(message.parts)]
                    break
        return heard
