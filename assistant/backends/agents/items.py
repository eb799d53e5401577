"""What a session of the Agents API has heard of a thread, and messages as its items and as plain words.

Not here: asking the server anything (``agents.py``), what the events of a stream mean (``agents_stream.py``).

The one rule: what the session has not heard is found in the transcript, and is noted as heard only after a
round ended well; in between, the session's own items decide.
"""

import json
from collections.abc import Iterable
from typing import TypedDict, cast

from assistant.backends import files as attached
from assistant.backends import hosted_summary as hosted_told
from assistant.backends.agents.stream import Item, Round
from assistant.backends.files import words_for
from assistant.backends.json_access import text_at
from assistant.backends.responses.items import messages_of, text_of
from assistant.backends.sync_state import notes_about
from assistant.events import HostedCall, ToolResult
from assistant.messages import Attachment, Call, Message, Refusal, Text
from assistant.threads import Thread
from assistant.tools.results import error_output, is_error_output, replace_surrogates

FROM_HERE = "[From the application, not from the person] "
"""How a message begins that nobody typed, so that a recalled thread can leave it out."""

GO_ON = FROM_HERE + "Your answer was interrupted. Please go on with it."

CUT_OFF = FROM_HERE + "Results of functions whose turn was cancelled before you were given them:\n\n"

SO_FAR = "The conversation so far:\n\n"

DONE = FROM_HERE + "This is what you have said and done so far to answer that. Please go on.\n\n"

TRANSCRIPT_LIMIT = 100_000
"""Characters of a conversation so far that a new session is told; the newest part of it."""


class Notes(TypedDict):
    """The notes about one thread, as they stand in ``thread.backend_state["agents"]``; JSON-able."""

    session: str | None  # the server's session
    birth: str | None  # the mark by which a session is found that was made, but whose id was never seen
    questions: int  # how many of the person's messages the session has heard
    cursor: list[int]  # how far the thread went when a round last ended well
    turn: str | None  # the turn of that round
    known: list[str]  # the ids of the items that the person was shown of that turn
    owed: list[str]  # the ids of its calls whose results the session waits for
    answered: list[str]  # the ids of its calls whose results it has taken
    missing: list[str]  # the functions that the person was told to write
    uncertain: bool  # something was asked and did not end well


class Memory:
    """The notes about one thread, and what follows from them."""

    def __init__(self, thread: Thread, server: str) -> None:
        self.thread = thread
        blank = Notes(
            session=None,
            birth=None,
            questions=0,
            cursor=[0, 0],
            turn=None,
            known=[],
            owed=[],
            answered=[],
            missing=[],
            uncertain=False,
        )
        self.notes = cast("Notes", notes_about(thread, "agents", server, {**blank}))

    @property
    def is_waited_for(self) -> bool:
        """Whether the session surely waits for results, and for nothing else."""
        notes = self.notes
        return bool(notes["owed"]) and not notes["uncertain"] and notes["cursor"] == self.thread.cursor

    def unheard(self, items: Iterable[Item]) -> list[str]:
        """The person's messages that the session lacks; its new items, oldest first, tell what it has."""
        messages = self.thread.messages
        asked = [index for index, each in enumerate(messages) if each.role == "user"][
            self.notes["questions"] :
        ]
        texts = [_words(messages[index]) for index in asked]
        for item in items:
            if item.get("role") == "user" and item.get("turn_id") != self.notes["turn"]:
                said = text_of(item.get("content"))
                texts = texts[texts.index(said) + 1 :] if said in texts else texts
        if len(texts) < 2:
            return texts
        between = messages[asked[-len(texts)] : asked[-1]]
        answered = in_words([each for each in between if each.role == "assistant"])
        return [SO_FAR + in_words(between), texts[-1]] if answered else texts

    def knows(self, item: Item) -> bool:
        """Whether the person was shown this item, in a round that ended well."""
        return item.get("turn_id") == self.notes["turn"] and item.get("id") in self.notes["known"]

    def results(self) -> dict[str, ToolResult]:
        """What came of the calls since the person's last message, by id."""
        later = self.thread.messages[self._last_question() + 1 :]
        return {call.call_id: call.result for each in later for call in each.calls if call.result}

    def owed_in_words(self) -> list[str]:
        """What the session waits for, as a message, for a turn that will not go on."""
        parts = [part for message in self.thread.messages for part in message.calls]
        newest = {part.call_id: part for part in parts}
        owed = [newest[call_id] for call_id in self.notes["owed"] if call_id in newest]
        lines = [_called(call) for call in owed if call.result and call.result.outcome != "stopped"]
        return [CUT_OFF + "\n".join(lines)] if lines else []

    def said_since(self) -> str:
        """What the message that is gone on with has said since a round last ended well."""
        messages, parts = self.notes["cursor"]
        last = self.thread.messages[-1]
        rest = last.parts[parts:] if len(self.thread.messages) == messages else last.parts
        return "".join(part.text for part in rest if isinstance(part, Text))

    def retold(self) -> list[str]:
        """The whole thread, as the messages with which a new session begins."""
        last = self._last_question()
        before = in_words(self.thread.messages[:last])
        after = in_words(self.thread.messages[last + 1 :])
        texts = [SO_FAR + before] if before else []
        texts.append(_words(self.thread.messages[last]))
        return [*texts, DONE + after] if after else texts

    def begin_again(self) -> None:
        """Forget the session: what comes is told to a new one."""
        notes = self.notes
        notes["session"], notes["birth"], notes["turn"], notes["questions"] = None, None, None, 0
        notes["known"], notes["owed"], notes["answered"] = [], [], []
        notes["cursor"], notes["uncertain"] = [0, 0], False

    def commit(self, ended: Round) -> None:
        """Note that a round ended well."""
        notes = self.notes
        known = notes["known"] if ended.turn == notes["turn"] else []
        notes["known"], notes["turn"] = [*known, *ended.known], ended.turn
        notes["owed"] = [call.call_id for call in ended.calls]
        notes["answered"] = sorted(ended.answered)
        notes["questions"] = sum(message.role == "user" for message in self.thread.messages)
        notes["cursor"], notes["uncertain"] = self.thread.cursor, False

    def recall(self, session: Item, items: list[Item]) -> None:
        """Note a session of the server, whose items the thread's messages are made of."""
        notes, messages = self.notes, self.thread.messages
        messages[:] = messages_of([_as_item(item) for item in items if not _is_from_here(item)])
        notes["session"] = text_at(session, "id")
        notes["turn"] = text_at(items[-1], "turn_id") if items else None
        notes["known"] = [text_at(each, "id") for each in items if each.get("turn_id") == notes["turn"]]
        notes["questions"] = sum(message.role == "user" for message in messages)
        if session.get("status") in ACTIVE:
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant"))
            messages[-1].ending, notes["uncertain"] = None, True
        notes["cursor"] = self.thread.cursor

    def _last_question(self) -> int:
        return max(index for index, each in enumerate(self.thread.messages) if each.role == "user")


ACTIVE = ("in_progress", "requires_action")
"""The states of a session in which a turn is under way."""


def in_words(messages: list[Message]) -> str:
    """Messages as plain text: who said what, which functions were called, and what came of it."""
    told: list[str] = []
    for message in messages:
        name = "User" if message.role == "user" else "Assistant"
        for part in message.parts:
            match part:
                case Text(text) | Refusal(text) if text:
                    told.append(f"{name}: {replace_surrogates(text)}")
                case Attachment():
                    told.append(f"{name}: {words_for(part)}")
                case HostedCall() if words := hosted_told.told(part):
                    told.append(words)
                case Call(asked=True, server=""):
                    told.append(_called(part))
    while len(told) > 1 and sum(map(len, told)) > TRANSCRIPT_LIMIT:
        told.pop(0)
    return "\n\n".join(told)[-TRANSCRIPT_LIMIT:]


def _called(call: Call) -> str:
    output = replace_surrogates(call.result.output) if call.result else "nothing"
    return f"Assistant called {call.name}({replace_surrogates(call.arguments)}), which gave: {output}"


def message_event(texts: list[str], thread: Thread) -> Item:
    """The input that says these texts, a message each, and starts a turn.

    With a text of the person go the images of their message.
    """
    asked = [message for message in thread.messages if message.role == "user" and message.attachments]
    images = {_words(message): [each for each in message.attachments if each.is_image] for message in asked}
    said = []
    for text in texts:
        content: list[Item] = [{"type": "input_text", "text": text}]
        content += [{"type": "input_image", "image_url": image.url} for image in images.get(text, [])]
        said.append({"role": "user", "content": content})
    return {"type": "agent.session.input.message", "input": said}


def _words(message: Message) -> str:
    """The text of a person's message, by which it is found again."""
    return attached.in_words(message.parts, seen=True)


def result_event(turn: str, call_id: str, result: ToolResult) -> Item:
    """The input that gives a call its result."""
    event: Item = {"type": "agent.session.input.tool_result", "turn_id": turn, "call_id": call_id}
    output = replace_surrogates(result.output)
    if result.outcome == "done":
        return {**event, "success": True, "output": output}
    return {**event, "success": False, "error": _error_of(output)}


def _error_of(output: str) -> str:
    return str(json.loads(output)["error"]) if is_error_output(output) else output


def _is_from_here(item: Item) -> bool:
    return item.get("role") == "user" and text_of(item.get("content")).startswith(FROM_HERE)


def _as_item(item: Item) -> Item:
    """A session's item, as the same item of the Responses API."""
    match item.get("type"):
        case "function_call":
            arguments = item.get("arguments")
            if not isinstance(arguments, str):
                arguments = json.dumps(arguments or {}, ensure_ascii=False)
            return {**item, "arguments": arguments}
        case "function_call_output" if item.get("error"):
            return {**item, "output": error_output(text_at(item, "error"))}
    return item
