"""Events of the sample database; all of them are invented.

An event is stored with a weekday instead of a date, so that the sample never expires.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from assistant import tool
from assistant.functions.database import connect, find_city, today_in

Category = Literal["music", "food", "art", "market", "sport", "walk"]


@tool(status="Looking for events in {city}")
def find_events(
    city: str,
    first_day: date | None = None,
    days: Annotated[int, Field(ge=1, le=31)] = 7,
    category: Category | None = None,
) -> list[dict[str, str | int]]:
    """Find events in a city, ordered by time; prices in EUR, 0 is free.

    Args:
        city: The city's name, in English or its own language.
        first_day: The first day; today if not given or in the past.
        days: The number of days, the first included.
        category: The category; all categories if not given.

    Raises:
        ToolError: The database does not have this city; the text lists its cities.
    """
    query = """
        WITH RECURSIVE day (date) AS (
            SELECT :first_day UNION ALL SELECT date(date, '+1 day') FROM day LIMIT :days
        )
        SELECT day.date, starts_at, event.name, category, venue, city.name AS city, price_eur
        FROM day
        JOIN event ON event.weekday = CAST(strftime('%w', day.date) AS INTEGER)
        JOIN city ON city.id = event.city_id
        WHERE city.id = :city AND (:category IS NULL OR category = :category)
        ORDER BY day.date, starts_at
    """
    with connect() as database:
        place = find_city(database, city)
        today = today_in(place)
        parameters = {
            "city": place["id"],
            "first_day": max(first_day or today, today).isoformat(),
            "days": days,
            "category": category,
        }
        return [dict(row) for row in database.execute(query, parameters)]
