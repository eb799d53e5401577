"""A limit for the total duration of a request."""

import threading
from queue import Queue
from typing import Any

import pytest
from openai import OpenAI

from assistant.backends.connection.deadline import call_with_deadline
from assistant.errors import Interrupted, RequestRefused, ServerFailed
from assistant.transports.cancellation import is_cancelled
from tests.servers.listing import ClientFactory

URL = "http://127.0.0.1:1/v1"


def test_the_result_is_returned(client_for: ClientFactory) -> None:
    def call(client: OpenAI) -> Any:
        return client.timeout, client.max_retries

    assert call_with_deadline(3.0, client_for(URL), call) == (3.0, 0)


def test_a_late_call_is_cancelled_and_reported(client_for: ClientFactory) -> None:
    release, cancelled = threading.Event(), Queue[bool]()

    def call(client: OpenAI) -> None:
        release.wait(5)
        cancelled.put(is_cancelled())

    with pytest.raises(Interrupted) as late:
        call_with_deadline(0.01, client_for(URL), call)
    release.set()
    assert (late.value.code, late.value.retry, cancelled.get(timeout=5)) == ("timeout", True, True)


def test_an_error_of_the_call_is_raised_here(client_for: ClientFactory) -> None:
    def refused(client: OpenAI) -> None:
        raise RequestRefused("No.", code="no")

    def broken(client: OpenAI) -> None:
        raise ZeroDivisionError

    with pytest.raises(RequestRefused):
        call_with_deadline(5, client_for(URL), refused)
    with pytest.raises(ServerFailed, match="ZeroDivisionError") as failed:
        call_with_deadline(5, client_for(URL), broken)
    assert failed.value.code == "client"
