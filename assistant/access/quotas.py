"""Reserve and charge what answers cost the owner of the application.

The owner's API key serves only the users that the settings allow or limit, and local users. For everyone else
the application behaves as if no key were set.
"""

import logging
from dataclasses import dataclass, replace
from typing import Protocol

from assistant.access.usage_store import UsageStore
from assistant.errors import StoreError, UsageUnavailable
from assistant.events import Usage
from assistant.locale import N_
from assistant.recordings.costs import cost_of
from assistant.recordings.redaction import secrets_of
from assistant.settings import Settings
from assistant.storage.store import Store

log = logging.getLogger(__name__)

AUDIO_BYTES_PER_TOKEN = 2_000
"""About 16 tokens per second of audio as the page records it."""


def restrict_credentials(settings: Settings, localhost: bool) -> Settings:
    """Return the settings, without the owner's connection unless something says who may use it."""
    restricted = localhost or settings.password or settings.allowed or settings.limit_all
    return settings if restricted or not _has_key(settings) else replace(settings, api_key="", base_url="")


def _has_key(settings: Settings) -> bool:
    """Return whether the settings hold a key, possibly in the address."""
    return bool(settings.api_key or secrets_of(settings.base_url, {}))


@dataclass(frozen=True, slots=True)
class QuotaGuard:
    """Counts one user's requests against the limits of the owner's account.

    ``store`` is None while the database cannot be used.
    """

    settings: Settings
    user_id: str
    store: Store | None

    def reserve(self) -> None:
        """Count one more message of the user.

        Raises:
            LimitExceeded: A limit is reached; the message is not counted.
            UsageUnavailable: The database cannot be used.
        """
        try:
            if self.store is None:
                raise StoreError(N_("The database cannot be opened."))
            UsageStore(self.store.database).reserve(
                self.user_id, self.settings.limit_user, self.settings.limit_all
            )
        except StoreError as error:
            log.warning("request refused, usage cannot be counted: %s", error)
            raise UsageUnavailable(N_("Usage cannot be counted.")) from error

    def charge(self, usage: Usage, model: str = "") -> None:
        """Count the tokens and the cost of a response.

        A model without a known price costs what the configured model costs.
        """
        tokens, dollars = usage.input + usage.output, 0.0
        if self.settings.has_price:
            costs = (
                cost_of(name, input=usage.input, cached=usage.cached, output=usage.output)
                for name in (model, self.settings.model)
            )
            dollars = next((cost for cost in costs if cost is not None), 0.0)
        try:
            if self.store is not None:
                UsageStore(self.store.database).charge(self.user_id, tokens, dollars)
        except StoreError as error:
            log.warning("usage of %d tokens not counted: %s", tokens, error)


def quota_guard_for(
    owner: Settings, settings: Settings, user_id: str, store: Store | None
) -> QuotaGuard | None:
    """Return the guard of a connection, or None where it is not the owner's or has no limits.

    ``user_id`` is the signed-in user's id. Where users do not sign in, it is an id of the browser session.
    """
    if settings.demo or not (owner.limit_user or owner.limit_all):
        return None
    if (settings.base_url, settings.api_key) != (owner.base_url, owner.api_key):
        return None
    return QuotaGuard(owner, user_id, store)


class Transcriber(Protocol):
    """Turns speech into text."""

    def transcribe(self, recording: bytes, name: str = ...) -> str:
        """Return the text of a recording; its format is known by the ending of its name."""


@dataclass(frozen=True, slots=True)
class MeteredTranscriber:
    """A transcriber whose recordings count as messages, and as tokens by their length."""

    transcriber: Transcriber
    guard: QuotaGuard

    def transcribe(self, recording: bytes, name: str = "recording.wav") -> str:
        """Return the text of a recording.

        Raises:
            QuotaError: See ``QuotaGuard.reserve``.
        """
        self.guard.reserve()
        self.guard.charge(Usage(input=len(recording) // AUDIO_BYTES_PER_TOKEN))
        return self.transcriber.transcribe(recording, name)
