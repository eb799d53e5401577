"""Count the usage of each user, and of everyone together, per minute and day; a month is the sum of its days.

A check and its count are one exclusive transaction, so a limit holds across all threads and processes that
share the database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sql

from assistant.access.limits import Limit, Period, UsageTotals, check_limits, period_key
from assistant.storage.database import Database
from assistant.storage.schema import USAGE

EVERYONE = ""  # the user id under which the sum of all users is counted

_LOCK = 7_263_415_909
COUNT_SECONDS = 31 * 86_400
"""How long the counts per day stay: a month is their sum."""

_COUNTED_PERIODS: tuple[Period, ...] = ("minute", "day")


class UsageStore:
    """Counts usage; safe to use from many threads and processes at once.

    Every method raises ``StoreError`` when the database cannot be used.
    """

    def __init__(self, database: Database, clock: Callable[[], float] | None = None) -> None:
        """``clock`` replaces the database's own clock, which all processes share."""
        self._database, self._clock = database, clock

    def reserve(
        self,
        user_id: str,
        usage: UsageTotals,
        user_limits: Sequence[Limit] = (),
        total_limits: Sequence[Limit] = (),
    ) -> float:
        """Count what a user is about to use; return the moment at which it is counted.

        Raises:
            LimitExceeded, BudgetError: See ``check_limits``; nothing is counted.
        """
        with self._database.exclusive(_LOCK) as connection:
            moment = self._moment(connection)
            everyone = _totals(connection, EVERYONE, moment)
            check_limits(total_limits, everyone, moment, scope="everyone", planned=usage)
            check_limits(user_limits, _totals(connection, user_id, moment), moment, scope="user")
            for row in _rows(user_id, moment):
                if not _add(connection, row, usage):
                    connection.execute(sql.insert(USAGE).values(row | asdict(usage)))
            _delete_expired(connection, moment)
        return moment

    def correct(self, user_id: str, moment: float, difference: UsageTotals) -> None:
        """Add a difference to what was counted at this moment; counts of past minutes no longer exist."""
        with self._database.exclusive(_LOCK) as connection:
            for row in _rows(user_id, moment):
                _add(connection, row, difference)

    def delete_users(self, seconds: float) -> None:
        """Delete the counts of single users that are older; the sum of all users stays for a month.

        The current day stays, because limits apply to it.
        """
        with self._database.writing() as connection:
            moment = self._moment(connection)
            day = period_key("day", moment - min(seconds, COUNT_SECONDS))
            of_user = (USAGE.c.user_id != EVERYONE) & (USAGE.c.period < day)
            connection.execute(sql.delete(USAGE).where(of_user))
            _delete_expired(connection, moment)

    def _moment(self, connection: sql.Connection) -> float:
        if self._clock:
            return self._clock()
        moment: float = connection.execute(sql.select(self._database.now)).scalar_one()
        return moment


def _totals(connection: sql.Connection, user_id: str, moment: float) -> dict[Period, UsageTotals]:
    columns = sql.select(USAGE.c.messages, USAGE.c.tokens, USAGE.c.dollars)
    totals: dict[Period, UsageTotals] = {}
    for period in _COUNTED_PERIODS:
        row = connection.execute(columns.where(_is_row(user_id, period, moment))).first()
        totals[period] = UsageTotals(*row) if row else UsageTotals()
    sums = (sql.func.coalesce(sql.func.sum(column), 0.0) for column in columns.selected_columns)
    is_day = (USAGE.c.user_id == user_id) & (sql.func.length(USAGE.c.period) == len("2026-11-23"))
    month = USAGE.c.period.startswith(period_key("month", moment) + "-")
    totals["month"] = UsageTotals(*connection.execute(sql.select(*sums).where(is_day, month)).one())
    return totals


def _rows(user_id: str, moment: float) -> list[dict[str, str]]:
    """Return the keys of the rows in which the usage of a user is counted."""
    return [
        {"user_id": counted_id, "period": period_key(period, moment)}
        for counted_id in (user_id, EVERYONE)
        for period in _COUNTED_PERIODS
    ]


def _add(connection: sql.Connection, row: Mapping[str, str], usage: UsageTotals) -> bool:
    """Add to a row; return whether it exists."""
    sums = {name: USAGE.c[name] + value for name, value in asdict(usage).items()}
    where = (USAGE.c.user_id == row["user_id"]) & (USAGE.c.period == row["period"])
    return bool(connection.execute(sql.update(USAGE).where(where).values(sums)).rowcount)


def _delete_expired(connection: sql.Connection, moment: float) -> None:
    """Delete past minutes and expired days; the key of a minute is longer than that of a day."""
    is_minute = sql.func.length(USAGE.c.period) > len(period_key("day", moment))
    past_minute = is_minute & (USAGE.c.period < period_key("minute", moment))
    expired_day = USAGE.c.period < period_key("day", moment - COUNT_SECONDS)
    connection.execute(sql.delete(USAGE).where(past_minute | expired_day))


def _is_row(user_id: str, period: Period, moment: float) -> sql.ColumnElement[bool]:
    return (USAGE.c.user_id == user_id) & (USAGE.c.period == period_key(period, moment))
