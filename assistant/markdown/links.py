"""Web addresses that came from outside, as links that show their host.

An address that is not a plain web address, or disguises its host, does not become a link.
"""

from urllib.parse import quote, urlsplit


def markdown_url(url: str) -> str:
    """Return a web address as it can stand in Markdown; empty for any other text."""
    return quote_url(url) if url_host(url) else ""


def quote_url(url: str) -> str:
    """Return an address quoted so that Markdown reads nothing else in it."""
    return quote(url, safe=":/?#@&=+,;%~.-_", errors="replace").replace("&", "&amp;")


def url_host(url: str) -> str:
    """Return the host that following this web address asks; empty if it is not one or disguises its host."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.username is not None or not url.isprintable():
            return ""
        host = "" if set(url) & set(" \\") else parts.hostname or ""
        return host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""
