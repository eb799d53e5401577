"""The conversation on the page.

``conversation`` draws it: older messages, and a fragment with the newest ones, the live answer, approvals and
the input. The inspector draws results in the same way, with ``tool_call`` (JSON and long texts) and ``views``
(tables, charts, files …).
"""
