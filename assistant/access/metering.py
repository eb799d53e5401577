"""Count the tokens of a run: reserve them before each response, and correct them when it has ended.

A reservation stays counted if the answer was stopped or cut off, because the server may charge for all of it. Only a
request that was refused, or never arrived, is free.

A reservation is an estimate, too high rather than too low. With a budget, it is the most that is possible.
"""

from collections.abc import Generator, Iterable
from contextlib import closing

from assistant.access.quotas import QuotaGuard, Reservation
from assistant.errors import BudgetError, LimitExceeded, QuotaError
from assistant.events import (
    CONNECTION_LOST,
    CommentaryDelta,
    Event,
    EventStream,
    HostedCall,
    ReasoningDelta,
    RefusalDelta,
    RetryScheduled,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunPaused,
    RunStopped,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from assistant.locale import N_
from assistant.messages import Message
from assistant.parts import Attachment, Call, file_tokens, model_text
from assistant.texts import MAX_IMAGE_TOKENS, MAX_INPUT_TOKENS, estimate_tokens, max_tokens
from assistant.threads import Thread


class Meter:
    """Reserves what each response of one run may use, and settles it when the response has ended.

    ``admit`` reserves the first response, ``measure`` everything after it. ``preamble`` is what each request
    sends besides the messages: instructions and the schemas of functions.
    """

    def __init__(self, quota: QuotaGuard, thread: Thread, preamble: str) -> None:
        self._quota, self._thread, self._preamble = quota, thread, preamble
        self._reserved: Reservation | None = None

    def admit(self, message: Message | None = None) -> None:
        """Count a message, which may still be missing in the thread, and reserve the response to it.

        Raises:
            QuotaError: It may not be sent now; nothing is counted.
        """
        new = [message] if message else []
        self._reserved = self._quota.reserve(self._largest([*self._thread.messages, *new]), messages=1)

    def withdraw(self) -> None:
        """Count nothing: the message was not sent."""
        if self._reserved:
            self._quota.settle(self._reserved, Usage())

    def measure(self, run: EventStream) -> Generator[Event, None, None]:
        """Yield the events of the run; it ends before a further response that the limits do not allow."""
        output, is_requested = list[str](), False
        with closing(run) as events:
            for event in events:
                match event:
                    case RoundStarted(_, resumed):
                        output, is_requested = [], True
                        # With a budget also a resumed one: it may have to be requested again.
                        if not (resumed and not self._quota.has_budget) and (refusal := self._reserve()):
                            yield refusal
                            return
                    case RetryScheduled(reason=reason) if reason == CONNECTION_LOST and self._reserved:
                        self._reserved = None  # it stays counted: the server may charge for the lost response
                        if refusal := self._reserve():
                            yield refusal
                            return
                    case (
                        TextDelta(text)
                        | RefusalDelta(text)
                        | CommentaryDelta(text)
                        | ReasoningDelta(text)
                        | ToolCallDelta(_, _, text)
                    ):
                        output.append(text)
                    case RoundEnded(model, usage):
                        is_reported = usage and usage.total
                        if is_reported or not self._quota.has_budget:
                            self._settle(usage if usage and is_reported else self._estimate(output), model)
                        self._reserved = None
                    case RunFailed() if not output and _was_refused(event):
                        self._settle(Usage())
                    case RunCompleted() | RunPaused() | RunStopped() | RunFailed() if not is_requested:
                        self._settle(Usage())
                yield event

    def _reserve(self) -> RunStopped | None:
        """Reserve one more response, unless ``admit`` has; return the run's ending if it is not allowed."""
        if self._reserved:
            return None
        try:
            self._reserved = self._quota.reserve(self._largest(self._thread.messages))
        except LimitExceeded:
            return RunStopped("usage_limit", N_("Stopped: the usage limit is reached."))
        except BudgetError as error:
            return RunStopped("usage_limit", error.text)
        except QuotaError:
            return RunStopped("usage_limit", N_("Stopped: usage cannot be counted right now."))
        return None

    def _settle(self, usage: Usage, model: str = "") -> None:
        if self._reserved:
            self._quota.settle(self._reserved, usage, model, messages=int(self._reserved.usage.messages))
        self._reserved = None

    def _largest(self, messages: Iterable[Message]) -> Usage:
        """Return the most that a response to these messages may use."""
        if self._quota.has_budget:
            tokens = max_tokens(self._preamble) + _max_tokens(messages, self._quota.max_output)
            tokens = min(tokens, MAX_INPUT_TOKENS)
            return Usage(input=tokens, cache_written=tokens, output=self._quota.max_output)
        return Usage(input=self._input(messages), output=self._quota.max_output)

    def _estimate(self, output: list[str]) -> Usage:
        """Return the usage of a response to the whole thread, which the server does not report."""
        tokens = self._input(self._thread.messages)
        return Usage(input=tokens, output=estimate_tokens("".join(output), cautious=True))

    def _input(self, messages: Iterable[Message]) -> int:
        return estimate_tokens(self._preamble, cautious=True) + _tokens(messages)


def _was_refused(failure: RunFailed) -> bool:
    """Return whether the server refused the request by its status, or never got it."""
    has_status = failure.details is not None and failure.details.status >= 400
    return has_status or failure.code == "unreachable"


def _tokens(messages: Iterable[Message]) -> int:
    """Return about how many tokens these messages have, too many rather than too few."""
    parts = [part for message in messages for part in message.parts]
    text = "".join(map(model_text, parts))
    return estimate_tokens(text, cautious=True) + sum(map(file_tokens, parts))


OVERHEAD_TOKENS = 2_000
"""More tokens than a server adds to a request."""

PART_OVERHEAD_TOKENS = 50
"""More tokens than a server adds to a part of a message: its kind, its role, its ids."""


def _max_tokens(messages: Iterable[Message], max_output: int) -> int:
    """Return the most tokens that these messages can have at the server.

    The server may have more of an answer than arrived here: its reasoning, and the rest of one that was cut off.
    """
    tokens = OVERHEAD_TOKENS
    for message in messages:
        if message.role == "assistant":
            usage = message.stats.usage
            tokens += usage.output if usage else max_output
            is_whole = isinstance(message.ending, RunCompleted | RunPaused)
            tokens += (message.stats.retries + (not is_whole)) * max_output
        for part in message.parts:
            tokens += PART_OVERHEAD_TOKENS
            match part:
                case Attachment() if part.is_text:
                    tokens += max_tokens(part.name) + len(part.content)
                case Attachment() if part.is_image:
                    tokens += MAX_IMAGE_TOKENS
                case Attachment() | HostedCall():  # a small file may have a long text
                    tokens += MAX_INPUT_TOKENS
                case Call():
                    tokens += max_tokens(part.call_id + model_text(part))
                case _:
                    tokens += max_tokens(model_text(part))
    return tokens
