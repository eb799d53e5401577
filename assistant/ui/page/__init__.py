"""What surrounds the conversation on every page: the header, the login, styles, scrolling, and
announcements.

The page imports ``header`` and ``login``. The sidebar imports ``login`` as well, and the conversation
``accessibility``, ``browser_script``, ``scrolling``, ``styles`` and ``thread_url``.
"""
