"""Which visitors are on the machine that serves the page.

A request from this machine is not enough: a proxy on it may pass on the requests of strangers without a trace. So a
local visitor also shows a token that this machine prints, as in Jupyter.
"""

import hmac
import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping
from functools import cache

OFF = "off"
"""The value of the token setting with which no visitor counts as local."""


@cache
def random_token() -> str:
    """Return the token of this process."""
    return secrets.token_urlsafe(32)


def is_proven(expected: str, shown: Iterable[str]) -> bool:
    """Return whether one of the shown texts is the expected token."""
    return any(hmac.compare_digest(expected.encode(), each.encode("utf-8", "replace")) for each in shown)


def is_direct(headers: Mapping[str, str], address: str | None) -> bool:
    """Return whether a request comes from the machine that serves the page, and from no proxy on it.

    ``address`` is the peer's, None for the usual loopback addresses, as Streamlit has it. A client can send
    any ``Host``, so the connection must be local as well. A local proxy may use a local ``Host`` of its own,
    but it passes on the browser's ``Origin``; so does the page of another local port, to which the browser
    sends the same cookies.
    """
    host, origin = headers.get("Host") or "", headers.get("Origin")
    if _PORT.sub("", host) not in _LOCAL_HOSTS or (origin is not None and origin.partition("//")[2] != host):
        return False
    return not any(name.lower().startswith(_PROXY_HEADERS) for name in headers) and _is_loopback(address)


_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_PORT = re.compile(":[0-9]{1,5}$")
_PROXY_HEADERS = ("forwarded", "x-forwarded-", "x-real-ip", "via", "cf-", "true-client-ip", "x-client-ip")
"""Prefixes of headers that proxies and tunnels add."""


def _is_loopback(address: str | None) -> bool:
    try:
        parsed = ipaddress.ip_address(address or "::1")
    except ValueError:
        return False
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback
