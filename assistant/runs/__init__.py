"""Runs: the loop that answers a message, the log that pages follow, and the registry of them."""
