"""Who may use the page: rules for signed-in users and for a shared password.

Unless sign-in is completely configured, everyone is kept out.
"""

import hashlib
import hmac
import ipaddress
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from assistant.locale import N_, Sentence

ANYONE = "*"  # stands for every user who can sign in


@dataclass(frozen=True, slots=True)
class User:
    """The user of the page. Where users do not sign in, ``id`` is empty: they cannot be told apart."""

    id: str = ""
    name: str = ""


# --- sign-in ----------------------------------------------------------------------------------------


def parse_allowed(text: str) -> tuple[str, ...]:
    """Return addresses, domains and ``*`` from a list such as ``ada@example.org, @example.com``.

    Raises:
        ValueError: An entry is none of them; the message is that entry.
    """
    entries = tuple(lower_address(entry.strip()) for entry in text.split(",") if entry.strip())
    for entry in entries:
        name, at, domain = entry.rpartition("@")
        is_address = at and domain and "@" not in name and entry.isprintable() and " " not in entry
        if entry != ANYONE and not is_address:
            raise ValueError(entry)
    return entries


def list_providers(auth: Mapping[str, Any]) -> list[str]:
    """Return the names of the providers in Streamlit's ``[auth]``; the unnamed provider has an empty name."""
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and name != "client_kwargs"]
    return [""] * ("client_id" in auth or not named) + named


def config_error(
    password: str, allowed: Sequence[str], auth: Mapping[str, Any] | None, *, authlib: bool
) -> Sentence | None:
    """Return what is wrong with the sign-in settings, or None.

    ``auth`` is the section of this name in Streamlit's secrets; ``authlib`` says whether Authlib is
    installed.
    """
    if password and (allowed or auth):
        return N_("Both ASSISTANT_PASSWORD and sign-in are set up. Remove one of them.")
    if auth is None and not allowed:
        return None
    if auth is None:
        return N_("ASSISTANT_ALLOWED is set, but Streamlit's secrets have no [auth] section to sign in with.")
    if not allowed:
        return N_(
            "Sign-in is set up, but no user is allowed. Set ASSISTANT_ALLOWED to addresses or domains, "
            "or to * for everyone who can sign in."
        )
    missing = [name for name in ("redirect_uri", "cookie_secret") if not auth.get(name)]
    for provider in list_providers(auth):
        section = auth[provider] if provider else auth
        prefix = f"{provider}." if provider else ""
        required = ("client_id", "client_secret", "server_metadata_url")
        missing += [prefix + name for name in required if not section.get(name)]
    if missing:
        return N_(
            "Sign-in is incomplete: the [auth] section of Streamlit's secrets lacks {missing}.",
            missing=", ".join(missing),
        )
    if not authlib:
        return N_("Sign-in needs Authlib, which is not installed. Run: pip install 'streamlit[auth]'")
    return None


def authorize(claims: Mapping[str, Any], allowed: Sequence[str]) -> User | Sentence:
    """Return the user that these claims identify, or why they may not log in.

    Claims are those of OpenID Connect Core 1.0. ``iss`` and ``sub`` together identify a user permanently
    (section 5.7). An e-mail address may pass to another user, so it decides only whether to let them in.
    """
    issuer, subject, address = (_text(claims, name) for name in ("iss", "sub", "email"))
    if not issuer or not subject:
        return N_("Your sign-in provider does not say who you are, so you cannot log in.")
    if ANYONE not in allowed:
        if not address:
            return N_("Your sign-in provider does not share your e-mail address, so you cannot log in.")
        if claims.get("email_verified", True) not in (True, "true"):
            return N_("{address} is not verified, so you cannot log in.", address=address)
        local, at, domain = lower_address(address).rpartition("@")
        if not local or (local + at + domain not in allowed and at + domain not in allowed):
            return N_("{address} is not allowed to log in.", address=address)
    identity = json.dumps([issuer, subject]).encode()
    return User(hashlib.sha256(identity).hexdigest(), _text(claims, "name") or address or subject)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def lower_address(address: str) -> str:
    """Return the address with ASCII letters in lower case; others might become letters of another address."""
    return address.encode("utf-8", "replace").lower().decode()


# --- the shared password ----------------------------------------------------------------------------

FREE_ATTEMPTS = 10  # wrong passwords of a client in a row before its attempts are throttled
ATTEMPT_SECONDS = 6.0  # how long each further attempt of a client takes to become available
FREE_ATTEMPTS_OF_ALL = 100
ATTEMPT_SECONDS_OF_ALL = 1.0


@dataclass(slots=True)
class _Attempts:
    """The attempts that are left; they become available again, one after the other."""

    left: float
    updated_at: float

    def refill(self, now: float, seconds: float, maximum: int) -> float:
        self.left = min(float(maximum), self.left + (now - self.updated_at) / seconds)
        self.updated_at = now
        return self.left


class LoginThrottle:
    """Verifies passwords so slowly that guessing is hopeless; for use from many threads.

    It counts wrong attempts by client, so that one that guesses does not lock out the others, and those of all
    clients together, because an attacker may use many addresses. Users who are logged in are not affected.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._all = _Attempts(FREE_ATTEMPTS_OF_ALL, clock())
        self._clients: dict[str, _Attempts] = {}  # those with less than all attempts

    def verify(
        self, attempt: str, password: str, client: str = ""
    ) -> Literal["accepted", "rejected", "throttled"]:
        """Compare a client's attempt with the password; a throttled attempt is not compared."""
        with self._lock:
            now = self._clock()
            attempts = self._clients.get(client) or _Attempts(FREE_ATTEMPTS, now)
            if attempts.refill(now, ATTEMPT_SECONDS, FREE_ATTEMPTS) < 1:
                return "throttled"
            if self._all.refill(now, ATTEMPT_SECONDS_OF_ALL, FREE_ATTEMPTS_OF_ALL) < 1:
                return "throttled"
            if hmac.compare_digest(hash_secret(attempt), hash_secret(password)):
                return "accepted"
            attempts.left -= 1
            self._all.left -= 1
            # Few clients are left: all of them together are throttled, and the others have all attempts again.
            self._clients = {
                name: each
                for name, each in self._clients.items()
                if each.refill(now, ATTEMPT_SECONDS, FREE_ATTEMPTS) < FREE_ATTEMPTS
            }
            self._clients[client] = attempts
            return "rejected"


def client_of(address: str | None, forwarded_for: Sequence[str]) -> str:
    """Return an identifier of a visitor's network.

    ``address`` is the peer's, None on this machine; ``forwarded_for`` are the values of ``X-Forwarded-For``. Of these
    only the last one is used, which the nearest proxy wrote, and only if a private address sends it.
    """
    forwarded = ",".join(forwarded_for).rpartition(",")[2].strip()
    for text in (forwarded, address or "127.0.0.1") if _is_private(address) else (address,):
        with suppress(ValueError):
            parsed = ipaddress.ip_address(text or "")
            parsed = getattr(parsed, "ipv4_mapped", None) or parsed
            if parsed.version == 6:  # one network has all addresses with the same first half
                return str(ipaddress.ip_network((parsed, 64), strict=False))
            return str(parsed)
    return ""


def _is_private(address: str | None) -> bool:
    try:
        return ipaddress.ip_address(address or "127.0.0.1").is_private
    except ValueError:
        return False


def hash_secret(secret: str) -> str:
    """Return a hash that a session keeps in place of a password or another secret."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
