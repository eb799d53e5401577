"""Fares of the sample database: a slow search that the model does not wait for. All agencies are invented."""

import time

from assistant import progress, tool
from assistant.functions.database import connect, find_city

AGENCY_SECONDS = 2.0
"""How long each agency takes to answer: the sample waits as long as a real one would."""


@tool(background=True, status="Searching fares to {city}")
def search_fares(city: str) -> list[dict[str, str | int]]:
    """Search return flights to a city at five agencies, the cheapest first. It takes about ten seconds.

    Args:
        city: The city's name, in English or its own language.

    Raises:
        ToolError: The database does not have this city; the text lists its cities.
    """
    query = """
        SELECT agency.name AS agency, airline, stops, city.name AS city, price_eur * percent / 100 AS price_eur
        FROM fare JOIN city ON city.id = fare.city_id JOIN agency
        WHERE city.id = ?
        ORDER BY agency.name
    """
    with connect() as database:
        fares = [dict(row) for row in database.execute(query, [find_city(database, city)["id"]])]
    for number, fare in enumerate(fares):
        progress(f"{fare['agency']} ({number + 1} of {len(fares)})", number / len(fares))
        time.sleep(AGENCY_SECONDS)
    return sorted(fares, key=lambda fare: fare["price_eur"])
