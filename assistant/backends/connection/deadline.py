"""Limit the total duration of a request to a server, however slowly the response arrives."""

from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar, cast

from openai import OpenAI

from assistant.backends.client import host
from assistant.backends.requests import Request
from assistant.errors import BackendError, Interrupted, ServerFailed
from assistant.locale import N_

T = TypeVar("T")


def call_with_deadline(seconds: float, client: OpenAI, call: Callable[[OpenAI, Request], T]) -> T:
    """Return the result of ``call``, which gets a client with this timeout and a cancellable request.

    Raises:
        BackendError: The call failed or exceeded the deadline; a late request is cancelled.
    """
    request, results = Request(), SimpleQueue[tuple[T | None, BackendError | None]]()

    def work() -> None:
        try:
            results.put((call(client.with_options(timeout=seconds, max_retries=0), request), None))
        except BackendError as error:
            results.put((None, error))
        except Exception as error:
            text = N_(
                "The request to {host} failed: {reason}.", host=host(client), reason=type(error).__name__
            )
            results.put((None, ServerFailed(text, code="client")))

    Thread(target=work, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except Empty:
        request.cancel()
        error = Interrupted(
            N_("{host} was silent for too long. Try again.", host=host(client)), code="timeout", retry=True
        )
    if error is not None:
        raise error
    return cast("T", result)
