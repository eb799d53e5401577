"""Questions to the sample database in SQL: an example of a function that takes free text with a grammar.

A server that knows grammars lets the model write nothing else. The function does not rely on it: its connection can
only read, and only the tables that it lists.
"""

import sqlite3
from contextlib import closing
from itertools import count

from assistant import ToolError, tool
from assistant.functions.database import build

TABLES = ("city", "hotel", "event")
"""The tables that may be read; bookings, which name guests, are not among them."""

MAX_ROWS = 100

MAX_STEPS = 1_000
"""Maximum length of a query's work, in thousands of the database's instructions."""

MAX_ERROR_CHARS = 300  # an error quotes the query

GRAMMAR = r"""
start: "SELECT " columns " FROM " TABLE join* where? group? order? limit?
columns: "*" | column (", " column)*
column: value (" AS " NAME)?
join: " JOIN " TABLE " ON " name " = " name
where: " WHERE " condition ((" AND " | " OR ") condition)*
condition: value " " OPERATOR " " value
group: " GROUP BY " name (", " name)*
order: " ORDER BY " value " DESC"? (", " value " DESC"?)*
limit: " LIMIT " INTEGER
value: "COUNT(*)" | FUNCTION "(" name ")" | name | INTEGER | STRING
name: (TABLE ".")? NAME
TABLE: "city" | "hotel" | "event"
FUNCTION: "MIN" | "MAX" | "AVG" | "SUM" | "COUNT"
OPERATOR: "=" | "<" | "<=" | ">" | ">=" | "<>" | "LIKE"
NAME: /[a-z_]+/
INTEGER: /[0-9]{1,9}/
STRING: /'[^'\n]{0,80}'/
"""


@tool(grammar=GRAMMAR, status="Querying the database")
def query_trips(sql: str) -> list[dict[str, str | int | float | None]]:
    """Query the sample database of hotels and events, for questions that no other function answers.

    Tables: city (id, name, time_zone); hotel (id, city_id, name, stars, price_per_night_eur, rooms);
    event (id, city_id, name, category, venue, weekday from 0 for Sunday, starts_at, price_eur).

    Args:
        sql: One SELECT statement for SQLite.

    Raises:
        ToolError: It is not a statement that can be run here; the text says why.
    """
    if not sql.strip():
        raise ToolError("There is nothing to run; write a SELECT statement.")
    steps = count()
    with closing(sqlite3.connect(build())) as database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA query_only = ON")
        database.set_authorizer(_authorize)
        database.set_progress_handler(lambda: next(steps) >= MAX_STEPS, 1_000)
        try:
            rows = database.execute(sql).fetchmany(MAX_ROWS + 1)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise ToolError(_reason(str(error)[:MAX_ERROR_CHARS].rstrip("."))) from None
    if len(rows) > MAX_ROWS:
        raise ToolError(f"The query returns more than {MAX_ROWS} rows. Add a condition or a LIMIT.")
    return [dict(row) for row in rows]


def _reason(error: str) -> str:
    if error == "interrupted":
        return "The query takes too long. Add a condition or a LIMIT."
    if "prohibited" in error or "not authorized" in error:
        return f"The query is not allowed: {error}. Only read these tables: {', '.join(TABLES)}."
    return f"The query cannot be run: {error}."


def _authorize(action: int, name: str | None, detail: str | None, *_: str | None) -> int:
    """Allow what reads the tables, and functions of SQL but those that load code."""
    match action:
        case sqlite3.SQLITE_SELECT:
            return sqlite3.SQLITE_OK
        case sqlite3.SQLITE_READ if name in TABLES:
            return sqlite3.SQLITE_OK
        case sqlite3.SQLITE_FUNCTION if detail != "load_extension":
            return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY
