"""A function that counts how often it runs, for answers that are cut."""

import json
import threading
from collections import Counter
from typing import Any

from assistant import Tool, tool
from tests.servers.responses import call
from tests.waiting import until


def count_call(name: str) -> Any:
    return call("count", json.dumps({"name": name}))


def count_later_call(name: str) -> Any:
    arguments = {"name": name, "task_handle": f"task {name}"}
    return {**call("count_later", json.dumps(arguments)), "async": True}


def counting_later(ran: Counter[str]) -> Tool[..., Any]:
    """Return the function ``count_later``, which counts in the background."""

    @tool(background=True)
    def count_later(name: str) -> str:
        """Count in the background.

        Args:
            name: What.
        """
        ran[name] += 1
        return f"{name} is counted"

    return count_later


def wait_for_background() -> None:
    """Wait until no function runs in the background."""
    until(lambda: not any(thread.name == "function count_later" for thread in threading.enumerate()))


def counting() -> tuple[Tool[..., Any], Counter[str]]:
    """Return the function ``count``, and how often it has run with each name."""
    ran: Counter[str] = Counter()

    @tool
    def count(name: str) -> str:
        """Count.

        Args:
            name: What.
        """
        wait_for_background()  # so that its result goes with theirs
        ran[name] += 1
        return f"{name} is counted"

    return count, ran
