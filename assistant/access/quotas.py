"""Count requests against the usage limits of the owner's account."""

import logging
from dataclasses import dataclass

from assistant.access.limits import Limit
from assistant.access.usage_store import UsageStore
from assistant.errors import StoreError, UsageUnavailable
from assistant.events import Usage
from assistant.locale import N_
from assistant.recordings.costs import cost_of

log = logging.getLogger(__name__)

AUDIO_BYTES_PER_TOKEN = 2_000  # about 16 tokens per second of audio as the page records it


@dataclass(frozen=True, slots=True)
class QuotaGuard:
    """Counts the requests of one user.

    Attributes:
        user_id: The signed-in user's id; where users do not sign in, an id of the browser session.
        user_limits: Limits on each user.
        total_limits: Limits on all users together.
        model: The model whose price applies to models without a known price; empty if costs are not counted.
        store: None while the database cannot be used.
    """

    user_id: str
    user_limits: tuple[Limit, ...]
    total_limits: tuple[Limit, ...]
    model: str
    store: UsageStore | None

    def reserve(self) -> None:
        """Count one more message of the user.

        Raises:
            LimitExceeded: A limit is reached; the message is not counted.
            UsageUnavailable: The database cannot be used.
        """
        try:
            if self.store is None:
                raise StoreError(N_("The database cannot be opened."))
            self.store.reserve(self.user_id, self.user_limits, self.total_limits)
        except StoreError as error:
            log.warning("request refused, usage cannot be counted: %s", error)
            raise UsageUnavailable(N_("Usage cannot be counted.")) from error

    def charge(self, usage: Usage, model: str = "") -> None:
        """Count the tokens and the cost of a response.

        A model without a known price costs what ``self.model`` costs.
        """
        tokens, dollars = usage.input + usage.output, 0.0
        if self.model:
            costs = (
                cost_of(name, input=usage.input, cached=usage.cached, output=usage.output)
                for name in (model, self.model)
            )
            dollars = next((cost for cost in costs if cost is not None), 0.0)
        try:
            if self.store is not None:
                self.store.charge(self.user_id, tokens, dollars)
        except StoreError as error:
            log.warning("usage of %d tokens not counted: %s", tokens, error)

    def reserve_audio(self, audio: bytes) -> None:
        """Count a transcription as a message, and as tokens by the length of the audio.

        Raises:
            QuotaError: See ``reserve``.
        """
        self.reserve()
        self.charge(Usage(input=len(audio) // AUDIO_BYTES_PER_TOKEN))
