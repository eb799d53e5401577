"""The built-in demo: a server for the Responses and Conversations API inside the process.

It answers without a key, through the same SDK, backend and loop as a real server. It is not a model: its
replies come from rules, and it says so. It refuses what the real API refuses, with the same messages.

For the rest of the package: ``DemoTransport``, and ``transport`` for its pace. ``transport``, ``requests``,
``conversations``, ``responses`` and ``stream`` are the server. ``answers`` decides on the next reply:
``written_calls`` and ``questions`` turn a message into a plan of ``calls`` with the patterns of
``vocabulary``; ``outputs`` and ``phrases`` form the text; ``hosted`` plays the server's own tools.
"""

from assistant.demo.transport import DemoTransport

__all__ = ["DemoTransport"]
