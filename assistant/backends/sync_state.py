"""What a backend notes about a thread, for each server that the thread has been on.

Not here: what is noted (``…_memory.py``, ``…_items.py``).

The one rule: notes about one server are never taken for notes about another.
"""

from typing import Any

from assistant.threads import Thread


def notes_about(thread: Thread, protocol: str, server: str, blank: dict[str, Any]) -> dict[str, Any]:
    """The notes as they stand in ``thread.backend_state``; those that are missing are as in ``blank``."""
    notes: dict[str, Any] = thread.backend_state.setdefault(protocol, {})
    if notes.get("server", server) != server:  # the thread has moved from another one
        notes = thread.backend_state.setdefault(f"{protocol} {server}", {})
    for name, value in blank.items():  # notes of an earlier version may lack something
        notes.setdefault(name, value)
    return notes
