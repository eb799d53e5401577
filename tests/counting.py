"""A function that counts how often it runs, for answers that are cut."""

import json
from collections import Counter
from typing import Any

from assistant import Tool, tool
from tests.servers.responses import call


def count_call(name: str) -> Any:
    return call("count", json.dumps({"name": name}))


def counting() -> tuple[Tool[..., Any], Counter[str]]:
    """Return the function ``count``, and how often it has run with each name."""
    ran: Counter[str] = Counter()

    @tool
    def count(name: str) -> str:
        """Count.

        Args:
            name: What.
        """
        ran[name] += 1
        return f"{name} is counted"

    return count, ran
