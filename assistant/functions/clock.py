"""What time it is somewhere.

Not here: the weather's or a booking's own idea of today. The one rule: a time zone's name is looked
up in the list of known names, and never used to open a file.
"""

from datetime import datetime
from difflib import get_close_matches
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from assistant import ToolError, tool


@tool(status="Looking at the clock in {time_zone}")
def get_current_time(time_zone: str) -> dict[str, str]:
    """Tell the current date, time and weekday in a time zone.

    Args:
        time_zone: An IANA time zone such as "Asia/Tokyo" or "UTC"; not a city by itself.

    Raises:
        ToolError: There is no such time zone; the text names those with similar names.
    """
    asked = time_zone.strip()[:64].casefold()
    zones = _zones()
    if asked not in zones:
        close = get_close_matches(asked, zones, n=3, cutoff=0.5) or ["asia/tokyo", "europe/paris"]
        hint = ", ".join(zones.get(name, name) for name in close)
        raise ToolError(f"There is no time zone of this name. Use an IANA name, such as {hint}.")
    now = datetime.now(ZoneInfo(zones[asked]))
    return {
        "time_zone": zones[asked],
        "local_time": now.isoformat(timespec="seconds"),
        "weekday": now.strftime("%A"),
    }


@cache
def _zones() -> dict[str, str]:
    """The names of all time zones, by their names without regard to case."""
    return {name.casefold(): name for name in sorted(available_timezones())}
