"""The calls of a run along its tape: who asked for them, who answered them, and who still waits.

Not here: one answer by itself (``check.py``), or how a protocol says things (``streams.py``).

The one rule: a request that carries all that came before is judged by itself; one to a server that remembers
is judged by what is known, and what may have been asked for in an earlier run is not held against it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.recordings.recording import Entry
from assistant.recordings.streams import calls_in, get, outputs_in, rows, text


@dataclass(slots=True)
class Round:
    """What came of one request, by positions on the tape."""

    protocol: str = ""
    well: set[int] = field(default_factory=set)  # where it, or a part of it, ended well
    calls: dict[str, int] = field(default_factory=dict)  # a call's id -> where it was asked for


class Course:
    """How far the calls of a run have come; is told of every entry in turn."""

    def __init__(self, rounds: Mapping[int, Round], find: Callable[[int, Any, str], None]) -> None:
        self._rounds = rounds
        self._find = find
        self._known: set[str] = set()  # every call that anybody has told of
        self._open: set[str] = set()  # calls of finished responses that wait for their output
        self._sent: dict[int, list[str]] = {}  # exchange -> the outputs that only it carries
        self._taken: set[str] = set()  # the outputs that the server has taken
        self._status: dict[int, Any] = {}
        self._last = Round()  # the newest that asked the model
        self._finished = False  # whether any response has ended well, or has asked for anything

    def take(self, position: int, entry: Entry) -> None:
        """Judge an entry."""
        came = self._rounds.get(entry.exchange, _NONE)
        match entry.kind:
            case "request":
                self._request(position, entry, came)
            case "response":
                self._status[entry.exchange] = entry.what.get("status")
            case "body":
                # What the server tells of itself is known as well: a conversation's items, a whole response.
                for name in ("data", "output", "required_actions"):
                    self._known |= set(calls_in(get(entry.what.get("body"), name)))
            case "end" if not came.protocol and self._status.get(entry.exchange) in (200, 201, 202):
                self._taken |= set(self._sent.pop(entry.exchange, []))
            case "run":
                self._said(position, entry.what)
        if position in came.well:
            self._finished = True
            self._taken |= set(self._sent.pop(entry.exchange, []))
        for call in [call for call, since in came.calls.items() if since == position]:
            if came.protocol != "agents" or call not in self._known:  # its server may list a call again
                self._open.add(call)
                self._taken.discard(call)  # a careless server has one id for all its calls
            self._known.add(call)
            self._finished = True

    def _request(self, position: int, entry: Entry, came: Round) -> None:
        asked = _Asked(entry)
        self._known |= set(asked.calls)
        for call, times in Counter(asked.outputs).items():
            if times > max(1, asked.calls.count(call)):
                self._find(position, "answered", f"The call {call} is answered {times} times.")
            elif not asked.whole and call in self._taken:
                self._find(position, "answered", f"The call {call} was answered before.")
            if call not in self._known and (asked.whole or self._finished):
                self._find(position, "orphan", f"There is an output for {call}, a call that nobody made.")
        owed = self._open | set(asked.calls if asked.whole else []) if asked.asks else set()
        for call in sorted(owed - set(asked.outputs)):
            self._find(position, "answered", f"The call {call} is not answered.")
        self._open -= {*asked.outputs, *owed}
        if asked.cancels:
            self._open.clear()
        if not asked.whole:
            self._sent[entry.exchange] = asked.outputs
        if asked.asks or came.protocol:
            self._last = came

    def _said(self, position: int, what: dict[str, Any]) -> None:
        """Judge what our own loop said."""
        event, call = text(what.get("event")), text(what.get("call_id"))
        if event in ("ToolCall", "ToolResult") and self._last.protocol:
            well = any(each < position for each in self._last.well)
            if not well and not (self._last.protocol == "agents" and call in self._known):
                self._find(position, "functions", f"{event} of {call}, though no round has ended well.")
        if event == "RunCompleted":
            for call in sorted(self._open):
                self._find(position, "answered", f"The run is complete, and the call {call} is not answered.")
            self._open.clear()


_NONE = Round()


class _Asked:
    """What a request says: ``whole`` if it carries all that came before, ``asks`` if it asks the model."""

    def __init__(self, entry: Entry) -> None:
        path = text(entry.what.get("url")).partition("?")[0]
        body = entry.what.get("body")
        self.calls: list[str] = []
        self.outputs: list[str] = []
        self.asks = self.whole = self.cancels = False
        if entry.what.get("method") != "POST":
            return
        match path.rpartition("/")[2]:
            case "responses":
                self._items(get(body, "input"))
                self.asks = True
                self.whole = not get(body, "conversation") and not get(body, "previous_response_id")
            case "conversations" | "items":
                self._items(get(body, "items"))
            case "completions":
                for message in rows(get(body, "messages")):
                    self.calls += [text(get(each, "id")) for each in rows(message.get("tool_calls"))]
                    if message.get("role") == "tool":
                        self.outputs.append(text(message.get("tool_call_id")))
                self.asks = self.whole = True
            case "submit_tool_outputs" | "runs":
                self.outputs = [text(get(each, "tool_call_id")) for each in rows(get(body, "tool_outputs"))]
                self.asks = True
            case "events":
                for event in rows(get(body, "events")):
                    kind = text(event.get("type"))
                    self.outputs += [text(event.get("call_id"))] if kind.endswith(".tool_result") else []
                    self.cancels |= kind.endswith(".cancel")
            case "cancel":
                self.cancels = True
        # Where a server gives no ids, there is nothing to go by.
        self.calls, self.outputs = list(filter(None, self.calls)), list(filter(None, self.outputs))

    def _items(self, items: Any) -> None:
        self.calls, self.outputs = calls_in(items), outputs_in(items)
