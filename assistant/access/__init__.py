"""Who may use the page, and how much.

``auth`` decides who may log in, ``sessions`` what ends a login, ``local`` who is on this machine. ``limits`` parses usage
limits, ``metering`` charges a run, ``quotas`` counts requests against the owner's limits, in a ``usage_store``.
"""
