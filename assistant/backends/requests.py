"""Requests under way: which answers which thread, how another thread cancels it, when it is repeated."""

import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from weakref import WeakKeyDictionary

import httpx2
from openai import OpenAI

from assistant.backends.base import RemoteBackend
from assistant.errors import Interrupted
from assistant.events import Event
from assistant.locale import N_
from assistant.threads import Thread

T = TypeVar("T")


class Request:
    """A request under way, which another thread may cancel at any moment.

    ``on_cancel``, where it is set, runs in a thread of its own when the request is cancelled: it asks the
    server to end what no reader is there to end.
    """

    def __init__(self) -> None:
        self.on_cancel: Callable[[], None] | None = None
        self._cancelled = threading.Event()
        self._response: httpx2.Response | None = None

    @property
    def cancelled(self) -> bool:
        """Whether the user no longer waits for the answer."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Mark the request as cancelled and close its connection."""
        self._cancelled.set()
        if self._response is not None:
            close_connection(self._response)
        if self.on_cancel:
            threading.Thread(target=self.on_cancel, daemon=True).start()

    def attach(self, response: httpx2.Response) -> None:
        """Set the response whose connection ``cancel`` closes."""
        self._response = response
        if self.cancelled:
            close_connection(response)

    def check(self) -> None:
        """Raise ``Interrupted`` if the request was cancelled."""
        if self.cancelled:
            raise Interrupted(N_("Cancelled."), code="cancelled")

    def wait(self, seconds: float) -> None:
        """Wait; raise ``Interrupted`` as soon as the request is cancelled."""
        self._cancelled.wait(seconds)
        self.check()

    @contextmanager
    def cancelled_on_close(self) -> Iterator[None]:
        """Mark the request as cancelled if the generator is closed within this block, or on Ctrl-C."""
        try:
            yield
        except (GeneratorExit, KeyboardInterrupt):
            self._cancelled.set()
            raise


class RequestRegistry:
    """The open request of each thread."""

    def __init__(self) -> None:
        self._requests: WeakKeyDictionary[Thread, Request] = WeakKeyDictionary()

    def open(self, thread: Thread) -> Request:
        """Return a new request that answers this thread."""
        request = self._requests[thread] = Request()
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


def close_connection(response: httpx2.Response) -> None:
    """End a response that another thread may be waiting for; that thread sees a lost connection.

    Closing the response would not wake the other thread; shutting its socket down does.
    """
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if isinstance(connection, socket.socket):
        with suppress(OSError):  # already closed
            # Not the socket's own method: that of a TLS socket would free what the reader is using.
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
