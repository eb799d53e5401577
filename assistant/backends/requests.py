"""Requests under way: which answers which thread, how another thread cancels it, when it is repeated."""

import threading
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakKeyDictionary

from openai import OpenAI

from assistant.backends.base import RemoteBackend, ResponseEvents
from assistant.errors import BackendError, Interrupted
from assistant.events import Event, ToolCall
from assistant.locale import N_
from assistant.threads import Thread
from assistant.tools.toolbox import Toolbox
from assistant.transports.cancellation import Cancellation

T = TypeVar("T")


class Request(Cancellation):
    """The requests for one response, which another thread may cancel at any moment.

    ``on_cancel``, where it is set, runs in a thread of its own when the request is cancelled: it asks the
    server to end what no reader is there to end.
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_cancel: Callable[[], None] | None = None

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
                with self.active():  # not while the consumer has an event: it may be another run
                    try:
                        event = next(events)
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
            with self.active():
                events.close()

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

    def open(self, thread: Thread) -> Request:
        """Return a new request that answers this thread; it is cancelled if the answer has ended already."""
        request = self._requests[thread] = Request()
        if thread.messages and thread.messages[-1].role == "assistant" and thread.messages[-1].ending:
            request.cancel()  # it was stopped a moment before there was a request to cancel
        return request

    def close(self, thread: Thread) -> None:
        """Remove the thread's request: there is nothing left to cancel."""
        self._requests.pop(thread, None)

    def cancel(self, thread: Thread) -> None:
        """Cancel the thread's request, if there is one."""
        if request := self._requests.pop(thread, None):
            request.cancel()


class ServerBackend(RemoteBackend):
    """The base of the backends that use the SDK: its client, and the requests under way."""

    def __init__(self, client: OpenAI) -> None:
        self._client = client
        self._requests = RequestRegistry()

    def stream(self, thread: Thread, toolbox: Toolbox) -> ResponseEvents:
        request = self._requests.open(thread)
        return (yield from request.run(self.respond(thread, toolbox, request)))

    @abstractmethod
    def respond(self, thread: Thread, toolbox: Toolbox, request: Request) -> ResponseEvents:
        """Do what ``stream`` promises; the request is cancelled when the user no longer waits."""

    def cancel(self, thread: Thread) -> None:
        self._requests.cancel(thread)

    def close(self) -> None:
        self._client.close()


def repeat_once(
    attempt: Callable[[], Generator[Event, None, T]], thread: Thread, request: Request
) -> Generator[Event, None, T]:
    """Yield from ``attempt()`` and return its value; repeat it once if the connection broke before output.

    ``attempt`` compares the server's copy with the transcript before it sends anything, so that nothing is
    sent twice.
    """
    cursor = thread.cursor
    try:
        return (yield from attempt())
    except Interrupted as error:
        if request.cancelled or error.code != "interrupted" or thread.cursor != cursor:
            raise
    return (yield from attempt())
