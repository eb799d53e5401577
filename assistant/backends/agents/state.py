"""What a session knows of a thread."""

from collections.abc import Iterable

from assistant.backends.agents.items import (
    ANSWER_SO_FAR_TEXT,
    HISTORY_TEXT,
    RESULTS_TEXT,
    call_text,
    history_text,
    question_text,
    transcript_of,
)
from assistant.backends.agents.stream import SessionRound, is_active, required_actions
from assistant.backends.json_access import JsonObject, text_at
from assistant.backends.responses.items import content_text
from assistant.backends.sync_state import Stored, SyncState
from assistant.messages import Message
from assistant.parts import Commentary, Text

MAX_INPUT_MESSAGES = 20  # maximum number of messages in one input; more are sent as one text


class AgentsState(SyncState):
    """What the server's session knows of one thread."""

    protocol = "agents"

    session_id = Stored[str](str)  # the id of the session; empty while there is none, or it is not known yet
    creation_key = Stored[str](str)  # a mark in the session, which finds it if its id was never received
    turn_id = Stored[str](str)  # the turn of the last round that ended well
    known_items = Stored[list[str]](list)  # the ids of that turn's items that are in the transcript
    answered_calls = Stored[list[str]](list)  # the ids of that turn's calls whose results were accepted
    missing_functions = Stored[list[str]](list)  # the agent's functions that were noted as not defined here

    def pending_texts(self, items: Iterable[JsonObject]) -> list[str]:
        """Return the user's messages that the session lacks, given its new items, oldest first."""
        messages = self.thread.messages
        questions = [
            index for index in range(self.cursor[0], len(messages)) if messages[index].role == "user"
        ]
        texts = [question_text(messages[index]) for index in questions]
        for item in items:
            if item.get("role") == "user" and item.get("turn_id") != self.turn_id:
                text = content_text(item.get("content"))
                texts = texts[texts.index(text) + 1 :] if text in texts else texts
        if len(texts) < 2:
            return texts
        is_long = len(texts) > MAX_INPUT_MESSAGES
        missed = messages[questions[-len(texts)] : questions[-1]]
        has_answers = history_text(message for message in missed if message.role == "assistant")
        return [HISTORY_TEXT + history_text(missed), texts[-1]] if has_answers or is_long else texts

    def knows(self, item: JsonObject) -> bool:
        """Return whether the transcript has this item."""
        return item.get("turn_id") == self.turn_id and item.get("id") in self.known_items

    def pending_results(self) -> list[str]:
        """Return a message with the results that the session waits for, for a turn that will not continue."""
        newest = {call.call_id: call for message in self.thread.messages for call in message.calls}
        calls = [newest[call_id] for call_id in self.pending_calls if call_id in newest]
        lines = [call_text(call) for call in calls if call.result and call.result.outcome != "stopped"]
        return [RESULTS_TEXT + "\n".join(lines)] if lines else []

    def text_since_cursor(self) -> str:
        """Return the text of the current answer after the last round that ended well."""
        return "".join(part.text for part in self.newest_parts() if isinstance(part, Text | Commentary))

    def first_texts(self) -> list[str]:
        """Return the whole thread as the messages with which a new session begins."""
        messages, last = self.thread.messages, self.last_question
        before, after = history_text(messages[:last]), history_text(messages[last + 1 :])
        texts = [HISTORY_TEXT + before] if before else []
        texts.append(question_text(messages[last]))
        return [*texts, ANSWER_SO_FAR_TEXT + after] if after else texts

    def restart(self) -> list[Message]:
        """Forget the session; return the messages that a new one must begin with."""
        self.session_id = self.creation_key = self.turn_id = ""
        self.known_items, self.answered_calls = [], []
        messages = super().restart()
        self.cursor = [0, 0]  # the new session receives the whole thread in its first turn
        return messages

    def record_round(self, ended: SessionRound) -> None:
        """Record that a round ended well."""
        known = self.known_items if ended.turn_id == self.turn_id else []
        self.known_items, self.turn_id = [*known, *ended.known_items], ended.turn_id
        self.answered_calls = sorted(ended.answered_calls)
        self.commit(ended.calls)

    def record_loaded(self, session: JsonObject, items: list[JsonObject]) -> None:
        """Fill the transcript with the items of a session."""
        messages = self.thread.messages
        messages[:] = transcript_of(items)
        self.session_id = text_at(session, "id")
        self.turn_id = text_at(items[-1], "turn_id") if items else ""
        self.known_items = [text_at(item, "id") for item in items if item.get("turn_id") == self.turn_id]
        if self.thread.is_paused and (calls := _required_calls(session)):
            self.pending_calls = calls
        elif is_active(session):
            if not messages or messages[-1].role == "user":
                messages.append(Message("assistant"))
            messages[-1].ending, self.uncertain = None, True
        self.cursor = self.thread.cursor


def _required_calls(session: JsonObject) -> list[str]:
    """Return the ids of the calls whose results a session waits for; none if it waits for something else, too."""
    actions = required_actions(session) if session.get("status") == "requires_action" else []
    are_calls = all(action.get("type") == "function_call" for action in actions)
    return [text_at(action, "call_id") for action in actions] if are_calls else []
