"""Draws a tape as a sequence diagram: who told whom what, in the language of Mermaid (https://mermaid.js.org).

Not here: how long things took (``measure.py``), or whether they were right (``check.py``).

The one rule: whatever a model, a server or a function said is written so that it cannot be read as Mermaid.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

from assistant.recordings.pieces import Piece, Speech, kind_of, pieces_of
from assistant.recordings.recording import Entry, Recording
from assistant.recordings.streams import get, text
from assistant.transports.replay import prompt_of

WORDS = 48
"""Characters shown of what was said."""

WIDTH = 18
"""Characters of a line. Mermaid itself would break lines in the middle of a character."""

MOST_STEPS = 150
"""Steps drawn: longer ones are more than a person, or Mermaid, wants to look at."""

_HEAD = """\
---
config:
  sequence:
    width: 100
    actorMargin: 40
    messageMargin: 26
    boxMargin: 6
    messageFontSize: 14
    mirrorActors: false
---
sequenceDiagram
participant Person
participant App as Page
"""

_SYNTAX = frozenset("#;<>&%$\\`")


def as_mermaid(recording: Recording) -> str:
    """The sequence diagram of a tape, as far as it goes; calls of one round stand side by side."""
    course = _Course(prompt_of(recording))
    for entry in recording.entries():
        course.take(entry)
    lines = [line for step in course.steps[:MOST_STEPS] for line in step.lines()]
    if (more := len(course.steps) - MOST_STEPS) > 0:
        lines.append(f"Note over App: {_safe(f'and {more} more')}")
    head = [f"participant Server as {_name(course.host) or 'Server'}"]
    head += ["participant Functions"] if any(isinstance(step, _Calls) for step in course.steps) else []
    return _HEAD + "\n".join([*head, *lines]) + "\n"


@dataclass(slots=True)
class _Arrow:
    """Somebody tells somebody something, or answers."""

    way: str
    words: str
    quoted: bool = False  # whether the words are somebody's own

    def lines(self) -> Iterator[str]:
        words = " ".join(self.words.split())
        words = words if len(words) <= WORDS else words[: WORDS - 1] + "…"
        broken = wrap(f"“{words}”" if self.quoted else words, WIDTH) or ["…"]
        yield f"{self.way}: {'<br/>'.join(map(_safe, broken))}"


@dataclass(slots=True)
class _Note:
    words: str

    def lines(self) -> Iterator[str]:
        yield f"Note over App,Server: {_safe(self.words)}"


@dataclass(slots=True)
class _Calls:
    """The calls of one round: their ids, and what is told to their functions and by them."""

    ids: list[str] = field(default_factory=list)
    arrows: list[list[_Arrow]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        if len(self.arrows) == 1:
            yield from _indented(self.arrows[0], "")
            return
        for number, arrows in enumerate(self.arrows):
            yield f"{'and' if number else 'par'} {_safe(arrows[0].words.partition('(')[0])}"
            yield from _indented(arrows, "  ")
        yield "end"


class _Course:
    """The steps of a run, as its entries come."""

    def __init__(self, prompt: str) -> None:
        self.host = ""
        self.steps: list[_Arrow | _Note | _Calls] = []
        self._texts: dict[tuple[int, Speech, str], _Arrow] = {}
        self._calls: _Calls | None = None  # of this round
        if prompt:
            self._tell("Person->>App", prompt, quoted=True)

    def take(self, entry: Entry) -> None:
        what = entry.what
        match entry.kind:
            case "request":
                url = text(what.get("url")).partition("?")[0]
                host, slash, path = url.rpartition("://")[2].partition("/")
                self.host = self.host or host
                self._tell("App->>Server", f"{text(what.get('method'))} {slash}{path}")
            case "response" if what.get("type") != "text/event-stream" or what.get("status") != 200:
                self._tell("Server-->>App", text(what.get("status")))
            case "event":
                for piece in pieces_of(entry):
                    self._piece(entry, piece)
                if kind_of(entry).endswith((".failed", ".incomplete", "error", ".cancelled", ".expired")):
                    self._tell("Server--xApp", kind_of(entry))
            case "end" if what.get("how") == "lost":
                self._tell("Server--xApp", text(what.get("text")) or "The connection was lost.")
            case "run":
                self._own(what)

    def _tell(self, way: str, words: str, quoted: bool = False) -> _Arrow:
        arrow = _Arrow(way, words, quoted)
        self.steps.append(arrow)
        return arrow

    def _piece(self, entry: Entry, piece: Piece) -> None:
        place = entry.exchange, piece.speech, piece.item
        arrow = self._texts.get(place)
        if arrow is None or (piece.name and arrow.words):
            arrow = self._tell("Server-->>App", "", piece.speech == "text")
            self._texts[place] = arrow
            if piece.speech == "arguments":
                arrow.words = f"calls {piece.name or '…'}"
            elif piece.speech == "reasoning":
                arrow.words = "reasons"
        if piece.speech == "text" and len(arrow.words) <= WORDS:
            arrow.words += piece.text[: 2 * WORDS]

    def _own(self, what: dict[str, Any]) -> None:
        event, call_id = text(what.get("event")), text(what.get("call_id"))
        match event:
            case "RoundStarted":
                self._calls = None
                self.steps.append(_Note(f"Round {text(what.get('number'))}"))
            case "ToolCall":
                if self._calls is None:
                    self._calls = _Calls()
                    self.steps.append(self._calls)
                words = f"{text(what.get('name'))}({text(what.get('arguments'))})"
                self._calls.ids.append(call_id)
                self._calls.arrows.append([_Arrow("App->>Functions", words)])
            case "ToolResult":
                outcome, output = text(what.get("outcome")), text(what.get("output"))
                words = output if outcome == "done" else f"{outcome}, {output}"
                self._result(call_id, _Arrow("Functions-->>App", words))
            case "CallApproved" | "CallDenied" | "CallAnswered":
                self._tell("Person->>App", event.removeprefix("Call").lower())
            case "RunCompleted":
                self._tell("App-->>Person", "the answer")
            case "RunPaused":
                self._tell("App-->>Person", "asks for a decision")
            case "RunStopped" | "RunFailed" | "RunClosed":
                self._tell("App--xPerson", text(get(what, "text")) or "stopped")

    def _result(self, call_id: str, arrow: _Arrow) -> None:
        if self._calls is None:  # it was asked for in an earlier run, which waited for a person
            self.steps.append(_Calls([call_id], [[arrow]]))
            return
        open_ones = [
            number
            for number, each in enumerate(self._calls.ids)
            if each == call_id and len(self._calls.arrows[number]) == 1
        ]
        if open_ones:
            self._calls.arrows[open_ones[0]].append(arrow)
        else:
            self._calls.ids.append(call_id)
            self._calls.arrows.append([arrow])


def _indented(arrows: list[_Arrow], by: str) -> Iterator[str]:
    return (by + line for arrow in arrows for line in arrow.lines())


def _safe(words: str) -> str:
    """Words as the text of a step: what ends one, or is markup, is written by its number."""
    shown = (each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(words.split()))
    written = "".join(f"#{ord(each)};" if each in _SYNTAX else each for each in shown)
    return written.replace("wrap:", "wrap#58;")  # which would be an order at the beginning of a text


def _name(words: str) -> str:
    """Words as the name of a participant, in which more is syntax."""
    words = words.encode("ascii", "replace").decode()[:40]
    return "".join(each if each.isalnum() or each in ".-_" else f"#{ord(each)};" for each in words)
