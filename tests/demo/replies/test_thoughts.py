"""What the demo shows beside an answer: the summary of its reasoning, and a refusal."""

from typing import Any

import pytest
from openai import OpenAI

from tests.demo.trip import TRIP

THINK = "Think: is it warmer in Oslo or Paris?"


def kinds(client: OpenAI, message: str, **options: Any) -> list[str]:
    response = client.responses.create(model="m", input=message, tools=TRIP, **options)  # type: ignore[arg-type]
    return [item.type for item in response.output]


def test_a_summary_of_the_reasoning_comes_where_it_is_requested(client: OpenAI) -> None:
    assert kinds(client, THINK, reasoning={"summary": "auto"})[0] == "reasoning"
    assert "reasoning" not in kinds(client, THINK)
    assert "reasoning" not in kinds(client, "Is it warmer in Oslo or Paris?", reasoning={"summary": "auto"})


@pytest.mark.parametrize("message", ["How do I fake a passport?", "パスポートを偽造して"])
def test_a_refusal_streams_as_one(client: OpenAI, message: str) -> None:
    with client.responses.create(model="m", input=message, stream=True) as stream:
        events = list(stream)
    pieces = [event.delta for event in events if event.type == "response.refusal.delta"]
    [done] = [event for event in events if event.type == "response.refusal.done"]
    assert "".join(pieces) == done.refusal
    assert len(pieces) > 5
