"""What a server knows of a thread: the base of each protocol's state, in ``Thread.backend_state`` as JSON.

The transcript decides. What the server lacks is found in it, and counts as known only after a response ended
well; so a failed attempt needs no undoing: the next one finds the same input again.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Generic, TypeVar

from assistant.events import Note, ToolCall, ToolResult
from assistant.locale import N_
from assistant.messages import Message
from assistant.parts import Part
from assistant.threads import Thread

T = TypeVar("T")

RESTARTED = Note(N_("The server could not continue its copy of this conversation. A new one was created."))


class Stored(Generic[T]):
    """A JSON value of a ``SyncState``, declared with a function that returns its default."""

    def __init__(self, default: Callable[[], T]) -> None:
        self.default = default

    def __set_name__(self, owner: type["SyncState"], name: str) -> None:
        self._name = name

    def __get__(self, state: "SyncState", owner: type["SyncState"]) -> T:
        value: T = state.stored[self._name]
        return value

    def __set__(self, state: "SyncState", value: T) -> None:
        state.stored[self._name] = value


class SyncState:
    """What one server knows of one thread; the state of another server is never used for it."""

    protocol: ClassVar[str]

    # How much of the thread the server knows: the number of messages, and of parts of the last one.
    cursor = Stored[list[int]](lambda: [0, 0])
    pending_calls = Stored[list[str]](list)  # the ids of the calls whose results the server waits for
    uncertain = Stored[bool](bool)  # a request did not end well: the server may have kept any part of it

    def __init__(self, thread: Thread, server: str) -> None:
        """Read the state of the server with this address, or begin it."""
        self.thread = thread
        self.stored: dict[str, Any] = thread.backend_state.setdefault(self.protocol, {}).setdefault(
            server, {}
        )
        for base in type(self).__mro__:
            for name, value in vars(base).items():
                if isinstance(value, Stored) and name not in self.stored:
                    self.stored[name] = value.default()

    @property
    def is_waiting_for_results(self) -> bool:
        """Whether the server waits for the results of ``pending_calls``, and for nothing else."""
        return bool(self.pending_calls) and not self.uncertain and self.cursor == self.thread.cursor

    @property
    def question_count(self) -> int:
        """The number of the user's messages in the thread."""
        return sum(message.role == "user" for message in self.thread.messages)

    @property
    def last_question(self) -> int:
        """The position of the user's last message; 0 if there is none."""
        messages = self.thread.messages
        return max((index for index, message in enumerate(messages) if message.role == "user"), default=0)

    def results(self) -> dict[str, ToolResult | None]:
        """Return the result of each call of the thread by its id; the newest where an id was used again."""
        return {call.call_id: call.result for message in self.thread.messages for call in message.calls}

    def pending_parts(self) -> Iterator[tuple[int, Message, list[Part]]]:
        """Yield what the server lacks: each message with its position, and its parts after the cursor."""
        messages, parts = self.cursor
        for index in range(max(0, messages - 1), len(self.thread.messages)):
            message = self.thread.messages[index]
            yield index, message, message.parts[parts:] if index < messages else message.parts

    def newest_parts(self) -> list[Part]:
        """Return the parts of the last message that the server lacks."""
        *_, (_, _, parts) = self.pending_parts()
        return parts

    def commit(self, calls: Iterable[ToolCall]) -> None:
        """Record a response that ended well: the server knows the thread and waits for these results."""
        self.pending_calls = [call.call_id for call in calls]
        self.cursor, self.uncertain = self.thread.cursor, False

    def restart(self) -> list[Message]:
        """Forget the server's copy, and return the messages that a new one must begin with.

        They are those before the user's last message, which is pending again with everything after it.
        """
        before = self.thread.messages[: self.last_question]
        self.cursor = [len(before), len(before[-1].parts) if before else 0]
        self.pending_calls, self.uncertain = [], False
        return before
