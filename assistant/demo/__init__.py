"""The built-in demo: a server for the Responses and Conversations API inside the process.

It answers without a key, through the same SDK, backend and loop as a real server. It is not a model: its
replies come from rules, and it says so. It refuses what the real API refuses, with the same messages.

The rest of the package imports ``DemoTransport`` from here. The routes are in ``transport.py``; ``options.py`` and
``requests.py`` parse a request, ``responses.py`` and ``output.py`` build the response out of ``items.py``,
``generation.py`` and ``stream_events.py`` stream it. What it answers is decided in ``replies/``. ``server`` offers the
same to other programs, over HTTP and WebSocket (``websocket.py``).
"""

from assistant.demo.transport import DemoTransport

__all__ = ["DemoTransport"]
