"""What an answer took, and what a person thinks of it: facts about a message that are no part of it.

Not here: a clock (``live.py``), or how it is shown (``ui/footer.py``).

The one rule: a figure that nobody gave is None, never 0.
"""

from dataclasses import dataclass, replace

from assistant.events import Usage


@dataclass(frozen=True, slots=True)
class RunStats:
    """What an answer took: who wrote it, in how many responses, their tokens in all, and the time.

    ``seconds`` is the time in which the answer was worked at, without waiting for a person.
    """

    model: str = ""
    rounds: int = 0
    usage: Usage | None = None
    seconds: float | None = None

    def and_response(self, model: str, usage: Usage | None) -> "RunStats":
        """This effort and that of one more response."""
        before = self.usage
        if usage is not None and before is not None:
            usage = Usage(
                before.input + usage.input,
                before.cached + usage.cached,
                before.output + usage.output,
                before.reasoning + usage.reasoning,
            )
        return replace(self, model=model or self.model, rounds=self.rounds + 1, usage=usage or before)

    def and_seconds(self, seconds: float) -> "RunStats":
        """This effort and so much more time."""
        return replace(self, seconds=(self.seconds or 0.0) + seconds)


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a person thinks of an answer."""

    good: bool
    comment: str = ""
