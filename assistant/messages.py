"""Messages and their parts: what a thread remembers of who said what.

Not here: a server's items (a backend keeps those in ``Thread.backend_state``) or anything about drawing.

The one rule: history is a fold of events. ``Message.add`` folds an event in, and ``Message.events`` says
the message again as events, so that a stored answer and a live one are drawn by the same code.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Annotated, Literal, cast

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    Decision,
    Ending,
    Event,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextBreak,
    TextDelta,
    ThreadOpened,
    ToolCall,
    ToolCallDelta,
    ToolProgress,
    ToolResult,
)
from assistant.run_stats import RunStats
from assistant.tagged_union import TaggedUnion


@dataclass(frozen=True, slots=True)
class Text:
    """Markdown, as the person typed it or the model wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The model's words on why it will not answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the model showed of its reasoning, and how long it took; that takes no part in equality."""

    text: str
    seconds: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Remark:
    """A note to the person about the thread itself."""

    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Attachment:
    """An image or a file that a person put beside their words; ``data`` is its bytes in base64.

    ``media_type`` is found from the bytes, see ``uploads.py``.
    """

    name: str
    media_type: str
    data: str

    def __repr__(self) -> str:
        return f"Attachment({self.name!r}, {self.media_type!r}, {len(self.data)} characters)"

    @property
    def is_image(self) -> bool:
        """Whether it can be seen."""
        return self.media_type.startswith("image/")

    @property
    def is_text(self) -> bool:
        """Whether any model can read it, as a part of the message."""
        return self.media_type == "text/plain"

    @property
    def content(self) -> bytes:
        """Its bytes."""
        return base64.b64decode(self.data)

    @property
    def url(self) -> str:
        """All of it, as a data URL (RFC 2397)."""
        return f"data:{self.media_type};base64,{self.data}"

    @property
    def digest(self) -> str:
        """A short name for these very bytes."""
        return hashlib.sha256(self.data.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Call:
    """A function call and, once there is one, its result.

    ``asked`` is false while the model is still writing it, and stays so if the round never ended well:
    such a call was never run and is unknown to the server. ``arguments`` are the model's, also where the
    ``decision`` of a person, if one was asked for, has others. With a ``server`` it is a remote server's.
    """

    call_id: str
    name: str
    arguments: str
    round: int
    asked: bool = True
    result: ToolResult | None = None
    decision: Annotated[Decision, TaggedUnion] | None = None
    server: str = field(default="", metadata={"sparse": True})


# Halves of surrogate pairs have no UTF-8; control characters, NUL above all, break servers and databases.
UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")

Part = Text | Attachment | Refusal | Reasoning | Remark | Call | HostedCall | Citation


@dataclass(frozen=True, slots=True)
class Feedback:
    """The user's rating of an answer."""

    good: bool
    comment: str = ""


@dataclass(slots=True)
class Message:
    """One side's turn: a person's text, or everything an answer was made of, over all its rounds.

    ``stats`` and ``feedback`` are about the message, not part of it; they are ignored in comparisons.
    """

    role: Literal["user", "assistant"]
    parts: list[Annotated[Part, TaggedUnion]] = field(default_factory=list)
    ending: Annotated[Ending, TaggedUnion] | None = None
    stats: RunStats = field(default=RunStats(), compare=False)
    feedback: Feedback | None = field(default=None, compare=False)
    _round: int = field(default=0, repr=False, compare=False)
    _break: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def from_user(cls, text: str, attachments: Iterable[Attachment] = ()) -> "Message":
        """The message of a person who typed this text; what cannot be sent is replaced by ``\ufffd``."""
        return cls("user", [Text(UNSENDABLE.sub("\ufffd", text)), *attachments], RunCompleted())

    @property
    def text(self) -> str:
        """All of the message's text, its blocks separated by a blank line."""
        return "\n\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def attachments(self) -> list[Attachment]:
        """What the person put beside the text."""
        return [part for part in self.parts if isinstance(part, Attachment)]

    @property
    def calls(self) -> list[Call]:
        """The calls of rounds that ended well, in the order in which they were asked."""
        return [part for part in self.parts if isinstance(part, Call) and part.asked]

    @property
    def open_calls(self) -> list[Call]:
        """The calls that have no result yet."""
        return [call for call in self.calls if call.result is None]

    @property
    def unfinished(self) -> list[Part]:
        """What was said in the last round, if that asked for nothing yet."""
        asked = [index for index, part in enumerate(self.parts) if isinstance(part, Call) and part.asked]
        return self.parts[asked[-1] + 1 :] if asked else self.parts[:]

    @property
    def is_empty(self) -> bool:
        """Whether an answer ended before it said anything."""
        return self.role == "assistant" and not self.parts

    def add(self, event: Event) -> None:
        """Fold one event in; whatever comes after the ending is ignored."""
        if self.ending is not None:
            return
        match event:
            case TextDelta(text):
                self._grow(Text, text)
            case RefusalDelta(text):
                self._grow(Refusal, text)
            case ReasoningDelta(text):
                self._grow(Reasoning, text)
            case ReasoningEnded(seconds):
                self._time_reasoning(seconds)
            case TextBreak():
                self._break = True
            case ToolCallDelta(call_id, name, text):
                draft = self._find(call_id)
                if draft is None or draft.round != self._round:
                    draft = Call(call_id, name, "", self._round, asked=False)
                self._put(replace(draft, arguments=draft.arguments + text))
            case ToolCall(call_id, name, arguments, server):
                self._put(Call(call_id, name, arguments, self._round, server=server))
            case CallApproved(call_id) | CallDenied(call_id) | CallAnswered(call_id):
                call = self._find(call_id)
                if call is not None and call.asked and call.result is None:
                    self._put(replace(call, decision=event))
            case ToolResult():
                self.answer(event)
            case HostedCall(call_id):
                if (running := self._running(call_id)) is None:
                    self.parts.append(event)
                else:
                    self.parts[running[0]] = event
            case HostedDelta(call_id, text):
                if (running := self._running(call_id)) is not None:
                    index, call_so_far = running
                    self.parts[index] = replace(call_so_far, asked=call_so_far.asked + text)
            case Citation():
                self.parts.append(event)
            case RoundStarted(number, resumed):
                self._round, self._break = number, not resumed
            case RoundEnded(model, usage):
                self.stats = self.stats.with_response(model, usage)
                # What was being written but is not among the finished calls was not meant to be asked.
                self.parts = [p for p in self.parts if not isinstance(p, Call) or p.asked]
            case Note(text):
                self.parts.append(Remark(text))
            case ThreadOpened() | ToolProgress():
                pass
            case RunCompleted() | RunPaused() | RunStopped() | RunFailed():
                self.ending = event

    def answer(self, result: ToolResult) -> None:
        """Give a call its result, also after the message has ended; a second result is ignored."""
        call = self._find(result.call_id)
        if call is not None and call.asked and call.result is None:
            self._put(replace(call, result=result))

    def events(self) -> Iterator[Event]:
        """Say the message again, as the events it could have been folded from."""
        before: Part | None = None
        round_number = 0
        for index, part in enumerate(self.parts):
            if isinstance(part, Citation):
                continue  # said with the text before it
            if isinstance(part, Text | Refusal | Reasoning) and type(part) is type(before):
                yield TextBreak()
            match part:
                case Text(text):
                    yield from _cited(text, self.parts[index + 1 :])
                case Refusal(text):
                    yield RefusalDelta(text)
                case Reasoning(text, seconds):
                    yield ReasoningDelta(text)
                    if seconds is not None:
                        yield ReasoningEnded(seconds)
                case Remark(text):
                    yield Note(text)
                case HostedCall():
                    yield part
                case Call(call_id, name, arguments, number, asked, result, decision, server):
                    if number != round_number:
                        round_number = number
                        yield RoundStarted(number)
                    if asked:
                        yield ToolCall(call_id, name, arguments, server)
                    else:
                        yield ToolCallDelta(call_id, name, arguments)
                    if decision is not None:
                        yield decision
                    if result is not None:
                        yield result
            before = part
        if self.ending is not None:
            yield self.ending

    def _grow(self, kind: type[Text] | type[Refusal] | type[Reasoning], text: str) -> None:
        index = len(self.parts) - 1
        while index >= 0 and kind is Text and isinstance(self.parts[index], Citation):
            index -= 1  # the text goes on after its sources
        last = self.parts[index] if index >= 0 else None
        if isinstance(last, kind) and not self._break:
            self.parts[index] = kind(last.text + text)
        else:
            self.parts.append(kind(text))
        self._break = False

    def _time_reasoning(self, seconds: float) -> None:
        """Note how long the newest reasoning took; something else may follow it already."""
        for index in range(len(self.parts) - 1, -1, -1):
            part = self.parts[index]
            if isinstance(part, Reasoning):
                self.parts[index] = replace(part, seconds=seconds)
                return

    def _find(self, call_id: str) -> Call | None:
        """The newest call by this id: a server may use an id again in a later round."""
        for part in reversed(self.parts):
            if isinstance(part, Call) and part.call_id == call_id:
                return part
        return None

    def _running(self, call_id: str) -> tuple[int, HostedCall] | None:
        """Where the newest hosted call by this id stands, if it goes on; a server may use an id again."""
        for index in range(len(self.parts) - 1, -1, -1):
            part = self.parts[index]
            if isinstance(part, HostedCall) and part.call_id == call_id:
                return (index, part) if part.state == "running" else None
        return None

    def _put(self, call: Call) -> None:
        """Replace the newest call by this id, or append it when it belongs to a new round."""
        for index in range(len(self.parts) - 1, -1, -1):
            part = self.parts[index]
            if isinstance(part, Call) and part.call_id == call.call_id and part.round == call.round:
                self.parts[index] = call
                return
        self.parts.append(call)


def _cited(text: str, after: list[Part]) -> Iterator[Event]:
    """A text with its sources, which stand right after it, each where it belongs."""
    said = 0
    citations = list(takewhile(lambda part: isinstance(part, Citation), after))
    for citation in sorted(cast("list[Citation]", citations), key=lambda each: each.at):
        at = min(max(said, citation.at), len(text))
        if at > said:
            yield TextDelta(text[said:at])
        said = at
        yield citation
    if text[said:] or not said:
        yield TextDelta(text[said:])
