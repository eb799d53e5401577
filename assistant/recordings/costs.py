"""What the tokens of responses cost at OpenAI, in USD by its list prices.

The server counts the tokens. The prices are those of the genai-prices library, which ships them: nothing is
downloaded. A table of our own has the models that the library does not know. A price that is in neither is
unknown and never guessed; hosted tools are not included.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from typing import Any

from assistant.json_values import Json, get, number, text
from assistant.locale import N_, Sentence
from assistant.recordings.wire_events import AgentModel, Tokens, TokensCounted

_OWN_PRICES = {"gpt-6.2-astra": (8.00, 0.40, 40.00), "gpt-6.2-sol": (2.00, 0.10, 10.00)}
"""Input, cached input and output in USD per million tokens, on the day below.

From https://developers.openai.com/api/docs/pricing and, for the cached input of gpt-6.2-astra,
https://github.com/BerriAI/litellm/discussions/52347.
"""

OWN_PRICES_DATE = "2026-11-23"

_LONG_INPUT_TOKENS = 272_000
"""A request with more input tokens costs twice as much for its input and 1.5 times for its output."""

_DEFAULT_TIERS = ("", "auto", "default")

_FIELDS_WITH_USAGE = {"response", "session", "turn", "usage"}
_OBJECTS_WITH_USAGE = ("response", "chat.completion", "chat.completion.chunk", "thread.run")


def cost_of(
    model: str, *, input: int = 0, cached: int = 0, written: int = 0, output: int = 0, tier: str = ""
) -> float | None:
    """Return what one response costs; None where the price of the model or its processing tier is unknown.

    ``cached`` and ``written`` (to the cache) are parts of ``input``. A dated snapshot costs what
    its model costs.
    """
    cached = min(cached, input)
    written = min(written, input - cached)
    own = _own_price(model)
    if own is None:
        return _library_cost(model, input, cached, written, output, tier)
    if tier not in _DEFAULT_TIERS:
        return None
    input_price, cached_price, output_price = own
    fresh = input - cached - written
    input_cost = fresh * input_price + cached * cached_price + written * input_price * 1.25
    input_factor, output_factor = (2.0, 1.5) if input > _LONG_INPUT_TOKENS else (1.0, 1.0)
    return (input_cost * input_factor + output * output_price * output_factor) / 1_000_000


def price_source(model: str) -> Sentence:
    """Return where the price of a model is from, with its date or version."""
    if _own_price(model):
        return N_("OpenAI's list prices of {date}.", date=OWN_PRICES_DATE)
    return N_("OpenAI's list prices in genai-prices {version}.", version=version("genai-prices"))


def has_price(model: str) -> bool:
    """Return whether the price of a model is known."""
    return cost_of(model) is not None


def costs_tokens_only(model: str) -> bool:
    """Return whether the price of a model is known, and no response costs more than its tokens."""
    return has_price(model) and not _EXTRA_COSTS.search(model)


_EXTRA_COSTS = re.compile("search|research|audio|realtime|image|transcribe|tts")
"""Parts of the names of models that search, or hear or make what is not text, at prices of their own."""


@dataclass(frozen=True, slots=True)
class ResponseTokens:
    """The tokens of one response, its round, its cost in USD where that is known, and the number of its request."""

    round: int
    model: str
    tokens: Tokens
    cost: float | None = None
    exchange: int = field(default=0, compare=False)


def total(tokens: Iterable[Tokens]) -> Tokens:
    """Return the sum of tokens."""
    items = list(tokens)
    return Tokens(*(sum(getattr(item, field.name) for item in items) for field in fields(Tokens)))


def token_parts(data: Any) -> Iterator[TokensCounted | AgentModel]:
    """Yield what an event or a body says about the tokens of a response, and the model of its agent."""
    if not isinstance(data, dict) or not _FIELDS_WITH_USAGE & data.keys():
        return
    if model := text(get(get(get(data, "session"), "agent"), "model")):
        yield AgentModel(model)
    response = get(data, "response") or get(data, "turn") or data
    is_counted = get(data, "object") in _OBJECTS_WITH_USAGE or isinstance(get(data, "choices"), list)
    if response is data and not is_counted:
        return
    usage = get(response, "usage") or get(data, "usage")
    tokens = _tokens(usage) if isinstance(usage, dict) else Tokens()
    if tokens.input or tokens.output:  # some servers count none
        response_id, model = text(get(response, "id")), text(get(response, "model"))
        yield TokensCounted(response_id, model, text(get(response, "service_tier")), tokens)


class TokenCounter:
    """Collects the tokens that servers report; the last report about a response holds."""

    def __init__(self) -> None:
        self._requests: dict[int, tuple[str, str]] = {}  # exchange -> host, model
        # By the response's id: its tokens, and why their cost is unknown.
        self._responses: dict[str, tuple[ResponseTokens, Sentence | None]] = {}
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
        self._responses[key] = ResponseTokens(round, model, part.tokens, cost, exchange), note

    def responses(self) -> tuple[ResponseTokens, ...]:
        """Return the responses whose tokens were counted, in order."""
        return tuple(response for response, _ in self._responses.values())

    def cost_note(self) -> Sentence:
        """Return which prices the costs are based on, or why one of them is unknown."""
        if not self._responses:
            return N_("The server has counted no tokens.")
        notes = (note for _, note in self._responses.values() if note)
        return next(notes, N_("By OpenAI's list prices, for tokens alone."))


def _own_price(model: str) -> tuple[float, float, float] | None:
    return _OWN_PRICES.get(re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model))


def _library_cost(model: str, input: int, cached: int, written: int, output: int, tier: str) -> float | None:
    from genai_prices import Usage, calc_price  # 60 ms and 11 MB

    usage = Usage(
        input_tokens=input, cache_read_tokens=cached, cache_write_tokens=written, output_tokens=output
    )
    context = {} if tier in _DEFAULT_TIERS else {"service_tier": tier}
    try:
        price = calc_price(usage, model, provider_id="openai", price_context=context)
    except (LookupError, ValueError):
        return None
    tiers = [variant.when.get("service_tier") for variant in price.model.price_variants or ()]
    return None if context and tier not in tiers else float(price.total_price)


def _cost(host: str, model: str, tier: str, tokens: Tokens) -> tuple[float | None, Sentence | None]:
    """Return what a response cost, or why that is unknown."""
    if host != "api.openai.com":
        return None, N_("Only OpenAI's own prices are known, and this server is {host}.", host=host or "–")
    counts = {field.name: getattr(tokens, field.name) for field in fields(Tokens)}
    counts.pop("reasoning")  # part of the output
    if cost_of(model) is None:
        return None, N_("The price of {model} is not known.", model=model or N_("this model"))
    cost = cost_of(model, **counts, tier=tier)
    if cost is None:
        return None, N_("The price of the processing tier “{tier}” is not known.", tier=tier)
    return cost, None


def _tokens(usage: Json) -> Tokens:
    input_details = usage.get("input_tokens_details") or usage.get("prompt_tokens_details")
    output_details = usage.get("output_tokens_details") or usage.get("completion_tokens_details")
    return Tokens(
        input=_count(usage, "input_tokens") or _count(usage, "prompt_tokens"),
        cached=_count(input_details, "cached_tokens"),
        written=_count(input_details, "cache_write_tokens"),
        output=_count(usage, "output_tokens") or _count(usage, "completion_tokens"),
        reasoning=_count(output_details, "reasoning_tokens"),
    )


def _count(details: Any, name: str) -> int:
    return int(number(get(details, name)) or 0)
