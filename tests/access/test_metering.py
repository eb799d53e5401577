"""Each response of a run is charged, however it ends."""

from typing import Any

import pytest

from assistant import Thread
from assistant.access.metering import with_metering
from assistant.events import (
    Event,
    RoundEnded,
    RoundStarted,
    RunCompleted,
    RunFailed,
    RunStopped,
    TextDelta,
    Usage,
)
from assistant.messages import Message
from assistant.parts import Text

ENDED = RoundEnded("gpt-6-luna", Usage(input=100, output=20))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([RoundStarted(1), TextDelta("x"), ENDED, RunCompleted()], [(Usage(100, 0, 20), "gpt-6-luna")]),
        ([RoundStarted(1), ENDED, RoundStarted(2), ENDED], [(Usage(100, 0, 20), "gpt-6-luna")] * 2),
        ([RoundStarted(1), RunFailed("refused", "No.")], []),
        ([RoundStarted(1), TextDelta("日本"), RunFailed("cut", "")], [(Usage(input=4, output=2), "")]),
        ([RoundStarted(1), RunStopped("max_output_tokens", "")], [(Usage(input=4), "")]),
        ([RoundStarted(1), TextDelta("x"), RoundEnded("m", None)], [(Usage(input=4, output=1), "m")]),
        ([RoundStarted(1), TextDelta("x"), RoundEnded("m", Usage())], [(Usage(input=4, output=1), "m")]),
        ([RunFailed("interrupted", "")], []),
    ],
)
def test_each_response_is_charged_when_it_ends_or_fails(events: list[Event], expected: list[Any]) -> None:
    charges: list[Any] = []
    thread = Thread(messages=[Message.from_user("Hello you!")])
    seen = list(with_metering((event for event in events), thread, lambda *charge: charges.append(charge)))
    assert (seen, charges) == (events, expected)


def test_a_stopped_answer_is_charged_by_an_estimate() -> None:
    charges: list[Any] = []
    thread = Thread(messages=[Message.from_user("Hello"), Message("assistant", [Text("123456")])])
    events: list[Event] = [RoundStarted(1), TextDelta("123456"), ENDED]
    run = with_metering((event for event in events), thread, lambda *charge: charges.append(charge))
    assert [next(run), next(run)] == [RoundStarted(1), TextDelta("123456")]
    run.close()
    assert charges == [(Usage(input=4, output=2), "")]
