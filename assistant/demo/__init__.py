"""The built-in demo: a server for the Responses and Conversations API inside the process.

It answers without a key, through the same SDK, backend and loop as a real server. It is not a model: its
replies come from rules, and it says so. It refuses what the real API refuses, with the same messages.

The rest of the package imports ``DemoTransport`` from here. The server is in ``transport.py``, which uses
``requests.py`` and ``responses.py``. What it answers is decided in ``replies/``.
"""

from assistant.demo.transport import DemoTransport

__all__ = ["DemoTransport"]
