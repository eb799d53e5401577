"""What each person, and everybody together, spent of the owner's account in each minute and day.

Not here: the limits (``limits.py``), the table (``tables.py``).

The one rule: whether there is room, and that a message takes it, is decided in one transaction beside which
there is no other: a limit holds over all threads and processes that share the database.
"""

import time
from collections.abc import Callable, Sequence

import sqlalchemy as sql

from assistant.access.limits import PERIODS, Limit, Period, Reached, Spent, name_of, reached
from assistant.storage.schema import SPENT
from assistant.storage.store import Store

_LOCK = 7_263_415_909
_EVERYBODY = ""
_KEPT = 31 * 86_400  # seconds for which days are kept, for whoever wants to look


class UsageStore:
    """Counts what is spent; safe to use from many threads and processes at once.

    Every method raises ``StoreError`` when the database cannot be used.
    """

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store, self._clock = store, clock

    def admit(self, who: str, each: Sequence[Limit], together: Sequence[Limit]) -> Reached | None:
        """Count a message of this person, if there is room for it; else the limit that is reached.

        ``each`` are the limits on every person, ``together`` those on everybody. What is refused does not
        count.
        """
        moment = self._clock()
        with self._store.alone(_LOCK) as connection:
            full = reached(
                together, _spent(connection, _EVERYBODY, moment), moment, everybody=True
            ) or reached(each, _spent(connection, who, moment), moment, everybody=False)
            if full is None:
                _add(connection, who, Spent(messages=1), moment)
                _clear(connection, moment)
            return full

    def charge(self, who: str, tokens: float, dollars: float) -> None:
        """Count what an answer to this person took."""
        with self._store.alone(_LOCK) as connection:
            _add(connection, who, Spent(tokens=tokens, dollars=dollars), self._clock())

    def spent(self, who: str = _EVERYBODY) -> dict[Period, Spent]:
        """What this person, or everybody, spent in this minute and on this day."""
        with self._store.alone(_LOCK) as connection:
            return _spent(connection, who, self._clock())


def _spent(connection: sql.Connection, who: str, moment: float) -> dict[Period, Spent]:
    columns = sql.select(SPENT.c.messages, SPENT.c.tokens, SPENT.c.dollars)
    found: dict[Period, Spent] = {}
    for period in PERIODS:
        row = connection.execute(columns.where(_this(who, period, moment))).first()
        found[period] = Spent(*row) if row else Spent()
    return found


def _add(connection: sql.Connection, who: str, more: Spent, moment: float) -> None:
    values = {"messages": more.messages, "tokens": more.tokens, "dollars": more.dollars}
    sums = {name: SPENT.c[name] + value for name, value in values.items()}
    for each in (who, _EVERYBODY):
        for period in PERIODS:
            this = _this(each, period, moment)
            if not connection.execute(sql.update(SPENT).where(this).values(sums)).rowcount:
                row = {"who": each, "period": name_of(period, moment)} | values
                connection.execute(sql.insert(SPENT).values(row))


def _clear(connection: sql.Connection, moment: float) -> None:
    """Forget minutes that are over, and days that are long over; the name of a minute is the longer one."""
    minute = sql.func.length(SPENT.c.period) > len(name_of("day", moment))
    over = minute & (SPENT.c.period < name_of("minute", moment))
    connection.execute(sql.delete(SPENT).where(over | (SPENT.c.period < name_of("day", moment - _KEPT))))


def _this(who: str, period: Period, moment: float) -> sql.ColumnElement[bool]:
    return (SPENT.c.who == who) & (SPENT.c.period == name_of(period, moment))
