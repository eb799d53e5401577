"""Recordings of runs as they went over the wire: format, redaction, checks, timing, tokens, cost."""
