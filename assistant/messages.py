"""Messages: history is a fold of events.

``Message.add`` folds an event in, and ``Message.events`` returns events that produce the message, so that
stored and live answers are drawn by the same code. The items of a server are in ``Thread.backend_state``.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import Annotated, Literal, cast

from assistant.events import (
    CallAnswered,
    CallApproved,
    CallDenied,
    Citation,
    CommentaryDelta,
    Ending,
    Event,
    FormatRequested,
    HostedCall,
    HostedDelta,
    Note,
    ReasoningDelta,
    ReasoningEnded,
    RefusalDelta,
    RetryScheduled,
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
    Usage,
)
from assistant.parts import Attachment, Call, Commentary, Part, Reasoning, Refusal, Remark, Text
from assistant.tagged_union import TaggedUnion
from assistant.texts import replace_unsendable


@dataclass(frozen=True, slots=True)
class RunStats:
    """What an answer used in all its responses; what is unknown is None, never 0.

    ``rounds`` is the number of responses; ``seconds`` is the time without waiting for the user. ``retries`` is
    how often a request was sent again after it had failed.
    """

    model: str = ""
    rounds: int = 0
    usage: Usage | None = None
    seconds: float | None = None
    retries: int = 0

    def with_response(self, model: str, usage: Usage | None) -> "RunStats":
        """Return the statistics with one more response."""
        before = self.usage
        if usage is not None and before is not None:
            usage = Usage(
                before.input + usage.input,
                before.cached + usage.cached,
                before.output + usage.output,
                before.reasoning + usage.reasoning,
                before.cache_written + usage.cache_written,
            )
        return replace(self, model=model or self.model, rounds=self.rounds + 1, usage=usage or before)

    def with_seconds(self, seconds: float) -> "RunStats":
        """Return the statistics with more time."""
        return replace(self, seconds=(self.seconds or 0.0) + seconds)


@dataclass(frozen=True, slots=True)
class Feedback:
    """The user's rating of an answer."""

    good: bool
    comment: str = ""


@dataclass(slots=True)
class Message:
    """A message of the user, or an answer with the parts of all its rounds.

    ``format`` is the format that was requested of an answer, if it is not plain text.
    Comparisons ignore ``stats`` and ``feedback``, which are about the message.
    """

    role: Literal["user", "assistant"]
    parts: list[Annotated[Part, TaggedUnion]] = field(default_factory=list)
    ending: Annotated[Ending, TaggedUnion] | None = None
    stats: RunStats = field(default=RunStats(), compare=False)
    feedback: Feedback | None = field(default=None, compare=False)
    format: FormatRequested | None = None
    _round: int = field(default=0, repr=False, compare=False)
    _break: bool = field(default=False, repr=False, compare=False)

    @classmethod
    def from_user(cls, text: str, attachments: Iterable[Attachment] = ()) -> "Message":
        """Return a message of the user; characters that cannot be sent become ``\ufffd``."""
        return cls("user", [Text(replace_unsendable(text)), *attachments], RunCompleted())

    @property
    def text(self) -> str:
        """The text of the message; blank lines separate its blocks."""
        return "\n\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def attachments(self) -> list[Attachment]:
        """The files and images that the user attached."""
        return [part for part in self.parts if isinstance(part, Attachment)]

    @property
    def calls(self) -> list[Call]:
        """The calls of rounds that ended well, and those in the background, in the model's order."""
        return [part for part in self.parts if isinstance(part, Call) and part.complete]

    @property
    def open_calls(self) -> list[Call]:
        """The calls that have no result yet."""
        return [call for call in self.calls if call.result is None]

    @property
    def undecided_calls(self) -> list[Call]:
        """The open calls that wait for the user's decision; those in the background do not."""
        return [call for call in self.open_calls if not call.background]

    @property
    def unfinished_parts(self) -> list[Part]:
        """The parts after the last complete call: those of the last round, unless it made calls.

        Calls in the background do not end a round.
        """
        calls = [
            index
            for index, part in enumerate(self.parts)
            if isinstance(part, Call) and part.complete and not part.background
        ]
        return self.parts[calls[-1] + 1 :] if calls else self.parts[:]

    @property
    def is_empty(self) -> bool:
        """Whether this is an answer without content."""
        return self.role == "assistant" and not self.parts

    def add(self, event: Event) -> None:
        """Fold one event in; events after the ending are ignored."""
        if self.ending is not None:
            return
        match event:
            case TextDelta(text):
                self._append_text(Text(text, self._round))
            case RefusalDelta(text):
                self._append_text(Refusal(text, self._round))
            case CommentaryDelta(text):
                self._append_text(Commentary(text, self._round))
            case ReasoningDelta(text):
                self._append_text(Reasoning(text))
            case ReasoningEnded(seconds):
                self._time_reasoning(seconds)
            case TextBreak():
                self._break = True
            case ToolCallDelta(call_id, name, text):
                draft = self._find_call(call_id)
                if draft is None or draft.round != self._round:
                    draft = Call(call_id, name, "", self._round, complete=False)
                self._put_call(replace(draft, arguments=draft.arguments + text))
            case ToolCall(call_id, name, arguments, server, background, program):
                new = Call(call_id, name, arguments, self._round)
                self._put_call(replace(new, server=server, background=background, program=program))
            case CallApproved(call_id) | CallDenied(call_id) | CallAnswered(call_id):
                call = self._find_call(call_id)
                if call is not None and call.complete and call.result is None:
                    self._put_call(replace(call, decision=event))
            case ToolResult():
                self.add_result(event)
            case HostedCall():
                self.add_hosted(event)
            case HostedDelta(call_id, text):
                if (running := self._find_running(call_id)) is not None:
                    index, call_so_far = running
                    self.parts[index] = replace(call_so_far, input=call_so_far.input + text)
            case Citation():
                self.parts.append(event)
            case RoundStarted(number, resumed):
                self._round, self._break = number, not resumed
            case FormatRequested():
                self.format = event
            case RoundEnded(model, usage):
                self.stats = self.stats.with_response(model, usage)
                # A draft that is not among the round's complete calls was abandoned by the model.
                self.parts = [p for p in self.parts if not isinstance(p, Call) or p.complete]
            case RetryScheduled():
                self.stats = replace(self.stats, retries=self.stats.retries + 1)
            case Note(text):
                self.parts.append(Remark(text))
            case ThreadOpened() | ToolProgress():
                pass
            case RunCompleted() | RunPaused() | RunStopped() | RunFailed():
                self.ending = event

    def add_result(self, result: ToolResult) -> None:
        """Add the result of a call, even after the message has ended; a second result is ignored."""
        call = self._find_call(result.call_id)
        if call is not None and call.complete and call.result is None:
            self._put_call(replace(call, result=result))

    def add_hosted(self, call: HostedCall) -> None:
        """Add a hosted call, or replace it while it is running, even after the message has ended."""
        if (running := self._find_running(call.call_id)) is None:
            self.parts.append(call)
        else:
            index, before = running
            self.parts[index] = replace(call, input=call.input or before.input)

    def events(self) -> Iterator[Event]:
        """Yield events that fold into this message."""
        before: Part | None = None
        round_number = 0
        if self.format is not None:
            yield self.format
        for index, part in enumerate(self.parts):
            if isinstance(part, Citation):
                continue  # yielded with the text before it
            if isinstance(part, Text | Refusal | Commentary | Reasoning) and type(part) is type(before):
                yield TextBreak()
            starts = isinstance(part, Call) and part.round != round_number
            # The text after a call belongs to the call's round, unless it has a later one.
            continues = isinstance(part, Text | Refusal | Commentary) and part.round > round_number > 0
            if isinstance(part, Text | Refusal | Commentary | Call) and (starts or continues):
                round_number = part.round
                yield RoundStarted(round_number)
            match part:
                case Text(text):
                    next_parts = (self.parts[later] for later in range(index + 1, len(self.parts)))
                    yield from _text_events(text, next_parts)
                case Refusal(text):
                    yield RefusalDelta(text)
                case Commentary(text):
                    yield CommentaryDelta(text)
                case Reasoning(text, seconds):
                    yield ReasoningDelta(text)
                    if seconds is not None:
                        yield ReasoningEnded(seconds)
                case Remark(text):
                    yield Note(text)
                case HostedCall():
                    yield part
                case Call(
                    call_id, name, arguments, _, complete, result, decision, server, background, program
                ):
                    if complete:
                        yield ToolCall(call_id, name, arguments, server, background, program)
                    else:
                        yield ToolCallDelta(call_id, name, arguments)
                    if decision is not None:
                        yield decision
                    if result is not None:
                        yield result
            before = part
        if self.ending is not None:
            yield self.ending

    def _append_text(self, new: Text | Refusal | Commentary | Reasoning) -> None:
        index = len(self.parts) - 1
        while index >= 0 and isinstance(new, Text) and isinstance(self.parts[index], Citation):
            index -= 1  # the text continues after its sources
        last = self.parts[index] if index >= 0 else None
        if isinstance(last, type(new)) and not self._break:
            self.parts[index] = replace(last, text=last.text + new.text)
        else:
            self.parts.append(new)
        self._break = False

    def _time_reasoning(self, seconds: float) -> None:
        """Set the time of the newest reasoning, which may not be the last part."""
        for index in range(len(self.parts) - 1, -1, -1):
            part = self.parts[index]
            if isinstance(part, Reasoning):
                self.parts[index] = replace(part, seconds=seconds)
                return

    def _find_call(self, call_id: str) -> Call | None:
        """Return the newest call with this id; a server may repeat an id in a later round."""
        for part in reversed(self.parts):
            if isinstance(part, Call) and part.call_id == call_id:
                return part
        return None

    def _find_running(self, call_id: str) -> tuple[int, HostedCall] | None:
        """Return the newest hosted call with this id and its index if it is running."""
        for index in range(len(self.parts) - 1, -1, -1):
            part = self.parts[index]
            if isinstance(part, HostedCall) and part.call_id == call_id:
                return (index, part) if part.state == "running" else None
        return None

    def _put_call(self, call: Call) -> None:
        """Replace the call with this id in the same round, or append it."""
        for index in range(len(self.parts) - 1, -1, -1):
            part = self.parts[index]
            if isinstance(part, Call) and part.call_id == call.call_id and part.round == call.round:
                self.parts[index] = call
                return
        self.parts.append(call)


def _text_events(text: str, next_parts: Iterable[Part]) -> Iterator[Event]:
    """Yield a text with its sources, the citations at the start of ``next_parts``, at their positions."""
    position = 0
    citations = list(takewhile(lambda part: isinstance(part, Citation), next_parts))
    for citation in sorted(cast("list[Citation]", citations), key=lambda citation: citation.at):
        at = min(max(position, citation.at), len(text))
        if at > position:
            yield TextDelta(text[position:at])
        position = at
        yield citation
    if text[position:] or not position:
        yield TextDelta(text[position:])
