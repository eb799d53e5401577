"""The example functions: their results and errors.

The weather is asked over a real connection, from a server that answers as Open-Meteo does.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date, datetime, timedelta
from threading import Barrier, BrokenBarrierError, Event
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

import httpx2
import pytest
from pydantic import ValidationError

import assistant.functions
from assistant import Toolbox, ToolError
from assistant.functions import calculator, database
from assistant.functions import open_meteo as service
from assistant.functions.calculator import calculate
from assistant.functions.clock import get_current_time
from assistant.functions.currency import convert_currency
from assistant.functions.events import find_events
from assistant.functions.hotels import book_hotel, find_hotels
from assistant.functions.trip_query import GRAMMAR, TABLES, query_trips
from assistant.functions.weather import get_forecast, get_weather
from tests.servers.loopback import LoopbackServer, QuietHandler

HOSTILE = [
    pytest.param("'; DROP TABLE hotel; --", id="a second statement"),
    pytest.param("Oslo' OR '1'='1", id="a condition"),
    pytest.param("%", id="a wildcard"),
    pytest.param("", id="nothing"),
    pytest.param("\0", id="NUL"),
    pytest.param("🏨", id="emoji"),
    pytest.param("x" * 1_000_000, id="a million letters"),
]
CITIES = "Berlin, Kyoto, Lisbon, London, New York, Osaka, Oslo, Paris, Sydney, Tokyo"
NO_SUCH_CITY = f"The sample database does not have this city. Available cities: {CITIES}."


def refusal(function: Callable[..., object], *arguments: object, **named: object) -> str:
    """Return the text of the function's ``ToolError``."""
    with pytest.raises(ToolError) as caught:
        function(*arguments, **named)
    return str(caught.value)


# --- the folder ---------------------------------------------------------------------------------


EXAMPLES = {
    "calculate",
    "get_current_time",
    "find_events",
    "find_hotels",
    "book_hotel",
    "get_weather",
    "get_forecast",
    "hotel_prices",
    "query_trips",
    "convert_currency",
}


def test_every_example_is_discovered_strict_and_documented() -> None:
    tools = Toolbox.from_package(assistant.functions)
    assert set(tools) >= EXAMPLES
    for tool in (tools[name] for name in EXAMPLES):
        assert tool.strict
        assert tool.description
        for parameter in tool.parameters["properties"].values():
            assert parameter["description"]


# --- clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Asia/Tokyo", "asia/tokyo", " ASIA/TOKYO "])
def test_the_clock_tells_the_time_in_a_zone(name: str) -> None:
    answer = get_current_time(name)
    local = datetime.fromisoformat(answer["local_time"])
    assert answer == {
        "time_zone": "Asia/Tokyo",
        "local_time": local.isoformat(),
        "weekday": local.strftime("%A"),
    }
    assert local.utcoffset() == timedelta(hours=9)
    assert abs(datetime.now(ZoneInfo("Asia/Tokyo")) - local) < timedelta(seconds=5)


def test_an_unknown_zone_is_refused_with_similar_names() -> None:
    text = "There is no such time zone. Use an IANA name, such as Asia/Tokyo, "
    assert refusal(get_current_time, "Asia/Tokio").startswith(text)
    assert "Asia/Tokyo" in refusal(get_current_time, "Tokyo")
    assert "America/New_York" in refusal(get_current_time, "New York")


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "Europe", "東京", *HOSTILE])
def test_a_zone_that_is_a_path_or_nonsense_is_refused(name: str) -> None:
    assert refusal(get_current_time, name).startswith("There is no such time zone.")


# --- calculator ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * -3", -9),
        ("7 / 2", 3.5),
        ("7 // 2 + 7 % 4", 6),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("-" * 499 + "1", -1),
        ("sqrt(16) + abs(-3)", 7.0),
        ("round(2 / 3, 2)", 0.67),
        ("min(3, 1, 2) + max(1, 5)", 6),
        ("round(pi * 2 + e)", 9),
        ("6 × 7 ÷ 2 − 1", 20.0),
        ("１２＋（３＊４）", 24),
        ("9 ** 1000 // 9 ** 999", 9),
        ("1e3", 1000.0),
    ],
)
def test_arithmetic_is_calculated(expression: str, answer: float) -> None:
    assert calculate(expression) == answer
    assert type(calculate(expression)) is type(answer)


TOO_LARGE = "The result or an intermediate result is too large."
NOT_ARITHMETIC = (
    "This is not an arithmetic expression. "
    "Use numbers, + - * / // % **, parentheses, sqrt, round, min, max, abs, pi and e."
)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1 / 0", "Division by zero has no result."),
        ("5 % 0", "Division by zero has no result."),
        ("9**9**9", TOO_LARGE),
        ("9**9**9**9 * 0", TOO_LARGE),
        ("10 ** 10000", TOO_LARGE),
        ("(10 ** 900) ** 900", TOO_LARGE),
        ("2.0 ** 100000", TOO_LARGE),
        ("1e999", TOO_LARGE),
        ("1e308 * 10", TOO_LARGE),
        ("round(1, -10 ** 9)", TOO_LARGE),
        ("(-8) ** 0.5", "The result is not a real number."),
        ("1,234 + 1", "Write numbers without thousands separators: 1234.5, not 1,234.5."),
        ("2 ^ 3", "Write powers with **, not with ^."),
        ("1+" * 300 + "1", "The expression is longer than 500 characters; split it."),
        ("x" * 1_000_000, "The expression is longer than 500 characters; split it."),
        ("", NOT_ARITHMETIC),
        ("3²", NOT_ARITHMETIC),
        ("1 +", NOT_ARITHMETIC),
        ("1\0", NOT_ARITHMETIC),
        ("🧮", NOT_ARITHMETIC),
        ("sqrt(-1)", NOT_ARITHMETIC),
        ("min(1)", NOT_ARITHMETIC),
    ],
)
def test_an_expression_without_a_bounded_value_is_refused(expression: str, text: str) -> None:
    assert refusal(calculate, expression) == text


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os')",
        "(1).__class__",
        "'a' * 9",
        "[1][0]",
        "lambda: 1",
        "True",
        "1j",
        "exec(1)",
        "max(*pi)",
        "round(1, ndigits=1)",
        "1 if 2 else 3",
    ],
)
def test_code_is_not_arithmetic(expression: str) -> None:
    assert "is not supported" in refusal(calculate, expression)


def test_nesting_that_is_too_deep_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(calculate, "(" * 249 + "1" + ")" * 249) == NOT_ARITHMETIC
    monkeypatch.setattr(calculator, "MAX_EXPRESSION_CHARS", 10_000)
    assert refusal(calculate, "-" * 5_000 + "1") == "The expression is nested too deeply; split it."


# --- hotels and events --------------------------------------------------------------------------


@pytest.fixture
def bookings() -> Iterator[None]:
    """A sample database without the bookings of other tests."""
    database.build.cache_clear()
    yield
    database.build.cache_clear()


def rows(query: str) -> list[tuple[Any, ...]]:
    with database.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def in_days(days: int) -> date:
    """Return a date relative to today in Kyoto."""
    return datetime.now(ZoneInfo("Asia/Tokyo")).date() + timedelta(days=days)


@pytest.mark.usefixtures("bookings")
def test_parallel_first_calls_build_one_database() -> None:
    together = Barrier(4)

    def find(city: str) -> int:
        together.wait(timeout=5)
        return len(find_hotels(city))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(find, ["Tokyo", "Oslo", "Paris", "Berlin"])) == [4, 4, 4, 4]
    assert database.build.cache_info().misses == 1


def test_hotels_are_found_cheapest_first() -> None:
    assert find_hotels("Kyoto", max_price=205, min_stars=3) == [
        {
            "hotel_id": 21,
            "name": "Inn of the Slow Brook",
            "city": "Kyoto",
            "stars": 3,
            "price_per_night_eur": 124,
        },
        {
            "hotel_id": 23,
            "name": "Hotel Paper Maple",
            "city": "Kyoto",
            "stars": 4,
            "price_per_night_eur": 205,
        },
    ]
    assert [hotel["hotel_id"] for hotel in find_hotels("Kyoto")] == [22, 21, 23, 24]
    assert find_hotels("Kyoto", max_price=1) == []


@pytest.mark.parametrize(
    ("name", "city"),
    [
        ("東京", "Tokyo"),
        ("TŌKYŌ", "Tokyo"),
        ("パリ", "Paris"),
        ("ﾊﾟﾘ", "Paris"),
        ("オスロ", "Oslo"),
        ("ニューヨーク", "New York"),
        ("  new   york ", "New York"),
        ("Ｌｉｓｂｏａ", "Lisbon"),
    ],
)
def test_a_city_is_found_under_many_names(name: str, city: str) -> None:
    assert {hotel["city"] for hotel in find_hotels(name)} == {city}
    assert {event["city"] for event in find_events(name)} == {city}


@pytest.mark.parametrize("name", ["Atlantis", *HOSTILE])
def test_an_unknown_city_is_refused_with_the_available_cities(name: str) -> None:
    assert refusal(find_hotels, name) == NO_SUCH_CITY
    assert refusal(find_events, name) == NO_SUCH_CITY
    assert rows("SELECT count(*) FROM hotel") == [(40,)]


def test_every_city_has_hotels_and_events() -> None:
    for city in CITIES.split(", "):
        assert len(find_hotels(city)) == 4
        assert len(find_events(city)) == 4


def test_events_repeat_every_week() -> None:
    monday = in_days(7 - in_days(0).weekday())
    concert = {
        "starts_at": "19:00",
        "name": "Flute by Candlelight",
        "category": "music",
        "venue": "Cedar Hall",
        "city": "Kyoto",
        "price_eur": 22,
    }
    assert find_events("京都", first_day=monday, days=14, category="music") == [
        {"date": (monday + timedelta(days=4)).isoformat(), **concert},
        {"date": (monday + timedelta(days=11)).isoformat(), **concert},
    ]
    assert find_events("京都", first_day=monday, days=1) == []


def test_events_in_the_past_are_not_listed() -> None:
    assert find_events("Oslo", first_day=date(1999, 1, 1)) == find_events("Oslo")
    assert find_events("Oslo", first_day=date.max, days=31) == []


@pytest.mark.usefixtures("bookings")
def test_a_booking_is_confirmed_and_stored() -> None:
    assert book_hotel(23, "Ada 🌸 O'Neil", in_days(10), 3) == {
        "confirmation": "TRIP-0001",
        "hotel": "Hotel Paper Maple",
        "city": "Kyoto",
        "guest": "Ada 🌸 O'Neil",
        "check_in": in_days(10).isoformat(),
        "check_out": in_days(13).isoformat(),
        "nights": 3,
        "total_price_eur": 615,
    }
    assert rows("SELECT * FROM booking") == [
        (1, 23, "Ada 🌸 O'Neil", in_days(10).isoformat(), in_days(13).isoformat(), 615)
    ]


@pytest.mark.usefixtures("bookings")
def test_a_room_is_free_again_on_the_day_of_departure() -> None:
    book_hotel(21, "Ada", in_days(10), 2)
    assert refusal(book_hotel, 21, "Bob", in_days(9), 5) == (
        f"Inn of the Slow Brook is fully booked on the night of {in_days(10)}. "
        "Offer other dates or another hotel."
    )
    assert book_hotel(21, "Bob", in_days(12), 1)["confirmation"] == "TRIP-0002"
    assert book_hotel(21, "Cho", in_days(9), 1)["confirmation"] == "TRIP-0003"


@pytest.mark.usefixtures("bookings")
def test_only_one_of_two_threads_gets_the_last_room(monkeypatch: pytest.MonkeyPatch) -> None:
    together, today_in = Barrier(2), database.today_in

    def pause_before_deciding(city: Any) -> date:
        with suppress(BrokenBarrierError):
            together.wait(0.05)  # times out, unless both read the same state of the database
        return today_in(city)

    monkeypatch.setattr("assistant.functions.hotels.today_in", pause_before_deciding)

    def book(guest: str) -> str:
        try:
            return str(book_hotel(21, guest, in_days(10), 1)["confirmation"])
        except ToolError:
            return "refused"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(book, ["Ada", "Bob"])) == ["TRIP-0001", "refused"]
    assert rows("SELECT count(*) FROM booking") == [(1,)]


@pytest.mark.usefixtures("bookings")
def test_an_impossible_booking_is_refused_and_stores_nothing() -> None:
    times = f"Check-in is possible from today, {in_days(0)}, to a year ahead."
    assert refusal(book_hotel, 999, "Ada", in_days(10), 1) == (
        "There is no hotel 999. Use a hotel_id from find_hotels."
    )
    assert refusal(book_hotel, 21, "Ada", in_days(-1), 1) == times
    assert refusal(book_hotel, 21, "Ada", date.max, 30) == times
    assert rows("SELECT count(*) FROM booking") == [(0,)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"nights": 0},
        {"nights": 31},
        {"guest": "  "},
        {"guest": "x" * 101},
        {"hotel_id": 10**30},
        {"check_in": "soon"},
    ],
)
def test_arguments_out_of_bounds_never_reach_the_booking(wrong: dict[str, Any]) -> None:
    right = {"hotel_id": 21, "guest": "Ada", "check_in": "2030-01-01", "nights": 1}
    assert book_hotel.bind(right)["check_in"] == date(2030, 1, 1)
    with pytest.raises(ValidationError):
        book_hotel.bind(right | wrong)


# --- weather ------------------------------------------------------------------------------------


def place(name: str, country: str, latitude: float, longitude: float) -> dict[str, Any]:
    return {"id": 1, "name": name, "latitude": latitude, "longitude": longitude, "country": country}


PLACES = {
    ("Tokyo", "en"): [place("Tokyo", "Japan", 35.6895, 139.69171)],
    ("東京", "ja"): [place("東京", "日本", 35.6895, 139.69171)],
    ("München", "en"): [place("Münchenstein", "Switzerland", 47.5, 7.6)],
    ("München", "de"): [place("München", "Deutschland", 48.13743, 11.57549)],
    ("NYC", "en"): [place("New York", "United States", 40.71427, -74.00597)],
    ("Springfield, Illinois", "en"): [place("Springfield", "United States", 39.8, -89.6)],
}
CURRENT = {
    "latitude": 35.7,
    "timezone": "Asia/Tokyo",
    "current_units": {"temperature_2m": "°C", "wind_speed_10m": "km/h"},
    "current": {
        "time": "2026-11-23T21:00",
        "interval": 900,
        "temperature_2m": 11.4,
        "weather_code": 61,
        "wind_speed_10m": 7.9,
        "relative_humidity_2m": 68,
    },
}
DAILY = {
    "daily": {
        "time": ["2026-11-23", "2026-11-24"],
        "weather_code": [3, None],
        "temperature_2m_min": [6.1, 5.0],
        "temperature_2m_max": [13.2, 14.8],
        "precipitation_sum": [0.0, None],
    }
}


class OpenMeteo(LoopbackServer):
    """A local server that plays Open-Meteo, or fails as ``broken`` says."""

    def __init__(self) -> None:
        super().__init__(Answers)
        self.begin()

    def begin(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.broken: tuple[int, str] | None = None
        self.silent = False
        self.over = Event()


class Answers(QuietHandler):
    server: OpenMeteo

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.server.requests.append(query)
        if self.server.silent:
            self.server.over.wait(5)
            return
        status, body = self.server.broken or (200, json.dumps(self.answer(url.path, query)))
        self._send(status, body.encode(), (("location", "http://127.0.0.1:9/elsewhere"),))

    def answer(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        if path == "/v1/search":
            found = PLACES.get((query["name"], query["language"]))
            nothing = {"generationtime_ms": 0.5}  # the service leaves out a list that is empty
            return {"results": found, **nothing} if found else nothing
        assert path == "/v1/forecast"
        return CURRENT if "current" in query else DAILY


@pytest.fixture(scope="module")
def server() -> Iterator[OpenMeteo]:
    with OpenMeteo() as server:
        yield server


@pytest.fixture
def open_meteo(server: OpenMeteo, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenMeteo]:
    server.begin()
    monkeypatch.setattr(service, "GEOCODING_HOST", server.url)
    monkeypatch.setattr(service, "FORECAST_HOST", server.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.over.set()


def test_the_weather_in_a_city_now(open_meteo: OpenMeteo) -> None:
    assert get_weather("Tokyo") == {
        "city": "Tokyo",
        "country": "Japan",
        "local_time": "2026-11-23T21:00",
        "temperature": 11.4,
        "unit": "celsius",
        "condition": "light rain",
        "wind_kmh": 7.9,
        "humidity_percent": 68.0,
    }
    assert open_meteo.requests == [
        {"name": "Tokyo", "count": "10", "language": "en"},
        {
            "latitude": "35.6895",
            "longitude": "139.69171",
            "timezone": "auto",
            "temperature_unit": "celsius",
            "current": "temperature_2m,weather_code,wind_speed_10m,relative_humidity_2m",
        },
    ]


def test_the_forecast_has_a_row_for_each_day(open_meteo: OpenMeteo) -> None:
    assert get_forecast("Tokyo", days=2, unit="fahrenheit") == [
        {
            "city": "Tokyo",
            "date": "2026-11-23",
            "condition": "overcast",
            "min": 6.1,
            "max": 13.2,
            "unit": "fahrenheit",
            "precipitation_mm": 0.0,
        },
        {
            "city": "Tokyo",
            "date": "2026-11-24",
            "condition": "unknown",
            "min": 5.0,
            "max": 14.8,
            "unit": "fahrenheit",
            "precipitation_mm": None,
        },
    ]
    assert open_meteo.requests[1] == {
        "latitude": "35.6895",
        "longitude": "139.69171",
        "timezone": "auto",
        "temperature_unit": "fahrenheit",
        "daily": "weather_code,temperature_2m_min,temperature_2m_max,precipitation_sum",
        "forecast_days": "2",
    }


@pytest.mark.parametrize(
    ("name", "found", "languages"),
    [
        ("東京", "東京", ["ja"]),
        ("München", "München", ["en", "de"]),
        ("NYC", "New York", ["en"]),
        ("Springfield, Illinois", "Springfield", ["en"]),
        ("ＴＯＫＹＯ".title(), "Tokyo", ["en"]),
    ],
)
def test_a_city_is_searched_in_the_language_of_its_letters(
    open_meteo: OpenMeteo, name: str, found: str, languages: list[str]
) -> None:
    assert get_weather(name)["city"] == found
    assert [query["language"] for query in open_meteo.requests[:-1]] == languages


@pytest.mark.parametrize("name", ["アトランティス", *HOSTILE])
def test_the_weather_of_an_unknown_city_is_refused(open_meteo: OpenMeteo, name: str) -> None:
    text = "There is no city with this name. Check the spelling or use English."
    assert refusal(get_weather, name) == text


UNREADABLE = "returned an invalid response"


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (429, '{"error": true, "reason": "limit"}', "received too many requests"),
        (500, "oops", "failed with HTTP 500"),
        (400, '{"error": true, "reason": "no"}', "failed with HTTP 400"),
        (302, "", "failed with HTTP 302"),
        (200, "<html>", UNREADABLE),
        (200, "", UNREADABLE),
        (200, "[]", UNREADABLE),
        (200, '{"results": [{"name": "Tokyo", "latitude": NaN, "longitude": 1}]}', UNREADABLE),
        (200, '{"results": "none"}', UNREADABLE),
    ],
)
def test_a_failing_service_becomes_one_sentence_for_the_model(
    open_meteo: OpenMeteo, status: int, body: str, problem: str
) -> None:
    open_meteo.broken = (status, body)
    text = f"The weather service {problem}, so the weather is unknown for now."
    assert refusal(get_weather, "Tokyo") == text
    assert len(open_meteo.requests) == 1  # no second try, and no redirect followed


def test_a_broken_connection_has_its_own_sentence(open_meteo: OpenMeteo) -> None:
    open_meteo.silent = True
    open_meteo.over.set()
    assert refusal(get_forecast, "Tokyo") == (
        "The weather service closed the connection, so the weather is unknown for now."
    )


def test_a_silent_service_times_out(open_meteo: OpenMeteo, monkeypatch: pytest.MonkeyPatch) -> None:
    open_meteo.silent = True
    monkeypatch.setattr(service, "TIMEOUT", httpx2.Timeout(0.05))
    assert refusal(get_weather, "Tokyo") == (
        "The weather service did not respond in time, so the weather is unknown for now."
    )


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """No network; the result is the clock, to which a test adds seconds."""
    clock = [1000.0]
    with OpenMeteo() as closed:
        for name in ("GEOCODING_HOST", "FORECAST_HOST"):
            monkeypatch.setattr(service, name, closed.url)
    monkeypatch.setattr(service, "offline_until", {})
    monkeypatch.setattr(service, "monotonic", lambda: clock[0])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return clock


SAMPLE = "sample data for 24 Nov 2026, because there is no network"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["Tokyo", "東京", "Токио", "도쿄", "tōkyō", "Tokyo, Japan"])
def test_without_a_network_the_weather_is_sample_data_and_says_so(name: str) -> None:
    assert get_weather(name) == {
        "city": "Tokyo",
        "country": "Japan",
        "local_time": "2026-11-24T21:00",
        "temperature": 13.7,
        "unit": "celsius",
        "condition": "partly cloudy",
        "wind_kmh": 8.3,
        "humidity_percent": 54.0,
        "source": SAMPLE,
    }
    assert get_weather(name, unit="fahrenheit")["temperature"] == 56.7


@pytest.mark.usefixtures("offline")
def test_without_a_network_the_forecast_is_sample_data_and_says_so() -> None:
    days = get_forecast("Kyoto", days=5)
    assert [day["date"] for day in days] == [f"2026-11-{number}" for number in range(24, 29)]
    assert {day["source"] for day in days} == {SAMPLE}
    assert len(get_forecast("京都", days=16)) == 16


@pytest.mark.usefixtures("offline")
def test_without_a_network_a_city_that_the_sample_lacks_is_refused_with_those_that_it_has() -> None:
    text = refusal(get_weather, "Timbuktu")
    assert text.startswith(
        "There is no network, and the sample weather does not have this city. Available cities: Berlin, "
    )
    assert refusal(get_forecast, "Timbuktu") == text
    listed = text.removesuffix(".").split(" Available cities: ")[1].split(", ")
    assert set(CITIES.split(", ")) <= set(listed)
    assert [get_weather(city)["city"] for city in listed] == listed


def test_an_unreachable_service_is_tried_again_after_a_while(
    offline: list[float], open_meteo: OpenMeteo, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OpenMeteo() as closed:
        monkeypatch.setattr(service, "GEOCODING_HOST", closed.url)
    assert get_weather("Tokyo")["source"] == SAMPLE
    service.offline_until[open_meteo.url] = service.offline_until[closed.url]
    monkeypatch.setattr(service, "GEOCODING_HOST", open_meteo.url)
    assert get_weather("Tokyo")["source"] == SAMPLE
    assert open_meteo.requests == [], "the network is not tried for every call"
    offline[0] += service.OFFLINE_SECONDS
    assert "source" not in get_weather("Tokyo")


# --- queries ------------------------------------------------------------------------------------------


def test_a_query_reads_the_database() -> None:
    rows = query_trips("SELECT name, stars FROM hotel WHERE city_id = 4 ORDER BY stars DESC LIMIT 1")
    assert rows == [{"name": "Le Palais Imaginaire", "stars": 5}]
    assert query_trips("SELECT COUNT(*) AS cities FROM city") == [{"cities": 10}]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM booking", "access to booking.id is prohibited"),
        ("DELETE FROM hotel", "not authorized"),
        ("PRAGMA query_only = OFF", "not authorized"),
        ("ATTACH 'x' AS y", "not authorized"),
        ("SELECT load_extension('x')", "not authorized"),
        ("SELECT name FROM sqlite_master", "prohibited"),
        ("SELECT 1; SELECT 2", "cannot be run"),
        ("SELECT name FROM nowhere", "no such table"),
        ("SELEC", "syntax error"),
        ("", "nothing to run"),
        ("SELECT a.id FROM event a, event b", "returns more than 100 rows"),
        ("SELECT COUNT(*) FROM event a, event b, event c, event d, event e", "takes too long"),
    ],
)
def test_a_query_that_is_not_for_reading_is_refused(sql: str, reason: str) -> None:
    assert reason in refusal(query_trips, sql)


def test_every_table_of_the_grammar_can_be_read() -> None:
    for table in TABLES:
        assert f'"{table}"' in GRAMMAR
        assert query_trips(f"SELECT id FROM {table} LIMIT 1")


# --- currencies ---------------------------------------------------------------------------------------


def test_an_amount_is_converted_by_the_sample_rates() -> None:
    assert convert_currency(100, "EUR", "JPY") == {
        "amount": 17_850.0,
        "currency": "JPY",
        "rates": "sample rates of 2 Nov 2026",
    }
    assert convert_currency(5, "USD", "USD")["amount"] == 5
