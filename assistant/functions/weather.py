"""The weather in a city, now and for the next days, from Open-Meteo; without a network, sample data."""

from typing import Annotated, Literal

from pydantic import Field

from assistant import tool
from assistant.functions.open_meteo import Days, Model, Now, Place, Unreachable, find_place, forecast
from assistant.functions.sample_weather import read_sample

Unit = Literal["celsius", "fahrenheit"]


@tool(status="Checking the weather in {city}")
def get_weather(city: str, unit: Unit = "celsius") -> dict[str, str | float]:
    """Get the current weather in a city: temperature, condition, wind in km/h, humidity, local time.

    A "source" in the result says that the data is not live; tell the user.

    Args:
        city: The city's name, preferably in English; "Springfield, Illinois" selects one of several.
        unit: The unit of the temperature.

    Raises:
        ToolError: There is no such city, or the service fails.
    """
    variables = "temperature_2m,weather_code,wind_speed_10m,relative_humidity_2m"
    place, weather, source = _read(Now, city, unit, current=variables)
    now = weather.current
    return {
        "city": place.name,
        "country": place.country,
        "local_time": now.time,
        "temperature": now.temperature_2m,
        "unit": unit,
        "condition": _CONDITIONS.get(now.weather_code, "unknown"),
        "wind_kmh": now.wind_speed_10m,
        "humidity_percent": now.relative_humidity_2m,
        **source,
    }


@tool(status="Checking the forecast for {city}")
def get_forecast(
    city: str, days: Annotated[int, Field(ge=1, le=16)] = 3, unit: Unit = "celsius"
) -> list[dict[str, str | float | None]]:
    """Get the weather forecast for a city, one row per day from today; precipitation in mm.

    A "source" in the rows says that the data is not live; tell the user.

    Args:
        city: The city's name, preferably in English; "Springfield, Illinois" selects one of several.
        days: The number of days, today included.
        unit: The unit of the temperatures.

    Raises:
        ToolError: There is no such city, or the service fails.
    """
    variables = "weather_code,temperature_2m_min,temperature_2m_max,precipitation_sum"
    place, weather, source = _read(Days, city, unit, daily=variables, forecast_days=days)
    daily = weather.daily
    return [
        {
            "city": place.name,
            "date": day.isoformat(),
            "condition": _CONDITIONS.get(code, "unknown"),
            "min": low,
            "max": high,
            "unit": unit,
            "precipitation_mm": precipitation,
            **source,
        }
        for day, code, low, high, precipitation in zip(
            daily.time[:days],  # the sample has more
            daily.weather_code,
            daily.temperature_2m_min,
            daily.temperature_2m_max,
            daily.precipitation_sum,
            strict=False,  # the shortest variable ends the forecast
        )
    ]


def _read(
    model: type[Model], city: str, unit: Unit, **parameters: str | int
) -> tuple[Place, Model, dict[str, str]]:
    """Return the place, its weather, and a remark on the source if it is the sample."""
    try:
        place = find_place(city)
        return place, forecast(model, place, temperature_unit=unit, **parameters), {}
    except Unreachable:
        place, weather, source = read_sample(model, city, unit)
        return place, weather, {"source": source}


# Weather codes of the World Meteorological Organization.
_CONDITIONS: dict[int | None, str] = {
    0: "clear sky",
    1: "mainly clear",
    2: "partly cloudy",
    3: "overcast",
    45: "fog",
    48: "freezing fog",
    51: "light drizzle",
    53: "drizzle",
    55: "dense drizzle",
    56: "light freezing drizzle",
    57: "freezing drizzle",
    61: "light rain",
    63: "rain",
    65: "heavy rain",
    66: "light freezing rain",
    67: "freezing rain",
    71: "light snow",
    73: "snow",
    75: "heavy snow",
    77: "snow grains",
    80: "light rain showers",
    81: "rain showers",
    82: "violent rain showers",
    85: "light snow showers",
    86: "heavy snow showers",
    95: "thunderstorm",
    96: "thunderstorm with light hail",
    99: "thunderstorm with heavy hail",
}
