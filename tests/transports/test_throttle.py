"""Simultaneous answers are read less often without losing anything; a single one is read as it arrives."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest

from assistant.backends.client import connect
from assistant.settings import Settings
from assistant.transports import throttle
from assistant.transports.throttle import ThrottleTransport
from tests.servers.responses import ModelServer, text

WORDS = " ".join(f"word{number}" for number in range(30))


class Counting(httpx2.HTTPTransport):
    """Counts the reads of each answer after its head."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[int] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        line = response.extensions["network_stream"]
        read, number = type(line).read, len(self.reads)
        self.reads.append(0)

        def counted(*arguments: Any) -> Any:
            self.reads[number] += 1
            return read(line, *arguments)

        line.read = counted
        return response


@contextmanager
def request_entries(client: httpx2.Client, server: ModelServer) -> Iterator[httpx2.Response]:
    """Request an answer and return its response."""
    request = {"model": "test", "input": "Hi", "stream": True}
    with client.stream("POST", f"{server.url}/responses", json=request) as response:
        yield response


@pytest.mark.exhaustive
def test_simultaneous_answers_are_read_less_often_and_completely(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "READER_SECONDS", 0.5)
    monkeypatch.setattr(throttle, "MAX_SECONDS", 0.5)
    slow = text(WORDS, pieces=30, pause=0.005)
    server.plays(slow, slow, slow)
    below = Counting()
    with httpx2.Client(transport=ThrottleTransport(below)) as client:
        with request_entries(client, server) as alone:
            content = alone.read()
        with request_entries(client, server) as other, request_entries(client, server) as together:
            parts = other.iter_raw()
            begun = next(parts)
            assert together.read().count(b"word29") == content.count(b"word29") > 0
            assert (begun + b"".join(parts)).count(b"word29") == content.count(b"word29")
    read_alone, _, read_together = below.reads
    assert read_alone >= 30, "each piece as it came"
    assert read_together <= 4, "what came meanwhile, in one go"


def test_the_interval_grows_with_the_answers_up_to_its_limit() -> None:
    transport, intervals = ThrottleTransport(httpx2.MockTransport(lambda _: httpx2.Response(200))), []
    for number in (1, 2, 3, 1000):
        transport.readers = set(range(number))
        intervals.append(transport.interval)
    second = throttle.READER_SECONDS
    assert intervals == [0.0, second, 2 * second, throttle.MAX_SECONDS]


def test_a_closed_answer_is_no_longer_counted(server: ModelServer) -> None:
    server.plays(text(WORDS), text(WORDS))
    transport = ThrottleTransport(httpx2.HTTPTransport())
    with httpx2.Client(transport=transport) as client:
        with request_entries(client, server) as given_up:
            parts = given_up.iter_raw()
            next(parts)
            assert len(transport.readers) == 1
        assert len(transport.readers) == 0
        with request_entries(client, server) as whole:
            line = whole.extensions["network_stream"]
            assert b"word29" in whole.read()
            assert "read" not in vars(line), "the connection is as it was"
        assert len(transport.readers) == 0


def test_a_response_that_is_not_a_stream_is_not_throttled(server: ModelServer) -> None:
    transport = ThrottleTransport(httpx2.HTTPTransport())
    with httpx2.Client(transport=transport) as client:
        response = client.post(f"{server.url}/conversations", json={})
        assert (response.status_code, len(transport.readers)) == (200, 0)


def test_the_client_throttles_its_answers(server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    intervals: list[float] = []

    class Watched(ThrottleTransport):
        @property
        def interval(self) -> float:
            intervals.append(super().interval)
            return 0.0

    monkeypatch.setattr("assistant.backends.client.ThrottleTransport", Watched)
    server.plays(text(WORDS), text(WORDS))
    with (
        connect(Settings(api_key="sk-test", base_url=server.url)) as client,
        client.responses.create(model="m", input="Hi", stream=True) as first,
        client.responses.create(model="m", input="Hi", stream=True) as second,
    ):
        next(iter(first))
        assert list(second)[-1].type == "response.completed"
    assert throttle.READER_SECONDS in intervals
