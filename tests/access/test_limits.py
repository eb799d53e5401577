"""Usage limits: how they are written, and which one is exceeded."""

import pytest

from assistant.access.limits import Limit, Period, UsageTotals, check_limits, parse_limits, period_key
from assistant.errors import LimitExceeded, SettingsError
from assistant.settings import Settings

DAY = 1_795_392_000.0  # midnight in UTC


def test_limits_are_parsed() -> None:
    assert parse_limits("20 messages/minute, 500000 tokens/day,5 USD/day") == (
        Limit(20, "messages", "minute"),
        Limit(500_000, "tokens", "day"),
        Limit(5, "USD", "day"),
    )
    assert parse_limits("1 Message / Day, 0.25 usd/minute,") == (
        Limit(1, "messages", "day"),
        Limit(0.25, "USD", "minute"),
    )
    assert parse_limits("") == ()


@pytest.mark.parametrize(
    "text",
    ["many", "5", "0 messages/day", "-1 messages/day", "5 messages", "5 messages/hour", "1e9 tokens/day",
     "nan USD/day", "5 EUR/day", "5,000 tokens/day", "9" * 99 + " tokens/day", "5 messages/day; 3 USD/day",
     "٣ messages/day"],
)  # fmt: skip
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load({"ASSISTANT_LIMIT_ALL": text})
    assert str(caught.value) == (
        f"ASSISTANT_LIMIT_ALL is {text!r}. Set limits such as 20 messages/minute, 500000 tokens/day, "
        "5 USD/day."
    )


@pytest.mark.parametrize(
    "variables",
    [{"OPENAI_MODEL": "my-model"}, {"OPENAI_BASE_URL": "http://here/v1"}, {"OPENAI_AGENT_ID": "agent_1"}],
)
def test_a_limit_in_usd_needs_a_known_price(variables: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="Limit tokens instead"):
        Settings.load({"ASSISTANT_LIMIT_ALL": "5 USD/day", **variables})
    assert Settings.load({"ASSISTANT_LIMIT_ALL": "5 USD/day"}).limit_all
    assert Settings.load({"ASSISTANT_LIMIT_ALL": "5 tokens/day", **variables}).limit_all


def test_the_exceeded_limit_that_resets_last_is_named() -> None:
    limits = parse_limits("2 messages/minute, 10 tokens/day, 1 USD/day")
    totals: dict[Period, UsageTotals] = {"minute": UsageTotals(1), "day": UsageTotals(1, 9, 0.99)}
    moment = DAY + 3600 + 61
    check_limits(limits, totals, moment, scope="user")
    totals["minute"] = UsageTotals(2)
    with pytest.raises(LimitExceeded) as caught:
        check_limits(limits, totals, moment, scope="user")
    error = caught.value
    assert (error.limit, error.scope, error.resets_at) == ("2 messages/minute", "user", DAY + 3600 + 120)
    assert error.wait_seconds == 59
    totals["day"] = UsageTotals(2, 10, 0.99)
    with pytest.raises(LimitExceeded) as caught:
        check_limits(limits, totals, moment, scope="everyone")
    error = caught.value
    assert (error.limit, error.scope, error.resets_at) == ("10 tokens/day", "everyone", DAY + 86_400)


def test_keys_of_periods_are_in_utc() -> None:
    assert [period_key("day", DAY - 1), period_key("day", DAY)] == ["2026-11-22", "2026-11-23"]
    assert period_key("minute", DAY + 60) == "2026-11-23T00:01"
