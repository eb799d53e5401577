"""A thread: an id, the messages so far, its other branches, and what a backend remembers about it.

Not here: keeping threads beyond the process (a store does that) or talking to a server.

The one rule: our transcript is the truth. A backend reconciles the server's memory to it; so each branch has
notes of its own, and what a server keeps of one branch is never added to by another.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from assistant.events import RunPaused, ToolResult
from assistant.messages import Call, Message


def unguessable_id(kind: str = "thread") -> str:
    """An id for a thread, or for something else, that no server names."""
    return f"{kind}_{secrets.token_hex(16)}"


Branches = dict[int, dict[int, "Branch"]]
"""The ways on that are not open: by the position of the message where they begin, and by their number."""


@dataclass(slots=True)
class Branch:
    """One way on that is not open: its messages, the backend's notes, and the branches inside of it.

    The positions inside are those of the thread, as if this branch were open.
    """

    messages: list[Message]
    backend_state: dict[str, Any] = field(default_factory=dict)
    branches: Branches = field(default_factory=dict)


@dataclass(slots=True, weakref_slot=True, eq=False)
class Thread:
    """One conversation.

    Attributes:
        id: What the address of the page names; empty until the server has given one.
        messages: Everything that was said on the open branch, oldest first.
        title: What it is called, where a person or an import gave it a name.
        backend_state: The backend's own notes and items, JSON-able, read and written by that backend alone.
        version: How often it had been kept when it was last written or read here; a store's business.
        branches: What else was said, in branches that can be opened.
        moved: The first position at which it has branched or switched since it was kept; a store's business.
        owner: The id of the person whose thread it is; empty where nobody signs in.
    """

    id: str = ""
    messages: list[Message] = field(default_factory=list)
    backend_state: dict[str, Any] = field(default_factory=dict)
    title: str = ""
    version: int = 0
    branches: Branches = field(default_factory=dict)
    dirty_from: int | None = None
    owner: str = ""

    @property
    def cursor(self) -> list[int]:
        """How far the thread goes: the number of its messages, and of the parts of the last of them."""
        return [len(self.messages), len(self.messages[-1].parts) if self.messages else 0]

    @property
    def is_unfinished(self) -> bool:
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

    def choice(self, position: int) -> tuple[int, int]:
        """Which of the ways on at this position is open, counted from 0, and how many there are."""
        others = self.branches.get(position, {})
        return next(number for number in range(len(others) + 1) if number not in others), len(others) + 1

    def branch(self, position: int) -> None:
        """Put aside what was said from this position on: the thread goes on before it, in a new branch.

        The backend has no notes about that one yet, so its server is told anew what was said before.
        """
        number, _ = self.choice(position)
        self.branches.setdefault(position, {})[number] = self._put_aside(position)

    def switch(self, position: int, number: int) -> None:
        """Open another of the branches that begin at this position, and put the open one aside.

        It is as it was when it was last open, with its own branches. Nothing happens if there is none by
        this number, or if it is the one that is open.
        """
        if number not in self.branches.get(position, {}):
            return
        before, _ = self.choice(position)
        opened = self.branches[position].pop(number)
        self.branches[position][before] = self._put_aside(position)
        self.messages += opened.messages
        self.backend_state, self.branches = opened.backend_state, self.branches | opened.branches

    def each_branch(self) -> Iterator["Thread"]:
        """The thread, and what a backend needs to know of it as it would be in each of its other branches."""
        yield self
        waiting = [self.branches]
        for branches in waiting:
            for branch in (branch for others in branches.values() for branch in others.values()):
                yield Thread(self.id, branch.messages, branch.backend_state)
                waiting.append(branch.branches)

    def _put_aside(self, position: int) -> Branch:
        later = {each: others for each, others in self.branches.items() if each > position}
        aside = Branch(self.messages[position:], self.backend_state, later)
        del self.messages[position:]
        self.backend_state = {}
        self.branches = {each: others for each, others in self.branches.items() if each <= position}
        self.dirty_from = position if self.dirty_from is None else min(self.dirty_from, position)
        return aside
