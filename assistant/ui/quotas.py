"""Whose money an answer costs, and what is said when the owner's is not to be spent.

Not here: the limits (``limits.py``), what was spent (``usage_store.py``), a visitor's own key (``connection.py``).

The one rule: the owner's key is used for people whom the settings name, or count, and for whoever sits at the
machine itself; for anybody else it is as if it were not there.
"""

import logging
import time
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

import streamlit as st

from assistant.access.auth import User
from assistant.access.limits import Reached
from assistant.access.metering import with_metering
from assistant.access.usage_store import UsageStore
from assistant.backends.transcription import Voice
from assistant.errors import LimitReached, RequestRefused, StoreError
from assistant.events import EventStream, Usage
from assistant.locale import N_, Sentence
from assistant.markdown.escape import plain
from assistant.recordings.prices import cost, price_of
from assistant.recordings.redaction import secrets_of
from assistant.settings import Settings
from assistant.storage.store import Store
from assistant.threads import Thread, unguessable_id
from assistant.ui.language import _, translate

log = logging.getLogger(__name__)


def restrict_credentials(settings: Settings, at_home: bool) -> Settings:
    """The settings; without the owner's connection, where nothing says who may use its key."""
    said = at_home or settings.password or settings.allowed or settings.limit_all
    return settings if said or not _has_key(settings) else replace(settings, api_key="", base_url="")


def _has_key(settings: Settings) -> bool:
    """Whether the owner's key is in these settings; it may stand in the address."""
    return bool(settings.api_key or secrets_of(settings.base_url, {}))


def draw_demo_notice() -> None:
    """Say that the demo answers although there is a key, and how its owner opens it."""
    st.info(
        _(
            "The built-in demo answers here: this page has a key, but nothing says who may use it. If you "
            "have a key, open *Connection* in the sidebar. The owner of this page sets `ASSISTANT_PASSWORD`, "
            "`ASSISTANT_ALLOWED` or `ASSISTANT_LIMIT_ALL`."
        ),
        icon=":material/science:",
    )


def draw_limit_notice() -> None:
    """Say, once, why nothing was asked just now: what ``st.session_state.reached`` holds."""
    if reached := st.session_state.pop("reached", ""):
        st.info(plain(translate(reached)), icon=":material/hourglass_top:")


@dataclass(frozen=True, slots=True)
class QuotaGuard:
    """The owner's account, as one person may use it; ``store`` is None while the database is out of order."""

    settings: Settings
    who: str
    store: Store | None

    def admit(self) -> None:
        """Count one more message of this person.

        Raises:
            LimitReached: There is no room for it now.
        """
        try:
            if self.store is None:
                raise StoreError(N_("The database cannot be opened."))
            full = UsageStore(self.store).admit(self.who, self.settings.limit_person, self.settings.limit_all)
        except StoreError as error:
            log.warning("nothing is spent, for nothing can be counted: %s", error)
            raise LimitReached(
                N_("What is spent cannot be counted just now, so nothing is. Try again in a minute.")
            ) from error
        if full:
            raise LimitReached(_in_words(full))

    def counting(self, voice: Voice | None) -> Voice | None:
        """The same voice, each of whose recordings counts as a message."""
        return voice and _CountedVoice(voice, self)

    def charge(self, usage: Usage, model: str = "") -> None:
        """Count what a response took; where its model has no known price, by that of the one that is set."""
        tokens, dollars = usage.input + usage.output, 0.0
        if self.settings.has_price and (price := price_of(model) or price_of(self.settings.model)):
            dollars = cost(price, input=usage.input, cached=usage.cached, written=0, output=usage.output)
        try:
            if self.store is not None:
                UsageStore(self.store).charge(self.who, tokens, dollars)
        except StoreError as error:
            log.warning("%d tokens are not counted: %s", tokens, error)


def paid(run: EventStream, thread: Thread, quota: QuotaGuard | None) -> EventStream:
    """The same run; what it takes is counted, where there is a wallet."""
    return with_metering(run, thread, quota.charge) if quota else run


class _CountedVoice(Voice):
    """Transcribes at the owner's expense."""

    def __init__(self, voice: Voice, quota: QuotaGuard) -> None:
        self._voice, self._wallet = voice, quota

    def transcribe(self, recording: bytes, name: str = "recording.wav") -> str:
        try:
            self._wallet.admit()
        except LimitReached as reached:
            raise RequestRefused(reached.text, code="limit_reached") from reached
        self._wallet.charge(Usage(input=len(recording) // BYTES_PER_AUDIO_TOKEN))
        return self._voice.transcribe(recording, name)


BYTES_PER_AUDIO_TOKEN = 2_000
"""So a second, as the page records it, is about 16 tokens."""


def quota_guard_for(owners: Settings, used: Settings, who: User, store: Store | None) -> QuotaGuard | None:
    """What answers on this connection are paid from, where it is the owner's and has limits.

    Where nobody signs in, a browser session stands for its person.
    """
    if used.demo or not (owners.limit_person or owners.limit_all):
        return None
    if (used.base_url, used.api_key) != (owners.base_url, owners.api_key):
        return None
    if "visitor" not in st.session_state:
        st.session_state.visitor = unguessable_id("visitor")
    return QuotaGuard(owners, who.id or st.session_state.visitor, store)


def _in_words(full: Reached) -> Sentence:
    zone = ZoneInfo(st.context.timezone or "UTC")
    opens = datetime.fromtimestamp(full.opens, zone)
    minutes = max(1, round((full.opens - time.time()) / 60))
    wait = N_("{hours} h", hours=round(minutes / 60))
    if minutes < 90:
        wait = N_("{minutes} min", minutes=minutes)
    at = opens.strftime("%H:%M")
    if full.everybody:
        return N_(
            "All that may be spent here is spent for now. There is room again at {time}, in {wait}.",
            time=at,
            wait=wait,
        )
    return N_(
        "You have asked as much as one person may for now. There is room again at {time}, in {wait}.",
        time=at,
        wait=wait,
    )
