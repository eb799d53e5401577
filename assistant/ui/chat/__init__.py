"""The conversation on the page.

``conversation`` draws it: older messages, and a fragment with the newest ones, the live answer, approvals and
the input. ``calls`` draws the calls of functions and their results, also for the inspector.
"""
