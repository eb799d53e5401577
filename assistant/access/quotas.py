"""Count requests against the usage limits of the owner's account."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from assistant.access.limits import Limit, UsageTotals
from assistant.access.usage_store import UsageStore
from assistant.errors import BudgetError, LimitExceeded, StoreError, UsageUnavailable
from assistant.events import Usage
from assistant.locale import N_
from assistant.recordings.costs import cost_of, costs_tokens_only

log = logging.getLogger(__name__)

AUDIO_BYTES_PER_TOKEN = 2_000  # about 16 tokens per second of audio as the page records it


@dataclass(frozen=True, slots=True)
class Reservation:
    """What a response may use, as it was counted in advance at ``moment``."""

    usage: UsageTotals
    moment: float


@dataclass(frozen=True, slots=True)
class QuotaGuard:
    """Counts the requests of one user.

    Attributes:
        user_id: The signed-in user's id; where users do not sign in, an id of the browser session.
        user_limits: Limits on each user.
        total_limits: Limits on all users together, and the owner's budgets.
        model: The model whose price applies to models without a known price; empty if costs are not counted.
            With a budget, it is the model that is requested.
        store: None while the database cannot be used.
        max_output: The maximum number of tokens that a response may have, as requests demand it; 0 if they
            demand none.
        on_limit: Called when a limit is reached.
    """

    user_id: str
    user_limits: tuple[Limit, ...]
    total_limits: tuple[Limit, ...]
    model: str
    store: UsageStore | None
    max_output: int = 0
    on_limit: Callable[[LimitExceeded], None] = lambda _: None

    @property
    def has_budget(self) -> bool:
        """Whether the count has to be at least what the server charges."""
        return any(limit.is_budget for limit in self.total_limits)

    def reserve(self, usage: Usage, *, messages: int = 0) -> Reservation:
        """Count what a response may use, and ``messages`` of the user.

        Raises:
            LimitExceeded: A limit is reached; nothing is counted.
            BudgetError: The response can never fit into the budget, or its price is unknown.
            UsageUnavailable: The database cannot be used.
        """
        if self.has_budget and not costs_tokens_only(self.model):
            raise BudgetError(
                N_(
                    "The price of this model is not known, so the budget does not allow it. Choose another model."
                )
            )
        totals = self._totals(usage, messages=messages)
        try:
            if self.store is None:
                raise StoreError(N_("The database cannot be opened."))
            moment = self.store.reserve(self.user_id, totals, self.user_limits, self.total_limits)
        except LimitExceeded as error:
            self.on_limit(error)
            raise
        except StoreError as error:
            log.warning("request refused, usage cannot be counted: %s", error)
            raise UsageUnavailable(N_("Usage cannot be counted.")) from error
        return Reservation(totals, moment)

    def settle(self, reservation: Reservation, usage: Usage, model: str = "", *, messages: int = 0) -> None:
        """Count what a response has used in place of what was reserved for it.

        A model without a known price costs what ``self.model`` costs.
        """
        difference = self._totals(usage, model, messages=messages) - reservation.usage
        try:
            if self.store is not None:
                self.store.correct(self.user_id, reservation.moment, difference)
        except StoreError as error:
            log.warning("usage stays as it was reserved: %s", error)

    def reserve_audio(self, audio: bytes) -> None:
        """Count a transcription as a message, and as tokens by the length of the audio.

        Raises:
            QuotaError: See ``reserve``. With a budget always, because the cost is not known in advance.
        """
        if self.has_budget:
            raise BudgetError(
                N_("This page has a budget, and what voice messages cost is not known in advance.")
            )
        self.reserve(Usage(input=len(audio) // AUDIO_BYTES_PER_TOKEN), messages=1)

    def _totals(self, usage: Usage, model: str = "", *, messages: int) -> UsageTotals:
        dollars = 0.0
        if self.model:
            costs = (self._cost(name, usage) for name in (model, self.model))
            dollars = next((cost for cost in costs if cost is not None), 0.0)
        return UsageTotals(messages, usage.input + usage.output, dollars)

    def _cost(self, model: str, usage: Usage) -> float | None:
        """Return what a response costs; with a budget, the higher of the costs with and without writing to the cache."""
        costs = [
            cost_of(model, input=usage.input, cached=usage.cached, written=written, output=usage.output)
            for written in (usage.cache_written, 0)
        ]
        return max(filter(None, costs), default=costs[0]) if self.has_budget else costs[0]
