"""The conversation on the page: messages, calls, approvals, and the answer that is being written."""
