"""Statistics of an answer: model, responses, tokens and time. A value that is unknown is None, never 0."""

from dataclasses import dataclass, replace

from assistant.events import Usage


@dataclass(frozen=True, slots=True)
class RunStats:
    """What an answer used in all its responses.

    ``rounds`` is the number of responses; ``seconds`` is the time without waiting for the user.
    """

    model: str = ""
    rounds: int = 0
    usage: Usage | None = None
    seconds: float | None = None

    def with_response(self, model: str, usage: Usage | None) -> "RunStats":
        """Return the statistics with one more response."""
        before = self.usage
        if usage is not None and before is not None:
            usage = Usage(
                before.input + usage.input,
                before.cached + usage.cached,
                before.output + usage.output,
                before.reasoning + usage.reasoning,
            )
        return replace(self, model=model or self.model, rounds=self.rounds + 1, usage=usage or before)

    def with_seconds(self, seconds: float) -> "RunStats":
        """Return the statistics with more time."""
        return replace(self, seconds=(self.seconds or 0.0) + seconds)
