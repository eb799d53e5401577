"""Runs: the loop that answers a message, the log that pages follow, and the registry of them.

The rest of the package imports ``assistant`` (``Assistant``), ``run`` (the events of one answer), ``registry`` (the
runs of this process), ``worker`` (a live run), ``queue`` (messages that wait), ``autosave``, ``replay``,
``replay_limit`` and ``retention`` (deletes expired chats).
"""
