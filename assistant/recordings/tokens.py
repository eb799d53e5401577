"""Counts tokens along a tape, and what they cost, as far as both are told.

Not here: the prices (``prices.py``), or time (``measure.py``).

The one rule: the server counts. It may say the same of one response many times; the last word holds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from assistant.recordings.prices import AS_OF, cost, price_of
from assistant.recordings.streams import get, text


@dataclass(frozen=True, slots=True)
class Tokens:
    """As the server counted them.

    ``cached`` and ``written`` (to its cache) are parts of the input, ``reasoning`` is of the output.
    """

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Response:
    """One response: its round, its tokens, and what it cost in USD, where that is known."""

    round: int
    model: str
    tokens: Tokens
    cost: float | None = None


def total(tokens: Iterable[Tokens]) -> Tokens:
    """The sum of tokens."""
    each = list(tokens)
    return Tokens(*(sum(getattr(one, name.name) for one in each) for name in fields(Tokens)))


@dataclass(frozen=True, slots=True)
class _Counted:
    response: Response
    note: str  # why its cost is not known


class Counter:
    """Takes what servers say of tokens, as it comes."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[str, str]] = {}  # exchange -> host and model
        self._counted: dict[str, _Counted] = {}  # by the response's id
        self._agent = ""  # the model of a session's agent

    def asked(self, exchange: int, host: str, model: str) -> None:
        """A request went to a host, for a model."""
        self._asked[exchange] = host, model

    def take(self, data: Any, exchange: int, round: int) -> None:
        """The JSON of an event, or of a body."""
        self._agent = text(get(get(get(data, "session"), "agent"), "model")) or self._agent
        of = get(data, "response") or get(data, "turn") or data
        if of is data and get(data, "object") not in _COUNTED and not isinstance(get(data, "choices"), list):
            return
        usage = get(of, "usage") or get(data, "usage")
        if not isinstance(usage, dict):
            return
        host, model = self._asked.get(exchange, ("", ""))
        model = text(get(of, "model")) or model or self._agent
        tokens = _tokens(usage)
        known, note = _price(host, model, text(get(of, "service_tier")), tokens)
        key = text(get(of, "id")) or str(exchange)
        if before := self._counted.get(key):
            round = before.response.round
        self._counted[key] = _Counted(Response(round, model, tokens, known), note)

    def responses(self) -> tuple[Response, ...]:
        """The responses whose tokens were counted, in order."""
        return tuple(each.response for each in self._counted.values())

    def note(self) -> str:
        """By which prices the costs are, or why one of them is not known."""
        if not self._counted:
            return "The server has counted no tokens."
        why = next((each.note for each in self._counted.values() if each.note), "")
        return why or f"By OpenAI's list prices of {AS_OF}, for tokens alone."


def number(value: Any) -> float | None:
    """A number of seconds or of tokens, if it is one that can be."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < 1e9 else None


_COUNTED = ("response", "chat.completion", "chat.completion.chunk", "thread.run")


def _tokens(usage: dict[str, Any]) -> Tokens:
    went_in = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
    came_out = usage.get("output_tokens_details") or usage.get("completion_tokens_details")
    return Tokens(
        input=_count(usage, "input_tokens") or _count(usage, "prompt_tokens"),
        cached=_count(went_in, "cached_tokens"),
        written=_count(went_in, "cache_write_tokens"),
        output=_count(usage, "output_tokens") or _count(usage, "completion_tokens"),
        reasoning=_count(came_out, "reasoning_tokens"),
    )


def _count(of: Any, name: str) -> int:
    return int(number(get(of, name)) or 0)


def _price(host: str, model: str, tier: str, tokens: Tokens) -> tuple[float | None, str]:
    """What a response cost, or why that is not known."""
    price = price_of(model)
    if host != "api.openai.com":
        return None, f"Only OpenAI's own prices are known here, and this server is {host or 'another'}."
    if price is None:
        return None, f"The price of {model or 'this model'} is not in the table of {AS_OF}."
    if tier not in ("", "default", "auto"):
        return None, f'The price of the processing tier "{tier}" is not in the table of {AS_OF}.'
    return cost(
        price, input=tokens.input, cached=tokens.cached, written=tokens.written, output=tokens.output
    ), ""
