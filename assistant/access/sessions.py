"""Logged-in sessions: how each was opened, and what ends it.

A session ends when its password or the secret of its cookie is changed, when its user is no longer allowed, and when
the owner ends it. The owner's ends are in the database, so they hold in all processes that share it.
"""

import logging
import math
import re
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sql

from assistant.access.auth import User, authorize, hash_secret, lower_address, parse_allowed
from assistant.errors import StoreError
from assistant.events import Event, EventStream, RunStopped
from assistant.locale import N_
from assistant.storage.database import Database
from assistant.storage.schema import SESSION_ENDS

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
"""Interval at which a process reads the settings and the ends of sessions again."""

RETRY_SECONDS = 15.0
"""The interval after the database could not be read."""

EVERYONE = ""

EndReason = Literal["ended_by_owner", "settings_changed", "not_allowed"]
"""Why a session has ended: a command; another password, secret or kind of login; the list of allowed users."""

_LOCK = 7_263_415_910


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide who may use the page."""

    password: str = ""
    allowed: Sequence[str] = ()
    cookie_secret: str = ""

    @property
    def method(self) -> str:
        if self.password:
            return "password"
        return "sign_in" if self.allowed or self.cookie_secret else "none"


@dataclass(frozen=True, slots=True)
class Login:
    """How a browser session was opened.

    Attributes:
        user: The user; where users do not sign in, they cannot be told apart.
        method: What let them in.
        since: When they logged in, in seconds since 1970.
        secret_hash: A hash of the password, or of the secret that signs the provider's cookie.
        claims: The provider's claims about the user.
    """

    user: User = field(default_factory=User)
    method: Literal["none", "password", "sign_in"] = "none"
    since: float = 0.0
    secret_hash: str = field(default="", repr=False)
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def address(self) -> str:
        """The e-mail address, if the user signed in and the provider shares it."""
        address = self.claims.get("email")
        return address if isinstance(address, str) else ""

    def end_reason(self, rules: Rules, ends: Callable[[], Mapping[str, float]]) -> EndReason | None:
        """Return why the session has ended, or None. ``ends`` returns when sessions were ended, by entry."""
        secret = {"none": "", "password": rules.password, "sign_in": rules.cookie_secret}[self.method]
        if rules.method != self.method:
            return "settings_changed"
        if self.method == "none":
            return None
        if hash_secret(secret) != self.secret_hash:
            return "settings_changed"
        if self.method == "sign_in" and authorize(self.claims, rules.allowed) != self.user:
            return "not_allowed"
        moments = ends()
        if any(moments.get(entry, -math.inf) >= self.since for entry in self._entries()):
            return "ended_by_owner"
        return None

    def _entries(self) -> set[str]:
        """Return the entries of the table that end this session."""
        address = lower_address(self.address)
        domain = "@" + address.rpartition("@")[2]
        return {EVERYONE, *(_key(each) for each in (self.user.id, address, domain) if each.strip("@"))}


def sign_in(claims: Mapping[str, Any], user: User, secret_hash: str) -> Login:
    """Return the login of a user whom a provider identified; its token says when (``iat``)."""
    issued_at = claims.get("iat")
    since = float(issued_at) if isinstance(issued_at, int | float) else 0.0
    return Login(user, "sign_in", since, secret_hash, claims)


# --- the owner's ends ---------------------------------------------------------------------------------


def parse_entries(texts: Iterable[str]) -> tuple[str, ...]:
    """Return addresses, domains and ids of users as they are written in a command, in lower case.

    Raises:
        ValueError: An entry is none of them; the message is that entry.
    """
    entries: list[str] = []
    for text in texts:
        entries += (text,) if _is_user_id(text) else parse_allowed(text)
    return tuple(entries)


def end_sessions(database: Database, entries: Iterable[str]) -> None:
    """End all sessions that these users have opened until now; ``EVERYONE`` stands for all users.

    Raises:
        StoreError: The database cannot be used.
    """
    with database.exclusive(_LOCK) as connection:
        now = connection.execute(sql.select(database.now)).scalar_one()
        for entry in entries:
            where = SESSION_ENDS.c.entry == _key(entry)
            if not connection.execute(sql.update(SESSION_ENDS).where(where).values(ended_at=now)).rowcount:
                connection.execute(sql.insert(SESSION_ENDS).values(entry=_key(entry), ended_at=now))


def current_moment(database: Database | None) -> float:
    """Return the time by the database's clock, or by that of this machine if it cannot be used."""
    try:
        if database:
            with database.reading() as connection:
                return float(connection.execute(sql.select(database.now)).scalar_one())
    except StoreError:
        pass
    return time.time()


class SessionEnds:
    """When sessions were ended, as last read from the database; for use from many threads.

    While the database cannot be used, the last values stay.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._moments: dict[str, float] | None = None
        self._due = -math.inf

    def read(self, database: Database | None) -> Mapping[str, float]:
        """Return the moments by entry, at most ``CHECK_SECONDS`` old; only the first call waits for another thread."""
        if self._clock() >= self._due and self._lock.acquire(blocking=self._moments is None):
            try:
                if self._clock() >= self._due:
                    self._read(database)
            finally:
                self._lock.release()
        return self._moments or {}

    def _read(self, database: Database | None) -> None:
        try:
            if database is None:
                raise StoreError(N_("The database cannot be opened."))
            with database.reading() as connection:
                rows = connection.execute(sql.select(SESSION_ENDS.c.entry, SESSION_ENDS.c.ended_at))
                self._moments = {row.entry: row.ended_at for row in rows}
            self._due = self._clock() + CHECK_SECONDS
        except StoreError as error:
            log.warning("ended sessions are not looked up: %s", error)
            self._due = self._clock() + RETRY_SECONDS


def stop_when_ended(run: EventStream, has_ended: Callable[[], object]) -> Generator[Event, None, None]:
    """Yield the events of a run until the session that asked for it has ended.

    It stops before the next piece of the answer: no further request is sent, and no further function is called.
    """
    with closing(run) as events:
        for event in events:
            if has_ended():
                yield RunStopped("session_ended", N_("Stopped: the session has ended."))
                return
            yield event


def _key(entry: str) -> str:
    """Return the entry as it is stored: addresses are hashed."""
    return entry if entry == EVERYONE or _is_user_id(entry) else hash_secret(entry)


def _is_user_id(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{64}", text) is not None
