"""Generate code from threads and recordings.

``script`` writes a turn or a thread as a Python script, ``curl`` a request as a command, and ``pytest_file``
a recording as a test.
"""
