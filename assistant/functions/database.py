"""The sample database of hotels and events, built from ``trips.sql``.

Calls run in parallel on threads, so each opens its own connection. Values reach SQL only as parameters.
Bookings last until the process ends.
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

_build_lock = Lock()


@contextmanager
def connect() -> Iterator[sqlite3.Connection]:
    """Open a connection; an open transaction is committed at the end, or rolled back after an exception."""
    with _build_lock:  # parallel first calls build one database
        path = build()
    # Without an isolation level, sqlite3 does not begin transactions itself.
    with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as database, database:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA foreign_keys = ON")
        database.create_function("normalize", 1, normalize, deterministic=True)
        yield database


@cache
def build() -> Path:
    """Build the database on first use and return its path; it is deleted when the process exits."""
    directory = tempfile.mkdtemp(prefix="trips-")  # only readable by this user
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    path = Path(directory, "trips.sqlite")
    with closing(sqlite3.connect(path)) as database:
        database.executescript(Path(__file__).with_name("trips.sql").read_text("utf-8"))
    return path


def find_city(database: sqlite3.Connection, name: str) -> sqlite3.Row:
    """Return the city with this name, in any of its languages and spellings.

    Raises:
        ToolError: The database does not have this city; the text lists its cities.
    """
    query = """
        SELECT city.id, city.name, city.time_zone
        FROM city JOIN city_name ON city_name.city_id = city.id
        WHERE normalize(city_name.name) = ?
    """
    row: sqlite3.Row | None = database.execute(query, [normalize(name)]).fetchone()
    if row is None:
        cities = database.execute("SELECT name FROM city ORDER BY name").fetchall()
        names = ", ".join(city["name"] for city in cities)
        raise ToolError(f"The sample database does not have this city. Available cities: {names}.")
    return row


def today_in(city: sqlite3.Row) -> date:
    """Return today's date in the city's time zone."""
    return datetime.now(ZoneInfo(city["time_zone"])).date()


def normalize(name: str) -> str:
    """Return a name for comparison; SQLite itself ignores case for ASCII letters only."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
