"""How a stream ends that does not end well, whatever its protocol: its reader raises one of these."""

from assistant.errors import BackendError, Incomplete
from assistant.locale import N_


class StreamError(Exception):
    """The stream itself reported an error; ``error_translation`` turns it into a ``BackendError``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MissingFinalEvent(Exception):
    """The stream ended without the event that ends a response."""


def status_of(error: BackendError) -> int:
    """Return the HTTP status of the SDK's exception behind an error; 0 if there is none."""
    status = getattr(error.__cause__, "status_code", 0)
    return status if isinstance(status, int) else 0


def token_limit_reached() -> Incomplete:
    """Return the error for a response that reached the limit of output tokens."""
    return Incomplete(
        N_("The answer was cut off: it reached the limit of output tokens."), reason="max_output_tokens"
    )


def content_filtered() -> Incomplete:
    """Return the error for a response that the server's content filter ended."""
    return Incomplete(N_("The answer was cut off by the server's content filter."), reason="content_filter")
