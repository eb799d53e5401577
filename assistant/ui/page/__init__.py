"""What surrounds the conversation on every page: header, login, styles, scrolling and announcements.

The page imports ``header``, ``local_access``, ``login`` and ``styles``. The sidebar imports ``login`` as
well, the conversation ``accessibility``, ``browser_script``, ``scrolling`` and ``thread_url``, and the
inspector ``sheet``.
"""
