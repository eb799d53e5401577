"""Logs and metrics of runs."""
