"""Logs and metrics of runs: ``logs`` wraps a run and configures the log, ``metrics`` counts them for Prometheus."""
