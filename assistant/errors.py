"""Everything that can go wrong, split by whose fault it is.

    AssistantError
    ├── SettingsError          a setting has a value that cannot be used
    ├── FunctionError          a Python function cannot be offered to a model; raised at import
    ├── ToolError              raised by a function: its text is for the model
    ├── ThreadBusy             the thread already has a run
    │   ├── ThreadDeleted      the thread was deleted while it was open
    │   └── TooManyAnswers     the user, or all users together, have as many runs as there may be at once
    ├── QuotaError             the owner's account may not be used now
    │   ├── LimitExceeded      a usage limit was reached
    │   ├── BudgetError        a request never fits into the budget
    │   └── UsageUnavailable   usage cannot be counted
    ├── SessionEnded           the browser session is over: the user has to log in again
    ├── StoreError             the database cannot be used
    ├── ThreadImportError      a file is not a chat that can be imported
    ├── Incomplete             the server ended a response early, at a limit
    └── BackendError           a request did not end well
        ├── RequestRefused     the server understood the request and refused it: key, quota, model, length
        ├── ServerFailed       the server failed, was unreachable, or is not the server we think it is
        ├── Interrupted        the response was cut off: connection lost, silence, no last event
        └── UnknownThread      the server has no thread with this id

The text of an error tells the user what happened and what to do. It contains no key, and an exception of the
SDK never leaves ``backends/``.
"""

from typing import Literal

from assistant.events import ServerError, StopReason
from assistant.locale import N_, UserText


class AssistantError(Exception):
    """The root of this package's exceptions. ``text`` tells the user what happened and what to do."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text: UserText = text

    def __str__(self) -> str:
        return self.text  # not a copy: a sentence can still be translated


class SettingsError(AssistantError):
    """A setting has a value that cannot be used."""


class FunctionError(AssistantError, TypeError):
    """A Python function cannot be offered to a model as it is written."""


class ToolError(AssistantError):
    """Raise this inside a function to tell the model, in your own words, what went wrong."""


class ThreadBusy(AssistantError):
    """The thread already has a run; a thread has one run at a time."""


class ThreadDeleted(ThreadBusy):
    """The thread was deleted while it was open, so nothing of it is saved or sent any more."""

    def __init__(self) -> None:
        super().__init__(N_("This chat was deleted."))


LimitScope = Literal["user", "everyone", "budget"]
"""Whether a limit applies to each user or to all of them together, or is the owner's budget."""


class TooManyAnswers(ThreadBusy):
    """As many answers are being written as there may be at once, for this user or for everyone."""

    def __init__(self, text: str, *, scope: LimitScope) -> None:
        super().__init__(text)
        self.scope: LimitScope = scope


class QuotaError(AssistantError):
    """The owner's account may not be used now. ``ui/quotas.py`` chooses the words."""


class LimitExceeded(QuotaError):
    """A usage limit was reached.

    ``limit`` is the limit as it is written in the settings; ``resets_at`` is in seconds since 1970, and
    ``wait_seconds`` are left until then, both by the database's clock.
    """

    def __init__(self, limit: str, scope: LimitScope, *, resets_at: float, wait_seconds: float) -> None:
        super().__init__(N_("The usage limit of {limit} is reached.", limit=limit))
        self.limit = limit
        self.scope: LimitScope = scope
        self.resets_at = resets_at
        self.wait_seconds = wait_seconds


class BudgetError(QuotaError):
    """A request can never be sent within the owner's budget; the text says why."""


class UsageUnavailable(QuotaError):
    """Usage cannot be counted, so nothing may be spent."""


class SessionEnded(AssistantError):
    """The browser session is over: the user has to log in again."""


class StoreError(AssistantError):
    """The database cannot be used. The application continues without storing threads."""


class ThreadImportError(AssistantError, ValueError):
    """A file is not a chat that can be imported."""


class Incomplete(AssistantError):
    """The server ended a response early, at a limit; what arrived is kept."""

    def __init__(self, text: str, *, reason: StopReason) -> None:
        super().__init__(text)
        self.reason: StopReason = reason


class BackendError(AssistantError):
    """A request to the model's server did not end well.

    ``code`` names the kind of error for programs: the server's own code where it sent one
    (``rate_limit_exceeded``, ``invalid_api_key`` …), else ours (``timeout``, ``unreachable``, ``not_the_api``
    …). ``retry`` says whether the same request may succeed later; ``retry_after`` is the wait in seconds that
    the server asked for. ``details`` are what the server answered, if it did.
    """

    def __init__(
        self,
        text: str,
        *,
        code: str,
        retry: bool = False,
        retry_after: float | None = None,
        details: ServerError | None = None,
    ) -> None:
        super().__init__(text)
        self.details = details
        self.code = code
        self.retry = retry
        self.retry_after = retry_after


class RequestRefused(BackendError):
    """The server understood the request and refused it."""


class ServerFailed(BackendError):
    """The server failed, could not be reached, or sent something other than the protocol."""


class Interrupted(BackendError):
    """The response was cut off before its last event."""


class UnknownThread(BackendError):
    """The server has no thread with this id."""
