"""Read a thread that must be in a store."""

from assistant import Thread
from assistant.storage.store import Store


def load_stored(store: Store | None, thread_id: str) -> Thread:
    """Return a stored thread; fail if there is none, or no database."""
    assert store is not None
    thread = store.load(thread_id)
    assert thread is not None
    return thread
