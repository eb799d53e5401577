"""The conversation on the page.

``conversation`` draws it: older messages, and a fragment with the newest ones, approvals and the input.
``live_answer`` follows a running answer; ``answer`` draws it, and stored ones, from the same events. ``messages`` draws a
stored message with its actions, ``calls`` the calls of functions and their results, also for the inspector.
"""
