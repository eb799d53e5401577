"""The conversation on the page.

``conversation`` draws it: older messages, and a fragment with the newest ones, the live answer, approvals and
the input. A live answer and a stored one are drawn from the same events. ``messages`` draws a stored message
with its actions, ``calls`` the calls of functions and their results, also for the inspector.
"""
