"""Usage limits and budgets: how they are written, and which of them is exceeded.

Both are checked before each request, and what a response may use is counted when it is requested. A limit allows a
request while something is left, so the responses in progress together exceed it by at most one of them. A budget
allows it only if as much is left as its response can cost at most, so nothing exceeds it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from assistant.errors import BudgetError, LimitExceeded, LimitScope
from assistant.locale import N_

Unit = Literal["messages", "tokens", "USD"]
Period = Literal["minute", "day", "month"]

PERIODS: tuple[Period, ...] = ("minute", "day", "month")
"""All periods, the shortest first."""

_KEY_FORMATS: dict[Period, str] = {"minute": "%Y-%m-%dT%H:%M", "day": "%Y-%m-%d", "month": "%Y-%m"}


@dataclass(frozen=True, slots=True)
class Limit:
    """An amount of one unit per period; periods start and end in UTC.

    ``is_budget`` says that no response may be requested that could exceed it.
    """

    amount: float
    unit: Unit
    period: Period
    is_budget: bool = False

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
    error = N_("Set limits such as 20 messages/minute, 500000 tokens/day, 5 USD/day.")
    units: dict[str, Unit] = {"message": "messages", "token": "tokens", "usd": "USD"}
    return tuple(
        Limit(float(item["amount"]), units[item["unit"].lower().removesuffix("s")], _period(item))
        for item in _items(text, _LIMIT, error)
    )


def parse_budget(text: str) -> tuple[Limit, ...]:
    """Return the budgets in a text such as ``20 USD/month`` or ``2 USD/day, 20 USD/month``.

    Raises:
        ValueError: The text is not a list of budgets; the message shows the format.
    """
    error = N_("Set an amount of USD per day or month, such as 20 USD/month.")
    return tuple(
        Limit(float(item["amount"]), "USD", _period(item), is_budget=True)
        for item in _items(text, _BUDGET, error)
    )


def _items(text: str, pattern: re.Pattern[str], error: str) -> Iterator[re.Match[str]]:
    """Yield the items of a list, which are separated by commas; each has an amount above 0."""
    for item in filter(None, map(str.strip, text.split(","))):
        match = pattern.fullmatch(item)
        if match is None or not float(match["amount"]):
            raise ValueError(error)
        yield match


def _period(item: re.Match[str]) -> Period:
    return cast("Period", item["period"].lower())


_AMOUNT = r"(?P<amount>[0-9]{1,12}(?:\.[0-9]{1,6})?)"
_LIMIT = re.compile(_AMOUNT + r" *(?P<unit>messages?|tokens?|usd) */ *(?P<period>minute|day)", re.IGNORECASE)
_BUDGET = re.compile(_AMOUNT + r" *usd */ *(?P<period>day|month)", re.IGNORECASE)


def period_key(period: Period, moment: float) -> str:
    """Return the key of a moment's period, such as ``2026-11-23``; keys of one kind sort by time."""
    return datetime.fromtimestamp(moment, UTC).strftime(_KEY_FORMATS[period])


def period_end(period: Period, moment: float) -> float:
    """Return when a moment's period ends and the next one begins."""
    start = datetime.strptime(period_key(period, moment), _KEY_FORMATS[period]).replace(tzinfo=UTC)
    match period:
        case "minute":
            end = start + timedelta(minutes=1)
        case "day":
            end = start + timedelta(days=1)
        case "month":
            end = (start + timedelta(days=31)).replace(day=1)
    return end.timestamp()


def check_limits(
    limits: Iterable[Limit],
    totals: Mapping[Period, UsageTotals],
    moment: float,
    *,
    scope: LimitScope,
    planned: UsageTotals | None = None,
) -> None:
    """Check that one more request fits within the limits; ``planned`` is the most that it may use.

    Raises:
        LimitExceeded: It does not. If several limits are exceeded, the error names the last one to reset.
        BudgetError: It would not even fit if nothing had been used.
    """
    planned = planned or UsageTotals()
    exceeded = []
    for limit in limits:
        used, new = totals[limit.period].amount(limit.unit), planned.amount(limit.unit)
        if limit.is_budget and new > limit.amount:
            raise _too_expensive(new, limit)
        if used + new > limit.amount if limit.is_budget else used >= limit.amount:
            exceeded.append(limit)
    if exceeded:
        last = max(exceeded, key=lambda limit: PERIODS.index(limit.period))
        resets_at = period_end(last.period, moment)
        raise LimitExceeded(
            str(last),
            "budget" if last.is_budget else scope,
            resets_at=resets_at,
            wait_seconds=resets_at - moment,
        )


def _too_expensive(dollars: float, budget: Limit) -> BudgetError:
    return BudgetError(
        N_(
            "An answer may cost up to {cost} USD here, more than the whole budget of {budget}. "
            "Send less at once, or start a new chat.",
            cost=f"{dollars:.3g}",
            budget=str(budget),
        )
    )
