"""Requests under way: how another thread cancels them, and which are sent again.

The second is decided here alone, for every protocol; the SDK's retries are off. A request is sent again, at most twice, if

- the server could not be reached, or the connection broke before the answer began;
- its status is 408, 409, 429, or 500 and above except 501, or any status with the header ``x-should-retry: true``.

It is sent again after ``Retry-After``, else after ``DELAYS``. It is not sent again if

- a part of the answer has arrived, or an error came in the middle of the stream;
- the server was silent until the timeout;
- the quota is used up, ``Retry-After`` is longer than ``MAX_WAIT_SECONDS``, or there is ``x-should-retry: false``.

A server may have carried out a request although it failed. So what is tried again is not the request but the
attempt to answer: it first finds out what the server has heard, and sends the rest.
"""

import threading
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from random import uniform
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

from assistant.backends.base import SETTINGS_ONLY, RemoteBackend, ResponseEvents
from assistant.backends.stream_errors import NO_SUCH_ENDPOINT, status_of
from assistant.errors import BackendError, Interrupted
from assistant.events import CONNECTION_LOST, Event, RetryScheduled, ToolCall
from assistant.locale import N_
from assistant.request_options import RequestOptions
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox
from assistant.transports.cancellation import Cancellation

if TYPE_CHECKING:
    from openai import OpenAI

T = TypeVar("T")

DELAYS = (0.5, 1.0)
"""Seconds before each retry; up to a quarter less, so that many users do not come back at the same moment."""

MAX_WAIT_SECONDS = 5.0
"""Maximum ``Retry-After`` that is waited for; a longer one is shown to the user."""

_QUOTA_CODES = (
    "insufficient_quota",
    "credit_balance_exhausted",
    "spend_limit_exceeded",
    "usage_limit_exceeded",
)


Steer = Callable[[str, Callable[[], None]], bool]
"""Sends a message for a response that arrives, and returns whether that was possible; calls the function later if
the server will not answer it."""


class Request(Cancellation):
    """The requests for one response, which another thread may cancel at any moment.

    ``options`` are what the response's request changes of the settings.
    ``on_cancel``, where it is set, runs in a thread of its own when the request is cancelled: it asks the
    server to end what no reader is there to end.
    """

    def __init__(self, options: RequestOptions = SETTINGS_ONLY) -> None:
        super().__init__()
        self.options = options
        self.on_cancel: Callable[[], None] | None = None
        self.steer: Steer | None = None  # of the response that arrives, where it can be steered

    def cancel(self) -> None:
        """Cancel the requests: the user no longer waits for the answer."""
        super().cancel()
        if self.on_cancel:
            threading.Thread(target=self.on_cancel, daemon=True).start()

    def check(self) -> None:
        """Raise ``Interrupted`` if the request was cancelled."""
        if self.cancelled:
            raise Interrupted(N_("Cancelled."), code="cancelled")

    def wait(self, seconds: float) -> None:
        """Wait; raise ``Interrupted`` as soon as the request is cancelled."""
        self.pause(seconds)
        self.check()

    def run(self, events: ResponseEvents) -> ResponseEvents:
        """Yield from ``events``; ``cancel`` ends whatever they wait for, and so does closing this."""
        try:
            while True:
                try:
                    event = self.call(events.__next__)
                except StopIteration as end:
                    calls: list[ToolCall] = end.value
                    return calls
                yield event
        except BackendError:
            self.check()
            raise
        except GeneratorExit:
            super().cancel()
            raise
        finally:
            self.call(events.close)

    @contextmanager
    def cancelled_on_interrupt(self) -> Iterator[None]:
        """Cancel the requests if Ctrl-C interrupts this block."""
        try:
            yield
        except KeyboardInterrupt:
            super().cancel()
            raise


class RequestRegistry:
    """The open request of each thread."""

    def __init__(self) -> None:
        self._requests: WeakKeyDictionary[Thread, Request] = WeakKeyDictionary()

    def open(self, thread: Thread, options: RequestOptions = SETTINGS_ONLY) -> Request:
        """Return a new request that answers this thread; it is cancelled if the answer has ended already."""
        request = self._requests[thread] = Request(options)
        if thread.messages and thread.messages[-1].role == "assistant" and thread.messages[-1].ending:
            request.cancel()  # it was stopped a moment before there was a request to cancel
        return request

    def steer(self, thread: Thread, text: str, on_failed: Callable[[], None]) -> bool:
        """Send a message for the response to this thread; see ``RemoteBackend.steer``."""
        request = self._requests.get(thread)
        return bool(request and request.steer and request.steer(text, on_failed))

    def close(self, thread: Thread) -> None:
        """Remove the thread's request: there is nothing left to cancel."""
        self._requests.pop(thread, None)

    def cancel(self, thread: Thread) -> None:
        """Cancel the thread's request, if there is one."""
        if request := self._requests.pop(thread, None):
            request.cancel()


class ServerBackend(RemoteBackend):
    """The base of the backends that use the SDK: its client, and the requests under way."""

    def __init__(self, client: "OpenAI") -> None:
        self._client = client
        self._requests = RequestRegistry()

    def stream(
        self, thread: Thread, toolbox: Toolbox, options: RequestOptions = SETTINGS_ONLY
    ) -> ResponseEvents:
        request = self._requests.open(thread, options)
        return (yield from request.run(self.respond(thread, toolbox, request)))

    @abstractmethod
    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Do what ``stream`` promises; the request is cancelled when the user no longer waits."""

    def cancel(self, thread: Thread) -> None:
        self._requests.cancel(thread)

    def steer(self, thread: Thread, text: str, on_failed: Callable[[], None]) -> bool:
        return self._requests.steer(thread, text, on_failed)

    def close(self) -> None:
        self._client.close()


def with_retries(
    attempt: Callable[[], Generator[Event, None, T]], thread: Thread, request: Request
) -> Generator[Event, None, T]:
    """Yield from ``attempt()`` and return its value; try again what may succeed, unless it has yielded a part.

    ``attempt`` compares the server's copy with the transcript before it sends anything, so that nothing is
    sent twice.
    """
    cursor, number = thread.cursor, 0
    while True:
        try:
            return (yield from attempt())
        except BackendError as error:
            seconds = seconds_before_retry(error, number)
            if seconds is None or request.cancelled or thread.cursor != cursor:
                raise
            number += 1
            scheduled = RetryScheduled(number, len(DELAYS), seconds, _reason(error))
        yield scheduled
        request.wait(seconds)


def call_with_retries(call: Callable[[], T]) -> T:
    """Return what ``call`` returns, for requests outside of a run that may be repeated as they are."""
    number = 0
    while True:
        try:
            return call()
        except BackendError as error:
            if (seconds := seconds_before_retry(error, number)) is None:
                raise
        number += 1
        time.sleep(seconds)


def seconds_before_retry(error: BackendError, number: int) -> float | None:
    """Return the wait before what has failed is tried again, after this many retries; None if it is not."""
    if number >= len(DELAYS) or not _may_pass(error):
        return None
    if error.retry_after:
        return error.retry_after if error.retry_after <= MAX_WAIT_SECONDS else None
    return DELAYS[number] * uniform(0.75, 1.0)


def _may_pass(error: BackendError) -> bool:
    response = getattr(error.__cause__, "response", None)
    if response is None:
        return error.code in ("interrupted", "unreachable")
    should_retry = response.headers.get("x-should-retry")
    if should_retry in ("true", "false"):
        return bool(should_retry == "true")
    status = status_of(error)
    if status in NO_SUCH_ENDPOINT or any(code in response.text for code in _QUOTA_CODES):
        return False
    return status in (408, 409) or ((status == 429 or status >= 500) and error.retry)


def _reason(error: BackendError) -> str:
    status = status_of(error)
    if status == 429:
        return N_("Too many requests.")
    if status:
        return N_("The server answered with HTTP status {status}.", status=status)
    if error.code == "unreachable":
        return N_("The server cannot be reached.")
    return CONNECTION_LOST
