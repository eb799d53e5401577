"""Stored threads for the benchmark: a full list of short ones, and a long one.

The application itself creates them by talking to the model server.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

from assistant import Assistant, Thread, Toolbox, functions
from assistant.backends import open_backend
from assistant.settings import Settings
from assistant.storage.store import Store
from tests.bench.servers import Model

MANY = 40
"""More threads than the page lists at first."""


@contextmanager
def thread_list() -> Iterator[dict[str, str]]:
    """Return the setting that names a database of its own for a page."""
    with TemporaryDirectory() as folder:
        yield {"ASSISTANT_DATABASE_URL": f"sqlite:///{folder}/threads.sqlite"}


def fill(database: dict[str, str], model: Model, turns: int = 1) -> str:
    """Store many threads of one turn, and one of this many turns; return its id."""
    return keep(database, model, [*[1] * MANY, turns])[-1]


def keep(database: dict[str, str], model: Model, lengths: Iterable[int]) -> list[str]:
    """Store threads of this many turns with two calls each; return their ids."""
    ids: list[str] = []
    settings = Settings(api_key="sk-benchmark", base_url=model.url)
    backend, store = open_backend(settings), Store(database["ASSISTANT_DATABASE_URL"])
    assistant = Assistant(backend, Toolbox.from_package(functions))
    for length in lengths:
        thread = Thread()
        for _ in range(length):
            for _event in assistant.run(thread, "tokens=50 turn=0 calls=2"):
                pass
        store.save(thread, 0, backend_state=True)
        ids.append(thread.id)
    store.close()
    backend.close()
    return ids
