"""Our numbers beside Streamlit's own, at ``/_stcore/metrics``.

Not here: the numbers (``metrics.py``).

The one rule: this uses what is not public in Streamlit, so wherever it is not there, or is another, the page
goes on without it.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from streamlit import runtime

from assistant.observability.metrics import Histogram, Metrics

log = logging.getLogger(__name__)

FAMILIES = {
    "assistant_running": "Runs that go on now.",
    "assistant_runs": "Runs by how they ended.",
    "assistant_failures": "Runs that failed, by what went wrong.",
    "assistant_tokens": "Tokens, as the server counted them.",
    "assistant_first_text_seconds": "Time from the beginning of a run to its first text.",
    "assistant_function_seconds": "Time that functions took, by name and outcome.",
}


def offer(metrics: Metrics) -> Metrics:
    """Have the server tell these numbers with its own, in the place of those that it was given before."""
    try:
        if runtime.exists():
            manager = runtime.get_instance().stats_mgr
            provider = vars(manager).setdefault(__name__, _Provider())
            if provider.metrics is None:
                manager.register_provider(provider)
            provider.metrics = metrics
    except Exception:
        log.warning("the metrics cannot be offered: this Streamlit is another", exc_info=True)
    return metrics


class _Provider:
    """What Streamlit's statistics ask (``streamlit.runtime.stats.StatsProvider``)."""

    def __init__(self) -> None:
        self.metrics: Metrics | None = None

    @property
    def stats_families(self) -> Sequence[str]:
        return list(FAMILIES)

    def get_stats(self, family_names: Sequence[str] | None = None) -> Mapping[str, Sequence[Any]]:
        """The statistics of these families, or of all."""
        try:
            told = _told(self.metrics) if self.metrics else {}
        except Exception:  # Streamlit's own numbers are not lost by it
            log.warning("the metrics cannot be told: this Streamlit is another", exc_info=True)
            return {}
        return {name: stats for name, stats in told.items() if family_names is None or name in family_names}


def _told(metrics: Metrics) -> dict[str, list[Any]]:
    from streamlit.runtime.stats import CounterStat, GaugeStat, HistogramStat

    def counters(family: str, name: str, counts: Mapping[str, int]) -> list[Any]:
        return [
            CounterStat(family, count, {name: label}, help=FAMILIES[family])
            for label, count in counts.items()
        ]

    def histogram(family: str, found: Histogram, labels: dict[str, str] | None = None) -> Any:
        buckets = found.buckets()
        return HistogramStat(
            family, buckets, found.total, buckets[-1][1], labels, "seconds", FAMILIES[family]
        )

    with metrics.lock:
        running, first, function = (
            "assistant_running", "assistant_first_text_seconds", "assistant_function_seconds"
        )  # fmt: skip
        return {
            running: [GaugeStat(running, metrics.running, help=FAMILIES[running])],
            "assistant_runs": counters("assistant_runs", "ending", metrics.runs),
            "assistant_failures": counters("assistant_failures", "kind", metrics.failures),
            "assistant_tokens": counters("assistant_tokens", "direction", metrics.tokens),
            first: [histogram(first, metrics.first_text)],
            function: [
                histogram(function, found, {"function": name, "outcome": outcome})
                for (name, outcome), found in metrics.functions.items()
            ],
        }
