"""What nobody may read off a tape: keys and passwords, found where a request carries them.

Not here: the tape. Pure: texts in, texts out.

The one rule: what stood in a header of authorization, in a URL before the host, or in a query value named
like a key is a secret wherever else it occurs.
"""

import base64
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

REMOVED = "[removed]"
"""What stands where a secret stood."""

_SECRET_HEADER = re.compile("authorization|api-key|cookie|token|secret")
_SECRET_QUERY = re.compile("key|token|secret|password|signature|^sig$", re.IGNORECASE)
_NO_SECRET = ("none", "demo", "ollama", "lm-studio", "EMPTY")
"""What people write where a key is asked for that a server does not need."""


def secrets_of(url: str, headers: Mapping[str, str]) -> set[str]:
    """The secret texts of a request."""
    parts = urlsplit(url)
    name, password = unquote(parts.username or ""), unquote(parts.password or "")
    # A name beside a password is none, and may be as common a word as "user".
    found = (
        {password or name, base64.b64encode(f"{name}:{password}".encode()).decode()} if name else {password}
    )
    found |= {value for name, value in parse_qsl(parts.query) if _SECRET_QUERY.search(name)}
    for name, value in headers.items():
        if not _SECRET_HEADER.search(name.lower()):
            continue
        if "cookie" in name.lower():
            found |= {pair.partition("=")[2].strip() for pair in value.split(";")}
            continue
        scheme, _, token = value.partition(" ")
        found.add(token.strip() or scheme)
        if scheme.lower() == "basic":
            with suppress(ValueError):
                found.add(base64.b64decode(token).decode().partition(":")[2])
    found = {text for text in found if len(text) > 3 and text not in _NO_SECRET}
    return found | {quote(text, safe) for text in found for safe in ("", "/")}  # as they stand in a URL


def has_secret_query(text: str) -> bool:
    """Whether a text has a query with a value that is named like a key."""
    return bool(_SECRET_QUERY.search(text.partition("?")[2]))


def without_secrets(url: str) -> str:
    """A URL without who asks, and without the query values that are named like a key."""
    parts = urlsplit(url)
    query = parts.query
    if _SECRET_QUERY.search(query):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode(
            [(name, REMOVED if _SECRET_QUERY.search(name) else value) for name, value in pairs], safe="[]"
        )
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query).geturl()


def cleaned(value: Any, secrets: list[str]) -> Any:
    """A JSON value without any secret in it."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, REMOVED)
        return value
    if isinstance(value, dict):
        return {cleaned(key, secrets): cleaned(each, secrets) for key, each in value.items()}
    if isinstance(value, list):
        return [cleaned(each, secrets) for each in value]
    return value
