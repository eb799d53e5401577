"""Count the usage of each user, and of everyone together, per minute and day.

A check and its count are one exclusive transaction, so a limit holds across all threads and processes that
share the database.
"""

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sql

from assistant.access.limits import PERIODS, Limit, Period, UsageTotals, check_limits, period_key
from assistant.storage.database import Database
from assistant.storage.schema import USAGE

EVERYONE = ""  # the user id under which the sum of all users is counted

_LOCK = 7_263_415_909
_RETENTION_SECONDS = 31 * 86_400  # of the counts per day, for the owner to look at


class UsageStore:
    """Counts usage; safe to use from many threads and processes at once.

    Every method raises ``StoreError`` when the database cannot be used.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database, self._clock = database, clock

    def reserve(self, user_id: str, user_limits: Sequence[Limit], total_limits: Sequence[Limit]) -> None:
        """Count one message of a user.

        Raises:
            LimitExceeded: A limit is reached; the message is not counted.
        """
        moment = self._clock()
        with self._database.exclusive(_LOCK) as connection:
            check_limits(total_limits, _totals(connection, EVERYONE, moment), moment, scope="everyone")
            check_limits(user_limits, _totals(connection, user_id, moment), moment, scope="user")
            _add(connection, user_id, UsageTotals(messages=1), moment)
            _delete_expired(connection, moment)

    def charge(self, user_id: str, tokens: float, dollars: float) -> None:
        """Count what an answer to this user used."""
        with self._database.exclusive(_LOCK) as connection:
            _add(connection, user_id, UsageTotals(tokens=tokens, dollars=dollars), self._clock())


def _totals(connection: sql.Connection, user_id: str, moment: float) -> dict[Period, UsageTotals]:
    columns = sql.select(USAGE.c.messages, USAGE.c.tokens, USAGE.c.dollars)
    totals: dict[Period, UsageTotals] = {}
    for period in PERIODS:
        row = connection.execute(columns.where(_is_row(user_id, period, moment))).first()
        totals[period] = UsageTotals(*row) if row else UsageTotals()
    return totals


def _add(connection: sql.Connection, user_id: str, usage: UsageTotals, moment: float) -> None:
    values = {"messages": usage.messages, "tokens": usage.tokens, "dollars": usage.dollars}
    sums = {name: USAGE.c[name] + value for name, value in values.items()}
    for counted_id in (user_id, EVERYONE):
        for period in PERIODS:
            where = _is_row(counted_id, period, moment)
            if not connection.execute(sql.update(USAGE).where(where).values(sums)).rowcount:
                row = {"user_id": counted_id, "period": period_key(period, moment)} | values
                connection.execute(sql.insert(USAGE).values(row))


def _delete_expired(connection: sql.Connection, moment: float) -> None:
    """Delete past minutes and expired days; the key of a minute is longer than that of a day."""
    is_minute = sql.func.length(USAGE.c.period) > len(period_key("day", moment))
    past_minute = is_minute & (USAGE.c.period < period_key("minute", moment))
    expired_day = USAGE.c.period < period_key("day", moment - _RETENTION_SECONDS)
    connection.execute(sql.delete(USAGE).where(past_minute | expired_day))


def _is_row(user_id: str, period: Period, moment: float) -> sql.ColumnElement[bool]:
    return (USAGE.c.user_id == user_id) & (USAGE.c.period == period_key(period, moment))
