"""Serve the application's metrics beside Streamlit's own, at ``/_stcore/metrics``."""

import logging
from collections.abc import Mapping

from assistant.observability.metrics import Histogram, Metrics
from assistant.ui.streamlit_private import CounterStat, GaugeStat, HistogramStat, Stat, serve_stats

log = logging.getLogger(__name__)

FAMILIES = {
    "assistant_running": "Runs in progress.",
    "assistant_runs": "Runs by ending.",
    "assistant_failures": "Failed runs by error code.",
    "assistant_tokens": "Tokens as counted by the model server.",
    "assistant_first_text_seconds": "Time from the start of a run to its first text.",
    "assistant_function_seconds": "Duration of function calls by name and outcome.",
}


def serve_metrics(metrics: Metrics) -> Metrics:
    """Serve these metrics instead of those of an earlier call, and return them.

    A failure is logged, and the page works without.
    """
    try:
        serve_stats(list(FAMILIES), lambda: collect(metrics))
    except Exception:
        log.warning("The metrics are not served.", exc_info=True)
    return metrics


def collect(metrics: Metrics) -> dict[str, list[Stat]]:
    """Return the current values by family."""

    def counters(family: str, name: str, counts: Mapping[str, int]) -> list[Stat]:
        return [
            CounterStat(family, count, {name: label}, help=FAMILIES[family])
            for label, count in counts.items()
        ]

    def histogram(family: str, values: Histogram, labels: dict[str, str] | None = None) -> Stat:
        buckets = values.buckets()
        return HistogramStat(
            family, buckets, values.total, buckets[-1][1], labels, "seconds", FAMILIES[family]
        )

    with metrics.lock:
        running, first_text, function = (
            "assistant_running", "assistant_first_text_seconds", "assistant_function_seconds"
        )  # fmt: skip
        return {
            running: [GaugeStat(running, metrics.running, help=FAMILIES[running])],
            "assistant_runs": counters("assistant_runs", "ending", metrics.runs),
            "assistant_failures": counters("assistant_failures", "kind", metrics.failures),
            "assistant_tokens": counters("assistant_tokens", "direction", metrics.tokens),
            first_text: [histogram(first_text, metrics.first_text)],
            function: [
                histogram(function, values, {"function": name, "outcome": outcome})
                for (name, outcome), values in metrics.functions.items()
            ],
        }
