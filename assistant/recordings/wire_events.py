"""What a wire event tells, in the same types for all four protocols.

``WireReader`` reads them; everything else that looks into a recording matches on them.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from assistant.recordings.requests import Protocol

Speech = Literal["text", "reasoning", "arguments"]


@dataclass(frozen=True, slots=True)
class ItemStarted:
    """An item of an answer began; ``name`` is the function's, for a call."""

    speech: Speech
    item: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class TextPiece:
    """The next piece of a text.

    ``key`` identifies the text within its response; ``speech`` is None for other texts, such as transcripts.
    """

    key: Hashable
    speech: Speech | None
    item: str
    text: str


@dataclass(frozen=True, slots=True)
class TextDone:
    """A text is complete; ``text`` is the whole of it, where the event repeats it."""

    key: Hashable
    speech: Speech | None
    item: str
    text: str | None


@dataclass(frozen=True, slots=True)
class ItemDone:
    """An item of an answer is complete."""

    speech: Speech
    item: str


@dataclass(frozen=True, slots=True)
class CallRequested:
    """The model calls a function."""

    call_id: str


@dataclass(frozen=True, slots=True)
class BackgroundCall:
    """The model calls a function and goes on; any later request may answer it."""

    call_id: str


@dataclass(frozen=True, slots=True)
class CallListed:
    """The server lists a call that it knows, in a body."""

    call_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The response, turn or choice ended; an ``is_error`` ending may be repeated by a second one."""

    ended_well: bool
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """Something failed on the server; ``type`` is the event's type."""

    type: str


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens as the server counted them.

    ``cached`` and ``written`` (to the cache) are parts of ``input``, ``reasoning`` is part of ``output``.
    """

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class TokensCounted:
    """The server counted the tokens of a response; ``tier`` is its processing tier, "" for the default."""

    response_id: str
    model: str
    tier: str
    tokens: Tokens


@dataclass(frozen=True, slots=True)
class AgentModel:
    """The server names the model of a session's agent."""

    model: str


SpeechPart = ItemStarted | TextPiece | TextDone | ItemDone
WirePart = (
    SpeechPart | CallRequested | BackgroundCall | CallListed | Ended | Failed | TokensCounted | AgentModel
)


@dataclass(frozen=True, slots=True)
class EventSummary:
    """What one entry tells.

    ``scope`` is what ends on its own within the stream: a turn or a choice; "" for the whole of it.
    ``may_follow_end`` tells that the event may come after the end of its scope.
    """

    parts: tuple[WirePart, ...] = ()
    scope: Hashable = ""
    may_follow_end: bool = False
    protocol: Protocol = ""

    @property
    def speech(self) -> list[SpeechPart]:
        """The parts that belong to what the model says."""
        return [part for part in self.parts if isinstance(part, SpeechPart) and part.speech]
