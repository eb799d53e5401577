"""Open requests: cancelling one from another thread, and repeating one whose connection broke."""

import threading
from collections.abc import Generator
from contextlib import closing

import pytest

from assistant import Thread
from assistant.backends.base import ResponseEvents
from assistant.backends.requests import Request, RequestRegistry, repeat_once
from assistant.errors import Interrupted
from assistant.events import Event, TextDelta
from assistant.messages import Message

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
    """Run ``repeat_once`` with attempts that each yield a text and then fail or return."""
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
        return (yield from repeat_once(attempt, thread, request))

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


def test_a_request_is_repeated_once_if_the_connection_broke_before_any_output(thread: Thread) -> None:
    assert attempts(thread, ("", LOST), ("Hello", None)) == ([TextDelta("Hello")], "0 left")


def test_a_request_is_not_repeated_twice(thread: Thread) -> None:
    with pytest.raises(Interrupted):
        attempts(thread, ("", LOST), ("", LOST), ("Hello", None))


def test_a_request_with_output_is_not_repeated(thread: Thread) -> None:
    with pytest.raises(Interrupted):
        attempts(thread, ("Hel", LOST), ("Hello", None))


def test_a_timeout_is_not_repeated(thread: Thread) -> None:
    with pytest.raises(Interrupted):
        attempts(thread, ("", Interrupted("Silent.", code="timeout")), ("Hello", None))
