"""Threads in SQLite or PostgreSQL, and as files to export and import."""
