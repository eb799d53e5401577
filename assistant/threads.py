"""A thread: an id, the messages so far, and what a backend remembers about it.

Not here: keeping threads beyond the process (a store does that) or talking to a server.

The one rule: our transcript is the truth. A backend reconciles the server's memory to it.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .events import RunPaused, ToolResult
from .messages import Call, Message


def unguessable_id(kind: str = "thread") -> str:
    """An id for a thread, or for something else, that no server names."""
    return f"{kind}_{secrets.token_hex(16)}"


@dataclass(slots=True, weakref_slot=True, eq=False)
class Thread:
    """One conversation.

    Attributes:
        id: What the address of the page names; empty until the server has given one.
        messages: Everything that was said, oldest first.
        title: What it is called, where a person or an import gave it a name.
        raw: The backend's own notes and items, JSON-able, read and written by that backend alone.
        version: How often it had been kept when it was last written or read here; a store's business.
    """

    id: str = ""
    messages: list[Message] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    version: int = 0

    @property
    def extent(self) -> list[int]:
        """How far the thread goes: the number of its messages, and of the parts of the last of them."""
        return [len(self.messages), len(self.messages[-1].parts) if self.messages else 0]

    @property
    def is_going_on(self) -> bool:
        """Whether its last answer has no ending: a run is at it, or was, in a process that is gone."""
        return bool(self.messages) and self.messages[-1].ending is None

    @property
    def is_paused(self) -> bool:
        """Whether its last answer waits for a person's decision on calls that are open."""
        return bool(self.messages) and isinstance(self.messages[-1].ending, RunPaused)

    def open_calls(self) -> list[Call]:
        """The calls that were asked and have no result: a pause, a stop, a crash or an approval.

        Every one needs a result before a model can be asked anything else: a server refuses what comes
        first with "No tool output found for function call …".
        """
        return [call for message in self.messages for call in message.open_calls]

    def close_open_calls(self, result: Callable[[str], ToolResult]) -> None:
        """Give every open call the result that ``result`` makes for its id."""
        for message in self.messages:
            for call in message.open_calls:
                message.answer(result(call.call_id))
