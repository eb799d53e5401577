"""Who may come in: the rules for a shared password, and for people who sign in.

Not here: drawing (``ui/door.py``), or OpenID Connect itself, which is Streamlit's.

The one rule: what is not configured wholly lets nobody in, and says why in one sentence.
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from assistant.locale import N_, Sentence

EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class User:
    """Who is at the page. ``id`` is empty where nobody signs in: then nobody is told from anybody else."""

    id: str = ""
    name: str = ""


# --- sign-in ----------------------------------------------------------------------------------------


def allowed(text: str) -> tuple[str, ...]:
    """Addresses, domains and ``*`` from a list such as ``ada@example.org, @example.com``.

    Raises:
        ValueError: Something in it is neither; it is the error's text.
    """
    entries = tuple(_lower(entry.strip()) for entry in text.split(",") if entry.strip())
    for entry in entries:
        name, at, domain = entry.rpartition("@")
        if entry != EVERYBODY and (
            not at or not domain or "@" in name or not entry.isprintable() or " " in entry
        ):
            raise ValueError(entry)
    return entries


def providers(auth: Mapping[str, Any]) -> list[str]:
    """The providers in Streamlit's ``[auth]``; an empty name is the one that has none."""
    named = [name for name, value in auth.items() if isinstance(value, Mapping) and name != "client_kwargs"]
    return [""] * ("client_id" in auth or not named) + named


def problem(
    password: str, who: Sequence[str], auth: Mapping[str, Any] | None, *, authlib: bool
) -> Sentence | None:
    """What is missing in the settings of the door; None if it can be opened to somebody."""
    if password and (who or auth):
        return N_(
            "ASSISTANT_PASSWORD is set, and sign-in is too. Nobody can come in until one of them is gone."
        )
    if auth is None and not who:
        return None
    if auth is None:
        return N_(
            "ASSISTANT_ALLOWED is set, but nobody can sign in: Streamlit's secrets have no [auth] section."
        )
    if not who:
        return N_(
            "Sign-in is set up, but nobody may come in: set ASSISTANT_ALLOWED to addresses or domains, "
            "or to * for everybody who can sign in."
        )
    missing = [name for name in ("redirect_uri", "cookie_secret") if not auth.get(name)]
    for provider in providers(auth):
        section = auth[provider] if provider else auth
        prefix = f"{provider}." if provider else ""
        needed = ("client_id", "client_secret", "server_metadata_url")
        missing += [prefix + name for name in needed if not section.get(name)]
    if missing:
        return N_(
            "Nobody can sign in: the [auth] section of Streamlit's secrets lacks {missing}.",
            missing=", ".join(missing),
        )
    if not authlib:
        return N_("Nobody can sign in: Authlib is not installed. Run: pip install 'streamlit[auth]'")
    return None


def user(claims: Mapping[str, Any], who: Sequence[str]) -> User | Sentence:
    """The person of whom a provider claims this, if they may come in; else why not.

    The claims are those of OpenID Connect Core 1.0: ``iss`` and ``sub`` together are the person's, for good
    (section 5.7); an address may become somebody else's, and is looked at to let them in, no more.
    """
    issuer, subject, address = (_text(claims, name) for name in ("iss", "sub", "email"))
    if not issuer or not subject:
        return N_("The provider does not say who you are, so you cannot come in.")
    name = _text(claims, "name") or address or subject
    if EVERYBODY not in who:
        if not address:
            return N_("The provider does not tell your e-mail address, so you cannot come in.")
        if claims.get("email_verified", True) not in (True, "true"):
            return N_("{address} is not verified, so you cannot come in.", address=address)
        local, at, domain = _lower(address).rpartition("@")
        if not local or (local + at + domain not in who and at + domain not in who):
            return N_("{address} is not among those who may come in.", address=address)
    identity = json.dumps([issuer, subject]).encode()
    return User(hashlib.sha256(identity).hexdigest(), name)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value if isinstance(value, str) else ""


def _lower(address: str) -> str:
    """In small letters, of ASCII alone: others may turn into a letter of somebody else's address."""
    return address.encode("utf-8", "replace").lower().decode()


# --- the password -----------------------------------------------------------------------------------

FREE, EVERY = 10, 6.0
"""Wrong tries in a row that cost nothing, and the seconds after which one more may be made."""


class Lock:
    """Compares what people type with the password, so slowly that guessing is hopeless.

    It counts the wrong tries of everybody together: whoever guesses may have many addresses. Those who are in
    stay in meanwhile.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counting = threading.Lock()
        self._free, self._since = float(FREE), clock()

    def tried(self, typed: str, password: str) -> Literal["right", "wrong", "later"]:
        """What comes of a try; ``later``: too many were wrong, and this one was not looked at."""
        with self._counting:
            now = self._clock()
            self._free = min(float(FREE), self._free + (now - self._since) / EVERY)
            self._since = now
            if self._free < 1:
                return "later"
            if hmac.compare_digest(password_hash(typed), password_hash(password)):
                return "right"
            self._free -= 1
            return "wrong"


def password_hash(password: str) -> str:
    """What may stand for a password where it has been typed; another password has another."""
    return hashlib.sha256(password.encode("utf-8", "replace")).hexdigest()
