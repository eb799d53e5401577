"""Generate code from threads and recordings.

``script`` writes a turn or a thread as a Python script, ``curl`` a request as a command, and ``pytest_file``
a recording as a test. ``functions`` writes the functions of a script, and tells which of them are only stubs.
"""
