"""The sample database of hotels and events, built from ``trips.sql``.

Not here: any function for a model; ``hotels.py`` and ``events.py`` ask the questions.

The one rule: values reach SQL as parameters only.

Calls run side by side on threads, so each has a connection of its own. Bookings last as long as the
process.
"""

import atexit
import shutil
import sqlite3
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from functools import cache
from pathlib import Path
from threading import Lock
from zoneinfo import ZoneInfo

from assistant import ToolError

_building = Lock()


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    """A connection whose open transaction is kept if the block ends well, and undone if not."""
    with _building:  # two first calls at once build one database
        path = build()
    # Without an isolation level sqlite3 begins no transaction by itself.
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as database, database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA foreign_keys = ON")
        database.create_function("folded", 1, folded, deterministic=True)
        yield database


@cache
def build() -> Path:
    """The path of the database, built at first use and removed with the process."""
    directory = tempfile.mkdtemp(prefix="trips-")  # private to this user
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = Path(directory, "trips.sqlite")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(Path(__file__).with_name("trips.sql").read_text("utf-8"))
    return path


def find_city(database: sqlite3.Connection, name: str) -> sqlite3.Row:
    """The city with this name, in any of the languages and spellings it is known by.

    Raises:
        ToolError: There is no such city; the text lists those there are.
    """
    query = """
        SELECT city.id, city.name, city.time_zone
        FROM city JOIN city_name ON city_name.city_id = city.id
        WHERE folded(city_name.name) = ?
    """
    row: sqlite3.Row | None = database.execute(query, [folded(name)]).fetchone()
    if row is None:
        cities = database.execute("SELECT name FROM city ORDER BY name").fetchall()
        known = ", ".join(city["name"] for city in cities)
        raise ToolError(f"The sample database does not have this city. It has: {known}.")
    return row


def today_in(city: sqlite3.Row) -> date:
    """Today's date by the city's own clock."""
    return datetime.now(ZoneInfo(city["time_zone"])).date()


def folded(name: str) -> str:
    """A name as it is compared: SQLite itself knows upper and lower case of ASCII only."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
