"""Prices: those of the library, our own for what it lacks, and none for what neither knows."""

import socket
from typing import Any

import pytest

from assistant.recordings.costs import ResponseTokens, TokenCounter, cost_of, has_price, token_parts
from assistant.recordings.wire_events import Tokens, TokensCounted


@pytest.mark.parametrize(
    ("model", "input_price", "cached_price", "output_price"),
    [
        ("gpt-6.2-astra", 8.00, 0.40, 40.00),
        ("gpt-6.2-sol", 2.00, 0.10, 10.00),
        ("gpt-6.1-sol", 2.00, 0.10, 10.00),
        ("gpt-6.1-terra", 1.00, 0.05, 5.00),
        ("gpt-6-astra", 10.00, 1.00, 50.00),
        ("gpt-6-sol", 2.00, 0.20, 10.00),
        ("gpt-6-luna", 0.10, 0.01, 0.50),
        ("gpt-5.6-terra", 2.00, 0.20, 12.00),
        ("gpt-5.6-luna", 0.20, 0.02, 1.20),
    ],
)
def test_a_response_costs_what_its_tokens_cost(
    model: str, input_price: float, cached_price: float, output_price: float
) -> None:
    # 500 new tokens, 400 from the cache, and 100 written to it for 1.25 times the price.
    expected = 500 * input_price + 400 * cached_price + 125 * input_price + 80 * output_price
    cost = cost_of(model, input=1000, cached=400, written=100, output=80)
    assert cost == pytest.approx(expected / 1_000_000)


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-6.2-sol"])
def test_a_dated_snapshot_costs_what_its_model_costs(model: str) -> None:
    assert cost_of(f"{model}-2026-09-22", output=1000) == cost_of(model, output=1000)


@pytest.mark.parametrize("model", ["gpt-6-luna-pro", "gpt-9", ""])
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert not has_price(model)
    assert cost_of(model, output=1000) is None


@pytest.mark.parametrize(
    ("model", "price", "output_price"), [("gpt-6-luna", 0.10, 0.50), ("gpt-6.2-sol", 2, 10)]
)
def test_a_long_request_costs_more(model: str, price: float, output_price: float) -> None:
    within, above = cost_of(model, input=272_000, output=1000), cost_of(model, input=272_001, output=1000)
    assert within == pytest.approx((272_000 * price + 1000 * output_price) / 1_000_000)
    assert above == pytest.approx((272_001 * price * 2 + 1000 * output_price * 1.5) / 1_000_000)


def test_a_processing_tier_has_its_own_price_or_none() -> None:
    default = cost_of("gpt-6-luna", output=1000)
    assert default == cost_of("gpt-6-luna", output=1000, tier="auto")
    assert default is not None
    assert cost_of("gpt-6-luna", output=1000, tier="priority") == pytest.approx(2 * default)
    assert cost_of("gpt-6-luna", output=1000, tier="scale") is None
    assert cost_of("gpt-6.2-sol", output=1000, tier="priority") is None


def test_counts_that_contradict_each_other_raise_nothing() -> None:
    assert cost_of("gpt-6-luna", input=10, cached=20, written=30) == pytest.approx(10 * 0.01 / 1_000_000)


def test_prices_need_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert has_price("gpt-6-luna")


def test_the_last_report_about_a_response_counts_in_the_round_of_the_first() -> None:
    counter = TokenCounter()
    for round, output in ((1, 5), (2, 7)):
        counter.add(
            TokensCounted("resp_1", "a-model", "", Tokens(output=output)), exchange=round, round=round
        )
    assert counter.responses() == (ResponseTokens(1, "a-model", Tokens(output=7)),)


@pytest.mark.parametrize(("output", "reports"), [(0, []), (3, [Tokens(output=3)])])
def test_a_server_that_counts_no_tokens_reports_none(output: int, reports: list[Tokens]) -> None:
    usage = {"input_tokens": 0, "output_tokens": output}
    body = {"object": "response", "id": "resp_1", "model": "a-model", "usage": usage}
    assert list(token_parts(body)) == [TokensCounted("resp_1", "a-model", "", each) for each in reports]
