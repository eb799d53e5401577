"""Draw a recording as a sequence diagram in the language of Mermaid (https://mermaid.js.org).

Whatever a model, a server or a function wrote is escaped, so that none of it is read as Mermaid.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from textwrap import wrap
from typing import assert_never

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    FormatRequested,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningEnded,
    RetryScheduled,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextBreak,
    ThreadOpened,
    ToolCall,
    ToolProgress,
    ToolResult,
)
from assistant.recordings.entries import (
    EndEntry,
    Entry,
    EventEntry,
    RecordedEvent,
    RecordingFull,
    RequestEntry,
    ResponseEntry,
    RunClosed,
    RunEntry,
)
from assistant.recordings.recording import Recording
from assistant.recordings.requests import prompt_of, split_url
from assistant.recordings.wire_events import Failed, ItemStarted, Speech, SpeechPart, TextPiece
from assistant.recordings.wire_reader import WireReader
from assistant.texts import shorten

MAX_TEXT_CHARS = 48
"""Maximum length of a quoted text."""

MAX_LINE_CHARS = 18
"""Maximum length of a line. Mermaid itself would break lines in the middle of a character."""

MAX_STEPS = 150
"""Maximum number of steps drawn."""

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
participant User
participant App as Page
"""

_SYNTAX = frozenset("#;<>&%$\\`")


def as_mermaid(recording: Recording) -> str:
    """Return the sequence diagram of a recording so far; calls of one round stand side by side."""
    builder = _DiagramBuilder(prompt_of(recording))
    for entry in recording.entries():
        builder.add(entry)
    lines = [line for step in builder.steps[:MAX_STEPS] for line in step.lines()]
    if (omitted := len(builder.steps) - MAX_STEPS) > 0:
        lines.append(f"Note over App: {_escape(f'and {omitted} more')}")
    head = [f"participant Server as {_escape_name(builder.host) or 'Server'}"]
    head += ["participant Functions"] if any(isinstance(step, _Calls) for step in builder.steps) else []
    return _HEAD + "\n".join([*head, *lines]) + "\n"


@dataclass(slots=True)
class _Arrow:
    """A message from one participant to another; ``direction`` is Mermaid's, such as ``App->>Server``."""

    direction: str
    text: str
    is_quoted: bool = False

    def lines(self) -> Iterator[str]:
        text = shorten(" ".join(self.text.split()), MAX_TEXT_CHARS)
        wrapped = wrap(f"“{text}”" if self.is_quoted else text, MAX_LINE_CHARS) or ["…"]
        yield f"{self.direction}: {'<br/>'.join(map(_escape, wrapped))}"


@dataclass(slots=True)
class _Note:
    text: str

    def lines(self) -> Iterator[str]:
        yield f"Note over App,Server: {_escape(self.text)}"


@dataclass(slots=True)
class _Calls:
    """The calls of one round: their ids, and the arrows to and from each function."""

    ids: list[str] = field(default_factory=list)
    arrows: list[list[_Arrow]] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        if len(self.arrows) == 1:
            yield from _indented(self.arrows[0], "")
            return
        for number, arrows in enumerate(self.arrows):
            yield f"{'and' if number else 'par'} {_escape(arrows[0].text.partition('(')[0])}"
            yield from _indented(arrows, "  ")
        yield "end"


class _DiagramBuilder:
    """Collects the steps of a run from its entries."""

    def __init__(self, prompt: str) -> None:
        self.host = ""
        self.steps: list[_Arrow | _Note | _Calls] = []
        self._reader = WireReader()
        self._texts: dict[tuple[int, Speech, str], _Arrow] = {}
        self._calls: _Calls | None = None  # of this round
        if prompt:
            self._add_arrow("User->>App", prompt, is_quoted=True)

    def add(self, entry: Entry) -> None:
        """Add an entry."""
        parts = self._reader.read(entry).parts
        match entry:
            case RequestEntry():
                host, path = split_url(entry.url)
                self.host = self.host or host
                self._add_arrow("App->>Server", f"{entry.method} {path}")
            case ResponseEntry():
                if entry.type != "text/event-stream" or entry.status != 200:
                    self._add_arrow("Server-->>App", str(entry.status))
            case EventEntry():
                for part in parts:
                    if isinstance(part, Failed):
                        self._add_arrow("Server--xApp", part.type)
                    elif isinstance(part, SpeechPart):
                        self._add_speech(entry.exchange, part)
            case EndEntry():
                if entry.how == "lost":
                    self._add_arrow("Server--xApp", entry.text or "The connection was lost.")
            case RunEntry():
                self._add_event(entry.event)

    def _add_arrow(self, direction: str, text: str, is_quoted: bool = False) -> _Arrow:
        arrow = _Arrow(direction, text, is_quoted)
        self.steps.append(arrow)
        return arrow

    def _add_speech(self, exchange: int, part: SpeechPart) -> None:
        if part.speech is None:
            return
        name = part.name if isinstance(part, ItemStarted) else ""
        arrow = self._texts.get((exchange, part.speech, part.item))
        if arrow is None or (name and arrow.text):
            arrow = self._add_arrow("Server-->>App", "", is_quoted=part.speech == "text")
            self._texts[exchange, part.speech, part.item] = arrow
            if part.speech == "arguments":
                arrow.text = f"calls {name or '…'}"
            elif part.speech == "reasoning":
                arrow.text = "reasons"
        if part.speech == "text" and isinstance(part, TextPiece) and len(arrow.text) <= MAX_TEXT_CHARS:
            arrow.text += part.text[: 2 * MAX_TEXT_CHARS]

    def _add_event(self, event: RecordedEvent) -> None:
        match event:
            case RoundStarted(number=number):
                self._calls = None
                self.steps.append(_Note(f"Round {number}"))
            case RetryScheduled(number=number, reason=reason):
                self.steps.append(_Note(f"{reason} Retry {number}"))
            case ToolCall():
                if self._calls is None:
                    self._calls = _Calls()
                    self.steps.append(self._calls)
                self._calls.ids.append(event.call_id)
                self._calls.arrows.append([_Arrow("App->>Functions", f"{event.name}({event.arguments})")])
            case ToolResult(outcome=outcome, output=output):
                text = output if outcome == "done" else f"{outcome}, {output}"
                self._add_result(event.call_id, _Arrow("Functions-->>App", text))
            case CallApproved():
                self._add_arrow("User->>App", "approved")
            case CallDenied():
                self._add_arrow("User->>App", "denied")
            case CallAnswered():
                self._add_arrow("User->>App", "answered")
            case RunCompleted():
                self._add_arrow("App-->>User", "the answer")
            case RunPaused():
                self._add_arrow("App-->>User", "asks for a decision")
            case RunStopped("steered"):
                self._add_arrow("App-->>User", "continues with the next message")
            case RunStopped() | RunFailed():
                self._add_arrow("App--xUser", event.text or "stopped")
            case RunClosed():
                self._add_arrow("App--xUser", "stopped")
            case ThreadOpened() | FormatRequested() | RoundEnded() | TextBreak() | ReasoningEnded():
                pass
            case Citation() | Note() | ToolProgress() | HostedCall() | HostedDelta() | RecordingFull():
                pass
            case _:
                assert_never(event)

    def _add_result(self, call_id: str, arrow: _Arrow) -> None:
        if self._calls is None:  # it was requested in an earlier run, which waited for the user
            self.steps.append(_Calls([call_id], [[arrow]]))
            return
        for other_id, arrows in zip(self._calls.ids, self._calls.arrows, strict=True):
            if other_id == call_id and len(arrows) == 1:
                arrows.append(arrow)
                return
        self._calls.ids.append(call_id)
        self._calls.arrows.append([arrow])


def _indented(arrows: list[_Arrow], indent: str) -> Iterator[str]:
    return (indent + line for arrow in arrows for line in arrow.lines())


def _escape(text: str) -> str:
    """Return a text for a step: what would end the step, or is markup, becomes a character code."""
    printable = (
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in " ".join(text.split())
    )
    escaped = "".join(f"#{ord(char)};" if char in _SYNTAX else char for char in printable)
    return escaped.replace("wrap:", "wrap#58;")  # a directive at the beginning of a text


def _escape_name(text: str) -> str:
    """Return a text for a participant's name, in which more characters are syntax."""
    text = text.encode("ascii", "replace").decode()[:40]
    return "".join(char if char.isalnum() or char in ".-_" else f"#{ord(char)};" for char in text)
