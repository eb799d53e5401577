"""Connections to PostgreSQL that are closed when the server is silent."""

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

T = TypeVar("T")

SILENCE_SECONDS = 15.0
"""Maximum time without anything from a server that is working; longer than it waits for a lock."""

RETRY_SECONDS = 10.0
"""Time for which a server that did not answer is not contacted again, so that not every page waits for it."""


class Connection(psycopg.Connection[Any]):
    """A connection that is closed when its server has been silent for ``SILENCE_SECONDS``.

    A frozen server does not apply its own timeouts, and its host still acknowledges packets, so no timeout of the
    network ends the connection.
    """

    def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        return super().wait(self._until_silent(gen), *args, **options)

    def _until_silent(self, steps: PQGen[T]) -> PQGen[T]:
        """Forward the steps of an operation; psycopg reports every tenth of a second that nothing has arrived."""
        heard_at = time.monotonic()
        ready: Any = None
        while True:
            try:
                step = steps.send(ready)
            except StopIteration as end:
                result: T = end.value
                return result
            ready = yield step
            if ready:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > SILENCE_SECONDS:
                self.close()
                raise psycopg.OperationalError(f"the server did not answer for {SILENCE_SECONDS:.0f} seconds")


class Connector:
    """Opens the connections of one engine; after a timeout, further attempts fail at once for a while."""

    def __init__(self) -> None:
        self._retry_at = 0.0

    def connect(
        self, _dialect: object, _record: object, args: list[Any], options: dict[str, Any]
    ) -> Connection:
        """Open a connection, for SQLAlchemy's event ``do_connect``."""
        if time.monotonic() < self._retry_at:
            raise psycopg.OperationalError("the server does not answer")
        try:
            return Connection.connect(*args, **options)
        except psycopg.errors.ConnectionTimeout:
            self._retry_at = time.monotonic() + RETRY_SECONDS
            raise
