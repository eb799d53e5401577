"""Everything that can go wrong, split by whose fault it is.

    AssistantError
    ├── SettingsError          the configuration: names the variable, the value and the remedy
    ├── FunctionError          a function that cannot be offered to a model; raised at import
    ├── ToolError              raised *by* a function: its text is for the model
    ├── ThreadBusy             a second run was started on a thread while one is running
    ├── QuotaError             the request was not sent, because the owner's account may not be used for it now
    │   ├── LimitExceeded          a usage limit is reached
    │   └── UsageUnavailable       usage cannot be counted
    ├── StoreError             the database that keeps threads cannot be used
    ├── Incomplete             nobody's: the server ended a response early, at a limit
    └── BackendError           a request that did not end well
        ├── RequestRefused         the server understood and said no: key, quota, model, length
        ├── ServerFailed           the server is at fault, or is not the server we think it is
        ├── Interrupted            the answer was cut: connection lost, silence, no last event
        └── UnknownThread          no thread by this id on the server

The one rule: the text of an error is a sentence for the person, saying what happened and what to do.
It never holds a key, and an exception of the SDK never leaves ``backends/``.
"""

from typing import Literal

from assistant.events import StopReason
from assistant.locale import N_, UserText


class AssistantError(Exception):
    """The root of this package's exceptions. ``text`` says what happened and what to do."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text: UserText = text

    def __str__(self) -> str:
        return str(self.text)


class SettingsError(AssistantError):
    """A setting has a value that cannot be used."""


class FunctionError(AssistantError, TypeError):
    """A Python function cannot be offered to a model as it is written."""


class ToolError(AssistantError):
    """Raise this inside a function to tell the model, in your own words, what went wrong."""


class ThreadBusy(AssistantError):
    """The thread has a run already, and a thread has one run at a time."""


LimitScope = Literal["user", "everyone"]
"""Whether a usage limit applies to each user or to all of them together."""


class QuotaError(AssistantError):
    """The owner's account may not be used now. ``ui/quotas.py`` chooses the words."""


class LimitExceeded(QuotaError):
    """A usage limit is reached.

    ``limit`` is the limit as it is written in the settings; ``resets_at`` is in seconds since 1970.
    """

    def __init__(self, limit: str, scope: LimitScope, *, resets_at: float) -> None:
        super().__init__(N_("The usage limit of {limit} is reached.", limit=limit))
        self.limit = limit
        self.scope: LimitScope = scope
        self.resets_at = resets_at


class UsageUnavailable(QuotaError):
    """Usage cannot be counted, so nothing may be spent."""


class StoreError(AssistantError):
    """The database that keeps threads cannot be used; without it the application goes on, forgetful."""


class Incomplete(AssistantError):
    """The server ended a response early, at a limit; what was said is kept."""

    def __init__(self, text: str, *, reason: StopReason) -> None:
        super().__init__(text)
        self.reason: StopReason = reason


class BackendError(AssistantError):
    """A request to the model's server did not end well.

    ``code`` names the kind for programs (``rate_limit``, ``invalid_key`` …). ``retry`` says whether the
    same request can succeed later without anybody changing anything; ``retry_after`` is in seconds,
    where the server told.
    """

    def __init__(
        self, text: str, *, code: str, retry: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.retry = retry
        self.retry_after = retry_after


class RequestRefused(BackendError):
    """The server understood the request and refused it."""


class ServerFailed(BackendError):
    """The server failed, could not be reached, or answered something that is not the protocol."""


class Interrupted(BackendError):
    """The answer was cut off before its last event."""


class UnknownThread(BackendError):
    """The server knows no thread by this id."""
