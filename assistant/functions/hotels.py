"""Hotels of the sample database: find one, book a room. All of them are invented.

Booking checks and takes a room in one transaction, so that parallel calls cannot book it twice.
"""

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from assistant import ToolError, tool
from assistant.functions.database import connect, find_city, today_in

HotelId = Annotated[int, Field(ge=1, le=9_999)]
Guest = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


@tool(programs=True, status="Looking for hotels in {city}")
def find_hotels(
    city: str,
    max_price: Annotated[float, Field(gt=0)] | None = None,
    min_stars: Annotated[int, Field(ge=1, le=5)] | None = None,
) -> list[dict[str, str | int]]:
    """Find hotels in a city, the cheapest first; prices in EUR for a room and night.

    Args:
        city: The city's name, in English or its own language.
        max_price: The highest price in EUR for a room and night.
        min_stars: The minimum number of stars, 1 to 5.

    Raises:
        ToolError: The database does not have this city; the text lists its cities.
    """
    query = """
        SELECT hotel.id AS hotel_id, hotel.name, city.name AS city, stars, price_per_night_eur
        FROM hotel JOIN city ON city.id = hotel.city_id
        WHERE city.id = :city
          AND (:max_price IS NULL OR price_per_night_eur <= :max_price)
          AND (:min_stars IS NULL OR stars >= :min_stars)
        ORDER BY price_per_night_eur, hotel.name
    """
    with connect() as database:
        parameters = {
            "city": find_city(database, city)["id"],
            "max_price": max_price,
            "min_stars": min_stars,
        }
        return [dict(row) for row in database.execute(query, parameters)]


@tool(approval=True, status="Booking hotel {hotel_id} for {guest}")
def book_hotel(
    hotel_id: HotelId, guest: Guest, check_in: date, nights: Annotated[int, Field(ge=1, le=30)]
) -> dict[str, str | int]:
    """Book one room in a hotel of the sample database and return the confirmation; price in EUR.

    Args:
        hotel_id: The hotel's number, as find_hotels returns it.
        guest: The guest's full name.
        check_in: The day of arrival, from today to a year ahead.
        nights: The number of nights.

    Raises:
        ToolError: The hotel does not exist, check_in is out of range, or a night is fully booked.
    """
    with connect() as database:
        database.execute("BEGIN IMMEDIATE")  # lock the database until the booking is stored
        hotel = database.execute(_HOTEL, [hotel_id]).fetchone()
        if hotel is None:
            raise ToolError(f"There is no hotel {hotel_id}. Use a hotel_id from find_hotels.")
        today = today_in(hotel)
        if not today <= check_in <= today + timedelta(days=365):
            raise ToolError(f"Check-in is possible from today, {today}, to a year ahead.")
        stay = {
            "hotel": hotel_id,
            "guest": guest,
            "check_in": check_in.isoformat(),
            "check_out": (check_in + timedelta(days=nights)).isoformat(),
            "nights": nights,
            "price": nights * hotel["price_per_night_eur"],
        }
        full_night = database.execute(_FULL_NIGHT, stay).fetchone()
        if full_night is not None:
            raise ToolError(
                f"{hotel['name']} is fully booked on the night of {full_night['date']}. Offer other dates or "
                "another hotel."
            )
        number = database.execute(_BOOK, stay).lastrowid
    return {
        "confirmation": f"TRIP-{number:04}",
        "hotel": hotel["name"],
        "city": hotel["city"],
        "guest": guest,
        "check_in": stay["check_in"],
        "check_out": stay["check_out"],
        "nights": nights,
        "total_price_eur": stay["price"],
    }


_HOTEL = """
    SELECT hotel.name, price_per_night_eur, city.name AS city, time_zone
    FROM hotel JOIN city ON city.id = hotel.city_id
    WHERE hotel.id = ?
"""

# The first night of the stay on which all rooms are booked.
_FULL_NIGHT = """
    WITH RECURSIVE night (date) AS (
        SELECT :check_in UNION ALL SELECT date(date, '+1 day') FROM night LIMIT :nights
    )
    SELECT night.date
    FROM night
    JOIN hotel ON hotel.id = :hotel
    JOIN booking ON booking.hotel_id = hotel.id
        AND booking.check_in <= night.date AND night.date < booking.check_out
    GROUP BY night.date
    HAVING count(*) >= hotel.rooms
    ORDER BY night.date
"""

_BOOK = """
    INSERT INTO booking (hotel_id, guest, check_in, check_out, price_eur)
    VALUES (:hotel, :guest, :check_in, :check_out, :price)
"""
