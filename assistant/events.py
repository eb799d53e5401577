"""What a run says while it goes on: frozen values, in the order in which things happened.

Not here: anything about a server's protocol (``backends/``) or about drawing (``ui/``). A run says any
number of events, and then exactly one ``Ending``, which is its last.

The one rule: a new event joins ``Event``, and mypy then names every ``match`` that has to learn it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assistant.locale import UserText

Outcome = Literal["done", "failed", "timeout", "invalid", "unknown", "stopped", "denied"]
"""How a call ended: ``done``; ``failed`` (the function raised); ``timeout``; ``invalid`` (arguments it
does not take); ``unknown`` (no such function); ``stopped`` (it was never run, or nobody waited); ``denied``
(a person did not let it run)."""

StopReason = Literal[
    "person", "max_output_tokens", "content_filter", "max_rounds", "repeated_call", "unknown"
]
"""Why an answer is shorter than the model meant it to be."""


@dataclass(frozen=True, slots=True)
class ThreadOpened:
    """The server gave the thread its id."""

    thread_id: str


@dataclass(frozen=True, slots=True)
class RoundStarted:
    """A response was asked for; ``number`` counts from 1 within the run.

    ``resumed`` is true where it goes on with what a process that is gone has begun.
    """

    number: int
    resumed: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class TextBreak:
    """Another message of the same answer begins: the text that follows is a block of its own."""


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """The next piece of the model's words on why it will not answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of the model's reasoning, or of its summary."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningEnded:
    """The model went on to something else after so many ``seconds``, which take no part in equality."""

    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next piece of a call's arguments while the model is writing them."""

    call_id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A finished call of a round that ended well; ``arguments`` is the JSON text the model wrote.

    With a ``server``, it is a call of a remote server's tool, which waits for a person's leave: it is run
    there and not here, and its result says no more than whether it may be.
    """

    call_id: str
    name: str
    arguments: str
    server: str = ""


@dataclass(frozen=True, slots=True)
class CallApproved:
    """A person lets a call run; with these ``arguments``, JSON text, where they changed the model's."""

    call_id: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class CallDenied:
    """A person does not let a call run; the model reads the ``reason``, if there is one."""

    call_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """A person answers a call in the function's place; ``output`` is what the model reads."""

    call_id: str
    output: str


Decision = CallApproved | CallDenied | CallAnswered


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """How far a call is that runs, in the function's own words; ``share`` of all, 0 to 1, if it says so."""

    call_id: str
    text: str
    share: float | None = None


ViewKind = Literal["table", "chart", "map", "image", "file", "diagram"]
"""What a person is shown. A view's ``content`` is JSON for a ``table`` (its columns and rows), a ``chart`` (a
Vega-Lite specification) and a ``map`` (its points), base64 for an ``image`` and a ``file``, and a
``diagram``'s text as it is."""


@dataclass(frozen=True, slots=True)
class View:
    """Something a function made for the person to see: its kind, its name if it has one, and its content."""

    kind: ViewKind
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call: ``output`` is what the model reads.

    ``detail`` is for the person alone: the exception's own words, or the whole of an output that was
    shortened for the model; and so are the ``views``, which are not kept on a tape. ``seconds`` is the
    function's running time; it takes no part in equality.
    """

    call_id: str
    output: str
    outcome: Outcome = "done"
    detail: str = ""
    seconds: float | None = field(default=None, compare=False)
    views: tuple[View, ...] = field(default=(), metadata={"recorded": False})


HostedKind = Literal["web_search", "file_search", "code_interpreter", "image_generation", "mcp"]
"""A tool that the model's own server runs; ``mcp`` stands for those of a remote server that it asks."""


@dataclass(frozen=True, slots=True)
class HostedCall:
    """What a tool of the server's own does, or did; a later one by the same id takes its place.

    ``name`` is the remote tool's, for ``mcp``. ``asked`` is what the model wanted: queries, code, a prompt,
    arguments; ``output`` is what came of it, in words, and the ``views`` are for the person to see.
    """

    call_id: str
    kind: HostedKind
    name: str = ""
    asked: str = ""
    output: str = ""
    state: Literal["running", "done", "failed"] = "running"
    views: tuple[View, ...] = field(default=(), metadata={"recorded": False})


@dataclass(frozen=True, slots=True)
class HostedDelta:
    """The next piece of what a tool of the server's own is asked, while the model writes it."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the text just said: it is meant for what stands before its character number ``at``.

    It has a ``url``, or a ``file_id``; a file that a tool made is in a ``container``.
    """

    at: int
    title: str
    url: str = ""
    file_id: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one response, as the server counted them."""

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """A response ended well; the calls it asked for were said just before."""

    model: str = ""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A small remark to the person about the thread itself, such as "the conversation was rebuilt"."""

    text: UserText


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """The model has said all it wanted to say."""


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run waits for a person's decision on its open calls."""


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The run ended early, by the person or by a limit; what was said is kept."""

    reason: StopReason
    text: UserText


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The run ended in an error; ``text`` says to the person what happened and what to do.

    ``retry`` says whether trying again can help without anybody changing anything; ``retry_after``
    is the wait in seconds that the server asked for.
    """

    code: str
    text: UserText
    retry: bool = False
    retry_after: float | None = None


Ending = RunCompleted | RunPaused | RunStopped | RunFailed
Event = (
    ThreadOpened
    | RoundStarted
    | TextDelta
    | TextBreak
    | RefusalDelta
    | ReasoningDelta
    | ReasoningEnded
    | ToolCallDelta
    | ToolCall
    | RoundEnded
    | Decision
    | ToolProgress
    | ToolResult
    | HostedCall
    | HostedDelta
    | Citation
    | Note
    | Ending
)


class EventStream(Protocol):
    """Events one after the other, such as a run or a generator; closing it cancels what produces them."""

    def __iter__(self) -> Iterator[Event]: ...

    def __next__(self) -> Event: ...

    def close(self) -> None: ...
