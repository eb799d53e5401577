"""What the runs of this process come to, in numbers: counters and histograms, to be read while they grow.

Not here: where they are read (``ui/metrics.py``), or who counts (``logs.py``).

The one rule: a label is one of few, and no word of a person, a model or a server: anybody may read them.
"""

import math
import re
import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, math.inf)
"""The upper bounds of a histogram's buckets, in seconds."""

MOST_LABELS = 100
"""Different labels of one kind; whatever comes after them is ``other``."""


@dataclass(slots=True)
class Histogram:
    """How often something took how long, in seconds."""

    counts: list[int] = field(default_factory=lambda: [0] * len(BOUNDS))
    total: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    def buckets(self) -> tuple[tuple[float, int], ...]:
        """Each upper bound with how many did not take longer."""
        sums = [sum(self.counts[: index + 1]) for index in range(len(BOUNDS))]
        return tuple(zip(BOUNDS, sums, strict=True))


class Metrics:
    """The numbers; whoever reads or changes more than one of them holds ``lock``."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.runs: Counter[str] = Counter()  # by how they ended
        self.failures: Counter[str] = Counter()  # by what went wrong
        self.tokens: Counter[str] = Counter()  # input and output
        self.first_text = Histogram()
        self.functions: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)  # name, outcome

    def begin(self) -> None:
        """A run began."""
        with self.lock:
            self.running += 1

    def end(self, ending: str, failure: str, first_text: float | None, tokens: dict[str, int]) -> None:
        """A run ended so; ``failure`` says what went wrong, if something did."""
        with self.lock:
            self.running -= 1
            self.runs[ending] += 1
            if failure:
                self.failures[_one_of_few(failure, self.failures)] += 1
            if first_text is not None:
                self.first_text.add(first_text)
            self.tokens.update(tokens)

    def function(self, name: str, outcome: str, seconds: float) -> None:
        """A function's call ended so."""
        with self.lock:
            known = {known for known, _ in self.functions}
            self.functions[_one_of_few(name, known), outcome].add(seconds)


def label(words: str) -> str:
    """A name as a label; ``other`` if it looks like something that was said."""
    return words if re.fullmatch("[A-Za-z0-9_.-]{1,64}", words) else "other"


def _one_of_few(name: str, known: Counter[str] | set[str]) -> str:
    return name if name in known or len(known) < MOST_LABELS else "other"
