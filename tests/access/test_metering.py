"""What each response may use is reserved before it is requested, and corrected when it has ended."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from assistant import Thread
from assistant.access.limits import UsageTotals, parse_limits
from assistant.access.metering import Meter
from assistant.access.quotas import QuotaGuard
from assistant.access.usage_store import UsageStore
from assistant.errors import LimitExceeded
from assistant.events import (
    Event,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    ServerError,
    TextDelta,
    Usage,
)
from assistant.messages import Message
from assistant.parts import Attachment
from assistant.storage.database import Database
from assistant.texts import FILE_TOKENS
from tests.access.test_usage_store import totals

MAX_OUTPUT = 1_000
ENDED = RoundEnded("m", Usage(input=100, output=20))
STOPPED_BY_LIMIT = RunStopped("usage_limit", "Stopped: the usage limit is reached.")


@pytest.fixture
def opened(database: str) -> Iterator[Database]:
    with closing(Database(database)) as opened:
        yield opened


def meter(database: Database, thread: Thread, limit: str = "1000000 tokens/day") -> Meter:
    quota = QuotaGuard("ada", (), parse_limits(limit), "", UsageStore(database), MAX_OUTPUT)
    return Meter(quota, thread, "Be brief.")


def used(database: Database) -> float:
    return totals(database, "day", time.time()).tokens


def play(meter: Meter, events: Sequence[Event]) -> list[Event]:
    return list(meter.measure(event for event in events))


INPUT = 7  # of the message and the instructions


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([RoundStarted(1), TextDelta("x"), ENDED, RunCompleted()], 120),
        ([RoundStarted(1), ENDED, RoundStarted(2), ENDED, RunCompleted()], 240),
        ([RoundStarted(1), RunFailed("refused", "No.", details=ServerError(429))], 0),
        ([RoundStarted(1), RunFailed("unreachable", "No.")], 0),
        ([RoundStarted(1), RunFailed("timeout", "")], INPUT + MAX_OUTPUT),
        (
            [RoundStarted(1), TextDelta("x"), RunFailed("cut", "", details=ServerError(500))],
            INPUT + MAX_OUTPUT,
        ),
        ([RoundStarted(1), RunStopped("max_output_tokens", "")], INPUT + MAX_OUTPUT),
        ([RoundStarted(1), TextDelta("日本"), RoundEnded("m", None), RunCompleted()], INPUT + 2),
        ([RoundStarted(1), TextDelta("x"), RoundEnded("m", Usage()), RunCompleted()], INPUT + 1),
        ([RunFailed("interrupted", "")], 0),
    ],
)
def test_each_response_is_counted_however_it_ends(
    opened: Database, events: list[Event], expected: float
) -> None:
    thread = Thread(messages=[Message.from_user("Hello you!")])
    counted = meter(opened, thread)
    counted.admit()
    assert used(opened) == INPUT + MAX_OUTPUT
    assert play(counted, events) == events
    assert totals(opened, "day", time.time()) == UsageTotals(1, expected)


def test_a_stopped_answer_counts_as_it_was_reserved(opened: Database) -> None:
    counted = meter(opened, Thread())
    counted.admit(Message.from_user("Hello you!"))
    events: list[Event] = [RoundStarted(1), TextDelta("123456"), ENDED]
    run = counted.measure(event for event in events)
    assert next(run) == RoundStarted(1)
    run.close()
    assert used(opened) == INPUT + MAX_OUTPUT


def test_a_message_that_was_not_sent_is_not_counted(opened: Database) -> None:
    counted = meter(opened, Thread())
    counted.admit(Message.from_user("Hello you!"))
    counted.withdraw()
    assert totals(opened, "day", time.time()) == UsageTotals()


def test_an_answer_ends_before_a_round_that_the_limits_do_not_allow(opened: Database) -> None:
    counted = meter(opened, Thread(), "100 tokens/day")
    counted.admit()
    assert play(counted, [RoundStarted(1), ENDED, RoundStarted(2), ENDED]) == [
        RoundStarted(1),
        ENDED,
        STOPPED_BY_LIMIT,
    ]
    assert used(opened) == 120
    with pytest.raises(LimitExceeded):
        counted.admit()


@pytest.mark.parametrize(
    ("media_type", "expected"), [("application/pdf", 100_000), ("image/png", FILE_TOKENS)]
)
def test_a_document_counts_by_its_size_and_a_picture_does_not(
    opened: Database, media_type: str, expected: int
) -> None:
    file = Attachment("a file", media_type, "A" * 400_000)
    meter(opened, Thread()).admit(Message.from_user("", [file]))
    assert used(opened) == 3 + expected + MAX_OUTPUT
