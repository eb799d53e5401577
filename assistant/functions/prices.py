"""Prices of the sample hotels as a chart and a table: an example of a function that returns views.

Pandas and Altair come with Streamlit. They take 100 MB of memory, so they are imported in the function.
"""

from typing import Any

from assistant import tool
from assistant.functions.database import connect, find_city


@tool(status="Comparing hotel prices")
def hotel_prices(city: str | None = None) -> tuple[Any, Any]:
    """Compare the prices of hotels, in EUR for a room and night; the user sees a chart and a table.

    Args:
        city: The city's name, in English or its own language; all cities if not given.

    Raises:
        ToolError: The database does not have this city; the text lists its cities.
    """
    import altair as alt
    import pandas as pd  # type: ignore[import-untyped]

    query = """
        SELECT city.name AS City, hotel.name AS Hotel, stars AS Stars, price_per_night_eur AS "EUR per night"
        FROM hotel JOIN city ON city.id = hotel.city_id
        WHERE :city IS NULL OR city.id = :city
        ORDER BY price_per_night_eur, hotel.name
    """
    with connect() as database:
        parameters = {"city": find_city(database, city)["id"] if city else None}
        hotels = pd.DataFrame([dict(row) for row in database.execute(query, parameters)])
    area = hotels.City[0] if city else "all cities"
    chart = (
        alt.Chart(hotels, title=f"Hotel prices in {area}")
        .mark_bar()
        .encode(
            alt.X("EUR per night"),
            alt.Y("Hotel", title=None, sort="x").axis(labelLimit=200),
            alt.Color("Stars:O"),
            tooltip=["Hotel", "City", "Stars", "EUR per night"],
        )
    )
    return chart, hotels
