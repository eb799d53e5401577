"""Python scripts, curl commands and tests generated from a turn, a thread or a recording."""
