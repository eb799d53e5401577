"""What a chat changes of its requests, in the words of each protocol, and what a server refuses of it.

The backends and the page import ``fields``, for what a protocol has; the backends import ``refused``.
"""
