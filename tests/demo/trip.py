"""The trip planner's functions, as a request offers them to the built-in demo."""

from typing import Any

Json = dict[str, Any]


def function(name: str, description: str = "", strict: bool = True, **parameters: Json) -> Json:
    schema: Json = {"type": "object", "properties": parameters, "required": list(parameters)}
    schema["additionalProperties"] = False
    if not strict:
        schema["required"] = [key for key in parameters if "null" not in parameters[key]["type"]]
    return {
        "type": "function",
        "name": name,
        "description": description,
        "strict": strict,
        "parameters": schema,
    }


TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
MAYBE_TEXT: Json = {"type": ["string", "null"]}
MAYBE_WHOLE: Json = {"type": ["integer", "null"]}
UNIT: Json = {"type": ["string", "null"], "enum": ["celsius", "fahrenheit", None]}

WEATHER = function("get_weather", "Get the weather in a city. It is fresh.", city=TEXT, unit=UNIT)
HOTELS = function("find_hotels", "Find hotels.", city=TEXT, max_price=MAYBE_WHOLE, min_stars=MAYBE_WHOLE)
TRIP = [
    function("get_current_time", "Tell the time.", time_zone=TEXT),
    WEATHER,
    function("get_forecast", "Get a forecast.", city=TEXT, days=MAYBE_WHOLE, unit=UNIT),
    HOTELS,
    function("find_events", "Find events.", city=TEXT, first_day=MAYBE_TEXT),
    function("book_hotel", "Book a room.", hotel_id=WHOLE, guest=TEXT, check_in=TEXT, nights=WHOLE),
    function("calculate", "Calculate.", expression=TEXT),
]
