"""Open-Meteo, a weather service that is free for non-commercial use and needs no key.

Not here: anything a model calls (``weather.py``), or any choice of host: a model names a city, never an
address. See https://open-meteo.com/en/docs for what is asked and answered.

The one rule: whatever goes wrong with the service becomes one sentence that says what to do now.
"""

import unicodedata
from datetime import date
from typing import TypeVar

import httpx2
from pydantic import BaseModel, FiniteFloat, ValidationError

from assistant import ToolError

GEOCODING_HOST = "https://geocoding-api.open-meteo.com"
FORECAST_HOST = "https://api.open-meteo.com"
TIMEOUT = httpx2.Timeout(10, connect=5)  # seconds


class Place(BaseModel):
    name: str
    country: str = ""  # the service leaves out what is empty
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


class _Daily(BaseModel):  # the last days may be known in part
    time: list[date]
    weather_code: list[int | None]
    temperature_2m_min: list[FiniteFloat | None]
    temperature_2m_max: list[FiniteFloat | None]
    precipitation_sum: list[FiniteFloat | None]


class Days(BaseModel):
    daily: _Daily


Answer = TypeVar("Answer", bound=BaseModel)


def find_place(city: str) -> Place:
    """The place of this name that the service ranks highest."""
    name = unicodedata.normalize("NFKC", city).strip()[:100]
    similar: list[Place] = []
    # The service compares with the names in the language it is asked in, hardly with others:
    # 東京 is found in Japanese only.
    for language in _languages(name):
        url = f"{GEOCODING_HOST}/v1/search"
        places = _ask(_Places, url, name=name, count=10, language=language).results
        for place in places:
            if _plain(place.name) == _plain(name.split(",")[0]):
                return place
        similar += places
    if not similar:
        raise ToolError("No city of this name is known. Check the spelling or use English.")
    return similar[0]


def _languages(name: str) -> list[str]:
    """The languages a name may be in, judged by its letters, most likely first."""
    scripts = {unicodedata.name(char, "?").split()[0] for char in name if char.isalpha()}
    for script, languages in _LANGUAGES.items():
        if script in scripts:
            return languages
    return ["en"] if name.isascii() else ["en", "de", "fr", "es"]


def _plain(name: str) -> str:
    """A name without accents, case and outer blanks."""
    letters = unicodedata.normalize("NFKD", name.strip())
    return "".join(char for char in letters if not unicodedata.combining(char)).casefold()


def forecast(answer: type[Answer], place: Place, **parameters: str | int) -> Answer:
    return _ask(
        answer,
        f"{FORECAST_HOST}/v1/forecast",
        latitude=place.latitude,
        longitude=place.longitude,
        timezone="auto",  # dates and times by the place's own clock
        **parameters,
    )


def _ask(answer: type[Answer], url: str, **parameters: str | float) -> Answer:
    """What the service answers, or a ToolError."""
    try:
        response = httpx2.get(url, params=parameters, timeout=TIMEOUT)
        response.raise_for_status()
        return answer.model_validate_json(response.content)
    except httpx2.TimeoutException:
        problem = "does not answer in time"
    except httpx2.HTTPStatusError as error:
        status = error.response.status_code
        problem = "has had too many questions" if status == 429 else f"fails with HTTP {status}"
    except httpx2.ConnectError:
        problem = "cannot be reached right now (no network)"
    except httpx2.RequestError:
        problem = "broke off the connection"
    except ValidationError:
        problem = "answered something that cannot be read"
    raise ToolError(f"The weather service {problem}, so the weather is unknown for now.")


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
