"""How an answer ends that does not end well, whatever its protocol.

Not here: which of a protocol's words mean what (``…_stream.py``), or what a person is told (``client.py``).

The one rule: a reader of a stream raises one of these, or the stream ended well.
"""

from assistant.errors import BackendError, Incomplete
from assistant.locale import N_


class StreamError(Exception):
    """The stream itself reported an error; the backend knows how to put it into words."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


class NoEnding(Exception):
    """The stream just ended: none of the events was seen that a stream ends with."""


def status_of(error: BackendError) -> int:
    """The HTTP status that the SDK's exception behind an error has; 0 if there was none."""
    status = getattr(error.__cause__, "status_code", 0)
    return status if isinstance(status, int) else 0


def at_token_limit() -> Incomplete:
    """The answer reached the limit of output tokens."""
    return Incomplete(
        N_("The answer was cut off: it reached the limit of output tokens."), reason="max_output_tokens"
    )


def filtered() -> Incomplete:
    """The server's content filter ended the answer."""
    return Incomplete(N_("The answer was cut off by the server's content filter."), reason="content_filter")
