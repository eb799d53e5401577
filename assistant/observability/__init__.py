"""Logs and metrics: ``logs`` wraps a run and configures the log, ``metrics`` counts runs for Prometheus.

``audit`` logs who logged in, was refused, exported or deleted something.
"""
