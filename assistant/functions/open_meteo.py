"""Open-Meteo, a weather service that is free for non-commercial use and needs no key.

See https://open-meteo.com/en/docs for requests and responses. The hosts are fixed: the model names a city,
never an address. Every failure of the service becomes a ``ToolError`` for the model.
"""

import ssl
import unicodedata
from datetime import date
from functools import cache
from time import monotonic
from typing import TypeVar

import httpx2
from pydantic import BaseModel, FiniteFloat, ValidationError

from assistant import ToolError

GEOCODING_HOST = "https://geocoding-api.open-meteo.com"
FORECAST_HOST = "https://api.open-meteo.com"
TIMEOUT = httpx2.Timeout(10, connect=2)  # seconds

OFFLINE_SECONDS = 60
"""How long an unreachable host is not tried again, so that parallel and later calls do not wait for it."""

offline_until: dict[str, float] = {}
"""When an unreachable host can be tried again, by ``time.monotonic``."""


class Unreachable(ToolError):
    """There is no connection to the service."""


class Place(BaseModel):
    name: str
    country: str = ""  # missing for some places
    latitude: FiniteFloat
    longitude: FiniteFloat


class _Places(BaseModel):
    results: list[Place] = []


class _Current(BaseModel):
    time: str
    temperature_2m: FiniteFloat
    weather_code: int
    wind_speed_10m: FiniteFloat
    relative_humidity_2m: FiniteFloat


class Now(BaseModel):
    current: _Current


class _Daily(BaseModel):  # values of the last days can be missing
    time: list[date]
    weather_code: list[int | None]
    temperature_2m_min: list[FiniteFloat | None]
    temperature_2m_max: list[FiniteFloat | None]
    precipitation_sum: list[FiniteFloat | None]


class Days(BaseModel):
    daily: _Daily


Model = TypeVar("Model", bound=BaseModel)


def find_place(city: str) -> Place:
    """Return the place with this name that the service ranks highest.

    Raises:
        ToolError: There is no such place, or the service fails.
        Unreachable: There is no network.
    """
    name = unicodedata.normalize("NFKC", city).strip()[:100]
    similar: list[Place] = []
    # The service searches names in one language: 東京 is found only with language="ja".
    for language in _languages(name):
        query: dict[str, str | int] = {"name": name, "count": 10, "language": language}
        places = _get(_Places, GEOCODING_HOST, "/v1/search", **query).results
        for place in places:
            if normalize(place.name) == normalize(name.split(",")[0]):
                return place
        similar += places
    if not similar:
        raise ToolError("There is no city with this name. Check the spelling or use English.")
    return similar[0]


def _languages(name: str) -> list[str]:
    """Return the languages that a name can be in by its letters, most likely first."""
    scripts = {unicodedata.name(char, "?").split()[0] for char in name if char.isalpha()}
    for script, languages in _LANGUAGES.items():
        if script in scripts:
            return languages
    return ["en"] if name.isascii() else ["en", "de", "fr", "es"]


def normalize(name: str) -> str:
    """Return a name without accents, case and surrounding spaces."""
    letters = unicodedata.normalize("NFKD", name.strip())
    return "".join(char for char in letters if not unicodedata.combining(char)).casefold()


def forecast(model: type[Model], place: Place, **parameters: str | int) -> Model:
    """Return the forecast for a place, parsed as this model.

    Raises:
        ToolError: The service fails.
        Unreachable: There is no network.
    """
    return _get(
        model,
        FORECAST_HOST,
        "/v1/forecast",
        latitude=place.latitude,
        longitude=place.longitude,
        timezone="auto",  # dates and times in the place's time zone
        **parameters,
    )


@cache
def _ssl_context() -> ssl.SSLContext:
    """Return one context for all requests; creating it takes 20 ms, because it loads all root certificates."""
    return httpx2.create_ssl_context()


def _get(model: type[Model], host: str, path: str, **parameters: str | float) -> Model:
    if monotonic() < offline_until.get(host, 0):
        raise Unreachable(_FAILURE.format("is unreachable (no network)"))
    try:
        response = httpx2.get(host + path, params=parameters, timeout=TIMEOUT, verify=_ssl_context())
        response.raise_for_status()
        return model.model_validate_json(response.content)
    except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError):
        offline_until[host] = monotonic() + OFFLINE_SECONDS
        raise Unreachable(_FAILURE.format("is unreachable (no network)")) from None
    except httpx2.TimeoutException:
        problem = "did not respond in time"
    except httpx2.HTTPStatusError as error:
        status = error.response.status_code
        problem = "received too many requests" if status == 429 else f"failed with HTTP {status}"
    except httpx2.RequestError:
        problem = "closed the connection"
    except ValidationError:
        problem = "returned an invalid response"
    raise ToolError(_FAILURE.format(problem))


_FAILURE = "The weather service {}, so the weather is unknown for now."

_LANGUAGES = {
    "HIRAGANA": ["ja"],
    "KATAKANA": ["ja"],
    "HANGUL": ["ko"],
    "CJK": ["ja", "zh"],
    "CYRILLIC": ["ru", "uk", "bg"],
    "GREEK": ["el"],
    "ARABIC": ["ar", "fa"],
    "HEBREW": ["he"],
    "THAI": ["th"],
    "DEVANAGARI": ["hi"],
}
