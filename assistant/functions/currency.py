"""Amounts in other currencies: an example of a function that a model loads when it needs it.

The rates are samples with a date, so that the example works without a network.
"""

from typing import Annotated, Literal

from pydantic import Field

from assistant import tool

Currency = Literal["EUR", "USD", "JPY", "GBP", "NOK", "AUD"]

RATES_OF = "2 Nov 2026"
RATES: dict[Currency, float] = {"EUR": 1, "USD": 1.16, "JPY": 178.5, "GBP": 0.87, "NOK": 11.7, "AUD": 1.77}
"""What one euro is worth, as an example."""


@tool(load_when_needed=True, namespace="money", status="Converting {amount} {from_currency}")
def convert_currency(
    amount: Annotated[float, Field(ge=0, le=1e9)], from_currency: Currency, to_currency: Currency
) -> dict[str, str | float]:
    """Convert an amount of money to another currency, by sample rates.

    Args:
        amount: The amount.
        from_currency: The currency that the amount is in.
        to_currency: The currency to convert to.
    """
    converted = round(amount * RATES[to_currency] / RATES[from_currency], 2)
    return {"amount": converted, "currency": to_currency, "rates": f"sample rates of {RATES_OF}"}
