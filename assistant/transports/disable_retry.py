"""Keep the SDK from waiting silently where the user should see an error instead.

The SDK retries, with its own delays. A used-up quota, or a wait of more than a few seconds, is shown at once.
"""

import httpx2

MAX_SILENT_WAIT_SECONDS = 5.0  # maximum ``Retry-After`` that the SDK may wait

_QUOTA_CODES = (
    b"insufficient_quota",
    b"credit_balance_exhausted",
    b"spend_limit_exceeded",
    b"usage_limit_exceeded",
)


def disable_retry(response: httpx2.Response) -> None:
    """Mark a response that is not worth retrying with ``x-should-retry: false``; a response hook.

    The SDK obeys that header. It would otherwise repeat a request twice although the quota is used up, and
    sleep through a ``Retry-After`` of up to two minutes.
    """
    if response.status_code in (429, 503) and "x-should-retry" not in response.headers:
        body = response.read()
        is_long = seconds_to_wait(response) > MAX_SILENT_WAIT_SECONDS
        if is_long or any(code in body for code in _QUOTA_CODES):
            response.headers["x-should-retry"] = "false"


def seconds_to_wait(response: httpx2.Response) -> float:
    """Return the wait that a response asks for; 0 where it asks for none."""
    for name, factor in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(response.headers[name]) * factor)
        except (KeyError, ValueError):
            continue
    return 0.0
