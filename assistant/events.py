"""The events of a run: frozen values, in the order of what happened.

A run yields any number of events and then exactly one ``Ending``, which is its last. Events know nothing of a
server's protocol or of the page. A new event joins the union ``Event``; mypy then reports every ``match``
that must handle it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from assistant.locale import N_, UserText

Outcome = Literal["done", "failed", "timeout", "invalid", "unknown", "stopped", "denied", "skipped"]
"""How a call ended: ``done``; ``failed``: the function raised; ``timeout``; ``invalid``: the arguments do not
fit the function; ``unknown``: there is no such function; ``stopped``: it was not run, or its result was not
awaited, or was lost with its process; ``denied``: the user did not allow it;
``skipped``: the user sent a new message instead of deciding."""

StopReason = Literal[
    "user",
    "max_output_tokens",
    "content_filter",
    "max_rounds",
    "repeated_call",
    "usage_limit",
    "session_ended",
    "steered",
    "unknown",
]
"""Why an answer ended early. ``steered``: the user's next message is sent with its last results and continues it."""


@dataclass(frozen=True, slots=True)
class ThreadOpened:
    """The thread has an id now."""

    thread_id: str


@dataclass(frozen=True, slots=True)
class RoundStarted:
    """A response was requested; ``number`` counts from 1 within the run.

    ``resumed``: the response continues one that another process has started.
    """

    number: int
    resumed: bool = False


CONNECTION_LOST = N_("The connection was lost.")
"""The reason of a retry whose first request may have arrived."""


@dataclass(frozen=True, slots=True)
class FormatRequested:
    """The answer was requested as JSON; ``schema`` is the text of its JSON schema, "" for any JSON object."""

    schema: str = ""


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """A request failed and is sent again in this many ``seconds``, which are ignored in comparisons.

    It is retry ``number`` of at most ``max_number`` in this round; ``reason`` is a sentence for the user.
    """

    number: int
    max_number: int
    seconds: float = field(compare=False)
    reason: UserText


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class TextBreak:
    """A new message of the same answer begins: the text that follows is a separate block."""


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """The next piece of the model's refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class CommentaryDelta:
    """The next piece of what the model says while it works, apart from its answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of the model's reasoning, or of its summary."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningEnded:
    """The model finished reasoning after this many ``seconds``, which are ignored in comparisons."""

    seconds: float = field(compare=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next piece of a call's arguments, while the model is writing them."""

    call_id: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete call; ``arguments`` is the JSON text that the model wrote.

    With a ``program``, the program with that id (a ``HostedCall``) made the call. With a ``server``, it is a call
    of a remote MCP server's tool that needs approval. It is run there, so its result here says only whether it
    may run.

    A call in the ``background`` comes in the middle of its response and runs while the model goes on.
    """

    call_id: str
    name: str
    arguments: str
    server: str = ""
    background: bool = False
    program: str = ""


@dataclass(frozen=True, slots=True)
class CallApproved:
    """The user allowed a call, with these ``arguments`` (JSON text) if they changed the model's."""

    call_id: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class CallDenied:
    """The user denied a call; the model reads the ``reason``, if any."""

    call_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CallAnswered:
    """The user provided the result of a call; ``output`` is what the model reads."""

    call_id: str
    output: str


Decision = CallApproved | CallDenied | CallAnswered


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """The progress of a running call in the function's own words; ``share`` is 0 to 1 if known."""

    call_id: str
    text: str
    share: float | None = None


ViewKind = Literal["table", "chart", "map", "image", "file", "diagram"]
"""The kinds of view. The ``content`` is JSON for a ``table`` (columns and rows), a ``chart`` (a Vega-Lite
specification) and a ``map`` (points), base64 for an ``image`` and a ``file``, and Mermaid text for a
``diagram``."""


@dataclass(frozen=True, slots=True)
class View:
    """A result for the user to see: its kind, its name if it has one, and its content."""

    kind: ViewKind
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a call; ``output`` is what the model reads.

    ``detail`` is only for the user: the exception's text, or the whole of an output that was truncated for
    the model. So are the ``views``, which are not recorded. ``seconds`` is the function's running time; it is
    ignored in comparisons.
    """

    call_id: str
    output: str
    outcome: Outcome = "done"
    detail: str = ""
    seconds: float | None = field(default=None, compare=False)
    views: tuple[View, ...] = field(default=(), metadata={"recorded": False})


HostedKind = Literal[
    "web_search",
    "file_search",
    "code_interpreter",
    "image_generation",
    "mcp",
    "program",
    "tool_search",
]
"""What the model's server runs: its tools (``mcp`` is a tool of a remote MCP server), a ``program`` that calls our
functions, and a search for functions to load."""


@dataclass(frozen=True, slots=True)
class HostedCall:
    """The state of a hosted tool's call; a later event with the same id replaces it.

    ``name`` is the remote tool's, for ``mcp``. ``input`` is a query, code, a prompt or arguments; a later event
    may leave it out. ``output`` is the result as text; the ``views`` are for the user.
    """

    call_id: str
    kind: HostedKind
    name: str = ""
    input: str = ""
    output: str = ""
    state: Literal["running", "done", "failed"] = "running"
    views: tuple[View, ...] = field(default=(), metadata={"recorded": False})


@dataclass(frozen=True, slots=True)
class HostedDelta:
    """The next piece of a hosted tool's input, while the model is writing it."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Citation:
    """A source of the text before character number ``at``.

    It has a ``url`` or a ``file_id``; a file that a tool created is in a ``container``.
    """

    at: int
    title: str
    url: str = ""
    file_id: str = ""
    container: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """The tokens of one response, as the server counted them.

    ``cached`` and ``cache_written`` are parts of ``input``, ``reasoning`` is part of ``output``.
    """

    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    cache_written: int = 0

    @property
    def total(self) -> int:
        """All tokens; 0 if the server counts none."""
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class RoundEnded:
    """A response ended well; its calls are the events just before."""

    model: str = ""
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """A remark for the user about the thread itself, such as "the conversation was rebuilt"."""

    text: UserText


@dataclass(frozen=True, slots=True)
class RunCompleted:
    """The model has finished its answer."""


@dataclass(frozen=True, slots=True)
class RunPaused:
    """The run waits for the user's decision on its open calls."""


@dataclass(frozen=True, slots=True)
class RunStopped:
    """The user or a limit ended the run early; what arrived is kept."""

    reason: StopReason
    text: UserText

    @property
    def is_steered(self) -> bool:
        """Whether the user's next message continues the answer."""
        return self.reason == "steered"


@dataclass(frozen=True, slots=True)
class ServerError:
    """What a server answered to a failed request: the HTTP status, 0 if there is none, and its own words.

    The words contain no secrets.
    """

    status: int = 0
    message: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class RunFailed:
    """The run ended in an error; ``text`` tells the user what happened and what to do.

    ``retry`` says whether the same request may succeed later; ``retry_after`` is the wait in seconds that the
    server asked for. ``details`` are not recorded, because a recording has the response itself; they are
    ignored in comparisons.
    """

    code: str
    text: UserText
    retry: bool = False
    retry_after: float | None = None
    details: ServerError | None = field(default=None, compare=False, metadata={"recorded": False})


Ending = RunCompleted | RunPaused | RunStopped | RunFailed


def ended_well(ending: Ending | None) -> bool:
    """Return whether nothing of the answer is missing: it is complete, or the next message continues it."""
    return isinstance(ending, RunCompleted) or (isinstance(ending, RunStopped) and ending.is_steered)


Delta = TextDelta | RefusalDelta | CommentaryDelta | ReasoningDelta | ToolCallDelta
Milestone = (
    ThreadOpened
    | RoundStarted
    | FormatRequested
    | RetryScheduled
    | TextBreak
    | ReasoningEnded
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
"""All events but the pieces of a growing text."""

Event = Delta | Milestone


class EventStream(Protocol):
    """Events one after the other, such as a run or a generator; closing it cancels what produces them."""

    def __iter__(self) -> Iterator[Event]: ...

    def __next__(self) -> Event: ...

    def close(self) -> None: ...
