"""Count the runs of this process, and serve the numbers to Prometheus on a port of their own.

Anyone who reaches the port may read them, so labels come from a small set and contain no text of a user, a
model or a server.
"""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

MAX_LABELS = 100
"""Different functions, and different error codes. Further ones are counted as ``other``."""

_BUCKET_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """The numbers of one process; ``serve`` makes them available at ``/metrics`` of a port."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._running = Gauge("assistant_running", "Runs in progress.", registry=registry)
        self._runs = Counter("assistant_runs", "Runs by ending.", ["ending"], registry=registry)
        self._failures = Counter(
            "assistant_failures", "Failed runs by error code.", ["kind"], registry=registry
        )
        self._tokens = Counter(
            "assistant_tokens", "Tokens as counted by the model server.", ["direction"], registry=registry
        )
        self._first_text = Histogram(
            "assistant_first_text_seconds",
            "Time from the start of a run to its first text.",
            buckets=_BUCKET_SECONDS,
            registry=registry,
        )
        self._functions = Histogram(
            "assistant_function_seconds",
            "Duration of function calls by name and outcome.",
            ["function", "outcome"],
            buckets=_BUCKET_SECONDS,
            registry=registry,
        )
        self._function_names: set[str] = set()
        self._failure_kinds: set[str] = set()
        self._close: Callable[[], None] | None = None

    def serve(self, port: int) -> None:
        """Serve the numbers at every address of this machine until ``close``.

        Raises:
            OSError: The port is not free.
        """
        server, thread = start_http_server(port, registry=self.registry)

        def close() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        self._close = close

    def close(self) -> None:
        """Free the port."""
        if self._close:
            self._close()

    def run_started(self) -> None:
        """Count a run that started."""
        self._running.inc()

    def run_ended(self, ending: str, failure: str, first_text: float | None, tokens: dict[str, int]) -> None:
        """Count a run that ended; ``failure`` is the error code, if any."""
        self._running.dec()
        self._runs.labels(ending).inc()
        if failure:
            self._failures.labels(_limited(failure, self._failure_kinds)).inc()
        if first_text is not None:
            self._first_text.observe(first_text)
        for direction, count in tokens.items():
            self._tokens.labels(direction).inc(count)

    def function_ended(self, name: str, outcome: str, seconds: float) -> None:
        """Count a function call that ended."""
        self._functions.labels(_limited(name, self._function_names), outcome).observe(seconds)


def _limited(label: str, labels: set[str]) -> str:
    if label not in labels and len(labels) >= MAX_LABELS:
        return "other"
    labels.add(label)
    return label
