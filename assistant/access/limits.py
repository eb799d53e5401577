"""Limits on what people may spend of the owner's account: what they are, and which of them is reached.

Not here: what was spent (``usage_store.py``), by which answer (``meter.py``), or what a person is told
(``ui/wallet.py``). Pure.

The one rule: a limit is looked at before something is asked. What is being answered is never cut by one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

Unit = Literal["messages", "tokens", "USD"]
Period = Literal["minute", "day"]

PERIODS: tuple[Period, ...] = ("minute", "day")
_SECONDS: dict[Period, int] = {"minute": 60, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Limit:
    """So much, of one unit, in each minute or day; both begin and end with those of UTC."""

    most: float
    unit: Unit
    period: Period


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent in a period."""

    messages: float = 0.0
    tokens: float = 0.0
    dollars: float = 0.0

    def of(self, unit: Unit) -> float:
        """How much of this unit."""
        return {"messages": self.messages, "tokens": self.tokens, "USD": self.dollars}[unit]


@dataclass(frozen=True, slots=True)
class Reached:
    """A limit that is reached: whether it is on everybody together, and when there is room again.

    ``opens`` is in seconds since 1970.
    """

    limit: Limit
    everybody: bool
    opens: float


def parse(text: str) -> tuple[Limit, ...]:
    """The limits in a text such as ``20 messages/minute, 500000 tokens/day, 5 USD/day``.

    Raises:
        ValueError: It is something else; the text says how it is written.
    """
    limits = []
    for part in filter(None, map(str.strip, text.split(","))):
        found = _LIMIT.fullmatch(part)
        if found is None or not (most := float(found[1])):
            raise ValueError("Write limits such as 20 messages/minute, 500000 tokens/day, 5 USD/day.")
        unit = {"message": "messages", "token": "tokens", "usd": "USD"}[found[2].lower().removesuffix("s")]
        limits.append(Limit(most, cast("Unit", unit), cast("Period", found[3].lower())))
    return tuple(limits)


_LIMIT = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,6})?) *(messages?|tokens?|usd) */ *(minute|day)", re.IGNORECASE
)


def name_of(period: Period, moment: float) -> str:
    """The minute or day of this moment, by its name, such as ``2026-11-23``; names of a kind are in order."""
    pattern = "%Y-%m-%d" if period == "day" else "%Y-%m-%dT%H:%M"
    return datetime.fromtimestamp(moment, UTC).strftime(pattern)


def reached(
    limits: Iterable[Limit], spent: Mapping[Period, Spent], moment: float, *, everybody: bool
) -> Reached | None:
    """The limit that is reached, the last to open where there are several; None where there is room."""
    full = [limit for limit in limits if spent[limit.period].of(limit.unit) >= limit.most]
    if not full:
        return None
    last = max(full, key=lambda limit: _SECONDS[limit.period])
    seconds = _SECONDS[last.period]
    return Reached(last, everybody, (moment // seconds + 1) * seconds)
