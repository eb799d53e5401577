"""What surrounds the conversation on every page: the header, the login, styles, and announcements.

The page imports ``header`` and ``login``. The sidebar imports ``login`` as well, and the conversation
``accessibility`` and ``thread_url``.
"""
