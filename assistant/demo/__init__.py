"""The built-in demo: a server for the Responses and Conversations API inside the process.

It lets the page work before there is a key, through the same SDK, backend and loop as with a real server.
It is not a model: what it says comes from rules, and it says so. The wire is ``server``, ``requests``,
``conversations``, ``responses`` and ``stream``. What is said is up to ``answers``: in ``written`` and
``questions`` a message becomes a plan of ``calls`` by its ``words``, and ``outputs`` and ``phrases`` answer.

The one rule: what the real API refuses is refused here in the same words, so that what runs with the demo
runs without it.
"""

from assistant.demo.transport import DemoTransport

__all__ = ["DemoTransport"]
