"""The current time in a time zone.

The name of a time zone is looked up in the list of known names before it is used, because ``ZoneInfo`` opens
a file of that name.
"""

from datetime import datetime
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from assistant import ToolError, tool


@tool(status="Checking the time in {time_zone}")
def get_current_time(time_zone: str) -> dict[str, str]:
    """Get the current date, time and weekday in a time zone.

    Args:
        time_zone: An IANA time zone such as "Asia/Tokyo" or "UTC"; not a city by itself.

    Raises:
        ToolError: The time zone does not exist; the text suggests similar names.
    """
    key = time_zone.strip()[:64].casefold()
    zones = _zones()
    if key not in zones:
        similar = get_close_matches(key, zones, n=3, cutoff=0.5) or ["asia/tokyo", "europe/paris"]
        names = ", ".join(zones.get(name, name) for name in similar)
        raise ToolError(f"There is no such time zone. Use an IANA name, such as {names}.")
    now = datetime.now(ZoneInfo(zones[key]))
    return {
        "time_zone": zones[key],
        "local_time": now.isoformat(timespec="seconds"),
        "weekday": now.strftime("%A"),
    }


@cache
def _zones() -> dict[str, str]:
    """Return the names of all time zones by their case-folded names."""
    return {name.casefold(): name for name in sorted(available_timezones())}
