"""A thread: its id, messages and branches, and the state that a backend keeps with it.

The messages are the truth, and a backend reconciles the server's copy to them. Each branch has a backend
state of its own, so that one branch never adds to the server's copy of another.
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from assistant.events import Ending, RunPaused, ToolResult, ended_well
from assistant.messages import Message
from assistant.parts import Call
from assistant.request_options import RequestOptions


def unguessable_id(kind: str = "thread") -> str:
    """Return a random id, such as ``thread_…``, for what has no id from a server."""
    return f"{kind}_{secrets.token_hex(16)}"


Branches = dict[int, dict[int, "Branch"]]
"""Branches that are not open, by the position of their first message and by their number."""


@dataclass(slots=True)
class Branch:
    """A branch that is not open: its messages, backend state and inner branches.

    Positions count from the start of the thread, as if this branch were open.
    """

    messages: list[Message]
    backend_state: dict[str, Any] = field(default_factory=dict)
    branches: Branches = field(default_factory=dict)


@dataclass(slots=True, weakref_slot=True, eq=False)
class Thread:
    """One conversation.

    Attributes:
        id: The id in the page's URL; without a page, the server assigns it with the first response.
        messages: The messages of the open branch, oldest first.
        backend_state: Values for JSON that only the backend reads and writes.
        title: The title from the user or an import; empty if there is none.
        version: The number of saves when it was last loaded or saved here; for the store.
        branches: The branches that are not open.
        dirty_from: The first position of a branch or switch since the last save; for the store.
        owner: The id of the user whose thread it is; empty without sign-in.
        options: What this thread's requests change of the settings, in all branches.
    """

    id: str = ""
    messages: list[Message] = field(default_factory=list)
    backend_state: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    version: int = 0
    branches: Branches = field(default_factory=dict)
    dirty_from: int | None = None
    owner: str = ""
    options: RequestOptions = field(default_factory=RequestOptions)

    @property
    def cursor(self) -> list[int]:
        """The number of messages, and of parts in the last one: it grows with the thread."""
        return [len(self.messages), len(self.messages[-1].parts) if self.messages else 0]

    @property
    def is_unfinished(self) -> bool:
        """Whether the last answer has no ending: a run is writing it, or its process is gone."""
        return bool(self.messages) and self.messages[-1].ending is None

    @property
    def ending(self) -> Ending | None:
        """How the last answer ended; None if it has no ending, and in an empty thread."""
        return self.messages[-1].ending if self.messages else None

    @property
    def has_ended_well(self) -> bool:
        """Whether the last answer is complete, or the user's next message continues it."""
        return ended_well(self.ending)

    @property
    def is_paused(self) -> bool:
        """Whether the last answer waits for the user's decision on open calls."""
        return isinstance(self.ending, RunPaused)

    def open_calls(self) -> list[Call]:
        """Return the calls without a result, after a pause, a stop or a crash.

        Each needs a result before the next request, which a server refuses otherwise with "No tool output
        found for function call …".
        """
        return [call for message in self.messages for call in message.open_calls]

    def add_result(self, result: ToolResult) -> None:
        """Add the result of an open call, in whichever message it is."""
        for message in self.messages:
            if any(call.call_id == result.call_id for call in message.open_calls):
                message.add_result(result)
                return

    def branch_at(self, position: int) -> tuple[int, int]:
        """Return the number of the open branch at this position, from 0, and how many branches there are."""
        others = self.branches.get(position, {})
        return next(number for number in range(len(others) + 1) if number not in others), len(others) + 1

    def branch(self, position: int) -> None:
        """Start a new, empty branch at this position; the open one is kept.

        The new branch has no backend state, so the backend sends the messages before it to the server again.
        """
        number, _ = self.branch_at(position)
        self.branches.setdefault(position, {})[number] = self._detach(position)

    def switch(self, position: int, number: int) -> None:
        """Open another branch at this position, with its inner branches as they were.

        Nothing happens if the branch does not exist or is already open.
        """
        if number not in self.branches.get(position, {}):
            return
        before, _ = self.branch_at(position)
        opened = self.branches[position].pop(number)
        self.branches[position][before] = self._detach(position)
        self.messages += opened.messages
        self.backend_state, self.branches = opened.backend_state, self.branches | opened.branches

    def all_branches(self) -> Iterator["Thread"]:
        """Yield the thread, and each other branch as a thread with the same id and its own backend state."""
        yield self
        pending = [self.branches]
        for branches in pending:
            for branch in (branch for others in branches.values() for branch in others.values()):
                yield Thread(self.id, branch.messages, branch.backend_state)
                pending.append(branch.branches)

    def _detach(self, position: int) -> Branch:
        inner = {start: others for start, others in self.branches.items() if start > position}
        branch = Branch(self.messages[position:], self.backend_state, inner)
        del self.messages[position:]
        self.backend_state = {}
        self.branches = {start: others for start, others in self.branches.items() if start <= position}
        self.dirty_from = position if self.dirty_from is None else min(self.dirty_from, position)
        return branch
