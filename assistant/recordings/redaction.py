"""Find the secrets of a request, and remove them from everything that is recorded.

A secret is what stands in an authorization header, in a URL before the host, or in a query value named like a
key. It is removed wherever else it occurs.
"""

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

REMOVED = "[removed]"
"""Takes the place of a secret."""

_SECRET_HEADER = re.compile("authorization|api-key|cookie|token|secret")
_SECRET_QUERY = re.compile("key|token|secret|password|signature|^sig$", re.IGNORECASE)
_PLACEHOLDERS = ("none", "demo", "ollama", "lm-studio", "EMPTY")
"""Values that users write where a server needs no key."""


def secrets_of(url: str, headers: Mapping[str, str]) -> set[str]:
    """Return the secrets of a request, as they are and as they stand in a URL."""
    parts = urlsplit(url)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    found = {password}
    if name:
        # A name before a password is not a secret, and may be as common a word as "user".
        found = {password or name, base64.b64encode(f"{name}:{password}".encode()).decode()}
    found |= {value for key, value in parse_qsl(parts.query) if _SECRET_QUERY.search(key)}
    for header, value in headers.items():
        if _SECRET_HEADER.search(header.lower()):
            found |= _secrets_of_header(header.lower(), value)
    found = {secret for secret in found if len(secret) > 3 and secret not in _PLACEHOLDERS}
    return found | {quote(secret, safe) for secret in found for safe in ("", "/")}


def _secrets_of_header(header: str, value: str) -> set[str]:
    if "cookie" in header:
        return {pair.partition("=")[2].strip() for pair in value.split(";")}
    scheme, _, token = value.partition(" ")
    found = {token.strip() or scheme}
    if scheme.lower() == "basic":
        with suppress(ValueError):
            found.add(base64.b64decode(token).decode().partition(":")[2])
    return found


def has_secret_query(url: str) -> bool:
    """Return whether the URL has a query value that is named like a key."""
    return bool(_SECRET_QUERY.search(url.partition("?")[2]))


def redact_url(url: str) -> str:
    """Return the URL without user name and password, and without query values named like a key."""
    parts = urlsplit(url)
    query = parts.query
    if _SECRET_QUERY.search(query):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode(
            [(name, REMOVED if _SECRET_QUERY.search(name) else value) for name, value in pairs], safe="[]"
        )
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()


def redact(value: Any, secrets: list[str]) -> Any:
    """Return a JSON value or a dataclass with every secret replaced; longer secrets come first."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REMOVED)
        return value
    if isinstance(value, dict):
        return {redact(key, secrets): redact(item, secrets) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(redact(item, secrets) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{field.name: redact(getattr(value, field.name), secrets) for field in fields(value)}
        )
    return value
