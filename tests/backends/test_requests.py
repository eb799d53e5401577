"""Open requests: cancelling one from another thread, and repeating one whose connection broke."""

import threading
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest

from assistant import Thread
from assistant.backends.base import ResponseEvents
from assistant.backends.client import connect
from assistant.backends.error_translation import translate_errors
from assistant.backends.requests import (
    Request,
    RequestRegistry,
    call_with_retries,
    seconds_before_retry,
    with_retries,
)
from assistant.errors import BackendError, Interrupted
from assistant.events import Event, RetryScheduled, TextDelta
from assistant.messages import Message
from assistant.settings import Settings

LOST = Interrupted("The connection was lost.", code="interrupted", retry=True)


def test_cancelling_a_thread_cancels_its_newest_request_only() -> None:
    registry, first, second = RequestRegistry(), Thread(), Thread()
    request, other = registry.open(first), registry.open(second)
    registry.cancel(first)
    registry.cancel(first)
    assert (request.cancelled, other.cancelled) == (True, False)


def test_a_closed_request_is_not_cancelled() -> None:
    registry, thread = RequestRegistry(), Thread()
    request = registry.open(thread)
    registry.close(thread)
    registry.cancel(thread)
    assert not request.cancelled


def test_a_cancelled_request_stops_waiting_at_once() -> None:
    request = Request()
    threading.Timer(0.01, request.cancel).start()
    with pytest.raises(Interrupted, match="Cancelled"):
        request.wait(60)


def test_a_request_that_is_not_cancelled_may_go_on() -> None:
    request = Request()
    request.check()
    request.wait(0.001)
    assert not request.cancelled


def test_cancelling_runs_the_callback_in_another_thread() -> None:
    request, done = Request(), threading.Event()
    request.on_cancel = done.set
    request.cancel()
    assert done.wait(5)


def test_closing_a_generator_marks_its_request_as_cancelled() -> None:
    request = Request()

    def events() -> ResponseEvents:
        yield TextDelta("One")
        yield TextDelta("Two")
        return []

    with closing(request.run(events())) as stream:
        assert next(stream) == TextDelta("One")
        assert not request.cancelled
    assert request.cancelled


def attempts(thread: Thread, *plans: tuple[str, Exception | None]) -> tuple[list[Event], object]:
    """Run ``with_retries`` with attempts that each yield a text and then fail or return."""
    seen: list[Event] = []
    remaining, request = list(plans), Request()

    def attempt() -> Generator[Event, None, str]:
        text, error = remaining.pop(0)
        if text:
            yield TextDelta(text)
        if error:
            raise error
        return f"{len(remaining)} left"

    def run() -> Generator[Event, None, str]:
        return (yield from with_retries(attempt, thread, request))

    stream = run()
    while True:
        try:
            event = next(stream)
        except StopIteration as end:
            return seen, end.value
        seen.append(event)
        thread.messages[-1].add(event)


@pytest.fixture
def thread() -> Thread:
    return Thread("", [Message.from_user("Hi"), Message("assistant")])


def scheduled(number: int, reason: str = "The connection was lost.") -> RetryScheduled:
    return RetryScheduled(number, 2, 0.0, reason)


def test_a_request_is_repeated_if_the_connection_broke_before_any_output(thread: Thread) -> None:
    assert attempts(thread, ("", LOST), ("", LOST), ("Hello", None)) == (
        [scheduled(1), scheduled(2), TextDelta("Hello")],
        "0 left",
    )
    assert thread.messages[-1].stats.retries == 2


def test_a_request_is_repeated_twice_at_most(thread: Thread) -> None:
    with pytest.raises(Interrupted):
        attempts(thread, ("", LOST), ("", LOST), ("", LOST), ("Hello", None))


def test_a_request_with_output_is_not_repeated(thread: Thread) -> None:
    with pytest.raises(Interrupted):
        attempts(thread, ("Hel", LOST), ("Hello", None))


def test_a_timeout_is_not_repeated(thread: Thread) -> None:
    with pytest.raises(Interrupted):
        attempts(thread, ("", Interrupted("Silent.", code="timeout")), ("Hello", None))


def test_nothing_is_repeated_for_a_cancelled_request(thread: Thread) -> None:
    request = Request()
    request.cancel()

    def attempt() -> Generator[Event, None, None]:
        yield from ()
        raise LOST

    with pytest.raises(Interrupted):
        list(with_retries(attempt, thread, request))


# --- which errors are tried again, from the response of a server ---------------------------------------


def error_of(status: int, body: Any = "", **headers: str) -> BackendError:
    """Return the error for a response."""
    response = httpx2.Response(
        status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        json={"error": body if isinstance(body, dict) else {"message": body}},
    )
    with (
        connect(Settings(api_key="sk-x"), httpx2.MockTransport(lambda request: response)) as client,
        pytest.raises(BackendError) as caught,
        translate_errors(client),
    ):
        client.models.list()
    return caught.value


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_status_that_may_pass_is_tried_again(status: int) -> None:
    error = error_of(status)
    assert [seconds_before_retry(error, number) is not None for number in range(3)] == [True, True, False]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_a_status_that_stays_is_not_tried_again(status: int) -> None:
    assert seconds_before_retry(error_of(status), 0) is None


def test_the_server_decides_where_it_says_so() -> None:
    assert seconds_before_retry(error_of(500, x_should_retry="false"), 0) is None
    assert seconds_before_retry(error_of(400, x_should_retry="true"), 0) is not None


@pytest.mark.parametrize(
    "code", ["insufficient_quota", "project_spend_limit_exceeded", "usage_limit_exceeded"]
)
def test_a_used_up_quota_is_not_tried_again(code: str) -> None:
    assert seconds_before_retry(error_of(429, {"message": "No.", "code": code}), 0) is None


def test_a_conversation_that_is_too_long_is_not_tried_again_as_it_is() -> None:
    assert seconds_before_retry(error_of(500, "The context length is exceeded."), 0) is None


def test_the_wait_that_the_server_asks_for_is_kept_or_shown() -> None:
    short, long = error_of(429, retry_after="3"), error_of(429, retry_after="20")
    assert (seconds_before_retry(short, 0), short.retry_after) == (3.0, 3.0)
    assert (seconds_before_retry(long, 0), long.retry_after) == (None, 20.0)
    assert seconds_before_retry(error_of(503, retry_after_ms="40"), 0) == 0.04


def test_the_wait_may_be_a_date() -> None:
    date, later = "Mon, 30 Nov 2026 07:00:00 GMT", "Mon, 30 Nov 2026 07:01:30 GMT"
    assert error_of(429, date=date, retry_after=later).retry_after == 90.0
    assert error_of(429, date=later, retry_after=date).retry_after is None
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    assert error_of(429, retry_after=in_a_minute).retry_after == pytest.approx(60, abs=5)


@pytest.mark.parametrize("text", ["soon", "", "nan", "inf", "-1", "Mon, 99 Nov 2026 07:00:00 GMT", "1e999"])
def test_a_wait_that_makes_no_sense_is_none(text: str) -> None:
    assert error_of(429, retry_after=text).retry_after is None


def test_calls_outside_of_a_run_are_repeated_too() -> None:
    left = [LOST, LOST]

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    assert call_with_retries(call) == "done"
    left = [LOST, LOST, LOST]
    with pytest.raises(Interrupted):
        call_with_retries(call)
