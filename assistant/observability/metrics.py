"""The metrics of the runs of this process: counters and histograms.

Anyone may read metrics, so labels come from a small set and contain no text of a user, a model or a server.
"""

import math
import re
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

BUCKET_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, math.inf)
"""The upper bounds of a histogram's buckets."""

MAX_LABELS = 100
"""Different labels of one kind. Further ones are counted as ``other``."""


@dataclass(slots=True)
class Histogram:
    """Durations in seconds, counted by bucket."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKET_SECONDS))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BUCKET_SECONDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> tuple[tuple[float, int], ...]:
        """Return each upper bound with the number of durations up to it."""
        sums = [sum(self.counts[: index + 1]) for index in range(len(BUCKET_SECONDS))]
        return tuple(zip(BUCKET_SECONDS, sums, strict=True))


class Metrics:
    """The numbers. Hold ``lock`` while reading more than one of them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.runs: Counter[str] = Counter()  # by ending
        self.failures: Counter[str] = Counter()  # by error code
        self.tokens: Counter[str] = Counter()  # input and output
        self.first_text = Histogram()
        self.functions: defaultdict[tuple[str, str], Histogram] = defaultdict(
            Histogram
        )  # by name and outcome

    def run_started(self) -> None:
        """Count a run that started."""
        with self.lock:
            self.running += 1

    def run_ended(self, ending: str, failure: str, first_text: float | None, tokens: dict[str, int]) -> None:
        """Count a run that ended; ``failure`` is the error code, if any."""
        with self.lock:
            self.running -= 1
            self.runs[ending] += 1
            if failure:
                self.failures[_limited(failure, self.failures)] += 1
            if first_text is not None:
                self.first_text.add(first_text)
            self.tokens.update(tokens)

    def function_ended(self, name: str, outcome: str, seconds: float) -> None:
        """Count a function call that ended."""
        with self.lock:
            names = {name for name, _ in self.functions}
            self.functions[_limited(name, names), outcome].add(seconds)


def as_label(text: str) -> str:
    """Return a name as a label, or ``other`` if it may be free text."""
    return text if re.fullmatch("[A-Za-z0-9_.-]{1,64}", text) else "other"


def _limited(label: str, labels: Counter[str] | set[str]) -> str:
    return label if label in labels or len(labels) < MAX_LABELS else "other"
