"""Addresses of the web that strangers wrote, as links that show whose they are. Pure.

Not here: addresses inside of a model's Markdown (``sanitizer.py``).

The one rule: what is no plain address of the web, or is disguised, is no link.
"""

from urllib.parse import quote, urlsplit


def address_of(url: str) -> str:
    """An address of the web as it can stand in Markdown; empty for any other."""
    if not host_of(url):
        return ""
    return quote(url, safe=":/?#@&=+,;%~.-_", errors="replace").replace("&", "&amp;")


def host_of(url: str) -> str:
    """Who is asked when a person follows an address of the web; empty for what is none, or is disguised."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.username is not None or not url.isprintable():
            return ""
        host = "" if set(url) & set(" \\") else parts.hostname or ""
        return host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""
