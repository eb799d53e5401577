"""Usage limits: how they are written, and which of them is exceeded.

A limit is checked before each request. What a response may use is counted when it is requested, so the
responses in progress together exceed a limit by at most one of them.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, cast

from assistant.errors import LimitExceeded, LimitScope
from assistant.locale import N_

Unit = Literal["messages", "tokens", "USD"]
Period = Literal["minute", "day"]

PERIODS: tuple[Period, ...] = ("minute", "day")
_SECONDS: dict[Period, int] = {"minute": 60, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one unit per minute or per day; periods start and end in UTC."""

    amount: float
    unit: Unit
    period: Period

    def __str__(self) -> str:
        return f"{self.amount:.15g} {self.unit}/{self.period}"


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """What was used in one period, or by one response."""

    messages: float = 0.0
    tokens: float = 0.0
    dollars: float = 0.0

    def __sub__(self, other: "UsageTotals") -> "UsageTotals":
        return UsageTotals(
            self.messages - other.messages, self.tokens - other.tokens, self.dollars - other.dollars
        )

    def amount(self, unit: Unit) -> float:
        """Return the amount used of one unit."""
        return {"messages": self.messages, "tokens": self.tokens, "USD": self.dollars}[unit]


def parse_limits(text: str) -> tuple[Limit, ...]:
    """Return the limits in a text such as ``20 messages/minute, 500000 tokens/day, 5 USD/day``.

    Raises:
        ValueError: The text is not a list of limits; the message shows the format.
    """
    limits = []
    for item in filter(None, map(str.strip, text.split(","))):
        match = _LIMIT.fullmatch(item)
        if match is None or not (amount := float(match[1])):
            raise ValueError(N_("Set limits such as 20 messages/minute, 500000 tokens/day, 5 USD/day."))
        unit = {"message": "messages", "token": "tokens", "usd": "USD"}[match[2].lower().removesuffix("s")]
        limits.append(Limit(amount, cast("Unit", unit), cast("Period", match[3].lower())))
    return tuple(limits)


_LIMIT = re.compile(
    r"([0-9]{1,12}(?:\.[0-9]{1,6})?) *(messages?|tokens?|usd) */ *(minute|day)", re.IGNORECASE
)


def period_key(period: Period, moment: float) -> str:
    """Return the key of a moment's minute or day, such as ``2026-11-23``; keys of one kind sort by time."""
    pattern = "%Y-%m-%d" if period == "day" else "%Y-%m-%dT%H:%M"
    return datetime.fromtimestamp(moment, UTC).strftime(pattern)


def check_limits(
    limits: Iterable[Limit], totals: Mapping[Period, UsageTotals], moment: float, *, scope: LimitScope
) -> None:
    """Check that one more request fits within the limits.

    Raises:
        LimitExceeded: It does not. If several limits are exceeded, the error names the last one to reset.
    """
    exceeded = [limit for limit in limits if totals[limit.period].amount(limit.unit) >= limit.amount]
    if exceeded:
        last = max(exceeded, key=lambda limit: _SECONDS[limit.period])
        seconds = _SECONDS[last.period]
        resets_at = (moment // seconds + 1) * seconds
        raise LimitExceeded(str(last), scope, resets_at=resets_at, wait_seconds=resets_at - moment)
