"""Threads in SQLite or PostgreSQL, and as files.

``store`` saves and loads threads, with ``leases`` that let one process answer a thread, and ``search`` for
lists of threads. ``database`` and ``schema`` serve other tables in the same database. ``json_export`` and
``markdown_export`` convert threads to files and back, and ``backup`` copies the database.
"""
