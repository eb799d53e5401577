"""What a server that speaks the Assistants API has heard of a thread, and messages as it keeps them.

Not here: asking the server anything (``assistants.py``).

The one rule: the server's thread holds messages and no calls. So what a run was told is told again, where
that run is lost, as plain text in a message of the assistant.
"""

from typing import TypedDict, cast

from assistant.backends.assistants.stream import Answer, Json
from assistant.backends.files import words_for
from assistant.backends.hosted_summary import told
from assistant.backends.sync_state import notes_about
from assistant.events import HostedCall, RunCompleted, ToolCall
from assistant.messages import UNSENDABLE, Attachment, Call, Message, Part, Refusal, Text
from assistant.threads import Thread

LONGEST = 256_000
"""The most characters that a message may have (``openai.types.beta.threads``, API reference)."""


class Notes(TypedDict):
    """The notes about one thread, as they stand in ``thread.backend_state["assistants"]``; JSON-able."""

    server: str  # the address of the server that all this is about
    thread: str | None  # the id of the server's thread; None while there is none
    heard: list[int]  # how many messages it knows, and how many parts of the last of them
    newest: str  # the id of the newest message there that is known here
    run: str  # the run that waits for outputs
    owed: list[str]  # the ids of the calls whose outputs it waits for
    finished: str  # the last run whose end was heard here
    uncertain: bool  # something was asked and did not end well: who knows what the server kept of it
    missing: list[str]  # functions that the person was told to be missing


class Memory:
    """The notes about one thread, and what follows from them."""

    def __init__(self, thread: Thread, server: str) -> None:
        """The notes about what this server, named by its address, knows of the thread."""
        self._thread = thread
        blank = Notes(
            server=server,
            thread=None,
            heard=[0, 0],
            newest="",
            run="",
            owed=[],
            finished="",
            uncertain=False,
            missing=[],
        )
        self.notes = cast("Notes", notes_about(thread, "assistants", server, {**blank}))

    @property
    def is_in_step(self) -> bool:
        """Whether nothing happened since a run asked for outputs, but that these are there."""
        notes = self.notes
        return bool(notes["owed"]) and not notes["uncertain"] and notes["heard"] == self._thread.cursor

    @property
    def has_question(self) -> bool:
        """Whether the person said something that the server has not heard."""
        return self.has_more_than([])

    def has_more_than(self, news: list[Json]) -> bool:
        """Whether the person said something that the server has not heard, although it has these messages."""
        later = self._thread.messages[self._heard_with(news)[0] :]
        return any(message.role == "user" for message in later)

    def unheard(self) -> list[tuple[Json, list[int]]]:
        """The messages the server must be told, each with what is heard when it has been."""
        told: list[tuple[Json, list[int]]] = []
        for index in range(max(0, self.notes["heard"][0] - 1), len(self._thread.messages)):
            message = self._thread.messages[index]
            if text := self._rest(index, self.notes["heard"]):
                mark = [index + 1, len(message.parts)]
                told.append(({"role": message.role, "content": text}, mark))
        return told

    def unsaid(self, answers: list[Json]) -> list[Json]:
        """These messages of the server, without what this very answer has said of them already."""
        last = len(self._thread.messages) - 1
        heard, parts = self.notes["heard"]
        seen = self._thread.messages[last].parts[parts if last < heard else 0 :]
        said = "\n\n".join(part.text for part in seen if isinstance(part, Text))
        unsaid: list[Json] = []
        for message in answers:
            text = text_of(message)
            if said.startswith(text):
                said = said.removeprefix(text).lstrip("\n")
                continue
            if said and text.startswith(said):
                message, said = {**message, "content": text.removeprefix(said)}, ""
            unsaid.append(message)
        return unsaid

    def posted(self, message_id: str, heard: list[int]) -> None:
        """Note that the server has this message, and with it all of the thread up to there."""
        self.notes["newest"] = message_id or self.notes["newest"]
        self.notes["heard"], self.notes["owed"] = heard, []

    def outputs(self, call_ids: list[str]) -> list[Json]:
        """What came of these calls, in the order given; the newest, where an id was used again."""
        results = {call.call_id: call.result for message in self._thread.messages for call in message.calls}
        found = [(call_id, results.get(call_id)) for call_id in call_ids]
        return [
            {"tool_call_id": call_id, "output": _sendable(result.output)}
            for call_id, result in found
            if result is not None
        ]

    def known(self, calls: list[ToolCall]) -> list[ToolCall]:
        """Those of these calls that were asked since the person's last message; all of them have results."""
        asked: set[str] = set()
        for message in reversed(self._thread.messages):
            if message.role == "user":
                break
            asked |= {call.call_id for call in message.calls if call.result is not None}
        return [call for call in calls if call.call_id in asked]

    def commit(self, answer: Answer) -> None:
        """Note that the server has heard the whole thread, and that its run's round ended well."""
        notes = self.notes
        notes["heard"], notes["newest"] = self._thread.cursor, answer.newest or notes["newest"]
        notes["owed"] = [call.call_id for call in answer.calls]
        notes["run"], notes["finished"] = (
            (answer.run, notes["finished"]) if answer.calls else ("", answer.run or notes["finished"])
        )
        notes["uncertain"] = False

    def learn(self, news: list[Json]) -> None:
        """Note messages that turned up in the server's thread after those known of."""
        heard = self._heard_with(news)
        if heard != self.notes["heard"]:
            self.notes["heard"], self.notes["owed"] = heard, []
        if news:
            self.notes["newest"] = str(news[-1].get("id") or self.notes["newest"])

    def begin(self) -> list[Json]:
        """Forget what the server had; gives the messages that a new thread of it must hold.

        That is the transcript before the person's last message; what comes after is unheard again.
        """
        messages = self._thread.messages
        last = max((index for index, each in enumerate(messages) if each.role == "user"), default=0)
        before = messages[:last]
        self.notes["heard"] = [last, len(before[-1].parts) if before else 0]
        self.notes["newest"] = self.notes["run"] = self.notes["finished"] = ""
        self.notes["owed"], self.notes["uncertain"] = [], False
        said = [(each.role, told_as_text(each.parts)) for each in before]
        return [{"role": role, "content": text} for role, text in said if text]

    def recall(self, thread_id: str, messages: list[Json], run: Json | None, is_unfinished: bool) -> None:
        """Note a thread of the server, which the thread's messages are made of."""
        self._thread.messages[:] = messages_of(messages)
        self.notes["thread"], self.notes["heard"] = thread_id, self._thread.cursor
        self.notes["newest"] = str(messages[-1].get("id") or "") if messages else ""
        if is_unfinished:
            self._thread.messages.append(Message("assistant"))
        elif run is not None:
            self.notes["finished"] = str(run.get("id") or "")

    def _rest(self, index: int, heard: list[int]) -> str:
        """What of a message is not heard, if so much of the thread is; with it, calls whose run is lost."""
        message = self._thread.messages[index]
        if index >= heard[0]:
            return told_as_text(message.parts)
        owed: list[Part] = []
        if heard == self.notes["heard"]:
            owed = [call for call in message.calls if call.call_id in self.notes["owed"]]
        return told_as_text([*owed, *message.parts[heard[1] :]])

    def _heard_with(self, news: list[Json]) -> list[int]:
        """The mark after those messages of the transcript that turn up among the news."""
        heard = self.notes["heard"]
        for item in news:
            role = item.get("role")
            for index in range(max(0, heard[0] - 1), len(self._thread.messages)):
                message = self._thread.messages[index]
                rest = self._rest(index, heard)
                if role == "assistant" and message.role == "user" and index >= heard[0]:
                    break  # it answers what was said before
                # An answer in whatever words: more or less of it may have been kept than was seen.
                same = role == "assistant" or rest == told_as_text([Text(text_of(item))])
                if message.role == role and rest and same and message.ending is not None:
                    heard = [index + 1, len(message.parts)]
                    break
        return heard


def answers_in(news: list[Json], run: Json) -> list[Json]:
    """Those messages at the end of the news that this run has written."""
    answers: list[Json] = []
    for item in reversed(news):
        if item.get("role") != "assistant":
            break
        if item.get("run_id") in (None, run.get("id")):
            answers.append(item)
    return answers[::-1]


def told_as_text(parts: list[Part]) -> str:
    """What a message, or the rest of one, says, as text that a server takes; calls with what they gave."""
    texts: list[str] = []
    for part in parts:
        match part:
            case Text(text) | Refusal(text):
                texts.append(text)
            case Attachment():
                texts.append(words_for(part))
            case HostedCall():
                texts.append(told(part))
            case Call(_, name, arguments, asked=True, result=result, server=""):
                gave = result.output if result is not None else "nothing"
                texts.append(f"(Function {name} was called with {arguments or '{}'} and gave: {gave})")
    return _sendable("\n\n".join(text for text in texts if text.strip())).strip()[:LONGEST]


def text_of(message: Json) -> str:
    """The text of a message of the server."""
    return "\n\n".join(part.text for part in _parts(message) if isinstance(part, Text | Refusal))


def messages_of(items: list[Json]) -> list[Message]:
    """The transcript that a server's messages tell: an answer may be several of them."""
    messages: list[Message] = []
    for item in items:
        if item.get("role") == "user":
            messages.append(Message.from_user(text_of(item)))
        elif parts := _parts(item):
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant", ending=RunCompleted()))
            messages[-1].parts += parts
    return messages


def _parts(message: Json) -> list[Part]:
    content = message.get("content")
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for part in content if isinstance(content, list) else []:
        text = part.get("text") if isinstance(part, dict) else None
        value = text.get("value") if isinstance(text, dict) else text
        if isinstance(value, str) and value:
            parts.append(Text(value))
        elif isinstance(part, dict) and isinstance(part.get("refusal"), str):
            parts.append(Refusal(part["refusal"]))
    return parts


def _sendable(text: str) -> str:
    return UNSENDABLE.sub("\ufffd", text)
