"""Limit the total duration of a request to a server, however slowly the response arrives."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from openai import OpenAI

from assistant.backends.client import host
from assistant.backends.error_translation import timeout_error
from assistant.errors import BackendError, ServerFailed
from assistant.locale import N_
from assistant.transports.cancellation import Cancellation

T = TypeVar("T")


def call_with_deadline(seconds: float, client: OpenAI, call: Callable[[OpenAI], T]) -> T:
    """Return the result of ``call``, which gets a client with this timeout.

    Raises:
        BackendError: The call failed or exceeded the deadline; a late request is cancelled.
    """
    cancellation, result = Cancellation(), Future[T]()

    def work() -> None:
        try:
            limited = client.with_options(timeout=seconds)
            result.set_result(cancellation.call(lambda: call(limited)))
        except BackendError as error:
            result.set_exception(error)
        except Exception as error:
            text = N_(
                "The request to {host} failed: {reason}.", host=host(client), reason=type(error).__name__
            )
            result.set_exception(ServerFailed(text, code="client"))

    Thread(target=work, daemon=True).start()
    try:
        return result.result(seconds)
    except TimeoutError:
        cancellation.cancel()
        raise timeout_error(client) from None
