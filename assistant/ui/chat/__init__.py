"""The conversation on the page: messages, calls, approvals, and the answer that is being written.

The page imports ``conversation``. The inspector also draws with ``tool_call`` and ``views``.
"""
