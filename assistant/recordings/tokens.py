"""Add up the tokens of a recording's responses, and what they cost.

The server counts. It may report the same response several times; the last report holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from assistant.recordings.prices import cost_of
from assistant.recordings.wire_events import AgentModel, Tokens, TokensCounted


@dataclass(frozen=True, slots=True)
class ResponseTokens:
    """The tokens of one response, its round, and its cost in USD where that is known."""

    round: int
    model: str
    tokens: Tokens
    cost: float | None = None


def total(tokens: Iterable[Tokens]) -> Tokens:
    """Return the sum of tokens."""
    items = list(tokens)
    return Tokens(*(sum(getattr(item, field.name) for item in items) for field in fields(Tokens)))


class TokenCounter:
    """Collects what servers report about tokens."""

    def __init__(self) -> None:
        self._requests: dict[int, tuple[str, str]] = {}  # exchange -> host, model
        self._responses: dict[str, tuple[ResponseTokens, str]] = {}  # id -> tokens, why the cost is unknown
        self._agent_model = ""

    def add_request(self, exchange: int, host: str, model: str) -> None:
        """Remember the host and the model of a request."""
        self._requests[exchange] = host, model

    def add(self, part: TokensCounted | AgentModel, exchange: int, round: int) -> None:
        """Add what a server reports in an exchange."""
        if isinstance(part, AgentModel):
            self._agent_model = part.model
            return
        host, requested_model = self._requests.get(exchange, ("", ""))
        model = part.model or requested_model or self._agent_model
        cost, note = _cost(host, model, part.tier, part.tokens)
        key = part.response_id or str(exchange)
        if key in self._responses:
            round = self._responses[key][0].round
        self._responses[key] = ResponseTokens(round, model, part.tokens, cost), note

    def responses(self) -> tuple[ResponseTokens, ...]:
        """Return the responses whose tokens were counted, in order."""
        return tuple(response for response, _ in self._responses.values())

    def cost_note(self) -> str:
        """Return which prices the costs are based on, or why one of them is unknown."""
        if not self._responses:
            return "The server has counted no tokens."
        notes = (note for _, note in self._responses.values() if note)
        return next(notes, "By OpenAI's list prices, for tokens alone.")


def _cost(host: str, model: str, tier: str, tokens: Tokens) -> tuple[float | None, str]:
    """Return what a response cost, or why that is unknown."""
    if host != "api.openai.com":
        return None, f"Only OpenAI's own prices are known, and this server is {host or 'another one'}."
    counts = {field.name: getattr(tokens, field.name) for field in fields(Tokens)}
    counts.pop("reasoning")  # part of the output
    if cost_of(model) is None:
        return None, f"The price of {model or 'this model'} is not known."
    cost = cost_of(model, **counts, tier=tier)
    return cost, "" if cost is not None else f'The price of the processing tier "{tier}" is not known.'
