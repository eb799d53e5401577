"""The built-in demo: a server for the Responses and Conversations API inside the process.

It answers without a key, through the same SDK, backend and loop as a real server. It is not a model: its
replies come from rules, and it says so. It refuses what the real API refuses, with the same messages.

The rest of the package imports ``DemoTransport`` from here. The server is in ``transport.py``, which uses
``requests.py`` and ``responses.py``. The next reply is decided in ``answers.py``: ``calls.py`` and
``questions.py`` turn a message into a plan of calls, ``summaries.py`` puts their results into words, and
``hosted.py`` simulates the server's own tools. Words are in ``phrases.py`` and ``vocabulary.py``.
"""

from assistant.demo.transport import DemoTransport

__all__ = ["DemoTransport"]
