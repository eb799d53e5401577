"""What tokens cost: OpenAI's standard list prices, in USD per million tokens, as they stood on ``AS_OF``.

From OpenAI's pages on each model and on pricing (https://developers.openai.com/api/docs/pricing and
https://developers.openai.com/api/docs/models/, by the model's name), and for the cached input of
gpt-6.2-astra, "60% cheaper" than that of gpt-6-astra, from https://github.com/BerriAI/litellm/discussions/52347.
Writing to the cache costs 1.25 times the input; a request of more than 272,000 input tokens costs twice as
much for its input, and 1.5 times for its output.

Not here: what hosted tools, other processing tiers, or other vendors charge.

The one rule: a price is looked up, never guessed; what is not in the table is not known.
"""

import re
from dataclasses import dataclass

AS_OF = "2026-11-23"

LONG = 272_000
"""Input tokens up to which a request is not a long one."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens."""

    input: float
    cached: float
    output: float


_PRICES = {
    "gpt-6.2-astra": Price(8.00, 0.40, 40.00),
    "gpt-6.2-sol": Price(2.00, 0.10, 10.00),
    "gpt-6.1-sol": Price(2.00, 0.10, 10.00),
    "gpt-6.1-terra": Price(1.00, 0.05, 5.00),
    "gpt-6-astra": Price(10.00, 1.00, 50.00),
    "gpt-6-sol": Price(2.00, 0.20, 10.00),
    "gpt-6-luna": Price(0.10, 0.01, 0.50),
    "gpt-5.6-terra": Price(2.00, 0.20, 12.00),
    "gpt-5.6-luna": Price(0.20, 0.02, 1.20),
}


def price_of(model: str) -> Price | None:
    """The price of a model, also by the name of a dated snapshot of it; None where it is not known."""
    return _PRICES.get(re.sub(r"-\d{4}-\d{2}-\d{2}$", "", model))


def cost(price: Price, *, input: int, cached: int, written: int, output: int) -> float:
    """What one response costs in USD; ``cached`` and ``written`` are parts of its ``input``."""
    fresh = max(0, input - cached - written)
    sent = fresh * price.input + cached * price.cached + written * price.input * 1.25
    times_in, times_out = (2.0, 1.5) if input > LONG else (1.0, 1.0)
    return (sent * times_in + output * price.output * times_out) / 1_000_000
