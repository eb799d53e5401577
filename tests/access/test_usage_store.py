"""Usage is counted exactly, per user and in total, by any number of processes."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sql

from assistant.access.limits import Limit, Period, UsageTotals, parse_limits, period_key
from assistant.access.usage_store import EVERYONE, UsageStore
from assistant.errors import LimitExceeded
from assistant.storage.database import Database
from assistant.storage.schema import USAGE
from tests.waiting import at_once

DAY = 1_795_392_000.0  # midnight in UTC

ReserveResult = tuple[str, str, float] | None


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    with closing(Database(database)) as opened:
        yield opened


def reserve(
    usage: UsageStore, user_id: str, user_limits: tuple[Limit, ...], total_limits: tuple[Limit, ...] = ()
) -> ReserveResult:
    """Reserve a message; return limit, scope and reset time if one is exceeded, else None."""
    try:
        usage.reserve(user_id, UsageTotals(messages=1), user_limits, total_limits)
    except LimitExceeded as error:
        return error.limit, error.scope, error.resets_at
    return None


def totals(database: Database, period: Period, moment: float, user_id: str = EVERYONE) -> UsageTotals:
    """Return the usage of a user in the current period."""
    columns = sql.select(USAGE.c.messages, USAGE.c.tokens, USAGE.c.dollars)
    where = (USAGE.c.user_id == user_id) & (USAGE.c.period == period_key(period, moment))
    with database.reading() as connection:
        row = connection.execute(columns.where(where)).first()
    return UsageTotals(*row) if row else UsageTotals()


def count_rows(database: Database, where: sql.ColumnElement[bool]) -> int:
    with database.reading() as connection:
        return connection.execute(sql.select(sql.func.count()).select_from(USAGE).where(where)).scalar_one()


def test_each_user_has_a_limit_and_all_together_have_another(opened: Database) -> None:
    now = [DAY]
    usage = UsageStore(opened, lambda: now[0])
    limits = parse_limits("2 messages/minute"), parse_limits("3 messages/minute")
    assert [reserve(usage, "ada", *limits) for _ in range(2)] == [None, None]
    resets_at = DAY + 60
    assert reserve(usage, "ada", *limits) == ("2 messages/minute", "user", resets_at)
    assert reserve(usage, "bob", *limits) is None
    assert reserve(usage, "bob", *limits) == ("3 messages/minute", "everyone", resets_at)
    assert totals(opened, "day", now[0]) == UsageTotals(3), "a refused message is not counted"
    now[0] = resets_at
    assert reserve(usage, "ada", *limits) is None
    assert totals(opened, "minute", now[0]) == UsageTotals(1)
    assert totals(opened, "day", now[0]) == UsageTotals(4)


def test_tokens_and_usd_of_a_day_reset_at_midnight(opened: Database) -> None:
    now = [DAY + 3600]
    usage = UsageStore(opened, lambda: now[0])
    limits = parse_limits("100 tokens/day, 0.5 USD/day")
    usage.reserve("ada", UsageTotals(0, 60, 0.1))
    assert reserve(usage, "ada", limits) is None
    usage.reserve("ada", UsageTotals(0, 60, 0.1))
    assert reserve(usage, "ada", limits) == ("100 tokens/day", "user", DAY + 86_400)
    assert reserve(usage, "bob", limits) is None
    usage.reserve("bob", UsageTotals(0, 1, 0.5))
    assert reserve(usage, "bob", limits) == ("0.5 USD/day", "user", DAY + 86_400)
    now[0] = DAY + 86_400
    assert reserve(usage, "ada", limits, limits) is None
    assert totals(opened, "day", now[0], "ada") == UsageTotals(1)


@pytest.mark.exhaustive
def test_processes_that_reserve_at_once_never_exceed_a_limit(opened: Database, database: str) -> None:
    limits, reserved = parse_limits("25 messages/day"), []

    def reserve_often(_: int) -> None:
        with closing(Database(database)) as own:  # as another process has it
            usage = UsageStore(own, lambda: DAY)
            for _ in range(10):
                reserved.append(reserve(usage, "ada", limits) is None)
                usage.reserve("ada", UsageTotals(tokens=7))

    at_once(8, reserve_often)
    assert (reserved.count(True), reserved.count(False)) == (25, 55)
    assert totals(opened, "day", DAY, "ada") == UsageTotals(25, 560)


def test_past_minutes_and_expired_days_are_deleted(opened: Database) -> None:
    now = [DAY]
    usage = UsageStore(opened, lambda: now[0])
    for _ in range(3):
        usage.reserve("ada", UsageTotals(messages=1))
        now[0] += 60
    assert count_rows(opened, sql.true()) == 4
    now[0] += 40 * 86_400
    usage.reserve("bob", UsageTotals(messages=1))
    assert count_rows(opened, USAGE.c.user_id == "ada") == 0


def test_what_was_reserved_is_corrected_where_it_was_counted(opened: Database) -> None:
    now = [DAY]
    usage = UsageStore(opened, lambda: now[0])
    reserved = usage.reserve("ada", UsageTotals(1, 500, 0.5))
    now[0] += 60
    usage.reserve("ada", UsageTotals(messages=1))
    usage.correct("ada", reserved, UsageTotals(0, -400, -0.25))  # of a minute that is no longer there
    assert totals(opened, "day", DAY, "ada") == UsageTotals(2, 100, 0.25)
    assert totals(opened, "day", DAY) == UsageTotals(2, 100, 0.25)
    assert totals(opened, "minute", now[0], "ada") == UsageTotals(1)
    now[0] += 86_400
    usage.correct("ada", reserved, UsageTotals(0, 50))
    assert totals(opened, "day", now[0], "ada") == UsageTotals(), "it counts on the day on which it was sent"


def test_periods_are_those_of_the_databases_clock(opened: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = parse_limits("1 messages/day")
    assert reserve(UsageStore(opened), "ada", limits) is None
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400)  # this process is a day ahead
    assert reserve(UsageStore(opened), "ada", limits) is not None
