"""Code generated from what happened: Python scripts, curl commands and tests.

For the rest of the package: ``script`` (a turn or a thread as a Python script), ``curl`` (a request as a
command), ``pytest_file`` (a recording as a test).
"""
