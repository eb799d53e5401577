"""Keeps the SDK from waiting in silence where a person should be told instead.

Not here: retrying. The SDK does that, for what is worth it, with its own delays.

The one rule: a spent quota, or a wait of more than a few seconds, goes to the person at once.
"""

import httpx2

LONGEST_SILENT_WAIT = 5.0
"""Seconds of ``Retry-After`` that may pass without a word."""

_SPENT = (
    b"insufficient_quota",
    b"credit_balance_exhausted",
    b"spend_limit_exceeded",
    b"usage_limit_exceeded",
)


def disable_retry(response: httpx2.Response) -> None:
    """Mark an answer that is not worth waiting for with ``x-should-retry: false``; a response hook.

    The SDK obeys that header, and would otherwise repeat a request on a spent quota twice and sleep
    through a ``Retry-After`` of up to two minutes.
    """
    if response.status_code in (429, 503) and "x-should-retry" not in response.headers:
        body = response.read()
        if seconds_to_wait(response) > LONGEST_SILENT_WAIT or any(mark in body for mark in _SPENT):
            response.headers["x-should-retry"] = "false"


def seconds_to_wait(response: httpx2.Response) -> float:
    """The seconds that a response asks to wait, 0 where it does not say."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(response.headers[name]) * factor)
        except (KeyError, ValueError):
            continue
    return 0.0
