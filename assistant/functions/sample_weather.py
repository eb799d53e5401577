"""Sample weather for use without a network, from ``sample_weather.json``.

The file has invented values in the format of Open-Meteo's responses, so that they are parsed as real ones are.
"""

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from assistant import ToolError
from assistant.functions.open_meteo import Model, Place, normalize


def read_sample(model: type[Model], city: str, unit: str) -> tuple[Place, Model, str]:
    """Return the place with this name, its weather parsed as this model, and a remark on the source.

    Raises:
        ToolError: The sample does not have this city; the text lists its cities.
    """
    sample = _sample()
    searched = normalize(city.partition(",")[0])
    for entry in sample["cities"]:
        names = [entry["place"]["name"], *entry["other_names"]]
        if searched in map(normalize, names):
            weather = entry["forecast"] if unit == "celsius" else _in_fahrenheit(entry["forecast"])
            source = (
                f"sample data for {date.fromisoformat(sample['date']):%d %b %Y}, because there is no network"
            )
            return Place.model_validate(entry["place"]), model.model_validate(weather), source
    cities = ", ".join(sorted(entry["place"]["name"] for entry in sample["cities"]))
    raise ToolError(
        f"There is no network, and the sample weather does not have this city. Available cities: {cities}."
    )


@cache
def _sample() -> dict[str, Any]:
    sample: dict[str, Any] = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
    return sample


def _in_fahrenheit(value: Any, name: str = "") -> Any:
    """Return a response with its temperatures converted."""
    match value:
        case dict():
            return {key: _in_fahrenheit(item, key) for key, item in value.items()}
        case list():
            return [_in_fahrenheit(item, name) for item in value]
        case int() | float() if name.startswith("temperature"):
            return round(value * 9 / 5 + 32, 1)
    return value
